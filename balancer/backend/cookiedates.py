"""The dates in a persistence cookie: when its user was last seen, and since when he has it (`maxidle`, `maxlife`).

They follow the server's value behind bars, `app1|LLLLL` or `app1|LLLLL|FFFFF`: five characters of base64 each, thirty bits that
count units of four seconds since 1970. A date more than a day ahead is as good as one that is too old; a date that cannot
be read is as none.
"""

from typing import Final

BAR: Final = b"|"
DIGITS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
DIGIT_COUNT: Final = 5
UNIT_S: Final = 4
AHEAD_MAX_S: Final = 86400


class Dates:
    """When a user was last seen and first seen, in seconds since 1970; 0 where the cookie does not say."""

    def __init__(self, last_s: int, first_s: int) -> None:
        self.last_s = last_s
        self.first_s = first_s


def encoded(seconds: int) -> bytes:
    """The five characters for a time, in whole units."""
    units = seconds // UNIT_S
    return bytes([DIGITS[units >> shift & 63] for shift in (24, 18, 12, 6, 0)])


def decoded(digits: bytes) -> int:
    """The seconds that five characters stand for, 0 where they stand for none."""
    units = 0
    for octet in digits[:DIGIT_COUNT]:
        digit = DIGITS.find(octet)
        if digit < 0:
            return 0
        units = units << 6 | digit
    if len(digits) < DIGIT_COUNT:
        return 0
    seconds = units * UNIT_S
    # HAProxy keeps 32 bits with a sign: what is beyond 2038 lies before 1970.
    return seconds - (1 << 32) if seconds >> 31 else seconds


def dates_in(value: bytes) -> Dates:
    """The dates behind the first and the second bar of a cookie's value."""
    _, _, rest = value.partition(BAR)
    second = rest.find(BAR)
    # HAProxy: whatever stands between the bars, the first five characters are the date.
    return Dates(decoded(rest), decoded(rest[second + 1 :]) if second >= 0 else 0)


def is_past(date_s: int, limit_s: int, now_s: int) -> bool:
    """Whether a date is longer ago than the limit allows, or too far ahead to be true."""
    return now_s - date_s > limit_s or date_s - now_s > AHEAD_MAX_S
