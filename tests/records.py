"""Configuration records for tests, with the defaults that HAProxy gives where a file says nothing.

Only what a test is about is written in the test; everything else comes from here.
"""

from dataclasses import replace
from typing import Any, Final

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.server import Server
from balancer.backend.visit import Visit

ORIGIN: Final = model.Origin("test.cfg", 1)

_SERVER: Final = model.Server(
    name="s1",
    number=1,
    host="127.0.0.1",
    port=3001,
    is_ipv6=False,
    cookie=None,
    check=False,
    inter_s=2.0,
    fastinter_s=0.0,
    downinter_s=0.0,
    rise_count=2,
    fall_count=3,
    weight=1,
    backup=False,
    disabled=False,
    maxconn=0,
    maxqueue=0,
    origin=ORIGIN,
)

_COOKIE: Final = model.CookieRule(
    name=b"SEASIDE",
    indirect=False,
    nocache=False,
    postonly=False,
    preserve=False,
    httponly=False,
    secure=False,
    domains=(),
    attrs=(),
    origin=ORIGIN,
)

_BACKEND: Final = model.Backend(
    name="smalltalk",
    number=2,
    servers=(),
    balance=model.Balance(),
    cookie=None,
    retries=3,
    redispatch_interval=0,
    connect_timeout_s=5.0,
    server_timeout_s=50.0,
    queue_timeout_s=0.0,
    tunnel_timeout_s=0.0,
    check_timeout_s=0.0,
    maxconn=0,
    logs=(),
    errorfiles={},
    disabled=False,
    is_listen=True,
    origin=ORIGIN,
)

_FRONTEND: Final = model.Frontend(
    name="smalltalk",
    number=2,
    binds=(),
    maxconn=0,
    logs=(),
    log_format="http",
    dontlognull=True,
    client_timeout_s=40.0,
    http_request_timeout_s=0.0,
    keep_alive_timeout_s=0.0,
    default_backend="smalltalk",
    exporter_path=b"",
    errorfiles={},
    disabled=False,
    is_listen=True,
    origin=ORIGIN,
)


def server_record(name: str, **words: Any) -> model.Server:
    """One `server` line; `words` are fields of the record. Its number is given by `backend_record`."""
    return replace(_SERVER, name=name, **words)


def images(count: int, **words: Any) -> tuple[model.Server, ...]:
    """The original's servers: app1 with the cookie app1inst1, and so on, all checked."""
    words = {"check": True, **words}
    return tuple(server_record(f"app{n}", cookie=f"app1inst{n}".encode(), port=3000 + n, **words) for n in range(1, count + 1))


def cookie_record(**words: Any) -> model.CookieRule:
    """`cookie SEASIDE insert` and the words given."""
    return replace(_COOKIE, **words)


def backend_record(*servers: model.Server, **words: Any) -> model.Backend:
    """A backend of these servers, numbered in this order; `balance` may be the name of an algorithm."""
    if isinstance(words.get("balance"), str):
        words["balance"] = model.Balance(words["balance"])
    return replace(_BACKEND, servers=tuple(replace(each, number=n) for n, each in enumerate(servers, 1)), **words)


def frontend_record(**words: Any) -> model.Frontend:
    """The clients' half of the original's `listen smalltalk`."""
    return replace(_FRONTEND, **words)


def model_record(backend: model.Backend, frontend: model.Frontend | None = None) -> model.Model:
    """A whole configuration of one frontend and one backend."""
    return model.Model(model.Global(), (frontend or frontend_record(),), (backend,), ("test.cfg",))


class FakeVisit(Visit):
    """A request with these keys."""

    def __init__(
        self,
        avoid: Server | None = None,
        source: bytes = b"",
        target: bytes = b"/",
        fields: dict[bytes, bytes] | None = None,
        form: bytes | None = None,
    ) -> None:
        super().__init__()
        self.avoid = avoid
        self.source = source
        self.target = target
        self.fields = fields or {}
        self.form = form

    def source_octets(self) -> bytes:
        """As given."""
        return self.source

    def target_octets(self) -> bytes:
        """As given."""
        return self.target

    def field_octets(self, name: bytes) -> bytes:
        """As given."""
        return self.fields.get(name, b"")

    def form_octets(self) -> bytes | None:
        """As given."""
        return self.form


class KeptEvents(EventLog):
    """Keeps the event lines as (severity, proxy, text)."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str]] = []

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        """Keeps one line."""
        self.lines.append((severity, proxy_name, text))


def living_backend(*servers: model.Server, **words: Any) -> Backend:
    """A backend at the time 0.0, its events kept in `backend.events`."""
    return Backend(backend_record(*servers, **words), KeptEvents(), 0.0)


def living_servers(*servers: model.Server) -> list[Server]:
    """Servers at the time 0.0."""
    return [Server(replace(each, number=n), "smalltalk", 0.0) for n, each in enumerate(servers, 1)]
