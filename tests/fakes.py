"""A worker without sockets: clients and servers that keep what they are told, and a clock that the test moves.

`World` is one configuration. A test gives it requests, lets connection attempts succeed or fail, lets servers answer, moves the
time, and reads what the client got, what the servers got, and the log.
"""

import asyncio
from typing import Any, Final, cast

from heads import parse
from records import KeptEvents, frontend_record, model_record

from balancer import model
from balancer.backend.backend import Backend, Request
from balancer.backend.farm import Farm
from balancer.backend.server import Server
from balancer.http.errors import PAGES
from balancer.proxy.channels import ClientChannel, Connecting, Limits, ServerChannel
from balancer.proxy.deadlines import GRAIN_S, Wheel
from balancer.proxy.exchange import Exchange
from balancer.proxy.record import AccessLog, Record
from balancer.proxy.route import Route
from balancer.proxy.services import Services

START_S: Final = 1000.0


class FakeClient(ClientChannel):
    """A client that reads everything, unless the test says that it is blocked."""

    def __init__(self, route: Route) -> None:
        super().__init__(route)
        self.exchange: Exchange | None = None
        self.got = b""
        self.end = ""  # "keep", "close", "abort", or "half" while a tunnel goes on
        self.end_count = 0
        self.is_upload_paused = False
        self.waiting = b""

    def on_deadline(self, now: float) -> None:
        """Tells the exchange."""
        assert self.exchange is not None
        self.exchange.late(now)

    def send_head(self, head: bytes) -> None:
        """Keeps it."""
        assert self.end_count == 0
        self.got += head

    def send_body(self, pieces: list[bytes]) -> None:
        """Keeps them."""
        assert self.end_count == 0
        self.got += b"".join(pieces)

    def send_end(self) -> None:
        """Notes it."""
        self.end = "half"

    def pause_upload(self) -> None:
        """Notes it."""
        self.is_upload_paused = True

    def resume_upload(self) -> None:
        """Notes it."""
        self.is_upload_paused = False

    def begin_tunnel(self) -> bytes:
        """What had come behind the request."""
        return self.waiting

    def finish(self, keeps: bool) -> None:
        """Notes it."""
        self.end = "keep" if keeps else "close"
        self.end_count += 1

    def abort(self) -> None:
        """Notes it."""
        self.end = "abort"
        self.end_count += 1


class FakeServer(ServerChannel):
    """A server's connection: what it got, and how the exchange left it."""

    def __init__(self, server: Server) -> None:
        super().__init__(server)
        self.got = b""
        self.end_mark = ""  # "keep", "close", "abort"
        self.end_count = 0
        self.is_reading_paused = False
        self.has_got_end = False
        self.acked = 0
        self.would_be_fresh = True

    def is_fresh(self) -> bool:
        """As the test says."""
        return self.would_be_fresh

    def close(self) -> None:
        """Notes it."""
        self.end_mark = "close"

    def begin(self, request: Request) -> None:
        """A request begins on it."""
        self.end_mark = ""
        self.end_count = 0

    def end(self, may_keep: bool, now: float) -> None:
        """Back into the pool, or closed."""
        self.end_count += 1
        self.end_mark = "keep" if may_keep else "close"
        if may_keep:
            self.server.pool.give(self, now)

    def acked_octets(self) -> int:
        """As the test says."""
        return self.acked

    def send(self, pieces: list[bytes]) -> None:
        """Keeps them."""
        self.got += b"".join(pieces)
        self.written_octets += sum(len(piece) for piece in pieces)

    def send_end(self) -> None:
        """Notes it."""
        self.has_got_end = True

    def pause_reading(self) -> None:
        """Notes it."""
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        """Notes it."""
        self.is_reading_paused = False

    def abort(self) -> None:
        """Notes it."""
        self.end_mark = "abort"
        self.end_count += 1


class FakeAttempt(Connecting):
    """One connection attempt, waiting for the test."""

    def __init__(self, exchange: Exchange, server: Server, at_s: float) -> None:
        super().__init__()
        self.exchange = exchange
        self.server = server
        self.at_s = at_s
        self.is_cancelled = False

    def cancel(self) -> None:
        """Notes it."""
        self.is_cancelled = True


class FakeServices(Services):
    """The worker's services with a clock that stands still."""

    def __init__(self, farm: Farm, wheel: Wheel) -> None:
        super().__init__(cast(asyncio.AbstractEventLoop, None), farm, wheel, Limits(16384, 1024, 101))
        self.time_s = START_S
        self.attempts: list[FakeAttempt] = []
        self.refusing: set[str] = set()
        self.complaints: list[str] = []
        self.shed_count = 0

    def now(self) -> float:
        """The test's time."""
        return self.time_s

    def connect(self, exchange: Exchange, server: Server) -> Connecting:
        """Notes an attempt. Refusals come with the next step of the test, as from a real loop."""
        attempt = FakeAttempt(exchange, server, self.time_s - START_S)
        self.attempts.append(attempt)
        return attempt

    def complain(self, text: str) -> None:
        """Keeps it."""
        self.complaints.append(text)

    def shed_idle(self) -> None:
        """Counts."""
        self.shed_count += 1


class KeptLog(AccessLog):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[Record] = []

    def write(self, record: Record) -> None:
        """Keeps one."""
        self.records.append(record)


class Talk:
    """One request on its way."""

    def __init__(self, world: "World", client: FakeClient, exchange: Exchange) -> None:
        self.world = world
        self.client = client
        self.exchange = exchange

    def channel(self) -> FakeServer:
        """The server's connection that it has now."""
        channel = self.exchange.channel
        assert isinstance(channel, FakeServer)
        return channel

    def answers(self, *pieces: bytes) -> FakeServer:
        """Its server sends these octets, one piece a turn."""
        channel = self.channel()
        for piece in pieces:
            answer = self.exchange.answer
            assert answer is not None
            answer.arrive(piece, self.world.services.time_s)
        return channel

    def server_ends(self, was_orderly: bool = True) -> None:
        """Its server closes or resets."""
        self.exchange.server_ended(was_orderly, self.world.services.time_s)

    def sends(self, *pieces: bytes) -> None:
        """Its client sends more of the body."""
        for piece in pieces:
            assert self.exchange.body_arrived(piece, 0) == len(piece)

    def record(self) -> Record:
        """Its log line."""
        found = [each for each in self.world.log.records if each.request_line == self.exchange.head.request_line()]
        assert len(found) == 1
        return found[0]

    def is_upload_paused(self) -> bool:
        """Whether its client is kept from sending more."""
        return self.client.is_upload_paused

    def is_answer_paused(self) -> bool:
        """Whether its server is kept from sending more."""
        return self.channel().is_reading_paused

    def flags(self) -> str:
        """The four letters of its log line."""
        record = self.record()
        return "".join(chr(letter) for letter in (record.cause, record.phase, record.cookie_in, record.cookie_out))

    def timers(self) -> str:
        """TR/Tw/Tc/Tr/Ta of its log line."""
        record = self.record()
        return "/".join(str(each) for each in (record.tr_ms, record.tw_ms, record.tc_ms, record.resp_ms, record.ta_ms))


class World:
    """One configuration with a clock."""

    def __init__(self, backend: model.Backend, **frontend_words: Any) -> None:
        self.farm = Farm(model_record(backend, frontend_record(**frontend_words)), 100, KeptEvents(), START_S)
        self.wheel = Wheel()
        self.wheel.sweep(START_S)
        self.services = FakeServices(self.farm, self.wheel)
        self.log = KeptLog()
        self.backend: Backend = self.farm.backends[0]
        self.route = Route(self.farm.frontends[0], self.backend, dict(PAGES), self.log, b"", None)

    def server(self, name: str) -> Server:
        """The server of that name."""
        server = self.backend.find_server(name)
        assert server is not None
        return server

    def request(self, raw: bytes, own: FakeServer | None = None) -> Talk:
        """A client sends a head, and as much of the body as follows in `raw`; `own` is a connection that is its alone."""
        head = parse(raw)
        assert head.error == 0
        now = self.services.time_s
        client = FakeClient(self.route)
        client.local_host, client.local_port = "127.0.0.1", 8080
        client.private = own
        exchange = Exchange(client, self.services, head, now, 0.0, now)
        client.exchange = exchange
        rest = raw[head.end :]
        if rest and not exchange.upload.is_done:
            exchange.body_arrived(rest, 0)
        exchange.start(now)
        return Talk(self, client, exchange)

    def get(self, path: bytes = b"/", *lines: bytes) -> Talk:
        """A GET."""
        return self.request(b"\r\n".join([b"GET " + path + b" HTTP/1.1", b"Host: ex.org", *lines, b"", b""]))

    def pending(self) -> list[FakeAttempt]:
        """The attempts under way."""
        return [each for each in self.services.attempts if each.exchange.connecting is each]

    def connects(self) -> FakeServer:
        """The one attempt under way succeeds."""
        (attempt,) = self.pending()
        channel = FakeServer(attempt.server)
        attempt.exchange.connected(channel)
        return channel

    def refuse_while_pending(self) -> None:
        """All attempts to servers that refuse fail, and those that follow at once, too."""
        while attempts := [each for each in self.pending() if each.server.name in self.services.refusing]:
            for attempt in attempts:
                attempt.exchange.connect_failed(False, False)

    def passes(self, seconds: float) -> None:
        """Time passes, in turns of a grain."""
        self.refuse_while_pending()
        for _ in range(round(seconds / GRAIN_S)):
            self.services.time_s += GRAIN_S
            self.wheel.sweep(self.services.time_s)
            self.refuse_while_pending()

    def tried(self) -> list[str]:
        """Which servers were tried."""
        return [each.server.name for each in self.services.attempts]

    def tried_at(self) -> list[float]:
        """When they were tried, in seconds from the start."""
        return [each.at_s for each in self.services.attempts]

    def is_at_rest(self) -> bool:
        """Whether nothing is left of any request: no slot, no waiter, no deadline, no session."""
        servers = self.backend.servers
        return (
            all(not server.served and not server.queue.length and not server.counters.sessions_cur for server in servers)
            and not self.backend.queue.length
            and not self.backend.counters.sessions_cur
            and not self.backend.counters.queue_cur
            and not self.pending()
        )
