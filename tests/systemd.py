"""A real systemd, as the user manager of root in a mount namespace of its own, with a fresh /run and units of the test.

It wants root and a writable tree of cgroups; `CAN_RUN` says whether both are there. The manager ends with the `with`.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from running import Program, running, wait_until

CGROUPS: Final = ("/sys/fs/cgroup/systemd", "/sys/fs/cgroup")
PROGRAM: Final = Path("/lib/systemd/systemd")
CAN_RUN: Final = os.geteuid() == 0 and PROGRAM.exists() and any(os.access(f"{path}/cgroup.procs", os.W_OK) for path in CGROUPS)

# What the manager needs of a booted machine; `systemctl --user` talks to it over a socket below XDG_RUNTIME_DIR.
PREPARE: Final = (
    "mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/user/0 && exec {program} --user --unit=basic.target"
)
ENVIRON: Final = {"XDG_RUNTIME_DIR": "/run/user/0", "SYSTEMD_LOG_TARGET": "null"}


class Systemd:
    """The running manager."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs `systemctl --user` inside."""
        pid = self.program.process.pid
        words = ("nsenter", "-m", "-t", str(pid), "systemctl", "--user", *words)
        return subprocess.run(words, capture_output=True, text=True, env=os.environ | ENVIRON, timeout=60, check=False)

    def shown(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.control("show", unit, "--value", "-p", name).stdout.strip()


@contextmanager
def systemd(units: Path, output: Path) -> Iterator[Systemd]:
    """The manager, with the units of that folder."""
    environ = ENVIRON | {"SYSTEMD_UNIT_PATH": f"{units}:/usr/lib/systemd/user"}
    words = ["unshare", "-m", "sh", "-c", PREPARE.format(program=PROGRAM)]
    with running(words, output, environ) as program:
        manager = Systemd(program)
        wait_until(
            lambda: manager.control("is-system-running").stdout.strip() in ("running", "degraded"),
            "systemd",
            tells=program.text,
        )
        yield manager
        manager.control("exit")
        wait_until(program.has_ended, "the end of systemd")
    for path in CGROUPS:
        try:
            os.rmdir(f"{path}/init.scope")  # what the manager leaves behind
        except OSError:
            pass
