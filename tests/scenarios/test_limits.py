"""Clients that are slow, silent or greedy: each is held to a limit, costs little, and nobody else waits for it.

Where it makes sense both programs are held to the same words: the balancer and Debian's haproxy. How much each attack costs is
measured by `make limits` and told in docs/limits.md.
"""

import re
import select
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import limits_beside_haproxy
import pytest
from peers import require_peer
from program import Balancer, SyslogReceiver, ask
from running import free_port, is_serving, running, wait_until
from sides import Line, ScriptedServer, parse_line

TEMPLATE: Final = """
global
    log 127.0.0.1:{log} local0
    {process}
defaults
    log global
    mode http
    option httplog
    timeout connect 1s
    timeout server 5s
    timeout client 600
    timeout http-request 400
listen smalltalk
    bind 127.0.0.1:{port}
    {words}
    server app1 127.0.0.1:{server}
"""

# How much later than its limit an end may come on a slow machine; a limit that does not act is later by far.
LATE_S: Final = 4.0
HEAD_S: Final = 0.4
CLIENT_S: Final = 0.6


@dataclass
class Running:
    """One program under attack."""

    port: int
    pid: int
    log: SyslogReceiver
    server: ScriptedServer

    def lines(self) -> list[Line]:
        """The lines of traffic so far."""
        return [line for _, text in self.log.lines() if (line := parse_line(text)) is not None]

    def line(self) -> Line:
        """The first line of traffic."""
        wait_until(lambda: bool(self.lines()), "a line", tells=lambda: str(self.log.datagrams))
        return self.lines()[0]

    def kib(self) -> int:
        """Resident memory, the highest so far."""
        found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1])

    def connect(self) -> socket.socket:
        """A client that sends each octet at once."""
        client = socket.create_connection(("127.0.0.1", self.port), 10.0)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return client


@contextmanager
def attacked(name: str, folder: Path, process: str = "", words: str = "") -> Iterator[Running]:
    """The balancer or haproxy on the template, before the scripted server."""
    port = free_port()
    with ExitStack() as stack:
        log = stack.enter_context(SyslogReceiver())
        server = ScriptedServer()
        stack.callback(server.close)
        text = TEMPLATE.format(log=log.port, port=port, server=server.port, process=process, words=words)
        if name == "balancer":
            balancer = stack.enter_context(Balancer(text, folder))
            wait_until(lambda: is_serving(port), "the balancer serves", tells=balancer.said)
            pid = balancer.process.pid
        else:
            file = folder / "haproxy.cfg"
            file.write_text(text, encoding="ascii")
            program = stack.enter_context(running([require_peer(name), "-db", "-f", str(file)], folder / "haproxy.out"))
            program.wait_for_port(port)
            pid = program.process.pid
        yield Running(port, pid, log, server)


def drip(client: socket.socket, octets: bytes, every_s: float, within_s: float) -> tuple[bytes, float]:
    """Sends an octet each `every_s` until an answer comes; the answer up to its end, and after how many seconds it began."""
    begun_at = time.monotonic()
    answered_s = 0.0
    for octet in octets:
        if select.select([client], [], [], every_s)[0]:
            answered_s = time.monotonic() - begun_at
            break
        client.sendall(bytes([octet]))
        assert time.monotonic() - begun_at < within_s, "it drips for ever"
    client.settimeout(5.0)
    answer = b""
    try:
        while received := client.recv(65536):
            answer += received
    except (ConnectionError, TimeoutError):
        pass
    return answer, answered_s or time.monotonic() - begun_at


both = pytest.mark.parametrize("name", ["balancer", "haproxy"])


@both
def test_an_octet_now_and_then_does_not_keep_a_head_open_beyond_its_total_deadline(name: str, tmp_path: Path) -> None:
    with attacked(name, tmp_path) as program, program.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nx: ")
        answer, seconds = drip(client, b"a" * 1000, 0.05, HEAD_S + LATE_S)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert HEAD_S - 0.02 <= seconds < HEAD_S + LATE_S
        line = program.line()
        assert (line.status, line.flags, line.server) == (408, "cR--", "<NOSRV>")
        assert program.server.heads == []


def test_the_deadline_of_a_later_head_counts_from_its_first_octet(tmp_path: Path) -> None:
    with attacked("balancer", tmp_path) as program, program.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(4096).endswith(b"hello")
        answer, seconds = drip(client, b"GET /" + b"a" * 1000, 0.05, HEAD_S + LATE_S)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert HEAD_S - 0.02 <= seconds < HEAD_S + LATE_S


@both
def test_a_client_that_never_sends_is_let_go(name: str, tmp_path: Path) -> None:
    with attacked(name, tmp_path) as program, program.connect() as client:
        begun_at = time.monotonic()
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
        assert HEAD_S - 0.02 <= time.monotonic() - begun_at < HEAD_S + LATE_S
        assert program.server.heads == []


def test_a_body_that_drips_goes_on_and_one_that_stops_is_ended(tmp_path: Path) -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 20\r\n\r\n"
    with attacked("balancer", tmp_path) as program:
        with program.connect() as client:
            client.sendall(head)
            answer, seconds = drip(client, b"0123456789" * 2, 0.05, 20.0)
            assert answer.endswith(b"0123456789" * 2)
            assert seconds > CLIENT_S
        wait_until(lambda: 200 in {line.status for line in program.lines()}, "its line")
        with program.connect() as client:
            begun_at = time.monotonic()
            client.sendall(head + b"01234")
            assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
            assert CLIENT_S - 0.02 <= time.monotonic() - begun_at < CLIENT_S + LATE_S
        wait_until(lambda: (408, "cH") in {(line.status, line.flags[:2]) for line in program.lines()}, "the line of the other")


@both
def test_a_reader_that_stops_is_ended_and_costs_no_more_than_the_buffers(name: str, tmp_path: Path) -> None:
    with attacked(name, tmp_path) as program, socket.socket() as client:
        before = program.kib()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", program.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        line = program.line()
        assert (line.status, line.flags) == (200, "cD--")
        assert CLIENT_S * 1000 - 20 <= line.timers[4] < (CLIENT_S + LATE_S) * 1000
        assert program.kib() - before < 4096
        assert ask(program.port).endswith(b"hello")


@both
def test_a_head_in_one_octet_segments_is_served(name: str, tmp_path: Path) -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nx: " + b"a" * 6000 + b"\r\n\r\n"
    with attacked(name, tmp_path, words="timeout http-request 30s") as program, program.connect() as client:
        for octet in head:
            client.sendall(bytes([octet]))
        answer = b""
        while received := client.recv(4096):
            answer += received
        assert answer.endswith(b"hello")
        assert program.server.heads[0].endswith(b"a" * 6000)


def test_a_flood_of_pipelined_requests_is_held_up_at_a_bounded_depth(tmp_path: Path) -> None:
    request = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
    with attacked("balancer", tmp_path, words="timeout client 20s") as program:
        before = program.kib()
        with program.connect() as client:
            client.setblocking(False)
            sent = 0
            block = request * 1000
            # Until the kernel's buffers on both ends are full, which they are when nothing more goes out for a while.
            while select.select([], [client], [], 0.5)[1]:
                sent += client.send(block[sent % len(request) :])
                assert sent < 64 << 20, "nothing holds the client up"
            assert ask(program.port).endswith(b"hello")
            assert program.kib() - before < 4096
            # It is still served, in order, one at a time.
            client.settimeout(10.0)
            answers = b""
            while answers.count(b"hello") < 3:
                answers += client.recv(4096)
        assert len(program.server.heads) < 100


@both
@pytest.mark.parametrize("where", ["process", "words"])
def test_a_flood_of_connections_beyond_maxconn_waits_in_the_backlog_and_is_served(
    name: str, where: str, tmp_path: Path
) -> None:
    patient = "timeout http-request 10s\n    timeout client 10s"  # a hundred clients of one slow process take their time
    words = {"process": "", "words": patient, where: f"maxconn 10\n    {patient}" if where == "words" else "maxconn 10"}
    # A frontend's maxconn is its backlog, too: what the kernel has no room for comes again only after seconds.
    together = 18 if where == "words" else 100
    with attacked(name, tmp_path, **words) as program, ThreadPoolExecutor(together) as pool:
        answers = list(pool.map(lambda number: ask(program.port, f"/?{number}"), range(400)))
        assert [answer for answer in answers if not answer.endswith(b"hello")] == []
        assert len({head.split(b" ")[1] for head in program.server.heads}) == 400


@both
def test_a_reader_of_the_metrics_that_stops_is_ended_and_holds_up_nobody(name: str, tmp_path: Path) -> None:
    spare = "".join(f"    server spare{n} 127.0.0.1:9 disabled\n" for n in range(300))
    words = f"http-request use-service prometheus-exporter if {{ path /metrics }}\n{spare}"
    with attacked(name, tmp_path, words=words) as program, ExitStack() as stack:
        before = program.kib()
        for _ in range(20):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", program.port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n")
        for number in range(50):
            assert ask(program.port, f"/?{number}").endswith(b"hello")
        ended = [line for line in program.lines() if "/metrics" in line.request]
        wait_until(
            lambda: len([line for line in program.lines() if "/metrics" in line.request]) == 20,
            "a line for each reader",
            tells=lambda: str(ended),
        )
        assert program.kib() - before < 64 << 10


@both
@pytest.mark.parametrize(
    ("words", "fits", "too_much"),
    [
        ("tune.bufsize 8192", 7000, 7169),
        ("tune.bufsize 32768", 31000, 31745),
        ("tune.bufsize 8185\n    tune.maxrewrite 99999", 4000, 4097),
        ("tune.bufsize 65536\n    tune.maxrewrite 0", 65000, 65537),
    ],
)
def test_tune_bufsize_and_maxrewrite_bound_a_head(name: str, words: str, fits: int, too_much: int, tmp_path: Path) -> None:
    front = b"GET / HTTP/1.1\r\nHost: a\r\nx: "
    with attacked(name, tmp_path, process=words) as program:
        for octets, status in ((fits, b"200"), (too_much, b"400")):
            with program.connect() as client:
                client.sendall(front + b"a" * (octets - len(front) - 4) + b"\r\n\r\n")
                assert client.recv(4096)[9:12] == status


@both
@pytest.mark.parametrize("maxhdr", [20, 300])
def test_tune_http_maxhdr_bounds_the_lines_of_a_head(name: str, maxhdr: int, tmp_path: Path) -> None:
    with attacked(name, tmp_path, process=f"tune.http.maxhdr {maxhdr}") as program:
        for others, status in ((maxhdr - 2, b"200"), (maxhdr - 1, b"400")):
            with program.connect() as client:
                client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * others + b"\r\n")
                assert client.recv(4096)[9:12] == status


def test_the_costs_of_attacks_are_measured_for_both_programs(capsys: pytest.CaptureFixture[str]) -> None:
    require_peer("haproxy")
    words = ["--connections", "25", "--seconds", "0.2"]
    chosen = [word for name in ("slowloris", "slow read", "pipelining") for word in ("--attack", name)]
    assert limits_beside_haproxy.main([*words, *chosen]) == 0
    _, _, _, *rows = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:2] for row in cells] == [["slowloris", "25"], ["slow read", "5"], ["pipelining", "1"]]
    for row in cells:
        for memory, cpu_ms, p99_ms, answered in (row[2:6], row[6:10]):
            served, _, asked = answered.partition("/")
            assert served == asked
            assert int(asked) > 0
            assert float(memory) < 4096 and float(cpu_ms) > 0 and float(p99_ms) > 0
