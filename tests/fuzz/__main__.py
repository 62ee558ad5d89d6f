"""`python -m fuzz --seconds N [--seed S] [--keep]` searches for cases that break a rule of `oracle`, and prints figures.

Cases are made anew, or by changing one of the pool: the corpus, and what the run has found worth keeping. On the interpreted
form a case is worth keeping if it reached a line of the proxy, or a jump between two, that none before it did; on the compiled
form, where lines cannot be watched, now and then one that was taken. A case that fails is made smaller as long as it still
fails, written into the corpus (`failed-...`), and named; the exit status is then 1. With `--keep` those that reached new lines
are written, too (`reached-...`).
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random, SystemRandom
from types import FrameType
from typing import Any, Final

import balancer
from balancer.form import form
from fuzz import cases, grammar, mutate, oracle
from fuzz.cases import Case
from fuzz.passage import Fault

PACKAGE: Final = Path(balancer.__file__).parent
WATCHED: Final = (str(PACKAGE / "http"), str(PACKAGE / "proxy"))  # whose lines are worth reaching
POOL_MAX: Final = 20000
FAILURES_MAX: Final = 20  # then it is clear enough
REPORT_S: Final = 60.0
SHRINK_TRIES_MAX: Final = 3000
NEW_SHARE: Final = 0.3  # of the cases: made anew
COUNT_BITS_MAX: Final = 7  # beyond 64 times is often
KEPT_SHARE: Final = 0.02  # of what was taken, where lines cannot be watched


class Reach:
    """Which jumps from line to line the cases have reached, and about how often in one case."""

    def __init__(self) -> None:
        self.seen: set[tuple[tuple[str, int, int], int]] = set()
        self.counts: Counter[tuple[str, int, int]] = Counter()
        self.before: dict[int, int] = {}

    def watch(self, work: Callable[[], object]) -> int:
        """How many jumps `work` reached for the first time, or for the first time so often."""
        self.counts.clear()
        sys.settrace(self._call)
        try:
            work()
        finally:
            sys.settrace(None)
        self.before.clear()
        reached = {(jump, min(count.bit_length(), COUNT_BITS_MAX)) for jump, count in self.counts.items()}
        fresh = len(reached - self.seen)
        self.seen |= reached
        return fresh

    def jumps(self) -> int:
        """How many jumps were ever reached."""
        return len({jump for jump, _ in self.seen})

    def _call(self, frame: FrameType, event: str, argument: Any) -> Any:
        return self._line if frame.f_code.co_filename.startswith(WATCHED) else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            line = frame.f_lineno
            self.counts[frame.f_code.co_filename, self.before.get(id(frame), 0), line] += 1
            self.before[id(frame)] = line
        elif event == "return":
            self.before.pop(id(frame), None)
        return self._line


@dataclass
class Run:
    """One search."""

    dice: Random
    keeps: bool
    pool: list[Case] = field(default_factory=list)
    reach: Reach | None = None
    executions: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    failures: list[Path] = field(default_factory=list)
    kept: int = 0

    def search(self, seconds: float) -> None:
        """Tries cases for so long, first those of the corpus."""
        begun_s = time.monotonic()
        reported_s = begun_s
        corpus = cases.corpus()
        for name, case in corpus:
            self.attempt(case, name)
        while (now_s := time.monotonic()) < begun_s + seconds and len(self.failures) < FAILURES_MAX:
            self.attempt(self.next_case())
            if now_s - reported_s >= REPORT_S:
                reported_s = now_s
                sys.stdout.write(f"  {self.figures(now_s - begun_s)}\n")
                sys.stdout.flush()
        sys.stdout.write(f"fuzz ({form()}): {self.figures(time.monotonic() - begun_s)}\n")
        sys.stdout.write(f"corpus: {len(corpus)} files, {self.kept} added\n")
        for path in self.failures:
            sys.stdout.write(f"!! FAILED {path}\n")

    def next_case(self) -> Case:
        """A new case, or a change to one of the pool."""
        if not self.pool or self.dice.random() < NEW_SHARE:
            return grammar.new_case(self.dice)
        return mutate.mutated(self.dice.choice(self.pool), self.pool, self.dice)

    def attempt(self, case: Case, file: str = "") -> None:
        """Judges one case, of the corpus if it has a file's name, and keeps it where it is worth keeping."""
        self.executions += 1
        sizes = [self.dice.choice((1, 2, 3, 5, 17, 64)) for _ in range(4)]
        fresh = 0
        try:
            if self.reach is not None:
                fresh = self.reach.watch(lambda: oracle.send(case, sizes))
            self.verdicts[verdict(case, sizes)] += 1
        except Fault as fault:
            self.failed(case, sizes, fault, file)
            return
        is_kept = fresh > 0 if self.reach is not None else self.dice.random() < KEPT_SHARE
        if file or (is_kept and len(self.pool) < POOL_MAX):
            self.pool.append(case)
        if fresh and self.keeps and not file:
            cases.keep(case, "reached")
            self.kept += 1

    def failed(self, case: Case, sizes: list[int], fault: Fault, file: str) -> None:
        """Names a failing case, and writes a smaller one that fails, too."""
        sys.stdout.write(f"!! {fault}\n")
        if file:
            self.failures.append(cases.CORPUS / file)
            return
        smaller = shrunk(case, lambda each: fails(each, sizes))
        self.failures.append(cases.keep(smaller, "failed"))
        sys.stdout.write(f"   {smaller!r}\n")
        self.kept += 1

    def figures(self, seconds: float) -> str:
        """One line."""
        rate = self.executions / seconds
        reached = f", {self.reach.jumps()} jumps reached" if self.reach is not None else ""
        verdicts = ", ".join(f"{count} {word}" for word, count in sorted(self.verdicts.items()))
        return (
            f"{self.executions} executions in {seconds:.0f} s ({rate:.0f}/s): {verdicts}; pool {len(self.pool)}{reached}; "
            f"{len(self.failures)} failures"
        )


def verdict(case: Case, sizes: list[int]) -> str:
    """In a word what came of it. A `Fault` for everything that must not be, an exception of the product included."""
    try:
        word, _ = oracle.judge(case, sizes)
        return f"{case.side} {'refused' if word in ('0', 'refused') else 'taken'}"
    except Fault:
        raise
    except Exception as error:
        raise Fault(f"{type(error).__name__}: {error}") from error


def fails(case: Case, sizes: list[int]) -> bool:
    """Whether the case breaks a rule."""
    try:
        verdict(case, sizes)
    except Fault:
        return True
    return False


def shrunk(case: Case, is_wanted: Callable[[Case], bool]) -> Case:
    """The case with as many octets cut out as may be while it is still wanted."""
    size = len(case.octets) // 2
    tries = 0
    while size:
        at = 0
        while at < len(case.octets) and tries < SHRINK_TRIES_MAX:
            tries += 1
            smaller = case.with_octets(case.octets[:at] + case.octets[at + size :])
            if is_wanted(smaller):
                case = smaller
            else:
                at += size
        size //= 2
    return case


def main() -> int:
    """Runs a search and returns the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz", description="differential fuzzing of the HTTP/1.1 path")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=SystemRandom().randrange(1 << 32))
    parser.add_argument("--keep", action="store_true", help="write cases that reach new lines into the corpus")
    words = parser.parse_args()
    sys.stdout.write(f"fuzz ({form()}): {words.seconds:.0f} s, seed {words.seed}\n")
    sys.stdout.flush()
    run = Run(Random(words.seed), words.keep, reach=None if form() == "compiled" else Reach())
    run.search(words.seconds)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
