"""Runs every test, each part on the forms it is meant for, and closes with one line of counts.

`python -P tests/everything.py [PART ...]` runs the named parts, or all of them; `--list` names them. The exit status is 0 only
if nothing failed; with REQUIRE_PEERS=1 a skip counts as a failure. The checkout's own `balancer` is never imported: each part
is run by the interpreter of the environment in which its form is installed.
"""

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
DEPLOYED: Final = ROOT / ".venv" / "bin" / "python"
PURE: Final = ROOT / ".venv-pure" / "bin" / "python"


@dataclass(frozen=True)
class Part:
    """One run of pytest: with which environment's interpreter, on what."""

    name: str
    python: Path
    words: tuple[str, ...]


# Thousands of scenarios with real programs on a machine that others use, too: four of a run may fail once and be tried again,
# each told at the end with its first failure. A fifth, or one that fails twice, is a failure. Unit tests have no excuse.
AGAIN: Final = ("--reruns", "1", "--max-suite-reruns", "4", "--rerun-show-tracebacks")

PARTS: Final[tuple[Part, ...]] = (
    Part("unit", DEPLOYED, ("tests/unit",)),
    Part("unit-pure", PURE, ("tests/unit",)),
    Part("scenarios", DEPLOYED, ("tests/scenarios", *AGAIN)),
    Part("scenarios-pure", PURE, ("tests/scenarios", "-m", "pure", *AGAIN)),
)

# pytest's exit statuses after which its report is whole: all passed, some failed.
REPORTED: Final = (0, 1)


@dataclass
class Tally:
    """What the parts have come to."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unstable: list[str] = field(default_factory=list)

    def add(self, report: Path) -> None:
        """Adds the tests of one JUnit file.

        An error while a test is set up or cleaned up is a failure. A fault that is known and expected counts as a skip: it is
        listed at the end, and does not pass where skips are forbidden. A test that stands there twice was tried again: the last
        time counts, and one that passes only then is told by name.
        """
        tried: dict[str, ElementTree.Element] = {}
        again: list[str] = []
        for case in ElementTree.parse(report).iter("testcase"):
            name = f"{case.get('classname')}::{case.get('name')}"
            if name in tried:
                again.append(name)
            tried[name] = case
        for name, case in tried.items():
            skip = case.find("skipped")
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif skip is not None:
                self.skipped += 1
                known = "a known fault, expected to fail: " if skip.get("type") == "pytest.xfail" else ""
                self.reasons[known + (skip.get("message") or "no reason given")] += 1
            else:
                self.passed += 1
                if name in again:
                    self.unstable.append(name)

    def closing_line(self) -> str:
        """The one line of counts."""
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(part: Part, folder: Path, tally: Tally) -> None:
    """Runs one part to its end and adds what came of it; a run that broke off is a failure, whatever it counted."""
    expected = "pure" if part.python == PURE else form_of(part.python)
    print(f"== {part.name} ({expected})", flush=True)
    report = folder / f"{part.name}.xml"
    command = [str(part.python), "-P", "-m", "pytest", "-q", f"--junitxml={report}", *part.words]
    begun_s = time.monotonic()
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "BALANCER_FORM": expected}, check=False).returncode
    print(f"== {part.name}: {time.monotonic() - begun_s:.0f} s", flush=True)
    failed_before = tally.failed
    if report.exists():
        tally.add(report)
    if status not in REPORTED or not report.exists():
        print(f"== {part.name}: pytest ended with status {status} and did not run its tests to the end", flush=True)
        tally.failed = max(tally.failed, failed_before + 1)


def form_of(python: Path) -> str:
    """The form that is installed beside that interpreter."""
    asked = subprocess.run(
        [str(python), "-P", "-c", "from balancer.form import form; print(form())"], cwd=ROOT, capture_output=True, text=True
    )
    if asked.returncode:
        sys.exit(f"nothing is installed for {python}: make test\n{asked.stderr}")
    return asked.stdout.strip()


def chosen_parts(words: list[str]) -> list[Part]:
    """The parts that the words name; those of an environment that the deployed form makes superfluous are left out."""
    unknown = set(words) - {part.name for part in PARTS}
    if unknown:
        sys.exit(f"no such part: {', '.join(sorted(unknown))} (known: {', '.join(part.name for part in PARTS)})")
    parts = [part for part in PARTS if not words or part.name in words]
    if form_of(DEPLOYED) == "pure":
        print("!! Nothing is compiled here (no compiler, or BALANCER_COMPILE=never): only the pure form is tested.")
        parts = [part for part in parts if part.python != PURE]
    return parts


def main(words: list[str]) -> int:
    """Runs the parts and returns the exit status."""
    if words == ["--list"]:
        print(*(part.name for part in PARTS), sep="\n")
        return 0
    tally = Tally()
    begun_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for part in chosen_parts(words):
            run(part, Path(folder), tally)
    is_skip_failure = bool(tally.skipped) and os.environ.get("REQUIRE_PEERS", "") not in ("", "0")
    print(f"== all: {time.monotonic() - begun_s:.0f} s")
    for reason, count in tally.reasons.most_common():
        print(f"!! SKIPPED {count}: {reason}")
    for name in tally.unstable:
        print(f"!! UNSTABLE: {name} failed first and passed when tried again; its failure stands above")
    if is_skip_failure:
        print("!! REQUIRE_PEERS=1: a skip is a failure")
    print(tally.closing_line(), flush=True)
    return 1 if tally.failed or is_skip_failure or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
