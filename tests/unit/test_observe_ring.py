"""Rings: what they keep, what they forget, and how they are read. The figures are those of HAProxy 2.6.12 beside it."""

from dataclasses import replace

import pytest
from observed import observed
from records import ORIGIN
from spoken import ask, heard

from balancer import model
from balancer.admin.conversation import Conversation
from balancer.observe.info import ProcessInfo
from balancer.observe.ring import PART_LINES, Reading, Ring, cost
from balancer.observe.syslog import Syslog


def ring(size: int = 16384, length_max: int = 16384, form: str = "raw") -> Ring:
    return Ring(model.Ring("r", "its text", form, length_max, size))


@pytest.mark.parametrize(
    ("length", "octets"),
    [(0, 2), (1, 3), (239, 241), (240, 243), (2287, 2290), (2288, 2292), (264431, 264435), (264432, 264437)],
)
def test_a_line_costs_its_octets_its_length_and_one(length: int, octets: int) -> None:
    assert cost(length) == octets


def test_the_oldest_lines_make_room() -> None:
    kept = ring(100)
    kept.add([b"%08d\n" % number for number in range(20)])
    # 99 octets hold nine lines of eight octets and two.
    assert list(kept.lines) == [b"%08d\n" % number for number in range(11, 20)]
    assert (kept.first, kept.end, kept.octets) == (11, 20, 90)


def test_a_line_that_no_room_is_for_is_left_out() -> None:
    kept = ring(100)
    kept.add([b"a\n", b"x" * 200 + b"\n", b"b\n"])
    assert list(kept.lines) == [b"a\n", b"b\n"]


def test_who_reads_too_slowly_misses_lines_and_reads_on() -> None:
    kept = ring(100)
    kept.add([b"%08d\n" % number for number in range(3)])
    reading = Reading(kept, False)
    assert reading.part() == "00000000\n00000001\n00000002\n"
    kept.add([b"%08d\n" % number for number in range(3, 30)])
    assert reading.part().split("\n")[0] == "00000021"
    assert reading.part() == ""


def test_a_long_ring_comes_in_parts_and_ends_where_it_was_when_asked() -> None:
    kept = ring()
    kept.add([b"%d\n" % number for number in range(PART_LINES * 2 + 5)])
    parts = Reading(kept, False).parts()
    first = next(parts)
    kept.add([b"later\n"])
    rest = list(parts)
    assert first.count("\n") == PART_LINES
    assert len(rest) == 2


class NoLoop:
    """A loop whose turn never ends: tests flush."""

    def call_soon(self, _callback: object) -> None:
        """Forgets the call."""


def with_ring(*lines: bytes) -> tuple[ProcessInfo, Syslog, model.LogTarget]:
    """A process with a ring `r` that holds these lines."""
    config = model.Ring("r", "its text", "short", 60, 16384)
    syslog = Syslog("haproxy", 1, NoLoop(), rings=(config,))  # type: ignore[arg-type]
    target = model.LogTarget("ring", "", 0, "r", 16, model.DEBUG, model.EMERG, "short", 100, ORIGIN)
    info = replace(observed(), rings=syslog.rings)
    put(syslog, target, *lines)
    return info, syslog, target


def put(syslog: Syslog, target: model.LogTarget, *lines: bytes) -> None:
    for line in lines:
        syslog.keep([syslog.target(target)], model.INFO, line)
    syslog.flush()


def test_a_ring_is_shown_with_its_own_header_and_bound() -> None:
    info, _, _ = with_ring(b"one", b"x" * 200)
    assert ask(b"show events r\n", info) == b"<6>one\n<6>" + b"x" * 57 + b"\n\n"


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (b"r -n", b"\n"),
        (b"buf0", b"\n"),
        (b"none", b"No such event sink\n"),
        (b"stdout", b"Nothing to report for this sink\n"),
        (b"r -q", b"unknown option\n"),
        (b"r -w -x", b"unknown option\n"),
        (
            b"",
            b"Supported events sinks are listed below. Add -w(wait), -n(new). Any key to stop\n"
            b"    stdout     : type=fd, 0 dropped, standard output (fd#1)\n"
            b"    stderr     : type=fd, 0 dropped, standard output (fd#2)\n"
            b"    buf0       : type=buffer, 0 dropped, in-memory ring buffer\n"
            b"    r          : type=buffer, 0 dropped, its text\n\n",
        ),
    ],
)
def test_show_events_answers_as_haproxy(words: bytes, answer: bytes) -> None:
    info, _, _ = with_ring(b"one")
    assert ask(b"show events " + words + b"\n", info) == answer


@pytest.mark.parametrize(("option", "before"), [(b"-w", b"<6>one\n"), (b"-nw", b""), (b"-n -w", b""), (b"-wn", b"")])
@pytest.mark.parametrize("typed", [b"\n", b"\r\n", b"show events r -n\n"])
def test_a_ring_is_followed_until_something_is_typed(option: bytes, before: bytes, typed: bytes) -> None:
    info, syslog, target = with_ring(b"one")
    talk = Conversation(info, "admin", 10.0)
    assert heard(talk, b"show events r " + option + b"\n") == before
    assert not talk.is_over
    put(syslog, target, b"two")
    assert heard(talk, b"") == b"<6>two\n"
    assert heard(talk, b"") == b""
    assert heard(talk, typed) == (b"\n" if len(typed) < 3 else b"\n\n")
    assert talk.is_over


def test_with_a_prompt_the_talk_goes_on_behind_it() -> None:
    info, syslog, target = with_ring()
    talk = Conversation(info, "admin", 10.0)
    heard(talk, b"prompt\nshow events r -w\n")
    put(syslog, target, b"one")
    assert heard(talk, b"") == b"<6>one\n"
    assert heard(talk, b"\n") == b"\n> "
    assert heard(talk, b"show events r\n") == b"<6>one\n\n> "


def test_who_has_said_all_is_told_no_more() -> None:
    info, _, _ = with_ring()
    talk = Conversation(info, "admin", 10.0)
    heard(talk, b"show events r -w\n")
    talk.end()
    assert heard(talk, b"") == b"\n"
    assert talk.is_over
