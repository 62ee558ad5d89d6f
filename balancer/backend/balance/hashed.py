"""What the hashing algorithms share: a key is hashed, the hash names a place on a map or on a ring.

Each algorithm finds its own key in the visit. A request without one gets the next server in turn. A server that is named by
a hash is taken even when it is full, so that the same key waits for the same server; only one that has just failed the
request is passed over for the next on the map or the ring.
"""

from collections.abc import Callable
from typing import Final

from balancer import model
from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.balance.hashes import FUNCTIONS, avalanche
from balancer.backend.balance.ring import Ring
from balancer.backend.balance.servermap import ServerMap
from balancer.backend.balance.staticrr import StaticRoundRobin
from balancer.backend.server import Server
from balancer.backend.visit import Visit

NO_KEY: Final = -1


class Places:
    """Where hashes lead."""

    def find(self, found: int, avoid: Server | None) -> Server | None:
        """The server of this hash."""
        raise AssertionError("a map or a ring finds")

    def next(self, visit: Visit) -> Server | None:
        """The next server in turn."""
        raise AssertionError("a map or a ring finds")

    def changed(self, server: Server) -> None:
        """The server's state or weight is another than before."""
        raise AssertionError("a map or a ring finds")


class OnMap(Places):
    """`hash-type map-based`: the remainder of the hash is the place."""

    def __init__(self, places: ServerMap) -> None:
        self.map = places
        self.turns = StaticRoundRobin(places)

    def find(self, found: int, avoid: Server | None) -> Server | None:
        """The server at the place; the next other one where that is to be avoided."""
        places = self.map.places
        count = len(places)
        if not count:
            return None
        for step in range(count):
            server = places[(found + step) % count]
            if server is not avoid:
                return server
        return avoid

    def next(self, visit: Visit) -> Server | None:
        """As `static-rr`."""
        return self.turns.next(visit)

    def changed(self, server: Server) -> None:
        """Deals the map out anew."""
        self.map.deal()


class OnRing(Places):
    """`hash-type consistent`: the nearest point."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring

    def find(self, found: int, avoid: Server | None) -> Server | None:
        """The server of the nearest point."""
        return self.ring.nearest(found, avoid)

    def next(self, visit: Visit) -> Server | None:
        """Round the ring."""
        return self.ring.walk(visit.avoid)

    def changed(self, server: Server) -> None:
        """Gives it its points."""
        self.ring.changed(server)


class Hashed(Algorithm):
    """An algorithm with a key."""

    def __init__(self, rule: model.Balance, places: Places) -> None:
        super().__init__()
        self.rule = rule
        self.places = places
        self.is_static = not rule.is_consistent
        self.function: Callable[[bytes], int] = FUNCTIONS[rule.function]

    def next(self, visit: Visit) -> Server | None:
        """The server of the visit's key."""
        found = self.hash_of(visit)
        if found == NO_KEY:
            return self.places.next(visit)
        return self.places.find(found, visit.avoid)

    def changed(self, server: Server) -> None:
        """Map or ring are brought up to date."""
        self.places.changed(server)

    def hash_of(self, visit: Visit) -> int:
        """The hash of the visit's key, NO_KEY where it has none."""
        raise AssertionError("each algorithm has its key")

    def hash_octets(self, key: bytes) -> int:
        """The hash of these octets by `hash-type`."""
        found = self.function(key)
        return avalanche(found) if self.rule.avalanche else found
