"""One request and its answer, from the complete head to the log line.

An exchange is in exactly one phase; `enter` is the only move and `finish` the only end, after which nothing reaches it any
more. It holds at most one server's slot and at most one server connection, and gives both back exactly once. Nothing that a
server may have seen is sent again (`retry.may_repeat` is the one exception, and says why it is none).
"""

from typing import Final

from balancer.backend import analysis
from balancer.backend.backend import ASSIGNED, NO_ROOM, NO_SERVER, QUEUED, Backend
from balancer.backend.persistence import DOWN, VALID
from balancer.backend.server import Server
from balancer.http.errors import ErrorPage
from balancer.http.head import RequestHead
from balancer.proxy import ledger, patience, retry
from balancer.proxy import phase as phases
from balancer.proxy.answer import Answer
from balancer.proxy.channels import ClientChannel, Connecting, ServerChannel
from balancer.proxy.pages import own_page, send_page
from balancer.proxy.phase import Phase
from balancer.proxy.route import REUSE_NEVER, Route
from balancer.proxy.ruling import serves_for_backend, serves_itself
from balancer.proxy.services import Services
from balancer.proxy.splice import Splices, consider_upload
from balancer.proxy.visitor import Visitor

CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
NOWHERE: Final = ("", 0)


class Exchange(Visitor):
    """See the module."""

    def __init__(
        self, client: ClientChannel, services: Services, head: RequestHead, begun_at: float, begun_wall: float, now: float
    ) -> None:
        super().__init__(client, head)
        services.serial += 1
        self.serial = services.serial
        self.services = services
        self.route: Route = client.route
        self.phase: Phase = phases.REQUEST
        self.backend: Backend | None = None  # from `start` on
        self.channel: ServerChannel | None = None
        self.connecting: Connecting | None = None
        self.target: Server | None = None  # whom it talks to; unlike `server` it outlives the slot
        self.failures: int = 0
        self.is_pausing: bool = False
        self.is_repeated: bool = False
        self.awaits_body: bool = False  # `option http-buffer-request`, or the algorithm may find its key in it
        self.is_monitored: bool = False  # asked for `monitor-uri`: answered here, and not logged
        self.is_local: bool = False  # a service inside the process answers
        self.written_before: int = 0
        self.answer: Answer | None = None
        self.source: tuple[str, int] = NOWHERE  # from where its server was connected to, where a log wants that
        self.splices: Splices | None = None
        # loop.time() at each step; -1.0 where it was not reached.
        self.begun_at = begun_at
        self.begun_wall = begun_wall
        self.read_at = now
        self.assigned_at: float = -1.0
        self.connected_at: float = -1.0
        self.answered_at: float = -1.0

    def __repr__(self) -> str:
        where = "" if self.target is None else f" {self.target.backend_name}/{self.target.name}"
        line = self.head.request_line()[:80].decode("latin-1")
        return f"<Exchange {self.serial:x} {line} {self.phase!r}{where} try={self.failures + 1}>"

    # --- from the head to a server -----------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """Finds the backend and the first server."""
        counters = self.route.frontend.counters
        counters.requests_total += 1
        counters.request_rate.tick(now)
        self.services.farm.requests_total += 1
        self.head.expects_continue = self.head.expects_continue and self.head.minor == 1
        if self.route.monitor_uri and self.head.target == self.route.monitor_uri:
            counters.intercepted += 1
            self.is_monitored = True
            if self.route.ruling is not None and self.route.ruling.is_failing(self):
                self.reply = self.route.pages[503]
            self.finish(phases.LOCAL, now)
            return
        if serves_itself(self, now):
            return
        backend = self.route.backend
        if backend is None or backend.is_disabled:
            ledger.identify(self, now)
            self.enter(phases.QUEUE)
            self.finish(phases.SERVER_ABORT, now)
            return
        self.backend = backend
        backend.counters.session_begins(now)
        backend.counters.requests_total += 1
        if serves_for_backend(self, backend, now):
            return
        if self.route.identity is not None:
            ledger.identify(self, now)
        if self.route.ruling is not None:
            self.route.ruling.bind(self, backend)
        else:
            self.read_cookie(backend, self.begun_wall)
        if self.client.private is not None:
            self.remember_server(self.client.private, backend)
        held_max = self.services.limits.held_octets_max
        if (self.route.buffers_requests and self.has_more_body(held_max)) or (
            backend.algorithm.reads_forms and self.needs_form(backend.algorithm, held_max)
        ):
            self._await_body(now)
        else:
            self._assign(now)

    def serve_locally(self, service: Server, now: float) -> None:
        """A service inside the process answers."""
        self.is_local = True
        self.target = service
        self.assigned_at = now
        self._connect(now)

    def enter(self, to: Phase) -> None:
        """Moves to the next phase."""
        assert to.follows & self.phase.bit, (self, to)
        self.phase = to

    def _await_body(self, now: float) -> None:
        self.awaits_body = True
        if self.head.expects_continue:
            self.client.send_head(CONTINUE)
        self._wait(self.route.head_timeout_s, now)

    def _assign(self, now: float) -> None:
        backend = self.backend
        assert backend is not None
        outcome = backend.assign(self, now)
        if outcome == ASSIGNED:
            self._assigned(now)
        elif outcome == QUEUED:
            self.enter(phases.QUEUE)
            self._wait(backend.config.queue_timeout_s or backend.config.connect_timeout_s, now)
        else:
            assert outcome in (NO_SERVER, NO_ROOM)
            self.enter(phases.QUEUE)
            self._not_served(phases.SERVER_ABORT, now)

    def _not_served(self, cause: int, now: float) -> None:
        """No slot: whoever was to give one has failed the request, and so has the backend."""
        assert self.backend is not None
        self.backend.counters.connect_errors += 1
        if self.waits_for is not None:
            self.waits_for.counters.connect_errors += 1
        self.finish(cause, now)

    def slot_offered(self, server: Server) -> None:
        """A queue has given this request its turn; whoever gave the slot goes on, whatever comes of it."""
        try:
            self._assigned(self.services.now())
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one exchange
            self.crash(error)

    def moved(self, now: float) -> None:
        """The server that it waited for went down: the others are asked."""
        self.bound_to = None
        if self.cookie_letter == VALID:
            self.cookie_letter = DOWN
        try:
            self._assign(now)
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one exchange
            self.crash(error)

    def _assigned(self, now: float) -> None:
        server = self.server
        assert server is not None
        self.assigned_at = now
        previous = self.target
        if previous is not None and self.failures:
            ledger.count_retry(self, previous, server)
        self.target = server
        self._connect(now)

    def _connect(self, now: float) -> None:
        server = self.target
        assert server is not None
        self.enter(phases.CONNECT)
        self.is_pausing = False
        own = self.client.private
        if own is not None:
            self.client.private = None
            if own.server is server and own.is_fresh():
                self.connected(own)
                return
            own.close()
        kept = self.route.kept_connection(server, self.client.request_count)
        if kept is not None:
            assert isinstance(kept, ServerChannel)
            server.counters.reuses += 1
            self.connected(kept)
            return
        self._wait(5.0 if self.backend is None else self.backend.config.connect_timeout_s, now)
        server.counters.connections_total += 1
        self.connecting = self.services.connect(self, server)

    def connected(self, channel: ServerChannel) -> None:
        """The connection stands: the request goes out."""
        now = self.services.now()
        self.connecting = None
        self.channel = channel
        if self.connected_at < 0.0:
            self.connected_at = now
        analysis.tell(self.target, analysis.CONNECTED)
        self.enter(phases.HEADERS)
        self.written_before = channel.written_octets
        channel.use_count += 1
        if self.route.reuse == REUSE_NEVER:
            channel.is_private = True
        channel.begin(self)
        client = self.client
        if patience.has_left(self):
            self.finish(phases.CLIENT_ABORT, now)  # nothing has gone out: the server is spared what nobody waits for
            return
        cut = b"" if self.backend is None else self.backend.hidden_cookie()
        fallback = b"" if self.head.has_host else f"{client.local_host}:{client.local_port}".encode()
        added = self.route.added_lines(client.client_host, client.local_host, self.head, self.unique_id)
        if self.route.tells_source:
            self.source = channel.source()
        channel.send([self.head.forwarded(fallback, cut, added), *self.held])
        if channel.use_count == 1:
            self.release_held()
        self.answer = Answer(self)
        client.resume_upload()
        self.arm(now)
        if self.upload.left >= self.services.spliced_octets_min:
            consider_upload(self)

    def connect_failed(self, was_timeout: bool, is_resource: bool) -> None:
        """An attempt has ended without a connection."""
        now = self.services.now()
        self.connecting = None
        if is_resource:
            self.services.shed_idle()
        if self.backend is None or self.is_local:
            self.finish(phases.RESOURCE if is_resource else phases.SERVER_ABORT, now)
            return
        self.failures += 1
        analysis.tell(self.target, analysis.NOT_CONNECTED)
        if self.phase is phases.DONE:
            return  # that was one error too many, and the sessions of the server ended with it
        config = self.backend.config
        is_bound = self.bound_to is not None and self.bound_to is self.target
        decision = retry.after_failure(
            0 if self.target is self.backend.dispatch else config.redispatch_interval,
            config.retries,
            self.failures,
            is_bound,
            self.backend.algorithm.takes_turns,
            self.backend.active_count(),
            was_timeout,
        )
        if decision == retry.GIVE_UP:
            self.failures -= 1
            assert self.target is not None
            self.target.counters.connect_errors += 1
            self.backend.counters.connect_errors += 1
            cause = phases.SERVER_TIMEOUT if was_timeout else phases.RESOURCE if is_resource else phases.SERVER_ABORT
            self.finish(cause, now)
            return
        if decision in (retry.OTHER_AT_ONCE, retry.OTHER_AFTER_PAUSE):
            # From here on no cookie binds it any more: a second failure must not bring it back to the first server.
            self.avoid = self.target
            self.bound_to = None
            self.backend.release(self, now)
        if decision in (retry.SAME_AFTER_PAUSE, retry.OTHER_AFTER_PAUSE):
            self.is_pausing = True
            self.services.wheel.set(self.client, now + retry.pause_s(config.connect_timeout_s))
        else:
            self._try_again(now)

    def _try_again(self, now: float) -> None:
        if self.server is None:
            self._assign(now)
            return
        assert self.backend is not None
        counters = self.server.counters
        counters.retries += 1
        counters.sessions_total += 1  # HAProxy counts each attempt as a session of the server
        self.backend.counters.retries += 1
        self._connect(now)

    # --- the request's body ------------------------------------------------------------------------------------------

    def body_arrived(self, data: bytes, start: int) -> int:
        """Takes request octets from data[start:]; returns how far they belong to this request."""
        upload = self.upload
        end = upload.feed(data, start)
        pieces = upload.out
        if pieces:
            upload.out = []
            channel = self.channel
            if channel is not None:
                channel.send(pieces)
                if channel.use_count > 1 and self.is_held_whole:
                    self.hold(pieces, self.services.limits.held_octets_max)
            else:
                self.hold(pieces, 0)
                if self.held_octets > self.services.limits.held_octets_max:
                    self.client.pause_upload()
        if upload.is_bad:
            self.finish(phases.PROXY, self.services.now())
        elif self.channel is not None:
            self.arm(self.services.now())
        elif self.awaits_body and not self.has_more_body(self.services.limits.held_octets_max):
            self.awaits_body = False
            self._assign(self.services.now())
        return end

    # --- time --------------------------------------------------------------------------------------------------------

    def arm(self, now: float) -> None:
        """Sets the deadline for what this exchange waits for now."""
        self._wait(patience.timeout_s(self), now)

    def _wait(self, limit_s: float, now: float) -> None:
        self.services.wheel.set(self.client, now + limit_s if limit_s else 0.0)

    def late(self, now: float) -> None:
        """The deadline has passed."""
        phase = self.phase
        if phase is phases.TARPIT:
            self.finish(phases.PROXY, now)
        elif phase is phases.CONNECT:
            if patience.has_left(self):
                self.finish(phases.CLIENT_ABORT, now)
            elif self.is_pausing:
                self.is_pausing = False
                self._try_again(now)
            else:
                if self.connecting is not None:
                    self.connecting.cancel()
                self.connect_failed(True, False)
        elif phase is phases.QUEUE:
            self._not_served(phases.SERVER_TIMEOUT, now)
        elif patience.waits_for_client(self):
            self.finish(phases.CLIENT_TIMEOUT, now)
        else:
            if phase is phases.HEADERS:
                analysis.tell(self.target, analysis.READ_TIMEOUT)
            self.finish(phases.SERVER_TIMEOUT, now)

    # --- what the two sides report -----------------------------------------------------------------------------------

    def client_blocked(self) -> None:
        """The client reads slower than the server sends: the server waits."""
        if self.channel is not None:
            self.channel.pause_reading()
            self.arm(self.services.now())

    def client_resumed(self) -> None:
        """The client has read what was sent."""
        answer = self.answer
        if answer is not None and answer.is_complete:
            answer.delivered(self.services.now())
        elif self.channel is not None and not (self.splices is not None and self.splices.holds_answer()):
            self.channel.resume_reading()
            self.arm(self.services.now())

    def server_blocked(self) -> None:
        """The server reads slower than the client sends: the client waits."""
        self.client.pause_upload()
        self.arm(self.services.now())

    def server_resumed(self) -> None:
        """The server has read what was sent."""
        if self.phase is phases.TUNNEL and self.answer is not None and self.answer.is_complete:
            self.answer.delivered(self.services.now())
            return
        if self.splices is not None and self.splices.holds_upload():
            return
        self.client.resume_upload()
        self.arm(self.services.now())

    def tunnel_from_client(self, data: bytes) -> None:
        """Octets of a tunnel's client."""
        self.upload.data_octets += len(data)
        if self.channel is not None:
            self.channel.send([data])
            self.arm(self.services.now())

    def client_ended(self, is_reset: bool, now: float) -> None:
        """The client sends no more (`client.has_ended`), or is gone altogether (`client.is_gone`)."""
        phase = self.phase
        if phase is phases.TUNNEL:
            if is_reset:
                self.finish(phases.CLIENT_ABORT, now)
            elif self.channel is not None:
                self.channel.send_end()
                assert self.answer is not None
                self.answer.client_half_closed(now)
        elif not self.upload.is_done or (phase is phases.DATA and is_reset):
            self.finish(phases.CLIENT_ABORT, now)
        elif phase is not phases.DATA and self.backend is not None and self.backend.config.abortonclose:
            if is_reset or self.connecting is None:
                self.finish(phases.CLIENT_ABORT, now)
            else:
                self.services.wheel.set(self.client, patience.last_moment(now))

    def server_ended(self, was_orderly: bool, now: float) -> None:
        """The server closed or reset the connection of this exchange."""
        channel = self.channel
        answer = self.answer
        assert channel is not None and answer is not None
        if answer.has_octets:
            answer.server_ended(was_orderly, now)
            return
        if not self.is_repeated and retry.may_repeat(
            channel.use_count > 1, was_orderly, channel.acked_octets(), self.written_before, self.is_held_whole
        ):
            self.is_repeated = True
            self.channel = None
            channel.abort()
            self.enter(phases.CONNECT)
            assert self.target is not None
            self.target.counters.retries += 1
            self._wait(0.0 if self.backend is None else self.backend.config.connect_timeout_s, now)
            self.connecting = self.services.connect(self, self.target)
            return
        analysis.tell(self.target, analysis.CLOSED if was_orderly else analysis.READ_ERROR)
        self.finish(phases.SERVER_ABORT, now)

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self, cause: int, now: float) -> None:
        """Ends the exchange for `cause` in the phase in which it is: answer or abort, counters, log line."""
        phase = self.phase
        if phase is phases.DONE:
            return
        self.enter(phases.DONE)
        answer = self.answer
        is_whole = cause == phases.NORMAL and answer is not None
        if self.connecting is not None:
            self.connecting.cancel()
            self.connecting = None
        if self.waits_in is not None and self.backend is not None:
            self.backend.leave_queue(self)
            if self.assigned_at < 0.0:
                self.assigned_at = now
        if self.splices is not None:
            self.splices.stop()
            self.splices = None
        status = -1 if answer is None else answer.status
        page: ErrorPage | None = None
        try:
            if self.channel is not None:
                may_keep = is_whole and answer is not None and answer.keeps_server and self.upload.is_done
                self.channel.end(may_keep and not self.services.is_stopping, now)
                self.channel = None  # only now: a channel that fails to end is cut by `crash`
        finally:
            had_slot = self.server is not None
            if self.server is not None and self.backend is not None:
                self.backend.release(self, now)
            if self.backend is not None:
                self.backend.counters.session_ends()
            if not is_whole and (answer is None or not answer.has_begun):
                status = ledger.own_status(self, cause, phase)
                page = own_page(self, status)
                status = status if page is None else page.status
            octets = ledger.answered_octets(self, page)
            ledger.count(self, cause, phase, status, octets, had_slot, now)
            ledger.log(self, cause, phase, status, octets, now)
        # The two refer to each other: parted here, both are freed at once and the collector finds nothing to do
        # (8 % of the process's time otherwise).
        self.answer = None
        if self.scene is not None:
            self.scene.leave()
        if page is not None and not self.is_cut:
            send_page(self, page)
        elif is_whole and answer is not None:
            self.client.finish(answer.keeps_client and self.upload.is_done)
        else:
            self.client.abort()

    def crash(self, error: Exception) -> None:
        """A fault of ours: this exchange ends with 500 or an abort, all others go on, one line names it."""
        self.services.complain(f"{self!r}: {error!r}")
        self.head.says_close = True  # what came behind its last octet may be lost with the fault: no other request is read here
        was_ending = self.phase is phases.DONE
        try:
            self.finish(phases.INTERNAL, self.services.now())
        except Exception as second:  # noqa: BLE001 - an edge: one fault ends one connection
            self.services.complain(f"{self!r}: while ending it: {second!r}")
            was_ending = True
        if was_ending:
            self.answer = None
            if self.channel is not None:
                self.channel.abort()
                self.channel = None
            self.client.abort()
