"""Deadlines: never early, hardly late, nothing left behind."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.proxy.deadlines import GRAIN_S, Timed, Wheel


class Bell(Timed):
    """Remembers when it rang; may do something then."""

    def __init__(self) -> None:
        super().__init__()
        self.rang: list[float] = []
        self.forgets: list[tuple[Wheel, Timed]] = []
        self.sets: list[tuple[Wheel, Timed, float]] = []

    def on_deadline(self, now: float) -> None:
        """Rings."""
        assert self.deadline == 0.0
        self.rang.append(now)
        for wheel, other in self.forgets:
            wheel.forget(other)
        for wheel, other, deadline in self.sets:
            wheel.set(other, deadline)


START_S = 5000.0


def started() -> Wheel:
    """A wheel that has been swept at START_S."""
    wheel = Wheel()
    wheel.sweep(START_S)
    return wheel


def sweep_until(wheel: Wheel, end: float, turn_s: float = GRAIN_S, begin: float = START_S) -> None:
    """Sweeps once a turn of the loop."""
    now = begin
    while now < end:
        now += turn_s
        wheel.sweep(now)


@settings(max_examples=60)
@given(st.lists(st.floats(0.0001, 3.0), min_size=1, max_size=20), st.floats(0.005, 0.5))
def test_never_early_and_at_most_a_grain_and_a_turn_late(delays: list[float], turn_s: float) -> None:
    wheel = started()
    bells = [Bell() for _ in delays]
    for bell, delay in zip(bells, delays, strict=True):
        wheel.set(bell, START_S + delay)
    sweep_until(wheel, START_S + 4.0, turn_s)
    for bell, delay in zip(bells, delays, strict=True):
        assert len(bell.rang) == 1
        assert START_S + delay <= bell.rang[0] <= START_S + delay + GRAIN_S + turn_s + 1e-6
    assert wheel.slots == {}


def test_zero_waits_for_nothing() -> None:
    wheel = started()
    bell = Bell()
    wheel.set(bell, 0.0)
    assert wheel.slots == {}
    wheel.set(bell, START_S + 1.0)
    wheel.set(bell, 0.0)
    sweep_until(wheel, START_S + 2.0)
    assert bell.rang == []
    assert wheel.slots == {}


def test_moving_a_deadline_away_is_a_plain_store_and_it_rings_once() -> None:
    wheel = started()
    bell = Bell()
    wheel.set(bell, START_S + 0.1)
    slots = dict(wheel.slots)
    for n in range(50):
        wheel.set(bell, START_S + 1.0 + n / 100)
        assert wheel.slots == slots
    sweep_until(wheel, START_S + 3.0)
    assert len(bell.rang) == 1
    assert START_S + 1.49 <= bell.rang[0] <= START_S + 1.55


def test_moving_a_deadline_nearer_is_heeded() -> None:
    wheel = started()
    bell = Bell()
    wheel.set(bell, START_S + 50.0)
    wheel.set(bell, START_S + 0.5)
    assert sum(len(slot) for slot in wheel.slots.values()) == 1
    sweep_until(wheel, START_S + 1.0)
    assert len(bell.rang) == 1
    assert wheel.slots == {}


def test_forgetting_leaves_nothing_behind() -> None:
    wheel = started()
    bells = [Bell() for _ in range(100)]
    for n, bell in enumerate(bells):
        wheel.set(bell, START_S + 1.0 + n / 10)
    for bell in bells:
        wheel.forget(bell)
        wheel.forget(bell)
        assert (bell.deadline, bell.tick) == (0.0, 0)
    assert wheel.slots == {}
    sweep_until(wheel, START_S + 12.0)
    assert all(bell.rang == [] for bell in bells)


def test_one_that_rings_may_forget_or_move_the_others_of_its_slot() -> None:
    wheel = started()
    bells = [Bell() for _ in range(6)]
    for bell in bells:
        wheel.set(bell, START_S + 1.0)
        bell.forgets = [(wheel, other) for other in bells if other is not bell]
    sweep_until(wheel, START_S + 2.0)
    assert sum(len(bell.rang) for bell in bells) == 1
    assert wheel.slots == {}
    for later in (0.5, 3.0):
        wheel = started()
        sweep_until(wheel, START_S + 2.0)
        first, second = Bell(), Bell()
        for bell, other in ((first, second), (second, first)):
            bell.sets = [(wheel, other, START_S + 2.0 + later)]
            wheel.set(bell, START_S + 2.2)
        sweep_until(wheel, START_S + 2.4, begin=START_S + 2.0)
        assert sorted(len(bell.rang) for bell in (first, second)) == [0, 1]
        for bell in (first, second):
            bell.sets = []
        sweep_until(wheel, START_S + 6.0, begin=START_S + 2.4)
        assert sorted(len(bell.rang) for bell in (first, second)) == [1, 1]


def test_one_that_rings_may_be_set_again() -> None:
    wheel = started()
    bell = Bell()
    bell.sets = [(wheel, bell, START_S + 0.2)]
    wheel.set(bell, START_S + 0.1)
    sweep_until(wheel, START_S + 0.15)
    bell.sets = []
    sweep_until(wheel, START_S + 1.0, begin=START_S + 0.15)
    assert len(bell.rang) == 2


def test_a_deadline_in_the_past_rings_at_the_next_turn() -> None:
    wheel = started()
    bell = Bell()
    wheel.set(bell, START_S - 100.0)
    wheel.sweep(START_S + GRAIN_S)
    assert len(bell.rang) == 1


@pytest.mark.parametrize("gap_s", [1.0, 19.0, 21.0, 4000.0])
def test_a_process_that_was_stopped_for_long_loses_nobody(gap_s: float) -> None:
    wheel = started()
    bells = [Bell() for _ in range(40)]
    for n, bell in enumerate(bells):
        wheel.set(bell, START_S + 0.05 + n / 40)
    wheel.sweep(START_S + gap_s + 1.0)
    assert all(len(bell.rang) == 1 for bell in bells)
    assert wheel.slots == {}


def test_what_was_set_before_the_first_sweep_is_not_lost() -> None:
    wheel = Wheel()
    bell = Bell()
    wheel.set(bell, START_S + 0.1)
    sweep_until(wheel, START_S + 5.0, begin=START_S + 1.0)
    assert len(bell.rang) == 1
