"""What stands before the message of a log line, in each of HAProxy's formats, octet for octet.

What a second has in common is rendered once for all its lines. Dates are local time; those of RFC 5424, `timed` and `iso` have
six digits behind the second. RFC 3164's have the day padded by a blank.
"""

import time
from typing import Final

from balancer import model

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
NO_DATA: Final = b"-"  # RFC 5424's word for no structured data

# The kinds of a header, by how long a rendered one holds.
NOTHING: Final = 0
ALWAYS: Final = 1
SECOND: Final = 2
MICROSECOND: Final = 3

# By format: the kind, whether its number has the facility, and what stands between number and date.
FORMATS: Final[dict[str, tuple[int, bool, bytes]]] = {
    "raw": (NOTHING, False, b""),
    "short": (ALWAYS, False, b""),
    "priority": (ALWAYS, True, b""),
    "local": (SECOND, True, b""),
    "rfc3164": (SECOND, True, b""),
    "rfc5424": (MICROSECOND, True, b"1 "),
    "timed": (MICROSECOND, False, b""),
    "iso": (MICROSECOND, False, b""),
}


class Header:
    """The header of lines of one format, tag and host."""

    def __init__(self, form: str, tag: str, pid: int, hostname: str) -> None:
        kind, has_facility, version = FORMATS[form]
        self.kind: int = kind
        self.has_facility: bool = has_facility
        self.has_number: bool = form != "iso"
        self.has_data: bool = form == "rfc5424"
        self.version: bytes = version
        source = f" {tag}[{pid}]: "
        if form == "rfc3164":
            source = f" {hostname}{source}"
        elif form == "rfc5424":
            source = f" {hostname or '-'} {tag} {pid} - "
        elif kind == MICROSECOND:
            source = " "
        self.source: bytes = source.encode("utf-8", "replace")
        self.tail: bytes = b""  # behind the microseconds
        self.second: int = -1
        self.rendered: bytes = b""
        self.starts: dict[int, bytes] = {}  # with their numbers

    def __repr__(self) -> str:
        return f"<Header {self.rendered!r}>"

    def start(self, facility: int, severity: int, structured: bytes = b"") -> bytes:
        """How a line of that priority begins now."""
        kind = self.kind
        if kind == NOTHING:
            return b""
        now = 0.0
        if kind != ALWAYS:
            now = time.time()
            if int(now) != self.second:
                self._turn_to(int(now))
        number = facility * 8 + severity if self.has_facility else severity
        found = self.starts.get(number)
        if found is None:
            text = self.version + self.rendered
            found = self.starts[number] = b"<%d>%s" % (number, text) if self.has_number else text
        if kind != MICROSECOND:
            return found
        digits = b".%06d" % int((now - self.second) * 1000000.0)
        if self.has_data:
            return b"".join([found, digits, self.tail, structured or NO_DATA, b" "])
        return b"".join([found, digits, self.tail])

    def _turn_to(self, second: int) -> None:
        """Renders what the lines of that second have in common."""
        self.second = second
        self.starts = {}
        now = time.localtime(second)
        clock = f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
        if self.kind == SECOND:
            self.rendered = f"{MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {clock}".encode() + self.source
            return
        minutes = abs(now.tm_gmtoff) // 60
        sign = "-" if now.tm_gmtoff < 0 else "+"
        self.rendered = f"{now.tm_year}-{now.tm_mon:02d}-{now.tm_mday:02d}T{clock}".encode()
        self.tail = f"{sign}{minutes // 60:02d}:{minutes % 60:02d}".encode() + self.source


class Sampler:
    """`sample RANGES:SIZE`: of each SIZE lines those whose numbers, from 1, are in the ranges."""

    def __init__(self, config: model.LogTarget) -> None:
        self.ranges: tuple[tuple[int, int], ...] = config.sample
        self.size: int = config.sample_size
        self.number: int = 0

    def __repr__(self) -> str:
        return f"<Sampler {self.number}/{self.size}>"

    def takes(self) -> bool:
        """Counts one line and tells whether it is one of them."""
        number = self.number = self.number % self.size + 1
        for first, last in self.ranges:
            if first <= number <= last:
                return True
        return False
