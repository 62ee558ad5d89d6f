"""Listening sockets as the kernel tells them, by either way."""

import os
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from running import free_port, wait_until

from balancer import socketdiag
from balancer.socketdiag import Entry


def asked() -> list[Entry]:
    return [entry for family in (socket.AF_INET, socket.AF_INET6) for entry in socketdiag._asked(family)]


WAYS = [asked, socketdiag._read]


def entry_of(entries: list[Entry], sock: socket.socket) -> Entry:
    (found,) = (entry for entry in entries if entry.inode == os.fstat(sock.fileno()).st_ino)
    return found


@pytest.mark.parametrize("entries", WAYS)
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_waits_unaccepted_is_told(family: socket.AddressFamily, host: str, entries: Callable[[], list[Entry]]) -> None:
    with ExitStack() as stack:
        try:
            listening = stack.enter_context(socket.create_server((host, 0), family=family))
        except OSError:
            pytest.skip("no IPv6 here")
        assert entry_of(entries(), listening).waiting == 0
        for count in (1, 2):
            stack.enter_context(socket.create_connection(listening.getsockname()[:2]))
            wait_until(lambda count=count: entry_of(entries(), listening).waiting == count, "one more waits")  # type: ignore[misc]


@pytest.mark.parametrize("entries", WAYS)
def test_what_does_not_listen_is_left_out_and_one_address_is_one(entries: Callable[[], list[Entry]]) -> None:
    port = free_port()
    with ExitStack() as stack:
        elder = stack.enter_context(socket.create_server(("127.0.0.1", port), reuse_port=True))
        younger = stack.enter_context(socket.create_server(("127.0.0.1", port), reuse_port=True))
        other = stack.enter_context(socket.create_server(("127.0.0.2", port), reuse_port=True))
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        bound = stack.enter_context(socket.socket())
        bound.bind(("127.0.0.1", free_port()))
        found = entries()
        inodes = {entry.inode for entry in found}
        assert not inodes & {os.fstat(sock.fileno()).st_ino for sock in (client, bound)}
        addresses = [entry_of(found, sock).address for sock in (elder, younger, other)]
        assert addresses[0] == addresses[1] != addresses[2]


def test_where_the_kernel_cannot_be_asked_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socketdiag, "NETLINK_SOCK_DIAG", 31)  # no such protocol
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert entry_of(socketdiag.listening_entries(), listening).address.startswith("/proc/net/tcp ")
