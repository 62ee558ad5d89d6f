"""The grammar of RFC 9112 once more, as regular expressions over the octets that came in.

It shares nothing with the reader under test, and reads only what a strict reader may take: where it refuses, ours must, too. It
allows what ours allows beyond the bare grammar, each with its reason: empty list elements, one length said several times, empty
lines before a request. Values are those of the field lines without the blanks around them.
"""

import re
from dataclasses import dataclass, field
from typing import Final

Fields = list[tuple[bytes, bytes]]

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE: Final = re.compile(rb"(%s) ([\x21\x22\x24-\x7e]+) HTTP/1\.([01])\r\n" % TOKEN)
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")
FIELD_LINE: Final = re.compile(rb"(%s):([\t\x20-\x7e\x80-\xff]*)\r\n" % TOKEN)
EMPTY_LINES: Final = re.compile(rb"(?:\r\n)*")
LENGTHS: Final = re.compile(rb"[0-9]{1,18}(?:[ \t]*,[ \t]*[0-9]{1,18})*\Z")
CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")


class Refused(Exception):
    """The octets are no message, or could be taken for more than one."""


class Unfinished(Exception):
    """The message goes on where the octets end."""


@dataclass
class Message:
    """One message; names in lower case. `end` is the offset behind it, `until_close` says that only the end ends it."""

    start: tuple[bytes, ...]  # method and target, or status and reason
    fields: Fields
    minor: int = 1
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    end: int = 0
    is_chunked: bool = False
    until_close: bool = False
    interim: list["Message"] = field(default_factory=list)

    def values(self, name: bytes) -> list[bytes]:
        """The values of all lines of that name."""
        return [value for key, value in self.fields if key == name]

    def elements(self, name: bytes) -> list[bytes]:
        """The elements of all lines of that name as one list, in lower case."""
        parts = [part.strip(b" \t").lower() for value in self.values(name) for part in value.split(b",")]
        return [part for part in parts if part]


def read_request(octets: bytes, at: int) -> Message:
    """The request that begins at `at`. Refused, or Unfinished, if there is none."""
    empty = EMPTY_LINES.match(octets, at)
    assert empty is not None
    line, at = _line(REQUEST_LINE, octets, empty.end())
    fields, at = _fields(octets, at)
    message = Message((line[1], line[2]), fields, int(line[3]), end=at)
    hosts = message.values(b"host")
    if len(hosts) > 1 or (message.minor == 1 and not hosts):
        raise Refused(f"{len(hosts)} Host lines")
    if message.values(b"transfer-encoding"):
        _take_chunks(octets, message)
    elif message.values(b"content-length"):
        _take_length(octets, message)
    return message


def read_answer(octets: bytes, method: bytes) -> Message:
    """The final answer at the front of `octets`, the interim ones before it in `interim`. Refused, or Unfinished."""
    interim: list[Message] = []
    at = 0
    while True:
        line, at = _line(STATUS_LINE, octets, at)
        fields, at = _fields(octets, at)
        message = Message((line[2], line[3] or b""), fields, int(line[1]), end=at)
        status = int(line[2])
        if status >= 200 or status == 101:
            break
        interim.append(message)
    message.interim = interim
    if message.values(b"transfer-encoding"):
        _coding(message)
    elif message.values(b"content-length"):
        _length(message)
    if status in (101, 204, 304) or method == b"HEAD":
        return message
    if message.values(b"transfer-encoding"):
        _take_chunks(octets, message)
    elif message.values(b"content-length"):
        _take_length(octets, message)
    else:
        message.body, message.end, message.until_close = octets[at:], len(octets), True
    return message


def _line(pattern: re.Pattern[bytes], octets: bytes, at: int) -> tuple[re.Match[bytes], int]:
    match = pattern.match(octets, at)
    if match is None:
        if octets.find(b"\n", at) < 0:
            raise Unfinished
        raise Refused(f"line {octets[at : at + 60]!r}")
    return match, match.end()


def _fields(octets: bytes, at: int) -> tuple[Fields, int]:
    fields: Fields = []
    while not octets.startswith(b"\r\n", at):
        match, at = _line(FIELD_LINE, octets, at)
        fields.append((match[1].lower(), match[2].strip(b" \t")))
    return fields, at + 2


def _coding(message: Message) -> None:
    values = message.values(b"transfer-encoding")
    if message.minor == 0 or len(values) > 1 or message.elements(b"transfer-encoding") != [b"chunked"]:
        raise Refused(f"coding {values!r}")


def _length(message: Message) -> int:
    values = message.values(b"content-length")
    if not all(LENGTHS.match(value) for value in values):
        raise Refused(f"length {values!r}")
    numbers = {int(element) for element in message.elements(b"content-length")}
    if len(numbers) > 1:
        raise Refused(f"lengths {values!r}")
    return numbers.pop()


def _take_length(octets: bytes, message: Message) -> None:
    length = _length(message)
    message.body = octets[message.end : message.end + length]
    message.end += length
    if len(message.body) < length:
        raise Unfinished


def _take_chunks(octets: bytes, message: Message) -> None:
    _coding(message)
    message.is_chunked = True
    at = message.end
    while True:
        line, at = _line(CHUNK_LINE, octets, at)
        size = int(line[1], 16)
        if not size:
            break
        message.body += octets[at : at + size]
        at += size + 2
        if octets[at - 2 : at] != b"\r\n":
            if len(octets) < at and b"\r\n".startswith(octets[at - 2 :]):
                raise Unfinished
            raise Refused(f"{octets[at - 2 : at]!r} behind a chunk")
    message.trailers, message.end = _fields(octets, at)
