"""What the log is told of one request: plain values in the log's own units.

`cause` and `phase`, the cookie letters: `ord` of the letters of HAProxy's termination state. Times are milliseconds, -1 where
the phase was not reached; `accepted_at` is wall clock, seconds since the epoch, of the request's first octet.
"""

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from balancer.model import INFO

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange
    from balancer.rulebook import Variable


class Detail:
    """What only a format of one's own asks for; made where the log says so."""

    def __init__(self) -> None:
        self.exchange: Exchange | None = None  # None: it never was a request
        self.is_over: bool = True  # the messages are gone: samples of their fields give nothing
        self.has_plus: bool = False  # written early: octets and times may have grown since
        self.request_fields: list[bytes | None] | None = None  # by slots; None: there was no request
        self.response_fields: list[bytes | None] | None = None
        self.sent_cookie: bytes = b""
        self.set_cookie: bytes = b""
        self.waited_ms: int = 0  # from the accept, or the end of the request before, to the first octet
        self.uploaded: int = 0
        self.server_host: str = ""
        self.server_port: int = 0
        self.source_host: str = ""
        self.source_port: int = 0
        self.number: int = 0  # of the request, from 0
        self.unique_id: bytes = b""


class Record:
    """One request as it ended."""

    def __init__(self) -> None:
        self.client: bytes = b""  # both of these as a line begins, where its connection has them: `host:port [`
        self.client_host: str = ""
        self.client_port: int = 0
        self.bind_host: str = ""
        self.bind_port: int = 0
        self.accepted_at: float = 0.0
        self.frontend_name: str = ""
        self.backend_name: str = ""
        self.server_name: str = "<NOSRV>"
        self.tr_ms: int = -1
        self.tw_ms: int = -1
        self.tc_ms: int = -1
        self.resp_ms: int = -1
        self.ta_ms: int = 0
        self.status: int = -1
        self.bytes_read: int = 0
        self.cause: int = 45
        self.phase: int = 45
        self.cookie_in: int = 45
        self.cookie_out: int = 45
        self.act: int = 0
        self.fe: int = 0
        self.be: int = 0
        self.srv: int = 0
        self.retries: int = 0
        self.srv_queue: int = 0
        self.be_queue: int = 0
        self.is_redispatched: bool = False
        self.severity: int = INFO
        self.request_line: bytes = b""
        self.detail: Detail | None = None


@mypyc_attr(allow_interpreted_subclasses=True)
class AccessLog:
    """Receives the record of every request that is to be logged."""

    wants_detail: bool = False

    def write(self, record: Record) -> None:
        """Formats and queues one line; never blocks."""
        raise AssertionError("observe.accesslog writes")


@mypyc_attr(allow_interpreted_subclasses=True)
class Wording:
    """A format: makes a text of a record."""

    def text(self, record: Record) -> bytes:
        """The text, on one line."""
        raise AssertionError("observe.logtext words")


@mypyc_attr(allow_interpreted_subclasses=True)
class Speaker:
    """Says variables of log formats in the texts of rules."""

    def said(self, variable: "Variable", record: Record) -> bytes:
        """What the log would say; nothing where there is nothing."""
        raise AssertionError("observe.logtext says")
