"""The ring of `hash-type consistent`: every server stands at many points, a key goes to the nearest one.

A server has 16 points for each unit of its weight, at the hashes of id * 4096 and the numbers after it; so the points of a
server depend on its id alone, and when one goes only its own keys move. With `hash-balance-factor` a server that serves
more than this percentage of its share is passed over for the next on the ring.
"""

from bisect import bisect_left, bisect_right
from typing import Final

from balancer.backend.balance.hashes import MASK, avalanche
from balancer.backend.server import WEIGHT_SCALE, Server

POINTS_MAX: Final = 256 * WEIGHT_SCALE

NOWHERE: Final = -1


class Ring:
    """The points of one group of servers. `factor_percent` is 0 for no limit; `everyone` are all servers of the backend."""

    def __init__(self, group: list[Server], everyone: list[Server], factor_percent: int) -> None:
        self.group = group
        self.everyone = everyone
        self.factor_percent = factor_percent
        self.points: list[int] = []
        self.owners: list[Server] = []
        self.own: dict[int, list[int]] = {server.number: [] for server in group}
        self.counts: dict[int, int] = {server.number: 0 for server in group}
        self.walked_to: int = NOWHERE  # the point at which the walk of those without a key stands
        self.below: dict[int, int] = {}  # the points of the servers before it, at the start
        below = 0
        for server in group:
            self.below[server.number] = below if server.is_balanced() else 0
            self._reckon(server, server.weight * WEIGHT_SCALE)
            self._count(server)
            below += self.counts[server.number]
        self._lay()

    def changed(self, server: Server) -> None:
        """Gives a server as many points as its state and weight ask for."""
        if self._count(server):
            self._lay()

    def nearest(self, key: int, avoid: Server | None) -> Server | None:
        """The server of the point that is nearest to the key, the lower of two; the next fit one behind it."""
        points = self.points
        count = len(points)
        if not count:
            return None
        after = bisect_left(points, key) % count
        before = after - 1 if after else count - 1
        place = before if (key - points[before]) & MASK <= (points[after] - key) & MASK else after
        other: Server | None = None
        for step in range(count):
            server = self.owners[(place + step) % count]
            if server is not avoid:
                if not self.factor_percent or self._is_fit(server):
                    return server
                if other is None:
                    other = server
        return avoid if other is None else other

    def walk(self, avoid: Server | None) -> Server | None:
        """The next server round the ring that is not full: for requests without a key."""
        count = len(self.points)
        place = bisect_right(self.points, self.walked_to) if self.walked_to != NOWHERE else 0
        avoided: Server | None = None
        for step in range(count):
            here = (place + step) % count
            self.walked_to = self.points[here]
            server = self.owners[here]
            if server.slots_max == 0 or (server.queue.length == 0 and server.served < server.slots_max):
                if server is not avoid:
                    return server
                avoided = server
        return avoided

    def _count(self, server: Server) -> bool:
        """Brings the number of a server's points up to date; whether it is another than before."""
        count = server.scaled_weight() if server.is_balanced() else 0
        if count == self.counts[server.number]:
            return False
        if count > len(self.own[server.number]):
            # Never had it so many: as in HAProxy, all of them are taken out first, and the walk leaves them.
            self.counts[server.number] = 0
            self._lay()
            self._reckon(server, count)
        self.counts[server.number] = count
        return True

    def _reckon(self, server: Server, count: int) -> None:
        own = self.own[server.number]
        for n in range(len(own), count):
            own.append(avalanche((server.number * POINTS_MAX + n) & MASK))

    def _lay(self) -> None:
        """Puts the points of all in order; the hash is a bijection, so only ids 2**20 apart can meet."""
        owner_of: dict[int, Server] = {}
        for server in self.group:
            for point in self.own[server.number][: self.counts[server.number]]:
                owner_of.setdefault(point, server)
        self.points = sorted(owner_of)
        self.owners = [owner_of[point] for point in self.points]
        if self.walked_to != NOWHERE and self.walked_to not in owner_of:
            # The walk goes on behind the point after the lost one, which loses its turn; at the end it begins anew.
            after = bisect_right(self.points, self.walked_to)
            self.walked_to = self.points[after] if after < len(self.points) else NOWHERE

    def _is_fit(self, server: Server) -> bool:
        """Whether it serves less than its share of all requests, this one included, times the factor."""
        served = sum([each.served for each in self.everyone])
        slots = ((served + 1) * self.factor_percent + 99) // 100
        total = len(self.points)
        weight = self.counts[server.number]
        share = weight * (slots // total)
        # What the division leaves is dealt out in the order of the servers, by their weights at the start.
        rest = slots % total
        below = self.below[server.number]
        share += (below + weight) * rest // total - below * rest // total
        return server.served < max(1, share)
