"""Whatever is written to a stats socket: it is answered or refused, and the session ends in order."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from observed import observed

import balancer.admin.every  # noqa: F401 - every command, in the table
from balancer.admin.conversation import LINE_OCTETS_MAX, Conversation, split_commands
from balancer.admin.table import COMMANDS

WORDS: Final = [
    *sorted({word for words in COMMANDS for word in words}),
    "smalltalk/app1",
    "#2/#1",
    "smalltalk",
    "state",
    "maint",
    "drain",
    "ready",
    "weight",
    "50%",
    "-1",
    "99999999999999999999",
    "addr",
    "127.0.0.1",
    "[::1]",
    "port",
    "typed",
    "json",
    "desc",
    "0x1",
    "all",
    "\\;",
    "#",
    '"',
    "\x00",
    "ü",
    "<<",
]
LINES: Final = st.lists(st.sampled_from(WORDS), max_size=7).map(" ".join)
TEXTS: Final = st.lists(LINES, min_size=1, max_size=6).map("\n".join)
LEVELS: Final = st.sampled_from(["user", "operator", "admin"])


def held(octets: bytes, level: str, size: int) -> bytes:
    """All that is answered when the octets come in pieces of that size, and then no more."""
    talk = Conversation(observed(), level, 10.0)
    said = b""
    for begin in range(0, len(octets), size):
        if not talk.hear(octets[begin : begin + size]):
            return said
        while (answer := talk.answer()) is not None:
            said += answer
        if talk.is_over:
            return said
    talk.end()
    while (answer := talk.answer()) is not None:
        said += answer
    assert talk.is_over
    return said


@settings(max_examples=300, deadline=None)
@given(TEXTS, LEVELS)
def test_commands_of_any_words_are_answered(text: str, level: str) -> None:
    octets = text.encode() + b"\n"
    said = held(octets, level, len(octets))
    assert said.endswith((b"\n", b"> ", b"+ ")) or said == b""


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), LEVELS, st.integers(1, 50))
def test_octets_of_any_kind_end_the_session_in_order(octets: bytes, level: str, size: int) -> None:
    held(b"prompt\n" + octets + b"\n", level, size)


@settings(max_examples=200, deadline=None)
@given(LINES)
def test_the_pieces_in_which_a_line_comes_change_nothing(line: str) -> None:
    octets = b"prompt\n" + line.encode() + b"\nquit\n"
    if b"<<" not in octets and b"show" not in octets:
        assert held(octets, "admin", 1) == held(octets, "admin", len(octets))


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab \t;\\#\"'<"), max_size=60))
def test_splitting_keeps_every_word(line: str) -> None:
    commands = split_commands(line)
    assert all(word for words in commands for word in words)
    assert len(commands) <= line.count(";") + 1


def test_a_line_without_end_is_cut() -> None:
    talk = Conversation(observed(), "admin", 10.0)
    assert talk.hear(b"x" * LINE_OCTETS_MAX)
    assert not talk.hear(b"x")
