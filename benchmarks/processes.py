"""Programs that a benchmark starts: pinned, counted by the kernel, and ended by their pid.

A program is a process of its own session, so that Ctrl-C reaches the benchmark alone, which then ends what it started; it ends
with its parent, too, should that be killed. Figures are sums over the process and its descendants.
"""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Final

START_PATIENCE_S: Final = 20.0
END_PATIENCE_S: Final = 5.0
PAUSE_S: Final = 0.02

# prctl(2): the signal that a process gets when its parent ends.
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def cores() -> tuple[set[int], set[int]]:
    """One core for the proxy, the others for everything else; where there is only one it is shared."""
    own = sorted(os.sched_getaffinity(0))
    return ({own[0]}, set(own[1:])) if len(own) > 1 else ({own[0]}, {own[0]})


def free_port(host: str = "127.0.0.1") -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Program:
    """One program that was started; a `with` ends it."""

    def __init__(
        self, name: str, words: Sequence[str], folder: Path, on_cores: Iterable[int], *, has_pipes: bool = False
    ) -> None:
        self.name = name
        self.output = folder / f"{name.replace(' ', '-')}.out"
        self.chosen_cores = set(on_cores)
        with self.output.open("wb") as log:
            self.process: subprocess.Popen[bytes] = subprocess.Popen(
                list(words),
                stdin=subprocess.PIPE if has_pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if has_pipes else log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
                preexec_fn=_prepared(self.chosen_cores),
            )

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.end()

    def __repr__(self) -> str:
        return f"<Program {self.name} pid={self.process.pid} status={self.process.poll()}>"

    def said(self) -> str:
        """What it wrote, for messages."""
        return self.output.read_text(errors="replace")

    def pids(self) -> list[int]:
        """The process and its descendants."""
        found = [self.process.pid]
        for pid in found:
            try:
                for thread in os.listdir(f"/proc/{pid}/task"):
                    found += [int(word) for word in _text(f"/proc/{pid}/task/{thread}/children").split()]
            except OSError:
                continue
        return found

    def cpu_s(self) -> float:
        """Time on the processor so far over all threads, in seconds: the kernel's own nanoseconds.

        /proc/PID/stat counts the same in ticks of 10 ms, too coarse for a round of a second.
        """
        total_ns = 0
        for pid in self.pids():
            for thread in os.listdir(f"/proc/{pid}/task"):
                total_ns += int(_text(f"/proc/{pid}/task/{thread}/schedstat").split()[0])
        return total_ns / 1e9

    def resident_kib(self) -> int:
        """Resident memory."""
        lines = (line for pid in self.pids() for line in _text(f"/proc/{pid}/status").splitlines())
        return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def line(self) -> str:
        """The next line of its standard output; fails with what it said when there is none."""
        line = _pipe(self.process.stdout).readline()
        if not line:
            self.process.wait(END_PATIENCE_S)
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()}")
        return line.decode("utf-8")

    def ask(self) -> None:
        """Sends it an empty line, to which it answers with one of its own."""
        pipe = _pipe(self.process.stdin)
        pipe.write(b"\n")
        pipe.flush()

    def release(self) -> None:
        """Ends its standard input, for which it may wait."""
        _pipe(self.process.stdin).close()

    def wait_for_port(self, port: int, host: str = "127.0.0.1") -> None:
        """Returns when the port takes connections; fails with what the program said when it does not."""

        def is_there() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex((host, port)) == 0

        deadline_s = time.monotonic() + START_PATIENCE_S
        while not is_there():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()}")
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.name} does not listen on {host}:{port}: {self.said()}")
            time.sleep(PAUSE_S)

    def end(self) -> None:
        """Asks it to stop, and makes it when it does not; its descendants end with it."""
        family = self.pids()
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                try:
                    self.process.wait(END_PATIENCE_S)
                except subprocess.TimeoutExpired:
                    continue
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        for pid in family[1:]:
            if _parent_of(pid) == self.process.pid:
                os.kill(pid, signal.SIGKILL)


def _prepared(on_cores: set[int]) -> Callable[[], None]:
    def prepare() -> None:
        os.sched_setaffinity(0, on_cores)
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the program was started without pipes"
    return pipe


def _text(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _parent_of(pid: int) -> int:
    try:
        return int(_text(f"/proc/{pid}/stat").rpartition(")")[2].split()[1])
    except OSError:
        return 0
