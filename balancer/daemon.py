"""Going to the background, the pid file, and what systemd wants to hear.

The process that was started waits until the daemon serves and then exits 0, or exits with the daemon's status if that one
fails to start: whoever started it knows. The daemon is a grandchild in a session of its own (it cannot get a terminal
back); its messages reach the terminal until it serves, then its standard streams lead to /dev/null. The pid file is opened
before and written by the daemon itself, before chroot; it stays behind at the end, and a new start replaces it.
"""

import os
import socket
from typing import NoReturn

STATUS_LOST = 1  # the daemon died without a word


class Starter:
    """The daemon's line to the process that was started: one octet, its exit status."""

    def __init__(self, descriptor: int, null: int) -> None:
        self.descriptor = descriptor
        self.null = null

    def tell(self, status: int) -> None:
        """Lets the waiting process exit with `status`; only the first call is heard."""
        if self.descriptor == -1:
            return
        try:
            os.write(self.descriptor, bytes([status]))
        except OSError:
            pass  # nobody waits any more
        os.close(self.descriptor)
        self.descriptor = -1

    def leave_terminal(self) -> None:
        """Leads the three standard streams to /dev/null, which was opened before chroot."""
        for standard in (0, 1, 2):
            os.dup2(self.null, standard)
        os.close(self.null)


def go_to_background() -> Starter:
    """Returns in the daemon only. The process that was started waits in here and exits with what the daemon tells."""
    reader, writer = os.pipe()
    null = os.open("/dev/null", os.O_RDWR)
    child = os.fork()
    if child:
        os.close(writer)
        os.waitpid(child, 0)
        _wait_and_exit(reader)
    os.close(reader)
    os.setsid()
    if os.fork():
        os._exit(0)
    return Starter(writer, null)


def open_pidfile(path: str) -> int:
    """Makes the file anew and gives its descriptor. What was there, a link too, is removed and not followed."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)


def write_pid(descriptor: int, pid: int) -> None:
    """Writes the one line of the pid file and closes it."""
    os.write(descriptor, b"%d\n" % pid)
    os.close(descriptor)


class Notifier:
    """Tells systemd (sd_notify(3)) over the datagram socket that it named in NOTIFY_SOCKET; without one it does nothing.

    The socket is connected before chroot, since its path lies outside.
    """

    def __init__(self, address: str) -> None:
        self.socket: socket.socket | None = None
        if not address:
            return
        if address.startswith("@"):
            address = "\0" + address[1:]
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            connected.connect(address)
        except OSError:
            connected.close()
            return
        self.socket = connected

    def tell(self, text: str) -> None:
        """Sends one state; a supervisor that is gone is no reason to stop."""
        if self.socket is None:
            return
        try:
            self.socket.send(text.encode("ascii"))
        except OSError:
            pass


def _wait_and_exit(reader: int) -> NoReturn:
    told = os.read(reader, 1)
    os._exit(told[0] if told else STATUS_LOST)
