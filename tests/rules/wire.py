"""A strict reader of HTTP/1.1 that shares nothing with the one under test.

It reads messages from octets that are already there, by the grammar of RFC 9112 alone, and says of each whether it is complete.
Anything that two readers could take in two ways is an `Unreadable`.
"""

import re
from dataclasses import dataclass, field
from typing import Final

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE: Final = re.compile(rb"(%s) ([\x21-\x7e]+) HTTP/1\.([01])\Z" % TOKEN)
STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2}) ?([\t\x20-\x7e\x80-\xff]*)\Z")
FIELD_LINE: Final = re.compile(
    rb"(%s):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*\Z" % TOKEN
)
LENGTH: Final = re.compile(rb"[0-9]{1,18}\Z")
CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\Z")


class Unreadable(Exception):
    """The octets are no message, or could be taken for more than one."""


@dataclass
class Message:
    """A request or an answer as a strict reader sees it; names in lower case."""

    line: str
    fields: list[tuple[str, str]]
    body: bytes = b""
    is_complete: bool = False
    is_chunked: bool = False
    trailers: list[tuple[str, str]] = field(default_factory=list)
    raw_head: bytes = b""

    @property
    def status(self) -> int:
        """The status of an answer."""
        return int(self.line.split(" ")[1])

    def values(self, name: str) -> list[str]:
        """The values of all lines of that name."""
        return [value for key, value in self.fields if key == name]

    def has_token(self, name: str, token: str) -> bool:
        """Whether a comma list over all lines of that name has the token."""
        return token in [part.strip().lower() for value in self.values(name) for part in value.split(",")]


@dataclass
class _Cursor:
    octets: bytes
    at: int = 0

    def line(self) -> bytes | None:
        end = self.octets.find(b"\r\n", self.at)
        if end < 0:
            return None
        line = self.octets[self.at : end]
        if b"\r" in line or b"\n" in line:
            raise Unreadable(f"a line end inside {line!r}")
        self.at = end + 2
        return line


def read_requests(octets: bytes) -> list[Message]:
    """All requests in what a server has received; the last may be incomplete."""
    cursor = _Cursor(octets)
    found: list[Message] = []
    while cursor.at < len(octets):
        message = _head(cursor, REQUEST_LINE)
        if message is None:
            found.append(Message("", []))
            break
        found.append(message)
        _body(cursor, message, has_body=_is_framed(message), until_close=False, is_closed=False)
        if not message.is_complete:
            break
    return found


def read_answers(octets: bytes, methods: list[str], is_closed: bool) -> list[Message]:
    """All answers, interim ones included, to requests of these methods in what a client has received up to now."""
    cursor = _Cursor(octets)
    found: list[Message] = []
    waiting = list(methods)
    while cursor.at < len(octets):
        message = _head(cursor, STATUS_LINE)
        if message is None:
            found.append(Message("", []))
            break
        found.append(message)
        if 100 <= message.status < 200:
            message.is_complete = True
            if message.status == 101:
                message.body = octets[cursor.at :]
                break
            continue
        if not waiting:
            raise Unreadable(f"an answer that nobody asked for: {octets!r}")
        method = waiting.pop(0)
        has_body = method != "HEAD" and message.status not in (204, 304)
        if message.status == 204 and (message.values("content-length") or message.values("transfer-encoding")):
            raise Unreadable("a 204 that frames a body")
        _body(cursor, message, has_body, until_close=not _is_framed(message), is_closed=is_closed)
        if not message.is_complete:
            break
    return found


def _is_framed(message: Message) -> bool:
    return bool(message.values("content-length") or message.values("transfer-encoding"))


def _head(cursor: _Cursor, start_line: re.Pattern[bytes]) -> Message | None:
    begin = cursor.at
    line = cursor.line()
    if line is None:
        return None
    if not start_line.match(line):
        raise Unreadable(f"start line {line!r}")
    fields = _fields(cursor)
    if fields is None:
        return None
    return Message(line.decode("latin-1"), fields, raw_head=cursor.octets[begin : cursor.at])


def _fields(cursor: _Cursor) -> list[tuple[str, str]] | None:
    fields: list[tuple[str, str]] = []
    while True:
        line = cursor.line()
        if line is None:
            return None
        if not line:
            return fields
        match = FIELD_LINE.match(line)
        if not match:
            raise Unreadable(f"field line {line!r}")
        fields.append((match[1].decode().lower(), match[2].decode("latin-1")))


def _body(cursor: _Cursor, message: Message, has_body: bool, until_close: bool, is_closed: bool) -> None:
    lengths, codings = message.values("content-length"), message.values("transfer-encoding")
    if lengths and codings:
        raise Unreadable("both a length and a coding")
    if len(lengths) > 1 or len(codings) > 1:
        raise Unreadable("framed twice")
    if codings and (
        codings[0].lower() != "chunked" or message.line.endswith("HTTP/1.0") or message.line.startswith("HTTP/1.0")
    ):
        raise Unreadable(f"coding {codings[0]!r}")
    message.is_chunked = bool(codings)
    if lengths and not LENGTH.match(lengths[0].encode("latin-1")):
        raise Unreadable(f"length {lengths[0]!r}")
    if not has_body:
        message.is_complete = True
    elif codings:
        _chunks(cursor, message)
    elif lengths:
        length = int(lengths[0])
        message.body = cursor.octets[cursor.at : cursor.at + length]
        cursor.at += len(message.body)
        message.is_complete = len(message.body) == length
    elif until_close:
        message.body = cursor.octets[cursor.at :]
        cursor.at = len(cursor.octets)
        message.is_complete = is_closed


def _chunks(cursor: _Cursor, message: Message) -> None:
    while True:
        line = cursor.line()
        if line is None:
            return
        match = CHUNK_LINE.match(line)
        if not match:
            raise Unreadable(f"chunk line {line!r}")
        size = int(match[1], 16)
        if not size:
            trailers = _fields(cursor)
            if trailers is not None:
                message.trailers = trailers
                message.is_complete = True
            return
        data = cursor.octets[cursor.at : cursor.at + size]
        message.body += data
        cursor.at += len(data)
        if len(data) < size:
            return
        end = cursor.octets[cursor.at : cursor.at + 2]
        if not b"\r\n".startswith(end):
            raise Unreadable(f"{end!r} behind a chunk")
        if len(end) < 2:
            return
        cursor.at += 2
