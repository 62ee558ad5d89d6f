"""All that outlives a request, in one place: what statistics read and the admin side acts on."""

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.counters import RateMeter
from balancer.backend.events import EventLog
from balancer.backend.frontend import Frontend


class Farm:
    """The frontends and backends of one process, and the process's own counters."""

    def __init__(self, config: model.Model, maxconn: int, events: EventLog, now: float) -> None:
        self.config = config
        self.maxconn = maxconn
        self.frontends: list[Frontend] = [
            Frontend(frontend, frontend.maxconn or maxconn) for frontend in config.frontends if not frontend.disabled
        ]
        self.backends: list[Backend] = [Backend(backend, events, now) for backend in config.backends]
        self.backend_by_name: dict[str, Backend] = {backend.name: backend for backend in self.backends}
        self.connections_cur: int = 0
        self.connections_max: int = 0
        self.connections_total: int = 0
        self.connection_rate = RateMeter()
        self.session_rate = RateMeter()
        self.requests_total: int = 0
        self.bytes_out: int = 0

    def connection_begins(self, now: float) -> None:
        """One more client connection in the process."""
        self.connections_cur += 1
        if self.connections_cur > self.connections_max:
            self.connections_max = self.connections_cur
        self.connections_total += 1
        self.connection_rate.tick(now)
        self.session_rate.tick(now)

    def connection_ends(self) -> None:
        """One client connection less."""
        self.connections_cur -= 1
