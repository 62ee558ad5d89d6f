"""How a successor takes over from a process that still listens, without losing a connection in between.

Two ways. With `-x SOCKET` it asks the old process, HAProxy or ours, for its listening sockets over the stats socket
(`_getsocks`, HAProxy's own exchange): both then listen on the same ones, and the kernel's backlog belongs to both. Without, it
binds beside the old one (SO_REUSEPORT); each listener has a backlog then, and what lies in the old one's is lost with it. So
new connections are steered to the newcomer (a classic BPF program names its place in the group), and the old process is told to
go only when its backlogs are empty.

Steering and waiting are Linux's (socket(7), sock_diag(7)); without them only that is lost which HAProxy loses, too.
"""

import contextlib
import ctypes
import os
import socket
import struct
import time
from collections.abc import Iterable
from typing import Final

from balancer.admin.handover import COUNT, GETSOCKS, PATIENCE_S, SOCKETS_PER_MESSAGE
from balancer.socketdiag import listening_entries

SOCKETS_MAX: Final = 65536

SO_ATTACH_REUSEPORT_CBPF: Final = 51
BPF_RETURN: Final = struct.Struct("=HBBI")  # struct sock_filter: code, jt, jf, k
BPF_RET_K: Final = 6
PROGRAM: Final = struct.Struct("@HP")  # struct sock_fprog: length, address

BACKLOG_PATIENCE_S: Final = 1.0
BACKLOG_PAUSE_S: Final = 0.005


class TakeoverError(Exception):
    """The old process gave no sockets; the text says why."""


def take(path: str) -> list[socket.socket]:
    """The listening sockets of the process behind that stats socket. Raises TakeoverError."""
    taken: list[socket.socket] = []
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
            talk.settimeout(PATIENCE_S)
            talk.connect(path)
            talk.sendall(GETSOCKS)
            count = _expected(talk)
            while len(taken) < count:
                data, descriptors, _, _ = socket.recv_fds(talk, 65536, SOCKETS_PER_MESSAGE)
                taken.extend(socket.socket(fileno=descriptor) for descriptor in descriptors)
                if not data or not descriptors:
                    raise TakeoverError(f"{path}: {len(taken)} of {count} sockets came")
                with contextlib.suppress(BrokenPipeError):  # HAProxy may not wait for the last word
                    talk.sendall(COUNT.pack(len(taken)))
    except OSError as error:
        _close(taken)
        raise TakeoverError(f"{path}: {error.strerror or error}") from error
    except TakeoverError:
        _close(taken)
        raise
    return taken


def _expected(talk: socket.socket) -> int:
    data = talk.recv(COUNT.size, socket.MSG_WAITALL)
    if len(data) < COUNT.size:
        raise TakeoverError("the other process hands no sockets over (it wants `expose-fd listeners` and level admin)")
    count: int = COUNT.unpack(data)[0]
    if not 0 <= count <= SOCKETS_MAX:
        raise TakeoverError(f"{count} sockets are announced")
    return count


def _close(sockets: Iterable[socket.socket]) -> None:
    for each in sockets:
        each.close()


def steer(sockets: Iterable[socket.socket]) -> None:
    """Lets new connections come to these sockets rather than to those that listened on the same addresses before."""
    entries = listening_entries()
    by_inode = {entry.inode: entry for entry in entries}
    for each in sockets:
        own = by_inode.get(os.fstat(each.fileno()).st_ino)
        if own is None:
            continue
        elders = sum(entry.address == own.address for entry in entries) - 1
        if elders < 1:
            continue
        code = ctypes.create_string_buffer(BPF_RETURN.pack(BPF_RET_K, 0, 0, elders))
        try:
            each.setsockopt(socket.SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, PROGRAM.pack(1, ctypes.addressof(code)))
        except OSError:
            continue  # an old kernel: connections are spread over both


def wait_for_backlogs(sockets: Iterable[socket.socket]) -> None:
    """Returns when nobody waits in the backlogs of the others on these addresses, at the latest after a second."""
    inodes = {os.fstat(each.fileno()).st_ino for each in sockets}
    until = time.monotonic() + BACKLOG_PATIENCE_S
    while time.monotonic() < until:
        entries = listening_entries()
        addresses = {entry.address for entry in entries if entry.inode in inodes}
        if not any(entry.waiting for entry in entries if entry.address in addresses and entry.inode not in inodes):
            return
        time.sleep(BACKLOG_PAUSE_S)
