"""Standard output, standard error or another descriptor (`fd@N`) as a log target: whole lines, in order, no wait for readers.

A pipe or a terminal is opened once more through /proc, before chroot: so it can be made non-blocking for us alone, and not for
the shell and the processes that share it. A socket (systemd's journal) is sent to without waiting. Where neither is possible,
a write of at most PIPE_BUF octets follows a poll that promises room for it. A file is simply written. Lines that find no room
are dropped; of a line that was cut by a full pipe the rest goes out before anything else, so the next one is never garbled.
"""

import os
import select
import socket
import stat
from typing import Final

# How octets get out without a wait.
DIRECT: Final = 0  # write(2) does not wait
SENT: Final = 1  # a socket
POLLED: Final = 2  # a descriptor that others share, and that waits

PIPE_BUF: Final = 4096  # a pipe that is writable at all has room for so many octets (pipe(7))


class Stream:
    """One descriptor, for the life of the process."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor: int = descriptor
        self.way: int = DIRECT
        self.sock: socket.socket | None = None
        self.rest: bytes = b""
        self._open(descriptor)

    def __repr__(self) -> str:
        return f"<Stream {self.descriptor} way={self.way} rest={len(self.rest)}>"

    def write(self, lines: list[bytes]) -> int:
        """Writes lines, each with its LF; returns how many were dropped for want of room. Raises OSError when nobody reads."""
        old = len(self.rest)
        text = self.rest + b"".join(lines)
        written = self._put(text)
        if written == len(text):
            self.rest = b""
            return 0
        if written < old:
            self.rest = self.rest[written:]
            return len(lines)
        end = written
        if written > old and text[written - 1] != 10:
            end = text.find(b"\n", written) + 1
        self.rest = text[written:end]
        return text.count(b"\n", end)

    def _open(self, descriptor: int) -> None:
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            self.descriptor = -1  # closed: each write tells, whatever has that number later
            return
        if stat.S_ISSOCK(mode):
            self.way = SENT
            self.sock = socket.socket(fileno=os.dup(descriptor))
        elif stat.S_ISFIFO(mode) or os.isatty(descriptor):
            try:
                self.descriptor = os.open(
                    f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
                )
            except OSError:
                # No /proc, or made by another user: the descriptor itself must do.
                self.way = POLLED

    def _put(self, text: bytes) -> int:
        """How many octets went out before the room ended."""
        if self.way == POLLED:
            return self._put_polled(text)
        try:
            if self.sock is not None:
                return self.sock.send(text, socket.MSG_DONTWAIT)
            return os.write(self.descriptor, text)
        except BlockingIOError:
            return 0

    def _put_polled(self, text: bytes) -> int:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        written = 0
        while written < len(text) and poll.poll(0):
            written += os.write(self.descriptor, text[written : written + PIPE_BUF])
        return written
