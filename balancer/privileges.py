"""The way from root to the user that serves: chroot, then groups, gid, uid, and no way back.

`drop` runs after everything outside the new root has been opened. Started as root, each step that fails stops the start.
Started as anyone else, a step that the kernel refuses for want of privilege (EPERM) is passed over and named, so that the
operator's file works on a workstation too; any other failure (the directory does not exist) still stops the start. After a
drop from root, getting uid 0 back is tried and must fail.
"""

import ctypes
import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from balancer import model

# <linux/prctl.h>
PR_SET_NO_NEW_PRIVS: Final = 38

# Loaded with the module: after chroot the C library's file is out of reach.
_libc: Final = ctypes.CDLL(None, use_errno=True)


class PrivilegeError(Exception):
    """A step failed that must not fail; the text says which and why."""


@dataclass(frozen=True)
class Step:
    """One step on the way down: what a message calls it, and what does it."""

    text: str
    act: Callable[[], None]


def drop(process: model.Global, is_strict: bool) -> list[str]:
    """Leaves the old root and identity, as far as `process` asks; returns what was passed over for want of privilege.

    Raises PrivilegeError when a step fails as root or with `is_strict`, when one fails for another reason than privilege,
    and when uid 0 could be had back afterwards.
    """
    was_root = os.geteuid() == 0
    passed_over: list[str] = []
    for step in steps(process, was_root):
        try:
            step.act()
        except OSError as error:
            if error.errno != errno.EPERM or was_root or is_strict:
                raise PrivilegeError(f"Cannot {step.text}: {error.strerror}.") from error
            passed_over.append(step.text)
    if was_root and process.uid != 0:
        _verify_no_way_back(process.uid)
    set_no_new_privileges()
    return passed_over


def steps(process: model.Global, is_root: bool) -> list[Step]:
    """The steps that a configuration asks for, in the order in which they must happen."""
    found: list[Step] = []
    if process.chroot:
        found.append(Step(f"chroot({process.chroot})", lambda: _change_root(process.chroot)))
    # Root's supplementary groups would outlive the change of uid and gid (CWE-271).
    if is_root and (process.gid or process.uid):
        found.append(Step("drop supplementary groups", lambda: os.setgroups([])))
    if process.gid:
        found.append(Step(f"set gid {process.gid}", lambda: os.setresgid(process.gid, process.gid, process.gid)))
    if process.uid:
        found.append(Step(f"set uid {process.uid}", lambda: os.setresuid(process.uid, process.uid, process.uid)))
    return found


def stays_root(process: model.Global) -> bool:
    """Whether the process would serve as root."""
    return os.geteuid() == 0 and process.uid == 0


def set_no_new_privileges() -> None:
    """From here no program that is started, set-uid or not, has more rights than this process (prctl(2))."""
    if _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise PrivilegeError(f"Cannot set no_new_privs: {os.strerror(number)}.")


def _change_root(path: str) -> None:
    os.chroot(path)
    os.chdir("/")


def _verify_no_way_back(uid: int) -> None:
    if os.getresuid() != (uid, uid, uid):
        raise PrivilegeError(f"Cannot set uid {uid}: the user ids are {os.getresuid()} afterwards.")
    for name, attempt in (("setuid", os.setuid), ("seteuid", os.seteuid)):
        try:
            attempt(0)
        except OSError:
            continue
        raise PrivilegeError(f"Cannot set uid {uid}: {name}(0) still succeeds afterwards.")
