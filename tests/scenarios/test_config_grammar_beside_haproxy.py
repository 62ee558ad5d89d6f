"""Conditions, lines and messages asked of both programs: the same statuses, and the same words, character by character."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from grammar_rows import COMMAND_LINES, CONDITIONS, NO_CONDITIONS, SPOKEN_LINES, STOPPING_LINES, VARIABLES
from program import run
from running import BALANCER

from balancer import config
from balancer.config.conditions import ConditionError
from balancer.config.findings import Refusal
from balancer.config.loader import holds

HOLDS: Final = 0
HOLDS_NOT: Final = 1
NO_CONDITION: Final = 2
# What a program says of itself, and what it says at the end of a refusal.
OF_ITSELF: Final = ("version is", "path to executable is", "Error(s) found in", "Fatal errors found in")


def asked(program: str, *words: str) -> tuple[int, str]:
    done = subprocess.run([program, *words], capture_output=True, env=VARIABLES, timeout=30, check=False)
    return done.returncode, done.stderr.decode("utf-8", "replace")


def without_ids(said: str) -> list[str]:
    """The lines of messages without the process's number, and without those in which a program speaks of itself."""
    lines = [line for line in said.splitlines() if not any(words in line for words in OF_ITSELF)]
    return [f"{line[:11]}{line.partition(') : ')[2]}" if line.startswith("[") else line for line in lines]


def our_status(condition: str) -> int:
    try:
        return HOLDS if holds(condition, environment=VARIABLES) else HOLDS_NOT
    except (ConditionError, Refusal):
        return NO_CONDITION


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_a_condition_holds_for_both(require_peer: Callable[[str], str], condition: str, expected: bool) -> None:
    status = HOLDS if expected else HOLDS_NOT
    # Of HAProxy's features this one is in Debian's build, too.
    assert asked(require_peer("haproxy"), "-cc", condition) == (status, "")
    assert our_status(condition) == status


@pytest.mark.parametrize(("condition", "text"), NO_CONDITIONS)
def test_what_is_no_condition_is_none_for_both(require_peer: Callable[[str], str], condition: str, text: str) -> None:
    status, said = asked(require_peer("haproxy"), "-cc", condition)
    assert status == our_status(condition) == NO_CONDITION
    assert said.endswith(f"config : Failed to evaluate condition: {text}\n")


@pytest.mark.parametrize(("condition", "status"), COMMAND_LINES)
def test_the_words_of_a_condition_are_cut_alike(require_peer: Callable[[str], str], condition: str, status: int) -> None:
    assert asked(require_peer("haproxy"), "-cc", condition)[0] == status
    assert our_status(condition) == status


@pytest.mark.pure
@pytest.mark.parametrize("condition", ["streq(a,a)", "", "nosuch(1)"])
def test_cc_answers_as_haproxys(require_peer: Callable[[str], str], condition: str) -> None:
    theirs = run("-cc", condition, command=[require_peer("haproxy")])
    ours = run("-cc", condition, command=BALANCER)
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert without_ids(ours.stderr) == without_ids(theirs.stderr)


def both(program: str, directory: Path, lines: Sequence[str], *words: str) -> tuple[list[str], list[str]]:
    path = directory / "t.cfg"
    # HAProxy loses its place in a line that is longer than all before it and has a default for a variable.
    path.write_bytes(("# " + "x" * 999 + "\n" + "".join(f"{line}\n" for line in lines)).encode())
    outcome = config.load([str(path)], environment=VARIABLES)
    findings = [finding for finding in outcome.findings if finding.level != config.DIAG or "-dD" in words]
    return without_ids(asked(program, "-c", "-f", str(path), *words)[1]), without_ids(config.render(findings, 1))


@pytest.mark.parametrize("words", [(), ("-dD",)])
def test_all_that_is_said_of_lines_is_the_same(
    tmp_path: Path, require_peer: Callable[[str], str], words: tuple[str, ...]
) -> None:
    theirs, ours = both(require_peer("haproxy"), tmp_path, SPOKEN_LINES, *words)
    assert ours == theirs
    assert ("[DIAG]" in str(ours)) == ("-dD" in words)


# Rules that stand behind rules which are asked later.
MISPLACED: Final = """\
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen a
    bind 127.0.0.1:18080
    use-server s if TRUE
    use_backend b if TRUE
    redirect location /a if FALSE
    http-request deny if FALSE
    monitor fail if FALSE
    http-request use-service prometheus-exporter if { path /metrics }
    server s 127.0.0.1:1
frontend f
    bind 127.0.0.1:18081
    http-request use-service prometheus-exporter if { path /metrics }
    monitor fail if FALSE
    redirect location /a if FALSE
    http-response deny if FALSE
    monitor fail if FALSE
    default_backend b
backend b
    http-request deny if FALSE
    redirect location /a if FALSE
    http-request deny if FALSE
    server s 127.0.0.1:1
""".splitlines()


def test_rules_behind_rules_that_are_asked_later_are_said(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    theirs, ours = both(require_peer("haproxy"), tmp_path, MISPLACED)
    warnings = [line for line in theirs if "will still be processed before" in line]
    assert len(warnings) == 7
    assert [line for line in ours if "will still be processed before" in line] == warnings


@pytest.mark.parametrize("line", STOPPING_LINES)
def test_what_stops_haproxy_is_said_in_its_words(tmp_path: Path, require_peer: Callable[[str], str], line: str) -> None:
    theirs, ours = both(require_peer("haproxy"), tmp_path, [line])
    theirs = [text for text in theirs if "unknown keyword 'a'" not in text]
    assert theirs
    assert ours[: len(theirs)] == theirs


@pytest.mark.pure
def test_diag_is_said_with_dd_alone_and_never_fails(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    path = tmp_path / "d.cfg"
    path.write_text(".diag here\ndefaults\n mode http\n timeout client 1s\nlisten a\n bind 127.0.0.1:18080\n", encoding="ascii")
    for words in (("-dW",), ("-dW", "-dD")):
        ours = run("-c", "-f", str(path), *words)
        theirs = run("-c", "-f", str(path), *words, command=[require_peer("haproxy")])
        assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout) == (0, "Configuration file is valid\n")
        assert ("parsing" in ours.stderr) == ("-dD" in words)
        assert without_ids(ours.stderr) == without_ids(theirs.stderr)


@pytest.mark.pure
def test_a_directory_is_read_in_haproxys_order(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    for name in ("b.cfg", "a.cfg", "B.cfg", "10.cfg", "9.cfg", "_.cfg", "é.cfg", ".cfg", ".a.cfg", "a.cfg.bak", "c.CFG"):
        (tmp_path / name).write_text(f".notice '{name}'\n", encoding="ascii", errors="ignore")
    (tmp_path / "d.cfg").mkdir()
    (tmp_path / "last").write_text(".notice last\n", encoding="ascii")
    words = ("-c", "-f", str(tmp_path), "--", str(tmp_path / "a.cfg"), str(tmp_path / "last"))
    ours, theirs = run(*words), run(*words, command=[require_peer("haproxy")])
    assert without_ids(ours.stderr) == without_ids(theirs.stderr)
    assert len(without_ids(ours.stderr)) == 9
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    (tmp_path / "e.cfg").symlink_to("nowhere")
    for program in (BALANCER, [require_peer("haproxy")]):
        assert run("-c", "-f", str(tmp_path), command=program).returncode == 1
