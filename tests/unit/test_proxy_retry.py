"""What follows a failed attempt (the table of original-setup 2.5), and what is never sent again."""

import pytest

from balancer.proxy import phase as phases
from balancer.proxy.phase import DONE, Phase, status_for
from balancer.proxy.retry import (
    GIVE_UP,
    OTHER_AFTER_PAUSE,
    OTHER_AT_ONCE,
    SAME_AFTER_PAUSE,
    SAME_AT_ONCE,
    after_failure,
    may_repeat,
    pause_s,
)

WAIT, AGAIN, OTHER, OTHER_LATER, END = SAME_AFTER_PAUSE, SAME_AT_ONCE, OTHER_AT_ONCE, OTHER_AFTER_PAUSE, GIVE_UP

# (redispatch interval, retries, is bound, other servers, was timeout) -> what follows failure 1, 2, 3, ...
TABLE = [
    # sticky user, refused: 0, 1, 2, 3 s on the same server, then 503
    ((0, 3, True, 10, False), [WAIT, WAIT, WAIT, END]),
    # with the option: the last attempt goes elsewhere, at 2 s
    ((-1, 3, True, 10, False), [WAIT, WAIT, OTHER, END]),
    # redispatch 1: the next server at once, each time
    ((1, 3, True, 10, False), [OTHER, OTHER, OTHER, END]),
    ((2, 4, True, 10, False), [WAIT, OTHER, WAIT, OTHER, END]),
    ((-2, 3, True, 10, False), [WAIT, OTHER, WAIT, END]),
    # new visitor: as the user without the option, another server at once with it
    ((0, 3, False, 10, False), [WAIT, WAIT, WAIT, END]),
    ((-1, 3, False, 10, False), [OTHER, OTHER, OTHER, END]),
    ((1, 3, False, 10, False), [OTHER, OTHER, OTHER, END]),
    # ... where there is only one server he stays, and pauses
    ((-1, 3, False, 1, False), [WAIT, WAIT, OTHER_LATER, END]),
    ((1, 3, True, 1, False), [OTHER_LATER, OTHER_LATER, OTHER_LATER, END]),
    # a dropped SYN: no pause between
    ((0, 3, True, 10, True), [AGAIN, AGAIN, AGAIN, END]),
    ((0, 3, False, 10, True), [AGAIN, AGAIN, AGAIN, END]),
    ((-1, 3, True, 10, True), [AGAIN, AGAIN, OTHER, END]),
    ((1, 3, True, 10, True), [OTHER, OTHER, OTHER, END]),
    ((-1, 3, False, 10, True), [OTHER, OTHER, OTHER, END]),
    # retries 0: 503 at once
    ((0, 0, True, 10, False), [END]),
    ((-1, 0, True, 10, False), [END]),
    ((1, 0, False, 10, True), [END]),
    ((-1, 1, True, 10, False), [OTHER, END]),
]


# The same of an algorithm that does not take turns: nobody moves before the interval, and not without a pause.
CHOSEN_TABLE = [
    ((-1, 3, False, 10, False), [WAIT, WAIT, OTHER_LATER, END]),
    ((1, 3, False, 10, False), [OTHER_LATER, OTHER_LATER, OTHER_LATER, END]),
    ((1, 3, True, 10, False), [OTHER_LATER, OTHER_LATER, OTHER_LATER, END]),
    ((0, 3, False, 10, False), [WAIT, WAIT, WAIT, END]),
    ((-1, 3, False, 10, True), [AGAIN, AGAIN, OTHER, END]),
]


@pytest.mark.parametrize(("case", "expected"), CHOSEN_TABLE)
def test_a_server_that_was_chosen_with_reason_is_kept_longer(
    case: tuple[int, int, bool, int, bool], expected: list[int]
) -> None:
    interval, retries, is_bound, active_count, was_timeout = case
    found = [
        after_failure(interval, retries, failure, is_bound, False, active_count, was_timeout)
        for failure in range(1, len(expected) + 1)
    ]
    assert found == expected


@pytest.mark.parametrize(("case", "expected"), TABLE)
def test_what_follows_each_failure(case: tuple[int, int, bool, int, bool], expected: list[int]) -> None:
    interval, retries, is_bound, active_count, was_timeout = case
    found = [
        after_failure(interval, retries, failure, is_bound, True, active_count, was_timeout)
        for failure in range(1, len(expected) + 1)
    ]
    assert found == expected


@pytest.mark.parametrize(("connect_timeout_s", "expected_s"), [(5.0, 1.0), (1.0, 1.0), (0.4, 0.4), (0.0, 1.0)])
def test_the_pause_is_a_second_or_the_connect_timeout(connect_timeout_s: float, expected_s: float) -> None:
    assert pause_s(connect_timeout_s) == expected_s


@pytest.mark.parametrize(
    ("was_reused", "was_orderly", "acked", "before", "is_held", "may"),
    [
        (True, True, 100, 100, True, True),
        (True, True, 101, 100, True, True),  # the SYN counts as one
        (True, True, 0, 100, True, True),
        (True, True, 102, 100, True, False),
        (True, True, 500, 100, True, False),
        (True, True, -1, 100, True, False),
        (True, False, 100, 100, True, False),
        (False, True, 0, 0, True, False),
        (True, True, 100, 100, False, False),
    ],
)
def test_a_request_is_repeated_only_where_the_server_cannot_have_seen_it(
    was_reused: bool, was_orderly: bool, acked: int, before: int, is_held: bool, may: bool
) -> None:
    assert may_repeat(was_reused, was_orderly, acked, before, is_held) is may


# --- phases ------------------------------------------------------------------------------------------------------------

ALL = [phases.REQUEST, phases.QUEUE, phases.CONNECT, phases.HEADERS, phases.DATA, phases.TUNNEL, DONE]


def test_each_phase_has_its_own_bit_and_the_letter_of_haproxy() -> None:
    assert sorted(phase.bit for phase in ALL) == [1 << n for n in range(len(ALL))]
    assert [chr(phase.letter) for phase in ALL] == ["R", "Q", "C", "H", "D", "D", "-"]


@pytest.mark.parametrize("phase", ALL[:-1])
def test_every_phase_can_end_and_the_end_is_followed_by_nothing(phase: Phase) -> None:
    assert DONE.follows & phase.bit
    assert not phase.follows & DONE.bit
    assert not DONE.follows & DONE.bit


@pytest.mark.parametrize(
    ("to", "sources"),
    [
        (phases.QUEUE, {"REQUEST", "QUEUE", "CONNECT"}),
        (phases.CONNECT, {"REQUEST", "QUEUE", "CONNECT", "HEADERS"}),
        (phases.HEADERS, {"CONNECT"}),
        (phases.DATA, {"HEADERS"}),
        (phases.TUNNEL, {"HEADERS"}),
    ],
)
def test_what_a_phase_may_follow(to: Phase, sources: set[str]) -> None:
    assert {repr(phase) for phase in ALL if to.follows & phase.bit} == sources


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ("PR", 400),
        ("CR", 400),
        ("cR", 408),
        ("IR", 500),
        ("sQ", 503),
        ("SC", 503),
        ("sC", 503),
        ("SH", 502),
        ("PH", 502),
        ("sH", 504),
        ("cH", 408),
        ("CH", 400),
        ("CC", -1),
        ("CQ", 503),
        ("SD", -1),
        ("sD", -1),
        ("CD", -1),
        ("cD", -1),
    ],
)
def test_the_status_of_each_pair_of_flags(flags: str, status: int) -> None:
    phase = next(each for each in ALL if chr(each.letter) == flags[1])
    assert status_for(ord(flags[0]), phase) == status
