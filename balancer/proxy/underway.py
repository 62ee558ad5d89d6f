"""What an operator reaches of the traffic: the requests under way, and the listening sockets of a frontend."""

import asyncio
from collections.abc import Callable
from typing import Final

from balancer.backend.frontend import Entrance, Frontend
from balancer.backend.server import Server
from balancer.backend.sessions import Session, Sessions
from balancer.proxy import phase as phases
from balancer.proxy.client import ClientSide
from balancer.proxy.exchange import Exchange
from balancer.proxy.listener import Listener

NO_BACKEND: Final = "<NONE>"
NO_SERVER: Final = "<none>"


class UnderWay(Sessions):
    """The requests of this worker's clients."""

    def __init__(self, clients: set[ClientSide], loop: asyncio.AbstractEventLoop) -> None:
        self.clients = clients
        self.loop = loop

    def shut_down(self, servers: list[Server], because_up: bool) -> None:
        """Ends those that have a slot of one of these servers."""
        self._end(servers, phases.SERVER_UP if because_up else phases.SERVER_DOWN)

    def kill_at(self, server: Server) -> None:
        """Ends those that have a slot of that server, by command."""
        self._end([server], phases.KILLED)

    def kill(self, number: int) -> bool:
        """Ends the request with that number, by command."""
        for client in self.clients:
            exchange = client.exchange
            if exchange is not None and exchange.serial == number:
                exchange.finish(phases.KILLED, self.loop.time())
                return True
        return False

    def listed(self) -> list[Session]:
        """All that are under way, in the order in which they began."""
        now = self.loop.time()
        pairs = [(client, client.exchange) for client in self.clients]
        found = [_session(client, exchange, now) for client, exchange in pairs if exchange is not None]
        return sorted(found, key=lambda session: session.number)

    def _end(self, servers: list[Server], cause: int) -> None:
        now = self.loop.time()
        for client in list(self.clients):
            exchange = client.exchange
            if exchange is not None and exchange.server in servers:
                exchange.finish(cause, now)


def _session(client: ClientSide, exchange: Exchange, now: float) -> Session:
    frontend = client.route.frontend
    backend, server = exchange.backend, exchange.target
    address = "" if server is None else f"{server.config.host}:{server.config.port}"
    answer = exchange.answer
    return Session(
        exchange.serial,
        f"{client.client_host}:{client.client_port}",
        f"{client.local_host}:{client.local_port}",
        ":" in client.client_host,
        frontend.name,
        frontend.number,
        NO_BACKEND if backend is None else backend.name,
        -1 if backend is None else backend.number,
        NO_SERVER if server is None else server.name,
        -1 if server is None else server.number,
        address,
        exchange.begun_wall,
        max(0.0, now - exchange.begun_at),
        max(0.0, client.deadline - now) if client.deadline else None,
        client.request_count,
        exchange.failures,
        exchange.waits_in is not None,
        chr(exchange.phase.letter),
        client.fileno(),
        exchange.head.log_octets() + exchange.upload.data_octets,
        0 if answer is None else answer.logged_octets(),
    )


class Doorways(Entrance):
    """The listening sockets of this worker."""

    def __init__(self, listeners: list[Listener], let_in: Callable[[], None]) -> None:
        self.listeners = listeners
        self.let_in = let_in

    def pause(self, frontend: Frontend) -> None:
        """The kernel refuses whoever connects; the addresses stay ours."""
        for listener in self._of(frontend):
            listener.pause()

    def resume(self, frontend: Frontend) -> None:
        """The kernel listens again."""
        for listener in self._of(frontend):
            listener.resume()

    def shut(self, frontend: Frontend) -> None:
        """Closes the sockets."""
        for listener in self._of(frontend):
            self.listeners.remove(listener)
            listener.shut()

    def limits_changed(self) -> None:
        """Opens what waits for room; a lower limit is seen at the next connection."""
        self.let_in()

    def _of(self, frontend: Frontend) -> list[Listener]:
        return [listener for listener in self.listeners if listener.route.frontend is frontend]
