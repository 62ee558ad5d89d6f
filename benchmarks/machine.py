"""What the figures of a run depend on: the machine, the versions, the limits."""

import os
import platform
import re
import resource
import subprocess
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from benchmarks.origins import find

VERSION_PATIENCE_S: Final = 30
# How each program tells its version.
VERSION_WORDS: Final = {"haproxy": ("-v",), "nginx": ("-v",), "wrk": ("-v",)}
LIBRARIES: Final = ("aiohttp", "uvloop")


def raise_descriptors() -> int:
    """Raises the limit of descriptors to what is allowed; gives it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def describe(balancer: Sequence[str]) -> dict[str, str]:
    """All of it; `balancer` is how ours is called."""
    found = {
        "processor": _processor(),
        "processors": str(os.cpu_count()),
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "descriptors": str(resource.getrlimit(resource.RLIMIT_NOFILE)[0]),
        "python": platform.python_version(),
        "balancer": _said([*balancer, "-vv"], r"^(.*version.*)|^Form: *(.*)"),
    }
    for program, words in VERSION_WORDS.items():
        path = find(program)
        found[program] = _said([path, *words], r"\A.*?(?:version:?|wrk) (\S+)") if path else "not installed"
    for library in LIBRARIES:
        found[library] = metadata.version(library)
    return found


def _said(command: Sequence[str], pattern: str) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=VERSION_PATIENCE_S)
    found = re.finditer(pattern, ran.stdout + ran.stderr, re.MULTILINE)
    return ", ".join(next(group for group in match.groups() if group) for match in found) or "?"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
