"""Rings: log lines kept in memory, the newest ones, for `show events RING` on the stats socket.

A ring holds so many octets, each line counted as HAProxy's buffer counts it: its octets, its length in as few octets as that
needs, and one for its readers. The oldest line makes room for a new one. Who reads and follows a ring has a place in it by the
number of the next line; what was overwritten before it was read is passed over.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from balancer import model
from balancer.config.logs import BUILT_IN_FORMAT, BUILT_IN_RING

# HAProxy's own ring, which is always there.
BUILT_IN: Final = model.Ring(BUILT_IN_RING, "in-memory ring buffer", BUILT_IN_FORMAT, 1048576, 1048576)
# Lines in one part of an answer.
PART_LINES: Final = 64


def cost(length: int) -> int:
    """The octets that a line of that length takes of a ring."""
    prefix = 1
    if length >= 0xF0:
        prefix, rest = 2, (length - 0xF0) >> 4
        while rest >= 0x80:
            prefix, rest = prefix + 1, (rest - 0x80) >> 7
    return length + prefix + 1


class Ring:
    """One ring."""

    def __init__(self, config: model.Ring) -> None:
        self.config = config
        self.lines: deque[bytes] = deque()  # each with its LF, which costs nothing
        self.octets: int = 0
        self.first: int = 0  # the number of the oldest line
        self.watchers: set[Callable[[], None]] = set()

    def __repr__(self) -> str:
        return f"<Ring {self.config.name} lines={len(self.lines)} octets={self.octets}>"

    @property
    def end(self) -> int:
        """The number that the next line will have."""
        return self.first + len(self.lines)

    def add(self, lines: list[bytes]) -> None:
        """Takes lines in and tells those who wait for some."""
        room = self.config.size - 1
        for line in lines:
            needed = cost(len(line) - 1)
            if needed > room:
                continue
            while self.octets + needed > room:
                self.octets -= cost(len(self.lines.popleft()) - 1)
                self.first += 1
            self.lines.append(line)
            self.octets += needed
        for wake in list(self.watchers):
            wake()

    def read(self, number: int, count: int) -> tuple[list[bytes], int]:
        """So many lines at most, from that number on, and the number to go on with."""
        number = max(number, self.first)
        found = [self.lines[at - self.first] for at in range(number, min(number + count, self.end))]
        return found, number + len(found)


def rings_of(configs: tuple[model.Ring, ...]) -> dict[str, Ring]:
    """All rings of a process by their names."""
    return {config.name: Ring(config) for config in (BUILT_IN, *configs)}


class Reading:
    """One reader of a ring: first what is there, then what comes."""

    def __init__(self, ring: Ring, is_new_only: bool) -> None:
        self.ring = ring
        self.number = ring.end if is_new_only else ring.first
        self.end = ring.end  # what is there now

    def __repr__(self) -> str:
        return f"<Reading {self.ring!r} at={self.number}>"

    def part(self) -> str:
        """The next lines, "" where there are none now."""
        lines, self.number = self.ring.read(self.number, PART_LINES)
        return b"".join(lines).decode("utf-8", "replace")

    def parts(self) -> Iterator[str]:
        """What is there, in parts."""
        while self.number < self.end:
            yield self.part()
