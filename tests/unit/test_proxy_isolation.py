"""A fault of ours inside one exchange ends that exchange: with a status or an abort, a line that names it, and nothing left.

Whatever an exchange works with fails once: connecting, writing, giving back, logging, the client's transport, the clock. The
edges under test are those of the real client's side; its transport is the test's.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import pytest
from fakes import START_S, FakeServer, FakeServices, World
from records import KeptEvents, backend_record, images, server_record

from balancer.backend.server import Server
from balancer.proxy.channels import Connecting
from balancer.proxy.client import ClientSide
from balancer.proxy.exchange import Exchange
from balancer.proxy.record import AccessLog, Record
from balancer.proxy.worker import Doors

OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET: Final = b"GET /bad HTTP/1.1\r\nHost: a\r\n\r\n"
POST: Final = b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc"
GOOD: Final = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n"


class Fault(Exception):
    """What is not expected."""


class FakeTransport:
    """What a client's side writes to."""

    def __init__(self) -> None:
        self.got = b""
        self.end = ""
        self.fails_in = ""

    def _does(self, what: str) -> None:
        if self.fails_in == what:
            self.fails_in = ""
            raise Fault(what)

    def get_extra_info(self, name: str) -> Any:
        """Addresses; the socket is gone."""
        return self if name == "socket" else ("127.0.0.1", 4711)

    def fileno(self) -> int:
        """None."""
        return -1

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Nothing to note."""

    def write(self, octets: bytes) -> None:
        """Keeps them."""
        self._does("write")
        self.got += octets

    def writelines(self, pieces: list[bytes]) -> None:
        """Keeps them."""
        self.write(b"".join(pieces))

    def write_eof(self) -> None:
        """Half-closes."""
        self.end = self.end or "half"

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.end in ("close", "abort")

    def pause_reading(self) -> None:
        """Nothing to note."""
        self._does("pause_reading")

    def resume_reading(self) -> None:
        """Nothing to note."""

    def close(self) -> None:
        """Notes it."""
        self.end = "close"

    def abort(self) -> None:
        """Notes it."""
        self.end = "abort"


class FakeClock:
    """The doors' loop, of which they ask the time."""

    def __init__(self) -> None:
        self.fails = False

    def time(self) -> float:
        """The time, or a fault."""
        if self.fails:
            raise Fault("accept")
        return START_S


class FailingServer(FakeServer):
    """A server's connection that fails once in one of its methods."""

    def __init__(self, server: Server, fails_in: str) -> None:
        super().__init__(server)
        self.fails_in = fails_in

    def _does(self, what: str) -> None:
        if self.fails_in == what:
            self.fails_in = ""
            raise Fault(what)

    def begin(self, request: Any) -> None:
        """Begins, or fails."""
        self._does("begin")
        super().begin(request)

    def send(self, pieces: list[bytes]) -> None:
        """Sends, or fails."""
        self._does("send")
        super().send(pieces)

    def end(self, may_keep: bool, now: float) -> None:
        """Ends, or fails."""
        self._does("end")
        super().end(may_keep, now)

    def pause_reading(self) -> None:
        """Pauses, or fails."""
        self._does("pause_reading")
        super().pause_reading()

    def resume_reading(self) -> None:
        """Reads on, or fails."""
        self._does("resume_reading")
        super().resume_reading()


class FailingLog(AccessLog):
    """Fails for one request."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def write(self, record: Record) -> None:
        """Counts, or fails."""
        if b" /bad " in record.request_line:
            raise Fault("log")
        self.written += 1


class FailingServices(FakeServices):
    """Connecting fails for the paths that are named, and the clock when told."""

    fails_for: bytes = b""
    clock_fails: bool = False

    def connect(self, exchange: Exchange, server: Server) -> Connecting:
        """Notes an attempt, or fails."""
        if self.fails_for and exchange.head.target == self.fails_for:
            raise Fault("connect")
        return super().connect(exchange, server)

    def now(self) -> float:
        """The test's time, or a fault, once."""
        if self.clock_fails:
            self.clock_fails = False
            raise Fault("clock")
        return super().now()


class Site:
    """A world whose clients are real client sides."""

    def __init__(self, maxconn: int = 0) -> None:
        servers = (server_record(name="app1", maxconn=maxconn),) if maxconn else images(1)
        self.world = World(backend_record(*servers))
        self.services = FailingServices(self.world.farm, self.world.wheel)
        self.world.services = self.services
        self.clock = FakeClock()
        self.doors = Doors(self.world.farm, cast(asyncio.AbstractEventLoop, self.clock), KeptEvents())

    def client(self) -> tuple[ClientSide, FakeTransport]:
        """A connection that was accepted."""
        transport = FakeTransport()
        client = ClientSide(self.world.route, self.services, self.doors)
        client.connection_made(cast(asyncio.Transport, transport))
        return client, transport

    def connects(self, fails_in: str = "") -> FailingServer:
        """The attempt under way succeeds; the connection fails once in `fails_in`."""
        (attempt,) = self.world.pending()
        channel = FailingServer(attempt.server, fails_in)
        try:
            attempt.exchange.connected(channel)
        except Fault as fault:  # as the connector does
            attempt.exchange.crash(fault)
        return channel

    def answers(self, client: ClientSide) -> None:
        """The server of this client's exchange answers."""
        exchange = client.exchange
        assert exchange is not None and exchange.answer is not None
        try:
            exchange.answer.arrive(OK, self.services.time_s)
        except Fault as fault:  # as the server's side does
            exchange.crash(fault)

    def serves_others(self) -> None:
        """A new client is served as ever, and nothing is left of anybody."""
        client, transport = self.client()
        client.data_received(GOOD)
        if self.world.pending():
            self.connects()
        self.answers(client)
        assert transport.got.endswith(b"\r\n\r\nok")
        assert self.world.is_at_rest()


def in_connect(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    site.services.fails_for = b"/bad"
    client.data_received(GET)


def in_begin(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("begin")


def in_send(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("send")


def in_upload(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(POST)
    site.connects().fails_in = "send"
    client.data_received(b"def")


def in_pause(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("pause_reading")
    client.pause_writing()


def in_resume(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("resume_reading")
    client.pause_writing()
    client.resume_writing()


def in_giving_back(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("end")
    site.answers(client)


def in_giving_back_behind_a_fault(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(POST)
    channel = site.connects("end")
    assert channel.got
    client.connection_lost(None)


def in_answering(site: Site, client: ClientSide, transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects()
    transport.fails_in = "write"
    site.answers(client)


def in_refusing(site: Site, client: ClientSide, transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects()
    transport.fails_in = "write"
    assert client.exchange is not None
    try:
        client.exchange.server_ended(True, site.services.time_s)
    except Fault as fault:  # as the server's side does
        client.exchange.crash(fault)


def at_the_deadline(site: Site, client: ClientSide, _transport: FakeTransport) -> None:
    client.data_received(GET)
    site.connects("end")
    site.world.passes(60.0)


Point = Callable[[Site, ClientSide, FakeTransport], None]

# Where it fails: the status that the client gets (0: none, the connection is cut), and the flags of the line.
POINTS: Final[tuple[tuple[Point, int, str], ...]] = (
    (in_connect, 500, "IC"),
    (in_begin, 500, "IH"),
    (in_send, 500, "IH"),
    (in_upload, 500, "IH"),
    (in_pause, 500, "IH"),
    (in_resume, 500, "IH"),
    (in_giving_back, 200, "--"),
    (in_giving_back_behind_a_fault, 0, "CD"),
    (in_answering, 0, "ID"),
    (in_refusing, 0, "SH"),
    (at_the_deadline, 0, "sH"),
)


@pytest.mark.parametrize(("point", "status", "flags"), POINTS, ids=[point.__name__ for point, _, _ in POINTS])
def test_a_fault_ends_one_exchange_and_leaves_nothing(point: Point, status: int, flags: str) -> None:
    site = Site()
    client, transport = site.client()
    point(site, client, transport)
    (complaint,) = site.services.complaints
    assert "Fault(" in complaint
    assert "<Exchange 1 " in complaint and " /bad HTTP/1.1 " in complaint
    (record,) = site.world.log.records
    assert chr(record.cause) + chr(record.phase) == flags
    assert transport.end == "abort" or status == 500 or client.is_gone
    assert transport.got[9:12] == (str(status).encode() if status else b"")
    client.connection_lost(None)
    assert (len(site.doors.clients), client.exchange) == (0, None)
    assert site.world.is_at_rest()
    site.serves_others()


def test_a_log_that_fails_costs_its_own_client_alone() -> None:
    site = Site()
    site.world.route.access_log = log = FailingLog()
    client, transport = site.client()
    client.data_received(GET)
    site.connects()
    site.answers(client)
    assert transport.end == "abort"
    assert "Fault('log')" in site.services.complaints[0]
    client.connection_lost(None)
    site.serves_others()
    assert (log.written, len(site.doors.clients)) == (1, 1)


def test_a_fault_before_there_is_an_exchange_is_a_500_with_a_line() -> None:
    site = Site()
    client, transport = site.client()
    site.services.clock_fails = True
    client.data_received(GET)
    assert transport.got.startswith(b"HTTP/1.1 500 ")
    (record,) = site.world.log.records
    assert (chr(record.cause), chr(record.phase), record.status) == ("I", "R", 500)
    assert "<ClientSide 127.0.0.1:4711 " in site.services.complaints[0]
    client.connection_lost(None)
    site.serves_others()


def test_a_fault_on_accepting_costs_that_connection() -> None:
    site = Site()
    site.clock.fails = True
    _, transport = site.client()
    assert transport.end == "abort"
    assert "Fault('accept')" in site.services.complaints[0]
    site.clock.fails = False
    site.serves_others()


def test_a_fault_in_the_request_that_gets_a_slot_does_not_reach_the_one_that_gave_it() -> None:
    site = Site(maxconn=1)
    first, first_transport = site.client()
    first.data_received(GOOD)
    site.connects()
    waiting, waiting_transport = site.client()
    waiting.data_received(GET)
    third, third_transport = site.client()
    third.data_received(GOOD)
    # The connection is not kept, so that the next one must be opened, which fails for the second.
    exchange = first.exchange
    assert exchange is not None and exchange.answer is not None
    site.services.fails_for = b"/bad"
    exchange.answer.arrive(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), site.services.time_s)
    assert first_transport.got.endswith(b"\r\n\r\nok")
    assert waiting_transport.got.startswith(b"HTTP/1.1 500 ")
    (complaint,) = site.services.complaints
    assert " /bad HTTP/1.1 " in complaint
    site.connects()
    site.answers(third)
    assert third_transport.got.endswith(b"\r\n\r\nok")
    assert site.world.is_at_rest()
    assert sorted(record.status for record in site.world.log.records) == [200, 200, 500]


def test_behind_a_fault_no_other_request_is_read_on_that_connection() -> None:
    site = Site()
    client, transport = site.client()
    client.data_received(POST)
    site.connects().fails_in = "send"
    client.data_received(b"def" + GOOD[:9])  # what stands behind the body is lost with the fault: the rest is no head
    client.data_received(GOOD[9:])
    assert transport.got.startswith(b"HTTP/1.1 500 ") and b"connection: close" in transport.got
    assert transport.got.count(b"HTTP/1.1") == 1 and client.exchange is None
    site.serves_others()


def test_a_fault_in_a_pipelined_request_is_its_own() -> None:
    """It begins when the answer before it ends, hence inside the server's turn of that one."""
    site = Site()
    site.services.fails_for = b"/bad"
    client, transport = site.client()
    client.data_received(GOOD + GET)
    site.connects()
    exchange = client.exchange
    assert exchange is not None and exchange.answer is not None
    exchange.answer.arrive(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), site.services.time_s)
    assert transport.got.count(b"HTTP/1.1 ") == 2
    assert b"\r\n\r\nokHTTP/1.1 500 " in transport.got
    (complaint,) = site.services.complaints
    assert "<Exchange 2 GET /bad HTTP/1.1 " in complaint
    assert sorted(record.status for record in site.world.log.records) == [200, 500]
    client.connection_lost(None)
    site.serves_others()


def test_a_fault_in_a_request_that_is_moved_does_not_reach_those_behind_it() -> None:
    site = Site(maxconn=1)
    first, _ = site.client()
    first.data_received(GOOD)
    site.connects()
    waiting, transport = site.client()
    waiting.data_received(GET)
    exchange = waiting.exchange
    assert exchange is not None
    site.world.backend.leave_queue(exchange)
    site.services.clock_fails = False
    site.world.server("app1").release_slot()
    site.services.fails_for = b"/bad"
    exchange.moved(site.services.time_s)
    assert transport.got.startswith(b"HTTP/1.1 500 ")
    assert len(site.services.complaints) == 1
