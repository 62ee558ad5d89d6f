"""Pid file, background, systemd's socket, messages, and death by a signal."""

import io
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from balancer import daemon, service
from balancer.messages import Messages


def test_a_pid_file_replaces_what_was_there_and_follows_no_link(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "x.pid"
    precious.write_text("data", encoding="ascii")
    path.symlink_to(precious)
    daemon.write_pid(daemon.open_pidfile(str(path)), 4711)
    assert path.read_text(encoding="ascii") == "4711\n" and not path.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert precious.read_text(encoding="ascii") == "data"


def test_the_starter_exits_with_what_the_daemon_tells_first() -> None:
    for told, status in (((0, 1), 0), ((1,), 1), ((), daemon.STATUS_LOST)):
        child = os.fork()
        if child == 0:
            starter = daemon.go_to_background(daemon.Notifier(""))  # returns in the grandchild only
            for number in told:
                starter.tell(number)
            os._exit(9)
        _child, waited = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(waited) == status


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_by_path_and_by_abstract_name(tmp_path: Path, abstract: bool) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        name = f"balancer-test-{os.getpid()}"
        systemd.bind(f"\0{name}" if abstract else str(tmp_path / "notify"))
        systemd.settimeout(5.0)
        daemon.Notifier(f"@{name}" if abstract else str(tmp_path / "notify")).tell("READY=1")
        assert systemd.recv(100) == b"READY=1"


def test_without_systemd_nobody_is_told_and_nothing_fails(tmp_path: Path) -> None:
    daemon.Notifier("").tell("READY=1")
    daemon.Notifier(str(tmp_path / "gone")).tell("READY=1")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        notifier = daemon.Notifier(str(tmp_path / "notify"))
    notifier.tell("STOPPING=1")


def test_messages_have_haproxys_form() -> None:
    told = io.StringIO()
    messages = Messages(told, is_quiet=False)
    messages.alert("a")
    messages.warning("b\nc")
    messages.notice("d")
    pid = os.getpid()
    assert told.getvalue() == f"[ALERT]    ({pid}) : a\n[WARNING]  ({pid}) : b\n   | c\n[NOTICE]   ({pid}) : d\n"
    assert messages.warning_count == 1


def test_a_quiet_process_counts_warnings_and_says_none() -> None:
    told = io.StringIO()
    messages = Messages(told, is_quiet=True)
    messages.warning("b")
    messages.alert("a")
    assert told.getvalue() == "" and messages.warning_count == 1


def test_a_standard_error_without_a_reader_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    messages = Messages(os.fdopen(writer, "w"), is_quiet=False)
    messages.alert("nobody reads this")
    messages.alert("nor this")
    with pytest.raises(BrokenPipeError):
        messages.stream.close()


def test_process_1_that_the_kernel_spares_exits_as_a_shell_would_report() -> None:
    child = os.fork()
    if child == 0:
        os.kill = lambda _pid, _number: None
        os._exit(service.die_of(signal.SIGTERM))
    _child, waited = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(waited) == 128 + signal.SIGTERM


def test_anyone_else_dies_of_the_signal_even_if_it_was_blocked() -> None:
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        service.die_of(signal.SIGTERM)
        os._exit(9)
    _child, waited = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(waited) == -signal.SIGTERM
