"""Programs that a scenario starts: each on free ports of its own, each ended with the scenario.

Nothing here sleeps for a fixed time: `wait_until` asks again and again until what is awaited is there, and fails by name.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

# How the program under test is started: by module, so that the form that was imported by the tests is the one that runs.
BALANCER: Final[tuple[str, ...]] = (sys.executable, "-P", "-m", "balancer")

PAUSE_S: Final = 0.02

# The kernel's tables of sockets (proc(5)), its number of the state LISTEN, and the addresses on which 127.0.0.1 is heard, as it
# writes them: 127.0.0.1 in the machine's order, 0.0.0.0, ::.
TABLES: Final = ("/proc/net/tcp", "/proc/net/tcp6")
LISTEN: Final = "0A"
REACHED_LOCALLY: Final = (f"{int.from_bytes(socket.inet_aton('127.0.0.1'), sys.byteorder):08X}", "0" * 8, "0" * 32)


# The ports that outgoing connections get (ip(7)); those that a test may listen on; how many a process takes at once.
EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORTS: Final = range(10240, 65536)
BLOCK: Final = 64


def _own_ports() -> Iterator[int]:
    """Ports of this process alone, without end: each once, then from the beginning.

    A port that the system chooses is free in that moment only: it comes from the range of outgoing connections, and any of them
    may have it before the program that it was meant for listens there. These come from outside of that range, and from blocks
    that a process holds by the abstract name of a UNIX socket, for as long as it runs.
    """
    low, high = (int(word) for word in EPHEMERAL.read_text().split())
    blocks = [block for block in range(PORTS.start, PORTS.stop, BLOCK) if block > high or block + BLOCK <= low]
    random.shuffle(blocks)
    holders: list[socket.socket] = []
    own: list[int] = []
    for block in blocks:
        holder = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            holder.bind(f"\0balancer-tests-ports-{block}")
        except OSError:
            holder.close()
            continue
        holders.append(holder)
        ports = range(block, min(block + BLOCK, PORTS.stop))
        own.extend(ports)
        yield from ports
    assert own, f"no ports outside of {low} to {high}, those of outgoing connections, that no other test holds"
    while True:
        yield from own


_PORTS: Final = _own_ports()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody has, as the system says, and that nobody else gets before it is listened on."""
    for port in _PORTS:
        with closing(socket.socket()) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("there is always a next one")


def is_serving(port: int) -> bool:
    """Whether somebody listens on 127.0.0.1 there, as the kernel tells it.

    A connection that only looks would be a client like others: on a busy machine its line of the log, its place in a limit
    and its count in the statistics come while the test is under way already, and are taken for what the test did.
    """
    tables = [Path(path).read_text() for path in TABLES if Path(path).exists()]
    rows = [line.split() for table in tables for line in table.splitlines()[1:]]
    places = {(address, f"{port:04X}") for address in REACHED_LOCALLY}
    return any(row[3] == LISTEN and tuple(row[1].split(":")) in places for row in rows)


def wait_until(holds: Callable[[], bool], what: str, within_s: float = 15.0, tells: Callable[[], str] = str) -> None:
    """Returns as soon as the condition holds; fails with `what`, and what `tells` says by then, when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {within_s:.0f} s: {what} {tells()}")
        time.sleep(PAUSE_S)


class Program:
    """A running program with its output in a file; it leads a process group, which is ended as a whole."""

    def __init__(
        self,
        words: Sequence[str],
        output: Path,
        environ: Mapping[str, str],
        folder: Path | None,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        self.words = tuple(words)
        self.output = output
        with output.open("wb") as sink:
            self.process = subprocess.Popen(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environ},
                cwd=folder,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    def __repr__(self) -> str:
        return f"<Program {self.words[0]} pid={self.process.pid} status={self.process.poll()}>"

    def text(self) -> str:
        """What it has written so far."""
        return self.output.read_text(errors="backslashreplace")

    def has_ended(self) -> bool:
        """Whether the program itself has ended."""
        return self.process.poll() is not None

    def wait_for_port(self, port: int) -> None:
        """Waits until the port is served; fails with the output when the program ends before."""

        def is_there() -> bool:
            assert self.process.poll() is None, f"{self.words} ended with {self.process.returncode}:\n{self.text()}"
            return is_serving(port)

        wait_until(is_there, f"{self.words[0]} on port {port}", tells=self.text)

    def end(self) -> None:
        """Asks the group to stop, and makes it after five seconds."""
        for number, patience_s in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            if self.process.poll() is not None and not self._has_group():
                return
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                pass
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                continue

    def _has_group(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def running(
    words: Sequence[str],
    output: Path,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    pass_fds: tuple[int, ...] = (),
) -> Iterator[Program]:
    """The program for the length of a `with`."""
    program = Program(words, output, environ or {}, folder, pass_fds)
    try:
        yield program
    finally:
        program.end()
