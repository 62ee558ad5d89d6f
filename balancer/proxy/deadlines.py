"""Deadlines: one float per connection, one sweep per worker.

Moving a deadline further away is a plain store: the entry stays where it is and is put on when its slot comes up. Only a
nearer one is entered again. A deadline fires at most one grain (20 ms) and one turn of the loop late, never early.
"""

from typing import Final

from mypy_extensions import mypyc_attr

GRAIN_S: Final = 0.02
_FAR: Final = 1 << 60


@mypyc_attr(allow_interpreted_subclasses=True)
class Timed:
    """Something that can be late. 0.0 means that it waits for nothing."""

    def __init__(self) -> None:
        self.deadline: float = 0.0
        self.tick: int = 0  # the slot of its entry, 0 when it has none
        self.entered_for: float = 0.0  # the deadline for which it was entered there

    def on_deadline(self, now: float) -> None:
        """The deadline has passed; it is 0.0 now."""
        raise AssertionError("each kind knows what it waited for")


class Wheel:
    """The slots, by number of grains since the clock's zero."""

    def __init__(self) -> None:
        self.slots: dict[int, set[Timed]] = {}
        self.swept: int = 0

    def set(self, timed: Timed, deadline: float) -> None:
        """Gives `timed` a deadline in `loop.time()` seconds, 0.0 for none."""
        timed.deadline = deadline
        if deadline == 0.0 or (timed.tick and deadline >= timed.entered_for):
            return
        tick = int(deadline / GRAIN_S) + 1
        if timed.tick:
            if tick >= timed.tick:
                return
            self._leave(timed)
        self._enter(timed, tick)

    def forget(self, timed: Timed) -> None:
        """Takes out what has ended."""
        timed.deadline = 0.0
        if timed.tick:
            self._leave(timed)

    def sweep(self, now: float) -> None:
        """Fires what is late and puts on what was moved."""
        last = int(now / GRAIN_S)
        if last - self.swept > 1000 or last < self.swept:
            ticks = sorted([tick for tick in self.slots if tick <= last])
        else:
            ticks = [tick for tick in range(self.swept + 1, last + 1) if tick in self.slots]
        self.swept = last
        for tick in ticks:
            for timed in list(self.slots.pop(tick, EMPTY)):
                if timed.tick != tick:
                    continue
                timed.tick = 0
                deadline = timed.deadline
                if deadline == 0.0:
                    continue
                if deadline <= now:
                    timed.deadline = 0.0
                    timed.on_deadline(now)
                else:
                    self._enter(timed, max(int(deadline / GRAIN_S) + 1, last + 1))

    def _enter(self, timed: Timed, tick: int) -> None:
        if tick <= self.swept:
            tick = self.swept + 1
        timed.tick = tick
        timed.entered_for = timed.deadline
        slot = self.slots.get(tick)
        if slot is None:
            self.slots[tick] = {timed}
        else:
            slot.add(timed)

    def _leave(self, timed: Timed) -> None:
        slot = self.slots.get(timed.tick)
        if slot is not None:
            slot.discard(timed)
            if not slot:
                del self.slots[timed.tick]
        timed.tick = 0


EMPTY: Final[set[Timed]] = set()
