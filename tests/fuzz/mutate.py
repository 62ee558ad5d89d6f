"""Small changes to cases: of octets, of lines, of numbers, of line ends; and cases put together from two."""

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from fuzz import grammar
from fuzz.cases import REQUESTS, Case

OCTETS_MAX: Final = 6000
OCTETS: Final = (
    b"\r", b"\n", b"\r\n", b"\x00", b" ", b"\t", b":", b";", b",", b"\x0b", b"\x0c", b"\x7f", b"\x80", b"\xff", b"\xa0",
    b"0", b"a",
    b"=", b'"', b"\\", b"#", b"_", b"-", b"+", b"\r\n\r\n", b"0\r\n\r\n", b"\x85", b"\xc4\xb0",
)  # fmt: skip
NUMBER: Final = re.compile(rb"[0-9]+")
LINE_END: Final = re.compile(rb"\r\n")


def mutated(case: Case, others: Sequence[Case], dice: Random) -> Case:
    """The case with one to four changes; `others` lend their octets."""
    octets = case.octets
    for _ in range(dice.choice((1, 1, 1, 2, 2, 3, 4))):
        octets = dice.choice(CHANGES)(octets, case, dice.choice(others).octets if others else b"", dice)
    return case.with_octets(octets[:OCTETS_MAX])


def _place(octets: bytes, dice: Random) -> int:
    return dice.randint(0, len(octets))


def _insert(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    at = _place(octets, dice)
    return octets[:at] + dice.choice(OCTETS) + octets[at:]


def _replace(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    at = _place(octets, dice)
    return octets[:at] + dice.choice(OCTETS) + octets[at + 1 :]


def _flip(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    if not octets:
        return octets
    at = dice.randrange(len(octets))
    return octets[:at] + bytes([octets[at] ^ 1 << dice.randrange(8)]) + octets[at + 1 :]


def _delete(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    at = _place(octets, dice)
    return octets[:at] + octets[at + dice.choice((1, 1, 2, 8)) :]


def _truncate(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    return octets[: _place(octets, dice)]


def _repeat(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    at, size = _place(octets, dice), dice.choice((1, 4, 16, 64))
    return octets[:at] + octets[at : at + size] * dice.choice((2, 2, 3, 20)) + octets[at + size :]


def _splice(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    return octets[: _place(octets, dice)] + other[_place(other, dice) :]


def _append(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    return octets + other


def _number(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    """One number becomes another or is written oddly."""
    found = list(NUMBER.finditer(octets))
    if not found:
        return octets
    match = dice.choice(found)
    value = min(int(match[0][:18]), 10**18) + dice.choice((0, 0, 0, 1, -1, 10, 16))
    word = dice.choice(grammar.LENGTH_WORDS).replace(b"%d", b"%d" % value)
    return octets[: match.start()] + word + octets[match.end() :]


def _line_end(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    found = list(LINE_END.finditer(octets))
    if not found:
        return octets
    match = dice.choice(found)
    return octets[: match.start()] + dice.choice(grammar.LINE_ENDS[-9:]) + octets[match.end() :]


def _line(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    """A line more, from the tables or from the message itself, or one less, or two change places."""
    lines = octets.split(b"\r\n")
    at = dice.randrange(len(lines))
    table = grammar.REQUEST_LINES if case.side == REQUESTS else grammar.ANSWER_LINES
    choice = dice.randrange(5)
    if choice == 0:
        lines.insert(at + 1, dice.choice(table))
    elif choice == 1:
        lines.insert(at + 1, b"Transfer-Encoding: " + dice.choice(grammar.CODINGS))
    elif choice == 2:
        lines.insert(at + 1, dice.choice(lines))
    elif choice == 3:
        del lines[at]
    else:
        other_at = dice.randrange(len(lines))
        lines[at], lines[other_at] = lines[other_at], lines[at]
    return b"\r\n".join(lines)


def _case(octets: bytes, case: Case, other: bytes, dice: Random) -> bytes:
    at = _place(octets, dice)
    return octets[:at] + octets[at : at + 20].swapcase() + octets[at + 20 :]


Change = Callable[[bytes, Case, bytes, Random], bytes]
CHANGES: Final[tuple[Change, ...]] = (
    _insert, _insert, _replace, _replace, _flip, _delete, _delete, _truncate, _repeat, _splice, _append,
    _number, _number, _line_end, _line, _line, _line, _case,
)  # fmt: skip
