"""What the functions cost that every request passes: `make bench-micro`. Each asserts its result, so it measures work done.

Calls come from interpreted code, which adds about 0.05 us that a request does not pay.
"""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from balancer import config, model
from balancer.backend.backend import ASSIGNED, Backend, Request
from balancer.backend.events import EventLog
from balancer.config.formats import parse_format
from balancer.config.logformats import HTTP_FORMAT
from balancer.http.head import RequestHead, ResponseHead, find_end
from balancer.http.leaves import cookie_values
from balancer.observe.accesslog import HttpLog, escaped
from balancer.observe.logtext import Format
from balancer.observe.syslog import Syslog
from balancer.proxy.captured import last_value
from balancer.proxy.record import Detail, Record

# What pytest-benchmark gives: calls the function again and again, returns what it returned.
Benchmark = Callable[..., Any]

FIELD_COUNT_MAX: Final = 100
COOKIE: Final = b"theme=light; SEASIDE=app1inst7; lang=en"
LOG_TIME_S: Final = 1_795_000_000.605
REQUEST: Final = (
    b"GET /seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m&1 HTTP/1.1\r\n"
    b"Host: linuxweb1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://linuxweb1/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m\r\n"
    b"DNT: 1\r\n"
    b"Cookie: " + COOKIE + b"\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-User: ?1\r\n"
    b"Priority: u=0, i\r\n\r\n"
)
BARE: Final = b"GET / HTTP/1.1\r\nHost: linuxweb1\r\n\r\n"
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\n"
    b"Content-Length: 512\r\nConnection: keep-alive\r\n\r\n"
)
SITE: Final = """\
defaults
    mode http
    option httplog
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen smalltalk
    bind 127.0.0.1:8080
    log 127.0.0.1:%d local0
    cookie SEASIDE insert nocache
    balance roundrobin
"""
SERVER: Final = "    server app%d 127.0.0.1:%d cookie app1inst%d check\n"
FIRST_PORT: Final = 3001


def site(folder: Path, server_count: int, log_port: int = 514) -> model.Model:
    """The original file with so many servers."""
    file = folder / "haproxy.cfg"
    servers = "".join(SERVER % (n, FIRST_PORT + n, n) for n in range(1, server_count + 1))
    file.write_text(SITE % log_port + servers, encoding="ascii")
    loaded = config.load([str(file)]).model
    assert loaded is not None
    return loaded


class NoEvents(EventLog):
    """Events of servers that nobody reads."""


def backend_of(folder: Path, server_count: int) -> Backend:
    """A backend whose servers are all up."""
    return Backend(site(folder, server_count).backends[0], NoEvents(), 0.0)


@pytest.fixture
def sink() -> Iterator[int]:
    """A UDP port on which nobody reads."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        yield receiver.getsockname()[1]


@pytest.mark.parametrize("head", [BARE, REQUEST], ids=["bare", "browser"])
def test_request_head(benchmark: Benchmark, head: bytes) -> None:
    scanned = benchmark(lambda: RequestHead(head, 0, find_end(head, 0), FIELD_COUNT_MAX))
    assert scanned.error == 0
    assert scanned.end == len(head)


def test_forwarded_head(benchmark: Benchmark) -> None:
    head = RequestHead(REQUEST, 0, find_end(REQUEST, 0), FIELD_COUNT_MAX)
    assert benchmark(head.forwarded, b"linuxweb1", b"").endswith(b"\r\n\r\n")


def test_response_head(benchmark: Benchmark) -> None:
    end = find_end(ANSWER, 0)
    assert benchmark(ResponseHead, ANSWER, 0, end, FIELD_COUNT_MAX, b"SEASIDE", False).status == 200


def test_cookie_search(benchmark: Benchmark) -> None:
    assert benchmark(cookie_values, COOKIE, b"SEASIDE") == [b"app1inst7"]


@pytest.mark.parametrize("server_count", [2, 10, 1000])
def test_server_of_a_cookie(benchmark: Benchmark, tmp_path: Path, server_count: int) -> None:
    persistence = backend_of(tmp_path, server_count).persistence
    assert persistence is not None
    lines = [b"theme=light; SEASIDE=app1inst%d; lang=en" % server_count]
    assert benchmark(persistence.judge, lines).server.name == f"app{server_count}"


@pytest.mark.parametrize("server_count", [2, 10, 1000])
def test_select_and_release(benchmark: Benchmark, tmp_path: Path, server_count: int) -> None:
    backend = backend_of(tmp_path, server_count)
    request = Request()

    def turn() -> int:
        verdict = backend.assign(request, 0.0)
        backend.release(request, 0.0)
        return verdict

    assert benchmark(turn) == ASSIGNED


def test_log_line(benchmark: Benchmark, tmp_path: Path, sink: int) -> None:
    log = HttpLog(*_syslog(tmp_path, sink))
    assert benchmark(log.line, _record()).endswith(b'HTTP/1.1"')


def test_log_line_by_a_format(benchmark: Benchmark) -> None:
    record = _record()
    record.detail = Detail()
    record.detail.request_fields = [b"203.0.113.7", b"Mozilla/5.0 (X11; Linux x86_64; rv:115.0)"]
    words = Format(parse_format(HTTP_FORMAT))
    assert benchmark(words.text, record).endswith(b'HTTP/1.1"')


def test_captured_field(benchmark: Benchmark) -> None:
    lines = REQUEST[REQUEST.find(b"\r\n") :]
    assert benchmark(last_value, lines, lines.lower(), b"host") is not None


def test_log_line_and_send(benchmark: Benchmark, tmp_path: Path, sink: int) -> None:
    syslog, frontend = _syslog(tmp_path, sink)
    log = HttpLog(syslog, frontend)
    record = _record()

    def write_a_burst() -> None:
        for _ in range(32):
            log.write(record)
        syslog.flush()

    benchmark(write_a_burst)


def test_escaped_request_line(benchmark: Benchmark) -> None:
    line = REQUEST[: REQUEST.find(b"\r\n")]
    assert benchmark(escaped, line) == line


class NoLoop:
    """A loop on which nothing runs: the benchmark flushes."""

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Keeps quiet."""


def _syslog(folder: Path, port: int) -> tuple[Syslog, model.Frontend]:
    loop: Any = NoLoop()
    return Syslog("haproxy", 1, loop), site(folder, 10, port).frontends[0]


def _record() -> Record:
    record = Record()
    record.client_host, record.client_port, record.accepted_at = "127.0.0.1", 38988, LOG_TIME_S
    record.frontend_name, record.backend_name, record.server_name = "smalltalk", "smalltalk", "app7"
    record.status, record.bytes_read = 200, 730
    record.cause = record.phase = ord("-")
    record.cookie_in, record.cookie_out = ord("V"), ord("N")
    record.request_line = REQUEST[: REQUEST.find(b"\r\n")]
    return record
