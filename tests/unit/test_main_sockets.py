"""Listening sockets: a port on which anyone listens is refused; a stats socket never has more rights than it should."""

import os
import socket
import stat
import struct
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from running import free_port

from balancer import model, sockets
from balancer.backend.outgoing import NO_LINGER

ORIGIN = model.Origin("test.cfg", 7)


def frontend(*ports: tuple[str, int], name: str = "web", disabled: bool = False) -> model.Frontend:
    binds = tuple(model.Bind(host, port, ":" in host, 0, "", ORIGIN) for host, port in ports)
    return model.Frontend(
        name=name, number=2, binds=binds, maxconn=0, logs=(), log_format="none", dontlognull=False, client_timeout_s=1.0,
        http_request_timeout_s=0.0, keep_alive_timeout_s=0.0, default_backend="", exporter_path=b"", errorfiles={},
        disabled=disabled, is_listen=True, origin=ORIGIN,
    )  # fmt: skip


def open_listeners(
    frontends: list[model.Frontend], maxconn: int, is_successor: bool, taken: Sequence[socket.socket] = ()
) -> list[sockets.Listener]:
    """Both steps of a start."""
    listeners = sockets.bind_listeners(frontends, maxconn, is_successor, taken)
    sockets.listen(listeners, maxconn)
    return listeners


def listening(host: str, *options: int) -> socket.socket:
    other = socket.socket()
    for option in options:
        other.setsockopt(socket.SOL_SOCKET, option, 1)
    other.bind((host, 0))
    other.listen()
    return other


@pytest.mark.parametrize("options", [(), (socket.SO_REUSEADDR,), (socket.SO_REUSEADDR, socket.SO_REUSEPORT)])
@pytest.mark.parametrize("held", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("wanted", ["127.0.0.1", ""])
def test_a_port_on_which_anyone_listens_is_refused(options: tuple[int, ...], held: str, wanted: str) -> None:
    with listening(held, *options) as other:
        port = other.getsockname()[1]
        with pytest.raises(sockets.BindError) as refused:
            open_listeners([frontend((wanted, port))], 10, is_successor=False)
    shown = wanted or "0.0.0.0"
    text = f"Binding [test.cfg:7] for proxy web: cannot bind socket (Address already in use) for [{shown}:{port}]"
    assert refused.value.texts == [text]


def test_all_refused_addresses_are_told_and_none_stays_open() -> None:
    mine = free_port()
    with listening("127.0.0.1") as first, listening("127.0.0.1") as second:
        addresses = [("127.0.0.1", first.getsockname()[1]), ("127.0.0.1", mine), ("127.0.0.1", second.getsockname()[1])]
        with pytest.raises(sockets.BindError) as refused:
            open_listeners([frontend(*addresses)], 10, is_successor=False)
    assert len(refused.value.texts) == 2
    with socket.socket() as again:
        again.bind(("127.0.0.1", mine))


def test_two_binds_of_one_file_may_overlap() -> None:
    port = free_port()
    opened = open_listeners([frontend(("", port), ("127.0.0.1", port))], 10, is_successor=False)
    assert len(opened) == 2
    for listener in opened:
        listener.socket.close()


def test_a_successor_shares_the_port_and_a_stranger_does_not() -> None:
    port = free_port()
    web = frontend(("127.0.0.1", port))
    (old,) = open_listeners([web], 10, is_successor=False)
    with pytest.raises(sockets.BindError):
        open_listeners([web], 10, is_successor=False)
    (new,) = open_listeners([web], 10, is_successor=True)
    old.socket.close()
    with socket.create_connection(("127.0.0.1", port)):
        new.socket.setblocking(True)
        new.socket.accept()[0].close()
    new.socket.close()


def test_a_disabled_frontend_is_not_bound_and_a_port_in_time_wait_is() -> None:
    assert open_listeners([frontend(("127.0.0.1", 1), disabled=True)], 10, is_successor=False) == []
    (first,) = open_listeners([frontend(("127.0.0.1", free_port()))], 10, is_successor=False)
    port = first.socket.getsockname()[1]
    first.socket.setblocking(True)
    with socket.create_connection(("127.0.0.1", port)) as client:
        first.socket.accept()[0].close()  # the server's side closes first and keeps TIME_WAIT
        assert client.recv(1) == b""
    first.socket.close()
    (again,) = open_listeners([frontend(("127.0.0.1", port))], 10, is_successor=False)
    again.socket.close()


def test_an_ipv6_address_is_bound_and_named() -> None:
    try:
        probe = socket.socket(socket.AF_INET6)
        probe.bind(("::1", 0))
        probe.listen()
    except OSError:
        pytest.skip("no IPv6 here")
    port = probe.getsockname()[1]
    with probe, pytest.raises(sockets.BindError, match=rf"for \[::1:{port}\]"):
        open_listeners([frontend(("::1", port))], 10, is_successor=False)
    (listener,) = open_listeners([frontend(("::1", port))], 10, is_successor=False)
    listener.socket.close()


def stats(path: Path, mode: int | None = None, uid: int = -1, gid: int = -1) -> model.StatsSocket:
    return model.StatsSocket(str(path), mode, uid, gid, "operator", ORIGIN)


@pytest.mark.parametrize(("mode", "expected"), [(None, 0o600), (0o660, 0o660), (0o666, 0o666), (0, 0)])
def test_a_stats_socket_has_the_mode_of_the_file_whatever_the_umask(tmp_path: Path, mode: int | None, expected: int) -> None:
    before = os.umask(0)
    try:
        with sockets.open_stats_socket(stats(tmp_path / "admin.sock", mode)):
            made = os.stat(tmp_path / "admin.sock").st_mode
            assert stat.S_ISSOCK(made) and stat.S_IMODE(made) == expected
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    assert os.listdir(tmp_path) == ["admin.sock"]


def test_a_stats_socket_is_given_to_its_owner(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    with sockets.open_stats_socket(stats(tmp_path / "admin.sock", 0o660, uid=33, gid=33)):
        made = os.stat(tmp_path / "admin.sock")
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (33, 33, 0o660)


def test_a_stale_socket_file_is_replaced_and_a_live_one_is_known(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    assert not sockets.is_served(str(path))
    sockets.open_stats_socket(stats(path)).close()
    assert path.exists() and not sockets.is_served(str(path))
    with sockets.open_stats_socket(stats(path)) as live:
        assert sockets.is_served(str(path))
        live.accept()[0].close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data", encoding="ascii")
    with pytest.raises(sockets.BindError, match="no socket") as refused:
        sockets.open_stats_socket(stats(path))
    assert refused.value.texts[0].startswith("Binding [test.cfg:7] for frontend GLOBAL: cannot bind UNIX socket (")
    assert path.read_text(encoding="ascii") == "data" and os.listdir(tmp_path) == ["precious"]


def test_a_stats_socket_that_cannot_be_made_is_told_as_haproxy_does(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "admin.sock"
    with pytest.raises(sockets.BindError) as refused:
        sockets.open_stats_socket(stats(path))
    text = f"Binding [test.cfg:7] for frontend GLOBAL: cannot bind UNIX socket (No such file or directory) [{path}]"
    assert refused.value.texts == [text]
    with pytest.raises(sockets.BindError, match="path is longer than"):
        sockets.open_stats_socket(stats(tmp_path / ("x" * 108)))


def test_a_stats_socket_may_be_an_address_or_what_was_inherited() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        by_address = replace(stats(Path("")), path="", host="127.0.0.1", port=port)
        with pytest.raises(sockets.BindError, match=rf"cannot bind socket .* \[ipv4@127\.0\.0\.1:{port}\]"):
            sockets.open_stats_socket(by_address)
        number = os.dup(taken.fileno())
        by_number = replace(stats(Path("")), path="", descriptor=number)
        with sockets.open_stats_socket(by_number) as inherited:
            assert inherited.getsockname() == taken.getsockname()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        with pytest.raises(sockets.BindError, match=r"\[fd@9999\]"):
            sockets.open_stats_socket(replace(by_number, descriptor=9999))
    with sockets.open_stats_socket(by_address) as listening, socket.create_connection(("127.0.0.1", port), 5.0):
        listening.accept()[0].close()


# What each socket of the kernel's is asked for, and what it answers on a socket of ours that nobody asked anything.
OPTIONS: dict[str, tuple[int, int, int | bytes]] = {
    "linger": (socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER),
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    "sndbuf": (socket.SOL_SOCKET, socket.SO_SNDBUF, 20000),
    "rcvbuf": (socket.SOL_SOCKET, socket.SO_RCVBUF, 20000),
    "defer-accept": (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1),
    "tfo": (socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 9),
    "tcp-ut": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 999),
    "mss": (socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1000),
    "keepalive-cnt": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 7),
    "keepalive-idle": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77),
    "keepalive-intvl": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 777),
}
ASKED_OF_ALL = model.SocketOptions(defers_accept=True, fast_open=True, user_timeout_ms=5000, segment_octets=1200)


def answers(sock: socket.socket) -> dict[str, bytes]:
    return {name: sock.getsockopt(level, option, 8) for name, (level, option, _) in OPTIONS.items()}


def test_what_was_taken_over_keeps_nothing_that_the_file_does_not_say() -> None:
    fresh = frontend(("127.0.0.1", free_port()))
    (own,) = open_listeners([fresh], 10, is_successor=False)
    with own.socket, socket.create_server(("127.0.0.1", free_port())) as taken:
        for level, option, value in OPTIONS.values():
            taken.setsockopt(level, option, value)
        assert not set(answers(taken).items()) & set(answers(own.socket).items())
        (listener,) = open_listeners([frontend(taken.getsockname())], 10, is_successor=False, taken=[taken])
        assert listener.socket is taken
        assert answers(taken) == answers(own.socket)


def test_what_was_taken_over_gets_what_the_file_says() -> None:
    port = free_port()
    site = frontend(("127.0.0.1", port))
    (bind,) = site.binds
    binds = (replace(bind, options=ASKED_OF_ALL),)
    site = replace(site, binds=binds, resets_at_close=True, keep_alive=model.KeepAlive(2, 3, 4))
    with socket.create_server(("127.0.0.1", port)) as taken:
        (listener,) = open_listeners([site], 10, is_successor=False, taken=[taken])
        told = answers(listener.socket)
        assert listener.socket is taken
        assert struct.unpack("ii", told["linger"]) == (1, 0)
        assert [int.from_bytes(told[name][:4], sys.byteorder) for name in ("keepalive", "defer-accept", "tcp-ut", "mss")] == [
            1, 1, 5000, 1200,
        ]  # fmt: skip
        assert int.from_bytes(told["tfo"][:4], sys.byteorder) == 10, "as many as may wait at all"
        assert listener.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 4


@pytest.mark.parametrize("v6only", [None, False, True])
@pytest.mark.parametrize("was_v6only", [False, True])
def test_a_socket_for_other_families_is_not_taken_for_this_one(v6only: bool | None, was_v6only: bool) -> None:
    try:
        taken = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=not was_v6only, reuse_port=True)
    except (OSError, ValueError):
        pytest.skip("no IPv6 here")
    site = frontend(("::", taken.getsockname()[1]))
    (bind,) = site.binds
    site = replace(site, binds=(replace(bind, options=model.SocketOptions(v6only=v6only)),))
    (listener,) = open_listeners([site], 10, is_successor=True, taken=[taken])
    with listener.socket:
        assert (listener.socket is taken) == (bool(v6only) == was_v6only)
        assert bool(listener.socket.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) == bool(v6only)


def test_two_binds_of_one_address_on_two_interfaces_take_one_socket_each() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root binds to an interface")
    port = free_port()
    site = frontend(("127.0.0.1", port), ("127.0.0.1", port))
    plain, other = site.binds
    site = replace(site, binds=(plain, replace(other, options=model.SocketOptions(interface="lo"))))
    first = open_listeners([site], 10, is_successor=True)
    second = open_listeners([site], 10, is_successor=False, taken=[listener.socket for listener in reversed(first)])
    assert [listener.socket for listener in second] == [listener.socket for listener in first]
    for listener in second:
        listener.socket.close()


def test_an_inherited_socket_listens_no_longer_than_its_listener() -> None:
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", free_port()))
        address = inherited.getsockname()
        number = inherited.detach()
    site = frontend(("", 0))
    (bind,) = site.binds
    site = replace(site, binds=(replace(bind, descriptor=number),))
    (listener,) = open_listeners([site], 10, is_successor=False)
    with listener.socket, socket.create_connection(address):
        pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
