"""`show info`: what one process tells of itself, in HAProxy's names and order.

The table is one row per line; what does not exist here (TLS, compression, pipes, peers) tells 0, as HAProxy does for a feature
that is off.
"""

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from balancer import __version__, model
from balancer.backend.farm import Farm

# Tools compare the version with HAProxy's; ours says which HAProxy it stands in for, and then its own.
VERSION: Final = f"2.6.12-balancer-{__version__}"
RELEASE_DATE: Final = "2026/11/23"


class IdleMeter:
    """The share of time that the process did not compute, between one reading and a next at least a second later."""

    def __init__(self) -> None:
        self.read_at = time.monotonic()
        self.used_s = time.process_time()
        self.last = 100

    def percent(self) -> int:
        """0 to 100."""
        now, used_s = time.monotonic(), time.process_time()
        passed_s = now - self.read_at
        if passed_s >= 1.0:
            self.last = max(0, min(100, round(100.0 - 100.0 * (used_s - self.used_s) / passed_s)))
            self.read_at, self.used_s = now, used_s
        return self.last


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
    idle: IdleMeter = field(default_factory=IdleMeter)

    def uptime_s(self) -> int:
        """Seconds since the start."""
        return max(0, int(time.time() - self.started_at))


def uptime_text(seconds: int) -> str:
    """As HAProxy writes it: `0d 0h00m06s`."""
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{days}d {hours}h{minutes:02d}m{rest:02d}s"


Read = Callable[[ProcessInfo], int | str]


def _zero(_info: ProcessInfo) -> int:
    return 0


def _memory_octets(_info: ProcessInfo) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@dataclass(frozen=True)
class Line:
    """One line of `show info`, and the Prometheus series of the same figure where HAProxy has one."""

    name: str
    read: Read
    metric: str = ""
    kind: str = "gauge"
    help: str = ""


def _line(name: str, read: Read, metric: str = "", text: str = "", kind: str = "gauge") -> Line:
    return Line(name, read, metric, kind, text)


LINES: Final[tuple[Line, ...]] = (
    _line("Name", lambda _: "HAProxy"),
    _line("Version", lambda _: VERSION),
    _line("Release_date", lambda _: RELEASE_DATE),
    _line("Nbthread", lambda _: 1, "nbthread", "Number of started threads (global.nbthread)"),
    _line("Nbproc", lambda _: 1, "nbproc", "Number of started worker processes (historical, always 1)"),
    _line("Process_num", lambda _: 1, "relative_process_id", "Relative worker process number (1)"),
    _line("Pid", lambda info: info.pid),
    _line("Uptime", lambda info: uptime_text(info.uptime_s())),
    _line(
        "Uptime_sec",
        lambda info: info.uptime_s(),
        "uptime_seconds",
        "How long ago this worker process was started (seconds)",
    ),
    _line("Memmax_MB", _zero),
    _line("PoolAlloc_MB", _zero),
    _line("PoolUsed_MB", _zero),
    _line("PoolFailed", _zero),
    _line(
        "Ulimit-n",
        lambda info: info.descriptors_max,
        "max_fds",
        "Hard limit on the number of per-process file descriptors",
    ),
    _line("Maxsock", lambda info: info.descriptors_max, "max_sockets", "Hard limit on the number of per-process sockets"),
    _line(
        "Maxconn",
        lambda info: info.farm.maxconn,
        "max_connections",
        "Hard limit on the number of per-process connections (configured or imposed by Ulimit-n)",
    ),
    _line(
        "Hard_maxconn",
        lambda info: info.farm.maxconn,
        "hard_max_connections",
        "Hard limit on the number of per-process connections (imposed by Memmax_MB or Ulimit-n)",
    ),
    _line(
        "CurrConns",
        lambda info: info.farm.connections_cur,
        "current_connections",
        "Current number of connections on this worker process",
    ),
    _line(
        "CumConns",
        lambda info: info.farm.connections_total,
        "connections_total",
        "Total number of connections on this worker process since started",
        "counter",
    ),
    _line(
        "CumReq",
        lambda info: info.farm.requests_total,
        "requests_total",
        "Total number of requests on this worker process since started",
        "counter",
    ),
    _line("MaxSslConns", _zero),
    _line("CurrSslConns", _zero),
    _line("CumSslConns", _zero),
    _line("Maxpipes", _zero),
    _line("PipesUsed", _zero),
    _line("PipesFree", _zero),
    _line(
        "ConnRate",
        lambda info: info.farm.connection_rate.rate(info.clock()),
        "current_connection_rate",
        "Number of front connections created on this worker process over the last second",
    ),
    _line("ConnRateLimit", _zero),
    _line(
        "MaxConnRate",
        lambda info: info.farm.connection_rate.rate_max,
        "max_connection_rate",
        "Highest ConnRate reached on this worker process since started (in connections per second)",
    ),
    _line(
        "SessRate",
        lambda info: info.farm.session_rate.rate(info.clock()),
        "current_session_rate",
        "Number of sessions created on this worker process over the last second",
    ),
    _line("SessRateLimit", _zero),
    _line(
        "MaxSessRate",
        lambda info: info.farm.session_rate.rate_max,
        "max_session_rate",
        "Highest SessRate reached on this worker process since started (in sessions per second)",
    ),
    *(
        _line(name, _zero)
        for name in (
            "SslRate",
            "SslRateLimit",
            "MaxSslRate",
            "SslFrontendKeyRate",
            "SslFrontendMaxKeyRate",
            "SslFrontendSessionReuse_pct",
            "SslBackendKeyRate",
            "SslBackendMaxKeyRate",
            "SslCacheLookups",
            "SslCacheMisses",
            "CompressBpsIn",
            "CompressBpsOut",
            "CompressBpsRateLim",
        )
    ),
    _line("Tasks", _zero),
    _line("Run_queue", _zero),
    _line(
        "Idle_pct",
        lambda info: info.idle.percent(),
        "idle_time_percent",
        "Percentage of last second spent waiting in the current worker thread",
    ),
    _line("node", lambda info: info.config.process.node or os.uname().nodename),
    _line("description", lambda info: info.config.process.description),
    _line(
        "Stopping",
        lambda info: int(info.is_stopping()),
        "stopping",
        "1 if the worker process is currently stopping, otherwise zero",
    ),
    _line("Jobs", lambda info: info.farm.connections_cur + info.listener_count),
    _line("Unstoppable Jobs", _zero),
    _line(
        "Listeners",
        lambda info: info.listener_count,
        "listeners",
        "Current number of active listeners on the current worker process",
    ),
    _line("ActivePeers", _zero),
    _line("ConnectedPeers", _zero),
    _line(
        "DroppedLogs",
        lambda info: info.dropped_logs(),
        "dropped_logs_total",
        "Total number of dropped logs for current worker process since started",
        "counter",
    ),
    _line("BusyPolling", _zero),
    _line("FailedResolutions", _zero),
    _line(
        "TotalBytesOut",
        lambda info: info.farm.bytes_out,
        "bytes_out_total",
        "Total number of bytes emitted by current worker process since started",
        "counter",
    ),
    _line("TotalSplicdedBytesOut", _zero),
    _line("BytesOutRate", _zero),
    _line("DebugCommandsIssued", _zero),
    _line("CumRecvLogs", _zero),
    _line("Build info", lambda _: VERSION),
    _line("Memmax_bytes", _zero),
    _line("PoolAlloc_bytes", _memory_octets),
    _line("PoolUsed_bytes", _memory_octets),
    _line("Start_time_sec", lambda info: int(info.started_at)),
    _line("Tainted", _zero),
)


def show_info(info: ProcessInfo) -> str:
    """All lines; `description` only where one is configured, as HAProxy does."""
    rows = [(line.name, line.read(info)) for line in LINES]
    return "".join(f"{name}: {value}\n" for name, value in rows if name != "description" or value != "")
