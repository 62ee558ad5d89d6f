"""Builds the package, with its hot modules compiled by mypyc where the machine can.

`BALANCER_COMPILE` decides: `auto` (the default) compiles where a C compiler and Python's headers are and else builds the pure
form and says so; `require` refuses to build anything that is not compiled; `never` builds the pure form. A compiler that is
there and fails is an error in every case but `never`: a slower program is never delivered by accident. Everything that a build
writes lies in a temporary directory, so the checkout stays as it was and no earlier build leaks into a later one.

`python setup.py missing` prints the Debian packages that the compile step lacks, and nothing where all are there.
"""

import atexit
import os
import shutil
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
    "balancer/observe/logtext.py",
    "balancer/observe/syslog.py",
)

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
    else:
        build()
