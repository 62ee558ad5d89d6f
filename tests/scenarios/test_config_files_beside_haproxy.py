"""Configuration files read by both programs: the same verdict, and errors in the same lines."""

import os
import re
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from config_cases import CASES, DIFFERENCES, ERROR, NO_LISTENER, SAME, VALID, Case, Difference
from config_files import told

from balancer import config

PLACED: Final = re.compile(r"^\[ALERT\] .*?\[(\S+?):(\d+)\] ?:", re.MULTILINE)
# For both programs the same, so that a line can ask for what is there and for what is not.
ENVIRONMENT: Final = {"PATH": os.environ.get("PATH", ""), "HOME": "/nonexistent"}

Lines = set[tuple[str, int]]


def written(directory: Path, texts: Sequence[str]) -> list[str]:
    paths = [directory / f"test{number if number > 1 else ''}.cfg" for number in range(1, len(texts) + 1)]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return [str(path) for path in paths]


def haproxys(program: str, paths: Sequence[str]) -> tuple[int, Lines, str]:
    """The verdict of `-c`, where it places its errors, and all that it says."""
    words = [word for path in paths for word in ("-f", path)]
    done = subprocess.run([program, "-c", *words], capture_output=True, env=ENVIRONMENT, timeout=30, check=False)
    said = done.stderr.decode("utf-8", "replace")
    lines = {(Path(match[1]).name, int(match[2])) for match in PLACED.finditer(said)}
    return done.returncode, lines if done.returncode == ERROR else set(), said


def ours(paths: Sequence[str]) -> tuple[int, Lines, list[str]]:
    outcome = config.load(paths, environment=ENVIRONMENT)
    placed = (finding.origin for finding in outcome.findings if finding.level == config.ALERT and finding.origin is not None)
    lines = {(Path(origin.file).name, origin.line) for origin in placed}
    verdict = ERROR if outcome.model is None else VALID if outcome.has_listener else NO_LISTENER
    return verdict, lines, told(outcome)


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_verdict_and_lines_are_haproxys(tmp_path: Path, require_peer: Callable[[str], str], case: Case) -> None:
    program = require_peer("haproxy")
    paths = written(tmp_path, (case.text, *case.more))
    their_verdict, their_lines, said = haproxys(program, paths)
    our_verdict, our_lines, findings = ours(paths)
    assert our_verdict == their_verdict, (said, findings)
    if case.agreement == SAME:
        assert our_lines == their_lines, (said, findings)
    else:
        assert their_lines <= our_lines, (said, findings)
        assert our_lines


@pytest.mark.parametrize("difference", DIFFERENCES, ids=[difference.why for difference in DIFFERENCES])
def test_verdicts_differ_for_the_reason(tmp_path: Path, require_peer: Callable[[str], str], difference: Difference) -> None:
    paths = written(tmp_path, (difference.text,))
    their_verdict, _lines, said = haproxys(require_peer("haproxy"), paths)
    our_verdict, _lines, findings = ours(paths)
    assert (their_verdict, our_verdict) == (difference.haproxy, difference.ours), (said, findings)
