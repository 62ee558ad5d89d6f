"""Log targets: lines are kept until the turn of the loop ends, then sent in one burst, and nothing here ever waits.

Sockets are opened before chroot: one unconnected non-blocking datagram socket per address family, one for each target on the
loopback, which is connected, because no route to it ever changes and the kernel then looks for none at each line. UNIX targets
are sent to by path, as seen inside the chroot, so that a syslog daemon that restarts is found again. A full buffer (EAGAIN)
drops the line and counts it; a refusal (ECONNREFUSED on UDP tells of an earlier datagram) is answered by sending the line once
more. A target that cannot be reached is reported once, and counted. Header, cut and line end are HAProxy 2.6's, octet for
octet: `len` octets and then LF. A burst is one native call (`leaves.send_each`) as long as nothing fails.

Measured per httplog line, compiled, formatting included, to a UDP target on loopback: 6.5 us where each line is sent alone
with a pause before it, 3.1 us back to back, 2.3 us in bursts of 16 and more (1.15 us of it make the line).
One native call for a burst and a connected socket made 2.36 us of 2.99 beside each other (the line given, bursts of 16).
"""

import asyncio
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from typing import Final

from balancer import model
from balancer.backend.leaves import send_each
from balancer.backend.syscalls import packed_address
from balancer.observe.logheaders import MONTHS as MONTHS
from balancer.observe.logheaders import Header, Sampler
from balancer.observe.ring import Ring, rings_of
from balancer.observe.stream import Stream

# Lines kept for a burst; beyond it they go out at once, so that memory stays bounded in a long turn.
KEPT_MAX: Final = 512
# The datagram that fits into one UDP packet over IPv4; a longer line is cut there, whatever `len` says.
DATAGRAM_MAX: Final = 65507
# What a header takes at most beside its tag and the name of the host.
HEADER_OCTETS: Final = 64
# What a full buffer says, of the socket's or the reader's: the line is dropped and nobody is told but the counter.
FULL: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)
# What says that nobody is there: the rest of a burst would fare no better.
GONE: Final = (
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EACCES,
    errno.EPERM,
    errno.ECONNREFUSED,
    errno.ENOTCONN,
    errno.EPROTOTYPE,
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
)


class Target:
    """One `log` line of the file."""

    def __init__(
        self,
        config: model.LogTarget,
        header: Header,
        sock: socket.socket | None,
        ring: Ring | None,
        report: Callable[[str], None],
    ) -> None:
        self.config = config
        self.header = header
        self.report = report
        self.severity_max: int = config.severity_max
        self.severity_min: int = config.severity_min
        self.facility: int = config.facility
        self.format: str = config.format
        self.length_max: int = min(config.length_max, DATAGRAM_MAX - 1)
        self.message_max: int = 0  # 0: only the whole line has a bound
        self.sampler: Sampler | None = Sampler(config) if config.sample else None
        self.lines: list[bytes] = []
        self.dropped: int = 0
        self.was_reported: bool = False
        self.sock = sock
        self.address: tuple[str, int] | str | None = None
        self.packed: bytes = b""  # of a connected socket: it needs none
        self.stream: Stream | None = None
        self.ring = ring
        if ring is not None:
            self.message_max = config.length_max - 1
            self.length_max = ring.config.length_max
        elif sock is None:
            self.stream = Stream(config.descriptor())
        elif not is_connected(config):
            self.address = config.path or (config.host, config.port)
            self.packed = packed_address(int(sock.family), self.address)

    def __repr__(self) -> str:
        return f"<Target {self.name()} kept={len(self.lines)} dropped={self.dropped}>"

    def name(self) -> str:
        """Where lines go, for messages."""
        return self.config.address()

    def message_room(self) -> int:
        """How many octets a message may have and is never cut, structured data aside."""
        room = self.length_max - HEADER_OCTETS - len(self.header.source)
        return min(room, self.message_max) if self.message_max else room

    def keep(self, severity: int, message: bytes, structured: bytes = b"") -> None:
        """Formats one line and keeps it for the burst; what the target does not want is left out.

        `structured` is the structured data of RFC 5424, for targets of that format.
        """
        if severity > self.severity_max:
            return
        if self.sampler is not None and not self.sampler.takes():
            return
        if severity < self.severity_min:
            severity = self.severity_min
        if self.message_max and len(message) > self.message_max:
            message = message[: self.message_max]
        start = self.header.start(self.facility, severity, structured)
        excess = len(start) + len(message) - self.length_max
        if excess > 0:
            self.lines.append((start + message)[:-excess] + b"\n")
        else:
            self.lines.append(b"".join([start, message, b"\n"]))
        if len(self.lines) >= KEPT_MAX:
            self.send()

    def send(self) -> None:
        """Sends what is kept."""
        lines = self.lines
        if not lines:
            return
        self.lines = []
        sock = self.sock
        if sock is not None:
            self._burst(sock, lines)
        elif self.ring is not None:
            self.ring.add(lines)
        else:
            self._write(lines)

    def _burst(self, sock: socket.socket, lines: list[bytes]) -> None:
        descriptor = sock.fileno()
        if descriptor < 0:
            self.dropped += len(lines)  # closed at the end of the process
            return
        while lines:
            sent: int = send_each(descriptor, lines, self.packed)
            if sent == len(lines):
                return
            if not self._again(sock, lines[sent]):
                self.dropped += len(lines) - sent - 1
                return
            lines = lines[sent + 1 :]

    def _again(self, sock: socket.socket, line: bytes) -> bool:
        """Sends once more the line that failed, to see why it did; whether the ones behind it may fare better."""
        try:
            if self.address is None:
                sock.send(line)
            else:
                sock.sendto(line, self.address)
        except OSError as error:
            self.dropped += 1
            if error.errno in FULL:
                return True
            if self.config.kind == "udp" and error.errno == errno.ECONNREFUSED:
                return True  # it tells of the line before, and not at each port that nobody reads
            self._tell(error)
            return error.errno not in GONE
        return True

    def _write(self, lines: list[bytes]) -> None:
        stream = self.stream
        assert stream is not None
        try:
            self.dropped += stream.write(lines)
        except OSError as error:
            self.dropped += len(lines)
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self.was_reported:
            self.was_reported = True
            reason = error.strerror or str(error)
            self.report(f"log target {self.name()} : {reason}; from now on its lines are counted and not reported.")


def is_connected(config: model.LogTarget) -> bool:
    """Whether the target has a socket of its own that is connected to it: on the loopback, or where the socket was given."""
    return config.kind == "fd" or (config.kind == "udp" and (config.host.startswith("127.") or config.host == "::1"))


def given_socket(descriptor: int) -> socket.socket | None:
    """What `fd@N` is, where it is a connected socket that keeps the bounds of messages; None for a pipe, a file, a stream."""
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            return None
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    if sock.type == socket.SOCK_STREAM:
        sock.close()
        return None
    return sock


def tell_stderr(text: str) -> None:
    """A message to whoever started the process, where nobody said otherwise."""
    try:
        sys.stderr.write(f"[WARNING]  ({os.getpid()}) : {text}\n")
    except (OSError, ValueError):
        pass


class Syslog:
    """All targets of a configuration, each once however many proxies name it, and the burst at the end of a turn."""

    def __init__(
        self,
        tag: str,
        pid: int,
        loop: asyncio.AbstractEventLoop,
        report: Callable[[str], None] = tell_stderr,
        rings: tuple[model.Ring, ...] = (),
    ) -> None:
        self.tag = tag  # of the lines of proxies that have none of their own
        self.pid = pid
        self.loop = loop
        self.report = report
        self.rings: dict[str, Ring] = rings_of(rings)
        self.targets: dict[model.LogTarget, Target] = {}
        self.headers: dict[tuple[str, str, str], Header] = {}
        self.sockets: dict[int, socket.socket] = {}  # by family
        self.connected: list[socket.socket] = []
        self.is_due: bool = False

    def __repr__(self) -> str:
        return f"<Syslog {list(self.targets.values())!r}>"

    def target(self, config: model.LogTarget) -> Target:
        """The target of that line, opened at its first use."""
        found = self.targets.get(config)
        if found is None:
            ring = self.rings[config.path] if config.kind == "ring" else None
            found = Target(config, self._header(config), self._socket(config), ring, self.report)
            self.targets[config] = found
        return found

    def keep(self, targets: list[Target], severity: int, message: bytes, structured: bytes = b"") -> None:
        """Keeps a line for each target and has them sent when this turn of the loop ends."""
        for target in targets:
            target.keep(severity, message, structured)
        if not self.is_due:
            self.is_due = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Sends all that is kept."""
        self.is_due = False
        for target in self.targets.values():
            target.send()

    def dropped(self) -> int:
        """Lines that were lost, over all targets."""
        return sum([target.dropped for target in self.targets.values()])

    def close(self) -> None:
        """Sends the rest and closes the sockets; lines that come later are counted as lost."""
        self.flush()
        for sock in [*self.sockets.values(), *self.connected]:
            sock.close()

    def _header(self, config: model.LogTarget) -> Header:
        """The header of that format, tag and host: one for all targets that share them."""
        tag = config.tag or self.tag
        key = (config.format, tag, config.hostname)
        found = self.headers.get(key)
        if found is None:
            found = self.headers[key] = Header(config.format, tag, self.pid, config.hostname)
        return found

    def _socket(self, config: model.LogTarget) -> socket.socket | None:
        """The socket that datagrams go through, None where lines are written or remembered."""
        if config.kind == "fd":
            given = given_socket(config.port)
            if given is not None:
                self.connected.append(given)
            return given
        if config.kind not in ("udp", "unix"):
            return None
        family = int(socket.AF_UNIX)
        if config.kind == "udp":
            family = int(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
        if is_connected(config):
            own = datagram_socket(family)
            own.connect((config.host, config.port))
            self.connected.append(own)
            return own
        found = self.sockets.get(family)
        if found is None:
            found = self.sockets[family] = datagram_socket(family)
        return found


def datagram_socket(family: int) -> socket.socket:
    """A socket that never waits."""
    return socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
