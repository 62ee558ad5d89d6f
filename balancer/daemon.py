"""Going to the background, the pid file, and what systemd wants to hear.

The process that was started waits until the daemon serves and then exits 0, or exits with the daemon's status if that one
fails to start: whoever started it knows. The daemon is a grandchild in a session of its own (it cannot get a terminal
back); its messages reach the terminal until it serves, then its standard streams lead to /dev/null. The pid file is opened
before and written by the daemon itself, before chroot; it stays behind at the end, and a new start replaces it.
"""

import os
import socket
from collections.abc import Mapping
from typing import NoReturn

STATUS_LOST = 1  # the daemon died without a word


# What the daemon may send to its starter beside an exit status.
ANNOUNCE = 255


class Starter:
    """The daemon's line to the process that was started: one octet, its exit status, and before it perhaps its pid."""

    def __init__(self, line: socket.socket, null: int) -> None:
        self.line: socket.socket | None = line
        self.null = null

    def tell(self, status: int) -> None:
        """Lets the waiting process exit with `status`; only the first call is heard."""
        if self.line is None:
            return
        try:
            self.line.send(bytes([status]))
        except OSError:
            pass  # nobody waits any more
        self.line.close()
        self.line = None

    def announce(self, pid: int) -> None:
        """Has the waiting process tell systemd that this is the main process now, and returns when that is done.

        The starter is what systemd runs to reload, so it is believed; the daemon is nobody's yet (NotifyAccess=exec).
        From then on systemd hears no more of the predecessor, whose last word would be STOPPING=1.
        """
        if self.line is None:
            return
        try:
            self.line.send(bytes([ANNOUNCE]) + pid.to_bytes(4, "big"))
            self.line.recv(1)
        except OSError:
            pass  # nobody waits any more

    def leave_terminal(self) -> None:
        """Leads the three standard streams to /dev/null, which was opened before chroot."""
        for standard in (0, 1, 2):
            os.dup2(self.null, standard)
        os.close(self.null)


def go_to_background(notifier: "Notifier") -> Starter:
    """Returns in the daemon only. The process that was started waits in here and exits with what the daemon tells."""
    waiting, line = socket.socketpair()
    null = os.open("/dev/null", os.O_RDWR)
    child = os.fork()
    if child:
        line.close()
        os.waitpid(child, 0)
        _wait_and_exit(waiting, notifier)
    waiting.close()
    os.setsid()
    if os.fork():
        os._exit(0)
    return Starter(line, null)


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


def notifier_of(environ: Mapping[str, str]) -> "Notifier":
    """The one that the supervisor's variables ask for. A watchdog without a whole number is none."""
    microseconds = environ.get("WATCHDOG_USEC", "")
    watchdog_s = int(microseconds) / 1e6 if microseconds.isascii() and microseconds.isdigit() else 0.0
    return Notifier(environ.get("NOTIFY_SOCKET", ""), watchdog_s)


class Notifier:
    """Tells systemd (sd_notify(3)) over the datagram socket that it named in NOTIFY_SOCKET; without one it does nothing.

    The socket is connected before chroot, since its path lies outside. With a watchdog (WATCHDOG_USEC), systemd wants to hear
    every so often that the process is alive: `watchdog_s`, 0 for no watchdog.
    """

    def __init__(self, address: str, watchdog_s: float = 0.0) -> None:
        self.socket: socket.socket | None = None
        self.watchdog_s = watchdog_s
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


def _wait_and_exit(waiting: socket.socket, notifier: Notifier) -> NoReturn:
    while True:
        told = waiting.recv(5)
        if told[:1] != bytes([ANNOUNCE]):
            os._exit(told[0] if told else STATUS_LOST)
        notifier.tell(f"MAINPID={int.from_bytes(told[1:], 'big')}")
        waiting.send(told[:1])
