"""`balance leastconn`: whoever serves least for its weight.

Servers stand in line by their load, (requests served and waiting + 1) / weight in HAProxy's units, 0 while there are none;
at the same load by the moment at which they came to it, so that equals take turns. A server moves when a request comes to
it or leaves it.
"""

from bisect import bisect_left, insort
from typing import Final

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.server import WEIGHT_SCALE, Server
from balancer.backend.visit import Visit

# Loads are compared in these units: a weight of 1 counts as 16, the largest as 4096.
SCALED_WEIGHT_MAX: Final = 256 * WEIGHT_SCALE

Stand = tuple[int, int, Server]  # (load, arrival, server); arrivals differ, so servers are never compared

NOWHERE: Final = -1


class LeastConnections(Algorithm):
    """The line of one group of servers."""

    def __init__(self, servers: list[Server]) -> None:
        super().__init__()
        self.follows_load = True
        self.line: list[Stand] = []
        self.arrivals: int = 0
        self.load_of: dict[int, int] = {}  # by server number; NOWHERE while it takes no new visitors
        self.arrival_of: dict[int, int] = {}
        self.weight_of: dict[int, int] = {}  # 0 while it takes no new visitors
        for server in servers:
            self.weight_of[server.number] = 0
            self.load_of[server.number] = NOWHERE
            self.changed(server)

    def next(self, visit: Visit) -> Server | None:
        """The first in line that has a slot, or room in its queue where that is limited."""
        avoided: Server | None = None
        for _, _, server in self.line:
            if server.slots_max == 0 or server.served + server.queue.length < server.slots_max + server.maxqueue:
                if server is not visit.avoid:
                    return server
                avoided = server
        return avoided

    def changed(self, server: Server) -> None:
        """Takes a server out of the line, or puts it behind those of its load; the same weight again moves nobody."""
        weight = server.scaled_weight() if server.is_balanced() else 0
        if weight == self.weight_of[server.number]:
            return
        self.weight_of[server.number] = weight
        self._leave(server)
        if weight:
            self._join(server, self._load(server))

    def load_changed(self, server: Server) -> None:
        """Moves a server that is in line, unless its load is what it was."""
        before = self.load_of[server.number]
        if before == NOWHERE:
            return
        load = self._load(server)
        if load != before:
            self._leave(server)
            self._join(server, load)

    def _load(self, server: Server) -> int:
        requests = server.served + server.queue.length
        return (requests + 1) * SCALED_WEIGHT_MAX // server.scaled_weight() if requests else 0

    def _join(self, server: Server, load: int) -> None:
        self.arrivals += 1
        self.load_of[server.number] = load
        self.arrival_of[server.number] = self.arrivals
        insort(self.line, (load, self.arrivals, server))

    def _leave(self, server: Server) -> None:
        load = self.load_of[server.number]
        if load != NOWHERE:
            del self.line[bisect_left(self.line, (load, self.arrival_of[server.number], server))]
            self.load_of[server.number] = NOWHERE
