"""`balance static-rr`: the places of a map, one after the other.

The order is fixed by the declared weights; a server that comes or goes has the map dealt out anew, and the turn goes on at the
same place of the new one. A full server is passed over.
"""

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.balance.servermap import ServerMap
from balancer.backend.server import Server
from balancer.backend.visit import Visit


class StaticRoundRobin(Algorithm):
    """The turn over one map. `hashed` uses it, too, for requests without a key."""

    def __init__(self, places: ServerMap) -> None:
        super().__init__()
        self.takes_turns = True
        self.waits_in_line = True
        self.is_static = True
        self.map = places
        self.turn: int = 0  # may stand behind the last place, and goes on there if the map grows

    def next(self, visit: Visit) -> Server | None:
        """The server of the next place that is neither full nor to be avoided, else the one to be avoided."""
        places = self.map.places
        if self.turn >= len(places):
            self.turn = 0
        avoided_turn = -1
        for step in range(len(places)):
            place = (self.turn + step) % len(places)
            server = places[place]
            if server.slots_max == 0 or (server.queue.length == 0 and server.served < server.slots_max):
                if server is not visit.avoid:
                    self.turn = place + 1
                    return server
                avoided_turn = place + 1
        if avoided_turn < 0:
            return None
        self.turn = avoided_turn
        return visit.avoid

    def changed(self, server: Server) -> None:
        """Deals the map out anew."""
        self.map.deal()
