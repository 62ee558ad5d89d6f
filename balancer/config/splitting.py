"""A line cut into its words, quotes and escapes resolved as HAProxy does.

A word ends at an unprotected blank, a line at an unprotected `#`. Within '..' nothing is special; within ".." a backslash
and `$NAME`, `${NAME}`, `${NAME-default}`, `${NAME[*]}` are; a backslash before anything else than the characters of ESCAPES
stays what it is. Lines are cut octet by octet, so that an octet that is no UTF-8 passes and positions (from 1) are HAProxy's.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from balancer.config.environment import Environment
from balancer.config.findings import Refusal

LINE_WORDS_MAX: Final = 64

BLANKS: Final = " \t\r\n\v\f"
VALUE_BLANKS: Final = re.compile(r"[ \t\r\n\v\f]+")
# What a backslash turns into something else, outside quotes and within double ones.
ESCAPES: Final[dict[str, str]] = {
    " ": " ", "\\": "\\", "#": "#", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t",
}  # fmt: skip
HEX_DIGITS: Final = "0123456789abcdefABCDEF"
NAME_FIRST: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
NAME_REST: Final = NAME_FIRST + "0123456789"

# A line that is blamed is shown this wide; of a longer one, what surrounds the position.
SHOWN_MAX: Final = 80
SHOWN_CARET: Final = 40
ELLIPSIS: Final = "..."


@dataclass
class Place:
    """Where reading is: what `$.FILE`, `$.LINE` and `$.SECTION` stand for. The section is set by whoever knows sections."""

    environment: Environment = field(default_factory=Environment)
    file: str = ""
    line: int = 0
    section: str = ""

    def variable(self, name: str) -> str | None:
        """The value of a variable, None if there is none of that name. Raises KeyError for an unknown name with a dot."""
        if name.startswith("."):
            return {".FILE": self.file, ".LINE": str(self.line), ".SECTION": self.section}[name]
        return self.environment.variables.get(name)


def split_line(text: str, place: Place) -> list[str]:
    """The words of one line. Refuses unmatched quotes, broken escapes and broken variables, with the position from 1."""
    return [_characters(word) for word in _Splitter(_octets(text), place, True).words()]


def split_condition(text: str, place: Place) -> list[str]:
    """The words of a condition of the command line: as of a line, but blanks in front count and `#` is nothing special."""
    return [_characters(word) for word in _Splitter(_octets(text), place, False).words()]


def excerpt(text: str, position: int) -> str:
    """Two lines that show where in the text the position (from 1) is; blanks in front are left out, controls are masked."""
    shown = text.lstrip(BLANKS)
    offset = position - 1 - (len(text) - len(shown))
    printable = "".join(" " if char in BLANKS else char if " " <= char <= "~" else "?" for char in shown)
    if offset < SHOWN_MAX:
        return f"  {printable[:SHOWN_MAX]}\n  {' ' * offset}^"
    start = offset - SHOWN_CARET + len(ELLIPSIS)
    part = printable[start : start + SHOWN_MAX - 2 * len(ELLIPSIS)]
    return f"  {ELLIPSIS}{part}{ELLIPSIS}\n  {' ' * SHOWN_CARET}^"


def _octets(text: str) -> str:
    """The octets of a text, each as one character."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _characters(octets: str) -> str:
    """The inverse of `_octets`."""
    return octets.encode("latin-1").decode("utf-8", "surrogateescape")


class _Splitter:
    """One pass over one line."""

    def __init__(self, text: str, place: Place, is_line: bool) -> None:
        self.text = text
        self.place = place
        self.is_line = is_line
        self.position = 0
        self.found: list[str] = []
        self.word: list[str] | None = None  # None between words

    def words(self) -> list[str]:
        text = self.text
        if "\0" in text:
            raise Refusal(f"Stray NUL character at position {text.index(chr(0)) + 1}.")
        if not self.is_line and text[:1] in tuple(BLANKS):
            self._add("")
        while self.position < len(text):
            char = text[self.position]
            if char in BLANKS:
                self._end_word()
                self.position += 1
            elif char == "#" and self.is_line:
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
        if not self.is_line and self.found == [""] and text[:1] in tuple(BLANKS):
            self.found.append("")
        if len(self.found) > LINE_WORDS_MAX:
            *before, last = self.found[:LINE_WORDS_MAX]
            # HAProxy counts in the words as they are then, with one octet between two.
            position = sum(len(word) + 1 for word in before) + 1
            raise Refusal(
                f"too many words, truncating after word {LINE_WORDS_MAX}, position {position}: <{_characters(last)}>."
            )
        return self.found

    def _add(self, text: str) -> None:
        if self.word is None:
            self.word = []
        self.word.append(text)

    def _end_word(self) -> None:
        if self.word is not None:
            self.found.append("".join(self.word))
            self.word = None

    def _refusal(self, text: str, position: int) -> Refusal:
        """What is wrong at an offset (from 0)."""
        return Refusal(f"{text} at position {position + 1}:\n{excerpt(self.text, position + 1)}")

    def _strong_quote(self) -> None:
        end = self.text.find("'", self.position + 1)
        if end < 0:
            raise self._refusal("unmatched quote", self.position)
        self._add(self.text[self.position + 1 : end])
        self.position = end + 1

    def _weak_quote(self) -> None:
        start = self.position
        self._add("")
        self.position += 1
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
        raise self._refusal("unmatched quote", start)

    def _escape(self, is_quoted: bool) -> None:
        following = self.text[self.position + 1 : self.position + 2]
        if following == "x":
            digits = self.text[self.position + 2 : self.position + 4]
            if len(digits) < 2 or any(digit not in HEX_DIGITS for digit in digits):
                raise self._refusal("truncated or invalid hexadecimal sequence", self.position)
            self._add(chr(int(digits, 16)))
            self.position += 4
        elif following and following in ESCAPES:
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
        text = self.text
        has_brace = text.startswith("{", start + 1)
        first = start + 2 if has_brace else start + 1
        self.position = first + text.startswith(".", first)
        if text[self.position : self.position + 1] not in tuple(NAME_FIRST):
            raise self._refusal("forbidden first char in environment variable name", first)
        while self.position < len(text) and text[self.position] in NAME_REST:
            self.position += 1
        try:
            value = self.place.variable(text[first : self.position])
        except KeyError as error:
            raise self._refusal("forbidden first char in environment variable name", first) from error
        if not has_brace:
            self._add_value(_octets(value or ""), False)
            return
        is_list = text.startswith("[", self.position)
        if is_list and not text.startswith("[*]", self.position):
            raise self._refusal("truncated or invalid word expansion sequence", self.position)
        self.position += 3 if is_list else 0
        end = text.find("}", self.position)
        if end < 0 or text[self.position] not in "-}":
            raise self._refusal("unmatched brace in environment variable name", first - 1)
        default = text[self.position + 1 : end]
        self.position = end + 1
        self._add_value(default if value is None else _octets(value), is_list)

    def _add_value(self, value: str, is_list: bool) -> None:
        if not is_list:
            self._add(value)
            return
        # Blanks at the ends part words, too: the first or the last is then empty.
        for index, part in enumerate(VALUE_BLANKS.split(value)):
            if index:
                self._end_word()
            self._add(part)
