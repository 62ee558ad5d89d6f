"""The strict readers of what goes on: h11, llhttp (by httptools, no leniency), and the tests' own (`rules.wire`).

Each gives all messages that it finds complete in a stream, so that where one ends shows in where the next begins. A reader that
refuses raises `Unread`. What a reader cannot be asked is said at its place.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Final

import h11
import httptools
from rules import wire

from fuzz.plain import Fields, Message

# A stream and where each of its requests begins; a stream, the methods asked, the Upgrade of the first, whether it was closed.
RequestReader = Callable[[bytes, Sequence[int]], list[Message]]
AnswerReader = Callable[[bytes, Sequence[bytes], bytes, bool], list[Message]]

EVENT_OCTETS_MAX: Final = 1 << 20

# The methods that llhttp knows, less those that mean something to it. Others stand as POST when it reads them.
LLHTTP_METHODS: Final = frozenset([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"])


class Unread(Exception):
    """A strict reader refuses what we have sent."""


# --- requests ----------------------------------------------------------------------------------------------------------


def requests_by_h11(stream: bytes, starts: Sequence[int]) -> list[Message]:
    """What an h11 server sees."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=EVENT_OCTETS_MAX)
    reader.receive_data(stream)
    found: list[Message] = []
    try:
        while (message := _next_by_h11(reader)) is not None:
            found.append(message)
            reader.send(h11.Response(status_code=200, headers=[]))
            reader.send(h11.EndOfMessage())
            reader.start_next_cycle()
    except h11.RemoteProtocolError as error:
        raise Unread(f"h11: {error}") from error
    return found


def requests_by_llhttp(stream: bytes, starts: Sequence[int]) -> list[Message]:
    """What llhttp sees. An upgrade ends its stream; behind it a new one begins."""
    bounds = [*starts, len(stream)]
    changed = b""
    methods: list[bytes] = []
    for begin, end in pairwise(bounds):
        method, _, rest = stream[begin:end].partition(b" ")
        methods.append(method)
        changed += (method if method in LLHTTP_METHODS else b"POST") + b" " + rest
    sink = _Sink(lambda: parser.get_method())
    parser = httptools.HttpRequestParser(sink)
    while changed:
        try:
            parser.feed_data(changed)
            break
        except httptools.HttpParserUpgrade as upgrade:
            changed = changed[upgrade.args[0] :]
            parser = httptools.HttpRequestParser(sink)
        except httptools.HttpParserError as error:
            raise Unread(f"llhttp: {error}") from error
    found = [message for message in sink.messages if message.end]
    for message, method in zip(found, methods, strict=False):
        message.start = (method, message.start[1])
    return found


def requests_by_wire(stream: bytes, starts: Sequence[int]) -> list[Message]:
    """What the tests' own reader sees."""
    try:
        read = wire.read_requests(stream)
    except wire.Unreadable as error:
        raise Unread(f"wire: {error}") from error
    found: list[Message] = []
    for each in read:
        if each.is_complete:
            method, target, _ = each.line.encode("latin-1").split(b" ")
            found.append(Message((method, target), _octets(each.fields), body=each.body, trailers=_octets(each.trailers)))
    return found


REQUEST_READERS: Final[tuple[RequestReader, ...]] = (
    requests_by_h11,
    requests_by_llhttp,
    requests_by_wire,
)


# --- answers -----------------------------------------------------------------------------------------------------------


def answers_by_h11(stream: bytes, methods: Sequence[bytes], upgrade: bytes, is_closed: bool) -> list[Message]:
    """What an h11 client sees that has sent requests of these methods, the first of them with that Upgrade."""
    reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=EVENT_OCTETS_MAX)
    found: list[Message] = []
    try:
        for method in methods:
            fields = [(b"Host", b"a")]
            if upgrade and not found:
                fields += [(b"Connection", b"upgrade"), (b"Upgrade", upgrade)]
            reader.send(h11.Request(method=method, target=b"/", headers=fields))
            reader.send(h11.EndOfMessage())
            if not found:
                reader.receive_data(stream)
                if is_closed:
                    reader.receive_data(b"")
            message = _next_by_h11(reader)
            if message is None:
                break
            found.append(message)
            if reader.our_state is not h11.DONE or reader.their_state is not h11.DONE:
                break
            reader.start_next_cycle()
    except h11.RemoteProtocolError as error:
        raise Unread(f"h11: {error}") from error
    if len(found) == len(methods) and reader.trailing_data[0] and found[-1].start[0] != b"101":
        raise Unread(f"h11: {reader.trailing_data!r} behind the last answer")
    return found


def answers_by_llhttp(stream: bytes, methods: Sequence[bytes], upgrade: bytes, is_closed: bool) -> list[Message]:
    """What llhttp sees. It cannot be told of HEAD, and takes a 304 with a length for one with a body: there it reads heads."""
    head = 0
    end = stream.find(b"\r\n\r\n") + 4
    while stream[head + 9 : head + 10] == b"1" and stream[head + 9 : head + 12] != b"101" and end > 3:
        head, end = end, stream.find(b"\r\n\r\n", end) + 4
    status = stream[head + 9 : head + 12]
    if end > 3 and (methods[0] == b"HEAD" or status in (b"101", b"304")):
        messages = _feed_answers(stream[:end])
        messages[-1].end = 1
        if status != b"101" and stream[end:]:
            messages += _feed_answers(stream[end:])
    else:
        messages = _feed_answers(stream) if stream else []
    if messages and is_closed and not messages[-1].end:
        last = messages[-1]
        last.end = not last.values(b"content-length") and not last.values(b"transfer-encoding")
    found: list[Message] = []
    interim: list[Message] = []
    for message in messages:
        if not message.end:
            break
        if message.start[0][:1] == b"1" and message.start[0] != b"101":
            interim.append(message)
        else:
            message.interim, interim = interim, []
            found.append(message)
    return found


def answers_by_wire(stream: bytes, methods: Sequence[bytes], upgrade: bytes, is_closed: bool) -> list[Message]:
    """What the tests' own reader sees."""
    try:
        read = wire.read_answers(stream, [method.decode() for method in methods], is_closed)
    except wire.Unreadable as error:
        raise Unread(f"wire: {error}") from error
    found: list[Message] = []
    interim: list[Message] = []
    for each in read:
        if not each.is_complete:
            break
        _, status, reason = (each.line.encode("latin-1") + b" ").split(b" ", 2)
        body = b"" if status == b"101" else each.body
        message = Message((status, reason[:-1]), _octets(each.fields), body=body, trailers=_octets(each.trailers))
        if status[:1] == b"1" and status != b"101":
            interim.append(message)
        else:
            message.interim, interim = interim, []
            found.append(message)
    return found


ANSWER_READERS: Final[tuple[AnswerReader, ...]] = (
    answers_by_h11,
    answers_by_llhttp,
    answers_by_wire,
)


# --- one message -------------------------------------------------------------------------------------------------------


def _next_by_h11(reader: h11.Connection) -> Message | None:
    interim: list[Message] = []
    message: Message | None = None
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Request):
            message = Message((bytes(event.method), bytes(event.target)), _pairs(event.headers))
        elif isinstance(event, h11.InformationalResponse | h11.Response):
            message = Message((b"%d" % event.status_code, bytes(event.reason)), _pairs(event.headers), interim=interim)
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    return message
                message.interim = []
                interim.append(message)
        elif isinstance(event, h11.Data):
            assert message is not None
            message.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert message is not None
            message.trailers = _pairs(event.headers)
            return message
        else:
            return None


class _Sink:
    """Takes llhttp's calls; `end` of a message is 1 once it is complete."""

    def __init__(self, method: Callable[[], bytes]) -> None:
        self.method = method
        self.messages: list[Message] = []
        self.is_in_body = False

    def on_message_begin(self) -> None:
        self.messages.append(Message((b"", b""), []))
        self.is_in_body = False

    def on_url(self, url: bytes) -> None:
        message = self.messages[-1]
        message.start = (b"", message.start[1] + url)

    def on_status(self, status: bytes) -> None:
        message = self.messages[-1]
        message.start = (b"", message.start[1] + status)

    def on_header(self, name: bytes, value: bytes) -> None:
        message = self.messages[-1]
        (message.trailers if self.is_in_body else message.fields).append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self.is_in_body = True
        message = self.messages[-1]
        message.start = (self.method(), message.start[1])

    def on_body(self, body: bytes) -> None:
        self.messages[-1].body += body

    def on_message_complete(self) -> None:
        self.messages[-1].end = 1


def _feed_answers(octets: bytes) -> list[Message]:
    sink = _Sink(lambda: b"%d" % parser.get_status_code())
    parser = httptools.HttpResponseParser(sink)
    try:
        parser.feed_data(octets)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise Unread(f"llhttp: {error}") from error
    return sink.messages


def _pairs(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    return [(bytes(name), bytes(value)) for name, value in headers]


def _octets(fields: list[tuple[str, str]]) -> Fields:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
