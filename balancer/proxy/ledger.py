"""What a finished exchange, or a request that was refused before it was one, leaves behind: counters and one log line."""

from typing import TYPE_CHECKING, Final

from balancer.backend.counters import Counters
from balancer.backend.persistence import DOWN, NO_LETTER, NONE, VALID
from balancer.backend.server import Server
from balancer.http.errors import ErrorPage
from balancer.model import ERR
from balancer.proxy import phase as phases
from balancer.proxy.captured import request_fields, response_fields, sent_cookie, set_cookie
from balancer.proxy.phase import Phase
from balancer.proxy.record import AccessLog, Detail, Record

if TYPE_CHECKING:
    from balancer.proxy.channels import ClientChannel
    from balancer.proxy.exchange import Exchange
    from balancer.proxy.scene import Scene
    from balancer.proxy.services import Services

DASH: Final = 45
# How the log names a client without an address; its port is the number of the listener.
UNIX: Final = "unix"
FORBIDDEN: Final = 403
IDENTITY_OCTETS_MAX: Final = 127  # HAProxy cuts a longer one


def timers_ms(exchange: "Exchange") -> tuple[int, int, int]:
    """Tw, Tc, Tr in milliseconds, -1 where the phase was not reached."""
    if exchange.assigned_at < 0.0:
        return -1, -1, -1
    queue_ms = int((exchange.assigned_at - exchange.read_at) * 1000.0 + 0.5)
    if exchange.connected_at < 0.0:
        return queue_ms, -1, -1
    connect_ms = int((exchange.connected_at - exchange.assigned_at) * 1000.0 + 0.5)
    if exchange.answered_at < 0.0 or exchange.reply is not None:
        return queue_ms, connect_ms, -1
    return queue_ms, connect_ms, int((exchange.answered_at - exchange.connected_at) * 1000.0 + 0.5)


def is_shut_down(cause: int) -> bool:
    """Whether an operator's will or the server's state ended the request: neither side did, nor any timeout."""
    return cause == phases.KILLED or cause == phases.SERVER_DOWN or cause == phases.SERVER_UP


def count_retry(exchange: "Exchange", previous: Server, server: Server) -> None:
    """A failed attempt is followed by one at the same or another server."""
    backend = exchange.backend
    assert backend is not None
    if previous is not server:
        exchange.is_redispatched = True
        previous.counters.redispatches += 1
        backend.counters.redispatches += 1
        if exchange.cookie_letter == VALID:
            exchange.cookie_letter = DOWN
    else:
        previous.counters.retries += 1
        backend.counters.retries += 1


def answered_octets(exchange: "Exchange", page: ErrorPage | None) -> int:
    """What HAProxy would log as bytes read; a refused answer's head counts beside the page that stands in its place."""
    answer = exchange.answer
    if page is None:
        return 0 if answer is None else answer.logged_octets()
    octets = page.logged_octets
    if octets and exchange.asks_head():
        octets -= len(page.body)
    if exchange.reply is not None and answer is not None and answer.head is not None:
        octets += answer.head.log_octets()
    return octets


def own_status(exchange: "Exchange", cause: int, phase: Phase) -> int:
    """The status of the page that is due where no answer has begun, -1 for none."""
    if exchange.reply is not None:
        return exchange.reply.status
    if exchange.is_monitored:
        return 200
    if not exchange.upload.is_done and (cause == phases.CLIENT_ABORT or is_shut_down(cause)):
        return -1  # nothing is told to a client that breaks off its own body, or that is cut while it sends
    if cause == phases.CLIENT_ABORT and phase is phases.HEADERS and exchange.client.is_gone:
        return -1
    return 400 if exchange.upload.is_bad else phases.status_for(cause, phase)


def count_so_far(exchange: "Exchange") -> None:
    """Adds what octets have gone each way since the last time (`option contstats`)."""
    answer = exchange.answer
    received = exchange.head.log_octets() + exchange.upload.logged_octets() - exchange.counted_in
    sent = (answer.logged_octets() if answer is not None else 0) - exchange.counted_out
    if exchange.backend is None or exchange.server is None:
        return  # all three or none: what is counted here is not counted at the end
    exchange.counted_in += received
    exchange.counted_out += sent
    exchange.services.farm.bytes_out += sent
    for counters in (exchange.route.frontend.counters, exchange.backend.counters, exchange.server.counters):
        counters.bytes_in += received
        counters.bytes_out += sent
    listening = exchange.client.listening
    if listening is not None:
        listening.counters.bytes_in += received
        listening.counters.bytes_out += sent


def count(exchange: "Exchange", cause: int, phase: Phase, status: int, octets: int, had_slot: bool, now: float) -> None:
    """Raises the counters of frontend, backend and server."""
    upload = exchange.upload
    received = exchange.head.log_octets() + upload.logged_octets() - exchange.counted_in
    octets -= exchange.counted_out
    answer = exchange.answer
    is_from_server = answer is not None and answer.has_begun
    total_ms = int((now - exchange.begun_at) * 1000.0 + 0.5)
    frontend = exchange.route.frontend.counters
    target = exchange.target
    # Chunks that broke the grammar are the client's fault, whatever was waited for then.
    is_bad_request = (
        exchange.reply is None
        and cause == phases.PROXY
        and (upload.is_bad or (phase is not phases.HEADERS and phase is not phases.DATA))
    )
    counted: list[Counters] = [frontend]
    if (exchange.is_local or exchange.backend is None) and exchange.route.twin is not None:
        # The other half of a listen section counts the octets of what never was a request of its own.
        twin = exchange.route.twin.counters
        twin.bytes_in += received
        twin.bytes_out += octets
    if exchange.backend is not None:
        counted.append(exchange.backend.counters)
        if had_slot and target is not None:
            counted.append(target.counters)
    exchange.services.farm.bytes_out += octets
    queue_ms, connect_ms, response_ms = timers_ms(exchange)
    for counters in counted:
        counters.bytes_in += received
        counters.bytes_out += octets
        if is_from_server or target is None or counters is not target.counters:
            counters.response(status)
        elif answer is not None and answer.head is not None and exchange.was_denied:
            counters.response(answer.head.status)  # the server did answer, though a rule keeps that back
        if counters is not frontend:
            if cause == phases.NORMAL:
                counters.times(queue_ms, connect_ms, response_ms, total_ms)
            elif cause in (phases.CLIENT_ABORT, phases.CLIENT_TIMEOUT):
                counters.client_aborts += 1
            elif cause in (phases.SERVER_ABORT, phases.SERVER_TIMEOUT, phases.PROXY) and not is_bad_request:
                if phase is phases.DATA or phase is phases.TUNNEL:
                    counters.server_aborts += 1
                    if cause == phases.SERVER_ABORT:
                        counters.response_errors += 1
                elif phase is phases.HEADERS and not exchange.was_denied:
                    counters.response_errors += 1
    listening = exchange.client.listening
    if listening is not None:
        listening.counters.bytes_in += received
        listening.counters.bytes_out += octets
    is_broken_off = cause in (phases.CLIENT_ABORT, phases.CLIENT_TIMEOUT) and not exchange.upload.is_done
    if is_bad_request or is_broken_off:
        frontend.request_errors += 1
        if listening is not None:
            listening.counters.request_errors += 1


def refused(
    client: "ClientChannel",
    services: "Services",
    octets: bytes,
    begun_at: float,
    begun_wall: float,
    status: int,
    cause: int,
    now: float,
) -> None:
    """Counts what never became a request, as one that failed, and logs it; `octets` are all that came of it."""
    route = client.route
    if not octets and route.ignores_probes:
        return
    frontend = route.frontend
    counters = frontend.counters
    farm = services.farm
    services.serial += 1
    counters.response(status)
    counters.request_errors += 1
    if client.listening is not None:
        client.listening.counters.request_errors += 1
    counters.requests_total += 1
    counters.request_rate.tick(now)
    if cause == phases.PROXY:
        frontend.bad_request = farm.capture(octets, client.client_host, client.client_port)
    sink = route.access_log
    if sink is None or (not octets and route.dontlognull):
        return
    record = Record()
    if route.raises_errors:
        record.severity = ERR
    record.client_host = client.client_host or UNIX
    record.client_port = client.client_port
    record.bind_host = client.local_host
    record.bind_port = client.local_port
    record.accepted_at = begun_wall
    record.frontend_name = frontend.name
    record.backend_name = frontend.name
    record.ta_ms = int((now - begun_at) * 1000.0 + 0.5) if begun_at else 0
    record.status = status
    record.bytes_read = 0
    record.cause = cause
    record.phase = phases.REQUEST.letter
    record.act = farm.connections_cur
    record.fe = counters.sessions_cur
    if sink.wants_detail:
        detail = Detail()
        detail.number = services.serial - 1
        detail.has_plus = frontend.config.log_words.has_plus
        if begun_at and client.idle_since:
            detail.waited_ms = int((begun_at - client.idle_since) * 1000.0 + 0.5)
        record.detail = detail
    sink.write(record)


def capture_answer(exchange: "Exchange", octets: bytes) -> None:
    """Keeps an answer that was none for whoever asks what a server sends."""
    backend, server = exchange.backend, exchange.target
    if backend is None or server is None:
        return
    client, frontend = exchange.client, exchange.route.frontend
    capture = exchange.services.farm.capture(octets, client.client_host, client.client_port)
    capture.frontend_name, capture.frontend_number = frontend.name, frontend.number
    capture.server_name, capture.server_number = server.name, server.number
    backend.bad_answer = capture


def log(exchange: "Exchange", cause: int, phase: Phase, status: int, octets: int, now: float) -> None:
    """Writes the line where the frontend has a log."""
    sink = exchange.route.access_log
    if sink is None:
        return
    if not exchange.is_monitored and not exchange.is_told and not (exchange.scene is not None and exchange.scene.is_silent):
        _write(exchange, sink, cause, phase, status, octets, now)
    if sink.wants_detail:
        exchange.client.idle_since = now


def log_early(exchange: "Exchange", now: float) -> None:
    """The answer's head has left: writes the line now, and never again; what is left out now may still end badly."""
    sink = exchange.route.access_log
    answer = exchange.answer
    if sink is None or answer is None or (exchange.scene is not None and exchange.scene.is_silent):
        return
    phase, octets = exchange.phase, answer.logged_octets()
    exchange.is_told = _write(exchange, sink, phases.NORMAL, phase, answer.status, octets, exchange.answered_at)


def _write(exchange: "Exchange", sink: AccessLog, cause: int, phase: Phase, status: int, octets: int, now: float) -> bool:
    """Whether there was a line to be written."""
    route = exchange.route
    is_fine = cause == phases.NORMAL or cause == phases.LOCAL
    is_normal = is_fine and status < 500 and not exchange.failures and not exchange.is_redispatched
    if is_normal and route.skips_normal:
        return False
    record = record_of(exchange, cause, phase, status, octets, now)
    if route.raises_errors and not is_normal:
        record.severity = ERR
    if exchange.scene is not None and exchange.scene.severity >= 0:
        record.severity = exchange.scene.severity
    if sink.wants_detail:
        detail_of(exchange, record, phase)
    sink.write(record)
    return True


def record_of(exchange: "Exchange", cause: int, phase: Phase, status: int, octets: int, now: float) -> Record:
    """What there is to tell of an exchange."""
    client = exchange.client
    frontend = exchange.route.frontend
    farm = exchange.services.farm
    record = Record()
    if exchange.scene is None:  # whose `set-src` holds for one request
        if not client.log_name:
            client.log_name = b"%s:%d [" % ((client.client_host or UNIX).encode(), client.client_port)
        record.client = client.log_name
    record.client_host = client.client_host or UNIX
    record.client_port = client.client_port
    record.bind_host = client.local_host
    record.bind_port = client.local_port
    record.accepted_at = exchange.begun_wall
    record.frontend_name = frontend.name
    record.backend_name = frontend.name
    record.tr_ms = int((exchange.read_at - exchange.begun_at) * 1000.0 + 0.5)
    if cause == phases.CLIENT_TIMEOUT and phase is phases.REQUEST:
        record.tr_ms = -1  # its body was waited for in vain: HAProxy has no request then
    record.tw_ms, record.tc_ms, record.resp_ms = timers_ms(exchange)
    record.ta_ms = int((now - exchange.begun_at) * 1000.0 + 0.5)
    if phase is phases.TARPIT:
        record.tr_ms, record.tw_ms = -1, record.ta_ms + 1  # to HAProxy a request that never was complete, and waited
    record.status = status
    record.bytes_read = octets
    record.cause = cause
    record.phase = DASH if cause == phases.NORMAL else phase.letter
    if cause == phases.CLIENT_ABORT and phase in (phases.CONNECT, phases.HEADERS):
        # HAProxy's D: who breaks off the own body, and who resets while the server thinks.
        if not exchange.upload.is_done or (phase is phases.HEADERS and exchange.client.is_gone):
            record.phase = phases.DATA.letter
    elif is_shut_down(cause) and (phase is phases.TUNNEL or not exchange.upload.is_done):
        record.phase = DASH  # HAProxy's streams have no letter yet while they pass the client's octets on
    record.act = farm.connections_cur
    record.fe = frontend.counters.sessions_cur
    record.retries = exchange.failures
    record.is_redispatched = exchange.is_redispatched
    record.srv_queue = exchange.server_queue_position
    record.be_queue = exchange.backend_queue_position
    record.request_line = exchange.request_line()
    backend = exchange.backend
    target = exchange.waits_for if phase is phases.QUEUE else exchange.target
    if backend is not None:
        record.backend_name = backend.name
        record.be = backend.counters.sessions_cur
        if target is not None:
            record.server_name = target.name
            record.srv = 0 if target is backend.dispatch else target.served
        if exchange.cookie_letter != NO_LETTER:
            record.cookie_in = exchange.cookie_letter
            answer = exchange.answer
            record.cookie_out = NONE if answer is None else answer.cookie_letter
    elif target is not None:
        record.server_name = target.name
    if exchange.is_local:
        _log_local(exchange, record, cause)
    if phase is phases.QUEUE and cause == phases.SERVER_ABORT and target is None:
        record.phase = phases.CONNECT.letter
    return record


def _log_local(exchange: "Exchange", record: Record, cause: int) -> None:
    """What was answered here ends as `LR`, however slowly its client read; `PR` where a rule refused it."""
    if cause != phases.INTERNAL and cause != phases.RESOURCE:
        record.cause = phases.PROXY if record.status == FORBIDDEN else phases.LOCAL
        record.phase = phases.REQUEST.letter
    home = exchange.backend or exchange.route.twin
    if home is not None and home.persistence is not None:
        record.cookie_in = NONE
        record.cookie_out = NONE


def detail_of(exchange: "Exchange", record: Record, phase: Phase) -> None:
    """Adds to the record what only a format of one's own asks for."""
    route = exchange.route
    words = route.frontend.config.log_words
    detail = Detail()
    record.detail = detail
    detail.exchange = exchange
    detail.has_plus = words.has_plus
    detail.request_fields = request_fields(exchange)
    detail.response_fields = response_fields(exchange)
    detail.sent_cookie = sent_cookie(exchange, phase)
    detail.set_cookie = set_cookie(exchange)
    detail.waited_ms = max(0, int((exchange.begun_at - exchange.client.idle_since) * 1000.0 + 0.5))
    if not words.is_early or phase is not phases.DATA:
        detail.uploaded = exchange.head.log_octets() + exchange.upload.logged_octets()
    target = exchange.target
    if target is not None and not exchange.is_local:
        detail.server_host, detail.server_port = target.config.host, target.config.port
    detail.source_host, detail.source_port = exchange.source
    detail.number = exchange.serial - 1
    if not exchange.unique_id and route.identity is not None:
        exchange.unique_id = route.identity.text(record)[:IDENTITY_OCTETS_MAX]
    detail.unique_id = exchange.unique_id


def identify(exchange: "Exchange", now: float) -> None:
    """Gives the request the name that `unique-id-format` makes of it, where there is one."""
    identity = exchange.route.identity
    if identity is None or exchange.unique_id:
        return
    record = record_of(exchange, phases.NORMAL, exchange.phase, 0, 0, now)
    _add_request(exchange, record)
    exchange.unique_id = identity.text(record)[:IDENTITY_OCTETS_MAX]


def _add_request(exchange: "Exchange", record: Record) -> Detail:
    """What there is beside the record while the request is still there."""
    detail = Detail()
    detail.exchange = exchange
    detail.is_over = False
    detail.request_fields = request_fields(exchange)
    detail.number = exchange.serial - 1
    detail.unique_id = exchange.unique_id
    record.detail = detail
    return detail


def record_now(scene: "Scene") -> Record:
    """What the log would be told if a request ended while its rules run. A request without an answer has no times yet."""
    exchange = scene.exchange
    now = exchange.services.now()
    record = record_of(exchange, phases.NORMAL, exchange.phase, scene.status or scene.reply_status or -1, 0, now)
    detail = _add_request(exchange, record)
    detail.response_fields = response_fields(exchange)
    target = exchange.target
    if scene.response is None:
        record.tr_ms, record.ta_ms = -1, 0
    elif target is not None and not exchange.is_local:
        detail.server_host, detail.server_port = target.config.host, target.config.port
        detail.source_host, detail.source_port = exchange.source
    return record
