"""A server ends a kept connection just before, in the moment of, or after it took a request: what is repeated and what is not.

Repeated is a request only where the kernel can prove that nobody took an octet of it. The first half holds the real server side
of an exchange on real sockets, with the end already in the kernel although the look before the use has seen none: that moment
lasts microseconds in life. The second half goes through the running program.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, cast

import pytest
import uvloop
from fakes import Talk, World
from faulty import RESET
from records import backend_record, images
from rules.talk import listen
from rules.wire import read_answers
from running import wait_until
from sides import Line, Side, parse_line, side

from balancer.proxy.server_side import ServerSide

PATIENCE_S: Final = 5.0
# A connection that goes to and fro acknowledges late (up to 40 ms on Linux), with its next octets.
ROUNDS: Final = 20
GET: Final = b"GET /one HTTP/1.1\r\nHost: a\r\n\r\n"
POST: Final = b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
REQUESTS: Final = {"GET": GET, "POST": POST}


def _stays(_server: socket.socket) -> None:
    pass


def _closes(server: socket.socket) -> None:
    server.close()


def _half_closes(server: socket.socket) -> None:
    server.shutdown(socket.SHUT_WR)


def _resets(server: socket.socket) -> None:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    server.close()


def _speaks(server: socket.socket) -> None:
    server.sendall(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    server.close()


def _reads_and_closes(server: socket.socket) -> None:
    assert server.recv(65536)
    server.close()


def _reads_and_half_closes(server: socket.socket) -> None:
    assert server.recv(65536)
    server.shutdown(socket.SHUT_WR)


def _reads_and_resets(server: socket.socket) -> None:
    assert server.recv(65536)
    _resets(server)


Moment = Callable[[socket.socket], None]


@dataclass(frozen=True)
class End:
    """What the server does before and after the request is written, and whether the request may go out once more."""

    name: str
    before: Moment
    after: Moment
    is_repeated: bool


ENDS: Final = (
    End("closes before the octets come", _closes, _stays, True),
    End("half-closes before they come, its kernel takes them", _half_closes, _stays, False),
    End("half-closes before they come, reads them, closes", _half_closes, _reads_and_closes, False),
    End("half-closes before they come, closes with them unread", _half_closes, _closes, True),
    End("resets before they come", _resets, _stays, False),
    End("has them unread in its kernel and closes", _stays, _closes, False),
    End("has them unread in its kernel and half-closes", _stays, _half_closes, False),
    End("has them unread in its kernel and resets", _stays, _resets, False),
    End("reads them and closes", _stays, _reads_and_closes, False),
    End("reads them and half-closes", _stays, _reads_and_half_closes, False),
    End("reads them and resets", _stays, _reads_and_resets, False),
)


def connected_pair() -> tuple[socket.socket, socket.socket]:
    """A connection that has been in use for a while: (the balancer's end, the server's end)."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        ours = socket.create_connection(listening.getsockname(), PATIENCE_S)
        theirs = listening.accept()[0]
    for each in (ours, theirs):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        each.settimeout(PATIENCE_S)
    for _ in range(ROUNDS):
        ours.sendall(b"question")
        assert theirs.recv(100)
        theirs.sendall(b"answer")
        assert ours.recv(100)
    ours.setblocking(False)
    return ours, theirs


async def kept_side(world: World, ours: socket.socket) -> ServerSide:
    """The server's side of app1 on that connection, as the pool would hand it out."""
    loop = asyncio.get_running_loop()
    channel = ServerSide(world.server("app1"), ours, loop)
    await loop.create_connection(lambda: cast(asyncio.Protocol, channel), sock=ours)
    channel.use_count = ROUNDS
    channel.written_octets = ROUNDS * len(b"question")
    return channel


async def until(holds: Callable[[], bool]) -> None:
    """Lets the loop turn until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


async def meet(end: End, request: bytes) -> tuple[World, Talk]:
    """A request goes out on a kept connection while the server does what `end` says; returns when it is decided."""
    world = World(backend_record(*images(1)))
    ours, theirs = connected_pair()
    with closing(theirs):
        channel = await kept_side(world, ours)
        talk = world.request(request)
        (attempt,) = world.pending()
        attempt.exchange.connecting = None
        end.before(theirs)
        talk.exchange.connected(channel)
        end.after(theirs)
        await until(lambda: _is_decided(world))
        channel.abort()
    return world, talk


def _is_decided(world: World) -> bool:
    return bool(world.log.records) or len(world.services.attempts) > 1


@pytest.mark.pure
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("end", ENDS, ids=[end.name for end in ENDS])
def test_a_request_is_repeated_only_where_no_octet_was_taken(end: End, method: str) -> None:
    world, talk = uvloop.run(meet(end, REQUESTS[method]))
    if not end.is_repeated:
        assert len(world.services.attempts) == 1, "sent again"
        assert talk.client.got.startswith(b"HTTP/1.1 502 ")
        assert talk.flags().startswith("SH")
        return
    assert world.log.records == []
    fresh = world.connects()
    assert fresh.got.endswith(REQUESTS[method].partition(b"\r\n\r\n")[2])
    assert fresh.got.startswith(REQUESTS[method][:10])
    talk.server_ends()
    assert talk.client.got.startswith(b"HTTP/1.1 502 "), "what was written to a fresh connection is never repeated"
    assert len(world.services.attempts) == 2


# --- through the running program -------------------------------------------------------------------------------------

TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 2
    timeout connect 500
    timeout client 5000
    timeout server 5000
listen reuse
    bind 127.0.0.1:{{reuse}}
    server app1 127.0.0.1:{port}
"""

KEPT: Final = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nfirst"
FRESH: Final = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nfresh"
FIRST: Final = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def listening() -> Iterator[socket.socket]:
    """The server: each test takes its connections itself."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE_S)
        yield listening


@pytest.fixture(scope="module")
def ours(listening: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """The balancer before it."""
    template = TEMPLATE.format(port=listening.getsockname()[1])
    with side("balancer", "", template, ["reuse"], tmp_path_factory.mktemp("reuse")) as running:
        yield running


@contextmanager
def first_exchange(listening: socket.socket, one: Side) -> Iterator[tuple[socket.socket, socket.socket]]:
    """A client and a server whose connections have served one exchange and are kept."""
    with socket.create_connection(("127.0.0.1", one.ports["reuse"]), PATIENCE_S) as client:
        client.sendall(FIRST)
        with listening.accept()[0] as server:
            server.settimeout(PATIENCE_S)
            assert server.recv(65536).startswith(b"GET /first ")
            server.sendall(KEPT)
            heard = listen(client, ["GET"])
            assert (heard.octets[-5:], heard.end) == (b"first", "open")
            yield client, server


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """The program stands still; what happens meanwhile it finds all at once."""
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] == "T", "it stands still")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def lines_of(one: Side, path: bytes) -> list[Line]:
    """The lines of the requests for that path."""
    parsed = [parse_line(text) for _, text in one.log.lines()]
    return [line for line in parsed if line is not None and f" {path.decode()} " in line.request]


_numbers: Final = count()


def numbered(request: bytes) -> tuple[bytes, bytes]:
    """The request with a path of its own, and the path."""
    path = b"/n%d" % next(_numbers)
    return request.replace(b"/one", path, 1), path


def _surplus(server: socket.socket) -> None:
    server.sendall(b"surplus")


@pytest.mark.pure
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("moment", [_closes, _half_closes, _resets, _speaks, _surplus])
def test_a_connection_that_ended_just_before_is_not_used(
    listening: socket.socket, ours: Side, moment: Moment, method: str
) -> None:
    """The program finds the end (or octets that nobody asked for) and the request at once."""
    request, path = numbered(REQUESTS[method])
    with first_exchange(listening, ours) as (client, server):
        with stopped(ours.pid):
            moment(server)
            client.sendall(request)
        with listening.accept()[0] as fresh:
            fresh.settimeout(PATIENCE_S)
            got = fresh.recv(65536)
            assert got.startswith(request[:10])
            fresh.sendall(FRESH)
            heard = listen(client, [method])
            (answer,) = read_answers(heard.octets, [method], is_closed=False)
            assert (answer.status, answer.body) == (200, b"fresh")
        if server.fileno() >= 0:
            with suppress(ConnectionResetError):
                assert server.recv(65536) == b"", "the old connection got it, too"
    wait_until(lambda: bool(lines_of(ours, path)), "its line")
    assert [(line.status, line.flags, line.retries) for line in lines_of(ours, path)] == [(200, "----", "0")]


@pytest.mark.pure
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("moment", [_reads_and_closes, _reads_and_half_closes, _reads_and_resets])
def test_what_a_kept_connection_took_is_not_sent_again(
    listening: socket.socket, ours: Side, moment: Moment, method: str
) -> None:
    request, path = numbered(REQUESTS[method])
    with first_exchange(listening, ours) as (client, server):
        client.sendall(request)
        moment(server)
        heard = listen(client, [method])
        assert heard.octets.startswith(b"HTTP/1.1 502 ")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
        listening.settimeout(PATIENCE_S)
    wait_until(lambda: bool(lines_of(ours, path)), "its line")
    assert [(line.status, line.flags, line.retries) for line in lines_of(ours, path)] == [(502, "SH--", "0")]


@pytest.mark.pure
@pytest.mark.parametrize("method", REQUESTS)
@pytest.mark.parametrize("moment", [_closes, _resets])
def test_what_lay_unread_in_the_servers_kernel_is_not_sent_again(
    listening: socket.socket, ours: Side, moment: Moment, method: str
) -> None:
    request, path = numbered(REQUESTS[method])
    with first_exchange(listening, ours) as (client, server):
        client.sendall(request)
        assert server.recv(1, socket.MSG_PEEK)
        moment(server)
        assert listen(client, [method]).octets.startswith(b"HTTP/1.1 502 ")
        listening.setblocking(False)
        with pytest.raises(BlockingIOError):
            listening.accept()
        listening.settimeout(PATIENCE_S)
    wait_until(lambda: bool(lines_of(ours, path)), "its line")
    assert [(line.status, line.flags, line.retries) for line in lines_of(ours, path)] == [(502, "SH--", "0")]
