"""Programs that a scenario starts: each on ports that the system gives, each ended with the scenario.

Nothing here sleeps for a fixed time: `wait_until` asks again and again until what is awaited is there, and fails by name.
"""

import os
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


_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """A port on 127.0.0.1 that nobody listens on now; never one that it has given before, which may not be bound yet."""
    while True:
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port not in _GIVEN:
            _GIVEN.add(port)
            return port


def is_serving(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody takes a connection there."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((host, port)) == 0


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
