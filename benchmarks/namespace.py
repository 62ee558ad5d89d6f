"""The network that a measurement runs in: a namespace of its own with a loss-based congestion control, where that may be.

A kernel whose default is bbr paces even loopback, which nearly doubles what large bodies cost, for every proxy, and smears it.
In a network namespace the default can be set for all sides. Where the kernel forbids one, only our own ends can choose, by a
socket option; the proxies keep the system's default, and the result says so.
"""

import ctypes
import fcntl
import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWNET: Final = 0x40000000
SIOCSIFFLAGS: Final = 0x8914
IFF_UP_AND_RUNNING: Final = 0x1 | 0x40
LOSS_BASED: Final = ("cubic", "reno")
DEFAULT_FILE: Final = Path("/proc/sys/net/ipv4/tcp_congestion_control")


@dataclass(frozen=True)
class Network:
    """What runs: `own_ends` is what our own sockets ask for, empty where the namespace's default says it already."""

    default: str
    own_ends: str
    is_own_namespace: bool

    def __str__(self) -> str:
        if self.is_own_namespace:
            return f"{self.default} on all sides (own network namespace)"
        return f"{self.own_ends or self.default} on the benchmark's own ends, {self.default} elsewhere (no network namespace)"


def enter() -> Network:
    """Moves this process, and what it starts from now on, to a namespace of its own; call it before any thread is started."""
    is_own = _unshare() and _raise_loopback()
    if is_own:
        for name in LOSS_BASED:
            try:
                DEFAULT_FILE.write_text(name, encoding="ascii")
            except OSError:
                continue
            break
    default = DEFAULT_FILE.read_text(encoding="ascii").strip()
    return Network(default, "" if default in LOSS_BASED else _allowed(), is_own)


def choose(sock: socket.socket, name: str) -> None:
    """Sets the congestion control of one of our own sockets; nothing for an empty name."""
    if name:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode("ascii"))


def _unshare() -> bool:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return False
    # The same numbers inside as outside: what is started sees itself as the ordinary user that it is.
    try:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    except OSError:
        pass  # unmapped, which nothing here minds
    return True


def _raise_loopback() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_AND_RUNNING))
        except OSError as error:
            raise RuntimeError(f"the new network namespace has no loopback: {error}") from error
    return True


def _allowed() -> str:
    with socket.socket() as sock:
        for name in LOSS_BASED:
            try:
                choose(sock, name)
            except OSError:
                continue
            return name
    return ""
