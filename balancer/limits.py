"""How many connections the descriptor limit carries, and the limit itself.

A client connection may need a second descriptor towards its server, so `maxconn` costs twice itself; listeners, checks,
sockets for logs and statistics, and the process's own descriptors come on top. Kept idle server connections are welcome
where the limit has room for them and never a reason to complain. A limit that is too low is raised: the soft one to the
hard one, as root the hard one as well. What is then still missing lowers `maxconn`, with a warning, or stops the start
where `strict-limits` is set.
"""

import contextlib
import ctypes
import gc
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from balancer import model

# Standard streams, the loop's epoll, eventfd and wakeup pair, the exporter's socket, and some room for what libraries open.
PROCESS_DESCRIPTORS: Final = 32

# Connections that operators' tools hold to one stats socket at a time.
DESCRIPTORS_PER_STATS_SOCKET: Final = 11

# Kept idle connections per server (backend.server.POOL_SIZE_MAX is what bounds them).
IDLE_PER_SERVER: Final = 256

# Some systems allow a milliard descriptors; a maxconn derived from that would be no limit at all.
DERIVED_LIMIT_MAX: Final = 1_048_576

# mallopt(3), glibc's: what is freed stays with the process up to this, and blocks of this size are mapped afresh.
M_TRIM_THRESHOLD: Final = -1
M_MMAP_THRESHOLD: Final = -3
KEPT_OCTETS: Final = 32 << 20
MAPPED_OCTETS_MIN: Final = 1 << 20

# gc.set_threshold: a request holds some twenty objects while it is under way, and 20,000 descriptors carry 10,000 of them.
COLLECTED_OBJECTS: Final = 200_000
COLLECTIONS_YOUNG: Final = 10
COLLECTIONS_MIDDLE: Final = 10

Limits = tuple[int, int]


def keep_freed_memory() -> None:
    """Lets the buffers of one read serve the next: otherwise each read of 256,000 octets pays the kernel for fresh pages.

    Measured with bodies of 1 MiB: a third of the CPU time (docs/benchmarks.md). A C library without mallopt does as it will.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_OCTETS)
    mallopt(M_MMAP_THRESHOLD, MAPPED_OCTETS_MIN)


def rarely_collect() -> None:
    """Keeps the cycle collector from walking over thousands of connections again and again.

    No exchange leaves a cycle behind (docs/life-of-a-request.md), so all that a collection finds comes from the admin side.
    What the start has made is never looked at again. Measured with 3,000 busy connections: a sixth of the CPU time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECTED_OBJECTS, COLLECTIONS_YOUNG, COLLECTIONS_MIDDLE)


class LimitError(Exception):
    """The descriptor limit is too low to start; the text says what is wanted."""


@dataclass(frozen=True)
class Settled:
    """What came of it: the connections to admit, the descriptor limit in force, and a warning or ""."""

    maxconn: int
    descriptors_max: int
    warning: str


def settle(
    config: model.Model,
    maxconn: int,
    read_limits: Callable[[], Limits] = lambda: resource.getrlimit(resource.RLIMIT_NOFILE),
    write_limits: Callable[[Limits], None] = lambda limits: resource.setrlimit(resource.RLIMIT_NOFILE, limits),
) -> Settled:
    """Raises the limit as far as `maxconn` needs (0: derive it from the limit) and says how many connections fit.

    Raises LimitError where `strict-limits` is set and the limit is too low, or where not even one connection fits.
    """
    if config.process.descriptors_max:
        _, hard = read_limits()
        with contextlib.suppress(ValueError, OSError):  # more than the hard limit, without the right to raise it
            wanted = config.process.descriptors_max
            write_limits((wanted, max(hard, wanted) if hard != resource.RLIM_INFINITY else hard))
    fixed = fixed_descriptors(config)
    idle = IDLE_PER_SERVER * sum(len(backend.servers) for backend in config.backends)
    if maxconn == 0:
        limit = _raise_to(DERIVED_LIMIT_MAX, may_raise_hard=False, read=read_limits, write=write_limits)
        return Settled(_fitting(min(limit, DERIVED_LIMIT_MAX), fixed), limit, "")
    needed = 2 * maxconn + fixed
    limit = _raise_to(needed + idle, may_raise_hard=True, read=read_limits, write=write_limits)
    if limit >= needed:
        return Settled(maxconn, limit, "")
    if config.process.strict_limits:
        raise LimitError(f"Cannot raise FD limit to {needed}, limit is {limit}.")
    fitting = _fitting(limit, fixed)
    return Settled(
        fitting,
        limit,
        f"FD limit ({limit}) too low for maxconn={maxconn}/maxsock={needed}. maxconn is lowered to {fitting}. "
        f"Please raise 'ulimit-n' to {needed} or more to avoid any trouble.",
    )


def fixed_descriptors(config: model.Model) -> int:
    """Descriptors that are needed whatever the number of connections."""
    listeners = sum(2 * len(frontend.binds) for frontend in config.frontends if not frontend.disabled)
    checks = sum(1 for backend in config.backends for server in backend.servers if server.check)
    stats = DESCRIPTORS_PER_STATS_SOCKET * len(config.process.stats_sockets)
    return PROCESS_DESCRIPTORS + listeners + checks + stats


def limit_memory(megabytes: int) -> None:
    """`-m`: bounds the address space; allocations beyond it fail. Raises OSError or ValueError where that is not allowed."""
    size = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (size, size))


def _fitting(limit: int, fixed: int) -> int:
    fitting = (limit - fixed) // 2
    if fitting < 1:
        raise LimitError(f"Cannot raise FD limit to {fixed + 2}, limit is {limit}.")
    return fitting


def _raise_to(wanted: int, may_raise_hard: bool, read: Callable[[], Limits], write: Callable[[Limits], None]) -> int:
    soft, hard = read()
    unlimited = resource.RLIM_INFINITY
    if soft == unlimited or soft >= wanted:
        return wanted if soft == unlimited else soft
    if hard != unlimited and hard < wanted:
        if may_raise_hard:
            try:
                write((wanted, wanted))
                return wanted
            except (ValueError, OSError):
                pass  # only root with CAP_SYS_RESOURCE may; the hard limit stands
        wanted = hard
    if wanted > soft:
        write((wanted, hard))
    return wanted
