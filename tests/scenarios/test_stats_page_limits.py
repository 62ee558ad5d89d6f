"""Visitors of the statistics that do not read, or send what is odd: memory stays, others are served, and nothing is a fault."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

import pytest
from program import Balancer, ask
from running import free_port, wait_until

SERVERS: Final = 300
# As many answers as are under way at most (`admin.streaming`), and some more.
ANSWERS_MAX: Final = 64
READERS: Final = 70
# What the kernel may take of an answer; left alone, it may grow to megabytes, and a reader who does not read is not noticed.
SEND_BUFFER_OCTETS: Final = 65536
# What a reader who does not read may cost, kernel's buffers aside.
OCTETS_PER_READER: Final = 1 << 20


def config(port: int) -> str:
    servers = "".join(f"    server s{number} 127.0.0.1:9 cookie c{number}\n" for number in range(SERVERS))
    return (
        f"global\n    tune.sndbuf.client {SEND_BUFFER_OCTETS}\n"
        "defaults\n    mode http\n    timeout connect 1s\n    timeout client 20s\n    timeout server 20s\n"
        f"listen a\n    bind 127.0.0.1:{port}\n    monitor-uri /alive\n    stats uri /stats\n{servers}"
    )


def resident(pid: int) -> int:
    """Octets of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_readers_that_do_not_read_cost_little_and_are_counted(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, port=port) as balancer, ExitStack() as stack:
        whole = ask(port, "/stats;json")
        assert whole.startswith(b"HTTP/1.1 200 ") and len(whole) > 2 << 20
        before = resident(balancer.process.pid)
        readers = []
        for _ in range(READERS):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", port))
            reader.sendall(b"GET /stats;json HTTP/1.1\r\nHost: a\r\n\r\n")
            readers.append(reader)
        starts = [reader.recv(12) for reader in readers]
        assert starts.count(b"HTTP/1.1 200") == ANSWERS_MAX
        assert starts.count(b"HTTP/1.1 503") == READERS - ANSWERS_MAX
        assert ask(port, "/alive").startswith(b"HTTP/1.1 200 ")
        assert ask(port, "/stats").startswith(b"HTTP/1.1 503 ")
        assert resident(balancer.process.pid) - before < READERS * OCTETS_PER_READER
        stack.close()
        wait_until(lambda: ask(port, "/stats;csv").startswith(b"HTTP/1.1 200 "), "room for others")
        assert "Traceback" not in balancer.said() and "ALERT" not in balancer.said()


FORM: Final = b"POST /stats HTTP/1.1\r\nHost: a\r\n"
ODD: Final = {
    "a field of 14,000 octets": (b"GET /stats HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 14000 + b"\r\n\r\n", b"200"),
    "a target of 14,000 octets": (b"GET /stats;" + b"a" * 14000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
    "a hundred lines": (b"GET /stats HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * 98 + b"\r\n", b"200"),
    "a form that breaks off": (FORM + b"Content-Length: 99\r\n\r\ns=app1", b""),
    "a form with ill-formed chunks": (FORM + b"Transfer-Encoding: chunked\r\n\r\n6\r\ns=app1xx", b"400"),
    "a form that is no gzip": (FORM + b"Content-Encoding: gzip\r\nContent-Length: 6\r\n\r\ns=app1", b"303"),
    "a form in an unknown coding": (FORM + b"Content-Encoding: br\r\nContent-Length: 6\r\n\r\ns=app1", b"303"),
}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Balancer]:
    port = free_port()
    with Balancer(config(port), tmp_path_factory.mktemp("page"), port=port) as balancer:
        yield balancer


@pytest.mark.parametrize("name", ODD)
def test_nothing_that_a_visitor_sends_to_the_page_is_a_fault_in_the_log(page: Balancer, name: str) -> None:
    octets, status = ODD[name]
    with socket.create_connection(("127.0.0.1", page.port), 10.0) as client:
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        got = b""
        with suppress(ConnectionResetError):
            got = client.makefile("rb").readline()
        assert got[9:12] == status
    assert ask(page.port, "/stats").startswith(b"HTTP/1.1 200 ")
    assert "Traceback" not in page.said()
