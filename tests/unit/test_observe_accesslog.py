"""The lines of traffic against those that HAProxy 2.6.12 wrote, each read back into a record and written again."""

import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from recorded import HTTPLOG, http_log_lines
from records import ORIGIN, frontend_record

from balancer import model
from balancer.observe.accesslog import (
    QUOTED,
    SLASHED,
    SLASHED_PLUS,
    SPACED,
    Calendar,
    ConnectLog,
    HttpLog,
    escaped,
    number,
)
from balancer.observe.formatlog import access_log
from balancer.observe.syslog import Syslog
from balancer.proxy.record import Record


class NoLoop:
    """A loop on which nothing runs: the test flushes."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Keeps quiet."""


class Received:
    """A UDP target and what it got."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        port = self.socket.getsockname()[1]
        self.target = model.LogTarget("udp", "127.0.0.1", port, "", 16, model.DEBUG, model.EMERG, "local", 1024, ORIGIN)

    def lines(self) -> list[bytes]:
        """The datagrams that have come since the last call."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self.socket.recv(70000))
            except BlockingIOError:
                return found


@pytest.fixture
def received() -> Iterator[Received]:
    target = Received()
    yield target
    target.socket.close()


def syslog() -> Syslog:
    loop: Any = NoLoop()
    return Syslog("haproxy", 31553, loop)


def seconds_of(date: str) -> float:
    """`dd/Mon/yyyy:hh:mm:ss.mmm` of local time as seconds since the epoch."""
    return datetime.strptime(date, "%d/%b/%Y:%H:%M:%S.%f").timestamp()


def record_of(line: str) -> Record:
    """The record that must give this line."""
    found = HTTPLOG.fullmatch(line)
    assert found is not None, line
    parts = found.groupdict()
    record = Record()
    for name in ("client_host", "frontend_name", "backend_name", "server_name"):
        setattr(record, name, parts.pop(name))
    request, date, plus, flags = (parts.pop(name) for name in ("request", "date", "plus", "flags"))
    for name, value in parts.items():
        setattr(record, name, int(value))
    record.accepted_at = seconds_of(date)
    record.is_redispatched = bool(plus)
    record.cause, record.phase, record.cookie_in, record.cookie_out = (ord(letter) for letter in flags)
    record.request_line = b"" if request == "<BADREQ>" else request.replace("#22", '"').encode()
    return record


def test_the_recording_covers_the_flags() -> None:
    lines = http_log_lines()
    assert len(lines) > 80
    flags = {line.split(" - - ")[1][:4] for line in lines}
    assert {
        "--NI",
        "--VN",
        "--DI",
        "SCNN",
        "sC--",
        "sQNN",
        "CQNN",
        "SHVN",
        "PHVN",
        "sHVN",
        "SDVN",
        "cDVN",
        "PR--",
        "cR--",
    } <= flags


@pytest.mark.parametrize("line", http_log_lines())
def test_a_line_of_haproxys_is_written_again_octet_for_octet(line: str) -> None:
    assert HttpLog(syslog(), frontend_record()).line(record_of(line)) == line.encode()


@pytest.mark.parametrize(
    ("request_line", "logged"),
    [
        (b'GET /a"b%22%09 HTTP/1.1', b"GET /a#22b%22%09 HTTP/1.1"),
        (b"GET /#1 HTTP/1.1", b"GET /#231 HTTP/1.1"),
        (b"GET /\x00\t\n\x1b[2J\x7f\xff HTTP/1.1", b"GET /#00#09#0A#1B[2J#7F#FF HTTP/1.1"),
        (b"GET /{a|b} HTTP/1.1", b"GET /{a|b} HTTP/1.1"),
    ],
)
def test_a_request_can_forge_neither_line_nor_field(request_line: bytes, logged: bytes) -> None:
    assert escaped(request_line) == logged
    record = Record()
    record.request_line = request_line
    assert HttpLog(syslog(), frontend_record()).line(record).endswith(b' "' + logged + b'"')


def test_every_octet_of_a_request_is_plain_or_escaped() -> None:
    for octet in range(256):
        plain = 32 <= octet <= 126 and octet not in (34, 35)
        assert escaped(bytes([octet])) == (bytes([octet]) if plain else b"#%02X" % octet)


@pytest.mark.parametrize("milliseconds", [0, 1, 9, 10, 99, 100, 605, 787, 999])
def test_a_date_keeps_its_milliseconds(milliseconds: int) -> None:
    at = seconds_of("23/Nov/2026:04:03:47.000") + milliseconds / 1000.0
    assert Calendar().date(at) == f"23/Nov/2026:04:03:47.{milliseconds:03d}"


def test_a_date_is_its_own_even_when_it_is_older_than_the_last_one() -> None:
    calendar = Calendar()
    dates = ["03/Nov/2026:04:04:00.250", "03/Nov/2026:04:03:47.001", "03/Nov/2026:04:04:00.250"]
    assert [calendar.date(seconds_of(date)) for date in dates] == dates


def test_the_default_line_names_both_ends_and_leaves_bad_requests_out(received: Received) -> None:
    targets = syslog()
    log = ConnectLog(targets, frontend_record(logs=(received.target,), name="a"))
    record = Record()
    record.client_host, record.client_port, record.bind_host, record.bind_port = "127.0.0.1", 49618, "127.0.0.1", 47857
    record.frontend_name = "a"
    log.write(record)
    record.request_line = b"GET / HTTP/1.1"
    log.write(record)
    targets.close()
    messages = [line.partition(b": ")[2] for line in received.lines()]
    assert messages == [b"Connect from 127.0.0.1:49618 to 127.0.0.1:47857 (a/HTTP)\n"]


def test_traffic_is_of_severity_info(received: Received) -> None:
    targets = syslog()
    notices_only = replace(received.target, severity_max=model.NOTICE, facility=17)
    log = access_log(targets, frontend_record(logs=(received.target, notices_only)))
    assert isinstance(log, HttpLog)
    log.write(Record())
    targets.close()
    assert [line[:5] for line in received.lines()] == [b"<134>"]


def test_without_a_target_or_a_format_no_line_is_made(received: Received) -> None:
    targets = syslog()
    assert access_log(targets, frontend_record(logs=())) is None
    assert access_log(targets, frontend_record(logs=(received.target,), log_format="none")) is None
    assert isinstance(access_log(targets, frontend_record(logs=(received.target,), log_format="connect")), ConnectLog)
    targets.close()


@pytest.mark.parametrize("value", [-1, 0, 9, 10, 999, 1000, 1001, 123456789012])
def test_a_number_reads_alike_from_the_table_and_beside_it(value: int) -> None:
    assert number(value, SLASHED) == b"%d/" % value
    assert number(value, SLASHED_PLUS) == b"%d/+" % value
    assert number(value, SPACED) == b"%d " % value
    assert number(value, QUOTED) == b'%d "' % value
