"""Requests that wait for a slot.

A request waits in exactly one queue: its server's when a cookie binds it to that server, else its backend's. It leaves by a
slot, by `timeout queue`, or because the client left. First come, first served; between a server's queue and its backend's
the request that has waited longer goes first.
"""

from collections import OrderedDict

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Waiter:
    """A request as a queue sees it: the proxy's exchange derives from it."""

    def __init__(self) -> None:
        self.queued_at: float = 0.0
        self.queue_mark: int = 0
        self.waits_in: Queue | None = None


class Queue:
    """First in, first out; whoever leaves early leaves no trace, and who comes again stands at the end."""

    def __init__(self) -> None:
        self.waiters: OrderedDict[Waiter, None] = OrderedDict()
        self.length: int = 0
        self.left: int = 0  # how many have ever left

    def join(self, waiter: Waiter, now: float) -> None:
        """Appends a request that waits nowhere yet."""
        assert waiter.waits_in is None
        waiter.waits_in = self
        waiter.queued_at = now
        waiter.queue_mark = self.left
        self.waiters[waiter] = None
        self.length += 1

    def leave(self, waiter: Waiter) -> int:
        """Takes a request out; returns how many have left since it joined, itself included (HAProxy's queue position)."""
        assert waiter.waits_in is self
        waiter.waits_in = None
        del self.waiters[waiter]
        self.length -= 1
        self.left += 1
        return self.left - waiter.queue_mark

    def first(self) -> Waiter | None:
        """Who has waited longest, None if nobody waits."""
        for waiter in self.waiters:
            return waiter
        return None
