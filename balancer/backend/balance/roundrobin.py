"""Weighted round robin in HAProxy's order.

Time here is a position that advances by one at each choice. Every server carries the position at which it is due again;
after being chosen it is due `total / weight` positions later, the remainder of that division being carried along so that no
share is lost. Servers not yet due in this round wait by weight, heaviest first (the order of declaration among equals),
and fill every hole in which nobody is due. A server that falls outside two rounds waits for the next one. Weights are
scaled by 16 as HAProxy scales them, because the length of a round shows in the order. Oracles: weights 3/2/1 give abacab,
5/1/1 give aaabaac.

A choice costs O(log n): the due ones and the waiting ones are heaps.
"""

from heapq import heappop, heappush
from typing import Final

from balancer.backend.balance.algorithm import Algorithm
from balancer.backend.server import WEIGHT_SCALE, Server
from balancer.backend.visit import Visit

WEIGHT_MAX: Final = 256


class Turn:
    """A server's place in the order."""

    def __init__(self, server: Server, order: int) -> None:
        self.server = server
        self.order = order
        self.weight: int = 0  # scaled; 0 while it takes no new visitors
        self.due: int = 0  # 0: never chosen
        self.last: int = 0  # the position at which it was chosen last
        self.carried: int = 0
        self.where: int = 0
        self.round_number: int = 0
        self.stamp: int = 0  # entries in the heaps with another stamp are stale


Entry = tuple[int, int, int, Turn]  # (sorting key, arrival, stamp, turn)

# Where a turn is kept.
OUT: Final = 0
WAITING: Final = 1
DUE: Final = 2
NEXT: Final = 3


class RoundRobin(Algorithm):
    """The order over one group of servers."""

    def __init__(self, servers: list[Server]) -> None:
        super().__init__()
        self.takes_turns = True
        self.waits_in_line = True
        self.turns: list[Turn] = [Turn(server, order) for order, server in enumerate(servers)]
        self.by_server: dict[int, Turn] = {turn.server.number: turn for turn in self.turns}
        self.arrivals: int = 0
        self.due_heap: list[Entry] = []
        self.waiting: list[Entry] = []
        self.next_round: list[Entry] = []
        self.round_number: int = 0
        self.round_weight: int = 0
        self.next_weight: int = 0
        for turn in self.turns:
            if turn.server.is_balanced():
                turn.weight = turn.server.scaled_weight()
                self.next_weight += turn.weight
        self.round_weight = self.next_weight
        self.position: int = self.round_weight
        for turn in self.turns:
            if turn.weight:
                self._wait(turn, WAITING)

    def next(self, visit: Visit) -> Server | None:
        """The server whose turn it is; full ones keep their turn for a later choice."""
        avoid = visit.avoid
        if not self.next_weight:
            return None
        passed: list[Turn] = []
        avoided: Turn | None = None
        chosen: Turn | None = None
        has_switched = False
        while True:
            turn = self._first()
            if turn is None:
                if has_switched:
                    break
                has_switched = True
                self._begin_round()
                continue
            self._advance(turn)
            server = turn.server
            if server.slots_max == 0 or (server.queue.length == 0 and server.served < server.slots_max):
                if server is not avoid or avoided is not None:
                    chosen = turn
                    break
                avoided = turn
            passed.append(turn)
        if chosen is None and avoided is not None:
            chosen = avoided
            passed.remove(avoided)
        if chosen is not None:
            self._place(chosen)
        for turn in reversed(passed):
            if has_switched:
                self._wait(turn, WAITING)
            else:
                self._place(turn)
        return None if chosen is None else chosen.server

    def changed(self, server: Server) -> None:
        """Takes a server in, out, or gives it its new weight."""
        turn = self.by_server[server.number]
        weight = server.scaled_weight() if server.is_balanced() else 0
        if weight == turn.weight:
            return
        before = turn.weight
        where = self._where(turn)
        self.next_weight += weight - before
        turn.weight = weight
        turn.stamp += 1
        if not weight:
            turn.where = OUT
        elif not before:
            turn.due = self.position + (self.next_weight + self.round_weight - self.position) // weight
            self._place(turn)
        elif where == WAITING:
            self._wait(turn, WAITING)
        else:
            if where == NEXT:
                turn.due += self.round_weight
            step = self.next_weight // weight
            turn.due = min(turn.due, turn.last + step)
            turn.carried = 0
            if turn.due < self.position + 2:
                turn.due = self.position + step
            self._place(turn)

    def _where(self, turn: Turn) -> int:
        """Where a turn is kept now: those of the next round are the waiting ones once that round has begun."""
        return WAITING if turn.where == NEXT and turn.round_number != self.round_number else turn.where

    def _push(self, heap: list[Entry], key: int, turn: Turn) -> None:
        self.arrivals += 1
        heappush(heap, (key, self.arrivals, turn.stamp, turn))

    def _wait(self, turn: Turn, where: int) -> None:
        """Keeps a turn by its weight, for this round or for the next."""
        turn.where = where
        turn.round_number = self.round_number
        self._push(self.waiting if where == WAITING else self.next_round, -turn.weight, turn)

    def _first(self) -> Turn | None:
        """Takes out the one that is due, else the first of those that wait, else the next due."""
        due = self._peek(self.due_heap)
        if due is None or due.due > self.position:
            waiting = self._peek(self.waiting)
            if waiting is not None:
                heappop(self.waiting)
                waiting.due = 0
                waiting.carried = 0
                return waiting
        if due is not None:
            heappop(self.due_heap)
        return due

    def _peek(self, heap: list[Entry]) -> Turn | None:
        while heap:
            entry = heap[0]
            turn = entry[3]
            if entry[2] == turn.stamp:
                return turn
            heappop(heap)
        return None

    def _advance(self, turn: Turn) -> None:
        if not turn.due:
            turn.due = self.position
        turn.last = turn.due
        turn.due += self.next_weight // turn.weight
        turn.carried += self.next_weight % turn.weight
        if turn.carried >= turn.weight:
            turn.carried -= turn.weight
            turn.due += 1
        turn.stamp += 1
        self.position += 1

    def _place(self, turn: Turn) -> None:
        if turn.due >= 2 * self.round_weight or turn.due >= self.round_weight + self.next_weight:
            turn.due -= self.round_weight
            self._wait(turn, NEXT)
        else:
            turn.where = DUE
            key = turn.due * WEIGHT_MAX + (WEIGHT_MAX * WEIGHT_SCALE + turn.carried - turn.weight) // WEIGHT_SCALE
            self._push(self.due_heap, key, turn)

    def _begin_round(self) -> None:
        self.waiting, self.next_round = self.next_round, self.waiting
        self.round_number += 1
        self.round_weight = self.next_weight
        self.position = self.round_weight
