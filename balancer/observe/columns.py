"""The table of columns: one row makes the CSV column of `show stat` and the Prometheus series of the same figure.

Order, names and emptiness are HAProxy 2.6's (recorded). A row says how to read the figure of a frontend, a backend and a
server; None leaves the column empty. What does not exist here (compression, caches, TLS, threads) reads 0 where HAProxy
reads 0 for a feature that is off.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from balancer.backend.backend import Backend
from balancer.backend.frontend import Frontend
from balancer.backend.server import MAINT, Server

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


CHECK_TEXTS: Final = {
    "INI": "Initializing",
    "L4OK": "Layer4 check passed",
    "L4CON": "Layer4 connection problem",
    "L4TOUT": "Layer4 timeout",
    "SOCKERR": "Socket error",
}


def _f(read: Callable[[Frontend], Value]) -> Callable[[Reading], Value]:
    def column(reading: Reading) -> Value:
        assert reading.frontend is not None
        return read(reading.frontend)

    return column


def _b(read: Callable[[Backend], Value]) -> Callable[[Reading], Value]:
    def column(reading: Reading) -> Value:
        assert reading.backend is not None
        return read(reading.backend)

    return column


def _s(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    def column(reading: Reading) -> Value:
        assert reading.server is not None
        return read(reading.server)

    return column


def _counter(name: str, where: str) -> dict[str, Any]:
    """Readers of one slot of the counters, for the kinds in `where` (f, b, s)."""
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = _f(lambda frontend: int(getattr(frontend.counters, name)))
    if "b" in where:
        readers["backend"] = _b(lambda backend: int(getattr(backend.counters, name)))
    if "s" in where:
        readers["server"] = _s(lambda server: int(getattr(server.counters, name)))
    return readers


def _zero(where: str) -> dict[str, Any]:
    readers: dict[str, Any] = {}
    for letter, kind in (("f", "frontend"), ("b", "backend"), ("s", "server")):
        if letter in where:
            readers[kind] = lambda _reading: 0
    return readers


def _slot(name: str, slot: str, where: str, metric: Metric | None = None) -> Column:
    return Column(name, **_counter(slot, where), metric=metric)


def _none(name: str, where: str = "", metric: Metric | None = None) -> Column:
    return Column(name, **_zero(where), metric=metric)


def _weight(backend: Backend) -> int:
    active = sum(server.weight for server in backend.servers if not server.is_backup and server.is_balanced())
    return active or sum(server.weight for server in backend.backups if server.is_balanced())


def _full(backend: Backend) -> int:
    """HAProxy's fullconn where it is not set: a tenth of the maxconn of the frontends in front."""
    return max(1, backend.config.maxconn // 10) if backend.config.maxconn else 0


def _downtime(reading: Reading) -> Value:
    server = reading.server
    assert server is not None
    return int(server.downtime_at(reading.now)) if server.is_checked else None


def _backend_downtime(reading: Reading) -> Value:
    backend = reading.backend
    assert backend is not None
    present = 0.0 if backend.is_up() or not backend.servers else reading.now - backend.changed_at
    return int(backend.downtime_s + present)


def _last_session(at: float, now: float) -> int:
    return -1 if at < 0 else int(now - at)


def _backend_last_session(reading: Reading) -> Value:
    assert reading.backend is not None
    return _last_session(max((server.last_session_at for server in reading.backend.servers), default=-1.0), reading.now)


def _server_last_session(reading: Reading) -> Value:
    assert reading.server is not None
    return _last_session(reading.server.last_session_at, reading.now)


def _checked(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    return _s(lambda server: read(server) if server.is_checked and server.admin_state != MAINT else None)


def _has_result(read: Callable[[Server], Value]) -> Callable[[Reading], Value]:
    return _checked(lambda server: None if server.check_code == "INI" else read(server))


def _address(server: Server) -> str:
    host = f"[{server.config.host}]" if server.config.is_ipv6 else server.config.host
    return f"{host}:{server.config.port}"


def _cookie(server: Server) -> Value:
    return None if server.cookie is None else server.cookie.decode("latin-1")


def _rates(meter: str, where: str) -> dict[str, Any]:
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = lambda reading: getattr(reading.frontend.counters, meter).rate(reading.now)
    if "b" in where:
        readers["backend"] = lambda reading: getattr(reading.backend.counters, meter).rate(reading.now)
    if "s" in where:
        readers["server"] = lambda reading: getattr(reading.server.counters, meter).rate(reading.now)
    return readers


def _rate_max(meter: str, where: str) -> dict[str, Any]:
    readers: dict[str, Any] = {}
    if "f" in where:
        readers["frontend"] = lambda reading: getattr(reading.frontend.counters, meter).rate_max
    if "b" in where:
        readers["backend"] = lambda reading: getattr(reading.backend.counters, meter).rate_max
    if "s" in where:
        readers["server"] = lambda reading: getattr(reading.server.counters, meter).rate_max
    return readers


def _mean(name: str) -> dict[str, Any]:
    return {
        "backend": _b(lambda backend: int(getattr(backend.counters, name).mean_ms())),
        "server": _s(lambda server: int(getattr(server.counters, name).mean_ms())),
    }


def _gauge(name: str, text: str, scale: float = 1.0) -> Metric:
    return Metric(name, "gauge", text, scale)


def _total(name: str, text: str) -> Metric:
    return Metric(f"{name}_total", "counter", text)


SINCE: Final = "since the worker process started"
MILLI: Final = 0.001

# The answer classes are one series with a label; `metrics` reads them here.
RESPONSE_CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx", "other")

COLUMNS: Final[tuple[Column, ...]] = (
    Column("pxname", *(3 * (lambda reading: reading.proxy_name,))),
    Column("svname", lambda _: "FRONTEND", lambda _: "BACKEND", _s(lambda server: server.name)),
    Column(
        "qcur",
        backend=_b(lambda backend: backend.counters.queue_cur + sum(server.queue.length for server in backend.servers)),
        server=_s(lambda server: server.queue.length),
        metric=_gauge("current_queue", "Number of current queued connections"),
    ),
    _slot("qmax", "queue_max", "bs", _gauge("max_queue", "Highest value of queued connections encountered since process started")),
    _slot("scur", "sessions_cur", "fbs", _gauge("current_sessions", "Number of current sessions on the frontend, backend or server")),
    _slot(
        "smax",
        "sessions_max",
        "fbs",
        _gauge("max_sessions", "Highest value of current sessions encountered since process started"),
    ),
    Column(
        "slim",
        _f(lambda frontend: frontend.maxconn),
        _b(_full),
        _s(lambda server: server.maxconn or None),
        _gauge("limit_sessions", "Frontend/listener/server's maxconn, backend's fullconn"),
    ),
    _slot("stot", "sessions_total", "fbs", _total("sessions", "Total number of sessions since process started")),
    _slot("bin", "bytes_in", "fbs", _total("bytes_in", "Total number of request bytes since process started")),
    _slot("bout", "bytes_out", "fbs", _total("bytes_out", "Total number of response bytes since process started")),
    _slot("dreq", "requests_denied", "fb", _total("requests_denied", "Total number of denied requests since process started")),
    _slot("dresp", "responses_denied", "fbs", _total("responses_denied", "Total number of denied responses since process started")),
    _slot("ereq", "request_errors", "f", _total("request_errors", "Total number of invalid requests since process started")),
    _slot("econ", "connect_errors", "bs", _total("connection_errors", f"Total number of failed connections to server {SINCE}")),
    _slot("eresp", "response_errors", "bs", _total("response_errors", f"Total number of invalid responses {SINCE}")),
    _slot("wretr", "retries", "bs", _total("retry_warnings", f"Total number of server connection retries {SINCE}")),
    _slot(
        "wredis",
        "redispatches",
        "bs",
        _total("redispatch_warnings", f"Total number of server redispatches due to connection failures {SINCE}"),
    ),
    Column(
        "status",
        _f(lambda frontend: frontend.status_text()),
        _b(lambda backend: backend.status_text()),
        _s(lambda server: server.status_text()),
    ),
    Column(
        "weight",
        backend=_b(_weight),
        server=_s(lambda server: server.weight),
        metric=_gauge("weight", "Server's effective weight, or sum of active servers' effective weights for a backend"),
    ),
    Column(
        "act",
        backend=_b(lambda backend: backend.active_count()),
        server=_s(lambda server: int(not server.is_backup)),
        metric=_gauge("active_servers", "Total number of active UP servers with a non-zero weight"),
    ),
    Column(
        "bck",
        backend=_b(lambda backend: backend.backup_count()),
        server=_s(lambda server: int(server.is_backup)),
        metric=_gauge("backup_servers", "Total number of backup UP servers with a non-zero weight"),
    ),
    Column(
        "chkfail",
        server=_s(lambda server: server.checks_failed if server.is_checked else None),
        metric=_total("check_failures", f"Total number of failed individual health checks per server/backend, {SINCE}"),
    ),
    Column(
        "chkdown",
        backend=_b(lambda backend: backend.transitions_down),
        server=_s(lambda server: server.transitions_down if server.is_checked else None),
        metric=_total("check_up_down", f"Total number of failed checks causing UP to DOWN server transitions, per server/backend, {SINCE}"),
    ),
    Column(
        "lastchg",
        backend=lambda reading: int(reading.now - reading.backend.changed_at) if reading.backend else None,
        server=lambda reading: int(reading.now - reading.server.changed_at) if reading.server else None,
        metric=_gauge("check_last_change_seconds", "How long ago the last server state changed, in seconds"),
    ),
    Column(
        "downtime",
        backend=_backend_downtime,
        server=_downtime,
        metric=_total("downtime_seconds", "Total time spent in DOWN state, for server or backend"),
    ),
    Column(
        "qlimit",
        server=_s(lambda server: server.maxqueue or None),
        metric=_gauge("queue_limit", "Limit on the number of connections in queue, for servers only (maxqueue argument)"),
    ),
    Column("pid", lambda _: 1, lambda _: 1, lambda _: 1),
    Column("iid", *(3 * (lambda reading: reading.number,))),
    Column("sid", lambda _: 0, lambda _: 0, _s(lambda server: server.number)),
    _none("throttle"),
    _slot(
        "lbtot",
        "selected",
        "bs",
        _total("loadbalanced", f"Total number of requests routed by load balancing {SINCE} (ignores queue pop and stickiness)"),
    ),
    _none("tracked"),
    Column("type", lambda _: 0, lambda _: 1, lambda _: 2),
    Column("rate", **_rates("session_rate", "fbs")),
    _none("rate_lim", "f", _gauge("limit_session_rate", "Limit on the number of sessions accepted in a second (frontend only, 'rate-limit sessions' setting)")),
    Column(
        "rate_max",
        **_rate_max("session_rate", "fbs"),
        metric=_gauge("max_session_rate", f"Highest value of sessions per second observed {SINCE}"),
    ),
    Column("check_status", server=_checked(lambda server: server.check_code)),
    _none("check_code"),
    Column(
        "check_duration",
        server=_has_result(lambda server: server.check_duration_ms if server.check_code == "L4OK" else 0),
        metric=_gauge("check_duration_seconds", "Total duration of the latest server health check, in seconds.", MILLI),
    ),
    _slot("hrsp_1xx", "responses_1xx", "fbs"),
    _slot("hrsp_2xx", "responses_2xx", "fbs"),
    _slot("hrsp_3xx", "responses_3xx", "fbs"),
    _slot("hrsp_4xx", "responses_4xx", "fbs"),
    _slot("hrsp_5xx", "responses_5xx", "fbs"),
    _slot("hrsp_other", "responses_other", "fbs"),
    _none("hanafail"),
    Column("req_rate", **_rates("request_rate", "f")),
    Column(
        "req_rate_max",
        **_rate_max("request_rate", "f"),
        metric=_gauge("http_requests_rate_max", f"Highest value of http requests observed {SINCE}"),
    ),
    _slot(
        "req_tot",
        "requests_total",
        "fb",
        _total("http_requests", f"Total number of HTTP requests processed by this object {SINCE}"),
    ),
    _slot(
        "cli_abrt",
        "client_aborts",
        "bs",
        _total("client_aborts", f"Total number of requests or connections aborted by the client {SINCE}"),
    ),
    _slot(
        "srv_abrt",
        "server_aborts",
        "bs",
        _total("server_aborts", f"Total number of requests or connections aborted by the server {SINCE}"),
    ),
    _none("comp_in", "fb"),
    _none("comp_out", "fb"),
    _none("comp_byp", "fb"),
    _none("comp_rsp", "fb"),
    Column(
        "lastsess",
        backend=_backend_last_session,
        server=_server_last_session,
        metric=_gauge("last_session_seconds", "How long ago some traffic was seen on this object on this worker process, in seconds"),
    ),
    Column("last_chk", server=_has_result(lambda server: server.check_info)),
    _none("last_agt"),
    Column(
        "qtime",
        **_mean("queue_time"),
        metric=_gauge("queue_time_average_seconds", "Avg. queue time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "ctime",
        **_mean("connect_time"),
        metric=_gauge("connect_time_average_seconds", "Avg. connect time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "rtime",
        **_mean("response_time"),
        metric=_gauge("response_time_average_seconds", "Avg. response time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "ttime",
        **_mean("total_time"),
        metric=_gauge("total_time_average_seconds", "Avg. total time for last 1024 successful connections.", MILLI),
    ),
    _none("agent_status"),
    _none("agent_code"),
    _none("agent_duration"),
    Column("check_desc", server=_has_result(lambda server: CHECK_TEXTS[server.check_code])),
    _none("agent_desc"),
    Column("check_rise", server=_checked(lambda server: server.rise_count)),
    Column("check_fall", server=_checked(lambda server: server.fall_count)),
    Column("check_health", server=_checked(lambda server: server.health)),
    _none("agent_rise"),
    _none("agent_fall"),
    _none("agent_health"),
    Column("addr", server=_s(_address)),
    Column(
        "cookie",
        backend=_b(lambda backend: None if backend.config.cookie is None else backend.config.cookie.name.decode("latin-1")),
        server=_s(_cookie),
    ),
    Column("mode", lambda _: "http", lambda _: "http", lambda _: "http"),
    Column("algo", backend=_b(lambda backend: backend.config.balance)),
    Column("conn_rate", **_rates("connection_rate", "f")),
    Column(
        "conn_rate_max",
        **_rate_max("connection_rate", "f"),
        metric=_gauge("connections_rate_max", f"Highest value of connections per second observed {SINCE}"),
    ),
    _slot(
        "conn_tot",
        "connections_total",
        "f",
        _total("connections", f"Total number of new connections accepted on this frontend {SINCE}"),
    ),
    _slot(
        "intercepted",
        "intercepted",
        "f",
        _total("intercepted_requests", f"Total number of HTTP requests intercepted on the frontend (redirects/stats/services) {SINCE}"),
    ),
    _none("dcon", "f"),
    _none("dses", "f"),
    _none("wrew", "fbs"),
    _slot(
        "connect",
        "connects",
        "bs",
        _total("connection_attempts", f"Total number of outgoing connection attempts on this backend/server {SINCE}"),
    ),
    _slot("reuse", "reuses", "bs", _total("connection_reuses", f"Total number of reused connection on this backend/server {SINCE}")),
    _none("cache_lookups", "fb"),
    _none("cache_hits", "fb"),
    Column(
        "srv_icur",
        server=_s(lambda server: len(server.pool.idle)),
        metric=_gauge("idle_connections_current", "Current number of idle connections available for reuse on this server"),
    ),
    Column(
        "src_ilim",
        server=_s(lambda server: server.pool.size_max),
        metric=_gauge("idle_connections_limit", "Limit on the number of available idle connections on this server (server 'pool_max_conn' directive)"),
    ),
    _slot("qtime_max", "queue_time_max_ms", "bs", _gauge("max_queue_time_seconds", "Maximum observed time spent in the queue", MILLI)),
    _slot(
        "ctime_max",
        "connect_time_max_ms",
        "bs",
        _gauge("max_connect_time_seconds", "Maximum observed time spent waiting for a connection to complete", MILLI),
    ),
    _slot(
        "rtime_max",
        "response_time_max_ms",
        "bs",
        _gauge("max_response_time_seconds", "Maximum observed time spent waiting for a server response", MILLI),
    ),
    _slot(
        "ttime_max",
        "total_time_max_ms",
        "bs",
        _gauge(
            "max_total_time_seconds",
            "Maximum observed total request+response time (request+queue+connect+response+processing)",
            MILLI,
        ),
    ),
    _slot("eint", "internal_errors", "fbs", _total("internal_errors", "Total number of internal errors since process started")),
    _none("idle_conn_cur", "s"),
    Column(
        "safe_conn_cur",
        server=_s(lambda server: len(server.pool.idle)),
        metric=_gauge("safe_idle_connections_current", "Current number of safe idle connections"),
    ),
    Column(
        "used_conn_cur",
        server=_s(lambda server: server.served),
        metric=_gauge("used_connections_current", "Current number of connections in use"),
    ),
    Column(
        "need_conn_est",
        server=_s(lambda server: server.served),
        metric=_gauge("need_connections_current", "Estimated needed number of connections"),
    ),
    Column(
        "uweight",
        backend=_b(_weight),
        server=_s(lambda server: server.weight),
        metric=_gauge("uweight", "Server's user weight, or sum of active servers' user weights for a backend"),
    ),
    _none("agg_server_status", "b"),
    _none("agg_server_check_status", "b"),
    _none("agg_check_status", "b"),
    Column("-", lambda _: "-", lambda _: "-", lambda _: "-"),
    _none("ssl_sess", "fbs"),
    _none("ssl_reused_sess", "fbs"),
    _none("ssl_failed_handshake", "fbs"),
    *(
        _none(f"h2_{name}", "fb")
        for name in (
            "headers_rcvd",
            "data_rcvd",
            "settings_rcvd",
            "rst_stream_rcvd",
            "goaway_rcvd",
            "detected_conn_protocol_errors",
            "detected_strm_protocol_errors",
            "rst_stream_resp",
            "goaway_resp",
            "open_connections",
            "backend_open_streams",
            "total_connections",
            "backend_total_streams",
        )
    ),
    _slot("h1_open_connections", "sessions_cur", "f"),
    _none("h1_open_streams", "fb"),
    _slot("h1_total_connections", "connections_total", "f"),
    _slot("h1_total_streams", "requests_total", "fb"),
    _slot("h1_bytes_in", "bytes_in", "fb"),
    _slot("h1_bytes_out", "bytes_out", "fb"),
    _none("h1_spliced_bytes_in", "fb"),
    _none("h1_spliced_bytes_out", "fb"),
)
