"""A head that comes in pieces: what is new is looked at, and nothing is joined until there is something to decide.

Joining and scanning afresh with every segment would make the work grow with the square of the head's size: a client that sends
octet by octet would buy a second of ours for a few packets. Here each octet is looked at once and copied a bounded number of
times, whatever the segments; a head that comes whole never gets here.
"""

from typing import Final

from balancer.http.leaves import find_end
from balancer.http.scan import INCOMPLETE

# The empty line is at most LF CR LF: so much of the past has to be kept in sight.
TAIL_OCTETS: Final = 3


class Gathered:
    """What came behind the first piece of an unfinished head. `looked_octets` counts the work, for the test of this promise."""

    def __init__(self, front: bytes) -> None:
        self.octets = bytearray()
        self.tail: bytes = front[-TAIL_OCTETS:]
        self.length: int = len(front)  # of all of it, the first piece counted
        self.looked_octets: int = 0

    def add(self, data: bytes) -> bool:
        """Takes more; True when an empty line or an octet that no head may have came with it."""
        window = self.tail + data
        self.octets += data
        self.length += len(data)
        self.looked_octets += len(window)
        self.tail = window[-TAIL_OCTETS:]
        return find_end(window, 0) != INCOMPLETE

    def joined(self, front: bytes) -> bytes:
        """All of it behind its first piece."""
        self.looked_octets += self.length
        return front + bytes(self.octets)
