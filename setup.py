"""Builds the package, with its hot modules compiled by mypyc where the machine can.

`BALANCER_COMPILE` decides: `auto` (the default) compiles where a C compiler and Python's headers are and else builds the pure
form and says so; `require` refuses to build anything that is not compiled; `never` builds the pure form. A compiler that is
there and fails is an error in every case but `never`: a slower program is never delivered by accident. Everything that a build
writes lies in a temporary directory, so the checkout stays as it was and no earlier build leaks into a later one.

`python setup.py missing` prints the Debian packages that the compile step lacks, and nothing where all are there.
`python setup.py interpreter` prints which of the interpreters of this machine the environments are to be made with.
"""

import atexit
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent

# One group: calls between these modules are native calls. A package's own `__init__.py` stays interpreted.
HOT: Final[tuple[str, ...]] = (
    "balancer/model.py",
    "balancer/http/*.py",
    "balancer/backend/**/*.py",
    "balancer/proxy/*.py",
    "balancer/observe/accesslog.py",
    "balancer/observe/formatlog.py",
    "balancer/observe/logheaders.py",
    "balancer/observe/logtext.py",
    "balancer/observe/syslog.py",
)

# The innermost functions, written in C; each has its specification in Python beside it, which runs where nothing is compiled.
LEAVES: Final[tuple[str, ...]] = ("balancer/backend/_leaves.c", "balancer/http/_leaves.c")

MODES: Final[tuple[str, ...]] = ("auto", "require", "never")

# What the compile step needs of the machine, by the Debian packages that bring it.
COMPILER_PACKAGES: Final[tuple[str, ...]] = ("gcc", "libc6-dev")
HEADERS_PACKAGE: Final = "python3-dev"

# The commands of setuptools that make what is installed; the others only read the metadata.
BUILDING: Final = frozenset({"bdist_wheel", "build", "build_ext", "install"})

# An uncompiled source on the path of every interpreter, or extensions inside the checkout: both would be tested by mistake.
REFUSED: Final = frozenset({"develop", "editable_wheel", "--inplace", "-i"})


def hot_modules() -> list[str]:
    """The files to compile, relative to the checkout, in a fixed order."""
    files = {path for pattern in HOT for path in ROOT.glob(pattern) if path.name != "__init__.py"}
    return sorted(str(path.relative_to(ROOT)) for path in files)


def missing_packages() -> list[str]:
    """The Debian packages without which nothing can be compiled here; empty where a compiler and the headers are there."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    missing = [] if shutil.which(compiler) else list(COMPILER_PACKAGES)
    if not Path(sysconfig.get_path("include"), "Python.h").is_file():
        missing.append(HEADERS_PACKAGE)
    return missing


# What is asked of an interpreter, each answer 1 or 0, the weightiest first: whether it can make an environment for us at all,
# whether it can compile, and whether its library is a part of it. One with libpython in a library of its own, such as pyenv
# builds, costs 6 % more processor time per request than Debian's, which is also built with a profile (measured, see docs).
QUESTIONS: Final = """
import ensurepip, pathlib, sys, sysconfig, venv
maps = pathlib.Path("/proc/self/maps")
is_one = maps.is_file() and "libpython" not in maps.read_text()
print(int(sys.version_info >= (3, 11)), int(pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file()), int(is_one))
"""
INTERPRETERS: Final[tuple[str, ...]] = ("python3", "/usr/bin/python3")


def best_interpreter() -> str:
    """The interpreter that serves best; the one that runs this where no other is better."""
    best, best_answers = sys.executable, ""
    for name in INTERPRETERS:
        try:
            asked = subprocess.run([name, "-I", "-c", QUESTIONS], capture_output=True, text=True, timeout=30, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        answers = asked.stdout.strip()
        if asked.returncode == 0 and answers.startswith("1") and answers > best_answers:
            best, best_answers = name, answers
    return best


def chosen_mode() -> str:
    """BALANCER_COMPILE, refused when it is none of the known words."""
    mode = os.environ.get("BALANCER_COMPILE") or "auto"
    if mode not in MODES:
        sys.exit(f"BALANCER_COMPILE expects {', '.join(MODES)} (got {mode!r})")
    return mode


def should_compile(mode: str, missing: list[str]) -> bool:
    """Whether this build compiles; ends the build where `require` cannot be met."""
    if mode == "never":
        return False
    if not missing:
        return True
    lacks = f"nothing can be compiled here: apt-get install {' '.join(missing)}"
    if mode == "require":
        sys.exit(f"BALANCER_COMPILE=require, but {lacks}")
    sys.stderr.write(f"balancer: building the pure form, about four times slower; {lacks}\n")
    return False


def extensions(scratch: Path) -> list[Any]:
    """The extension modules, translated to C below `scratch`."""
    from mypyc.build import mypycify
    from setuptools import Extension

    files = hot_modules()
    if not files:
        sys.exit("the list of hot modules names no file: nothing would be compiled")
    found: list[Any] = mypycify(
        [f"--cache-dir={scratch / 'mypy'}", *files],
        opt_level="3",
        debug_level="0",
        group_name="balancer",
        target_dir=str(scratch / "c"),
    )
    flags = ["-O3", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror"]
    for path in LEAVES:
        found.append(Extension(path.removesuffix(".c").replace("/", "."), [path], extra_compile_args=flags))
    return found


def build() -> None:
    """Runs setuptools with every directory it writes to below a temporary one."""
    from setuptools import setup

    if REFUSED.intersection(sys.argv):
        sys.exit("balancer is not built in place and has no editable install: use 'pip install .'")
    scratch = Path(tempfile.mkdtemp(prefix="balancer-build-"))
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    os.chdir(ROOT)
    compiled = bool(BUILDING.intersection(sys.argv)) and should_compile(chosen_mode(), missing_packages())
    setup(
        ext_modules=extensions(scratch) if compiled else [],
        options={
            "build": {"build_base": str(scratch / "build")},
            "egg_info": {"egg_base": str(scratch)},
        },
    )


if __name__ == "__main__":
    if sys.argv[1:] == ["missing"]:
        print(" ".join(missing_packages()))
    elif sys.argv[1:] == ["interpreter"]:
        print(best_interpreter())
    else:
        build()
