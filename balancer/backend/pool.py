"""Server connections that are kept for the next request.

A connection in a pool is idle: its last answer was complete, nothing follows it, and the server has not closed. It leaves by
being taken (then it is looked at once more, `Connection.is_fresh`), by the server closing or speaking on it (`discard`), by
age, or because the pool is full. The newest is taken first: it is the likeliest to be still open. A connection belongs to
exactly one server and is in at most one pool.
"""

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Connection:
    """What a pool knows of a connection: the proxy's server side derives from it."""

    def __init__(self) -> None:
        self.is_pooled: bool = False
        self.idle_since: float = 0.0
        self.use_count: int = 0  # requests that were sent on it

    def is_fresh(self) -> bool:
        """Whether neither octets nor an end wait on the socket: one non-blocking look."""
        raise AssertionError("the server side decides")

    def close(self) -> None:
        """Closes the connection; an idle one has nothing to lose."""
        raise AssertionError("the server side closes")


class Pool:
    """The idle connections of one server."""

    def __init__(self, size_max: int, reuse_max: int = -1) -> None:
        self.size_max = size_max
        self.uses_max: int = reuse_max + 1  # requests that a connection may get; 0: no limit
        self.idle: list[Connection] = []

    def take(self, uses_min: int = 0) -> Connection | None:
        """A connection that was idle and fresh a moment ago; stale ones met on the way are closed.

        The newest is looked at first; one with fewer uses than asked for stays, and so do those behind it.
        """
        while self.idle and self.idle[-1].use_count >= uses_min:
            connection = self.idle.pop()
            connection.is_pooled = False
            if connection.is_fresh():
                return connection
            connection.close()
        return None

    def give(self, connection: Connection, now: float) -> None:
        """Takes an idle connection in; a full pool closes its oldest, and what has been used often enough is closed."""
        assert not connection.is_pooled
        if self.size_max == 0 or (self.uses_max and connection.use_count >= self.uses_max):
            connection.close()
            return
        if len(self.idle) >= self.size_max:
            oldest = self.idle.pop(0)
            oldest.is_pooled = False
            oldest.close()
        connection.is_pooled = True
        connection.idle_since = now
        self.idle.append(connection)

    def discard(self, connection: Connection) -> None:
        """Forgets a connection that ended by itself."""
        if connection.is_pooled:
            connection.is_pooled = False
            self.idle.remove(connection)

    def expire(self, before: float) -> None:
        """Closes what has been idle since before that time."""
        while self.idle and self.idle[0].idle_since < before:
            oldest = self.idle.pop(0)
            oldest.is_pooled = False
            oldest.close()

    def close(self) -> None:
        """Closes all: the server went down or the process ends."""
        while self.idle:
            connection = self.idle.pop()
            connection.is_pooled = False
            connection.close()
