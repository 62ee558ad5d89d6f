"""One backend: who serves the next request, and who waits.

`assign` is the one place where a request gets its server: the cookie's if that is usable, else the balance algorithm's
among the active servers, else the first usable backup. A request holds its server's slot from then until `release`, which
offers the slot to whoever has waited longest.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from balancer import model
from balancer.backend.balance import Algorithm, order_of
from balancer.backend.captures import Capture
from balancer.backend.counters import Counters
from balancer.backend.events import EventLog
from balancer.backend.persistence import Persistence
from balancer.backend.queue import Queue
from balancer.backend.server import Server
from balancer.backend.sessions import Sessions
from balancer.backend.visit import Visit

ASSIGNED: Final = 0
QUEUED: Final = 1
NO_SERVER: Final = 2
NO_ROOM: Final = 3


@mypyc_attr(allow_interpreted_subclasses=True)
class Request(Visit):
    """A request as a backend sees it: which server its cookie bound it to, which one it has."""

    def __init__(self) -> None:
        super().__init__()
        self.server: Server | None = None  # whose slot it holds
        self.bound_to: Server | None = None  # whom a valid cookie named
        self.is_forced: bool = False  # `force-persist`: even when that one is down
        self.last_server: Server | None = None  # with whom its client has a connection of its own, and should stay
        self.must_keep_server: bool = False  # ... because that carries its identity
        self.waits_for: Server | None = None  # in whose queue it stands, or found no more room
        self.server_queue_position: int = 0
        self.backend_queue_position: int = 0

    def moved(self, now: float) -> None:
        """The server that it waited for went down: it is to be balanced anew."""
        raise AssertionError("the exchange goes on from here")

    def turned_away(self) -> None:
        """The server of its cookie is full, and so is its queue: it is balanced anew."""
        self.bound_to = None

    def slot_offered(self, server: Server) -> None:
        """The wait is over: the request now holds a slot of `server`."""
        raise AssertionError("the exchange goes on from here")


class Backend:
    """The living side of a `backend` section or of the servers' half of a `listen`."""

    def __init__(self, config: model.Backend, events: EventLog, now: float) -> None:
        self.config = config
        self.name: str = config.name
        self.number: int = config.number
        self.events = events
        self.counters = Counters()
        self.servers: list[Server] = [Server(server, config.name, now) for server in config.servers]
        self.dispatch: Server | None = None if config.dispatch is None else Server(config.dispatch, config.name, now)
        self.backups: list[Server] = [server for server in self.servers if server.is_backup]
        self.algorithm: Algorithm = order_of(
            config.balance, [server for server in self.servers if not server.is_backup], self.servers
        )
        # With `option allbackups` the backups have an order, too; without, the first usable one serves alone.
        self.all_backups: Algorithm | None = None
        if config.allbackups:
            self.all_backups = order_of(config.balance, self.backups, self.servers)
        self.follows_load: bool = self.algorithm.follows_load
        for server in self.servers:
            server.keeps_weight = self.algorithm.is_static
        cookie = config.cookie
        self.persistence: Persistence | None = None
        if cookie is not None:
            self.persistence = Persistence(cookie, self.servers, config.persist)
        self.queue = Queue()
        self.fitting: list[Server] = [server for server in self.servers if server.minconn]
        self.fullconn: int = config.maxconn  # the farm fills in what the file leaves out
        self.changed_at: float = now
        self.downtime_s: float = 0.0
        self.transitions_down: int = 0
        self.is_disabled: bool = config.disabled
        self.was_up: bool = self.is_up()
        self.bad_answer: Capture | None = None  # the last one that was no HTTP
        self.sessions: Sessions | None = None  # the worker's, once there is one

    def __repr__(self) -> str:
        return f"<Backend {self.name} {self.status_text()} active={self.active_count()} queue={self.queue.length}>"

    def active_count(self) -> int:
        """Servers that take new visitors."""
        return sum(1 for server in self.servers if not server.is_backup and server.is_balanced())

    def backup_count(self) -> int:
        """Backup servers that could take new visitors."""
        return sum(1 for server in self.backups if server.is_balanced())

    def is_up(self) -> bool:
        """Whether any server could take a new visitor."""
        return any(server.is_balanced() for server in self.servers)

    def served_count(self) -> int:
        """Requests that hold a slot or wait for a server of their own."""
        return self.counters.sessions_cur - self.queue.length

    def kind(self) -> str:
        """How event lines name it: a `listen` section is a proxy."""
        return "proxy" if self.config.is_listen else "backend"

    def status_text(self) -> str:
        """UP or DOWN, as the statistics show it; a backend without servers is UP."""
        return "UP" if not self.servers or self.is_up() else "DOWN"

    def hidden_cookie(self) -> bytes:
        """The name of the cookie that its servers do not get to see, b"" where they see all."""
        persistence = self.persistence
        return persistence.name if persistence is not None and persistence.indirect else b""

    def assign(self, request: Request, now: float) -> int:
        """Gives the request a server and its slot (ASSIGNED), a place in a queue (QUEUED), or neither.

        Neither: there is no server (NO_SERVER), or the one that its cookie or its hash names is full, and so is its queue
        (NO_ROOM); `option redispatch` sends those of a cookie elsewhere.
        """
        if self.fitting:
            self.fit_slots()
        bound = request.bound_to
        is_open = bound is not None and (bound.is_usable() or self.config.persist or request.is_forced)
        if bound is not None and request.avoid is not bound and is_open:
            outcome = self._take_or_wait(request, bound, now)
            if outcome != NO_ROOM or not self.config.redispatch_interval:
                return outcome
            bound.counters.redispatches += 1
            self.counters.redispatches += 1
            request.turned_away()
        last = request.last_server
        if (
            last is not None
            and last is not request.avoid
            and last.backend_name == self.name
            and self._takes_again(request, last)
        ):
            outcome = self._take_or_wait(request, last, now)
            if outcome != NO_ROOM:
                return outcome
        if self.dispatch is not None:
            self._take(request, self.dispatch, now)
            return ASSIGNED
        # With `minconn` a newcomer would find the slot that its own coming has made, before those who wait.
        is_behind = bool(self.fitting) and self.algorithm.waits_in_line and 0 < self.queue.length < self.counters.sessions_cur
        server = None if is_behind else self.algorithm.next(request)
        if server is None and not is_behind and self.all_backups is not None and self.active_count() == 0:
            server = self.all_backups.next(request)
        if server is None:
            if self.active_count() == 0:
                server = self._first_backup()
                if server is None:
                    request.waits_for = None
                    return NO_SERVER
                if server.has_slot() and server.queue.length == 0:
                    server.counters.selected += 1
                    self.counters.selected += 1
                    self._take(request, server, now)
                    return ASSIGNED
            self._wait(request, self.queue, self.counters, now)
            request.waits_for = None
            return QUEUED
        if server is not request.avoid:
            server.counters.selected += 1
            self.counters.selected += 1
        # A hash names one server, full or not.
        return self._take_or_wait(request, server, now)

    def _take_or_wait(self, request: Request, server: Server, now: float) -> int:
        """This very server: its slot, a place in its queue, or no room."""
        if server.has_slot() and server.queue.length == 0:
            self._take(request, server, now)
            return ASSIGNED
        request.waits_for = server
        if server.is_queue_full():
            return NO_ROOM
        self._wait(request, server.queue, server.counters, now)
        return QUEUED

    def _takes_again(self, request: Request, server: Server) -> bool:
        """Whether a client goes on with the server of its own connection (NTLM, `option prefer-last-server`)."""
        if not server.is_usable():
            return False
        queue_max = self.config.keep_alive_queue_max
        return request.must_keep_server or not queue_max or server.has_slot() or server.queue.length + 1 < queue_max

    def release(self, request: Request, now: float) -> None:
        """Takes the slot back and offers it to the request that has waited longest for it."""
        server = request.server
        assert server is not None
        request.server = None
        server.release_slot()
        if self.follows_load:
            self._load_changed(server)
        if self.fitting:
            self.fit_slots()
        if server.queue.length or self.queue.length:
            self.offer_slots(server, now)

    def fit_slots(self) -> None:
        """The servers with `minconn` get the slots that the load of the backend gives them."""
        for server in self.fitting:
            server.fit(self.counters.sessions_cur, self.fullconn)

    def leave_queue(self, request: Request) -> None:
        """The request gives up waiting."""
        queue = request.waits_in
        assert queue is not None
        position = queue.leave(request)
        if queue is self.queue:
            self.counters.queue_cur -= 1
            request.backend_queue_position += position
            return
        request.server_queue_position += position
        for server in self.servers:
            if server.queue is queue:
                server.counters.queue_cur -= 1
                return

    def offer_slots(self, server: Server, now: float) -> None:
        """Gives free slots of `server` to those who wait, in the order in which they came."""
        while server.has_slot() and server.is_usable():
            own = server.queue.first()
            common = self.queue.first() if server.is_balanced() and self._serves_new(server) else None
            waiter = own if common is None or (own is not None and own.queued_at <= common.queued_at) else common
            if waiter is None:
                return
            assert isinstance(waiter, Request)
            self.leave_queue(waiter)
            if waiter is common:
                server.counters.selected += 1
                self.counters.selected += 1
            self._take(waiter, server, now)
            waiter.slot_offered(server)

    def order_changed(self, server: Server) -> None:
        """Tells the order that the server stands in that its state or weight is another."""
        if not server.is_backup:
            self.algorithm.changed(server)
        elif self.all_backups is not None:
            self.all_backups.changed(server)

    def server_changed(self, server: Server, was_up: bool, now: float) -> None:
        """Brings order, queues and sums up to date after a transition or a new weight."""
        self.order_changed(server)
        is_up = server.is_up()
        if is_up != was_up:
            server.state_changed(now, was_up)
            if not is_up:
                server.transitions_down += 1
                server.pool.close()
        backend_up = self.is_up()
        if backend_up != self.was_up:
            if self.was_up:
                self.transitions_down += 1
            else:
                self.downtime_s += now - self.changed_at
            self.changed_at = now
            self.was_up = backend_up

    def requeue(self, server: Server) -> list[Request]:
        """Takes everyone out of a server's queue; the caller sends them elsewhere."""
        moved: list[Request] = []
        while True:
            waiter = server.queue.first()
            if waiter is None:
                return moved
            assert isinstance(waiter, Request)
            self.leave_queue(waiter)
            moved.append(waiter)

    def find_server(self, name: str) -> Server | None:
        """The server of that name."""
        for server in self.servers:
            if server.name == name:
                return server
        return None

    def _take(self, request: Request, server: Server, now: float) -> None:
        assert request.server is None
        request.server = server
        server.take_slot(now)
        if self.follows_load:
            self._load_changed(server)

    def _wait(self, request: Request, queue: Queue, counters: Counters, now: float) -> None:
        queue.join(request, now)
        counters.queue_grows()

    def _first_backup(self) -> Server | None:
        for server in self.backups:
            if server.is_balanced():
                return server
        return None

    def _serves_new(self, server: Server) -> bool:
        if not server.is_backup:
            return True
        return self.active_count() == 0 and (self.all_backups is not None or self._first_backup() is server)

    def _load_changed(self, server: Server) -> None:
        if not server.is_backup:
            self.algorithm.load_changed(server)
        elif self.all_backups is not None:
            self.all_backups.load_changed(server)
