"""What is fixed for every request of one frontend, worked out once from its words and those of its backend."""

from typing import TYPE_CHECKING, Final

from balancer.backend.backend import Backend
from balancer.backend.counters import Counters
from balancer.backend.frontend import Frontend
from balancer.backend.pool import Connection
from balancer.backend.server import Server
from balancer.http.errors import ErrorPage
from balancer.http.head import RequestHead
from balancer.http.octets import FIELD, all_of
from balancer.proxy.addresses import AddressLines
from balancer.proxy.local import Door
from balancer.proxy.record import AccessLog, Wording
from balancer.proxy.ruling import Ruling

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

# `http-reuse`: who may take a kept server connection. The absent word is as `always`, but what decision 9 says of it.
REUSE_ALL: Final = 0
REUSE_NEVER: Final = 1
REUSE_SAFE: Final = 2
REUSE_AGGRESSIVE: Final = 3
REUSE: Final = {
    "": REUSE_ALL,
    "always": REUSE_ALL,
    "aggressive": REUSE_AGGRESSIVE,
    "safe": REUSE_SAFE,
    "never": REUSE_NEVER,
}
# From here on a connection has shown that its server lets it be used again (`http-reuse aggressive`).
PROVEN_USES: Final = 2


class Route:
    """What is fixed for every request of one frontend."""

    def __init__(
        self,
        frontend: Frontend,
        backend: Backend | None,
        pages: dict[int, ErrorPage],
        access_log: AccessLog | None,
        service_path: bytes,
        service: Server | None,
    ) -> None:
        config = frontend.config
        self.frontend = frontend
        self.backend = backend
        self.pages = pages
        self.access_log = access_log
        self.service_path = service_path
        self.service = service
        self.door: Door | None = None  # the statistics page of this section
        self.backend_doors: dict[str, Door] = {}  # those of backends, by their names
        self.twin: Backend | None = None  # of a listen section: its own backend, which counts what is answered here
        backend_rules = backend.config.rules if backend is not None else None
        self.ruling: Ruling | None = None
        if config.rules is not None or backend_rules is not None:
            is_one = config.is_listen and backend is not None and backend.config.is_listen and backend.name == frontend.name
            self.ruling = Ruling(config.rules, backend_rules, is_one)
        self.identity: Wording | None = None  # unique-id-format
        words = config.log_words
        self.identity_field: bytes = words.identity_field
        self.logs_early: bool = access_log is not None and words.is_early
        named = {part.name for part in (*words.line, *words.structured)}
        self.tells_source: bool = "bi" in named or "bp" in named
        self.ignores_probes: bool = config.ignores_probes
        self.tarpit_s: float = config.tarpit_timeout_s
        self.dontlognull: bool = config.dontlognull
        self.monitor_uri: bytes = config.monitor_uri
        self.skips_normal: bool = config.dontlog_normal
        self.raises_errors: bool = config.log_separate_errors
        self.buffers_requests: bool = config.buffers_requests or (backend is not None and backend.config.buffers_requests)
        self.merges_parts: bool = not (config.no_delay or (backend is not None and backend.config.no_delay))
        modes = [config.connections] + ([backend.config.connections] if backend is not None else [])
        self.closes_client: bool = "close" in modes
        self.closes_server: bool = self.closes_client or "server-close" in modes
        self.tells_close: bool = self.closes_server and not (backend is not None and backend.config.pretend_keepalive)
        self.reuse: int = REUSE[backend.config.http_reuse] if backend is not None else REUSE_ALL
        self.address_lines: AddressLines | None = None
        sides = [config.forwardfor, backend.config.forwardfor if backend is not None else None]
        others = [config.originalto, backend.config.originalto if backend is not None else None]
        forwarded_for = [rule for rule in sides if rule is not None]
        original_to = [rule for rule in others if rule is not None]
        if forwarded_for or original_to:
            self.address_lines = AddressLines(forwarded_for, original_to)
        splices = config.splices & backend.config.splices if backend is not None else frozenset()
        self.resets_at_close: bool = config.resets_at_close
        self.splices_requests: bool = "request" in splices
        self.splices_answers: bool = "response" in splices
        self.client_timeout_s: float = config.client_timeout_s
        # clitimeout stands in for the others where they are absent (original-setup 2.2).
        self.head_timeout_s: float = config.http_request_timeout_s or config.client_timeout_s
        self.keep_alive_timeout_s: float = config.keep_alive_timeout_s or self.head_timeout_s

    def kept_connection(self, server: Server, request_count: int) -> Connection | None:
        """A kept connection that `http-reuse` lets a client's n-th request have."""
        reuse = self.reuse
        if reuse == REUSE_ALL:
            return server.pool.take()
        if reuse == REUSE_NEVER:
            return None
        if request_count > 1:
            return server.pool.take()
        return server.pool.take(PROVEN_USES) if reuse == REUSE_AGGRESSIVE else None

    def exporter_of(self, head: RequestHead) -> Server | None:
        """The exporter, where its path alone says that this request is for it."""
        if self.service is None:
            return None
        target = head.target
        query = target.find(b"?")
        return self.service if (target if query < 0 else target[:query]) == self.service_path else None

    def page_of(self, exchange: "Exchange") -> Server | None:
        """The statistics page of this section, where it has one that takes this request."""
        door, head = self.door, exchange.head
        if door is None or not door.takes(head.method, head.target):
            return None
        return self._enter(door, exchange, self.frontend.counters)

    def page_of_backend(self, backend: Backend, exchange: "Exchange") -> Server | None:
        """The statistics page of the backend, where it has one that takes this request."""
        door, head = self.backend_doors.get(backend.name), exchange.head
        if door is None or not door.takes(head.method, head.target):
            return None
        return self._enter(door, exchange, backend.counters)

    def _enter(self, door: Door, exchange: "Exchange", counters: Counters) -> Server:
        service = door.service(exchange)
        if service is door.refuses:
            counters.requests_denied += 1
            if counters is not self.frontend.counters:
                self.frontend.counters.requests_denied += 1
            if exchange.client.listening is not None:
                exchange.client.listening.counters.requests_denied += 1
        return service

    def added_lines(self, client_host: str, local_host: str, head: RequestHead, identity: bytes = b"") -> bytes:
        """Field lines of ours for the server."""
        lines = b"" if self.address_lines is None else self.address_lines.lines(client_host, local_host, head.kept)
        if identity and self.identity_field and all_of(identity, FIELD):
            lines += b"%s: %s\r\n" % (self.identity_field, identity)
        return lines + b"connection: close\r\n" if self.tells_close and not head.upgrade else lines
