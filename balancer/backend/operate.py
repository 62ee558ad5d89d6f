"""What an operator does to a server while it serves: another weight, into maintenance, back again.

Each is one transition: state, order of balancing, queues and sums change together, and the event line is told, in the words
and with the severity that HAProxy has for it (recorded from 2.6.12). A server with sessions keeps them; who waits for a server
in maintenance is balanced anew under `option redispatch` and waits on without it.
"""

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.server import MAINT, READY, Server


def set_weight(backend: Backend, server: Server, weight: int, events: EventLog, now: float) -> None:
    """Gives the server another share of the new visitors; with 0 it serves only those whose cookie names it."""
    was_any_up = backend.was_up
    server.weight = weight
    backend.server_changed(server, server.is_up(), now)
    _tell_end(backend, was_any_up, events)
    backend.offer_slots(server, now)


def enter_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Takes the server out: no request, no check. One that is out already stays as it is."""
    if server.admin_state == MAINT:
        return
    was_up, was_any_up = server.is_up(), backend.was_up
    waiting = server.queue.length
    server.admin_state = MAINT
    backend.server_changed(server, was_up, now)
    if not was_up:
        events.event(model.NOTICE, backend.name, f"{_name(backend, server)} was DOWN and now enters maintenance.")
        return
    moved = _move_waiting(backend, server, now) if backend.config.redispatch_interval else 0
    active, backups = backend.active_count(), backend.backup_count()
    spare = " Running on backup." if backups and not active else ""
    events.event(
        model.ALERT,
        backend.name,
        f"{_name(backend, server)} is going DOWN for maintenance. {active} active and {backups} backup servers left.{spare} "
        f"{server.served} sessions active, {moved} requeued, {waiting - moved} remaining in queue.",
    )
    _tell_end(backend, was_any_up, events)


def leave_maintenance(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """Takes the server back in: it serves at once, and one failed check puts it DOWN."""
    if server.admin_state == READY:
        return
    server.admin_state = READY
    server.health = server.rise_count
    backend.server_changed(server, False, now)
    events.event(model.NOTICE, backend.name, f"{_name(backend, server)} is UP/READY (leaving forced maintenance).")
    backend.offer_slots(server, now)


def _name(backend: Backend, server: Server) -> str:
    return f"{'Backup Server' if server.is_backup else 'Server'} {backend.name}/{server.name}"


def _tell_end(backend: Backend, was_any_up: bool, events: EventLog) -> None:
    if was_any_up and not backend.is_up():
        events.event(model.EMERG, backend.name, f"proxy {backend.name} has no server available!")


def _move_waiting(backend: Backend, server: Server, now: float) -> int:
    requests = backend.requeue(server)
    for request in requests:
        request.moved(now)
    return len(requests)
