"""What a run gives: figures by round, and what is made of them. Kept as JSON, read back for a comparison.

A ratio is taken pair by pair within a round, and the median of these counts: a machine whose speed drifts drifts for both.
"""

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

# The figures of which the less is the better, with their headings.
HEADINGS: Final = {
    "cpu_us": "CPU us",
    "p99_ms": "p99 ms",
    "octets_per_connection": "octets",
}


@dataclass(frozen=True)
class Figures:
    """One contestant in one round. `late_p99_ms` is how late the load itself was, where it keeps a rate."""

    cpu_us: float
    rate: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    resident_kib: int
    failed: int
    octets_per_connection: float = 0.0
    late_p99_ms: float = 0.0


@dataclass
class Series:
    """One contestant over all rounds of a scenario."""

    name: str
    rounds: list[Figures] = field(default_factory=list)

    def values(self, figure: str) -> list[float]:
        """One figure, round by round."""
        return [float(getattr(each, figure)) for each in self.rounds]

    def median(self, figure: str) -> float:
        """The median of one figure."""
        return statistics.median(self.values(figure)) if self.rounds else 0.0

    def spread(self, figure: str) -> tuple[float, float]:
        """Least and greatest of one figure."""
        values = self.values(figure)
        return min(values), max(values)


@dataclass
class Measured:
    """One scenario: what it was, and every contestant's series."""

    name: str
    text: str
    unit: str
    figure: str
    family: str
    point: int
    load: str
    servers: str
    settings: dict[str, Any]
    all_series: list[Series]

    def series(self, name: str) -> Series | None:
        """The series of one contestant, None where it was left out."""
        return next((series for series in self.all_series if series.name == name and series.rounds), None)

    def ratios(self, of: str, to: str) -> list[float]:
        """One contestant's figure to another's, round by round; empty where one was left out."""
        mine, theirs = self.series(of), self.series(to)
        if mine is None or theirs is None:
            return []
        pairs = zip(mine.values(self.figure), theirs.values(self.figure), strict=True)
        return [one / other for one, other in pairs if other > 0.0]

    def ratio(self, of: str, to: str) -> float | None:
        """The median of these."""
        ratios = self.ratios(of, to)
        return statistics.median(ratios) if ratios else None


@dataclass
class Outcome:
    """All of a run."""

    machine: dict[str, str]
    settings: dict[str, Any]
    contestants: dict[str, str]
    scenarios: list[Measured] = field(default_factory=list)

    def scenario(self, name: str) -> Measured | None:
        """One scenario, None where it was not measured."""
        return next((each for each in self.scenarios if each.name == name), None)

    def growths(self, family: str, lesser: int, greater: int, of: str) -> list[float]:
        """One contestant's CPU time at the greater point over that at the lesser one, round by round; empty without one."""
        pair = [self.scenario(f"{family}-{point}") for point in (lesser, greater)]
        less, more = (each.series(of) if each else None for each in pair)
        if less is None or more is None:
            return []
        values = zip(more.values("cpu_us"), less.values("cpu_us"), strict=True)
        return [grown / small for grown, small in values if small > 0.0]

    def write(self, path: Path) -> None:
        """As JSON."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> Outcome:
    """A run that was written earlier."""
    words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    scenarios = [
        Measured(**{**each, "all_series": [_series(series) for series in each["all_series"]]}) for each in words["scenarios"]
    ]
    return Outcome(words["machine"], words["settings"], words["contestants"], scenarios)


def _series(words: dict[str, Any]) -> Series:
    return Series(words["name"], [Figures(**each) for each in words["rounds"]])
