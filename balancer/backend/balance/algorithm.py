"""What a backend asks of a balance algorithm.

An algorithm orders a group of servers (the active ones, or the backups) and knows nothing of cookies: a sticky hit never
reaches it, and so never moves it. What it needs of a request it asks the visit for.
"""

from balancer.backend.server import Server
from balancer.backend.visit import Visit


class Algorithm:
    """One group of servers in the order of one algorithm."""

    def __init__(self) -> None:
        # Whether all its servers are taken for full while anybody waits for any of them.
        self.waits_in_line: bool = False
        # Whether it takes turns, so that a visitor who is bound to nobody may be sent to the next server at once.
        self.takes_turns: bool = False
        # Whether it wants `load_changed`.
        self.follows_load: bool = False
        # Whether a server keeps the weight it was declared with: another one than that, or 0, is refused.
        self.is_static: bool = False
        # Whether it wants to be asked `wants_form`.
        self.reads_forms: bool = False

    def next(self, visit: Visit) -> Server | None:
        """A usable server, not the one to be avoided while there is another; None when all are full or none is usable.

        A server that is named by a hash may be full: the request then waits for that very server.
        """
        raise AssertionError("each algorithm chooses")

    def changed(self, server: Server) -> None:
        """The server's state or weight is another than before."""
        raise AssertionError("each algorithm keeps its own order")

    def wants_form(self, visit: Visit) -> bool:
        """Whether the key, if there is one, is in the body of a POST, so that the choice should wait for it."""
        raise AssertionError("only asked of those that read forms")

    def load_changed(self, server: Server) -> None:
        """The server serves one request more, or one less."""
        raise AssertionError("only asked of those that follow the load")
