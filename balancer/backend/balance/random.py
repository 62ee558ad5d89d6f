"""`balance random(DRAWS)`: draws points of a consistent ring and takes the server that serves least for its weight.

A full server is not a choice: the request then waits for whichever is free first.
"""

from collections.abc import Callable

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.balance.ring import Ring
from balancer.backend.server import Server
from balancer.backend.visit import Visit


class Random(Algorithm):
    """The draws from one ring. `dice` gives whole numbers of 32 bits."""

    def __init__(self, ring: Ring, draw_count: int, dice: Callable[[], int]) -> None:
        super().__init__()
        self.takes_turns = True
        self.ring = ring
        self.draw_count = draw_count
        self.dice = dice

    def next(self, visit: Visit) -> Server | None:
        """The least loaded of the servers that were drawn, None where that one is full."""
        best: Server | None = None
        for _ in range(self.draw_count):
            drawn = self.ring.nearest(self.dice(), visit.avoid)
            if drawn is None:
                return None
            if best is None or drawn.served * best.scaled_weight() <= best.served * drawn.scaled_weight():
                best = drawn
        if best is None or best.queue.length or not best.has_slot():
            return None
        return best

    def changed(self, server: Server) -> None:
        """Gives it its points on the ring."""
        self.ring.changed(server)
