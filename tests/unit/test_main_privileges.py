"""Leaving root: the order, what stops the start, what is passed over, and that there is no way back."""

import ctypes
import errno
import os
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from balancer import model, privileges

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may leave root")

PR_GET_NO_NEW_PRIVS = 39


def in_child(act: Callable[[], str]) -> str:
    """What `act` returns, run in a process of its own, whose identity may change for good."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            told = act()
        except BaseException:  # noqa: BLE001 - whatever it was, the parent shows it
            told = traceback.format_exc()
        os.write(writer, told.encode("utf-8"))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    return told


def as_nobody(act: Callable[[], str]) -> Callable[[], str]:
    def acting() -> str:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        return act()

    return acting


def dropping(process: model.Global, is_strict: bool = False) -> Callable[[], str]:
    def act() -> str:
        try:
            return f"passed over: {privileges.drop(process, is_strict)}"
        except privileges.PrivilegeError as error:
            return f"stopped: {error}"

    return act


@as_root
def test_root_changes_root_groups_gid_and_uid_for_good(tmp_path: Path) -> None:
    process = replace(model.Global(), chroot=str(tmp_path), uid=33, gid=44)

    libc = ctypes.CDLL(None)  # out of reach after chroot

    def act() -> str:
        os.setgroups([0, 5])
        assert privileges.drop(process, is_strict=False) == []
        for attempt in (os.setuid, os.seteuid, os.setgid):
            with pytest.raises(PermissionError):
                attempt(0)
        flag = libc.prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
        return f"{os.getresuid()} {os.getresgid()} {os.getgroups()} {os.listdir('/')} {flag}"

    (tmp_path / "inside").mkdir()
    tmp_path.chmod(0o755)
    assert in_child(act) == "(33, 33, 33) (44, 44, 44) [] ['inside'] 1"


@as_root
def test_steps_come_in_the_only_order_that_works() -> None:
    process = replace(model.Global(), chroot="/x", uid=33, gid=44)
    texts = [step.text for step in privileges.steps(process, is_root=True)]
    assert texts == ["chroot(/x)", "drop supplementary groups", "set gid 44", "set uid 33"]


@as_root
def test_a_chroot_that_is_missing_stops_the_start(tmp_path: Path) -> None:
    missing = f"{tmp_path}/missing"
    process = replace(model.Global(), chroot=missing)
    assert in_child(dropping(process)) == f"stopped: Cannot chroot({missing}): No such file or directory."


@as_root
def test_a_way_back_to_root_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setresuid", lambda *_uids: os.seteuid(33))  # leaves the saved user id 0
    told = in_child(dropping(replace(model.Global(), uid=33)))
    assert told.startswith("stopped: Cannot set uid 33: the user ids are (0, 33, 0)")


def test_an_ordinary_user_passes_over_what_needs_privilege_and_names_it() -> None:
    process = replace(model.Global(), chroot="/", uid=33, gid=33)
    assert in_child(as_nobody(dropping(process))) == "passed over: ['chroot(/)', 'set gid 33', 'set uid 33']"


def test_an_ordinary_user_keeps_its_own_identity_without_a_word() -> None:
    def act() -> str:
        return dropping(replace(model.Global(), uid=os.getuid(), gid=os.getgid()))()

    assert in_child(as_nobody(act)) == "passed over: []"


def test_only_want_of_privilege_is_passed_over() -> None:
    told = in_child(as_nobody(dropping(replace(model.Global(), chroot="/nowhere/at/all"))))
    assert told == f"stopped: Cannot chroot(/nowhere/at/all): {os.strerror(errno.ENOENT)}."


def test_nothing_is_passed_over_where_warnings_are_errors() -> None:
    told = in_child(as_nobody(dropping(replace(model.Global(), uid=33), is_strict=True)))
    assert told == f"stopped: Cannot set uid 33: {os.strerror(errno.EPERM)}."


def test_without_a_word_in_the_file_only_new_privileges_are_given_up() -> None:
    def act() -> str:
        before = (os.getresuid(), os.getresgid(), os.getgroups())
        assert privileges.drop(model.Global(), is_strict=True) == []
        assert before == (os.getresuid(), os.getresgid(), os.getgroups())
        return str(ctypes.CDLL(None).prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))

    assert in_child(act) == "1"
