"""Regular expressions at work: the syntax of PCRE, as far as the library `regex` has it, and a bound on each search.

A pattern may need time that grows without limit with what it is run on, and what it is run on comes from clients. A search that
takes longer than SEARCH_S has found nothing, as with HAProxy, whose library gives up after so many steps.
"""

from functools import lru_cache
from typing import Final

import regex

# The library looks at the clock now and then, so a search may take some milliseconds more.
SEARCH_S: Final = 0.005
# A subject is a part of a head and so within a buffer; what a pattern is run on is bounded again here.
SUBJECT_OCTETS_MAX: Final = 16384
DIGITS: Final = b"0123456789"


@lru_cache(maxsize=1024)
def compiled(pattern: bytes, ignores_case: bool) -> "regex.Pattern[bytes]":
    """The regular expression, compiled once."""
    return regex.compile(pattern, regex.IGNORECASE if ignores_case else 0)


def search(pattern: "regex.Pattern[bytes]", subject: bytes) -> "regex.Match[bytes] | None":
    """The first place that fits, None where there is none or the search took too long."""
    try:
        return pattern.search(subject[:SUBJECT_OCTETS_MAX], timeout=SEARCH_S)
    except TimeoutError:
        return None


def substituted(pattern: "regex.Pattern[bytes]", replacement: bytes, subject: bytes, count: int) -> bytes:
    """What fits `pattern` replaced, `count` times at most (0: always); `\\1` stands for the first group."""
    parts: list[bytes] = []
    last = 0
    try:
        for found in pattern.finditer(subject[:SUBJECT_OCTETS_MAX], timeout=SEARCH_S):
            parts.append(subject[last : found.start()])
            parts.append(expand(found, replacement))
            last = found.end()
            count -= 1
            if count == 0:
                break
    except TimeoutError:
        return subject
    parts.append(subject[last:])
    return b"".join(parts)


def expand(found: "regex.Match[bytes]", replacement: bytes) -> bytes:
    """`replacement` with the groups of what was found; a group that the pattern does not have is empty."""
    parts: list[bytes] = []
    last = 0
    at = replacement.find(b"\\")
    while at >= 0:
        digit = replacement[at + 1 : at + 2]
        if digit and digit in DIGITS:
            number = int(digit)
            parts.append(replacement[last:at])
            if number <= found.re.groups:
                parts.append(found.group(number) or b"")
            last = at + 2
        at = replacement.find(b"\\", at + 2)
    parts.append(replacement[last:])
    return b"".join(parts)
