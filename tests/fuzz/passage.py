"""One case on its way through the proxy's own client side and exchanges, with a transport and a server made of lists.

What the servers got and what the client got are the octets that would have gone out on sockets. Whoever sends is heeded: a side
that is told to pause is not fed. An exception in the product, a message that waits for ever, or anything left behind is a
`Fault`.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fakes import FakeServer, World
from records import backend_record, cookie_record, images

from balancer.backend.backend import Request
from balancer.backend.server import Server
from balancer.http.head import RequestHead
from balancer.proxy.client import CLOSED, IDLE, LINGER, ClientSide, Gate
from balancer.proxy.exchange import Exchange
from balancer.proxy.phase import NORMAL
from fuzz.cases import REQUESTS, WEBSOCKET_KEY, Case

COOKIE: Final = b"SEASIDE"
LOCAL: Final = ("127.0.0.1", 8080)
ANSWER_TO_ALL: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"
# A request's body, before the answer and after it; the first half ends inside a chunk.
UPLOAD_BEGIN: Final = b"5\r\nab"
UPLOAD_REST: Final = b"cde\r\n0\r\n\r\n"

# How the client's connection stands at the end.
KEPT: Final = "kept"
CLOSED_CLEANLY: Final = "closed"
ABORTED: Final = "aborted"
OPEN: Final = "open"


class Fault(Exception):
    """What must never happen has happened; the text says what."""


class Socket:
    """Stands where a transport would name its socket; there is no descriptor behind it."""

    def fileno(self) -> int:
        """None."""
        return -1


class Wire(asyncio.Transport):
    """The client's connection: keeps what is written, and how it was ended."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 40000), "sockname": LOCAL, "socket": Socket()})
        self.got = bytearray()
        self.end = OPEN
        self.is_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keeps it."""
        if self.end != OPEN:
            raise Fault(f"written behind the end: {bytes(data)!r}")
        self.got += data

    def writelines(self, pieces: object) -> None:
        """Keeps them."""
        assert isinstance(pieces, list)
        for piece in pieces:
            self.write(piece)

    def write_eof(self) -> None:
        """Notes it."""
        self.end = CLOSED_CLEANLY

    def close(self) -> None:
        """Notes it."""
        self.end = CLOSED_CLEANLY

    def abort(self) -> None:
        """Notes it."""
        self.end = ABORTED

    def is_closing(self) -> bool:
        """After `close` or `abort`."""
        return self.end != OPEN

    def pause_reading(self) -> None:
        """Notes it."""
        self.is_paused = True

    def resume_reading(self) -> None:
        """Notes it."""
        self.is_paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is no buffer."""


class Open(Gate):
    """Admits everybody."""

    def admit(self, client: ClientSide) -> bool:
        """Yes."""
        return True

    def leave(self, client: ClientSide) -> None:
        """Nothing is counted."""


@dataclass
class Passed:
    """One request that was accepted and sent to a server."""

    head: RequestHead
    channel: "ScriptedServer"
    begin: int  # of what the channel got
    exchange: Exchange
    end: int = -1  # once the request was sent whole

    def is_whole(self) -> bool:
        """Whether all of it was sent."""
        return self.end >= 0


class ScriptedServer(FakeServer):
    """A server's connection that notes where each request begins, and obeys as `ServerSide` does."""

    def __init__(self, server: Server, passed: list[Passed]) -> None:
        super().__init__(server)
        self.passed = passed
        self.exchange: Exchange | None = None
        self.was_left_clean = True  # nothing came on it that nobody waits for

    def begin(self, request: Request) -> None:
        """The next request is this one's."""
        assert isinstance(request, Exchange)
        super().begin(request)
        self.exchange = request
        self.passed.append(Passed(request.head, self, len(self.got), request))

    def end(self, may_keep: bool, now: float) -> None:
        """Into the pool, to its client, or closed."""
        self.exchange = None
        if may_keep and self.is_private:
            self.end_mark = "keep"
        else:
            super().end(may_keep, now)

    def abort(self) -> None:
        """Notes it."""
        self.exchange = None
        super().abort()


@dataclass
class Outcome:
    """What came of a case."""

    passed: list[Passed] = field(default_factory=list)
    channels: list[ScriptedServer] = field(default_factory=list)
    client_got: bytes = b""
    end: str = OPEN
    is_normal: bool = False  # every log line says that nothing went wrong


class Passage:
    """One client connection in a world of its own."""

    def __init__(self, case: Case) -> None:
        self.case = case
        rule = cookie_record(nocache=True, indirect=case.is_indirect)
        self.world = World(backend_record(*images(2), cookie=rule))
        self.wire = Wire()
        self.outcome = Outcome()
        self.client = ClientSide(self.world.route, self.world.services, Open())
        self.client.connection_made(self.wire)

    def connect_all(self) -> None:
        """Every attempt under way succeeds."""
        attempts = self.world.services.attempts
        while attempts:
            attempt = attempts.pop(0)
            if attempt.exchange.connecting is attempt:
                channel = ScriptedServer(attempt.server, self.outcome.passed)
                self.outcome.channels.append(channel)
                attempt.exchange.connected(channel)

    def answer_all(self) -> None:
        """Every request that was sent whole is answered, which may bring the next ones."""
        self.connect_all()
        done = 0
        while done < len(self.outcome.passed):
            passed = self.outcome.passed[done]
            done += 1
            exchange = passed.exchange
            if passed.is_whole() or not exchange.upload.is_done or passed.channel.exchange is not exchange:
                continue
            passed.end = len(passed.channel.got)
            answer = exchange.answer
            assert answer is not None
            answer.arrive(ANSWER_TO_ALL, self.world.services.time_s)
            self.connect_all()

    def finish(self) -> Outcome:
        """Ends the client's side and looks for what must not be left."""
        outcome = self.outcome
        outcome.client_got = bytes(self.wire.got)
        outcome.end = KEPT if self.client.state == IDLE and self.wire.end == OPEN else self.wire.end
        if self.client.state not in (CLOSED, LINGER):
            self.client.eof_received()
        self.client.connection_lost(None)
        records = self.world.log.records
        outcome.is_normal = bool(records) and all(record.cause == NORMAL for record in records)
        if self.world.services.complaints:
            raise Fault(f"an exception inside: {self.world.services.complaints}")
        if not self.world.is_at_rest():
            raise Fault("a slot, a waiter or a session is left behind")
        return outcome


def cut(octets: bytes, sizes: Sequence[int]) -> list[bytes]:
    """`octets` in pieces of these sizes, over and over; no sizes leave them whole."""
    if not sizes:
        return [octets] if octets else []
    pieces: list[bytes] = []
    at = 0
    while at < len(octets):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(octets[at : at + size])
        at += size
    return pieces


def send_requests(case: Case, sizes: Sequence[int]) -> Outcome:
    """The case's octets come from a client in pieces of these sizes, then the client sends no more; servers answer at once."""
    assert case.side == REQUESTS
    passage = Passage(case)
    wire, client = passage.wire, passage.client
    for piece in cut(case.octets, sizes):
        if wire.end != OPEN:
            break
        if wire.is_paused:
            raise Fault("the client is told to wait, and nothing is under way")
        client.data_received(piece)
        passage.answer_all()
    if wire.end == OPEN and client.state != CLOSED and not client.eof_received() and wire.end == OPEN:
        wire.close()
    return passage.finish()


def request_for(case: Case) -> bytes:
    """The request to which the case's octets are the answer."""
    lines = [f"{case.method} /asked HTTP/{case.version}".encode(), b"Host: ex.org"]
    if case.has_upload:
        lines.append(b"Transfer-Encoding: chunked")
    elif case.method == "POST":
        lines.append(b"Content-Length: 0")
    if case.upgrade == "upgrade":
        lines += [b"Connection: upgrade", b"Upgrade: foo"]
    elif case.upgrade:
        lines += [b"Connection: upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: " + WEBSOCKET_KEY]
    elif case.version == "1.0":
        lines.append(b"Connection: keep-alive")
    return b"\r\n".join([*lines, b"", UPLOAD_BEGIN if case.has_upload else b""])


def send_answer(case: Case, sizes: Sequence[int]) -> Outcome:
    """The case's octets come from the server in pieces of these sizes; then a body that waits goes on, and the server ends."""
    passage = Passage(case)
    passage.client.data_received(request_for(case))
    passage.connect_all()
    (channel,) = passage.outcome.channels
    now = passage.world.services.time_s
    for piece in cut(case.octets, sizes):
        exchange = channel.exchange
        if exchange is None:
            channel.was_left_clean = False
            break
        answer = exchange.answer
        assert answer is not None
        try:
            answer.arrive(piece, now)
        except Exception as error:
            raise Fault(f"an exception inside: {error!r}") from error
    if case.has_upload and passage.wire.end == OPEN:
        passage.client.data_received(UPLOAD_REST)
    exchange = channel.exchange
    if exchange is not None:
        exchange.server_ended(case.was_orderly, now)
        if channel.exchange is exchange:  # a tunnel, half closed
            passage.client.eof_received()
    return passage.finish()
