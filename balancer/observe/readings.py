"""How one figure is read from a frontend, a backend or a server, and what a column is.

Readers only read: a scrape costs the hot path nothing but the time in which it runs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from balancer.backend.backend import Backend
from balancer.backend.counters import Counters
from balancer.backend.frontend import Frontend, Listening
from balancer.backend.server import OBSERVES_NOTHING, STARTING, WEIGHT_SCALE, Server
from balancer.backend.verdicts import CHECK_STATES, INITIAL

Value = int | str | None


@dataclass(frozen=True)
class Reading:
    """One object at one moment. `now` is `loop.time()`."""

    now: float
    proxy_name: str
    number: int
    frontend: Frontend | None = None
    backend: Backend | None = None
    server: Server | None = None
    maxconn: int = 0
    listening: Listening | None = None


@dataclass(frozen=True)
class Metric:
    """A Prometheus series: name behind `haproxy_KIND_`, type, help, and what a CSV figure is multiplied by."""

    name: str
    kind: str
    help: str
    scale: float = 1.0


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    frontend: Callable[[Reading], Value] | None = None
    backend: Callable[[Reading], Value] | None = None
    server: Callable[[Reading], Value] | None = None
    metric: Metric | None = None
    listening: Callable[[Reading], Value] | None = None


def of_frontend(read: Callable[[Frontend], Value]) -> Callable[[Reading], Value]:
    """Reads a frontend."""

    def column(reading: Reading) -> Value:
        assert reading.frontend is not None
        return read(reading.frontend)

    return column


def of_backend(read: Callable[[Backend], Value]) -> Callable[[Reading], Value]:
    """Reads a backend."""

    def column(reading: Reading) -> Value:
        assert reading.backend is not None
        return read(reading.backend)

    return column


def of_server(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    """Reads a server."""

    def column(reading: Reading) -> Value:
        assert reading.server is not None
        return read(reading.server)

    return column


def of_listening(read: Callable[[Listening], Value]) -> Callable[[Reading], Value]:
    """Reads an address that counts for itself."""

    def column(reading: Reading) -> Value:
        assert reading.listening is not None
        return read(reading.listening)

    return column


def counter(name: str, where: str) -> dict[str, Any]:
    """Readers of one slot of the counters, for the kinds in `where` (f, b, s, l)."""
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = of_frontend(lambda frontend: int(getattr(frontend.counters, name)))
    if "b" in where:
        readers["backend"] = of_backend(lambda backend: int(getattr(backend.counters, name)))
    if "s" in where:
        readers["server"] = of_server(lambda server: int(getattr(server.counters, name)))
    if "l" in where:
        readers["listening"] = of_listening(lambda listening: int(getattr(listening.counters, name)))
    return readers


def zero(where: str) -> dict[str, Any]:
    """Readers of a figure that is always 0 here, for the kinds in `where`."""
    readers: dict[str, Any] = {}
    for letter, kind in (("f", "frontend"), ("b", "backend"), ("s", "server"), ("l", "listening")):
        if letter in where:
            readers[kind] = lambda _reading: 0
    return readers


def slot(name: str, slot: str, where: str, metric: Metric | None = None) -> Column:
    """A column of one counter."""
    return Column(name, **counter(slot, where), metric=metric)


def none(name: str, where: str = "", metric: Metric | None = None) -> Column:
    """A column of what does not exist here: 0 for the kinds in `where`, empty for the others."""
    return Column(name, **zero(where), metric=metric)


def answers(counters: Counters) -> int:
    """Requests that have had an answer, of whatever class: HAProxy counts those of backends and servers at their end."""
    return (
        counters.responses_1xx
        + counters.responses_2xx
        + counters.responses_3xx
        + counters.responses_4xx
        + counters.responses_5xx
        + counters.responses_other
    )


def sum_of(name: str) -> Callable[[Reading], Value]:
    """Adds up one slot over a backend's servers."""
    return of_backend(lambda backend: sum(int(getattr(server.counters, name)) for server in backend.servers))


def open_connections(backend: Backend) -> int:
    """Connections to servers, in use or kept."""
    return sum(server.served + len(server.pool.idle) for server in backend.servers)


def weight(backend: Backend) -> int:
    """The weight that serves new visitors."""
    return _share([server.scaled_weight() for server in backend.servers if not server.is_backup and server.is_balanced()]) or (
        _share([server.scaled_weight() for server in backend.backups if server.is_balanced()])
    )


def user_weight(backend: Backend) -> int:
    """The same, as the servers would have it without `slowstart`."""
    active = sum(server.weight for server in backend.servers if not server.is_backup and server.is_balanced())
    return active or sum(server.weight for server in backend.backups if server.is_balanced())


def _share(scaled: list[int]) -> int:
    return (sum(scaled) + WEIGHT_SCALE - 1) // WEIGHT_SCALE


def check_status(server: Server) -> str:
    """The name of the last check's state; a star tells that another is under way."""
    return f"{'* ' if server.check_is_running and server.check_state != INITIAL else ''}{server.check_state}"


def last_check(server: Server) -> str:
    """What the last check found, in words; none before the first."""
    return "" if server.check_state == INITIAL else server.check_info


def check_code(server: Server) -> Value:
    """The status that the last check was answered with, where its state has one."""
    return server.check_code if CHECK_STATES[server.check_state].has_code else None


def check_duration(server: Server) -> Value:
    """How long the last check took; nothing for what visitors met."""
    return None if server.check_duration_ms < 0 else server.check_duration_ms


def throttle(server: Server) -> Value:
    """How many percent of its weight a server has while it is coming back."""
    return server.throttle() if server.state == STARTING and not server.is_in_maintenance() else None


def tracked(server: Server) -> Value:
    """The server that this one tracks."""
    return None if server.tracked is None else f"{server.tracked.backend_name}/{server.tracked.name}"


def analyses_failed(server: Server) -> Value:
    """How often errors of visitors in a row were too many, of a server with `observe`."""
    return None if server.observes == OBSERVES_NOTHING else server.analyses_failed


def downtime(reading: Reading) -> Value:
    """Seconds not UP, of a checked server."""
    server = reading.server
    assert server is not None
    return int(server.downtime_at(reading.now)) if server.is_checked else None


def backend_downtime(reading: Reading) -> Value:
    """Seconds without any server that takes visitors, of a backend that has servers."""
    backend = reading.backend
    assert backend is not None
    if not backend.servers:
        return None
    present = 0.0 if backend.is_up() else reading.now - backend.changed_at
    return int(backend.downtime_s + present)


def last_session(at: float, now: float) -> int:
    """Seconds since the last request, -1 for none yet."""
    return -1 if at < 0 else int(now - at)


def backend_last_session(reading: Reading) -> Value:
    """Seconds since the last request of any server."""
    assert reading.backend is not None
    return last_session(max((server.last_session_at for server in reading.backend.servers), default=-1.0), reading.now)


def server_last_session(reading: Reading) -> Value:
    """Seconds since the last request."""
    assert reading.server is not None
    return last_session(reading.server.last_session_at, reading.now)


def checked(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    """Reads a server that is checked now."""
    return of_server(lambda server: read(server) if server.is_checked and not server.is_in_maintenance() else None)


def has_result(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    """Reads a server whose check has had a result."""
    return checked(lambda server: None if server.check_state == INITIAL else read(server))


def address(server: Server) -> str:
    """Host and port as the statistics write them."""
    host = f"[{server.config.host}]" if server.config.is_ipv6 else server.config.host
    return f"{host}:{server.config.port}"


def cookie(server: Server) -> Value:
    """The cookie value, None without one."""
    return None if server.cookie is None else server.cookie.decode("latin-1")


def rates(meter: str, where: str) -> dict[str, Any]:
    """Readers of a meter's present rate."""
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = lambda reading: getattr(reading.frontend.counters, meter).rate(reading.now)
    if "b" in where:
        readers["backend"] = lambda reading: getattr(reading.backend.counters, meter).rate(reading.now)
    if "s" in where:
        readers["server"] = lambda reading: getattr(reading.server.counters, meter).rate(reading.now)
    return readers


def rate_max(meter: str, where: str) -> dict[str, Any]:
    """Readers of a meter's highest rate."""
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = lambda reading: getattr(reading.frontend.counters, meter).rate_max
    if "b" in where:
        readers["backend"] = lambda reading: getattr(reading.backend.counters, meter).rate_max
    if "s" in where:
        readers["server"] = lambda reading: getattr(reading.server.counters, meter).rate_max
    return readers


def mean(name: str) -> dict[str, Any]:
    """Readers of a sliding mean in milliseconds."""
    return {
        "backend": of_backend(lambda backend: int(getattr(backend.counters, name).mean_ms())),
        "server": of_server(lambda server: int(getattr(server.counters, name).mean_ms())),
    }


def gauge(name: str, text: str, scale: float = 1.0) -> Metric:
    """A Prometheus gauge."""
    return Metric(name, "gauge", text, scale)


def total(name: str, text: str) -> Metric:
    """A Prometheus counter."""
    return Metric(f"{name}_total", "counter", text)
