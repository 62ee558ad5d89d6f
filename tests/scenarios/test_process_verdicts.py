"""`-c`, `-v`, refused command lines: exit statuses and words, beside HAProxy's own where it is installed."""

from collections.abc import Callable
from pathlib import Path

import pytest
from program import run, write_config

import balancer

VALID = """
defaults
    mode http
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind 127.0.0.1:18080
    server a 127.0.0.1:1
"""
NO_LISTENER = VALID.replace("listen web\n    bind 127.0.0.1:18080", "backend web")
WARNED = VALID.replace("    timeout client 1s\n", "")
BROKEN = VALID.replace("timeout client", "timeoot client")
CUT = VALID.rstrip("\n")
STATS_ONLY = "global\n    stats socket /tmp/balancer-verdict.sock\n" + NO_LISTENER

CASES = {
    "valid": (VALID, (), 0, "Configuration file is valid\n"),
    "valid, quiet": (VALID, ("-q",), 0, ""),
    "valid, quiet and verbose": (VALID, ("-q", "-V"), 0, "Configuration file is valid\n"),
    "valid, warnings are errors": (VALID, ("-dW",), 0, "Configuration file is valid\n"),
    "warned": (WARNED, (), 0, "Warnings were found.\nConfiguration file is valid\n"),
    "warned, quiet": (WARNED, ("-q",), 0, ""),
    "warned, warnings are errors": (WARNED, ("-dW",), 1, ""),
    "broken": (BROKEN, (), 1, ""),
    "broken, quiet": (BROKEN, ("-q",), 1, ""),
    "last line without LF": (CUT, (), 1, ""),
    "no listener": (
        NO_LISTENER,
        (),
        2,
        "Configuration file has no error but will not start (no listener) => exit(2).\n",
    ),
    "no listener, quiet": (NO_LISTENER, ("-q",), 2, ""),
    "a stats socket counts as a listener": (STATS_ONLY, (), 0, "Configuration file is valid\n"),
}

pytestmark = pytest.mark.pure


@pytest.mark.parametrize("name", CASES)
def test_a_verdict_is_haproxys(name: str, tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    config, words, status, out = CASES[name]
    path = str(write_config(tmp_path, config))
    ours = run("-c", "-f", path, *words)
    assert (ours.returncode, ours.stdout) == (status, out), ours.stderr
    theirs = run("-c", "-f", path, *words, command=[require_peer("haproxy")])
    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert bool(ours.stderr) == bool(theirs.stderr)


def test_errors_are_told_in_haproxys_form(tmp_path: Path) -> None:
    path = write_config(tmp_path, BROKEN)
    for words in (("-c",), ("-db",)):
        refused = run("-f", str(path), *words)
        assert refused.returncode == 1
        lines = refused.stderr.splitlines()
        assert lines[0].startswith("[ALERT]    (")
        assert f") : config : parsing [{path}:5] : unknown keyword 'timeoot'" in lines[0]
        assert lines[-2].endswith(f") : config : Error(s) found in configuration file : {path}")
        assert lines[-1].endswith(") : config : Fatal errors found in configuration.")


def test_warnings_as_errors_say_why_nothing_starts(tmp_path: Path) -> None:
    refused = run("-dW", "-db", "-f", str(write_config(tmp_path, WARNED)))
    assert refused.returncode == 1
    assert refused.stderr.endswith(") : config : Some warnings were found and 'zero-warning' is set. Aborting.\n")


def test_without_a_listener_nothing_starts(tmp_path: Path) -> None:
    refused = run("-db", "-f", str(write_config(tmp_path, NO_LISTENER)))
    assert refused.returncode == 1
    assert "No enabled listener found (check for 'bind' directives) ! Exiting." in refused.stderr


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    refused = run("-c", "-f", str(tmp_path / "missing.cfg"))
    assert refused.returncode == 1
    assert f"{tmp_path}/missing.cfg" in refused.stderr and "No such file or directory" in refused.stderr


def test_several_files_and_directories_are_one_configuration(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    head, tail = VALID.split("listen web")
    (tmp_path / "d" / "10.cfg").write_text(head, encoding="ascii")
    (tmp_path / "d" / "20.cfg").write_text("listen web" + tail, encoding="ascii")
    assert run("-c", "-f", str(tmp_path / "d")).returncode == 0
    assert run("-c", "-C", str(tmp_path / "d"), "-f", "10.cfg", "--", "20.cfg").returncode == 0
    refused = run("-c", "-C", str(tmp_path / "none"), "-f", "10.cfg")
    assert refused.returncode == 1 and "Could not change to directory" in refused.stderr


@pytest.mark.parametrize("words", [(), ("-c",), ("-Z", "-f", "x"), ("-f",), ("x.cfg",), ("--help",), ("-n", "x", "-f", "y")])
def test_a_command_line_that_is_not_understood_gets_the_usage_and_1(words: tuple[str, ...]) -> None:
    refused = run(*words)
    assert refused.returncode == 1 and refused.stdout == ""
    assert "\nUsage : balancer [-f <cfgfile|cfgdir>]*" in refused.stderr


def test_v_and_vv_tell_version_form_and_rights() -> None:
    short, full = run("-v"), run("-vv")
    assert short.returncode == full.returncode == 0 and short.stderr == full.stderr == ""
    assert short.stdout.startswith(f"balancer version {balancer.__version__} ")
    assert full.stdout.startswith(short.stdout)
    assert "\nForm: compiled\n" in full.stdout or "\nForm: pure\n" in full.stdout
    assert "\nRunning as: uid " in full.stdout
