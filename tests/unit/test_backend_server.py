"""A server's health, intervals, status words and slots, as HAProxy has them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import living_servers, server_record

from balancer.backend.server import MAINT, Server


def server(**words: object) -> Server:
    """One checked server."""
    return living_servers(server_record("app1", **{"check": True, **words}))[0]


def run(subject: Server, checks: str) -> str:
    """Runs checks, `+` passed and `-` failed; the status words after each, transitions marked with `!`."""
    words = []
    for check in checks:
        has_changed = subject.check_passed() if check == "+" else subject.check_failed()
        words.append(subject.status_text() + ("!" if has_changed else ""))
    return ", ".join(words)


def test_one_failure_downs_a_server_that_has_never_passed() -> None:
    subject = server()
    assert subject.status_text() == "UP 1/3"
    assert subject.is_usable()
    assert run(subject, "-") == "DOWN!"
    assert not subject.is_usable()


def test_from_steady_state_fall_failures_are_needed_and_rise_passes_to_come_back() -> None:
    subject = server()
    assert run(subject, "+") == "UP"
    assert run(subject, "---") == "UP 2/3, UP 1/3, DOWN!"
    assert run(subject, "-") == "DOWN"
    assert run(subject, "++") == "DOWN 1/2, UP!"
    assert run(subject, "+") == "UP"


def test_one_bad_check_among_good_ones_does_no_harm() -> None:
    subject = server()
    assert run(subject, "+-+-+--+") == "UP, UP 2/3, UP, UP 2/3, UP, UP 2/3, UP 1/3, UP"


def test_one_good_check_among_bad_ones_starts_from_the_beginning() -> None:
    subject = server(rise_count=3)
    assert run(subject, "-+-++-+++") == "DOWN!, DOWN 1/3, DOWN, DOWN 1/3, DOWN 2/3, DOWN, DOWN 1/3, DOWN 2/3, UP!"


def test_rise_1_and_fall_1() -> None:
    subject = server(rise_count=1, fall_count=1)
    assert subject.status_text() == "UP"
    assert run(subject, "-+-") == "DOWN!, UP!, DOWN!"


@given(st.text("+-", max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_state_follows_the_last_run_of_equal_results(checks: str, rise: int, fall: int) -> None:
    subject = server(rise_count=rise, fall_count=fall)
    is_up, streak, failures_counted = True, 0, 0
    allowance = 1  # how many failures bring it down now
    for check in checks:
        failures_counted += check == "-" and (is_up or streak > 0)  # HAProxy counts those that undo a good check as well
        if is_up:
            streak = streak + 1 if check == "-" else 0
            allowance = fall if check == "+" else allowance
        else:
            streak = streak + 1 if check == "+" else 0
        expected_change = streak >= (allowance if is_up else rise)
        changed = subject.check_passed() if check == "+" else subject.check_failed()
        assert changed == expected_change
        if changed:
            is_up, streak, allowance = not is_up, 0, fall
        assert subject.is_up() == is_up
    assert subject.checks_failed == failures_counted


@pytest.mark.parametrize(
    ("checks", "interval_s"), [("", 0.5), ("+", 2.0), ("+-", 0.5), ("+--", 0.5), ("+---", 7.0), ("+---+", 0.5), ("+---++", 2.0)]
)
def test_the_pause_before_the_next_check(checks: str, interval_s: float) -> None:
    subject = server(fastinter_s=0.5, downinter_s=7.0)
    run(subject, checks)
    assert subject.check_interval_s() == interval_s


@pytest.mark.parametrize("checks", ["", "+", "+-", "-", "-+"])
def test_fastinter_and_downinter_default_to_inter(checks: str) -> None:
    subject = server()
    run(subject, checks)
    assert subject.check_interval_s() == 2.0


def test_the_words_for_the_other_states() -> None:
    assert server(check=False).status_text() == "no check"
    assert server(check=False, weight=0).status_text() == "no check"
    assert server(weight=0).status_text() == "UP 1/3"
    subject = server(weight=0)
    assert run(subject, "+-") == "UP, UP 2/3"
    assert server(disabled=True).status_text() == "MAINT"
    assert server(check=False, disabled=True).status_text() == "MAINT"
    subject = server()
    run(subject, "-")
    subject.admin_state = MAINT
    assert subject.status_text() == "MAINT"


@pytest.mark.parametrize(
    ("words", "usable", "balanced"),
    [({}, True, True), ({"weight": 0}, True, False), ({"disabled": True}, False, False), ({"backup": True}, True, True)],
)
def test_who_keeps_users_and_who_takes_visitors(words: dict[str, object], usable: bool, balanced: bool) -> None:
    subject = server(**words)
    assert (subject.is_usable(), subject.is_balanced()) == (usable, balanced)
    run(subject, "-")
    assert (subject.is_usable(), subject.is_balanced()) == (False, False)


def test_slots() -> None:
    subject = server(maxconn=2, maxqueue=1)
    for now in (1.0, 2.0):
        assert subject.has_slot()
        subject.take_slot(now)
    assert not subject.has_slot()
    assert (subject.served, subject.counters.sessions_cur, subject.counters.sessions_max, subject.last_session_at) == (
        2,
        2,
        2,
        2.0,
    )
    subject.release_slot()
    assert subject.has_slot()
    subject.release_slot()
    with pytest.raises(AssertionError):
        subject.release_slot()
    assert (subject.counters.sessions_cur, subject.counters.sessions_total) == (0, 2)


def test_no_maxconn_is_no_limit() -> None:
    subject = server()
    for _ in range(1000):
        subject.take_slot(0.0)
    assert subject.has_slot()
    assert not subject.is_queue_full()


def test_downtime_adds_up() -> None:
    subject = server()
    run(subject, "-")
    subject.state_changed(10.0, True)
    assert subject.downtime_at(15.0) == 5.0
    run(subject, "++")
    subject.state_changed(20.0, False)
    assert subject.downtime_at(25.0) == 10.0
    run(subject, "---")
    subject.state_changed(30.0, True)
    assert subject.downtime_at(31.0) == 11.0


def test_repr_tells_the_story() -> None:
    assert repr(server()) == "<Server smalltalk/app1 UP 1/3 served=0 queue=0>"
