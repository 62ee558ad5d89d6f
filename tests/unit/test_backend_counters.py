"""Rates over a sliding second, fading means, peaks and classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.backend.counters import Average, Counters, RateMeter


def test_a_rate_is_this_second_and_what_is_left_of_the_last() -> None:
    meter = RateMeter()
    for n in range(10):
        meter.tick(100.0 + n / 10)
    assert meter.rate(100.95) == 10
    assert meter.rate(101.0) == 10
    assert meter.rate(101.5) == 5
    assert meter.rate(101.75) == 2
    assert meter.rate(102.0) == 0
    meter.tick(101.5)
    assert meter.rate(101.5) == 6
    assert meter.rate(102.5) == 0
    assert meter.rate_max == 10


def test_a_gap_forgets() -> None:
    meter = RateMeter()
    meter.tick(5.0)
    meter.tick(9.5)
    assert meter.rate(9.5) == 1
    assert meter.rate(200.0) == 0
    assert RateMeter().rate(0.5) == 0
    assert RateMeter().rate(12345.6) == 0


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=50))
def test_a_rate_never_exceeds_what_two_seconds_hold(steps: list[float]) -> None:
    meter = RateMeter()
    times = [1000.0]
    for step in steps:
        times.append(times[-1] + step)
    for time_s in times:
        meter.tick(time_s)
    now = times[-1]
    assert sum(1 for time_s in times if int(time_s) == int(now)) <= meter.rate(now)
    assert meter.rate(now) <= sum(1 for time_s in times if int(time_s) >= int(now) - 1)
    assert meter.rate_max == max(sum(1 for time_s in times if int(time_s) == second) for second in {int(t) for t in times})


def test_a_mean_of_few_samples_is_exact_and_rounded_up() -> None:
    average = Average()
    assert average.mean_ms() == 0
    for value in (1, 2, 2):
        average.add(value)
    assert average.mean_ms() == 2
    average.add(0)
    assert average.mean_ms() == 2
    for _ in range(16):
        average.add(0)
    assert average.mean_ms() == 1


def test_old_samples_fade() -> None:
    average = Average()
    for _ in range(1024):
        average.add(100)
    assert average.mean_ms() == 100
    for _ in range(5000):
        average.add(20)
    assert 20 <= average.mean_ms() <= 21


@given(st.lists(st.integers(0, 60000), min_size=1, max_size=200))
def test_a_mean_lies_between_the_extremes(values: list[int]) -> None:
    average = Average()
    for value in values:
        average.add(value)
    assert min(values) <= average.mean_ms() <= max(values)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (101, "responses_1xx"),
        (200, "responses_2xx"),
        (299, "responses_2xx"),
        (304, "responses_3xx"),
        (400, "responses_4xx"),
        (503, "responses_5xx"),
        (-1, "responses_other"),
        (600, "responses_other"),
        (999, "responses_other"),
    ],
)
def test_an_answer_counts_in_its_class(status: int, name: str) -> None:
    counters = Counters()
    counters.response(status)
    classes = [each for each in ("1xx", "2xx", "3xx", "4xx", "5xx", "other") if getattr(counters, f"responses_{each}")]
    assert classes == [name.removeprefix("responses_")]


def test_peaks_stand_until_they_are_cleared() -> None:
    counters = Counters()
    for _ in range(3):
        counters.session_begins(7.0)
        counters.queue_grows()
    counters.session_ends()
    counters.queue_cur -= 2
    assert (counters.sessions_cur, counters.sessions_max, counters.sessions_total) == (2, 3, 3)
    assert (counters.queue_cur, counters.queue_max, counters.session_rate.rate_max) == (1, 3, 3)
    counters.clear_peaks()
    assert (counters.sessions_max, counters.queue_max, counters.session_rate.rate_max) == (2, 1, 0)
    assert counters.sessions_total == 3


def test_a_phase_that_was_not_reached_adds_no_time() -> None:
    counters = Counters()
    counters.times(5, -1, -1, 9)
    counters.times(3, 2, 1, 6)
    counters.times(0, 0, 0, 0)
    assert [
        each.count for each in (counters.queue_time, counters.connect_time, counters.response_time, counters.total_time)
    ] == [3, 2, 2, 3]
    assert (counters.queue_time_max_ms, counters.connect_time_max_ms) == (5, 2)
    assert (counters.response_time_max_ms, counters.total_time_max_ms) == (1, 9)
