"""Interleaved rounds: A B C A B C ..., so that a machine whose speed drifts drifts for all alike.

The figure is CPU time per request of the proxy's process, from the kernel's accounting; ratios are taken pair by pair within a
round, and their median is what counts.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import generator
from benchmarks.contestants import CONTESTANTS, REFERENCE, Running, running
from benchmarks.load import percentile

SERVER_COUNT: Final = 10
WARM_UP_S: Final = 0.3


@dataclass(frozen=True)
class Scenario:
    """What is asked of every contestant."""

    name: str
    text: str
    connections: int
    closes: bool


SCENARIOS: Final[tuple[Scenario, ...]] = (
    Scenario("keepalive", "small GET on kept connections, a browser's 14 lines, sticky", 64, False),
    Scenario("connect-close", "connect, one request, close: the way Apache comes", 16, True),
)


@dataclass(frozen=True)
class Figures:
    """One contestant in one round."""

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    resident_kib: int
    failed: int


@dataclass
class Series:
    """One contestant over all rounds of a scenario."""

    name: str
    rounds: list[Figures] = field(default_factory=list)

    def median(self, figure: str) -> float:
        """The median of one figure."""
        return statistics.median(float(getattr(each, figure)) for each in self.rounds)

    def spread(self, figure: str) -> tuple[float, float]:
        """Least and greatest of one figure."""
        values = [float(getattr(each, figure)) for each in self.rounds]
        return min(values), max(values)


@dataclass
class Outcome:
    """All of a run."""

    machine: dict[str, str]
    settings: dict[str, Any]
    scenarios: dict[str, list[Series]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def ratios(series: Series, reference: Series) -> list[float]:
    """CPU per request against the reference's, round by round."""
    return [mine.cpu_us / theirs.cpu_us for mine, theirs in zip(series.rounds, reference.rounds, strict=True) if theirs.cpu_us]


def reference_of(all_series: list[Series]) -> Series | None:
    """The series of HAProxy, None where it is not installed."""
    return next((series for series in all_series if series.name == REFERENCE), None)


def cores() -> tuple[set[int], set[int]]:
    """One core for the proxy, the others for everything else; where there is only one it is shared."""
    own = sorted(os.sched_getaffinity(0))
    return ({own[0]}, set(own[1:])) if len(own) > 1 else ({own[0]}, {own[0]})


@contextmanager
def farm(on_cores: set[int]) -> Iterator[tuple[list[int], int]]:
    """The servers and the log's sink; gives their ports."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.farm", str(SERVER_COUNT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[1],
    )
    try:
        os.sched_setaffinity(process.pid, on_cores)
        assert process.stdout is not None
        ports = [int(word) for word in process.stdout.readline().split()]
        yield ports[:-1], ports[-1]
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.terminate()
        process.wait()


def measure(contestant: Running, scenario: Scenario, seconds: float) -> Figures:
    """One contestant, one round."""
    before_s = contestant.cpu_s()
    result = generator.drive(contestant.port, scenario.connections, seconds, scenario.closes)
    used_s = contestant.cpu_s() - before_s
    ordered = sorted(result.latencies_s)
    return Figures(
        cpu_us=used_s * 1e6 / max(1, result.completed),
        rate=result.completed / result.seconds,
        p50_ms=percentile(ordered, 0.5) * 1000.0,
        p99_ms=percentile(ordered, 0.99) * 1000.0,
        resident_kib=contestant.resident_kib(),
        failed=result.failed,
    )


def run(names: list[str], round_count: int, seconds: float, step: Callable[[str], None]) -> Outcome:
    """Measures the scenarios of these names. `step` is told each measurement that begins."""
    proxy_cores, other_cores = cores()
    os.sched_setaffinity(0, other_cores)
    present = [contestant for contestant in CONTESTANTS if contestant.is_there()]
    outcome = Outcome(machine(), {"rounds": round_count, "seconds": seconds, "proxy_cores": sorted(proxy_cores)}, {})
    with tempfile.TemporaryDirectory() as name, farm(other_cores) as (servers, sink), ExitStack() as stack:
        started = [
            stack.enter_context(running(contestant, servers, sink, Path(name), proxy_cores)) for contestant in present
        ]
        for scenario in SCENARIOS:
            if scenario.name not in names:
                continue
            all_series = [Series(each.contestant.name) for each in started]
            for each in started:
                generator.drive(each.port, scenario.connections, WARM_UP_S, scenario.closes)
            for number in range(round_count):
                for each, series in zip(started, all_series, strict=True):
                    step(f"{scenario.name} round {number + 1}/{round_count}: {series.name}")
                    series.rounds.append(measure(each, scenario, seconds))
            outcome.scenarios[scenario.name] = all_series
    return outcome


def machine() -> dict[str, str]:
    """What the figures depend on."""
    return {
        "kernel": platform.release(),
        "python": platform.python_version(),
        "processors": str(os.cpu_count()),
        "congestion control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text(encoding="ascii").strip(),
        **{each.name: _version(each.command) for each in CONTESTANTS if each.is_there()},
    }


def _version(command: tuple[str, ...]) -> str:
    said = subprocess.run([*command, "-vv"], capture_output=True, text=True, check=False, timeout=30).stdout.splitlines()
    form = next((line for line in said if line.startswith("Form:")), "")
    return " ".join([said[0] if said else "?", form]).strip()
