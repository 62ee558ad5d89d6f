"""One process's traffic: listeners, connections, checks, deadlines.

The worker counts client connections against the process's and each frontend's maxconn, opens server connections for
exchanges, and drives the sweep of deadlines. It starts on sockets that are already bound and never opens a file.
"""

import asyncio
import socket
from collections.abc import Mapping
from typing import Final, cast

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.backend.frontend import Frontend
from balancer.backend.health import Checks
from balancer.backend.leaves import descriptors_max
from balancer.backend.server import Server
from balancer.http.errors import PAGES, ErrorPage, page_from_file
from balancer.proxy import ledger
from balancer.proxy import phase as phases
from balancer.proxy.channels import Connecting, Limits
from balancer.proxy.client import ClientSide
from balancer.proxy.connector import Attempt
from balancer.proxy.deadlines import GRAIN_S, Wheel
from balancer.proxy.exchange import Exchange
from balancer.proxy.gate import Gate
from balancer.proxy.listener import Listener
from balancer.proxy.record import AccessLog, Wording
from balancer.proxy.route import Route
from balancer.proxy.services import Services, Site
from balancer.proxy.splice import SPLICED_OCTETS_MIN, Pipes
from balancer.proxy.underway import Doorways, UnderWay

POOL_PURGE_S: Final = 1.0
# How soon it is looked again whether new connections come slowly enough.
RATE_LOOK_S: Final = 0.02
DESCRIPTORS_RESERVED: Final = 32
COMPLAINT_PAUSE_S: Final = 60.0


class Doors(Gate):
    """Counts connections; closes listeners at maxconn and opens them again.

    The kernel gives the lowest free descriptor, so a number near the limit tells that hardly any is left: then, too, new
    connections wait in the backlog. The loop accepts one connection a turn and listener, hence a small reserve is enough;
    without one libuv would accept and close at once whatever comes (measured: 29 of 40 clients lost).
    """

    def __init__(self, farm: Farm, loop: asyncio.AbstractEventLoop, events: EventLog) -> None:
        self.farm = farm
        self.loop = loop
        self.events = events
        self.lacks_descriptors: bool = False
        self.complained_at: float = -COMPLAINT_PAUSE_S
        self.listeners: list[Listener] = []
        self.clients: set[ClientSide] = set()
        self.waiting: list[ClientSide] = []
        self.is_closed: bool = False
        self.later: asyncio.TimerHandle | None = None  # somebody waits for the rate of connections to fall

    def admit(self, client: ClientSide) -> bool:
        """Counts a new connection if there is room for it."""
        frontend = client.route.frontend
        if not self._has_room(frontend, client.listener):
            self.waiting.append(client)
            self._close_full(frontend)
            return False
        self._count(client)
        soft = descriptors_max()
        if client.descriptor >= soft - DESCRIPTORS_RESERVED:
            self._stop_for_descriptors(frontend, soft)
        elif not self._has_room(frontend, client.listener):
            self._close_full(frontend)
        return True

    def leave(self, client: ClientSide) -> None:
        """A counted connection has ended: whoever waits comes in."""
        client.is_counted = False
        self.clients.discard(client)
        frontend = client.route.frontend
        was_full = self.lacks_descriptors or not self._has_room(frontend, client.listener)
        if client.listener is not None:
            client.listener.connections_cur -= 1
        if client.listening is not None:
            client.listening.counters.session_ends()
        self.lacks_descriptors = False
        frontend.counters.session_ends()
        self.farm.connection_ends()
        if was_full:
            self.let_in()

    def _count(self, client: ClientSide) -> None:
        now = self.loop.time()
        client.is_counted = True
        if client.listener is not None:
            client.listener.connections_cur += 1
        if client.listening is not None:
            client.listening.counters.session_begins(now)
        self.clients.add(client)
        counters = client.route.frontend.counters
        counters.session_begins(now)
        counters.connections_total += 1
        counters.connection_rate.tick(now)
        self.farm.connection_begins(now)

    def _has_room(self, frontend: Frontend, listener: Listener | None) -> bool:
        farm = self.farm
        if listener is not None and listener.is_full():
            return False
        if farm.connections_cur >= farm.maxconn or frontend.counters.sessions_cur >= frontend.maxconn:
            return False
        is_limited = farm.connection_rate_limit or farm.session_rate_limit or frontend.session_rate_max
        if is_limited and (farm.is_too_fast(self.loop.time()) or frontend.is_too_fast(self.loop.time())):
            if self.later is None:
                self.later = self.loop.call_later(RATE_LOOK_S, self._look_again)
            return False
        return True

    def _look_again(self) -> None:
        self.later = None
        self.let_in()

    def _stop_for_descriptors(self, frontend: Frontend, limit: int) -> None:
        self.lacks_descriptors = True
        for listener in self.listeners:
            listener.close()
        now = self.loop.time()
        if now - self.complained_at >= COMPLAINT_PAUSE_S:
            self.complained_at = now
            text = f"Proxy {frontend.name} reached process FD limit (maxsock={limit}). Please check 'ulimit-n' and restart."
            self.events.event(model.EMERG, frontend.name, text)

    def _close_full(self, frontend: Frontend) -> None:
        everywhere = self.farm.connections_cur >= self.farm.maxconn or self.later is not None
        for listener in self.listeners:
            if everywhere or (
                listener.route.frontend is frontend and (listener.is_full() or not self._has_room(frontend, None))
            ):
                listener.close()

    def let_in(self) -> None:
        """Whoever waits comes in, as far as there is room; listeners open again."""
        still: list[ClientSide] = []
        for client in self.waiting:
            if client.is_gone:
                continue
            if self._has_room(client.route.frontend, client.listener):
                self._count(client)
                client.admitted()
            else:
                still.append(client)
        self.waiting = still
        for listener in [] if self.is_closed else self.listeners:
            if not listener.wants_open and self._has_room(listener.route.frontend, listener):
                listener.open()


class Worker(Services):
    """See the module."""

    def __init__(
        self,
        config: model.Model,
        loop: asyncio.AbstractEventLoop,
        sockets: list[tuple[model.Frontend, model.Bind, socket.socket]],
        events: EventLog,
        access_logs: dict[str, AccessLog],
        farm: Farm,
        site: Site,
        identities: Mapping[str, Wording],
    ) -> None:
        process = config.process
        super().__init__(loop, farm, Wheel(), Limits(process.bufsize, process.maxrewrite, process.maxhdr))
        if process.splices:
            self.pipes = Pipes(farm, process.maxpipes or max(1, farm.maxconn // 4), process.pipe_octets)
            self.spliced_octets_min = SPLICED_OCTETS_MIN
        self.environment = process.variables
        self.events = events
        self.doors = Doors(farm, loop, events)
        self.checks = Checks(farm, loop, events)
        under_way = UnderWay(self.doors.clients, loop)
        doorways = Doorways(self.doors.listeners, self.doors.let_in)
        for backend in farm.backends:
            backend.sessions = under_way
        for frontend in farm.frontends:
            frontend.entrance = doorways
        self.sweep_handle: asyncio.TimerHandle | None = None
        self.adopting: set[asyncio.Task[None]] = set()  # connections from the backlogs at a soft stop
        self.purge_at: float = 0.0
        self.counts_continuously: bool = any(frontend.config.contstats for frontend in farm.frontends)
        self.site = site
        self.identities = identities
        routes: dict[str, Route] = {}
        for frontend in farm.frontends:
            routes[frontend.name] = self._route(frontend, access_logs.get(frontend.name))
        for frontend_config, bind, sock in sockets:
            route = routes[frontend_config.name]
            number = 1 + sum(each.route is route for each in self.doors.listeners)
            self.doors.listeners.append(Listener(route, bind, sock, loop, self._make_client, self.complain, number))

    async def start(self) -> None:
        """Begins to accept, to check and to watch the deadlines."""
        self.learn_wall()
        for listener in self.doors.listeners:
            listener.open()
        for listener in self.doors.listeners:
            await listener.opened()
        self.checks.start()
        self._sweep()

    def stop_softly(self) -> None:
        """No new connection; what is idle closes, what is under way finishes."""
        self.is_stopping = True
        self.doors.is_closed = True
        for listener in self.doors.listeners:
            for waiting in listener.drain():
                task = self.loop.create_task(self._adopt(listener, waiting))
                self.adopting.add(task)
                task.add_done_callback(self.adopting.discard)
        self.checks.stop()
        for client in list(self.doors.clients):
            client.close_if_idle()

    async def _adopt(self, listener: Listener, accepted: socket.socket) -> None:
        """Serves a connection that was taken from the backlog."""
        try:
            await self.loop.connect_accepted_socket(lambda: self._make_client(listener), accepted)
        except OSError:
            accepted.close()  # the client has left

    async def wait_stopped(self) -> None:
        """Returns when no client connection is left."""
        while self.doors.clients or self.doors.waiting or self.adopting:
            await asyncio.sleep(GRAIN_S)

    def kill(self) -> None:
        """A hard stop: every request ends now, answered or cut, each with its line; what is no request is cut."""
        now = self.loop.time()
        for client in list(self.doors.clients):
            if client.exchange is not None:
                client.exchange.finish(phases.KILLED, now)
            else:
                client.abort()

    def abort(self) -> None:
        """Cuts everything at once."""
        self.is_stopping = True
        self.doors.is_closed = True
        self.checks.stop()
        for listener in self.doors.listeners:
            listener.shut()
        for client in list(self.doors.clients):
            client.abort()
        self.shed_idle()
        if self.sweep_handle is not None:
            self.sweep_handle.cancel()

    def connect(self, exchange: Exchange, server: Server) -> Connecting:
        """Opens a connection to `server` for the exchange."""
        return Attempt(self.loop, exchange, server, self.site.service_of(server))

    def shed_idle(self) -> None:
        """Closes every idle server connection: descriptors are needed elsewhere."""
        for backend in self.farm.backends:
            for server in backend.servers:
                server.pool.close()

    def _make_client(self, listener: Listener) -> asyncio.Protocol:
        # uvloop calls a protocol's methods by name; a native class needs no base.
        return cast(asyncio.Protocol, ClientSide(listener.route, self, self.doors, listener))

    def complain(self, text: str) -> None:
        """Tells the operator of a fault that is no proxy's."""
        self.events.event(model.ALERT, "", text)

    def _route(self, frontend: Frontend, access_log: AccessLog | None) -> Route:
        """The route to the default backend, which knows those to all others where `use_backend` may choose."""
        default: Backend | None = self.farm.backend_by_name.get(frontend.config.default_backend)
        route = self._route_to(frontend, default, access_log)
        rules = frontend.config.rules
        if route.ruling is not None and rules is not None and rules.switches:
            for name, backend in self.farm.backend_by_name.items():
                route.ruling.routes[name] = self._route_to(frontend, backend, access_log)
        return route

    def _route_to(self, frontend: Frontend, backend: Backend | None, access_log: AccessLog | None) -> Route:
        config = frontend.config
        pages: dict[int, ErrorPage] = dict(PAGES)
        files = dict(config.errorfiles)
        if backend is not None:
            files.update(backend.config.errorfiles)
        for status, raw in files.items():
            pages[status] = page_from_file(status, raw)
        exporter = self.site.exporter if config.has_exporter() else None
        route = Route(frontend, backend, pages, access_log, config.exporter_path, None if exporter is None else exporter.server)
        route.identity = self.identities.get(frontend.name)
        route.door = self.site.frontend_doors.get(frontend.name)
        if config.is_listen:
            route.twin = self.farm.backend_by_name.get(frontend.name)
        route.backend_doors = self.site.backend_doors
        return route

    def _sweep(self) -> None:
        self.sweep_handle = self.loop.call_later(GRAIN_S, self._sweep)
        now = self.loop.time()
        self.learn_wall()
        held = self.held
        if held:
            self.held = []
            for client in held:
                client.push()
        self.wheel.sweep(now)
        if now >= self.purge_at:
            self.purge_at = now + POOL_PURGE_S
            for backend in self.farm.backends:
                for server in backend.servers:
                    server.pool.expire(now - server.pool_idle_s)
            if self.pipes is not None:
                self.pipes.purge()
            if self.counts_continuously:
                self._count_so_far()

    def _count_so_far(self) -> None:
        """`option contstats`: long transfers show in the statistics while they last."""
        for client in self.doors.clients:
            if client.exchange is not None and client.route.frontend.config.contstats:
                ledger.count_so_far(client.exchange)
