"""From the octets of a file to its statements: lines cut into words, quotes and escapes resolved as HAProxy does.

A word ends at an unprotected blank, a line at an unprotected `#`. Within '..' nothing is special; within ".." a backslash
and `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}` are; a backslash before anything else than the characters of ESCAPES
stays what it is. Nothing here knows a keyword. A mistake in one line is reported and the line dropped; reading goes on.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from balancer.config.findings import Refusal, Report
from balancer.model import Origin

FILE_OCTETS_MAX: Final = 16 * 1024 * 1024
LINE_WORDS_MAX: Final = 1024

BLANKS: Final = " \t\r\v\f"
# What a backslash turns into something else, outside quotes and within double ones.
ESCAPES: Final[dict[str, str]] = {
    " ": " ", "\\": "\\", "#": "#", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
HEX_DIGITS: Final = "0123456789abcdefABCDEF"
NAME_FIRST: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_."
NAME_REST: Final = NAME_FIRST + "0123456789"


@dataclass(frozen=True)
class Line:
    """The words of one line that has any."""

    origin: Origin
    words: tuple[str, ...]


@dataclass
class Place:
    """Where reading is: what `$.FILE`, `$.LINE` and `$.SECTION` stand for. The section is set by whoever knows sections."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    file: str = ""
    line: int = 0
    section: str = ""

    def variable(self, name: str) -> str | None:
        """The value of a variable, None if there is none of that name."""
        own = {".FILE": self.file, ".LINE": str(self.line), ".SECTION": self.section}
        return own.get(name) if name.startswith(".") else self.environment.get(name)


def read_octets(path: str, report: Report) -> bytes:
    """The content of a file; b"" and an alert where it cannot be read."""
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        report.alert(None, f"Cannot open configuration file/directory {path} : {reason}")
        return b""
    if len(octets) > FILE_OCTETS_MAX:
        report.alert(None, f"configuration file {path} : expects at most {FILE_OCTETS_MAX} octets")
        return b""
    return octets


def read_lines(octets: bytes, place: Place, report: Report) -> Iterator[Line]:
    """The lines that have words, one at a time, so that the caller can tell `place` the section before the next is read."""
    if not octets:
        return
    lines = octets.split(b"\n")
    last = lines.pop()
    if last:
        lines.append(last)
    for number, octets_of_line in enumerate(lines, 1):
        place.line = number
        origin = Origin(place.file, number)
        if number == len(lines) and last:
            position = len(last) + 1
            report.alert(origin, f"Missing LF on last line, file might have been truncated at position {position}.")
        text = octets_of_line.decode("utf-8", "surrogateescape")
        try:
            words = split_line(text, place)
        except Refusal as refusal:
            report.alert(origin, str(refusal))
            continue
        if words:
            yield Line(origin, tuple(words))


def split_line(text: str, place: Place) -> list[str]:
    """The words of one line. Refuses unmatched quotes, broken escapes and broken variables, with the position from 1."""
    words = _Splitter(text, place).words()
    if len(words) > LINE_WORDS_MAX:
        raise Refusal(f"expects at most {LINE_WORDS_MAX} words in a line (got {len(words)})")
    return words


class _Splitter:
    """One pass over one line. A NUL ends the line, as it does for HAProxy, but is said aloud."""

    def __init__(self, text: str, place: Place) -> None:
        self.text = text
        self.place = place
        self.position = 0
        self.found: list[str] = []
        self.word: list[str] | None = None  # None between words

    def words(self) -> list[str]:
        text = self.text
        if "\0" in text:
            raise Refusal(f"expects text (got a NUL octet at position {text.index(chr(0)) + 1})")
        while self.position < len(text):
            char = text[self.position]
            if char in BLANKS:
                self._end_word()
                self.position += 1
            elif char == "#":
                break
            elif char == "'":
                self._strong_quote()
            elif char == '"':
                self._weak_quote()
            elif char == "\\":
                self._escape(False)
            else:
                self._add(char)
                self.position += 1
        self._end_word()
        return self.found

    def _add(self, text: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(text)

    def _end_word(self) -> None:
        if self.word is not None:
            self.found.append("".join(self.word))
            self.word = None

    def _strong_quote(self) -> None:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise Refusal(f"unmatched quote at position {self.position + 1}")
        self._add(self.text[self.position + 1 : end])
        self.position = end + 1

    def _weak_quote(self) -> None:
        start = self.position
        self.position += 1
        self._add("")
        while self.position < len(self.text):
            char = self.text[self.position]
            if char == '"':
                self.position += 1
                return
            if char == "\\":
                self._escape(True)
            elif char == "$":
                self._variable()
            else:
                self._add(char)
                self.position += 1
        raise Refusal(f"unmatched quote at position {start + 1}")

    def _escape(self, is_quoted: bool) -> None:
        following = self.text[self.position + 1 : self.position + 2]
        if following == "x":
            digits = self.text[self.position + 2 : self.position + 4]
            if len(digits) < 2 or any(digit not in HEX_DIGITS for digit in digits):
                raise Refusal(f"truncated or invalid hexadecimal sequence at position {self.position + 1}")
            self._add(bytes((int(digits, 16),)).decode("utf-8", "surrogateescape"))
            self.position += 4
        elif following in ESCAPES:
            self._add(ESCAPES[following])
            self.position += 2
        elif following == "$" and is_quoted:
            self._add("$")
            self.position += 2
        else:
            self._add("\\")
            self.position += 1

    def _variable(self) -> None:
        start = self.position
        self.position += 1
        text = self.text
        has_brace = text[self.position : self.position + 1] == "{"
        if has_brace:
            self.position += 1
        first = self.position
        if text[first : first + 1] not in tuple(NAME_FIRST):
            raise Refusal(f"forbidden first character in an environment variable's name at position {first + 1}")
        while self.position < len(text) and text[self.position] in NAME_REST:
            self.position += 1
        name = text[first : self.position]
        is_list = False
        value = self.place.variable(name)
        if has_brace:
            end = text.find("}", self.position)
            tail = text[self.position : end]
            is_list = tail.startswith("[*]")
            tail = tail.removeprefix("[*]")
            if end < 0 or not (tail == "" or tail.startswith("-")):
                raise Refusal(f"unmatched brace in an environment variable's name at position {start + 1}")
            value = tail[1:] if value is None and tail else value
            self.position = end + 1
        self._add_value(value or "", is_list)

    def _add_value(self, value: str, is_list: bool) -> None:
        if not is_list:
            self._add(value)
            return
        parts = value.split()
        for index, part in enumerate(parts):
            if index:
                self._end_word()
            self._add(part)
