"""The table of columns: one row makes the CSV column of `show stat` and the Prometheus series of the same figure.

Order, names and emptiness are HAProxy 2.6's (recorded). A row says how to read the figure of a frontend, a backend and a
server, and of an address where `option socket-stats` is; None leaves the column empty. What does not exist here (compression,
caches, TLS, threads) reads 0 where HAProxy reads 0 for a feature that is off.
"""

from typing import Final

from balancer.backend.verdicts import CHECK_STATES
from balancer.observe.readings import (
    Column,
    address,
    analyses_failed,
    answers,
    backend_downtime,
    backend_last_session,
    check_code,
    check_duration,
    check_status,
    checked,
    cookie,
    counter,
    downtime,
    gauge,
    has_result,
    last_check,
    mean,
    none,
    of_backend,
    of_frontend,
    of_listening,
    of_server,
    open_connections,
    rate_max,
    rates,
    server_last_session,
    slot,
    sum_of,
    throttle,
    total,
    tracked,
    user_weight,
    weight,
)

SINCE: Final = "since the worker process started"
MILLI: Final = 0.001

COLUMNS: Final[tuple[Column, ...]] = (
    Column("pxname", *(3 * (lambda reading: reading.proxy_name,)), listening=lambda reading: reading.proxy_name),
    Column(
        "svname",
        lambda _: "FRONTEND",
        lambda _: "BACKEND",
        of_server(lambda server: server.name),
        listening=of_listening(lambda listening: listening.name),
    ),
    Column(
        "qcur",
        backend=of_backend(lambda backend: backend.queue.length),
        server=of_server(lambda server: server.queue.length),
        metric=gauge("current_queue", "Number of current queued connections"),
    ),
    slot(
        "qmax", "queue_max", "bs", gauge("max_queue", "Highest value of queued connections encountered since process started")
    ),
    slot(
        "scur",
        "sessions_cur",
        "fbsl",
        gauge("current_sessions", "Number of current sessions on the frontend, backend or server"),
    ),
    slot(
        "smax",
        "sessions_max",
        "fbsl",
        gauge("max_sessions", "Highest value of current sessions encountered since process started"),
    ),
    Column(
        "slim",
        of_frontend(lambda frontend: frontend.maxconn),
        of_backend(lambda backend: backend.fullconn),
        of_server(lambda server: server.maxconn or None),
        gauge("limit_sessions", "Frontend/listener/server's maxconn, backend's fullconn"),
        of_listening(lambda listening: listening.maxconn),
    ),
    slot("stot", "sessions_total", "fbsl", total("sessions", "Total number of sessions since process started")),
    slot("bin", "bytes_in", "fbsl", total("bytes_in", "Total number of request bytes since process started")),
    slot("bout", "bytes_out", "fbsl", total("bytes_out", "Total number of response bytes since process started")),
    slot("dreq", "requests_denied", "fbl", total("requests_denied", "Total number of denied requests since process started")),
    slot(
        "dresp", "responses_denied", "fbsl", total("responses_denied", "Total number of denied responses since process started")
    ),
    slot("ereq", "request_errors", "fl", total("request_errors", "Total number of invalid requests since process started")),
    slot("econ", "connect_errors", "bs", total("connection_errors", f"Total number of failed connections to server {SINCE}")),
    slot("eresp", "response_errors", "bs", total("response_errors", f"Total number of invalid responses {SINCE}")),
    slot("wretr", "retries", "bs", total("retry_warnings", f"Total number of server connection retries {SINCE}")),
    slot(
        "wredis",
        "redispatches",
        "bs",
        total("redispatch_warnings", f"Total number of server redispatches due to connection failures {SINCE}"),
    ),
    Column(
        "status",
        of_frontend(lambda frontend: frontend.status_text()),
        of_backend(lambda backend: backend.status_text()),
        of_server(lambda server: server.status_text()),
        listening=of_listening(lambda listening: listening.status_text()),
    ),
    Column(
        "weight",
        backend=of_backend(weight),
        server=of_server(lambda server: server.effective_weight()),
        metric=gauge("weight", "Server's effective weight, or sum of active servers' effective weights for a backend"),
    ),
    Column(
        "act",
        backend=of_backend(lambda backend: backend.active_count()),
        server=of_server(lambda server: int(not server.is_backup)),
        metric=gauge("active_servers", "Total number of active UP servers with a non-zero weight"),
    ),
    Column(
        "bck",
        backend=of_backend(lambda backend: backend.backup_count()),
        server=of_server(lambda server: int(server.is_backup)),
        metric=gauge("backup_servers", "Total number of backup UP servers with a non-zero weight"),
    ),
    Column(
        "chkfail",
        server=of_server(lambda server: server.checks_failed if server.is_checked else None),
        metric=total("check_failures", f"Total number of failed individual health checks per server/backend, {SINCE}"),
    ),
    Column(
        "chkdown",
        backend=of_backend(lambda backend: backend.transitions_down),
        server=of_server(lambda server: server.transitions_down if server.is_checked else None),
        metric=total(
            "check_up_down", f"Total number of failed checks causing UP to DOWN server transitions, per server/backend, {SINCE}"
        ),
    ),
    Column(
        "lastchg",
        backend=lambda reading: int(reading.now - reading.backend.changed_at) if reading.backend else None,
        server=lambda reading: int(reading.now - reading.server.changed_at) if reading.server else None,
        metric=gauge("check_last_change_seconds", "How long ago the last server state changed, in seconds"),
    ),
    Column(
        "downtime",
        backend=backend_downtime,
        server=downtime,
        metric=total("downtime_seconds", "Total time spent in DOWN state, for server or backend"),
    ),
    Column(
        "qlimit",
        server=of_server(lambda server: server.maxqueue or None),
        metric=gauge("queue_limit", "Limit on the number of connections in queue, for servers only (maxqueue argument)"),
    ),
    Column("pid", lambda _: 1, lambda _: 1, lambda _: 1, listening=lambda _: 1),
    Column("iid", *(3 * (lambda reading: reading.number,)), listening=lambda reading: reading.number),
    Column(
        "sid",
        lambda _: 0,
        lambda _: 0,
        of_server(lambda server: server.number),
        listening=of_listening(lambda listening: listening.number),
    ),
    Column(
        "throttle",
        server=of_server(throttle),
        metric=gauge(
            "current_throttle",
            "Throttling ratio applied to a server's maxconn and weight during the slowstart period (0 to 100%)",
        ),
    ),
    slot(
        "lbtot",
        "selected",
        "bs",
        total("loadbalanced", f"Total number of requests routed by load balancing {SINCE} (ignores queue pop and stickiness)"),
    ),
    Column("tracked", server=of_server(tracked)),
    Column("type", lambda _: 0, lambda _: 1, lambda _: 2, listening=lambda _: 3),
    Column("rate", **rates("session_rate", "fbs")),
    none(
        "rate_lim",
        "f",
        gauge(
            "limit_session_rate",
            "Limit on the number of sessions accepted in a second (frontend only, 'rate-limit sessions' setting)",
        ),
    ),
    Column(
        "rate_max",
        **rate_max("session_rate", "fbs"),
        metric=gauge("max_session_rate", f"Highest value of sessions per second observed {SINCE}"),
    ),
    Column("check_status", server=checked(check_status)),
    Column("check_code", server=has_result(check_code)),
    Column(
        "check_duration",
        server=has_result(check_duration),
        metric=gauge("check_duration_seconds", "Total duration of the latest server health check, in seconds.", MILLI),
    ),
    slot("hrsp_1xx", "responses_1xx", "fbs"),
    slot("hrsp_2xx", "responses_2xx", "fbs"),
    slot("hrsp_3xx", "responses_3xx", "fbs"),
    slot("hrsp_4xx", "responses_4xx", "fbs"),
    slot("hrsp_5xx", "responses_5xx", "fbs"),
    slot("hrsp_other", "responses_other", "fbs"),
    Column("hanafail", server=of_server(analyses_failed)),
    Column("req_rate", **rates("request_rate", "f")),
    Column(
        "req_rate_max",
        **rate_max("request_rate", "f"),
        metric=gauge("http_requests_rate_max", f"Highest value of http requests observed {SINCE}"),
    ),
    Column(
        "req_tot",
        **counter("requests_total", "f"),
        backend=of_backend(lambda backend: answers(backend.counters)),
        server=of_server(lambda server: answers(server.counters)),
        metric=total("http_requests", f"Total number of HTTP requests processed by this object {SINCE}"),
    ),
    slot(
        "cli_abrt",
        "client_aborts",
        "bs",
        total("client_aborts", f"Total number of requests or connections aborted by the client {SINCE}"),
    ),
    slot(
        "srv_abrt",
        "server_aborts",
        "bs",
        total("server_aborts", f"Total number of requests or connections aborted by the server {SINCE}"),
    ),
    none(
        "comp_in",
        "fb",
        total("http_comp_bytes_in", f"Total number of bytes submitted to the HTTP compressor for this object {SINCE}"),
    ),
    none(
        "comp_out",
        "fb",
        total("http_comp_bytes_out", f"Total number of bytes emitted by the HTTP compressor for this object {SINCE}"),
    ),
    none(
        "comp_byp",
        "fb",
        total(
            "http_comp_bytes_bypassed",
            f"Total number of bytes that bypassed HTTP compression for this object {SINCE} (CPU/memory/bandwidth limitation)",
        ),
    ),
    none(
        "comp_rsp",
        "fb",
        total("http_comp_responses", f"Total number of HTTP responses that were compressed for this object {SINCE}"),
    ),
    Column(
        "lastsess",
        backend=backend_last_session,
        server=server_last_session,
        metric=gauge(
            "last_session_seconds", "How long ago some traffic was seen on this object on this worker process, in seconds"
        ),
    ),
    Column("last_chk", server=checked(last_check)),
    none("last_agt"),
    Column(
        "qtime",
        **mean("queue_time"),
        metric=gauge("queue_time_average_seconds", "Avg. queue time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "ctime",
        **mean("connect_time"),
        metric=gauge("connect_time_average_seconds", "Avg. connect time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "rtime",
        **mean("response_time"),
        metric=gauge("response_time_average_seconds", "Avg. response time for last 1024 successful connections.", MILLI),
    ),
    Column(
        "ttime",
        **mean("total_time"),
        metric=gauge("total_time_average_seconds", "Avg. total time for last 1024 successful connections.", MILLI),
    ),
    none("agent_status"),
    none("agent_code"),
    none("agent_duration"),
    Column("check_desc", server=checked(lambda server: CHECK_STATES[server.check_state].text)),
    none("agent_desc"),
    Column("check_rise", server=checked(lambda server: server.rise_count)),
    Column("check_fall", server=checked(lambda server: server.fall_count)),
    Column("check_health", server=checked(lambda server: server.health)),
    none("agent_rise"),
    none("agent_fall"),
    none("agent_health"),
    Column("addr", server=of_server(address), listening=of_listening(lambda listening: listening.address)),
    Column(
        "cookie",
        backend=of_backend(
            lambda backend: None if backend.config.cookie is None else backend.config.cookie.name.decode("latin-1")
        ),
        server=of_server(cookie),
    ),
    Column("mode", lambda _: "http", lambda _: "http", lambda _: "http", listening=lambda _: "http"),
    Column("algo", backend=of_backend(lambda backend: backend.config.balance.algorithm)),
    Column("conn_rate", **rates("connection_rate", "f")),
    Column(
        "conn_rate_max",
        **rate_max("connection_rate", "f"),
        metric=gauge("connections_rate_max", f"Highest value of connections per second observed {SINCE}"),
    ),
    slot(
        "conn_tot",
        "connections_total",
        "f",
        total("connections", f"Total number of new connections accepted on this frontend {SINCE}"),
    ),
    slot(
        "intercepted",
        "intercepted",
        "f",
        total(
            "intercepted_requests",
            f"Total number of HTTP requests intercepted on the frontend (redirects/stats/services) {SINCE}",
        ),
    ),
    none(
        "dcon",
        "fl",
        total(
            "denied_connections",
            f"Total number of incoming connections blocked on a listener/frontend by a tcp-request connection rule {SINCE}",
        ),
    ),
    none(
        "dses",
        "fl",
        total(
            "denied_sessions",
            f"Total number of incoming sessions blocked on a listener/frontend by a tcp-request connection rule {SINCE}",
        ),
    ),
    none("wrew", "fbsl", total("failed_header_rewriting", f"Total number of failed HTTP header rewrites {SINCE}")),
    Column(
        "connect",
        backend=sum_of("connections_total"),
        **counter("connections_total", "s"),
        metric=total("connection_attempts", f"Total number of outgoing connection attempts on this backend/server {SINCE}"),
    ),
    Column(
        "reuse",
        backend=sum_of("reuses"),
        **counter("reuses", "s"),
        metric=total("connection_reuses", f"Total number of reused connection on this backend/server {SINCE}"),
    ),
    none(
        "cache_lookups",
        "fb",
        total("http_cache_lookups", f"Total number of HTTP requests looked up in the cache on this frontend/backend {SINCE}"),
    ),
    none(
        "cache_hits",
        "fb",
        total("http_cache_hits", f"Total number of HTTP requests not found in the cache on this frontend/backend {SINCE}"),
    ),
    Column(
        "srv_icur",
        server=of_server(lambda server: len(server.pool.idle)),
        metric=gauge("idle_connections_current", "Current number of idle connections available for reuse on this server"),
    ),
    Column(
        "src_ilim",
        server=of_server(lambda server: None if server.config.pool_size_max < 0 else server.config.pool_size_max),
        metric=gauge(
            "idle_connections_limit",
            "Limit on the number of available idle connections on this server (server 'pool_max_conn' directive)",
        ),
    ),
    slot(
        "qtime_max",
        "queue_time_max_ms",
        "bs",
        gauge("max_queue_time_seconds", "Maximum observed time spent in the queue", MILLI),
    ),
    slot(
        "ctime_max",
        "connect_time_max_ms",
        "bs",
        gauge("max_connect_time_seconds", "Maximum observed time spent waiting for a connection to complete", MILLI),
    ),
    slot(
        "rtime_max",
        "response_time_max_ms",
        "bs",
        gauge("max_response_time_seconds", "Maximum observed time spent waiting for a server response", MILLI),
    ),
    slot(
        "ttime_max",
        "total_time_max_ms",
        "bs",
        gauge(
            "max_total_time_seconds",
            "Maximum observed total request+response time (request+queue+connect+response+processing)",
            MILLI,
        ),
    ),
    slot("eint", "internal_errors", "fbsl", total("internal_errors", "Total number of internal errors since process started")),
    none("idle_conn_cur", "s", gauge("unsafe_idle_connections_current", "Current number of unsafe idle connections")),
    Column(
        "safe_conn_cur",
        server=of_server(lambda server: len(server.pool.idle)),
        metric=gauge("safe_idle_connections_current", "Current number of safe idle connections"),
    ),
    Column(
        "used_conn_cur",
        server=of_server(lambda server: server.served),
        metric=gauge("used_connections_current", "Current number of connections in use"),
    ),
    Column(
        "need_conn_est",
        server=of_server(lambda server: server.served),
        metric=gauge("need_connections_current", "Estimated needed number of connections"),
    ),
    Column(
        "uweight",
        backend=of_backend(user_weight),
        server=of_server(lambda server: server.weight),
        metric=gauge("uweight", "Server's user weight, or sum of active servers' user weights for a backend"),
    ),
    none("agg_server_status", "b"),
    none("agg_server_check_status", "b"),
    none("agg_check_status", "b"),
    Column("-", lambda _: "-", lambda _: "-", lambda _: "-", listening=lambda _: "-"),
    none("ssl_sess", "fbsl"),
    none("ssl_reused_sess", "fbsl"),
    none("ssl_failed_handshake", "fbsl"),
    *(
        none(f"h2_{name}", "fb")
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
    Column("h1_open_connections", **counter("sessions_cur", "f"), backend=of_backend(open_connections)),
    none("h1_open_streams", "fb"),
    Column("h1_total_connections", **counter("connections_total", "f"), backend=sum_of("connects")),
    Column("h1_total_streams", **counter("requests_total", "f"), **counter("sessions_total", "b")),
    slot("h1_bytes_in", "bytes_in", "fb"),
    slot("h1_bytes_out", "bytes_out", "fb"),
    none("h1_spliced_bytes_in", "fb"),
    none("h1_spliced_bytes_out", "fb"),
)
