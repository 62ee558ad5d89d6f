"""What a backend asks of a balance algorithm.

An algorithm orders a group of servers (the active ones, or the backups) and knows nothing of cookies: a sticky hit never
reaches it, and so never moves it.
"""

from balancer.backend.server import Server


class Algorithm:
    """One group of servers in the order of one algorithm."""

    def next(self, avoid: Server | None) -> Server | None:
        """A usable server with a free slot, not `avoid` while there is another; None when all are full or none is usable."""
        raise AssertionError("each algorithm chooses")

    def changed(self, server: Server) -> None:
        """The server's state or weight is another than before."""
        raise AssertionError("each algorithm keeps its own order")
