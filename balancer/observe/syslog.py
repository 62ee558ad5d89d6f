"""Log targets: lines are kept until the turn of the loop ends, then sent in one burst, and nothing here ever waits.

One unconnected non-blocking datagram socket per address family is opened before chroot; unix targets are sent to by path, as
seen inside the chroot, so that a syslog daemon that restarts is found again. A full buffer (EAGAIN) drops the line and counts
it; a refusal (ECONNREFUSED on UDP tells of an earlier datagram) is answered by sending the line once more. A target that
cannot be reached is reported once, and counted. Header, cut and line end are HAProxy 2.6's, octet for octet: the day padded
by a blank, no host name, `len` octets and then LF.

Measured per httplog line, compiled, formatting included, to a UDP target on loopback: 6.5 us where each line is sent alone
with a pause before it, 3.1 us back to back, 2.3 us in bursts of 16 and more (1.15 us of it make the line).
"""

import asyncio
import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

from balancer import model
from balancer.observe.stream import Stream

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Lines kept for a burst; beyond it they go out at once, so that memory stays bounded in a long turn.
KEPT_MAX: Final = 512
# The datagram that fits into one UDP packet over IPv4; a longer line is cut there, whatever `len` says.
DATAGRAM_MAX: Final = 65507
# Of a header: `<191>Nov 28 13:10:22`, and `<7>`.
PRIORITY_AND_DATE: Final = 20
SEVERITY: Final = 3
# What a full buffer says, of the socket's or the reader's: the line is dropped and nobody is told but the counter.
FULL: Final = (errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS)


class Target:
    """One `log` line of the file."""

    def __init__(
        self, config: model.LogTarget, header: "Header", sock: socket.socket | None, report: Callable[[str], None]
    ) -> None:
        self.config = config
        self.header = header
        self.report = report
        self.severity_max: int = config.severity_max
        self.severity_min: int = config.severity_min
        self.facility: int = config.facility
        self.format: str = config.format
        self.length_max: int = min(config.length_max, DATAGRAM_MAX - 1)
        self.lines: list[bytes] = []
        self.dropped: int = 0
        self.was_reported: bool = False
        self.sock = sock
        self.stream: Stream | None = None
        self.address: tuple[str, int] | str = config.path or (config.host, config.port)
        if config.kind == "stdout" or config.kind == "stderr":
            self.stream = Stream(1 if config.kind == "stdout" else 2)

    def __repr__(self) -> str:
        return f"<Target {self.name()} kept={len(self.lines)} dropped={self.dropped}>"

    def name(self) -> str:
        """Where lines go, for messages."""
        config = self.config
        return config.path or (f"{config.host}:{config.port}" if config.kind == "udp" else config.kind)

    def room(self) -> int:
        """How long a message may be that is not to be cut."""
        if self.format == "rfc3164":
            return self.length_max - PRIORITY_AND_DATE - len(self.header.source)
        return self.length_max - (SEVERITY if self.format == "short" else 0)

    def keep(self, severity: int, message: bytes, structured: bytes = b"") -> None:
        """Formats one line and keeps it for the burst; what the target does not want is left out.

        `structured` is the structured data of RFC 5424, for targets of that format.
        """
        if severity > self.severity_max:
            return
        if severity < self.severity_min:
            severity = self.severity_min
        if self.format == "rfc3164":
            start = self.header.start(self.facility * 8 + severity)
        elif self.format == "short":
            start = b"<%d>" % severity
        else:
            start = b""
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
        if sock is None:
            self._write(lines)
            return
        for line in lines:
            try:
                sock.sendto(line, self.address)
            except OSError as error:
                self._failed(sock, line, error)

    def _failed(self, sock: socket.socket, line: bytes, error: OSError) -> None:
        if error.errno == errno.ECONNREFUSED and self.config.kind == "udp":
            try:
                sock.sendto(line, self.address)
            except OSError:
                self.dropped += 1
            return
        self.dropped += 1
        if error.errno not in FULL:
            self._tell(error)

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


class Header:
    """What stands between the priority and the message, `Mon dd hh:mm:ss tag[pid]: `, rendered once a second."""

    def __init__(self, tag: str, pid: int) -> None:
        self.source: bytes = f" {tag}[{pid}]: ".encode("utf-8", "replace")
        self.second: int = -1
        self.rendered: bytes = b""
        self.starts: dict[int, bytes] = {}  # with their priorities

    def start(self, priority: int) -> bytes:
        """How a line of that priority begins in this second."""
        text = self.text()
        found = self.starts.get(priority)
        if found is None:
            found = self.starts[priority] = b"<%d>%s" % (priority, text)
        return found

    def text(self) -> bytes:
        """The header of this second, local time."""
        second = int(time.time())
        if second != self.second:
            self.second = second
            self.starts = {}
            now = time.localtime(second)
            clock = f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
            self.rendered = f"{MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {clock}".encode() + self.source
        return self.rendered


def tell_stderr(text: str) -> None:
    """A message to whoever started the process, where nobody said otherwise."""
    try:
        sys.stderr.write(f"[WARNING]  ({os.getpid()}) : {text}\n")
    except (OSError, ValueError):
        pass


class Syslog:
    """All targets of a configuration, each once however many proxies name it, and the burst at the end of a turn."""

    def __init__(
        self, tag: str, pid: int, loop: asyncio.AbstractEventLoop, report: Callable[[str], None] = tell_stderr
    ) -> None:
        self.header = Header(tag, pid)
        self.loop = loop
        self.report = report
        self.targets: dict[model.LogTarget, Target] = {}
        self.sockets: dict[int, socket.socket] = {}
        self.is_due: bool = False

    def __repr__(self) -> str:
        return f"<Syslog {list(self.targets.values())!r}>"

    def target(self, config: model.LogTarget) -> Target:
        """The target of that line, opened at its first use."""
        found = self.targets.get(config)
        if found is None:
            found = Target(config, self.header, self._socket(config), self.report)
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
        for sock in self.sockets.values():
            sock.close()

    def _socket(self, config: model.LogTarget) -> socket.socket | None:
        """The socket of the target's family, None for a standard stream."""
        if config.kind == "stdout" or config.kind == "stderr":
            return None
        family = int(socket.AF_UNIX)
        if config.kind == "udp":
            family = int(socket.AF_INET6 if ":" in config.host else socket.AF_INET)
        found = self.sockets.get(family)
        if found is None:
            found = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            self.sockets[family] = found
        return found
