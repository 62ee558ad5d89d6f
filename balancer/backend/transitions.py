"""What a change of a server's state does, and the lines that tell it, word for word as HAProxy does.

Order of balancing, queues, sums, sessions and those who track the server change together, in one call. The severities are
HAProxy's: a server that goes down is an alert, unless it took nobody new any more; all else is a notice.
"""

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.server import RUNNING, STOPPED, STOPPING, Server


def name_of(backend: Backend, server: Server) -> str:
    """How event lines name a server."""
    return f"{'Backup Server' if server.is_backup else 'Server'} {backend.name}/{server.name}"


def via(server: Server) -> str:
    """The end of what is told of a server that only followed another."""
    return "" if server.tracked is None else f" via {server.tracked.backend_name}/{server.tracked.name}"


def left_text(backend: Backend, word: str) -> str:
    """How many servers there are now for new visitors."""
    active, backups = backend.active_count(), backend.backup_count()
    spare = " Running on backup." if backups and not active else ""
    return f"{active} active and {backups} backup servers {word}.{spare}"


def tell_end(backend: Backend, was_any_up: bool, events: EventLog) -> None:
    """The line that a backend has lost its last server."""
    if was_any_up and not backend.is_up():
        events.event(model.EMERG, backend.name, f"{backend.kind()} {backend.name} has no server available!")


def move_waiting(backend: Backend, server: Server, now: float) -> int:
    """`option redispatch`: those who wait for a server that is gone are balanced anew; says how many."""
    if not backend.config.redispatch_interval:
        return 0
    requests = backend.requeue(server)
    for request in requests:
        request.moved(now)
    return len(requests)


def announce(
    backend: Backend, server: Server, was_up: bool, reason: str, events: EventLog, now: float, was_stopping: bool = False
) -> None:
    """Brings the backend up to date after `server` has changed its state, tells it, and takes those along who track it.

    `reason` is "" where nothing is told of a check: the log of checks has told it, or there was none.
    """
    told = f", {reason}" if reason else via(server)
    if server.state == STOPPED:
        _went_down(backend, server, was_up, told, events, now, was_stopping)
    elif server.state == STOPPING:
        _is_stopping(backend, server, was_up, told, events, now)
    else:
        _came_up(backend, server, was_up, told, events, now)
    for its_backend, tracker in server.trackers:
        _follow(its_backend, tracker, server, events, now)


def _follow(backend: Backend, tracker: Server, server: Server, events: EventLog, now: float) -> None:
    if tracker.is_in_maintenance():
        return
    was_up, was_stopping = tracker.is_up(), tracker.state == STOPPING
    wanted = server.state if server.state in (STOPPED, STOPPING) else RUNNING
    if tracker.become(wanted):
        announce(backend, tracker, was_up, "", events, now, was_stopping)


def _came_up(backend: Backend, server: Server, was_up: bool, told: str, events: EventLog, now: float) -> None:
    backend.server_changed(server, was_up, now)
    server.changed_at = now
    before = backend.queue.length
    backend.offer_slots(server, now)
    events.event(
        model.NOTICE,
        backend.name,
        f"{name_of(backend, server)} is UP{told}. {left_text(backend, 'online')} "
        f"{before - backend.queue.length} sessions requeued, {backend.queue.length} total in queue.",
    )
    if server.config.shuts_backups_when_up and not server.is_backup and server.weight > 0 and backend.sessions is not None:
        backend.sessions.shut_down(backend.backups, True)


def _is_stopping(backend: Backend, server: Server, was_up: bool, told: str, events: EventLog, now: float) -> None:
    was_any_up = backend.was_up
    backend.server_changed(server, was_up, now)
    server.changed_at = now
    events.event(
        model.NOTICE,
        backend.name,
        f"{name_of(backend, server)} is stopping{told}. {left_text(backend, 'online')} "
        f"0 sessions requeued, {backend.queue.length} total in queue.",
    )
    tell_end(backend, was_any_up, events)


def _went_down(
    backend: Backend, server: Server, was_up: bool, told: str, events: EventLog, now: float, was_stopping: bool
) -> None:
    was_any_up = backend.was_up
    waiting = server.queue.length
    backend.server_changed(server, was_up, now)
    moved = move_waiting(backend, server, now)
    events.event(
        model.NOTICE if was_stopping or server.is_draining() else model.ALERT,
        backend.name,
        f"{name_of(backend, server)} is DOWN{told}. {left_text(backend, 'left')} "
        f"{server.served} sessions active, {moved} requeued, {waiting - moved} remaining in queue.",
    )
    tell_end(backend, was_any_up, events)
    shut_if_asked(backend, server)


def shut_if_asked(backend: Backend, server: Server) -> None:
    """`on-marked-down shutdown-sessions`."""
    if server.config.shuts_sessions_when_down and backend.sessions is not None:
        backend.sessions.shut_down([server], False)


def warmed(backend: Backend, server: Server, events: EventLog, now: float) -> None:
    """One step of `slowstart`; the last one is told."""
    is_whole = server.warm_up(int(now - server.changed_at))
    backend.server_changed(server, server.is_up(), now)
    backend.offer_slots(server, now)
    if is_whole:
        server.changed_at = now
        events.event(
            model.NOTICE,
            backend.name,
            f"{name_of(backend, server)} is UP{via(server)}. {left_text(backend, 'online')} "
            f"0 sessions requeued, {backend.queue.length} total in queue.",
        )
