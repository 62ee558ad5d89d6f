"""What request and response heads have in common: where a head ends, its field lines, its framing.

A head is complete at the first empty line; until then `find_end` remembers where it stopped, so that a head that comes
octet by octet costs no more than one that comes whole. Field lines outside RFC 9112's grammar are refused: bare CR or LF,
folded lines, blanks before a colon, controls. What is accepted is kept as runs of the received octets.
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.fields import classify
from balancer.http.octets import CLASS, TCHAR, decimal

CR: Final = 13
LF: Final = 10
SP: Final = 32
HTAB: Final = 9
COLON: Final = 58
QUOTE: Final = 34
COMMA: Final = 44
BACKSLASH: Final = 92

LENGTH_DIGITS_MAX: Final = 18
LEADING_EMPTY_LINES_MAX: Final = 4

EMPTY_LINE: Final = b"\r\n\r\n"
INCOMPLETE: Final = -1
FORBIDDEN: Final = -2


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


def skip_empty_lines(data: bytes, start: int) -> int:
    """The offset behind at most LEADING_EMPTY_LINES_MAX leading CRLFs (RFC 9112 2.2)."""
    i = start
    for _ in range(LEADING_EMPTY_LINES_MAX):
        if not data.startswith(b"\r\n", i):
            break
        i += 2
    return i


def first_element(data: bytes, begin: int, end: int, name: bytes) -> bytes:
    """The first list element of the first field of this lower-case name among the well-formed lines data[begin:end].

    A comma within quotes parts nothing. b"" where there is no such field, or where its first element is empty.
    """
    length = len(name)
    line = begin
    while line < end:
        stop = data.find(b"\r\n", line, end)
        colon = line + length
        if data[colon : colon + 1] == b":" and data[line:colon].lower() == name:
            value = data[colon + 1 : stop]
            return value[: _element_end(value)].strip(b" \t")
        line = stop + 2
    return b""


def _element_end(value: bytes) -> int:
    is_quoted = False
    is_escaped = False
    for i, octet in enumerate(value):
        if is_escaped:
            is_escaped = False
        elif is_quoted and octet == BACKSLASH:
            is_escaped = True
        elif octet == QUOTE:
            is_quoted = not is_quoted
        elif octet == COMMA and not is_quoted:
            return i
    return len(value)


def list_elements(value: bytes) -> list[bytes]:
    """The non-empty elements of a comma list, lower case, blanks (SP, HTAB) trimmed."""
    return [element for element in [part.strip(b" \t").lower() for part in value.split(b",")] if element]


class Head:
    """What requests and responses have in common."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.start = start
        self.end = end
        self.error: int = 0
        self.minor: int = 1  # of the version as received
        self.kept: list[bytes] = []  # runs of lines to be forwarded, start line excluded
        self.field_octets: int = 0  # names and values, as HAProxy counts them
        self.uncounted_octets: int = 0  # `close` and `keep-alive`: HAProxy takes them out before it counts
        self.fields_begin: int = 0
        self.content_length: int = -1
        self.is_chunked: bool = False
        self.has_coding: bool = False
        self.connection: list[bytes] = []  # elements of all Connection lines
        self.nominates: bool = False  # ... and one of them may be the name of a field
        self.upgrade: bytes = b""
        self.adds_length: bool = False  # the Content-Length line had to go: write it afresh

    def _scan_fields(self, begin: int, field_count_max: int) -> None:
        """Reads the lines from `begin` to the empty line; sets `error` and stops at the first that is ill-formed."""
        data = self.data
        classes = CLASS
        i: i64 = begin
        end: i64 = self.end - 2
        run: i64 = i
        count: i64 = 0
        octets: i64 = 0
        self.fields_begin = begin
        while i < end:
            line: i64 = i
            while classes[data[i]] & TCHAR:
                i += 1
            name_length: i64 = i - line
            if name_length == 0 or data[i] != COLON:
                self.error = 400
                return
            i += 1
            while data[i] == SP or data[i] == HTAB:
                i += 1
            value: i64 = i
            # The class FIELD in comparisons: most octets of a head are passed over here, and the table costs a third more.
            octet: i64 = data[i]
            while 31 < octet < 127 or octet > 127 or octet == HTAB:
                i += 1
                octet = data[i]
            stop: i64 = i
            if octet != CR or data[i + 1] != LF:
                self.error = 400
                return
            i += 2
            while stop > value and (data[stop - 1] == SP or data[stop - 1] == HTAB):
                stop -= 1
            count += 1
            if count > field_count_max:
                self.error = 400
                return
            octets += name_length + stop - value
            kind = classify(data, line, name_length)
            if kind and not self._field(int(kind), data[value:stop]):
                if line > run:
                    self.kept.append(data[run:line])
                run = i
                if self.error:
                    return
        if i != end:
            self.error = 400
            return
        if end > run:
            self.kept.append(data[run:end])
        self.field_octets = int(octets) - self.uncounted_octets
        self._judge_length()
        if self.nominates:
            self._remove_nominated()

    def _field(self, kind: int, value: bytes) -> bool:
        """Takes note of a field of interest; False drops its line."""
        raise AssertionError("request and response differ")

    def _take_connection(self, value: bytes) -> None:
        """Takes note of one Connection line, which never goes on as it is."""
        if value == b"keep-alive" or value == b"close":
            self.connection.append(value)
            self.uncounted_octets += len(b"connection") + len(value)
            return
        elements = list_elements(value)
        self.connection.extend(elements)
        others = [element for element in elements if element != b"close" and element != b"keep-alive"]
        self.nominates = self.nominates or bool(others)
        if not others:
            self.uncounted_octets += len(b"connection") + len(value)
        elif len(others) < len(elements):
            self.uncounted_octets += len(value) - len(b", ".join(others))

    def _length(self, value: bytes) -> bool:
        number = decimal(value, LENGTH_DIGITS_MAX)
        if number < 0:
            # RFC 9110 8.6: a list of one and the same number may be taken as that number.
            elements = value.split(b",")
            number = decimal(elements[0].strip(b" \t"), LENGTH_DIGITS_MAX)
            for element in elements:
                if number < 0 or decimal(element.strip(b" \t"), LENGTH_DIGITS_MAX) != number:
                    self.error = 400
                    return False
            is_kept = False
            if self.content_length < 0:
                self.adds_length = True
        else:
            is_kept = self.content_length < 0
        if self.content_length >= 0 and self.content_length != number:
            self.error = 400
            return False
        self.content_length = number
        return is_kept

    def _judge_length(self) -> None:
        if self.has_coding and self.content_length >= 0:
            # RFC 9112 6.3: the coding wins and the length must not be forwarded.
            self.kept = [remove_lines(b"".join(self.kept), [b"content-length"])]
            self.content_length = -1
            self.adds_length = False
            self.connection.append(b"close")

    def _remove_nominated(self) -> None:
        names = [name for name in self.connection if name not in NEVER_NOMINATED]
        if names:
            self.kept = [remove_lines(b"".join(self.kept), names)]


# What Connection cannot take away (RFC 9110 7.6.1): its own words, and what frames or routes the message.
NEVER_NOMINATED: Final = frozenset(
    [b"close", b"keep-alive", b"upgrade", b"host", b"content-length", b"transfer-encoding", b"cookie", b"set-cookie"]
)


def remove_lines(lines: bytes, names: list[bytes]) -> bytes:
    """Field lines without those of these lower-case names. `lines` is well-formed."""
    kept: list[bytes] = []
    for line in lines.split(b"\r\n"):
        if line and line[: line.find(b":")].lower() not in names:
            kept.append(line + b"\r\n")
    return b"".join(kept)
