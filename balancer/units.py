"""Numbers and times as haproxy.cfg writes them.

Only ASCII digits are numbers (`int()` would also take '1_000', '+1', blanks and other alphabets), and the whole word must be
used up: HAProxy itself reads '3x' as 3 and 'x' as 0 in many places, which hides typing errors. Times are whole
milliseconds of at most 2147483647, as HAProxy's; what has no unit is milliseconds.
"""

from typing import Final

TIME_MAX_MS: Final = 2147483647
INTEGER_MAX: Final = 2147483647

# How many microseconds one of each unit is (HAProxy's manual, 2.5).
MICROSECONDS: Final[dict[str, int]] = {
    "us": 1,
    "ms": 1000,
    "s": 1000_000,
    "m": 60_000_000,
    "h": 3600_000_000,
    "d": 86400_000_000,
}
# No number that HAProxy takes is longer; a longer one is not even converted (int() is quadratic in its digits).
DIGITS_MAX: Final = 20


class UnitError(ValueError):
    """A word is no number, no time, or out of its range; the text says which and quotes the word."""


def parse_time_s(word: str, default_unit: str = "ms") -> float:
    """The time in seconds, rounded up to a whole millisecond as HAProxy does. Refuses what HAProxy's timers cannot hold."""
    digits, unit = _split(word)
    if not digits:
        raise UnitError(f"expects a time, a number with one of the units us, ms, s, m, h, d (got '{word}')")
    factor = MICROSECONDS.get(unit or default_unit)
    if factor is None:
        raise UnitError(f"expects a time in one of the units us, ms, s, m, h, d (got '{unit}' in '{word}')")
    if len(digits) > DIGITS_MAX or (milliseconds := -(-int(digits) * factor // 1000)) > TIME_MAX_MS:
        raise UnitError(f"timer overflow: at most {TIME_MAX_MS} ms, about 24.8 days (got '{word}')")
    return milliseconds / 1000.0


def parse_whole_s(word: str) -> int:
    """The time in whole seconds, the rest dropped; what has no unit is seconds. For what HAProxy compares with dates."""
    digits, unit = _split(word)
    if not digits:
        raise UnitError(f"expects a time, a number with one of the units us, ms, s, m, h, d (got '{word}')")
    factor = MICROSECONDS.get(unit or "s")
    if factor is None:
        raise UnitError(f"expects a time in one of the units us, ms, s, m, h, d (got '{unit}' in '{word}')")
    if len(digits) > DIGITS_MAX or (seconds := int(digits) * factor // 1000_000) > INTEGER_MAX:
        raise UnitError(f"timer overflow: at most {INTEGER_MAX} s, about 68 years (got '{word}')")
    return seconds


def parse_integer(word: str, minimum: int, maximum: int = INTEGER_MAX) -> int:
    """The whole number, between `minimum` and `maximum` included."""
    digits, rest = _split(word.removeprefix("-"))
    if not digits or rest:
        raise UnitError(f"expects {_range_text(minimum, maximum)} (got '{word}')")
    number = int(digits[:DIGITS_MAX]) * (-1 if word.startswith("-") else 1)
    if len(digits) > DIGITS_MAX or not minimum <= number <= maximum:
        limit = f", at most {maximum}" if maximum == INTEGER_MAX and number > maximum else ""
        raise UnitError(f"expects {_range_text(minimum, maximum)}{limit} (got '{word}')")
    return number


def _range_text(minimum: int, maximum: int) -> str:
    if maximum < INTEGER_MAX:
        return f"a whole number between {minimum} and {maximum}"
    return {0: "a whole number, 0 or more", 1: "a positive integer"}.get(minimum, f"a whole number from {minimum}")


def _split(word: str) -> tuple[str, str]:
    count = 0
    while count < len(word) and word[count] in "0123456789":
        count += 1
    return word[:count], word[count:]
