"""Balance algorithms: a file each, and the table of their names."""

from collections.abc import Callable

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.balance.roundrobin import RoundRobin
from balancer.backend.server import Server

ALGORITHMS: dict[str, Callable[[list[Server]], Algorithm]] = {"roundrobin": RoundRobin}

__all__ = ["ALGORITHMS", "Algorithm"]
