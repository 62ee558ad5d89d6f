"""Clients that leave, stall or stop reading, and what the log says of them (original-setup 2.6, recorded from HAProxy 2.6)."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sides import NO_LINGER, Line, ScriptedServer, Side, parse_line, side

STUCK = b"Cookie: SEASIDE=app1inst1\r\n"

TEMPLATE = """
global
    log 127.0.0.1:{{log}} local0
    maxconn 500
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 1000
    timeout client 400
    timeout server 3000
listen tunnel
    bind 127.0.0.1:{{tunnel}}
    timeout tunnel 900
    cookie SEASIDE insert
    server app1 127.0.0.1:{port} cookie app1inst1
listen smalltalk
    bind 127.0.0.1:{{smalltalk}}
    cookie SEASIDE insert
    server app1 127.0.0.1:{port} cookie app1inst1
"""


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """The balancer before a scripted server."""
    folder: Path = tmp_path_factory.mktemp("leaving")
    server = ScriptedServer()
    with side("balancer", "", TEMPLATE.format(port=server.port), ["tunnel", "smalltalk"], folder) as running:
        yield running
    server.close()


def line_of(one: Side, path: bytes) -> Line:
    """The line of the request for that path, which no other test asks for."""
    one.log.wait_for(path.decode())
    parsed = [parse_line(text) for _, text in one.log.lines()]
    [line] = [found for found in parsed if found is not None and path.decode() in found.request]
    return line


def connect(one: Side, octets: bytes, section: str = "smalltalk") -> socket.socket:
    """A client that has sent these octets."""
    client = socket.create_connection(("127.0.0.1", one.ports[section]), 5.0)
    client.sendall(octets)
    return client


def reset(client: socket.socket) -> None:
    """Leaves with a reset."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    client.close()


def test_a_client_that_half_closes_while_the_server_thinks_is_answered(ours: Side) -> None:
    with connect(ours, b"GET /slow?fin HTTP/1.1\r\nHost: a\r\n" + STUCK + b"\r\n") as client:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
    line = line_of(ours, b"/slow?fin")
    assert (line.status, line.flags, line.octets) == (200, "--VN", 54)


def test_a_client_that_resets_while_the_server_thinks_is_logged_with_the_answer(ours: Side) -> None:
    reset(connect(ours, b"GET /slow?rst HTTP/1.1\r\nHost: a\r\n" + STUCK + b"\r\n"))
    line = line_of(ours, b"/slow?rst")
    assert (line.status, line.flags, line.octets) == (200, "CDVN", 54)
    assert line.timers[3] >= 250


def test_a_client_that_leaves_inside_the_answer_is_cd(ours: Side) -> None:
    client = connect(ours, b"GET /stall?gone HTTP/1.1\r\nHost: a\r\n" + STUCK + b"\r\n")
    assert client.recv(4096)
    reset(client)
    line = line_of(ours, b"/stall?gone")
    assert (line.status, line.flags) == (200, "CDVN")


def test_a_client_that_does_not_read_is_cd_after_its_timeout(ours: Side) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", ours.ports["smalltalk"]))
        client.sendall(b"GET /large?stop HTTP/1.1\r\nHost: a\r\n" + STUCK + b"\r\n")
        line = line_of(ours, b"/large?stop")
        assert (line.status, line.flags) == (200, "cDVN")
        assert 400 <= line.timers[4] <= 2500


def test_a_client_that_breaks_off_its_body_is_cd_without_a_status(ours: Side) -> None:
    client = connect(ours, b"POST /part?off HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n" + STUCK + b"\r\nabc")
    reset(client)
    line = line_of(ours, b"/part?off")
    assert (line.status, line.flags, line.octets) == (-1, "CDVN", 0)


def test_a_client_that_stalls_inside_its_body_gets_408(ours: Side) -> None:
    with connect(ours, b"POST /part?stalls HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n" + STUCK + b"\r\nabc") as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
    line = line_of(ours, b"/part?stalls")
    assert (line.status, line.flags) == (408, "cHVN")
    assert 400 <= line.timers[4] <= 1500


def test_an_idle_tunnel_ends_at_timeout_tunnel(ours: Side) -> None:
    request = b"GET /tunnel?idle HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n" + STUCK + b"\r\n"
    with connect(ours, request, "tunnel") as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 101 ")
        client.sendall(b"abc")
        assert client.recv(4096) == b"ABC"
        line = line_of(ours, b"/tunnel?idle")
    assert (line.status, line.flags) == (101, "cDVN")
    assert 880 <= line.timers[4] <= 2000


def test_a_websocket_with_a_wrong_proof_is_ph(ours: Side) -> None:
    request = (
        b"GET /unproved HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + STUCK + b"\r\n"
    )
    with connect(ours, request) as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 502 ")
    line = line_of(ours, b"/unproved")
    assert (line.status, line.flags, line.octets) == (502, "PHVN", 209)


def test_an_idle_kept_connection_is_closed_without_a_word(ours: Side) -> None:
    before = len(ours.log.datagrams)
    with connect(ours, b"GET /?kept HTTP/1.1\r\nHost: a\r\n" + STUCK + b"\r\n") as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert client.recv(4096) == b""
    assert [line.request for _, text in ours.log.lines()[before:] if (line := parse_line(text))] == ["GET /?kept HTTP/1.1"]


def test_a_client_that_says_nothing_gets_408_and_no_line(ours: Side) -> None:
    before = len(ours.log.datagrams)
    with connect(ours, b"") as client:
        assert client.recv(4096).startswith(b"HTTP/1.1 408 ")
    with connect(ours, b"GET /?after HTTP/1.1\r\nHost: a\r\n\r\n") as client:
        assert client.recv(4096)
    line_of(ours, b"/?after")
    assert len([text for _, text in ours.log.lines()[before:] if parse_line(text)]) == 1
