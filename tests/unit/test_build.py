"""The build delivers what it says: compiled where it can be, complete, and nothing left in the checkout."""

import ast
import importlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pytest
import subject

from balancer.form import COMPILED, PURE, form, is_compiled

ROOT: Final = Path(__file__).resolve().parents[2]
LINES_MAX: Final = 500


def load_setup() -> ModuleType:
    """setup.py as a module; it builds only when it is run."""
    spec = importlib.util.spec_from_file_location("balancer_setup", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SETUP: Final = load_setup()
PROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HOT: Final[list[str]] = [name.removesuffix(".py").replace("/", ".") for name in SETUP.hot_modules()]


def is_meant_to_be_compiled() -> bool:
    """Whether the form under test had a compiler when it was built."""
    wants_pure = os.environ.get("BALANCER_COMPILE") == "never" or os.environ.get("BALANCER_FORM") in (PURE, subject.SOURCE)
    return not wants_pure and not subject.is_source() and not SETUP.missing_packages()


def test_a_compiler_was_there_and_something_was_compiled() -> None:
    if is_meant_to_be_compiled():
        assert form() == COMPILED, "a compiler and the headers are here, and what is installed is interpreted"


@pytest.mark.parametrize("module", HOT)
def test_a_hot_module_has_the_form_of_the_whole(module: str) -> None:
    assert is_compiled(module) == (subject.found_form() == COMPILED)


def test_the_hot_path_is_in_the_list_of_what_is_compiled() -> None:
    expected = {"balancer.model", "balancer.http.head", "balancer.backend.server", "balancer.proxy.exchange"}
    assert expected <= set(HOT)
    assert not [name for name in HOT if name.endswith("__init__")]


@pytest.mark.skipif(subject.is_source(), reason="nothing is installed: the source of the checkout is under test")
def test_every_module_of_the_checkout_is_installed_unchanged() -> None:
    installed = Path(importlib.import_module("balancer").__file__ or "").parent
    for path in sorted((ROOT / "balancer").rglob("*.py")):
        copy = installed / path.relative_to(ROOT / "balancer")
        assert copy.is_file(), f"{path.relative_to(ROOT)} is not installed: make test installs it"
        assert copy.read_bytes() == path.read_bytes(), f"{path.relative_to(ROOT)} was changed after it was installed: make test"


@pytest.mark.parametrize(
    ("mode", "missing", "compiled"), [("auto", [], True), ("auto", ["gcc"], False), ("require", [], True), ("never", [], False)]
)
def test_the_mode_decides_with_what_the_machine_has(mode: str, missing: list[str], compiled: bool) -> None:
    assert SETUP.should_compile(mode, missing) is compiled


def test_require_refuses_a_machine_without_compiler() -> None:
    with pytest.raises(SystemExit, match=r"BALANCER_COMPILE=require.*apt-get install gcc"):
        SETUP.should_compile("require", ["gcc"])


def test_auto_says_that_it_does_not_compile_and_what_would(capsys: pytest.CaptureFixture[str]) -> None:
    SETUP.should_compile("auto", ["gcc", "python3-dev"])
    assert "apt-get install gcc python3-dev" in capsys.readouterr().err


def test_an_unknown_mode_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BALANCER_COMPILE", "yes")
    with pytest.raises(SystemExit, match="expects auto, require, never"):
        SETUP.chosen_mode()


def test_a_missing_compiler_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/nonexistent/cc")
    assert "gcc" in SETUP.missing_packages()


def answering(folder: Path, name: str, script: str) -> str:
    """A program that stands for an interpreter."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_the_interpreter_that_serves_best_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"old": "0 1 1", "bare": "1 0 1", "shared": "1 1 0", "one": "1 1 1"}
    programs = {name: answering(tmp_path, name, f"echo {text}") for name, text in answers.items()}
    programs["broken"] = answering(tmp_path, "broken", "echo 1 1 1; exit 1")
    for names, best in (("old bare", "bare"), ("bare shared", "shared"), ("shared one broken", "one"), ("one shared", "one")):
        monkeypatch.setattr(SETUP, "INTERPRETERS", tuple(programs[name] for name in names.split()))
        assert SETUP.best_interpreter() == programs[best]


def test_where_no_interpreter_answers_the_one_that_asks_is_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETUP, "INTERPRETERS", ("/nonexistent/python3", answering(tmp_path, "old", "echo 0 1 1")))
    assert SETUP.best_interpreter() == sys.executable


@pytest.mark.parametrize("words", [["develop"], ["build_ext", "--inplace"], ["editable_wheel"]])
def test_nothing_is_built_in_place(words: list[str]) -> None:
    ran = subprocess.run([sys.executable, "-B", str(ROOT / "setup.py"), *words], capture_output=True, text=True, cwd=ROOT)
    assert ran.returncode == 1
    assert "no editable install" in ran.stderr


def test_no_build_left_anything_in_the_checkout() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--cached", "--", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        names = [str(path.relative_to(ROOT)) for path in ROOT.iterdir()]
    else:
        names = [name for name in listed.stdout.splitlines() if not name.startswith(".venv")]
    made = re.compile(r"\.so$|\.egg-info|^build/|^build$|^dist$|\.whl$|\.c$")
    left = [name for name in names if made.search(name) and name not in SETUP.LEAVES]
    assert left == []


@pytest.mark.parametrize("folder", ["balancer", "benchmarks", "tests"])
def test_no_file_is_too_long_to_be_read_in_one_go(folder: str) -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (count := len(path.read_text().splitlines())) > LINES_MAX
    }
    assert long == {}, f"more than {LINES_MAX} lines: divide by what the parts do"


def test_every_imported_library_is_declared() -> None:
    for folder, extras in (("balancer", ()), ("benchmarks", ("bench",)), ("tests", ("test", "lint"))):
        declared = names_of(PROJECT["dependencies"])
        for extra in extras:
            declared |= names_of(PROJECT["optional-dependencies"][extra])
        own = {"balancer", "benchmarks", *sys.stdlib_module_names, *(path.stem for path in (ROOT / "tests").iterdir())}
        for path in sorted((ROOT / folder).rglob("*.py")):
            unknown = imported_by(path) - own - declared
            assert unknown == set(), f"{path.relative_to(ROOT)} imports {unknown}: not in pyproject.toml"


def names_of(requirements: list[str]) -> set[str]:
    """The names under which what is required is imported."""
    return {re.split(r"[<>=\[]", line)[0].replace("-", "_").lower() for line in requirements}


def imported_by(path: Path) -> set[str]:
    """The top names of everything that a file imports, wherever in the file that is written."""
    nodes = list(ast.walk(ast.parse(path.read_text(), str(path))))
    found = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return found | {(node.module or "").split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}


def test_the_console_script_names_a_function_that_exists() -> None:
    module, _, name = PROJECT["scripts"]["balancer"].partition(":")
    assert callable(getattr(importlib.import_module(module), name))
