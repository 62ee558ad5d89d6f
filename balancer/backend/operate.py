"""What an operator does to a server while it serves: another weight, into maintenance or drain, back again.

Each is one transition: state, order of balancing, queues and sums change together, and the event line is told, in the words
and with the severity that HAProxy has for it (recorded from 2.6.12). A server with sessions keeps them; who waits for a server
in maintenance is balanced anew under `option redispatch` and waits on without it. A server that drains takes nobody new.
"""

from typing import Final

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.frontend import OPEN, PAUSED, Frontend
from balancer.backend.frontend import STOPPED as SHUT
from balancer.backend.server import (
    ANY_DRAIN,
    DRAIN,
    DRAIN_VIA,
    MAINT,
    MAINT_VIA,
    RUNNING,
    STOPPED,
    STOPPING,
    Server,
)
from balancer.backend.transitions import announce, left_text, move_waiting, name_of, shut_if_asked, tell_end, via

CHANGED_BY_COMMAND: Final = "changed from CLI"


def set_weight(backend: Backend, server: Server, weight: int, events: EventLog, now: float) -> None:
    """Gives the server another share of the new visitors; with 0 it serves only those whose cookie names it."""
    was_any_up = backend.was_up
    server.weight = weight
    backend.server_changed(server, server.is_up(), now)
    tell_end(backend, was_any_up, events)
    backend.offer_slots(server, now)


def set_maxconn(backend: Backend, server: Server, maxconn: int, now: float) -> None:
    """Another limit of requests at once; who waits gets the slots that it opens."""
    server.limit_slots(maxconn)
    backend.server_changed(server, server.is_up(), now)
    backend.offer_slots(server, now)


def set_health(backend: Backend, server: Server, state: int, events: EventLog, now: float) -> None:
    """RUNNING, STOPPING or STOPPED, as if checks had said so; they go on from there."""
    was_up, was_stopping = server.is_up(), server.state == STOPPING
    if server.health_commanded(state):
        announce(backend, server, was_up, CHANGED_BY_COMMAND, events, now, was_stopping)


# --- what `set server ... state` asks for ------------------------------------------------------------------------------------


def make_ready(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """`ready`: neither in maintenance nor draining."""
    leave_maintenance(backend, server, events, now)
    leave_drain(backend, server, events, now)


def put_in_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """`maint`."""
    enter_maintenance(backend, server, events, now)
    leave_drain(backend, server, events, now)


def drain(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """`drain`: it serves those who are bound to it, and nobody new."""
    enter_drain(backend, server, events, now)
    leave_maintenance(backend, server, events, now)


# --- maintenance -------------------------------------------------------------------------------------------------------------


def enter_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Takes the server out, and who tracks it: no request, no check. One that is out by command stays as it is."""
    if not server.admin_state & MAINT:
        _leave_service(backend, server, MAINT, events, now)


def _leave_service(backend: Backend, server: Server, cause: int, events: EventLog, now: float) -> None:
    was_in_maintenance, was_up, was_any_up = server.is_in_maintenance(), server.is_up(), backend.was_up
    was_stopping = server.state == STOPPING or server.is_draining()
    waiting = server.queue.length
    server.admin_state |= cause
    if not was_in_maintenance:
        end = via(server) if cause == MAINT_VIA else ""
        backend.server_changed(server, was_up, now)
        if was_up:
            moved = move_waiting(backend, server, now)
            events.event(
                model.NOTICE if was_stopping else model.ALERT,
                backend.name,
                f"{name_of(backend, server)} is going DOWN for maintenance{end}. {left_text(backend, 'left')} "
                f"{server.served} sessions active, {moved} requeued, {waiting - moved} remaining in queue.",
            )
            tell_end(backend, was_any_up, events)
            shut_if_asked(backend, server)
        else:
            events.event(model.NOTICE, backend.name, f"{name_of(backend, server)} was DOWN and now enters maintenance{end}.")
    for its_backend, tracker in server.trackers:
        if not tracker.admin_state & MAINT_VIA:
            _leave_service(its_backend, tracker, MAINT_VIA, events, now)


def leave_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Takes the server back in, and who tracks it: it serves at once, and one failed check puts it DOWN."""
    if not server.admin_state & MAINT:
        return
    if server.admin_state & MAINT_VIA:
        server.admin_state &= ~MAINT
        text = f"{name_of(backend, server)} is leaving forced maintenance but remains in maintenance{via(server)}."
        events.event(model.NOTICE, backend.name, text)
        return
    _enter_service(backend, server, MAINT, events, now)


def _enter_service(backend: Backend, server: Server, cause: int, events: EventLog, now: float) -> None:
    server.admin_state &= ~cause
    if not server.is_in_maintenance():
        followed = server.tracked
        server.state = STOPPED
        if followed is None:
            server.health = server.rise_count
            server.become(RUNNING)
        else:
            server.become(followed.state if followed.state != STOPPED else STOPPED)
        backend.server_changed(server, False, now)
        forced = "forced " if cause == MAINT else ""
        word = f"{'UP' if server.state != STOPPED else 'DOWN'}/{'DRAIN' if server.is_draining() else 'READY'}"
        text = f"{name_of(backend, server)} is {word} (leaving {forced}maintenance)."
        events.event(model.NOTICE, backend.name, text)
        if server.is_draining():
            _tell_remaining(backend, server, events)
        backend.offer_slots(server, now)
    for its_backend, tracker in server.trackers:
        if tracker.admin_state & MAINT_VIA:
            _enter_service(its_backend, tracker, MAINT_VIA, events, now)


# --- drain -------------------------------------------------------------------------------------------------------------------


def enter_drain(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Nobody new from now on, here and at who tracks it. One that drains by command stays as it is."""
    if not server.admin_state & DRAIN:
        _begin_drain(backend, server, DRAIN, events, now)


def _begin_drain(backend: Backend, server: Server, cause: int, events: EventLog, now: float) -> None:
    was_draining, was_any_up = server.is_draining(), backend.was_up
    server.admin_state |= cause
    if was_draining and not server.is_in_maintenance():
        _tell_remaining(backend, server, events)
    elif not server.is_in_maintenance():
        end = via(server) if cause == DRAIN_VIA else ""
        backend.server_changed(server, server.is_up(), now)
        server.change_at(now)
        if server.is_up():
            tail = f"{left_text(backend, 'online')} 0 sessions requeued, {backend.queue.length} total in queue."
        else:
            waiting = server.queue.length
            tail = f"{left_text(backend, 'left')} {server.served} sessions active, 0 requeued, {waiting} remaining in queue."
        events.event(model.NOTICE, backend.name, f"{name_of(backend, server)} enters drain state{end}. {tail}")
        tell_end(backend, was_any_up, events)
    for its_backend, tracker in server.trackers:
        if not tracker.admin_state & DRAIN_VIA:
            _begin_drain(its_backend, tracker, DRAIN_VIA, events, now)


def leave_drain(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """New visitors again, here and at who tracks it."""
    if server.admin_state & DRAIN:
        _end_drain(backend, server, DRAIN, events, now)


def _end_drain(backend: Backend, server: Server, cause: int, events: EventLog, now: float) -> None:
    server.admin_state &= ~cause
    if not server.is_in_maintenance():
        if server.admin_state & ANY_DRAIN:
            _tell_remaining(backend, server, events)
        else:
            backend.server_changed(server, server.is_up(), now)
            word = "UP" if server.is_up() else "DOWN"
            events.event(model.NOTICE, backend.name, f"{name_of(backend, server)} is {word} (leaving forced drain).")
            backend.offer_slots(server, now)
    for its_backend, tracker in server.trackers:
        if tracker.admin_state & DRAIN_VIA:
            _end_drain(its_backend, tracker, DRAIN_VIA, events, now)


def _tell_remaining(backend: Backend, server: Server, events: EventLog) -> None:
    """It drains on: by command, or because of the server that it tracks."""
    is_forced = server.admin_state & DRAIN
    what = "remains in forced drain mode" if is_forced else f"is leaving forced drain but remains in drain mode{via(server)}"
    events.event(model.NOTICE, backend.name, f"{name_of(backend, server)} {what}.")


# --- frontends ---------------------------------------------------------------------------------------------------------------


def pause(frontend: Frontend, events: EventLog) -> None:
    """Whoever connects is refused, until `resume`."""
    frontend.move_to(PAUSED)
    events.event(model.WARNING, frontend.name, f"Paused {frontend.kind()} {frontend.name}.")


def resume(frontend: Frontend, events: EventLog) -> None:
    """Accepts again. Raises OSError where the address is another's by now."""
    frontend.move_to(OPEN)
    events.event(model.WARNING, frontend.name, f"Resumed {frontend.kind()} {frontend.name}.")


def stop(frontend: Frontend, backend: Backend | None, events: EventLog) -> None:
    """Gives the addresses back, for good; who is connected is served on. `backend` is the servers' half of a `listen`."""
    frontend.move_to(SHUT)
    sums = f"FE: {frontend.counters.connections_total}, BE: {0 if backend is None else backend.counters.sessions_total}"
    text = f"Proxy {frontend.name} stopped (cumulated conns: {sums})."
    events.event(model.WARNING, frontend.name, text)
