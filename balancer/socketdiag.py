"""Which TCP sockets listen in this network name space, and how many connections wait at each (sock_diag(7)).

The kernel is asked for the listening ones alone, which takes a fraction of a millisecond. /proc/net/tcp tells the same, but
walks over every connection and every TIME_WAIT: on a busy machine it takes some 200 ms, in which a successor's first visitors
would wait. It is read where sock_diag is not to be had.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST_DUMP: Final = 0x301
NLMSG_ERROR: Final = 2
NLMSG_DONE: Final = 3
LISTENING: Final = 1 << 10  # of tcp_states.h: TCP_LISTEN
HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
REQUEST: Final = struct.Struct("=BBBxI48x")  # family, protocol, extensions, states; of any address
ANSWER: Final = struct.Struct("=BBBB2s2s16s16s4s8sIIIII")  # .., ports, addresses, interface, cookie, .., rqueue, .., inode
RECEIVED_OCTETS: Final = 1 << 16
PATIENCE_S: Final = 1.0

# proc(5): state LISTEN.
PROC_LISTEN: Final = "0A"


@dataclass(frozen=True)
class Entry:
    """One listening TCP socket of this network name space."""

    address: str  # in a form that is the same for the same address
    waiting: int  # connections in its backlog
    inode: int


def listening_entries() -> list[Entry]:
    """All listening TCP sockets, in no useful order; empty where the kernel does not tell."""
    try:
        return [entry for family in (socket.AF_INET, socket.AF_INET6) for entry in _asked(family)]
    except OSError:
        return _read()


def _asked(family: int) -> Iterator[Entry]:
    """Those of one family, as sock_diag tells them. Raises OSError where it does not."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as asking:
        asking.settimeout(PATIENCE_S)
        request = REQUEST.pack(family, socket.IPPROTO_TCP, 0, LISTENING)
        asking.send(HEADER.pack(HEADER.size + len(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST_DUMP, 1, 0) + request)
        while True:
            message = asking.recv(RECEIVED_OCTETS)
            at = 0
            while at + HEADER.size <= len(message):
                length, kind, _, _, _ = HEADER.unpack_from(message, at)
                if kind == NLMSG_DONE:
                    return
                if kind == NLMSG_ERROR or length < HEADER.size + ANSWER.size:
                    raise OSError("sock_diag refuses")
                _, _, _, _, port, _, address, _, _, _, _, waiting, _, _, inode = ANSWER.unpack_from(message, at + HEADER.size)
                yield Entry(f"{family} {address.hex()}:{port.hex()}", waiting, inode)
                at += -(-length // 4) * 4


def _read() -> list[Entry]:
    """All of them, as /proc tells them."""
    entries: list[Entry] = []
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            text = Path(name).read_text(encoding="ascii")
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and words[3] == PROC_LISTEN:
                entries.append(Entry(f"{name} {words[1]}", int(words[4].partition(":")[2], 16), int(words[9])))
    return entries
