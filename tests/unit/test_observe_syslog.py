"""Log targets: what is sent, when, and what happens when it cannot be sent. HAProxy 2.6.12 is the oracle for the octets."""

import asyncio
import os
import re
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import ORIGIN, backend_record, frontend_record, model_record

from balancer import model
from balancer.observe.logger import Logger
from balancer.observe.logheaders import Header
from balancer.observe.stream import Stream
from balancer.observe.syslog import KEPT_MAX, Syslog, Target


class HeldLoop:
    """A loop whose turn ends when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Keeps the call."""
        self.calls.append(callback)

    def turn(self) -> None:
        """Ends the turn."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()


class Reader:
    """A datagram socket and what came to it."""

    def __init__(self, family: int, address: Any) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)

    def lines(self) -> list[bytes]:
        """The datagrams since the last call."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self.socket.recv(70000))
            except BlockingIOError:
                return found


def udp_reader() -> tuple[Reader, model.LogTarget]:
    reader = Reader(socket.AF_INET, ("127.0.0.1", 0))
    return reader, udp_target(reader.socket.getsockname()[1])


def udp_target(port: int) -> model.LogTarget:
    return model.LogTarget("udp", "127.0.0.1", port, "", 16, model.DEBUG, model.EMERG, "local", 1024, ORIGIN)


def unix_target(path: Path) -> model.LogTarget:
    return replace(udp_target(0), kind="unix", host="", path=str(path))


class Log:
    """A Syslog on a held loop, and what it reported."""

    def __init__(self) -> None:
        self.loop = HeldLoop()
        self.reports: list[str] = []
        loop: Any = self.loop
        self.syslog = Syslog("haproxy", 4711, loop, self.reports.append)

    def keep(self, target: model.LogTarget, *messages: bytes, severity: int = model.INFO) -> Target:
        """Keeps lines for one target."""
        found = self.syslog.target(target)
        for message in messages:
            self.syslog.keep([found], severity, message)
        return found


def test_the_header_is_haproxys_octet_for_octet() -> None:
    reader, target = udp_reader()
    log = Log()
    log.keep(target, b"Proxy a stopped.", severity=model.WARNING)
    log.loop.turn()
    (line,) = reader.lines()
    assert re.fullmatch(rb"<132>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d haproxy\[4711\]: Proxy a stopped\.\n", line)


def test_a_day_of_one_digit_is_padded_with_a_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    third = time.mktime((2026, 11, 3, 19, 28, 7, 0, 0, -1))
    monkeypatch.setattr(time, "time", lambda: third)
    assert Header("local", "haproxy", 4711, "").start(16, model.INFO) == b"<134>Nov  3 19:28:07 haproxy[4711]: "


@pytest.mark.parametrize(
    ("form", "line"), [("raw", b"message\n"), ("short", b"<4>message\n")], ids=["raw", "short: the level without a facility"]
)
def test_other_formats(form: str, line: bytes) -> None:
    reader, target = udp_reader()
    log = Log()
    log.keep(replace(target, format=form), b"message", severity=model.WARNING)
    log.loop.turn()
    assert reader.lines() == [line]


def test_a_line_is_cut_at_its_length_and_keeps_its_end() -> None:
    reader, target = udp_reader()
    log = Log()
    log.keep(replace(target, format="raw", length_max=110), b"x" * 110, b"y" * 111, b"z" * 5000)
    log.loop.turn()
    assert reader.lines() == [b"x" * 110 + b"\n", b"y" * 110 + b"\n", b"z" * 110 + b"\n"]


def test_a_line_that_no_datagram_can_hold_is_cut() -> None:
    reader, target = udp_reader()
    reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    log = Log()
    log.keep(replace(target, length_max=65535), b"x" * 70000)
    log.loop.turn()
    assert [len(line) for line in reader.lines()] == [65507]


def test_levels_filter_and_lift() -> None:
    reader, target = udp_reader()
    log = Log()
    chosen = replace(target, severity_max=model.NOTICE, severity_min=model.ERR, format="short")
    for severity in range(8):
        log.keep(chosen, b"%d" % severity, severity=severity)
    log.loop.turn()
    assert reader.lines() == [b"<3>0\n", b"<3>1\n", b"<3>2\n", b"<3>3\n", b"<4>4\n", b"<5>5\n"]


def test_lines_go_out_in_one_burst_when_the_turn_ends() -> None:
    reader, target = udp_reader()
    log = Log()
    log.keep(replace(target, format="raw"), b"1", b"2", b"3")
    assert reader.lines() == []
    assert len(log.loop.calls) == 1
    log.loop.turn()
    assert reader.lines() == [b"1\n", b"2\n", b"3\n"]


def test_a_long_turn_keeps_no_more_than_a_bound() -> None:
    reader, target = udp_reader()
    reader.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    log = Log()
    kept = log.keep(replace(target, format="raw"), *[b"x"] * (KEPT_MAX + 3))
    assert len(kept.lines) == 3


async def test_a_real_loop_sends_within_ten_milliseconds() -> None:
    reader, target = udp_reader()
    loop = asyncio.get_running_loop()
    syslog = Syslog("haproxy", 1, loop)
    syslog.keep([syslog.target(target)], model.INFO, b"x")
    began = loop.time()
    while not (lines := reader.lines()):
        assert loop.time() - began < 5.0
        await asyncio.sleep(0)
    assert len(lines) == 1
    assert loop.time() - began < 0.01
    syslog.close()


def test_targets_of_one_family_share_a_socket() -> None:
    one, other = replace(udp_target(514), host="192.0.2.1"), replace(udp_target(515), host="192.0.2.1")
    log = Log()
    assert log.syslog.target(one).sock is log.syslog.target(other).sock
    assert log.syslog.target(one) is log.syslog.target(replace(one))
    assert log.syslog.target(unix_target(Path("/nowhere"))).sock is not log.syslog.target(one).sock
    assert len(log.syslog.sockets) == 2


def test_a_target_on_the_loopback_has_a_connected_socket_of_its_own() -> None:
    one, here = udp_reader()
    other, there = udp_reader()
    log = Log()
    first = log.keep(replace(here, format="raw"), b"1")
    second = log.keep(replace(there, format="raw"), b"2")
    log.loop.turn()
    assert first.sock is not None
    assert second.sock is not None
    assert first.sock.getpeername() == one.socket.getsockname()
    assert second.sock.getpeername() == other.socket.getsockname()
    assert (one.lines(), other.lines()) == ([b"1\n"], [b"2\n"])
    log.syslog.close()
    log.keep(replace(here, format="raw"), b"3")
    log.loop.turn()
    assert first.dropped == 1


def test_a_syslog_daemon_that_starts_anew_is_found_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = Log()
    target = replace(unix_target(path), format="raw")
    first = Reader(socket.AF_UNIX, str(path))
    log.keep(target, b"1")
    log.loop.turn()
    assert first.lines() == [b"1\n"]
    first.socket.close()
    kept = log.keep(target, b"2")
    log.loop.turn()
    path.unlink()
    log.keep(target, b"3")
    log.loop.turn()
    second = Reader(socket.AF_UNIX, str(path))
    log.keep(target, b"4")
    log.loop.turn()
    assert second.lines() == [b"4\n"]
    assert kept.dropped == log.syslog.dropped() == 2


def test_a_missing_dev_log_is_told_once_and_counted(tmp_path: Path) -> None:
    log = Log()
    kept = log.keep(unix_target(tmp_path / "log"), *[b"x"] * 20)
    log.loop.turn()
    assert kept.dropped == 20
    assert log.reports == [
        f"log target {tmp_path}/log : No such file or directory; from now on its lines are counted and not reported."
    ]


def test_a_full_reader_costs_lines_and_no_time(tmp_path: Path) -> None:
    reader = Reader(socket.AF_UNIX, str(tmp_path / "log"))
    log = Log()
    kept = log.keep(replace(unix_target(tmp_path / "log"), format="raw"), *[b"x"] * 2000)
    log.loop.turn()
    received = reader.lines()
    assert kept.dropped == 2000 - len(received) > 0
    assert log.reports == []
    log.keep(replace(unix_target(tmp_path / "log"), format="raw"), b"later")
    log.loop.turn()
    assert reader.lines() == [b"later\n"]


def test_nobody_at_the_port_loses_no_line_of_another_target() -> None:
    reader, target = udp_reader()
    nobody, closed = udp_reader()
    nobody.socket.close()
    log = Log()
    for _ in range(5):
        log.keep(closed, b"lost")
        log.keep(replace(target, format="raw"), b"kept")
        log.loop.turn()
    assert reader.lines() == [b"kept\n"] * 5


def pipe(room: int = 4096) -> tuple[int, int]:
    """A pipe of that size: where to read, where to write."""
    import fcntl

    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, room)  # F_SETPIPE_SZ
    os.set_blocking(reading, False)
    return reading, writing


def emptied(reading: int) -> bytes:
    """All that the pipe holds."""
    found = b""
    while True:
        try:
            piece = os.read(reading, 65536)
        except BlockingIOError:
            return found
        found += piece


@pytest.mark.parametrize("way", ["own", "shared"])
def test_a_full_pipe_drops_whole_lines_and_never_waits(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "shared":

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    reading, writing = pipe()
    stream = Stream(writing)
    assert os.get_blocking(writing), "whoever shares the descriptor must not see it change"
    lines = [b"%04d" % number + b"x" * 95 + b"\n" for number in range(200)]
    dropped = stream.write(lines)
    received = emptied(reading)
    assert dropped > 0
    dropped += stream.write([b"last\n"])
    received += emptied(reading)
    whole = received.splitlines(keepends=True)
    assert all(line in lines for line in whole[:-1])
    assert whole[-1] == b"last\n"
    assert len(whole) + dropped == 201
    assert whole[:-1] == lines[: len(whole) - 1]


def test_a_line_that_was_cut_is_ended_before_the_next_one() -> None:
    reading, writing = pipe()
    stream = Stream(writing)
    assert stream.write([b"a" * 6000 + b"\n", b"b\n"]) == 1
    received = emptied(reading)
    assert stream.write([b"c\n"]) == 0
    assert received + emptied(reading) == b"a" * 6000 + b"\nc\n"


def test_a_pipe_without_a_reader_is_told_once_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = pipe()
    log = Log()
    monkeypatch.setattr("balancer.observe.syslog.Stream", lambda _descriptor: Stream(writing))
    os.close(reading)
    kept = log.keep(replace(udp_target(0), kind="stdout", format="raw"), b"1", b"2")
    log.loop.turn()
    log.keep(replace(udp_target(0), kind="stdout", format="raw"), b"3")
    log.loop.turn()
    assert kept.dropped == 3
    assert log.reports == ["log target stdout : Broken pipe; from now on its lines are counted and not reported."]


def test_a_journal_socket_is_sent_to_without_waiting() -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours.fileno())
    lines = [b"x" * 999 + b"\n"] * 2000
    dropped = stream.write(lines)
    assert dropped > 0
    theirs.setblocking(False)
    received = b""
    while len(received) < (2000 - dropped) * 1000 - 1000:
        received += theirs.recv(1 << 20)
    assert stream.write([b"last\n"]) == 0
    theirs.settimeout(5.0)
    while not received.endswith(b"last\n"):
        received += theirs.recv(1 << 20)
    assert received.count(b"\n") == 2000 - dropped + 1


def test_a_file_takes_every_line(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as file:
        assert Stream(file.fileno()).write([b"line\n"] * 5000) == 0
    assert (tmp_path / "log").read_bytes() == b"line\n" * 5000


def test_events_go_to_the_targets_of_their_proxy() -> None:
    of_process, process_target = udp_reader()
    of_proxy, proxy_target = udp_reader()
    log = Log()
    backend = backend_record(logs=(replace(proxy_target, format="raw"),), name="be")
    config = model_record(backend, frontend_record(name="fe", logs=()))
    config = replace(config, process=replace(config.process, logs=(replace(process_target, format="raw"),)))
    logger = Logger(config, log.syslog)
    logger.event(model.ALERT, "be", "Server be/s is DOWN,\nsays it")
    logger.event(model.ALERT, "fe", "told to nobody")
    logger.process_event(model.NOTICE, "of the process")
    logger.flush()
    assert of_proxy.lines() == [b"Server be/s is DOWN, says it\n"]
    assert of_process.lines() == [b"of the process\n"]
    logger.close()


@pytest.mark.parametrize("form", ["rfc3164", "rfc5424", "short", "timed", "raw"])
def test_a_message_that_fits_the_room_is_not_cut(form: str) -> None:
    config = replace(udp_target(9), format=form, length_max=200)
    target = Target(config, Header(form, "haproxy", 31553, "here"), None, None, lambda _text: None)
    target.keep(model.INFO, b"x" * target.message_room())
    (line,) = target.lines
    assert len(line) <= 201
    assert line.endswith(b"x" * target.message_room() + b"\n")


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("local", rb"<132>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d own\[4711\]: m\n"),
        ("rfc3164", rb"<132>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d here own\[4711\]: m\n"),
        ("rfc5424", rb'<132>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d here own 4711 - \[a b="c"\] m\n'),
        ("priority", rb"<132>m\n"),
        ("short", rb"<4>m\n"),
        ("timed", rb"<4>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d m\n"),
        ("iso", rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d m\n"),
        ("raw", rb"m\n"),
    ],
)
def test_each_format_has_its_own_header(form: str, line: bytes) -> None:
    reader, target = udp_reader()
    log = Log()
    kept = log.syslog.target(replace(target, format=form, tag="own", hostname="here"))
    log.syslog.keep([kept], model.WARNING, b"m", b'[a b="c"]')
    log.loop.turn()
    (found,) = reader.lines()
    assert re.fullmatch(line, found), found


@pytest.mark.parametrize(
    ("zone", "end"),
    [("UTC", b"+00:00"), ("Europe/Berlin", b"+01:00"), ("America/St_Johns", b"-03:30"), ("Asia/Kathmandu", b"+05:45")],
)
def test_a_date_of_rfc5424_names_its_zone(zone: str, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        monkeypatch.setattr(time, "time", lambda: 1800000000.25)
        start = Header("rfc5424", "haproxy", 7, "").start(16, model.INFO)
        assert re.fullmatch(rb"<134>1 2027-01-15T\d\d:\d\d:00\.250000" + re.escape(end) + rb" - haproxy 7 - - ", start), start
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_header_is_rendered_anew_when_the_second_has_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    header = Header("timed", "haproxy", 7, "")
    starts = []
    for now in (1800000000.0, 1800000000.999999, 1800000001.5):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        starts.append(header.start(16, model.INFO))
    assert [start[19:28] for start in starts] == [b":00.00000", b":00.99999", b":01.50000"]


def test_of_a_sample_those_lines_are_sent_whose_turn_it_is() -> None:
    reader, target = udp_reader()
    log = Log()
    chosen = replace(target, format="raw", sample=((1, 1), (3, 4)), sample_size=5, severity_max=model.INFO)
    for number in range(12):
        log.keep(chosen, b"never counted", severity=model.DEBUG)
        log.keep(chosen, b"%d" % number)
    log.loop.turn()
    assert reader.lines() == [b"%d\n" % number for number in (0, 2, 3, 5, 7, 8, 10)]


def test_an_abstract_socket_is_found_by_its_name() -> None:
    name = f"\0log-{os.getpid()}".ljust(108, "\0")
    reader = Reader(socket.AF_UNIX, name)
    log = Log()
    log.keep(replace(unix_target(Path("x")), path=name, format="raw"), b"m")
    log.loop.turn()
    assert reader.lines() == [b"m\n"]


def test_a_datagram_socket_that_was_given_gets_each_line_alone() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    log = Log()
    kept = log.keep(replace(udp_target(0), kind="fd", port=ours.fileno(), format="raw"), b"1", b"2")
    ours.close()
    log.loop.turn()
    assert [theirs.recv(100), theirs.recv(100)] == [b"1\n", b"2\n"]
    theirs.close()
    log.keep(replace(udp_target(0), kind="fd", port=kept.config.port, format="raw"), b"3")
    log.loop.turn()
    assert kept.dropped == 1
    why = "Transport endpoint is not connected"
    told = f"log target fd@{kept.config.port} : {why}; from now on its lines are counted and not reported."
    assert log.reports == [told]


def test_a_descriptor_that_was_closed_at_the_start_is_never_written_to_whatever_it_is_later(tmp_path: Path) -> None:
    probe = os.open(tmp_path / "first", os.O_WRONLY | os.O_CREAT)
    os.close(probe)
    log = Log()
    config = replace(udp_target(0), kind="fd", port=probe, format="raw")
    kept = log.syslog.target(config)
    later = os.open(tmp_path / "later", os.O_WRONLY | os.O_CREAT)
    try:
        log.keep(config, b"m")
        log.loop.turn()
        assert later == probe
        assert (tmp_path / "later").read_bytes() == b""
        assert kept.dropped == 1
    finally:
        os.close(later)


def test_a_burst_goes_on_behind_a_line_that_is_too_large_for_the_socket(tmp_path: Path) -> None:
    reader = Reader(socket.AF_UNIX, str(tmp_path / "log"))
    log = Log()
    target = replace(unix_target(tmp_path / "log"), format="raw", length_max=65000)
    kept = log.keep(target, b"a" * 40, b"b" * 60000, b"c" * 60)
    assert kept.sock is not None
    kept.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4608)
    log.loop.turn()
    assert [line[:1] for line in reader.lines()] == [b"a", b"c"]
    assert kept.dropped == 1
    assert log.reports == [f"log target {tmp_path}/log : Message too long; from now on its lines are counted and not reported."]
