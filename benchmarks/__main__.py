"""`python3 -m benchmarks`, with the interpreter that has the libraries."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Final

LIBRARIES: Final = ("aiohttp", "rich", "uvloop")
OWN: Final = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "python"


def use_own_environment() -> None:
    """Goes on in the environment that `make` makes, where the libraries are not to be had here; says how to make it."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if not missing:
        return
    if not OWN.exists() or Path(sys.prefix) == OWN.parents[1]:
        sys.exit(f"benchmarks: no {', '.join(missing)} here; `make run` and `make bench` make a .venv with them")
    os.execv(OWN, [str(OWN), "-m", "benchmarks", *sys.argv[1:]])


if __name__ == "__main__":
    use_own_environment()
    from benchmarks.command import entry

    sys.exit(entry())
