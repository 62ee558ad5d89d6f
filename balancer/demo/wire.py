"""Requests in and answers out, octet by octet as Seaside's web servers of its time do them; no sockets here.

Swazoo is the one that was recorded; Kom (Comanche) is known from its source, and what is not known of it follows Swazoo.
Both are odd on purpose: a chunked body is read and forgotten, `Expect` is not looked at, nonsense gets neither an answer nor a
close, HTTP/1.0 and every method but GET end the connection, mostly without saying so. A proxy that survives these servers
survives the real ones. Whatever a client sends, a reader holds at most `INBOX_OCTETS_MAX` of it.
"""

import enum
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

HEAD_OCTETS_MAX: Final = 16384
FORM_OCTETS_MAX: Final = 65536
CHUNK_LINE_OCTETS_MAX: Final = 256
INBOX_OCTETS_MAX: Final = HEAD_OCTETS_MAX + FORM_OCTETS_MAX
KOM_PIECE_OCTETS: Final = 128 * 1024

REQUEST_LINE: Final = re.compile(rb"([!-~]+) ([!-~\x80-\xff]+) HTTP/1\.([01])\Z")
FIELD_LINE: Final = re.compile(rb"([!-9;-~]+):[ \t]*(.*?)[ \t]*\Z", re.DOTALL)
LENGTH: Final = re.compile(r"[0-9]{1,15}\Z")
CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;.*)?\Z", re.DOTALL)

HTML: Final = "text/html;charset=utf-8"
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
REASONS: Final = {200: "OK", 302: "Found", 403: "Forbidden", 404: "Not Found", 501: "Not Implemented"}


@dataclass(frozen=True)
class Request:
    """A request as an image understands it. Text is Latin-1, so that every octet survives the way back."""

    method: str
    target: str
    minor_version: int = 1
    fields: dict[str, str] = field(default_factory=dict)  # lower-case name -> first value
    form: bytes = b""  # the body, unless it was chunked or longer than FORM_OCTETS_MAX
    body_octets: int = 0

    def as_last(self) -> "Request":
        """The same request of a client that wants the connection closed after its answer."""
        return replace(self, fields={**self.fields, "connection": "close"})

    @property
    def path(self) -> str:
        """The path of the target, without scheme, host and query."""
        target = self.target.partition("?")[0]
        if "://" in target:
            return "/" + target.partition("://")[2].partition("/")[2]
        return target

    @property
    def query(self) -> str:
        """What follows the first question mark, untouched."""
        return self.target.partition("?")[2]

    def asks_for(self, option: str) -> bool:
        """Whether the Connection field names this option."""
        return option in (word.strip(" \t").lower() for word in self.fields.get("connection", "").split(","))


class Stage(enum.Enum):
    """What a reader waits for. DEAF is for ever: nonsense came, and nothing after it can be trusted."""

    HEAD = "head"
    BODY = "body"
    CHUNK_LINE = "chunk line"
    CHUNK_DATA = "chunk data"
    TRAILER = "trailer"
    COMPLETE = "complete"
    DEAF = "deaf"


class RequestReader:
    """Cuts the octets of one connection into requests, in order.

    `feed` what was received, then call `next_request` until it gives None. Bodies are taken off the wire as they come and
    only a form's worth is kept, so memory is bounded as long as the caller stops feeding a reader that `is_full`.
    """

    def __init__(self) -> None:
        self.stage = Stage.HEAD
        self._inbox = bytearray()
        self._head = Request("", "")
        self._form = bytearray()
        self._body_octets = 0
        self._left = 0  # octets of the body or chunk that are still to come
        self._steps: dict[Stage, Callable[[], bool]] = {
            Stage.HEAD: self._read_head,
            Stage.BODY: self._read_body,
            Stage.CHUNK_LINE: self._read_chunk_line,
            Stage.CHUNK_DATA: self._read_chunk_data,
            Stage.TRAILER: self._read_trailer,
        }

    def __repr__(self) -> str:
        return f"<RequestReader {self.stage.value} inbox={len(self._inbox)}>"

    def feed(self, data: bytes) -> None:
        """Takes received octets; a deaf reader drops them."""
        if self.stage is not Stage.DEAF:
            self._inbox += data

    def is_full(self) -> bool:
        """Whether nothing more should be fed before a request is taken."""
        return len(self._inbox) >= INBOX_OCTETS_MAX

    def next_request(self) -> Request | None:
        """The next complete request, or None until more is fed."""
        while self.stage in self._steps:
            if not self._steps[self.stage]():
                return None
        if self.stage is Stage.DEAF:
            self._inbox.clear()
            return None
        head, self.stage = self._head, Stage.HEAD
        form = bytes(self._form) if len(self._form) == self._body_octets else b""
        return Request(head.method, head.target, head.minor_version, head.fields, form, self._body_octets)

    def _read_head(self) -> bool:
        while self._inbox.startswith(b"\r\n"):
            del self._inbox[:2]
        end = self._inbox.find(b"\r\n\r\n", 0, HEAD_OCTETS_MAX)
        if end < 0:
            return len(self._inbox) >= HEAD_OCTETS_MAX and self._go_deaf()
        lines = bytes(self._inbox[:end]).split(b"\r\n")
        del self._inbox[: end + 4]
        start = REQUEST_LINE.match(lines[0])
        fields = _fields(lines[1:])
        if start is None or fields is None:
            return self._go_deaf()
        method, target = start[1].decode("latin-1"), start[2].decode("latin-1")
        self._head = Request(method, target, int(start[3]), fields)
        self._form.clear()
        self._body_octets = 0
        return self._expect_body(fields)

    def _expect_body(self, fields: dict[str, str]) -> bool:
        length = fields.get("content-length", "0")
        if "transfer-encoding" in fields:
            self.stage = Stage.CHUNK_LINE
        elif LENGTH.match(length):
            self._left = int(length)
            self.stage = Stage.BODY
        else:
            return self._go_deaf()
        return True

    def _read_body(self) -> bool:
        if self._left and not self._inbox:
            return False
        piece = self._take(self._left)
        if self._body_octets + len(piece) <= FORM_OCTETS_MAX:
            self._form += piece
        self._body_octets += len(piece)
        if not self._left:
            self.stage = Stage.COMPLETE
        return True

    def _read_chunk_line(self) -> bool:
        line = self._take_line()
        if line is None:
            return self.stage is Stage.DEAF
        size = CHUNK_LINE.match(line)
        if size is None:
            return self._go_deaf()
        octets = int(size[1], 16)
        self._left = octets + 2 if octets else 0  # the line end after the data goes with it
        self._body_octets += octets
        self.stage = Stage.CHUNK_DATA if octets else Stage.TRAILER
        return True

    def _read_chunk_data(self) -> bool:
        if not self._inbox:
            return False
        self._take(self._left)
        if not self._left:
            self.stage = Stage.CHUNK_LINE
        return True

    def _read_trailer(self) -> bool:
        line = self._take_line()
        if line is None:
            return self.stage is Stage.DEAF
        if not line:
            self.stage = Stage.COMPLETE
        return True

    def _take(self, octets: int) -> bytes:
        piece = bytes(self._inbox[:octets])
        del self._inbox[: len(piece)]
        self._left -= len(piece)
        return piece

    def _take_line(self) -> bytes | None:
        end = self._inbox.find(b"\r\n", 0, CHUNK_LINE_OCTETS_MAX)
        if end < 0:
            if len(self._inbox) >= CHUNK_LINE_OCTETS_MAX:
                self._go_deaf()
            return None
        line = bytes(self._inbox[:end])
        del self._inbox[: end + 2]
        return line

    def _go_deaf(self) -> bool:
        self.stage = Stage.DEAF
        return True


def _fields(lines: list[bytes]) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for line in lines:
        found = FIELD_LINE.match(line)
        if found is None:
            return None
        fields.setdefault(found[1].decode("latin-1").lower(), found[2].decode("latin-1"))
    return fields


@dataclass(frozen=True)
class Answer:
    """What a page wants said; how it is said is the web server's affair."""

    status: int
    body: bytes = b""
    content_type: str = HTML
    location: str = ""
    expires: str = ""  # of a file that may be kept
    is_live: bool = False  # made by a session: caches must leave it alone


@dataclass(frozen=True)
class Reply:
    """The octets of an answer in the pieces in which they are flushed, and whether the connection ends after them."""

    pieces: tuple[bytes, ...]
    closes: bool


def swazoo_reply(answer: Answer, request: Request, now_s: float) -> Reply:
    """As Swazoo 2.2: all but a GET of HTTP/1.1 ends the connection, and only what the client asked for is said of it."""
    wants_close = request.asks_for("close")
    is_old = request.minor_version == 0
    connection = "close" if wants_close else "keep-alive" if is_old and request.asks_for("keep-alive") else ""
    fields = (
        ("Expires", answer.expires or ("Thu, 11 Jun 1980 12:00:00 GMT" if answer.is_live else "")),
        ("Pragma", "no-cache" if answer.is_live else ""),
        ("Server", "Swazoo 2.2 Smalltalk Web Server"),
        ("Date", swazoo_date(now_s)),
        ("Location", answer.location),
        ("Content-Type", answer.content_type),
        ("Connection", connection),
        ("Cache-Control", "no-cache, must-revalidate" if answer.is_live else ""),
        ("Content-Length", str(len(answer.body))),
    )
    head = _head(f"HTTP/1.{request.minor_version}", answer.status, fields)
    body = b"" if request.method == "HEAD" else answer.body
    return Reply((head + body,), wants_close or is_old or request.method != "GET")


def kom_reply(answer: Answer, request: Request, now_s: float) -> Reply:
    """As KomHttpServer 7 with its defaults: always HTTP/1.1, always close; the head is flushed on its own."""
    fields = (
        ("Server", "KomHttpServer/7.0.4 (unix)"),
        ("Date", kom_date(now_s)),
        ("Connection", "close"),
        ("Expires", answer.expires or ("Thu, 11 Jun 1980 12:00:00 GMT" if answer.is_live else "")),
        ("Pragma", "no-cache" if answer.is_live else ""),
        ("Cache-Control", "no-cache, must-revalidate" if answer.is_live else ""),
        ("Location", answer.location),
        ("Content-type", answer.content_type),
        ("Content-length", str(len(answer.body))),
    )
    body = b"" if request.method == "HEAD" else answer.body
    pieces = tuple(body[at : at + KOM_PIECE_OCTETS] for at in range(0, len(body), KOM_PIECE_OCTETS))
    return Reply((_head("HTTP/1.1", answer.status, fields), *pieces), closes=True)


def swazoo_date(now_s: float) -> str:
    """The hour has no leading zero: malformed, and to be passed on as it is."""
    now = time.gmtime(now_s)
    return f"{_day(now)} {now.tm_hour}:{now.tm_min:02}:{now.tm_sec:02} GMT"


def kom_date(now_s: float) -> str:
    """The date as RFC 9110 5.6.7 wants it."""
    now = time.gmtime(now_s)
    return f"{_day(now)} {now.tm_hour:02}:{now.tm_min:02}:{now.tm_sec:02} GMT"


def _day(now: time.struct_time) -> str:
    return f"{WEEKDAYS[now.tm_wday]}, {now.tm_mday:02} {MONTHS[now.tm_mon - 1]} {now.tm_year}"


def _head(version: str, status: int, fields: tuple[tuple[str, str], ...]) -> bytes:
    lines = [f"{version} {status} {REASONS[status]}", *(f"{name}: {value}" for name, value in fields if value)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


@dataclass(frozen=True)
class WebServer:
    """How one of the two web servers behaves where they differ."""

    name: str
    reply: Callable[[Answer, Request, float], Reply]
    idle_s_max: float  # a connection that says nothing for so long is closed without a word
    closes_on_nonsense: bool
    backlog: int


SWAZOO: Final = WebServer("swazoo", swazoo_reply, 600.0, False, 50)
KOM: Final = WebServer("kom", kom_reply, 10.0, True, 10)
