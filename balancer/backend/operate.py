"""What an operator does to a server while it serves: another weight, into maintenance, back again.

Each is one transition: state, order of balancing, queues and sums change together, and the event line is told, in the words
and with the severity that HAProxy has for it (recorded from 2.6.12). A server with sessions keeps them; who waits for a server
in maintenance is balanced anew under `option redispatch` and waits on without it.
"""

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.server import MAINT, MAINT_VIA, READY, RUNNING, STOPPED, Server
from balancer.backend.transitions import left_text, move_waiting, name_of, shut_if_asked, tell_end, via


def set_weight(backend: Backend, server: Server, weight: int, events: EventLog, now: float) -> None:
    """Gives the server another share of the new visitors; with 0 it serves only those whose cookie names it."""
    was_any_up = backend.was_up
    server.weight = weight
    backend.server_changed(server, server.is_up(), now)
    tell_end(backend, was_any_up, events)
    backend.offer_slots(server, now)


def enter_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Takes the server out, and who tracks it: no request, no check. One that is out by command stays as it is."""
    if not server.admin_state & MAINT:
        _leave_service(backend, server, MAINT, events, now)


def _leave_service(backend: Backend, server: Server, cause: int, events: EventLog, now: float) -> None:
    was_in_maintenance, was_up, was_any_up = server.is_in_maintenance(), server.is_up(), backend.was_up
    waiting = server.queue.length
    server.admin_state |= cause
    if not was_in_maintenance:
        end = via(server) if cause == MAINT_VIA else ""
        backend.server_changed(server, was_up, now)
        if was_up:
            moved = move_waiting(backend, server, now)
            events.event(
                model.ALERT,
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
    if server.admin_state == READY:
        followed = server.tracked
        server.state = STOPPED
        if followed is None:
            server.health = server.rise_count
            server.become(RUNNING)
        else:
            server.become(followed.state if followed.state != STOPPED else STOPPED)
        backend.server_changed(server, False, now)
        forced = "forced " if cause == MAINT else ""
        word = "UP/READY" if server.state != STOPPED else "DOWN/READY"
        text = f"{name_of(backend, server)} is {word} (leaving {forced}maintenance)."
        events.event(model.NOTICE, backend.name, text)
        backend.offer_slots(server, now)
    for its_backend, tracker in server.trackers:
        if tracker.admin_state & MAINT_VIA:
            _enter_service(its_backend, tracker, MAINT_VIA, events, now)
