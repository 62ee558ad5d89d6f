"""What request and response heads have in common: their field lines, their framing.

Field lines outside RFC 9112's grammar are refused: bare CR or LF, folded lines, blanks before a colon, controls. What is
accepted is kept as runs of the received octets.
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.leaves import fields
from balancer.http.octets import CLASS, decimal

QUOTE: Final = 34
COMMA: Final = 44
BACKSLASH: Final = 92

LENGTH_DIGITS_MAX: Final = 18
LEADING_EMPTY_LINES_MAX: Final = 4


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
        self.has_odd_length: bool = False  # several Content-Length lines, or a list
        self.says_close: bool = False  # in Connection
        self.says_keep_alive: bool = False
        self.nominated: list[bytes] = NONE_NOMINATED  # all else that Connection says
        self.upgrade: bytes = b""
        self.adds_length: bool = False  # the Content-Length line had to go: write it afresh

    def _scan_fields(self, begin: int, field_count_max: int, wanted: int, dropped: int) -> None:
        """Reads the lines from `begin` to the empty line; sets `error` and stops at the first that is ill-formed.

        `wanted` are the kinds of fields that `_field` is to see, `dropped` those whose lines go, each a bit.
        """
        self.fields_begin = begin
        octets, self.kept, kinds, values = fields(self.data, begin, self.end - 2, field_count_max, CLASS, wanted, dropped)
        if octets < 0:
            # Before any field is judged: the same status whether or not a control was found before the head was whole.
            self.error = 400
            return
        i: i64 = 0
        for value in values:
            self._field(kinds[i], value)
            if self.error:
                return
            i += 1
        self.field_octets = octets - self.uncounted_octets
        if self.has_coding and self.content_length >= 0:
            # RFC 9112 6.3: the coding wins and the length must not be forwarded.
            self.kept = [remove_lines(b"".join(self.kept), [b"content-length"])]
            self.content_length = -1
            self.says_close = True
        elif self.has_odd_length:
            self.kept = [remove_lines(b"".join(self.kept), [b"content-length"])]
            self.adds_length = True
        if self.nominated:
            self._remove_nominated()

    def _field(self, kind: int, value: bytes) -> None:
        """Takes note of a field of interest."""
        raise AssertionError("request and response differ")

    def _take_connection(self, value: bytes) -> None:
        """Takes note of one Connection line, which never goes on as it is."""
        if value == b"keep-alive":
            self.says_keep_alive = True
            self.uncounted_octets += len(b"connection") + len(value)
            return
        if value == b"close":
            self.says_close = True
            self.uncounted_octets += len(b"connection") + len(value)
            return
        elements = list_elements(value)
        self.says_close = self.says_close or b"close" in elements
        self.says_keep_alive = self.says_keep_alive or b"keep-alive" in elements
        others = [element for element in elements if element != b"close" and element != b"keep-alive"]
        self.nominated = self.nominated + others
        if not others:
            self.uncounted_octets += len(b"connection") + len(value)
        elif len(others) < len(elements):
            self.uncounted_octets += len(value) - len(b", ".join(others))

    def _length(self, value: bytes) -> None:
        number = decimal(value, LENGTH_DIGITS_MAX)
        if number < 0:
            # RFC 9110 8.6: a list of one and the same number may be taken as that number.
            elements = value.split(b",")
            number = decimal(elements[0].strip(b" \t"), LENGTH_DIGITS_MAX)
            for element in elements:
                if number < 0 or decimal(element.strip(b" \t"), LENGTH_DIGITS_MAX) != number:
                    self.error = 400
                    return
            self.has_odd_length = True
        if self.content_length >= 0:
            if self.content_length != number:
                self.error = 400
                return
            self.has_odd_length = True
        self.content_length = number

    def _remove_nominated(self) -> None:
        names = [name for name in self.nominated if name not in NEVER_NOMINATED]
        if names:
            self.kept = [remove_lines(b"".join(self.kept), names)]


NONE_NOMINATED: Final[list[bytes]] = []
# What Connection cannot take away (RFC 9110 7.6.1): its own words, and what frames or routes the message.
NEVER_NOMINATED: Final = frozenset([b"upgrade", b"host", b"content-length", b"transfer-encoding", b"cookie", b"set-cookie"])


def remove_lines(lines: bytes, names: list[bytes]) -> bytes:
    """Field lines without those of these lower-case names. `lines` is well-formed."""
    gone = frozenset(names)  # Connection may nominate thousands
    kept: list[bytes] = []
    for line in lines.split(b"\r\n"):
        if line and line[: line.find(b":")].lower() not in gone:
            kept.append(line + b"\r\n")
    return b"".join(kept)
