"""What each figure is, as the typed and JSON forms tell it: three letters of tags, a type, and what the figure means.

The letters are the origin, the nature and the scope of a figure; HAProxy's management guide calls them so (9.2), and the names
that JSON writes for them are in ORIGINS, NATURES and SCOPES. Tags and types are recorded from HAProxy 2.6.12; where a backend's
figure is tagged otherwise than a server's, the row says so. Every column and every line of `show info` has a row here; a test
holds the tables together.
"""

from dataclasses import dataclass
from typing import Final

ORIGINS: Final = {"M": "Metric", "S": "Status", "K": "Key", "C": "Config", "P": "Product"}
NATURES: Final = {
    "G": "Gauge",
    "L": "Limit",
    "m": "Min",
    "M": "Max",
    "R": "Rate",
    "C": "Counter",
    "D": "Duration",
    "A": "Age",
    "T": "Time",
    "N": "Name",
    "O": "Output",
    "a": "Avg",
}
SCOPES: Final = {"C": "Cluster", "P": "Process", "S": "Service", "s": "System"}


@dataclass(frozen=True)
class Tag:
    """Tags and type of one figure; `backend` are the letters of a backend's where they differ."""

    letters: str
    type: str
    text: str = ""
    backend: str = ""


COLUMN_TAGS: Final[dict[str, Tag]] = {
    "pxname": Tag("KNS", "str", "Proxy name"),
    "svname": Tag("KNS", "str", "Server name"),
    "qcur": Tag("MGP", "u32", "Number of current queued connections"),
    "qmax": Tag("MMP", "u32", "Highest value of queued connections encountered since process started"),
    "scur": Tag("MGP", "u32", "Number of current sessions on the frontend, backend or server"),
    "smax": Tag("MMP", "u32", "Highest value of current sessions encountered since process started"),
    "slim": Tag("CLP", "u32", "Frontend/listener/server's maxconn, backend's fullconn"),
    "stot": Tag("MCP", "u64", "Total number of sessions since process started"),
    "bin": Tag("MCP", "u64", "Total number of request bytes since process started"),
    "bout": Tag("MCP", "u64", "Total number of response bytes since process started"),
    "dreq": Tag("MCP", "u64", "Total number of denied requests since process started"),
    "dresp": Tag("MCP", "u64", "Total number of denied responses since process started"),
    "ereq": Tag("MCP", "u64", "Total number of invalid requests since process started"),
    "econ": Tag("MCP", "u64", "Total number of failed connections to server since the worker process started"),
    "eresp": Tag("MCP", "u64", "Total number of invalid responses since the worker process started"),
    "wretr": Tag("MCP", "u64", "Total number of server connection retries since the worker process started"),
    "wredis": Tag(
        "MCP", "u64", "Total number of server redispatches due to connection failures since the worker process started"
    ),
    "status": Tag("SGP", "str", "Frontend/listen status: OPEN/WAITING/FULL/STOP; backend: UP/DOWN; server: last check status"),
    "weight": Tag("MaP", "u32", "Server's effective weight, or sum of active servers' effective weights for a backend"),
    "act": Tag("SGP", "u32", "Total number of active UP servers with a non-zero weight", backend="MGP"),
    "bck": Tag("SGP", "u32", "Total number of backup UP servers with a non-zero weight", backend="MGP"),
    "chkfail": Tag(
        "MCP", "u64", "Total number of failed individual health checks per server/backend, since the worker process started"
    ),
    "chkdown": Tag(
        "MCP",
        "u64",
        "Total number of failed checks causing UP to DOWN server transitions, per server/backend, since "
        "the worker process started",
    ),
    "lastchg": Tag("MAP", "u32", "How long ago the last server state changed, in seconds"),
    "downtime": Tag("MCP", "u32", "Total time spent in DOWN state, for server or backend"),
    "qlimit": Tag("CGS", "u32", "Limit on the number of connections in queue, for servers only (maxqueue argument)"),
    "pid": Tag("KGP", "u32", "Relative worker process number (1)"),
    "iid": Tag("KGS", "u32", "Frontend or Backend numeric identifier ('id' setting)"),
    "sid": Tag("KGS", "u32", "Server numeric identifier ('id' setting)"),
    "throttle": Tag(
        "MaP", "u32", "Throttling ratio applied to a server's maxconn and weight during the slowstart period (0 to 100%)"
    ),
    "lbtot": Tag(
        "MCP",
        "u64",
        "Total number of requests routed by load balancing since the worker process started (ignores queue pop and stickiness)",
    ),
    "tracked": Tag("CNS", "str", "Name of the other server this server tracks for its state"),
    "type": Tag("CGS", "u32", "Type of the object (Listener, Frontend, Backend, Server)"),
    "rate": Tag(
        "MRP",
        "u32",
        "Total number of sessions processed by this object over the last second (sessions for "
        "listeners/frontends, requests for backends/servers)",
        backend="MGP",
    ),
    "rate_lim": Tag(
        "CLP", "u32", "Limit on the number of sessions accepted in a second (frontend only, 'rate-limit sessions' setting)"
    ),
    "rate_max": Tag(
        "MMP", "u32", "Highest value of sessions per second observed since the worker process started", backend="MGP"
    ),
    "check_status": Tag(
        "MOP", "str", "Status report of the server's latest health check, prefixed with '*' if a check is currently in progress"
    ),
    "check_code": Tag("MOP", "u32", "HTTP/SMTP/LDAP status code reported by the latest server health check"),
    "check_duration": Tag("MDP", "u64", "Total duration of the latest server health check, in milliseconds"),
    "hrsp_1xx": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status 100-199 returned by this object since the worker process started",
    ),
    "hrsp_2xx": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status 200-299 returned by this object since the worker process started",
    ),
    "hrsp_3xx": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status 300-399 returned by this object since the worker process started",
    ),
    "hrsp_4xx": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status 400-499 returned by this object since the worker process started",
    ),
    "hrsp_5xx": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status 500-599 returned by this object since the worker process started",
    ),
    "hrsp_other": Tag(
        "MCP",
        "u64",
        "Total number of HTTP responses with status <100, >599 returned by this object since the worker "
        "process started (error -1 included)",
    ),
    "hanafail": Tag(
        "MCP", "u64", "Total number of failed checks caused by an 'on-error' directive after an 'observe' condition matched"
    ),
    "req_rate": Tag("MRP", "u32", "Number of HTTP requests processed over the last second on this object"),
    "req_rate_max": Tag("MMP", "u32", "Highest value of http requests observed since the worker process started"),
    "req_tot": Tag("MCP", "u64", "Total number of HTTP requests processed by this object since the worker process started"),
    "cli_abrt": Tag(
        "MCP", "u64", "Total number of requests or connections aborted by the client since the worker process started"
    ),
    "srv_abrt": Tag(
        "MCP", "u64", "Total number of requests or connections aborted by the server since the worker process started"
    ),
    "comp_in": Tag(
        "MCP", "u64", "Total number of bytes submitted to the HTTP compressor for this object since the worker process started"
    ),
    "comp_out": Tag(
        "MCP", "u64", "Total number of bytes emitted by the HTTP compressor for this object since the worker process started"
    ),
    "comp_byp": Tag(
        "MCP",
        "u64",
        "Total number of bytes that bypassed HTTP compression for this object since the worker process "
        "started (CPU/memory/bandwidth limitation)",
    ),
    "comp_rsp": Tag(
        "MCP", "u64", "Total number of HTTP responses that were compressed for this object since the worker process started"
    ),
    "lastsess": Tag("MAP", "s32", "How long ago some traffic was seen on this object on this worker process, in seconds"),
    "last_chk": Tag("MOP", "str", "Short description of the latest health check report for this server (see also check_desc)"),
    "last_agt": Tag("MOP", "str", "Short description of the latest agent check report for this server (see also agent_desc)"),
    "qtime": Tag(
        "MaP", "u32", "Time spent in the queue, in milliseconds, averaged over the 1024 last requests (backend/server)"
    ),
    "ctime": Tag(
        "MaP",
        "u32",
        "Time spent waiting for a connection to complete, in milliseconds, averaged over the 1024 last "
        "requests (backend/server)",
    ),
    "rtime": Tag(
        "MaP",
        "u32",
        "Time spent waiting for a server response, in milliseconds, averaged over the 1024 last requests (backend/server)",
    ),
    "ttime": Tag(
        "MaP",
        "u32",
        "Total request+response time (request+queue+connect+response+processing), in milliseconds, "
        "averaged over the 1024 last requests (backend/server)",
    ),
    "agent_status": Tag(
        "MOP", "str", "Status report of the server's latest agent check, prefixed with '*' if a check is currently in progress"
    ),
    "agent_code": Tag("MOP", "u32", "Status code reported by the latest server agent check"),
    "agent_duration": Tag("MDP", "u64", "Total duration of the latest server agent check, in milliseconds"),
    "check_desc": Tag("MOP", "str", "Textual description of the latest health check report for this server"),
    "agent_desc": Tag("MOP", "str", "Textual description of the latest agent check report for this server"),
    "check_rise": Tag("CGS", "u32", "Number of successful health checks before declaring a server UP (server 'rise' setting)"),
    "check_fall": Tag("CGS", "u32", "Number of failed health checks before declaring a server DOWN (server 'fall' setting)"),
    "check_health": Tag("CGS", "u32", "Current server health check level (0..fall-1=DOWN, fall..rise-1=UP)"),
    "agent_rise": Tag("CGS", "u32", "Number of successful agent checks before declaring a server UP (server 'rise' setting)"),
    "agent_fall": Tag("CGS", "u32", "Number of failed agent checks before declaring a server DOWN (server 'fall' setting)"),
    "agent_health": Tag("CGS", "u32", "Current server agent check level (0..fall-1=DOWN, fall..rise-1=UP)"),
    "addr": Tag("CGS", "str", "Server's address:port, shown only if show-legends is set, or at levels oper/admin for the CLI"),
    "cookie": Tag(
        "CNS",
        "str",
        "Backend's cookie name or Server's cookie value, shown only if show-legends is set, or at "
        "levels oper/admin for the CLI",
    ),
    "mode": Tag("CGS", "str", "'mode' setting (tcp/http/health/cli)"),
    "algo": Tag(
        "CGS",
        "str",
        "Backend's load balancing algorithm, shown only if show-legends is set, or at levels oper/admin for the CLI",
    ),
    "conn_rate": Tag(
        "MRP", "u32", "Number of new connections accepted over the last second on the frontend for this worker process"
    ),
    "conn_rate_max": Tag("MMP", "u32", "Highest value of connections per second observed since the worker process started"),
    "conn_tot": Tag("MCP", "u64", "Total number of new connections accepted on this frontend since the worker process started"),
    "intercepted": Tag(
        "MCP",
        "u64",
        "Total number of HTTP requests intercepted on the frontend (redirects/stats/services) since the worker process started",
    ),
    "dcon": Tag(
        "MCP",
        "u64",
        "Total number of incoming connections blocked on a listener/frontend by a tcp-request "
        "connection rule since the worker process started",
    ),
    "dses": Tag(
        "MCP",
        "u64",
        "Total number of incoming sessions blocked on a listener/frontend by a tcp-request connection "
        "rule since the worker process started",
    ),
    "wrew": Tag("MCP", "u64", "Total number of failed HTTP header rewrites since the worker process started"),
    "connect": Tag(
        "MCP", "u64", "Total number of outgoing connection attempts on this backend/server since the worker process started"
    ),
    "reuse": Tag("MCP", "u64", "Total number of reused connection on this backend/server since the worker process started"),
    "cache_lookups": Tag(
        "MCP",
        "u64",
        "Total number of HTTP requests looked up in the cache on this frontend/backend since the worker process started",
    ),
    "cache_hits": Tag(
        "MCP",
        "u64",
        "Total number of HTTP requests not found in the cache on this frontend/backend since the worker process started",
    ),
    "srv_icur": Tag("MGP", "u32", "Current number of idle connections available for reuse on this server"),
    "src_ilim": Tag(
        "CLP", "u32", "Limit on the number of available idle connections on this server (server 'pool_max_conn' directive)"
    ),
    "qtime_max": Tag("MMP", "u32", "Maximum observed time spent in the queue, in milliseconds (backend/server)"),
    "ctime_max": Tag(
        "MMP", "u32", "Maximum observed time spent waiting for a connection to complete, in milliseconds (backend/server)"
    ),
    "rtime_max": Tag(
        "MMP", "u32", "Maximum observed time spent waiting for a server response, in milliseconds (backend/server)"
    ),
    "ttime_max": Tag(
        "MMP",
        "u32",
        "Maximum observed total request+response time (request+queue+connect+response+processing), in "
        "milliseconds (backend/server)",
    ),
    "eint": Tag("MCP", "u64", "Total number of internal errors since process started"),
    "idle_conn_cur": Tag("MGP", "u32", "Current number of unsafe idle connections"),
    "safe_conn_cur": Tag("MGP", "u32", "Current number of safe idle connections"),
    "used_conn_cur": Tag("MGP", "u32", "Current number of connections in use"),
    "need_conn_est": Tag("MGP", "u32", "Estimated needed number of connections"),
    "uweight": Tag("MaP", "u32", "Server's user weight, or sum of active servers' user weights for a backend"),
    "agg_server_status": Tag("MGP", "u32", "Backend's aggregated gauge of servers' status"),
    "agg_server_check_status": Tag("MGP", "u32", "Backend's aggregated gauge of servers' state check status"),
    "agg_check_status": Tag("MGP", "u32", "Backend's aggregated gauge of servers' state check status"),
    "ssl_sess": Tag("MCP", "u64", "Total number of ssl sessions established"),
    "ssl_reused_sess": Tag("MCP", "u64", "Total number of ssl sessions reused"),
    "ssl_failed_handshake": Tag("MCP", "u64", "Total number of failed handshake"),
    "h2_headers_rcvd": Tag("MCP", "u64", "Total number of received HEADERS frames"),
    "h2_data_rcvd": Tag("MCP", "u64", "Total number of received DATA frames"),
    "h2_settings_rcvd": Tag("MCP", "u64", "Total number of received SETTINGS frames"),
    "h2_rst_stream_rcvd": Tag("MCP", "u64", "Total number of received RST_STREAM frames"),
    "h2_goaway_rcvd": Tag("MCP", "u64", "Total number of received GOAWAY frames"),
    "h2_detected_conn_protocol_errors": Tag("MCP", "u64", "Total number of connection protocol errors"),
    "h2_detected_strm_protocol_errors": Tag("MCP", "u64", "Total number of stream protocol errors"),
    "h2_rst_stream_resp": Tag("MCP", "u64", "Total number of RST_STREAM sent on detected error"),
    "h2_goaway_resp": Tag("MCP", "u64", "Total number of GOAWAY sent on detected error"),
    "h2_open_connections": Tag("MGP", "u64", "Count of currently open connections"),
    "h2_backend_open_streams": Tag("MGP", "u64", "Count of currently open streams"),
    "h2_total_connections": Tag("MCP", "u64", "Total number of connections"),
    "h2_backend_total_streams": Tag("MCP", "u64", "Total number of streams"),
    "h1_open_connections": Tag("MGP", "u64", "Count of currently open connections"),
    "h1_open_streams": Tag("MGP", "u64", "Count of currently open streams"),
    "h1_total_connections": Tag("MCP", "u64", "Total number of connections"),
    "h1_total_streams": Tag("MCP", "u64", "Total number of streams"),
    "h1_bytes_in": Tag("MCP", "u64", "Total number of bytes received"),
    "h1_bytes_out": Tag("MCP", "u64", "Total number of bytes send"),
    "h1_spliced_bytes_in": Tag("MCP", "u64", "Total number of bytes received using kernel splicing"),
    "h1_spliced_bytes_out": Tag("MCP", "u64", "Total number of bytes sendusing kernel splicing"),
}

INFO_TAGS: Final[dict[str, Tag]] = {
    "Name": Tag("POS", "str"),
    "Version": Tag("POS", "str"),
    "Release_date": Tag("POS", "str"),
    "Nbthread": Tag("CGS", "u32"),
    "Nbproc": Tag("CGS", "u32"),
    "Process_num": Tag("KGP", "u32"),
    "Pid": Tag("SGP", "u32"),
    "Uptime": Tag("MDP", "str"),
    "Uptime_sec": Tag("MDP", "u32"),
    "Memmax_MB": Tag("CLP", "u32"),
    "PoolAlloc_MB": Tag("MGP", "u32"),
    "PoolUsed_MB": Tag("MGP", "u32"),
    "PoolFailed": Tag("MCP", "u32"),
    "Ulimit-n": Tag("CLP", "u32"),
    "Maxsock": Tag("CLP", "u32"),
    "Maxconn": Tag("CLP", "u32"),
    "Hard_maxconn": Tag("CLP", "u32"),
    "CurrConns": Tag("MGP", "u32"),
    "CumConns": Tag("MCP", "u32"),
    "CumReq": Tag("MCP", "u32"),
    "MaxSslConns": Tag("MMP", "u32"),
    "CurrSslConns": Tag("MGP", "u32"),
    "CumSslConns": Tag("MCP", "u32"),
    "Maxpipes": Tag("CLP", "u32"),
    "PipesUsed": Tag("MGP", "u32"),
    "PipesFree": Tag("MGP", "u32"),
    "ConnRate": Tag("MRP", "u32"),
    "ConnRateLimit": Tag("CLP", "u32"),
    "MaxConnRate": Tag("MMP", "u32"),
    "SessRate": Tag("MRP", "u32"),
    "SessRateLimit": Tag("CLP", "u32"),
    "MaxSessRate": Tag("MRP", "u32"),
    "SslRate": Tag("MRP", "u32"),
    "SslRateLimit": Tag("CLP", "u32"),
    "MaxSslRate": Tag("MMP", "u32"),
    "SslFrontendKeyRate": Tag("MGP", "u32"),
    "SslFrontendMaxKeyRate": Tag("MMP", "u32"),
    "SslFrontendSessionReuse_pct": Tag("MGP", "u32"),
    "SslBackendKeyRate": Tag("MRP", "u32"),
    "SslBackendMaxKeyRate": Tag("MMP", "u32"),
    "SslCacheLookups": Tag("MCP", "u32"),
    "SslCacheMisses": Tag("MCP", "u32"),
    "CompressBpsIn": Tag("MRP", "u32"),
    "CompressBpsOut": Tag("MRP", "u32"),
    "CompressBpsRateLim": Tag("CLP", "u32"),
    "Tasks": Tag("MGP", "u32"),
    "Run_queue": Tag("MGP", "u32"),
    "Idle_pct": Tag("MaP", "u32"),
    "node": Tag("COS", "str"),
    "description": Tag("COS", "str"),
    "Stopping": Tag("MGP", "u32"),
    "Jobs": Tag("MGP", "u32"),
    "Unstoppable Jobs": Tag("MGP", "u32"),
    "Listeners": Tag("MGP", "u32"),
    "ActivePeers": Tag("MGP", "u32"),
    "ConnectedPeers": Tag("MGP", "u32"),
    "DroppedLogs": Tag("MGP", "u32"),
    "BusyPolling": Tag("MGP", "u32"),
    "FailedResolutions": Tag("MGP", "u32"),
    "TotalBytesOut": Tag("MGP", "u64"),
    "TotalSplicdedBytesOut": Tag("MGP", "u64"),
    "BytesOutRate": Tag("MRP", "u64"),
    "DebugCommandsIssued": Tag("MGP", "u32"),
    "CumRecvLogs": Tag("MCP", "u32"),
    "Build info": Tag("POS", "str"),
    "Memmax_bytes": Tag("CLP", "u32"),
    "PoolAlloc_bytes": Tag("MGP", "u64"),
    "PoolUsed_bytes": Tag("MGP", "u64"),
    "Start_time_sec": Tag("MDP", "u32"),
    "Tainted": Tag("SGP", "str"),
    "ZlibMemUsage": Tag("MGP", "u32"),
    "MaxZlibMemUsage": Tag("CLP", "u32"),
}
