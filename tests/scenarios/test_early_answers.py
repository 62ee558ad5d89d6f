"""Answers that come before the request is whole, and who waits for whom: 413 and 401 during an upload, Expect: 100-continue.

The server of each test is a function on a raw socket, so that it reads and answers exactly when the test says so.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from program import Balancer, SyslogReceiver
from running import free_port, is_serving, wait_until

pytestmark = pytest.mark.pure

PATIENCE_S: Final = 10.0
MEGABYTE: Final = bytes(1_000_000)
REFUSAL: Final = b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbig\n"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Server = Callable[[socket.socket], None]


def read_head(connection: socket.socket) -> bytes:
    """Octets up to the end of the head, one by one: what follows stays in the kernel."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        octet = connection.recv(1)
        assert octet, f"the end after {head!r}"
        head += octet
    return head


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """That many octets, or fewer at the end."""
    octets = b""
    while len(octets) < count and (data := connection.recv(count - len(octets))):
        octets += data
    return octets


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end; a reset is one."""
    octets = b""
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            octets += data
    return octets


@contextmanager
def between(serve: Server, directory: Path) -> Iterator[tuple[int, SyslogReceiver]]:
    """The balancer before that server: its port, and its log."""
    port = free_port()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)

    def one(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            connection.settimeout(PATIENCE_S)
            serve(connection)

    def accept() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with SyslogReceiver() as log, listener:
        config = (
            f"global\n    log 127.0.0.1:{log.port} local0\n"
            "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n"
            "    timeout connect 5s\n    timeout client 5s\n    timeout server 5s\n"
            f"listen early\n    bind 127.0.0.1:{port}\n    server only 127.0.0.1:{listener.getsockname()[1]}\n"
        )
        with Balancer(config, directory) as balancer:
            wait_until(lambda: is_serving(port), f"{balancer!r} listens")
            yield port, log
        listener.shutdown(socket.SHUT_RDWR)


def client_of(port: int) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def upload_head(octets: int, *lines: bytes) -> bytes:
    return b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%s\r\n" % (
        octets,
        b"".join(line + b"\r\n" for line in lines),
    )


def test_a_refusal_reaches_the_client_although_the_server_resets_what_it_does_not_read(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(REFUSAL)  # and closes with the upload unread: a reset follows the answer

    with between(serve, tmp_path) as (port, log):
        for _ in range(40):
            with client_of(port) as client:
                with suppress(ConnectionError):
                    client.sendall(upload_head(3_000_000))
                    for _ in range(3):
                        client.sendall(MEGABYTE)
                client.settimeout(PATIENCE_S)
                assert read_exactly(client, len(REFUSAL) - len(b"Connection: close\r\n")).startswith(b"HTTP/1.1 413 ")
        wait_until(lambda: len(log.datagrams) == 40, "40 log lines")
        assert {text.split(" ")[5] for _, text in log.lines()} == {"413"}, log.lines()


def test_a_client_that_goes_on_sending_is_read_politely_until_it_has_seen_the_answer(tmp_path: Path) -> None:
    answered = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(REFUSAL)
        answered.set()
        read_all(connection)

    with between(serve, tmp_path) as (port, _), client_of(port) as client:
        client.sendall(upload_head(1 << 30))
        assert answered.wait(PATIENCE_S)
        for _ in range(20):  # none of it is refused while it lingers
            client.sendall(MEGABYTE)
        client.shutdown(socket.SHUT_WR)
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 413 ") and answer.endswith(b"\r\n\r\nbig\n")
        assert b"connection: close\r\n" in answer.lower()


def test_the_rest_of_a_refused_upload_is_never_taken_for_a_request(tmp_path: Path) -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
        read_all(connection)

    with between(serve, tmp_path) as (port, log), client_of(port) as client:
        smuggled = b"GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
        client.sendall(upload_head(10 * len(smuggled)) + smuggled)
        head = read_head(client)
        assert head.startswith(b"HTTP/1.1 401 ")
        client.sendall(smuggled * 9)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""
        log.wait_for("POST /up")
        assert [head.split(b" ")[1] for head in heads] == [b"/up"]


def test_answer_and_upload_run_at_the_same_time(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n")
        for _ in range(3):  # each answer octet needs what the client sends after it has seen the one before
            connection.sendall(b"<" + read_exactly(connection, 1))

    with between(serve, tmp_path) as (port, _), client_of(port) as client:
        client.sendall(upload_head(3))
        assert read_head(client).startswith(b"HTTP/1.1 200 ")
        for octet in (b"a", b"b", b"c"):
            client.sendall(octet)
            assert read_exactly(client, 2) == b"<" + octet


def test_continue_passes_both_ways(tmp_path: Path) -> None:
    heads: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        heads.append(read_head(connection))
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert read_exactly(connection, 5) == b"hello"
        connection.sendall(OK)

    with between(serve, tmp_path) as (port, _), client_of(port) as client:
        client.sendall(upload_head(5, b"Expect: 100-continue"))
        assert read_head(client) == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"hello")
        assert read_head(client).startswith(b"HTTP/1.1 200 ")
        assert b"\r\nexpect: 100-continue\r\n" in heads[0].lower()


def test_a_server_that_never_says_continue_gets_the_body_when_the_client_sends_it(tmp_path: Path) -> None:
    has_head = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_head(connection)
        has_head.set()
        assert read_exactly(connection, 5) == b"hello"
        connection.sendall(OK)

    with between(serve, tmp_path) as (port, _), client_of(port) as client:
        client.sendall(upload_head(5, b"Expect: 100-continue"))
        assert has_head.wait(PATIENCE_S)  # the head did not wait for the body
        client.sendall(b"hello")
        assert read_head(client).startswith(b"HTTP/1.1 200 ")


def test_a_final_answer_in_place_of_continue_ends_the_upload(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
        read_all(connection)

    with between(serve, tmp_path) as (port, log), client_of(port) as client:
        client.sendall(upload_head(5, b"Expect: 100-continue"))
        assert read_head(client).startswith(b"HTTP/1.1 417 ")
        assert read_all(client) == b""  # the connection ends: whether the body still comes cannot be known
        log.wait_for(" 417 ")


def test_continue_does_not_reach_a_client_of_http_1_0(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        read_head(connection)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        assert read_exactly(connection, 5) == b"hello"
        connection.sendall(OK)

    with between(serve, tmp_path) as (port, _), client_of(port) as client:
        client.sendall(b"POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
        assert read_all(client).startswith(b"HTTP/1.1 200 ")


def test_a_server_that_answers_before_the_request_is_not_believed(tmp_path: Path) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged")
        read_all(connection)

    with between(serve, tmp_path) as (port, log), client_of(port) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        answer = read_all(client)
        # Either it comes in time to be thrown away with the connection, or it cannot be told from a quick answer.
        assert answer.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 200 "))
        log.wait_for("GET /")
