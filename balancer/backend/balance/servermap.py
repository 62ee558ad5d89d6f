"""The map of `static-rr` and of `hash-type map-based`: a place for each unit of weight, dealt out once.

Places are dealt like cards: at each one every server gains its weight, the one that has gained most takes the place (the
first of equals) and pays the sum of all weights for it. So a server's places are spread evenly. Weights are divided by what
divides the weights of all servers of the backend, backups included, as HAProxy does it; so the map is as small as can be.
"""

from math import gcd

from balancer.backend.server import Server


def common_divisor(servers: list[Server]) -> int:
    """What divides the declared weights of all these servers; 1 where all are 0."""
    found = 0
    for server in servers:
        found = gcd(found, server.config.weight)
    return found or 1


class ServerMap:
    """The places of one group of servers."""

    def __init__(self, group: list[Server], everyone: list[Server]) -> None:
        self.group = group
        self.divisor: int = common_divisor(everyone)
        self.places: list[Server] = []
        self.deal()

    def deal(self) -> None:
        """Deals the places out anew among those that take visitors now."""
        usable = [server for server in self.group if server.is_balanced()]
        weights = [(server.weight + self.divisor - 1) // self.divisor for server in usable]
        total = sum(weights)
        gains = [0] * len(usable)
        places: list[Server] = []
        for _ in range(total):
            best = 0
            share_best = -1
            for n in range(len(usable)):
                gains[n] += weights[n]
                # Compared in whole places: who is ahead by less than one is not ahead of an earlier server.
                share = (gains[n] + total) // total
                if share > share_best:
                    share_best = share
                    best = n
            gains[best] -= total
            places.append(usable[best])
        self.places = places
