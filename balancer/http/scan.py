"""What every request passes octet by octet: the end of a head, its field lines, runs of a class, the values of a cookie.

Each function but the three that only help here has a native twin in `_leaves.c`, which runs where the package was compiled;
`leaves` chooses. These are the specification, the form without a compiler, and the oracle of the twins' tests.
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.fields import classify
from balancer.http.octets import TCHAR

CR: Final = 13
LF: Final = 10
SP: Final = 32
HTAB: Final = 9
COLON: Final = 58
SEMICOLON: Final = 59
COMMA: Final = 44
EQUALS: Final = 61
QUOTE: Final = 34
BACKSLASH: Final = 92

EMPTY_LINE: Final = b"\r\n\r\n"
INCOMPLETE: Final = -1
FORBIDDEN: Final = -2
ILL_FORMED: Final = -1


def find_end(data: bytes, start: int) -> int:
    """Looks for the empty line from `start`: the offset behind it, INCOMPLETE, or FORBIDDEN on a control octet.

    After INCOMPLETE go on from three octets before the end of what has been seen. CRLF CRLF is found first, at C's speed: what
    stands before it is judged by the reader of lines, who refuses controls and a bare LF anyhow.
    """
    whole: i64 = data.find(EMPTY_LINE, start)
    if whole >= 0:
        return int(whole + 4)
    length: i64 = len(data)
    i: i64 = start
    while i < length:
        octet: i64 = data[i]
        if octet < 32:
            if octet == LF:
                if i + 1 < length and data[i + 1] == LF:
                    return int(i + 2)
                if i + 2 < length and data[i + 1] == CR and data[i + 2] == LF:
                    return int(i + 3)
            elif octet != CR and octet != HTAB:
                return FORBIDDEN
        elif octet == 127:
            return FORBIDDEN
        i += 1
    return INCOMPLETE


def span(data: bytes, start: int, classes: bytes, flag: int) -> int:
    """Where the run of octets of that class that begins at `start` ends."""
    length: i64 = len(data)
    i: i64 = start
    while i < length and classes[data[i]] & flag:
        i += 1
    return int(i)


def fields(
    data: bytes, begin: int, end: int, count_max: int, classes: bytes, wanted: int, dropped: int
) -> tuple[int, list[bytes], bytes, list[bytes]]:
    """Reads the field lines data[begin:end] of a head, behind which its empty line stands.

    Returns the octets of all names and values; the runs of lines that are left when those are gone whose kinds are bits of
    `dropped`; and of the fields whose kinds are bits of `wanted` first the kinds, then the values. Kind 0 is no kind, whatever
    the bits say. ILL_FORMED stands for the octets where a line is none or is one more than `count_max`: the fields before it
    are told, too.
    """
    kept: list[bytes] = []
    kinds = bytearray()
    values: list[bytes] = []
    length: i64 = len(data)
    last: i64 = end
    i: i64 = begin
    run: i64 = i
    count: i64 = 0
    octets: i64 = 0
    while i < last:
        line: i64 = i
        while i < length and classes[data[i]] & TCHAR:
            i += 1
        name_length: i64 = i - line
        if name_length == 0 or i >= length or data[i] != COLON:
            return ILL_FORMED, kept, bytes(kinds), values
        i += 1
        while i < length and (data[i] == SP or data[i] == HTAB):
            i += 1
        value: i64 = i
        while i < length:
            # The class FIELD in comparisons: most octets of a head are passed over here, and the table costs a third more.
            octet: i64 = data[i]
            if not (31 < octet < 127 or octet > 127 or octet == HTAB):
                break
            i += 1
        # Not told by where it stands alone: before LF LF a line without its CR ends just where the lines are to end.
        if i + 1 >= length or data[i] != CR or data[i + 1] != LF:
            return ILL_FORMED, kept, bytes(kinds), values
        stop: i64 = i
        while stop > value and (data[stop - 1] == SP or data[stop - 1] == HTAB):
            stop -= 1
        count += 1
        if count > count_max:
            return ILL_FORMED, kept, bytes(kinds), values
        i += 2
        octets += name_length + stop - value
        kind = int(classify(data, line, name_length))
        if not kind:
            continue
        if wanted >> kind & 1:
            kinds.append(kind)
            values.append(data[value:stop])
        if dropped >> kind & 1:
            if line > run:
                kept.append(data[run:line])
            run = i
    if i != last:
        return ILL_FORMED, kept, bytes(kinds), values
    if last > run:
        kept.append(data[run:last])
    return int(octets), kept, bytes(kinds), values


def pair_end(line: bytes, start: i64) -> i64:
    """Where the pair that begins at `start` ends: at its delimiter or at the end of the line."""
    length: i64 = len(line)
    i = start
    quoted = False
    while i < length:
        octet = line[i]
        if quoted:
            if octet == BACKSLASH:
                i += 1
            elif octet == QUOTE:
                quoted = False
        elif octet == QUOTE:
            quoted = True
        elif octet == SEMICOLON or octet == COMMA:
            return i
        i += 1
    return length


def value_at(line: bytes, start: i64, end: i64, name: bytes) -> i64:
    """Where the value of the pair line[start:end] begins if its name is `name`, -1 otherwise."""
    i = start
    while i < end and (line[i] == SP or line[i] == HTAB):
        i += 1
    after: i64 = i + len(name)
    if after >= end or line[i] != name[0] or not line.startswith(name, i):
        return -1
    while after < end and (line[after] == SP or line[after] == HTAB):
        after += 1
    if after >= end or line[after] != EQUALS:
        return -1
    after += 1
    while after < end and (line[after] == SP or line[after] == HTAB):
        after += 1
    return after


def value_in(line: bytes, start: i64, end: i64, name: bytes) -> bytes | None:
    """The value of the pair line[start:end] if its name is `name`."""
    after = value_at(line, start, end, name)
    if after < 0:
        return None
    stop = end
    while stop > after and (line[stop - 1] == SP or line[stop - 1] == HTAB):
        stop -= 1
    return line[after:stop]


def cookie_values(line: bytes, name: bytes) -> list[bytes]:
    """The values of every pair called `name` in one Cookie field value, in order."""
    values: list[bytes] = []
    at: i64 = line.find(name)
    if at < 0:
        return values
    if line.find(b'"') < 0:
        # Without quotes a pair begins behind any delimiter: only where the name stands is it looked at.
        while at >= 0:
            first = at
            while first > 0 and (line[first - 1] == SP or line[first - 1] == HTAB):
                first -= 1
            behind: i64 = at + 1
            if first == 0 or line[first - 1] == SEMICOLON or line[first - 1] == COMMA:
                stop = pair_end(line, at)
                found = value_in(line, at, stop, name)
                if found is not None:
                    values.append(found)
                if stop > behind:
                    behind = stop
            at = line.find(name, behind)
        return values
    length: i64 = len(line)
    start: i64 = 0
    while start < length:
        end = pair_end(line, start)
        value = value_in(line, start, end, name)
        if value is not None:
            values.append(value)
        start = end + 1
    return values
