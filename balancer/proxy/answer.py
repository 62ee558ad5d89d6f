"""The answer to one request, from the server's octets to the client's.

Interim answers pass as they are; the final head is written afresh from its kept lines, with the cookie and the connection's
own lines behind the server's. The body is re-framed only where it must be: chunks are always parsed and written afresh, a
length stays a length, and what a server ends by closing is ended by closing. A body that breaks off ends in an abort, never
in a clean end.
"""

from base64 import b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from balancer.backend import analysis
from balancer.backend.persistence import DELETED, INSERTED, NONE, PRESERVED, REWRITTEN, UPDATED
from balancer.http.framing import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE, Body
from balancer.http.gather import Gathered
from balancer.http.head import FORBIDDEN, INCOMPLETE, ResponseHead, find_end, list_elements, remove_lines
from balancer.proxy import phase as phases
from balancer.proxy.ledger import capture_answer, log_early
from balancer.proxy.splice import consider_answer
from balancer.proxy.writing import JOINED_OCTETS_MAX

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

# A server that sends more interim heads than this has lost its way.
INTERIM_COUNT_MAX: Final = 100
# As many octets of a head tell whether it may be one: those of `HTTP/1.`.
START_OCTETS: Final = 7
WEBSOCKET_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
CACHE_CONTROL_LINE: Final = b"cache-control: private\r\n"


class Answer:
    """See the module. Created when the request has been written to a connection."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.has_octets: bool = False  # something came from the server
        self.has_begun: bool = False  # a final head was read
        self.is_complete: bool = False  # the whole answer was handed to the client's side
        self.status: int = -1
        self.head: ResponseHead | None = None
        self.received_head: ResponseHead | None = None  # before a rule has changed it
        self.body: Body | None = None
        self.is_tunnel: bool = False
        self.is_mute: bool = False  # a body comes that the client has not asked for: it is read and forgotten
        self.pending: bytes = b""  # the first piece of a head that is not complete yet
        self.gathered: Gathered | None = None  # what came behind it
        self.interim_count: int = 0
        self.interim_octets: int = 0
        self.tunnel_octets: int = 0
        self.server_is_done: bool = False
        self.keeps_server: bool = False
        self.keeps_client: bool = False
        self.cookie_letter: int = NONE

    def logged_octets(self) -> int:
        """What HAProxy would log as bytes read (operations 2)."""
        octets = self.interim_octets + self.tunnel_octets
        if self.head is not None and self.has_begun:
            octets += self.head.log_octets()
            body = self.body
            if body is not None:
                octets += body.logged_octets()
        return octets

    def arrive(self, data: bytes, now: float) -> None:
        """Octets from the server."""
        if not self.has_octets:
            self.has_octets = True
            self.exchange.release_held()
        if self.is_tunnel:
            self.tunnel_octets += len(data)
            self.exchange.client.send_body([data])
            self.exchange.arm(now)
        elif self.body is not None:
            self._continue(data, now)
        else:
            self._read_head(data, now)

    def server_ended(self, was_orderly: bool, now: float) -> None:
        """The server sends no more; something had come from it."""
        exchange = self.exchange
        self.keeps_server = False
        body = self.body
        if self.is_tunnel:
            self._tunnel_lost_server(was_orderly, now)
        elif body is None:
            analysis.tell(exchange.target, analysis.CLOSED if was_orderly else analysis.READ_ERROR)
            exchange.finish(phases.SERVER_ABORT, now)
        elif was_orderly and body.end_of_stream():
            self.complete(now)
        elif not self.is_complete:
            exchange.finish(phases.SERVER_ABORT, now)

    def client_half_closed(self, now: float) -> None:
        """A tunnel's client sends no more."""
        if self.server_is_done:
            self._tunnel_over(now)
        else:
            self.exchange.arm(now)

    def delivered(self, now: float) -> None:
        """A side has got rid of all that it was to get: over, unless it is a tunnel whose other side has not."""
        if self.is_tunnel:
            self._tunnel_over(now)
        else:
            self.exchange.finish(phases.NORMAL, now)

    def _tunnel_lost_server(self, was_orderly: bool, now: float) -> None:
        exchange = self.exchange
        if self.server_is_done and exchange.client.has_ended:
            # It has left without reading the client's last words; its own still reach the client.
            self._leave_tunnel(now)
        elif not was_orderly:
            exchange.finish(phases.SERVER_ABORT, now)
        else:
            self.server_is_done = True
            if exchange.client.has_ended:
                self._tunnel_over(now)
            else:
                exchange.client.send_end()
                exchange.arm(now)

    def _tunnel_over(self, now: float) -> None:
        """Both have said their last words; it is over when these have left for the other side."""
        exchange = self.exchange
        self.is_complete = True
        is_client_rid = exchange.client.is_rid_of_all()
        is_server_rid = exchange.channel is None or exchange.channel.is_rid_of_all()
        if is_client_rid and is_server_rid:
            self._leave_tunnel(now)
        else:
            exchange.arm(now)

    def _leave_tunnel(self, now: float) -> None:
        channel = self.exchange.channel
        self.exchange.channel = None
        if channel is not None:
            channel.close()  # in order, not cut: the client's last words may be in the kernel yet
        self.exchange.finish(phases.NORMAL, now)

    def _read_head(self, data: bytes, now: float) -> None:
        exchange = self.exchange
        limits = exchange.services.limits
        begin = 0
        seen = 0
        gathered = self.gathered
        if gathered is not None:
            is_due = gathered.add(data) or gathered.length > limits.head_octets_max
            if not is_due and gathered.length - len(data) >= START_OCTETS:
                exchange.arm(now)
                return
            seen = gathered.length - len(data)
            data = gathered.joined(self.pending)
            self.gathered = None
        while True:
            end = find_end(data, max(begin, seen - 3))
            if end == INCOMPLETE:
                if len(data) - begin > limits.head_octets_max or (
                    len(data) - begin >= START_OCTETS and not data.startswith(b"HTTP/1.", begin)
                ):
                    self._refuse(data[begin:], now)
                else:
                    self.pending = data[begin:] if begin else data
                    self.gathered = Gathered(self.pending)
                    exchange.arm(now)
                return
            if end == FORBIDDEN or end - begin > limits.head_octets_max:
                self._refuse(data[begin:], now)
                return
            own, preserve = b"", False
            if exchange.backend is not None:
                persistence = exchange.backend.persistence
                if persistence is not None and (exchange.scene is None or not exchange.scene.ignores_cookie):
                    own, preserve = persistence.name, persistence.keeps_own
            head = ResponseHead(data, begin, end, limits.field_count_max, own, preserve)
            if head.error:
                self._refuse(data[begin:], now)
                return
            if head.status >= 200 or head.status == 101:
                self.pending = b""
                self.head = head
                exchange.answered_at = now
                analysis.tell(exchange.target, analysis.of_status(head.status))
                if exchange.phase is phases.DONE:
                    return  # that was one error too many, and the sessions of the server ended with it
                ruling = exchange.route.ruling
                if ruling is not None:
                    self.received_head = head
                    changed = ruling.answered(exchange, head, now)
                    if changed is None:
                        return
                    self.head = head = changed
                if head.status == 101:
                    self._switch(head, data[end:], now)
                else:
                    self._begin(head, data, end, now)
                return
            self.interim_count += 1
            if self.interim_count > INTERIM_COUNT_MAX:
                exchange.finish(phases.PROXY, now)
                return
            self._pass_interim(head)
            begin = end
            seen = 0

    def _refuse(self, octets: bytes, now: float) -> None:
        """What came is no head of an answer."""
        capture_answer(self.exchange, octets)
        analysis.tell(self.exchange.target, analysis.BAD_HEAD)
        self.exchange.finish(phases.PROXY, now)

    def _pass_interim(self, head: ResponseHead) -> None:
        exchange = self.exchange
        self.interim_octets += head.log_octets()
        if exchange.target is not None:
            exchange.target.counters.response(head.status)
        if exchange.head.minor == 1 and not exchange.client.is_gone:
            line = b"HTTP/1.1 %d %s\r\n" % (head.status, head.reason)
            exchange.client.send_head(line + b"".join(head.kept) + b"\r\n")

    def _begin(self, head: ResponseHead, data: bytes, end: int, now: float) -> None:
        exchange = self.exchange
        request = exchange.head
        status = head.status
        if request.method == b"HEAD" or status == 204 or status == 304:
            kind = NO_BODY
        elif head.is_chunked:
            kind = CHUNKED
        else:
            kind = LENGTH if head.content_length >= 0 else UNTIL_CLOSE
        has_changed_method = exchange.received_head is not None and exchange.asks_head() != (request.method == b"HEAD")
        self.is_mute = has_changed_method and kind != NO_BODY
        takes_chunks = kind == CHUNKED and request.minor == 1 and not self.is_mute
        body = Body(kind, head.content_length, takes_chunks)
        self.body = body
        self.status = status
        self.keeps_server = head.keeps_alive(request.method) and kind != UNTIL_CLOSE and not exchange.route.closes_server
        if head.is_connection_bound and exchange.channel is not None:
            exchange.channel.is_private = True
            exchange.channel.carries_identity = True
        is_delimited = kind == NO_BODY or kind == LENGTH or takes_chunks
        if has_changed_method:
            # `set-method`: a client that asked for a body gets none, and must not take the next answer for it.
            is_delimited = exchange.asks_head()
        # A refusal in the middle of an upload: the rest will not be waited for, and the client is told so.
        is_refusal = status >= 300 and not exchange.upload.is_done
        must_close = request.wants_close() or exchange.route.closes_client or exchange.services.is_stopping
        self.keeps_client = is_delimited and not is_refusal and not must_close
        if head.has_own_cookie:
            self._meet_own_cookie(head)
        parts: list[bytes] = []
        if head.minor == 1:
            parts.append(head.data[head.start : head.fields_begin])
        else:
            parts.append(b"HTTP/1.1 %d %s\r\n" % (status, head.reason))
        if status == 204:
            parts.append(remove_lines(b"".join(head.kept), [b"content-length"]))
        else:
            parts.extend(head.kept)
            if head.adds_length:
                parts.append(b"content-length: %d\r\n" % head.content_length)
        if takes_chunks:
            parts.append(b"transfer-encoding: chunked\r\n")
        self._stick(head, parts)
        if status == 426 and head.upgrade:
            parts.append(b"connection: upgrade\r\n")
        if not self.keeps_client:
            parts.append(b"connection: close\r\n")
        elif request.minor == 0:
            parts.append(b"connection: keep-alive\r\n")
        parts.append(b"\r\n")
        exchange.enter(phases.DATA)
        self.has_begun = True
        stop = end
        if not body.is_done:
            stop = body.feed(data, end)
            if self.is_mute:
                body.out = []
        if stop < len(data) and (body.is_done or body.is_bad):
            self.keeps_server = False
        client = exchange.client
        if client.is_gone:
            exchange.finish(phases.CLIENT_ABORT, now)
            return
        pieces = body.out
        if pieces:
            body.out = []
            if len(data) <= JOINED_OCTETS_MAX:
                parts.extend(pieces)
                client.send_head(b"".join(parts))
            else:
                client.send_body([b"".join(parts), *pieces])
        else:
            client.send_head(b"".join(parts))
        if exchange.route.logs_early:
            log_early(exchange, now)
        self._after_feed(body, now)

    def _continue(self, data: bytes, now: float) -> None:
        body = self.body
        assert body is not None
        end = body.feed(data, 0)
        if self.is_mute:
            body.out = []
        pieces = body.out
        if pieces:
            body.out = []
            if body.is_done or body.kind != CHUNKED or not self.exchange.route.merges_parts:
                self.exchange.client.send_body(pieces)
            else:
                self.exchange.client.send_part(pieces[0] if len(pieces) == 1 else b"".join(pieces), now)
        if end < len(data):
            self.keeps_server = False
        self._after_feed(body, now)

    def _after_feed(self, body: Body, now: float) -> None:
        if body.is_bad:
            self.exchange.finish(phases.PROXY, now)
        elif body.is_done:
            self.complete(now)
        else:
            self.exchange.arm(now)
            is_long = body.left >= self.exchange.services.spliced_octets_min or body.kind == UNTIL_CLOSE
            if is_long and not self.is_mute:
                consider_answer(self.exchange, body)

    def complete(self, now: float) -> None:
        """All of it is on the client's side; it is over when the client's side has got rid of it."""
        if self.is_complete:
            return
        self.is_complete = True
        body = self.body
        if body is not None and body.out:
            pieces = body.out
            body.out = []
            self.exchange.client.send_body(pieces)
        if self.exchange.client.is_blocked:
            self.exchange.arm(now)
        else:
            self.exchange.finish(phases.NORMAL, now)

    def _meet_own_cookie(self, head: ResponseHead) -> None:
        """The server itself sets the cookie: it passes, it goes, or the server's value is written into it."""
        exchange = self.exchange
        server = exchange.target
        if exchange.backend is None or exchange.backend.persistence is None or server is None:
            return
        persistence = exchange.backend.persistence
        self.cookie_letter = PRESERVED
        if persistence.preserve:
            return
        if persistence.inserts or (persistence.is_indirect and exchange.bound_to is server):
            self.cookie_letter = DELETED
            head.drop_own_cookie()
        elif persistence.rewrites and server.cookie is not None:
            self.cookie_letter = REWRITTEN
            head.rewrite_own_cookie(server.cookie, persistence.is_prefix)

    def _stick(self, head: ResponseHead, parts: list[bytes]) -> None:
        """Adds the cookie, and with it `cache-control: private` unless the server itself forbids storing."""
        exchange = self.exchange
        backend = exchange.backend
        if backend is None or exchange.target is None or exchange.is_local or exchange.target is backend.dispatch:
            return
        persistence = backend.persistence
        if persistence is None or (exchange.scene is not None and exchange.scene.ignores_cookie):
            return
        if head.has_own_cookie and persistence.preserve:
            return
        bound = exchange.bound_to
        wall_s = exchange.begun_wall + exchange.answered_at - exchange.begun_at
        line = persistence.insertion(exchange.target, exchange.head.method, bound, exchange.cookie_dates, wall_s)
        if line:
            self.cookie_letter = UPDATED if bound is exchange.target else INSERTED
            parts.append(line)
            if persistence.nocache and not head.forbids_storing():
                parts.append(CACHE_CONTROL_LINE)

    def _switch(self, head: ResponseHead, rest: bytes, now: float) -> None:
        """101: only where an Upgrade was passed on, and for a WebSocket only with the right proof."""
        exchange = self.exchange
        request = exchange.head
        if not request.upgrade or not head.upgrade or not exchange.upload.is_done or not self._is_proved(head):
            exchange.finish(phases.PROXY, now)
            return
        if head.has_own_cookie:
            self._meet_own_cookie(head)
        parts = [b"HTTP/1.1 101 %s\r\n" % head.reason]
        parts.append(remove_lines(b"".join(head.kept), [b"content-length"]))
        self._stick(head, parts)
        parts.append(b"connection: Upgrade\r\n\r\n")
        self.status = 101
        self.has_begun = True
        client = exchange.client
        if client.is_gone:
            exchange.enter(phases.DATA)
            exchange.finish(phases.CLIENT_ABORT, now)
            return
        exchange.enter(phases.TUNNEL)
        self.is_tunnel = True
        client.send_head(b"".join(parts))
        if exchange.route.logs_early:
            log_early(exchange, now)
        waiting = client.begin_tunnel()
        if waiting:
            exchange.tunnel_from_client(waiting)
        if rest:
            self.tunnel_octets += len(rest)
            client.send_body([rest])
        if client.has_ended:
            exchange.client_ended(False, now)
        exchange.arm(now)

    def _is_proved(self, head: ResponseHead) -> bool:
        request = self.exchange.head
        if b"websocket" not in list_elements(request.upgrade):
            return True
        proof = b64encode(sha1(request.websocket_key + WEBSOCKET_GUID, usedforsecurity=False).digest())
        return head.websocket_accept == proof
