"""The form of a row: what is sent, and what must come of it."""

from dataclasses import dataclass, field
from typing import Final

GET: Final = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
POST: Final = b"POST / HTTP/1.1\r\nHost: h\r\n"
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@dataclass(frozen=True)
class Refused:
    """The client gets that status (0: nothing) and its connection ends; no server sees a whole request."""

    status: int = 400


@dataclass(frozen=True)
class Forwarded:
    """A server sees exactly this request, and its answer comes back; afterwards the client's connection is open, or not."""

    line: str = "GET / HTTP/1.1"
    fields: tuple[str, ...] = ("host: h",)
    body: bytes = b""
    trailers: tuple[str, ...] = ()
    keeps: bool = True
    requests: int = 1  # how many the client sent, all answered; the first is compared


@dataclass(frozen=True)
class Request:
    """A row about what a client sends."""

    rule: str
    section: str
    octets: bytes
    result: Refused | Forwarded
    half_closes: bool = False
    answer: bytes = OK
    goes_whole: bool = False  # too long to be sent octet by octet


@dataclass(frozen=True)
class Answered:
    """What the client gets for a server's answer."""

    status: int = 200
    body: bytes = b""
    has: tuple[str, ...] = ()  # lines that must be there
    lacks: tuple[str, ...] = ()  # names that must not be there
    interim: tuple[int, ...] = ()
    trailers: tuple[str, ...] = ()
    keeps: bool = True  # the client's connection
    keeps_server: bool = False  # whether the next request may go to the server on the same connection


@dataclass(frozen=True)
class Cut:
    """The client must see that the answer is not whole: it gets a head, but neither its end nor an orderly close."""

    status: int = 200
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """A row about what a server sends."""

    rule: str
    section: str
    octets: bytes
    result: Answered | Cut
    request: bytes = GET
    ends: str = "stays"  # "stays", "closes" or "resets" after its octets
    goes_whole: bool = False
    flags: str = ""  # the first two letters of the termination state, where the row is about them


@dataclass(frozen=True)
class Group:
    """Rows that belong together, with what stands above them in the document."""

    title: str
    text: str
    rows: list[Request] | list[Response] = field(default_factory=list)
