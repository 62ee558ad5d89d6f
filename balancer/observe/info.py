"""`show info`: what one process tells of itself, in HAProxy's names and order.

The table is one row per line and Prometheus series; what does not exist here (TLS, compression, pipes, peers) tells 0, as
HAProxy does for a feature that is off.
"""

import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer import model
from balancer.backend.farm import Farm
from balancer.config import features
from balancer.observe.ring import Ring, rings_of

# Tools compare the version with HAProxy's; ours says which HAProxy it stands in for, and then its own.
VERSION: Final = features.VERSION
RELEASE_DATE: Final = "2026/11/23"


class Pace:
    """How fast a growing figure grows, between one reading and a next at least a second later."""

    def __init__(self, now: float, value: float) -> None:
        self.read_at = now
        self.read_value = value
        self.per_second = 0.0

    def read(self, value: float, now: float) -> float:
        """Growth per second; the last one as long as no second has passed."""
        passed_s = now - self.read_at
        if passed_s >= 1.0:
            self.per_second = max(0.0, (value - self.read_value) / passed_s)
            self.read_at, self.read_value = now, value
        return self.per_second


@dataclass(frozen=True)
class ProcessInfo:
    """One process: its farm and what only its start knew. `clock` gives `loop.time()` seconds."""

    config: model.Model
    farm: Farm
    clock: Callable[[], float]
    started_at: float  # wall clock
    pid: int
    descriptors_max: int
    dropped_logs: Callable[[], int]
    is_stopping: Callable[[], bool]
    listener_count: int
    rings: Mapping[str, Ring] = field(default_factory=lambda: rings_of(()))
    busy: Pace = field(default_factory=lambda: Pace(time.monotonic(), time.process_time()))
    sending: Pace = field(default_factory=lambda: Pace(time.monotonic(), 0.0))

    def uptime_s(self) -> int:
        """Seconds since the start."""
        return max(0, int(time.time() - self.started_at))

    def idle_percent(self) -> int:
        """The share of time in which the process did not compute, 0 to 100."""
        return max(0, 100 - round(100.0 * self.busy.read(time.process_time(), time.monotonic())))

    def octets_out_rate(self) -> int:
        """Octets a second that clients are sent."""
        return int(self.sending.read(self.farm.bytes_out, time.monotonic()))


def uptime_text(seconds: int) -> str:
    """As HAProxy writes it: `0d 0h00m06s`."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{days}d {hours}h{minutes:02d}m{rest:02d}s"


def memory_octets() -> int:
    """The most memory that the process has held; what it holds now is told only below /proc, outside of a chroot."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _zero(_info: ProcessInfo) -> int:
    return 0


def _one(_info: ProcessInfo) -> int:
    return 1


@dataclass(frozen=True)
class Line:
    """One line of `show info`, and the Prometheus series `haproxy_process_METRIC` of the same figure where HAProxy has one."""

    name: str
    read: Callable[[ProcessInfo], int | str]
    metric: str
    help: str

    @property
    def kind(self) -> str:
        """The series' type."""
        return "counter" if self.metric.endswith("_total") or self.metric in COUNTERS_BY_NAME else "gauge"


# A counter without the suffix that Prometheus asks for: the name is HAProxy's, and dashboards use it.
COUNTERS_BY_NAME: Final = frozenset(["failed_resolutions"])
# HAProxy prints these only where it was built with zlib; its exporter has them all the same.
HIDDEN: Final = frozenset(["ZlibMemUsage", "MaxZlibMemUsage"])

LINES: Final[tuple[Line, ...]] = (
    Line("Name", lambda _: "HAProxy", "", "Product name"),
    Line("Version", lambda _: VERSION, "", "Product version"),
    Line("Release_date", lambda _: RELEASE_DATE, "", "Date of latest source code update"),
    Line("Nbthread", _one, "nbthread", "Number of started threads (global.nbthread)"),
    Line("Nbproc", _one, "nbproc", "Number of started worker processes (historical, always 1)"),
    Line("Process_num", _one, "relative_process_id", "Relative worker process number (1)"),
    Line("Pid", lambda info: info.pid, "", "This worker process identifier for the system"),
    Line(
        "Uptime",
        lambda info: uptime_text(info.uptime_s()),
        "",
        "How long ago this worker process was started (days+hours+minutes+seconds)",
    ),
    Line("Uptime_sec", ProcessInfo.uptime_s, "uptime_seconds", "How long ago this worker process was started (seconds)"),
    Line("Memmax_MB", _zero, "", "Worker process's hard limit on memory usage in MB (-m on command line)"),
    Line("PoolAlloc_MB", lambda _: memory_octets() >> 20, "", "Amount of memory allocated in pools (in MB)"),
    Line("PoolUsed_MB", lambda _: memory_octets() >> 20, "", "Amount of pool memory currently used (in MB)"),
    Line("PoolFailed", _zero, "pool_failures_total", "Number of failed pool allocations since this worker was started"),
    Line("Ulimit-n", lambda info: info.descriptors_max, "max_fds", "Hard limit on the number of per-process file descriptors"),
    Line("Maxsock", lambda info: info.descriptors_max, "max_sockets", "Hard limit on the number of per-process sockets"),
    Line(
        "Maxconn",
        lambda info: info.farm.maxconn,
        "max_connections",
        "Hard limit on the number of per-process connections (configured or imposed by Ulimit-n)",
    ),
    Line(
        "Hard_maxconn",
        lambda info: info.farm.maxconn_hard,
        "hard_max_connections",
        "Hard limit on the number of per-process connections (imposed by Memmax_MB or Ulimit-n)",
    ),
    Line(
        "CurrConns",
        lambda info: info.farm.connections_cur,
        "current_connections",
        "Current number of connections on this worker process",
    ),
    Line(
        "CumConns",
        lambda info: info.farm.connections_total,
        "connections_total",
        "Total number of connections on this worker process since started",
    ),
    Line(
        "CumReq",
        lambda info: info.farm.requests_total,
        "requests_total",
        "Total number of requests on this worker process since started",
    ),
    Line(
        "MaxSslConns",
        _zero,
        "max_ssl_connections",
        "Hard limit on the number of per-process SSL endpoints (front+back), 0=unlimited",
    ),
    Line(
        "CurrSslConns",
        _zero,
        "current_ssl_connections",
        "Current number of SSL endpoints on this worker process (front+back)",
    ),
    Line(
        "CumSslConns",
        _zero,
        "ssl_connections_total",
        "Total number of SSL endpoints on this worker process since started (front+back)",
    ),
    Line(
        "Maxpipes",
        lambda info: info.config.process.maxpipes,
        "max_pipes",
        "Hard limit on the number of pipes for splicing, 0=unlimited",
    ),
    Line(
        "PipesUsed",
        lambda info: info.farm.pipes_used,
        "pipes_used_total",
        "Current number of pipes in use in this worker process",
    ),
    Line(
        "PipesFree",
        lambda info: info.farm.pipes_free,
        "pipes_free_total",
        "Current number of allocated and available pipes in this worker process",
    ),
    Line(
        "ConnRate",
        lambda info: info.farm.connection_rate.rate(info.clock()),
        "current_connection_rate",
        "Number of front connections created on this worker process over the last second",
    ),
    Line(
        "ConnRateLimit",
        lambda info: info.farm.connection_rate_limit,
        "limit_connection_rate",
        "Hard limit for ConnRate (global.maxconnrate)",
    ),
    Line(
        "MaxConnRate",
        lambda info: info.farm.connection_rate.rate_max,
        "max_connection_rate",
        "Highest ConnRate reached on this worker process since started (in connections per second)",
    ),
    Line(
        "SessRate",
        lambda info: info.farm.session_rate.rate(info.clock()),
        "current_session_rate",
        "Number of sessions created on this worker process over the last second",
    ),
    Line(
        "SessRateLimit",
        lambda info: info.farm.session_rate_limit,
        "limit_session_rate",
        "Hard limit for SessRate (global.maxsessrate)",
    ),
    Line(
        "MaxSessRate",
        lambda info: info.farm.session_rate.rate_max,
        "max_session_rate",
        "Highest SessRate reached on this worker process since started (in sessions per second)",
    ),
    Line("SslRate", _zero, "current_ssl_rate", "Number of SSL connections created on this worker process over the last second"),
    Line("SslRateLimit", lambda info: info.farm.tls_rate_limit, "limit_ssl_rate", "Hard limit for SslRate (global.maxsslrate)"),
    Line(
        "MaxSslRate",
        _zero,
        "max_ssl_rate",
        "Highest SslRate reached on this worker process since started (in connections per second)",
    ),
    Line(
        "SslFrontendKeyRate",
        _zero,
        "current_frontend_ssl_key_rate",
        "Number of SSL keys created on frontends in this worker process over the last second",
    ),
    Line(
        "SslFrontendMaxKeyRate",
        _zero,
        "max_frontend_ssl_key_rate",
        "Highest SslFrontendKeyRate reached on this worker process since started (in SSL keys per second)",
    ),
    Line(
        "SslFrontendSessionReuse_pct",
        _zero,
        "frontend_ssl_reuse",
        "Percent of frontend SSL connections which did not require a new key",
    ),
    Line(
        "SslBackendKeyRate",
        _zero,
        "current_backend_ssl_key_rate",
        "Number of SSL keys created on backends in this worker process over the last second",
    ),
    Line(
        "SslBackendMaxKeyRate",
        _zero,
        "max_backend_ssl_key_rate",
        "Highest SslBackendKeyRate reached on this worker process since started (in SSL keys per second)",
    ),
    Line(
        "SslCacheLookups",
        _zero,
        "ssl_cache_lookups_total",
        "Total number of SSL session ID lookups in the SSL session cache on this worker since started",
    ),
    Line(
        "SslCacheMisses",
        _zero,
        "ssl_cache_misses_total",
        "Total number of SSL session ID lookups that didn't find a session in the SSL session cache"
        " on this worker since started",
    ),
    Line(
        "CompressBpsIn",
        _zero,
        "http_comp_bytes_in_total",
        "Number of bytes submitted to the HTTP compressor in this worker process over the last second",
    ),
    Line(
        "CompressBpsOut",
        _zero,
        "http_comp_bytes_out_total",
        "Number of bytes emitted by the HTTP compressor in this worker process over the last second",
    ),
    Line(
        "CompressBpsRateLim",
        lambda info: info.farm.compression_rate_limit * 1024,
        "limit_http_comp",
        "Limit of CompressBpsOut beyond which HTTP compression is automatically disabled",
    ),
    Line(
        "ZlibMemUsage",
        _zero,
        "current_zlib_memory",
        "Amount of memory currently used by HTTP compression on the current worker process (in bytes)",
    ),
    Line(
        "MaxZlibMemUsage",
        _zero,
        "max_zlib_memory",
        "Limit on the amount of memory used by HTTP compression above which it is automatically disabled"
        " (in bytes, see global.maxzlibmem)",
    ),
    Line("Tasks", _zero, "current_tasks", "Total number of tasks in the current worker process (active + sleeping)"),
    Line("Run_queue", _zero, "current_run_queue", "Total number of active tasks+tasklets in the current worker process"),
    Line(
        "Idle_pct",
        ProcessInfo.idle_percent,
        "idle_time_percent",
        "Percentage of last second spent waiting in the current worker thread",
    ),
    Line("node", lambda info: info.config.process.node or os.uname().nodename, "", "Node name (global.node)"),
    Line("description", lambda info: info.config.process.description, "", "Node description (global.description)"),
    Line(
        "Stopping",
        lambda info: int(info.is_stopping()),
        "stopping",
        "1 if the worker process is currently stopping, otherwise zero",
    ),
    Line(
        "Jobs",
        lambda info: info.farm.connections_cur + info.listener_count,
        "jobs",
        "Current number of active jobs on the current worker process (frontend connections, master connections, listeners)",
    ),
    Line(
        "Unstoppable Jobs",
        _zero,
        "unstoppable_jobs",
        "Current number of unstoppable jobs on the current worker process (master connections)",
    ),
    Line(
        "Listeners",
        lambda info: info.listener_count,
        "listeners",
        "Current number of active listeners on the current worker process",
    ),
    Line(
        "ActivePeers",
        _zero,
        "active_peers",
        "Current number of verified active peers connections on the current worker process",
    ),
    Line(
        "ConnectedPeers",
        _zero,
        "connected_peers",
        "Current number of peers having passed the connection step on the current worker process",
    ),
    Line(
        "DroppedLogs",
        lambda info: info.dropped_logs(),
        "dropped_logs_total",
        "Total number of dropped logs for current worker process since started",
    ),
    Line(
        "BusyPolling",
        _zero,
        "busy_polling_enabled",
        "1 if busy-polling is currently in use on the worker process, otherwise zero (config.busy-polling)",
    ),
    Line(
        "FailedResolutions",
        _zero,
        "failed_resolutions",
        "Total number of failed DNS resolutions in current worker process since started",
    ),
    Line(
        "TotalBytesOut",
        lambda info: info.farm.bytes_out,
        "bytes_out_total",
        "Total number of bytes emitted by current worker process since started",
    ),
    Line(
        "TotalSplicdedBytesOut",
        lambda info: info.farm.spliced_octets,
        "spliced_bytes_out_total",
        "Total number of bytes emitted by current worker process through a kernel pipe since started",
    ),
    Line(
        "BytesOutRate",
        ProcessInfo.octets_out_rate,
        "bytes_out_rate",
        "Number of bytes emitted by current worker process over the last second",
    ),
    Line("DebugCommandsIssued", _zero, "", "Number of debug commands issued on this process (anything > 0 is unsafe)"),
    Line(
        "CumRecvLogs",
        _zero,
        "recv_logs_total",
        "Total number of log messages received by log-forwarding listeners on this worker process since started",
    ),
    Line("Build info", lambda _: VERSION, "build_info", "Build info"),
    Line("Memmax_bytes", _zero, "max_memory_bytes", "Worker process's hard limit on memory usage in byes (-m on command line)"),
    Line(
        "PoolAlloc_bytes",
        lambda _: memory_octets(),
        "pool_allocated_bytes",
        "Amount of memory allocated in pools (in bytes)",
    ),
    Line("PoolUsed_bytes", lambda _: memory_octets(), "pool_used_bytes", "Amount of pool memory currently used (in bytes)"),
    Line("Start_time_sec", lambda info: int(info.started_at), "start_time_seconds", "Start time in seconds"),
    Line("Tainted", _zero, "", "Experimental features used"),
)


def rows(info: ProcessInfo, is_exact: bool = False) -> list[tuple[int, Line, int | str]]:
    """All lines with their places and figures; `description` only where one is configured, as HAProxy does.

    `is_exact` (the word `float`) tells times with their fraction.
    """
    exact = {"Uptime_sec": time.time() - info.started_at, "Start_time_sec": info.started_at} if is_exact else {}
    found: list[tuple[int, Line, int | str]] = []
    for place, line in enumerate(LINES):
        value = f"{exact[line.name]:f}" if line.name in exact else line.read(info)
        if line.name not in HIDDEN and (line.name != "description" or value != ""):
            found.append((place, line, value))
    return found


def show_info(info: ProcessInfo) -> str:
    """All lines, as `show info` without a word behind it."""
    return "".join(f"{line.name}: {value}\n" for _, line, value in rows(info))
