"""TCP health checks: who is UP, and the event lines that tell it.

Each checked server has a task: wait, connect, judge, wait. The first checks are spread over the shortest interval, so that a
farm is not knocked at all at once. A check must connect within `timeout check`, or within `inter` where that is not set.
The lines, their order and severities are HAProxy's (original-setup 2.5, operations 4).
"""

import asyncio
import errno
import os
import socket
from typing import Final

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.backend.server import Server

REASONS: Final = {
    "L4OK": "Layer4 check passed",
    "L4CON": "Layer4 connection problem",
    "L4TOUT": "Layer4 timeout",
    "SOCKERR": "Socket error",
}


class Checks:
    """The checks of one farm."""

    def __init__(self, farm: Farm, loop: asyncio.AbstractEventLoop, events: EventLog) -> None:
        self.farm = farm
        self.loop = loop
        self.events = events
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts one task for each checked server."""
        checked: list[tuple[Backend, Server]] = []
        for backend in self.farm.backends:
            if not backend.is_disabled:
                checked.extend([(backend, server) for server in backend.servers if server.is_checked])
        if not checked:
            return
        shortest_s = min([server.config.inter_s for _, server in checked])
        for position, (backend, server) in enumerate(checked):
            self.tasks.append(self.loop.create_task(self._watch(backend, server, shortest_s * position / len(checked))))

    def stop(self) -> None:
        """Ends all checks; states stay as they are."""
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()

    async def _watch(self, backend: Backend, server: Server, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while True:
            if server.admin_state == 0:
                started = self.loop.time()
                limit_s = backend.config.check_timeout_s or server.config.inter_s
                code, info = await probe(self.loop, server.config, limit_s)
                if server.admin_state == 0:
                    self._judge(backend, server, code, info, int((self.loop.time() - started) * 1000.0))
            await asyncio.sleep(server.check_interval_s())

    def _judge(self, backend: Backend, server: Server, code: str, info: str, duration_ms: int) -> None:
        now = self.loop.time()
        server.check_code = code
        server.check_duration_ms = duration_ms
        server.check_info = info
        was_up = server.is_up()
        changed = server.check_passed() if code == "L4OK" else server.check_failed()
        if not changed:
            return
        reason = f"reason: {REASONS[code]}"
        if info:
            reason += f', info: "{info}"'
        announce(backend, server, was_up, f"{reason}, check duration: {duration_ms}ms", self.events, now)


def announce(backend: Backend, server: Server, was_up: bool, reason: str, events: EventLog, now: float) -> None:
    """Brings the backend up to date after a transition of `server` and tells it, word for word as HAProxy does."""
    was_any_up = backend.was_up
    waiting = server.queue.length
    moved = 0
    backend.server_changed(server, was_up, now)
    if not server.is_up() and backend.config.redispatch_interval:
        moved = _move_waiting(backend, server, now)
    active, backups = backend.active_count(), backend.backup_count()
    spare = " Running on backup." if backups and not active else ""
    kind = "Backup Server" if server.is_backup else "Server"
    name = f"{kind} {backend.name}/{server.name}"
    if server.is_up():
        before = backend.queue.length
        backend.offer_slots(server, now)
        taken = before - backend.queue.length
        events.event(
            model.NOTICE,
            backend.name,
            f"{name} is UP, {reason}. {active} active and {backups} backup servers online.{spare} "
            f"{taken} sessions requeued, {backend.queue.length} total in queue.",
        )
        return
    events.event(
        model.ALERT,
        backend.name,
        f"{name} is DOWN, {reason}. {active} active and {backups} backup servers left.{spare} "
        f"{server.served} sessions active, {moved} requeued, {waiting - moved} remaining in queue.",
    )
    if was_any_up and not backend.is_up():
        events.event(model.EMERG, backend.name, f"proxy {backend.name} has no server available!")


def _move_waiting(backend: Backend, server: Server, now: float) -> int:
    """`option redispatch`: those who wait for a dead server are balanced anew."""
    requests = backend.requeue(server)
    for request in requests:
        request.moved(now)
    return len(requests)


async def probe(loop: asyncio.AbstractEventLoop, config: model.Server, limit_s: float) -> tuple[str, str]:
    """One TCP check: HAProxy's code of the result, and what is to be told about it."""
    family = socket.AF_INET6 if config.is_ipv6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC) as sock:
            async with asyncio.timeout(limit_s):
                await loop.sock_connect(sock, (config.host, config.port))
            return "L4OK", ""
    except TimeoutError:
        return "L4TOUT", ""
    except OSError as error:
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            return "SOCKERR", os.strerror(error.errno or 0)
        return "L4CON", os.strerror(error.errno) if error.errno else str(error)
