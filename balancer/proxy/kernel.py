"""What a listening TCP socket asks of the kernel beside its address; accepted connections inherit it (Linux).

A socket that was taken over, or inherited, brings the wishes of whoever had it: what this file does not ask for is put back
to what a new socket has. A wish that the kernel does not grant is told and the socket serves without it, as with HAProxy.

Device and family cannot be put back on a socket that is bound: `fits` says whether a socket is the one that a line means.
"""

import os
import socket
from dataclasses import dataclass
from typing import Final

from balancer import model
from balancer.backend.outgoing import LINGER, NO_LINGER, bound_buffers, unbound_buffers

BACKLOG_MAX: Final = 65535  # the kernel's own bound is net.core.somaxconn; more is cut by it
DEVICE_SIZE: Final = 16  # IFNAMSIZ
DEFER_S: Final = 1


@dataclass(frozen=True)
class Wish:
    """One option: the value for it, and the value that stands for no wish."""

    name: str  # in messages
    level: int
    option: int
    value: int
    unasked: int

    def apply(self, bound: socket.socket, is_new: bool) -> str:
        """Sets it where need be; the text tells what was refused."""
        if is_new and self.value == self.unasked:
            return ""
        try:
            # A segment size of 0, none, reads as another number: it is set without a look.
            if self.option == socket.TCP_MAXSEG or bound.getsockopt(self.level, self.option) != self.value:
                bound.setsockopt(self.level, self.option, self.value)
        except OSError as error:
            return f"cannot set {self.name} to {self.value} ({error.strerror})"
        return ""


def backlog_of(bind: model.Bind, frontend: model.Frontend, maxconn: int) -> int:
    """How many connections may wait unaccepted: the bind's word, the section's, else as many as may come in at once.

    `maxconn` is the frontend's as it is now, or the process's.
    """
    return max(1, min(bind.options.backlog or frontend.backlog or bind.maxconn or maxconn, BACKLOG_MAX))


def prepare(
    bound: socket.socket, options: model.SocketOptions, frontend: model.Frontend, backlog: int, is_new: bool
) -> list[str]:
    """Asks for all that the file wants of a socket before it listens; the texts tell what was refused."""
    _prepare_any(bound, frontend, is_new)
    if bound.family == socket.AF_UNIX:
        return []
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    with socket.socket(bound.family, socket.SOCK_STREAM) as plain:
        wishes = _wishes(options, frontend, backlog, plain)
    texts = [wish.apply(bound, is_new) for wish in wishes]
    return [text for text in texts if text]


def settle_acknowledgement(bound: socket.socket, frontend: model.Frontend) -> None:
    """`option tcp-smart-accept` on a socket that listens: listen(2) forgets it."""
    if bound.family != socket.AF_UNIX:
        bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, int(not frontend.delays_acknowledgement))


def fits(bound: socket.socket, bind: model.Bind) -> bool:
    """Whether a socket with the line's address has its network interface and its families, too."""
    if bound.family == socket.AF_UNIX:
        return True
    device = bound.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, DEVICE_SIZE).rstrip(b"\0")
    if device != os.fsencode(bind.options.interface):
        return False
    if bound.family != socket.AF_INET6:
        return True
    v6only = bind.options.v6only
    if v6only is None:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as plain:
            v6only = bool(plain.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    return bool(bound.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)) == v6only


def _prepare_any(bound: socket.socket, frontend: model.Frontend, is_new: bool) -> None:
    if frontend.resets_at_close or not is_new:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER if frontend.resets_at_close else LINGER)
    if not is_new:
        unbound_buffers(bound)
    if frontend.buffers is not None:
        bound_buffers(bound, frontend.buffers)


def _wishes(options: model.SocketOptions, frontend: model.Frontend, backlog: int, plain: socket.socket) -> tuple[Wish, ...]:
    """`plain` is a new socket of the family: what the system gives."""
    probes = frontend.keep_alive or model.KeepAlive()
    tcp = socket.IPPROTO_TCP

    def of_system(name: str, option: int, value: int) -> Wish:
        given = plain.getsockopt(tcp, option)
        return Wish(name, tcp, option, value or given, given)

    return (
        Wish("MSS", tcp, socket.TCP_MAXSEG, options.segment_octets, 0),
        Wish("TCP User Timeout", tcp, socket.TCP_USER_TIMEOUT, options.user_timeout_ms, 0),
        Wish("DEFER_ACCEPT", tcp, socket.TCP_DEFER_ACCEPT, DEFER_S if options.defers_accept else 0, 0),
        Wish("TCP_FASTOPEN", tcp, socket.TCP_FASTOPEN, backlog if options.fast_open else 0, 0),
        Wish("SO_KEEPALIVE", socket.SOL_SOCKET, socket.SO_KEEPALIVE, int(frontend.keep_alive is not None), 0),
        of_system("TCP_KEEPCNT", socket.TCP_KEEPCNT, probes.count),
        of_system("TCP_KEEPIDLE", socket.TCP_KEEPIDLE, probes.idle_s),
        of_system("TCP_KEEPINTVL", socket.TCP_KEEPINTVL, probes.interval_s),
    )
