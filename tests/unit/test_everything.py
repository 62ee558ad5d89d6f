"""The run of all tests counts what happened, and refuses to test the wrong thing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
import subject
from everything import AGAIN, PARTS, Tally
from peers import PEERS, WANTS, require_peer

ROOT: Final = Path(__file__).resolve().parents[2]
REPORT: Final = """<testsuites><testsuite>
<testcase name="a"/><testcase name="b"/>
<testcase name="c"><failure message="no"/></testcase>
<testcase name="d"><error message="in its fixture"/></testcase>
<testcase name="e"><skipped message="needs wrk"/></testcase>
<testcase name="f"><skipped type="pytest.xfail" message="late"/></testcase>
</testsuite></testsuites>"""

# One that fails once, one that passes, and more that fail than may be tried again.
TRIED_AGAIN: Final = """
from pathlib import Path
import pytest
def test_once():
    try:
        Path("seen").touch(exist_ok=False)
    except FileExistsError:
        return
    raise AssertionError("the first time")
@pytest.mark.parametrize("number", range(6))
def test_never(number):
    assert False
def test_at_once():
    pass
"""


def test_the_closing_line_adds_up_all_runs_and_an_error_is_a_failure(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(REPORT)
    tally = Tally()
    tally.add(report)
    tally.add(report)
    assert tally.closing_line() == "4 passed, 4 failed, 4 skipped"
    assert tally.reasons == {"needs wrk": 2, "a known fault, expected to fail: late": 2}


def test_what_passes_only_when_tried_again_is_told_and_what_fails_twice_has_failed(tmp_path: Path) -> None:
    tests = tmp_path / "test_twice.py"
    tests.write_text(TRIED_AGAIN)
    report = tmp_path / "report.xml"
    words = ["-q", "-c", "/dev/null", "--rootdir", str(tmp_path), f"--junitxml={report}", *AGAIN, str(tests)]
    command = [sys.executable, "-P", "-m", "pytest", *words]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout + ran.stderr
    assert "the first time" in ran.stdout
    tally = Tally()
    tally.add(report)
    assert tally.closing_line() == "2 passed, 6 failed, 0 skipped"
    assert tally.unstable == ["test_twice::test_once"]


def test_unit_tests_run_on_both_forms_and_scenarios_too() -> None:
    for folder in ("tests/unit", "tests/scenarios"):
        assert len({part.python for part in PARTS if folder in part.words}) == 2


@pytest.mark.parametrize("form", [form for form in (*subject.FORMS, "fast") if form != subject.found_form()])
def test_a_run_on_another_form_than_the_expected_one_is_refused(form: str) -> None:
    words = [sys.executable, "-P", "-m", "pytest", "--collect-only", "-q", __file__]
    environ = {**os.environ, "BALANCER_FORM": form}
    ran = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "BALANCER_FORM" in ran.stderr


def test_the_checkout_is_never_tested_by_mistake() -> None:
    words = [sys.executable, "-m", "pytest", "--collect-only", "-q", __file__]
    environ = {name: value for name, value in os.environ.items() if name not in ("BALANCER_FORM", "PYTHONPATH")}
    ran = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR
    assert "uncompiled source" in ran.stderr


def test_a_missing_program_skips_and_where_peers_are_required_it_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_PEERS", "0")
    with pytest.raises(pytest.skip.Exception, match="needs no-such-program"):
        require_peer("no-such-program")
    monkeypatch.setenv("REQUIRE_PEERS", "1")
    with pytest.raises(pytest.fail.Exception, match="REQUIRE_PEERS=1 forbids to skip"):
        require_peer("no-such-program")


def test_ci_installs_every_program_that_a_test_may_need() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    installed = script[script.index("PACKAGES=(") : script.index(")", script.index("PACKAGES=("))].split()
    needed = {package for _, package in PEERS.values()} | {package for _, packages in WANTS.values() for package in packages}
    assert needed <= set(installed)
