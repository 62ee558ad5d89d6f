"""All that outlives a request, in one place: what statistics read and the admin side acts on."""

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.captures import Capture
from balancer.backend.counters import RateMeter
from balancer.backend.events import EventLog
from balancer.backend.frontend import Frontend
from balancer.backend.server import MAINT, MAINT_VIA, Server


class Farm:
    """The frontends and backends of one process, and the process's own counters."""

    def __init__(self, config: model.Model, maxconn: int, events: EventLog, now: float) -> None:
        self.config = config
        self.events = events
        self.maxconn = maxconn
        self.maxconn_hard = maxconn  # what the descriptors were settled for
        # Connections a second that are accepted at most; 0 for no limit. The last two limit what does not exist here.
        self.connection_rate_limit: int = config.process.connection_rate_max
        self.session_rate_limit: int = config.process.session_rate_max
        self.tls_rate_limit: int = config.process.tls_rate_max
        self.compression_rate_limit: int = 0  # KiB
        self.frontends: list[Frontend] = [
            Frontend(frontend, frontend.maxconn or maxconn) for frontend in config.frontends if not frontend.disabled
        ]
        self.backends: list[Backend] = [Backend(backend, events, now) for backend in config.backends]
        for backend in self.backends:
            # HAProxy's fullconn where the file has none: a tenth of what the frontends in front may bring.
            brought = [frontend.maxconn for frontend in self.frontends if frontend.config.default_backend == backend.name]
            backend.fullconn = backend.config.maxconn or max(1, sum(brought) // 10)
        self.backend_by_name: dict[str, Backend] = {backend.name: backend for backend in self.backends}
        for backend in self.backends:
            for server in backend.servers:
                if server.config.track and not backend.is_disabled:  # nobody looked at the references of a disabled section
                    self._join_tracker(backend, server)
        for backend in self.backends:
            for server in backend.servers:
                if server.admin_state & MAINT:
                    _take_along(server)
        for backend in self.backends:
            backend.was_up = backend.is_up()
            if backend.servers and not backend.was_up and not backend.is_disabled:
                backend.transitions_down += 1  # HAProxy counts a start without a server as one
        self.connections_cur: int = 0
        self.connections_max: int = 0
        self.connections_total: int = 0
        self.connection_rate = RateMeter()
        self.session_rate = RateMeter()
        self.requests_total: int = 0
        self.captures_total: int = 0  # requests and answers that were no HTTP
        self.bytes_out: int = 0
        self.pipes_used: int = 0
        self.pipes_free: int = 0
        self.spliced_octets: int = 0

    def _join_tracker(self, backend: Backend, server: Server) -> None:
        name, _, tracked_name = server.config.track.partition("/")
        tracked = self.backend_by_name[name].find_server(tracked_name)
        assert tracked is not None, server.config.track
        server.tracked = tracked
        tracked.trackers.append((backend, server))

    def capture(self, octets: bytes, host: str, port: int) -> Capture:
        """Keeps what was no HTTP; the caller gives it to its frontend or backend."""
        self.captures_total += 1
        source = f"{host}:{port}"
        return Capture(self.captures_total - 1, octets[: self.config.process.bufsize], source)

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

    def limit_connections(self, maxconn: int) -> None:
        """Another `maxconn` of the process; connections beyond a lower one stay."""
        assert 0 < maxconn <= self.maxconn_hard
        self.maxconn = maxconn
        self._limits_changed()

    def limit_rate(self, what: str, per_second: int) -> None:
        """Another limit: of new "connections", "sessions", "ssl-sessions" or KiB of "http-compression" a second; 0 for none."""
        if what == "connections":
            self.connection_rate_limit = per_second
        elif what == "sessions":
            self.session_rate_limit = per_second
        elif what == "ssl-sessions":
            self.tls_rate_limit = per_second
        else:
            self.compression_rate_limit = per_second
        self._limits_changed()

    def is_too_fast(self, now: float) -> bool:
        """Whether as many connections as a limit allows have come within the last second."""
        if self.connection_rate_limit and self.connection_rate.rate(now) >= self.connection_rate_limit:
            return True
        return self.session_rate_limit > 0 and self.session_rate.rate(now) >= self.session_rate_limit

    def _limits_changed(self) -> None:
        for frontend in self.frontends[:1]:
            if frontend.entrance is not None:
                frontend.entrance.limits_changed()

    def clear_counters(self, everything: bool) -> None:
        """`clear counters`: peaks, or with `all` every sum; present values stay."""
        counted = [frontend.counters for frontend in self.frontends]
        counted.extend([each.counters for frontend in self.frontends for each in frontend.listening])
        for backend in self.backends:
            counted.append(backend.counters)
            counted.extend([server.counters for server in backend.servers])
        for counters in counted:
            if everything:
                counters.clear_sums()
            counters.clear_peaks()
        self.connections_max = self.connections_cur
        self.connection_rate.rate_max = 0
        self.session_rate.rate_max = 0
        if everything:
            self.connections_total = 0
            self.requests_total = 0


def _take_along(server: Server) -> None:
    """Who tracks a server that starts in maintenance is out as well."""
    for backend, tracker in server.trackers:
        tracker.admin_state |= MAINT_VIA
        backend.order_changed(tracker)
        _take_along(tracker)
