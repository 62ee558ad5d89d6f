"""One client connection: HTTP/1.1 on a uvloop transport.

It reads one head at a time; while an exchange runs, what comes belongs to its body, and what comes behind that waits, bounded,
for its turn. So pipelined requests are answered in order. A connection that closes while the client may still be sending
half-closes first and reads on for a while, because a reset would take the answer away from the client (RFC 9112 9.6).
"""

import asyncio
from typing import Final

from mypy_extensions import mypyc_attr

from balancer.backend.outgoing import reset_at_close, say_goodbye
from balancer.http.gather import Gathered
from balancer.http.head import FORBIDDEN, INCOMPLETE, RequestHead, find_end, line_error, skip_empty_lines
from balancer.http.message import LEADING_EMPTY_LINES_MAX
from balancer.proxy import ledger
from balancer.proxy import phase as phases
from balancer.proxy.exchange import Exchange
from balancer.proxy.gate import Gate
from balancer.proxy.listener import Listener
from balancer.proxy.outlet import ClientOutlet
from balancer.proxy.reading import PORTION_OCTETS, read_in_portions
from balancer.proxy.route import Route
from balancer.proxy.services import Services

# What a connection does with the octets that come.
IDLE: Final = 0  # waits for a head
BUSY: Final = 1  # an exchange runs
TUNNEL: Final = 2
LINGER: Final = 3  # answered and half-closed: reads and forgets
WAITING: Final = 4  # accepted beyond maxconn: not read yet
CLOSED: Final = 5

LINGER_S: Final = 2.0
LINGER_OCTETS_MAX: Final = 1 << 26
EMPTY_LINES_OCTETS_MAX: Final = 2 * LEADING_EMPTY_LINES_MAX


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientSide(ClientOutlet):
    """See the module."""

    def __init__(self, route: Route, services: Services, gate: Gate, listener: Listener | None = None) -> None:
        super().__init__(route, services)
        self.gate, self.listener = gate, listener
        self.state: int = IDLE
        self.exchange: Exchange | None = None
        self.pending: bytes = b""  # what waits for its turn is pending[begin:]; b"" when nothing does
        self.begin: int = 0
        self.gathered: Gathered | None = None  # what came behind `pending` of a head that is not complete yet
        self.scanned: int = 0
        self.is_line_seen: bool = False  # the start line of that head is complete and one
        self.lingered: int = 0
        self.begun_at: float = 0.0  # first octet of the present request, or the accept for the first one
        self.begun_wall: float = 0.0
        self.is_paused: bool = False
        self.is_advancing: bool = False
        self.is_counted: bool = False

    def __repr__(self) -> str:
        return f"<ClientSide {self.client_host}:{self.client_port} n={self.request_count} {self.exchange!r}>"

    # --- the transport's calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        """A client was accepted."""
        self.transport = transport
        try:
            self._made(transport)
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(error)

    def _made(self, transport: asyncio.Transport) -> None:
        peer = transport.get_extra_info("peername")
        listener = self.listener
        if listener is not None:
            self.listening = listener.listening
        if isinstance(peer, tuple):  # a UNIX socket's has a text, and no address to tell
            self.client_host, self.client_port = peer[0], peer[1]
            known = None if listener is None else listener.address
            if known is not None:
                self.local_host, self.local_port = known
            else:
                local = transport.get_extra_info("sockname")  # of IPv6 it has four parts
                self.local_host, self.local_port = local[0], local[1]
        elif listener is not None:
            self.client_port = listener.number
        connection = transport.get_extra_info("socket")
        self.descriptor = -1 if connection is None else int(connection.fileno())
        # The buffer must be empty before an exchange counts as delivered: so the low mark is 0.
        transport.set_write_buffer_limits(high=65536, low=0)
        if self.gate.admit(self):
            self.admitted()
        else:
            self.state = WAITING
            self.pause_upload()

    def admitted(self) -> None:
        """The connection counts from now on."""
        self.state = IDLE
        self.idle_since = self.services.now()
        self._first_octet(self.idle_since)
        self.resume_upload()
        self._advance()  # what has come while it waited: uvloop reads on after a pause in `connection_made`

    def data_received(self, data: bytes) -> None:
        """Octets from the client."""
        try:
            self._received(data)
            if len(data) > PORTION_OCTETS and self.transport is not None:
                exchange = self.exchange
                if exchange is None or exchange.splices is None:
                    read_in_portions(self.transport, self, self.is_paused)
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(error)

    def _received(self, data: bytes) -> None:
        state = self.state
        if state == IDLE:
            if self.pending:
                self._gather(data)
            else:
                self.pending = data
                self._advance()
        elif state == BUSY:
            exchange = self.exchange
            assert exchange is not None
            start = 0
            if not exchange.upload.is_done:
                start = exchange.body_arrived(data, 0)
            if start < len(data) and self.state != LINGER:
                self._keep(data[start:] if start else data)
                if self.state == IDLE:
                    self._advance()  # its last octet has ended the exchange: no server for a form that was waited for
        elif state == TUNNEL:
            assert self.exchange is not None
            self.exchange.tunnel_from_client(data)
        elif state == LINGER:
            self.lingered += len(data)
            if self.lingered > LINGER_OCTETS_MAX:
                self._close()
        elif state == WAITING:
            self._keep(data)

    def eof_received(self) -> bool:
        """The client sends no more; it may still read."""
        try:
            return self._ended()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(error)
            return False

    def _ended(self) -> bool:
        self.has_ended = True
        state = self.state
        now = self.services.now()
        if state == BUSY or state == TUNNEL:
            assert self.exchange is not None
            self.exchange.client_ended(False, now)
            return self.state != CLOSED
        if state == IDLE:
            if self.pending or not self.request_count:
                self._refuse(400, phases.CLIENT_ABORT, now)
            else:
                self._close()
        elif state == LINGER:
            self._close()
        return self.state == LINGER or self.state == WAITING

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        try:
            self._lost()
        except Exception as failure:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(failure)

    def _lost(self) -> None:
        was = self.state
        self.is_gone = True
        self.transport = None
        now = self.services.now()
        exchange = self.exchange
        if exchange is not None:
            self.state = CLOSED
            exchange.client_ended(True, now)
            if self.exchange is not None:
                return  # it goes on without its client; `finish` or `abort` ends this side
        elif was == IDLE and not self.has_ended and (self.pending or not self.request_count):
            self._log_refusal(400, phases.CLIENT_ABORT, now)
        self._left()

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self.is_blocked = True
        self._tell_exchange()

    def resume_writing(self) -> None:
        """The write buffer is empty."""
        self.is_blocked = False
        self._tell_exchange()

    def _tell_exchange(self) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        try:
            if self.is_blocked:
                exchange.client_blocked()
            else:
                exchange.client_resumed()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(error)

    def on_deadline(self, now: float) -> None:
        """What was waited for did not come."""
        try:
            self._late(now)
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            self._crashed(error)

    def _late(self, now: float) -> None:
        state = self.state
        if self.exchange is not None:
            self.exchange.late(now)
        elif state == IDLE:
            if self.pending or not self.request_count:
                self._refuse(408, phases.CLIENT_TIMEOUT, now)
            else:
                self._close()
        else:
            self._close()

    # --- the exchange's calls ------------------------------------------------------------------------------------------

    def pause_upload(self) -> None:
        """Reads no more until `resume_upload`."""
        transport = self.transport
        if transport is not None and not self.is_paused and not transport.is_closing():
            self.is_paused = True
            transport.pause_reading()

    def resume_upload(self) -> None:
        """Reads on, unless too much waits for its turn."""
        if self.is_paused and len(self.pending) - self.begin <= self.services.limits.head_octets_max:
            transport = self.transport
            self.is_paused = False
            if transport is not None and not transport.is_closing():
                transport.resume_reading()

    def begin_tunnel(self) -> bytes:
        """Everything from now on is the tunnel's; returns what has come already."""
        self.state = TUNNEL
        waiting = self.pending[self.begin :]
        self._forget_pending()
        self.resume_upload()
        return waiting

    def finish(self, keeps: bool) -> None:
        """The exchange is over and its answer complete."""
        exchange = self.exchange
        self.exchange = None
        if self.is_gone:
            self._left()
            return
        if keeps and not self.services.is_stopping:
            self.state = IDLE
            self.begun_at = 0.0
            if self.pending:
                self.resume_upload()
                self._advance()
                return
            if self.has_ended:
                self._close()
                return
            limit = self.route.keep_alive_timeout_s
            self.services.wheel.set(self, self.services.now() + limit if limit else 0.0)
            self.resume_upload()
        elif exchange is not None and exchange.upload.is_done and not self.pending and not self.is_paused:
            self._close()
        else:
            self._linger()

    def abort(self) -> None:
        """Cuts the connection so that the client can tell a truncated answer from a whole one."""
        self.exchange = None
        transport = self.transport
        if self.is_gone or transport is None:
            self._left()
            return
        self.state = CLOSED
        self.services.wheel.forget(self)
        if self.is_held:
            self.push()
        reset_at_close(self.fileno())
        transport.abort()

    # --- the worker's calls --------------------------------------------------------------------------------------------

    def close_if_idle(self) -> None:
        """A soft stop: a connection between two requests has nothing to lose; a new one may have its first under way."""
        if self.state == IDLE and not self.pending and self.request_count:
            self._close()

    # --- heads ---------------------------------------------------------------------------------------------------------

    def _advance(self) -> None:
        """Starts one exchange after the other as long as heads are complete and answers come at once."""
        if self.is_advancing:
            return
        self.is_advancing = True
        try:
            while self.state == IDLE and self.pending and self._next_head():
                pass
        except Exception as error:  # noqa: BLE001 - an edge: the end of the exchange before may have led here
            self.is_advancing = False
            self._crashed(error)
        self.is_advancing = False

    def _next_head(self) -> bool:
        services = self.services
        data = self.pending
        begin = self.begin
        now = services.now()
        if self.begun_at == 0.0:
            self._first_octet(now)
        elif not self.request_count and not self.scanned:
            self._first_octet(now)
        start = skip_empty_lines(data, begin) if data[begin] == 13 else begin
        end = find_end(data, max(start, self.scanned - 3))
        limits = services.limits
        if end == INCOMPLETE:
            error = 400 if len(data) - start > limits.head_octets_max else self._line_error(data, start)
            if error:
                self._refuse(error, phases.PROXY, now)
                return False
            if begin:
                self.pending = data = data[begin:]
                self.begin = 0
            self.scanned = len(data)
            self.gathered = Gathered(data)
            self.resume_upload()
            return False
        if end == FORBIDDEN or end - start > limits.head_octets_max:
            # A whole start line is judged before what follows it, so that the status is the same however the octets come.
            self._refuse(self._line_error(data, start) or 400, phases.PROXY, now)
            return False
        head = RequestHead(data, start, end, limits.field_count_max)
        if head.error:
            self._refuse(head.error, phases.PROXY, now)
            return False
        self.scanned = 0
        self.is_line_seen = False
        self.request_count += 1
        exchange = Exchange(self, services, head, self.begun_at, self.begun_wall, now)
        self.exchange = exchange
        self.state = BUSY
        if end == len(data):
            self._forget_pending()
        elif exchange.upload.is_done:
            self.begin = end  # no slice: a flood of small requests in one read would be copied once for each
        else:
            self._forget_pending()
            taken = exchange.body_arrived(data, end)
            # Not `self.exchange is exchange`: the type checker, and so the compiled form, still takes that for an Exchange.
            if exchange.phase is phases.DONE:
                return True
            if taken < len(data):
                self.pending = data
                self.begin = taken
                self._pause_if_full()
        exchange.start(now)
        return True

    def _gather(self, data: bytes) -> None:
        """More of a head that has begun: joined when there is something to decide."""
        gathered = self.gathered
        assert gathered is not None
        is_due = gathered.add(data) or gathered.length > self.services.limits.head_octets_max + EMPTY_LINES_OCTETS_MAX
        if is_due or (not self.is_line_seen and b"\n" in data):
            self.pending = gathered.joined(self.pending)
            self.gathered = None
            self.scanned = len(self.pending) - len(data)
            self._advance()

    def _forget_pending(self) -> None:
        self.pending = b""
        self.begin = 0
        self.gathered = None

    def _first_octet(self, now: float) -> None:
        """A request begins: from here its log line counts, and its head has a total deadline."""
        self.begun_at = now
        self.begun_wall = now + self.services.wall_ahead_s
        limit = self.route.head_timeout_s
        self.services.wheel.set(self, now + limit if limit else 0.0)

    def _line_error(self, data: bytes, start: int) -> int:
        """The status that refuses a complete start line that is none, without waiting for the rest; 0 while it may be one."""
        if self.is_line_seen:
            return 0
        error = line_error(data, start)
        self.is_line_seen = error == 0
        return 0 if error == INCOMPLETE else error

    def _keep(self, data: bytes) -> None:
        """Keeps what came early; beyond one buffer the client has to wait."""
        if self.pending:
            data = self.pending[self.begin :] + data
        self.pending = data
        self.begin = 0
        self._pause_if_full()

    def _pause_if_full(self) -> None:
        if len(self.pending) - self.begin > self.services.limits.head_octets_max:
            self.pause_upload()

    # --- the ends ------------------------------------------------------------------------------------------------------

    def _refuse(self, status: int, cause: int, now: float) -> None:
        """Answers what never became a request, logs it, and closes."""
        self._log_refusal(status, cause, now)
        page = self.route.pages[status]
        if self.pending or not self.route.ignores_probes:
            self.send_head(page.closes + page.body)
        self._forget_pending()
        self._linger()

    def _log_refusal(self, status: int, cause: int, now: float) -> None:
        ledger.refused(self, self.services, self.pending[self.begin :], self.begun_at, self.begun_wall, status, cause, now)

    def _crashed(self, error: Exception) -> None:
        """A fault of ours ends this connection and no other; one line names it."""
        exchange = self.exchange
        if exchange is not None:
            exchange.crash(error)
            return
        self.services.complain(f"{self!r}: {error!r}")
        if self.state == IDLE and self.pending:
            try:
                self._refuse(500, phases.INTERNAL, self.services.now())
                return
            except Exception as second:  # noqa: BLE001 - an edge: one fault ends one connection
                self.services.complain(f"{self!r}: while ending it: {second!r}")
        self.abort()

    def _linger(self) -> None:
        transport = self.transport
        if transport is None:
            self._left()
            return
        if self.has_ended or transport.is_closing():
            self._close()
            return
        self.state = LINGER
        transport.write_eof()
        self.services.wheel.set(self, self.services.now() + LINGER_S)
        self.resume_upload()

    def _close(self) -> None:
        self.state = CLOSED
        self.services.wheel.forget(self)
        if self.transport is not None:
            if self.route.resets_at_close:
                say_goodbye(self.transport)
            self.transport.close()

    def _left(self) -> None:
        self.state = CLOSED
        self._forget_pending()
        self.services.wheel.forget(self)
        if self.private is not None:
            self.private.close()
            self.private = None
        if self.is_counted:
            self.gate.leave(self)
