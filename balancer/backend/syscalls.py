"""System calls of the hot path that cannot wait.

Each has a native twin in `_leaves.c`, which runs where the package was compiled; `leaves` chooses. These are the specification,
the form without a compiler, and the oracle of the twins' test.
"""

import resource
import socket
from struct import pack
from typing import Final

PIECES_MAX: Final = 64
# No descriptor is larger.
DESCRIPTORS_END: Final = (1 << 31) - 1


def descriptors_max() -> int:
    """How many descriptors the process may have just now: the soft limit, which others may change."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return DESCRIPTORS_END if soft == resource.RLIM_INFINITY else min(soft, DESCRIPTORS_END)


def is_quiet(descriptor: int) -> bool:
    """Whether neither octets, nor an end, nor an error wait on that socket; what is no socket is not quiet."""
    try:
        sock = socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        return False
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        sock.detach()
    return False


def send_each(descriptor: int, datagrams: list[bytes], address: bytes) -> int:
    """Sends datagrams until one fails; returns how many left. Whoever tries that one again sees why.

    They go to a packed address; b"" is for a socket that is connected.
    """
    try:
        sock = socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        return 0
    flags = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL
    where = unpacked_address(address) if address else None
    sent = 0
    try:
        for datagram in datagrams:
            if where is None:
                sock.send(datagram, flags)
            else:
                sock.sendto(datagram, flags, where)
            sent += 1
    except OSError:
        pass
    finally:
        sock.detach()
    return sent


def send_now(descriptor: int, octets: bytes, has_more: bool) -> int:
    """Sends what the socket's buffer takes at once; returns how much that was, 0 where it failed, too.

    With `has_more` the kernel may keep what fills no segment, until more comes, or `push`, or 200 ms have passed (tcp(7)).
    """
    try:
        sock = socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        return 0
    try:
        return sock.send(octets, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL | (socket.MSG_MORE if has_more else 0))
    except OSError:
        return 0
    finally:
        sock.detach()


def send_pieces(descriptor: int, pieces: list[bytes]) -> int:
    """The same of several pieces, none of which is copied together with another; PIECES_MAX of them at most."""
    try:
        sock = socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        return 0
    try:
        return sock.sendmsg(pieces[:PIECES_MAX], [], socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    except OSError:
        return 0
    finally:
        sock.detach()


def push(descriptor: int) -> None:
    """Lets go what `send_now` made the kernel keep; nothing happens where there is no TCP connection."""
    try:
        sock = socket.socket(fileno=descriptor)
    except (OSError, ValueError):
        return
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError:
        pass
    finally:
        sock.detach()


def packed_address(family: int, address: tuple[str, int] | str) -> bytes:
    """A `struct sockaddr` as the kernel reads it: of IPv4, IPv6, or the path of a UNIX socket (a NUL first: abstract)."""
    start = pack("=H", family)
    if isinstance(address, str):
        path = address.encode("utf-8", "surrogateescape")
        return start + path + (b"" if path.startswith(b"\0") else b"\0")
    host, port = address
    if family == socket.AF_INET6:
        return start + pack("!HI", port, 0) + socket.inet_pton(family, host) + pack("=I", 0)
    return start + pack("!H", port) + socket.inet_pton(family, host) + bytes(8)


def unpacked_address(packed: bytes) -> tuple[str, int] | str:
    """What `packed_address` was made of."""
    family = int.from_bytes(packed[:2], "little" if pack("=H", 1)[0] else "big")
    if family == socket.AF_UNIX:
        path = packed[2:]
        return (path if path.startswith(b"\0") else path.rstrip(b"\0")).decode("utf-8", "surrogateescape")
    port = int.from_bytes(packed[2:4], "big")
    if family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, packed[8:24]), port
    return socket.inet_ntop(socket.AF_INET, packed[4:8]), port
