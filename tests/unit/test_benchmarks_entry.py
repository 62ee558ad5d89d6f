"""`python3 -m benchmarks` with an interpreter that lacks the libraries: it takes the one that make has made, or says how."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]


def started(folder: Path) -> subprocess.CompletedProcess[str]:
    """Without site-packages (-S), in a checkout of its own."""
    shutil.copytree(ROOT / "benchmarks", folder / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    words = [sys.executable, "-S", "-m", "benchmarks", "load", "http://127.0.0.1:1/", "--users", "2"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


def test_without_an_environment_it_says_what_makes_one(tmp_path: Path) -> None:
    ended = started(tmp_path)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("benchmarks: no aiohttp, rich, uvloop here; `make run`")


def test_with_one_it_goes_on_there_with_the_same_words(tmp_path: Path) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "there: $*"\n')
    python.chmod(0o755)
    ended = started(tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == "there: -m benchmarks load http://127.0.0.1:1/ --users 2\n"
