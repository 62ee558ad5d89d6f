"""From a valid configuration to a process that serves, and to its end.

The order of the start is the point of this file. While the process still has its rights and its root: descriptor limit,
listening sockets, stats sockets, pid file, background, everything that would be imported or opened later, the word to the
processes that it takes over from. Then chroot, groups, gid, uid; then the first connection is accepted; then whoever waits
for a daemon is told. A failure before that last step is said on standard error and ends the start with status 1; nobody is
served by half a configuration.
"""

import asyncio
import importlib
import os
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

import uvloop

from balancer import daemon, limits, model, privileges, service, sockets, takeover
from balancer.arguments import Arguments
from balancer.backend.events import EventLog
from balancer.messages import Messages

NO_LISTENERS: Final = "[balancer.main()] Some protocols failed to start their listeners! Exiting."

# Modules that the standard library imports at their first use, which may come after chroot.
LATE_IMPORTS: Final[tuple[str, ...]] = (
    "concurrent.futures.thread",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8",
    "linecache",
    "stringprep",
    "traceback",
    "unicodedata",
)


class StartError(Exception):
    """The start ends here; the texts are alerts, in order."""

    def __init__(self, *texts: str) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts


class StatsServer(Protocol):
    """What a process needs of the stats sockets' side (admin.socket.StatsSocketServer)."""

    async def start(self, listening: list[tuple[model.StatsSocket, socket.socket]]) -> None:
        """Begins to answer."""

    def close(self) -> None:
        """Ends all sessions."""


class FinalLog(service.Log, Protocol):
    """The log as its owner sees it."""

    def close(self) -> None:
        """Sends what is kept and closes the sockets."""


@dataclass(frozen=True)
class Parts:
    """What serves: made before chroot, started after it."""

    traffic: service.Traffic
    log: FinalLog
    announcer: EventLog
    stats: StatsServer


@dataclass(frozen=True)
class Facts:
    """What the parts are made from."""

    config: model.Model  # its maxconn is the settled one
    loop: asyncio.AbstractEventLoop
    listeners: list[sockets.Listener]
    messages: Messages
    started_at: float
    descriptors_max: int


Assemble = Callable[[Facts], Parts]


@dataclass
class _Start:
    """What has been opened so far."""

    config: model.Model
    descriptors_max: int
    listeners: list[sockets.Listener]
    stats: list[tuple[model.StatsSocket, socket.socket]]
    pid_descriptor: int
    starter: daemon.Starter | None
    notifier: daemon.Notifier


def run(config: model.Model, arguments: Arguments, messages: Messages, assemble: Assemble) -> int:
    """Starts, serves and ends; returns the exit status, unless the process dies of a signal in here."""
    start: _Start | None = None
    try:
        start = _open_all(_overridden(config, arguments), arguments, messages)
        status = _serve(start, arguments, messages, assemble)
    except StartError as error:
        for text in error.texts:
            messages.alert(text)
        status = 1
    if start is not None and start.starter is not None:
        start.starter.tell(status if status >= 0 else 128 - status)
    return service.die_of(-status) if status < 0 else status


def preload(loop: asyncio.AbstractEventLoop) -> None:
    """Imports, reads and opens what would otherwise be looked for after chroot."""
    for name in LATE_IMPORTS:
        importlib.import_module(name)
    time.tzset()
    time.localtime()
    loop.run_until_complete(_open_reserve(loop))


def _overridden(config: model.Model, arguments: Arguments) -> model.Model:
    """The model with what the command line says instead."""
    process = config.process
    if arguments.maxconn:
        process = replace(process, maxconn=arguments.maxconn)
    if arguments.no_splice:
        process = replace(process, splices=False)
    if arguments.pidfile:
        process = replace(process, pidfile=arguments.pidfile)
    frontends = config.frontends
    if arguments.proxy_maxconn:
        frontends = tuple(
            frontend if frontend.maxconn else replace(frontend, maxconn=arguments.proxy_maxconn) for frontend in frontends
        )
    return replace(config, process=process, frontends=frontends)


def _open_all(config: model.Model, arguments: Arguments, messages: Messages) -> _Start:
    """Everything that wants the old rights or may fail in front of the terminal; returns in the process that will serve."""
    if privileges.stays_root(config.process):
        _warn(messages, arguments, "running as root: neither 'user' nor 'uid' is set in 'global', nothing takes root away.")
    settled = _settle_limits(config, arguments, messages)
    config = replace(config, process=replace(config.process, maxconn=settled.maxconn))
    # Who hands its sockets over is taken over from, too: a socket that does not fit is bound anew beside it.
    is_successor = bool(arguments.finish_pids or arguments.terminate_pids or arguments.old_socket)
    refusals: list[str] = []
    try:
        taken = takeover.take(arguments.old_socket) if arguments.old_socket else []
        listeners = sockets.bind_listeners(config.frontends, settled.maxconn, is_successor, taken, refusals.append)
    except takeover.TakeoverError as error:
        raise StartError(f"Failed to get the sockets from the old process! ({error})") from error
    except sockets.BindError as error:
        raise StartError(*error.texts, NO_LISTENERS) from error
    for text in refusals:
        _warn(messages, arguments, text)
    stats = _open_stats(config.process.stats_sockets, is_successor, arguments, messages)
    is_daemon = arguments.is_daemon(config.process.daemon)
    pid_descriptor = -1
    if config.process.pidfile and (is_daemon or arguments.master):
        try:
            pid_descriptor = daemon.open_pidfile(config.process.pidfile)
        except OSError as error:
            reason = error.strerror
            raise StartError(f"[balancer.main()] Cannot create pidfile {config.process.pidfile} ({reason})") from error
    notifier = daemon.notifier_of(os.environ if arguments.master == "-Ws" else {})
    starter = daemon.go_to_background(notifier) if is_daemon else None
    return _Start(config, settled.descriptors_max, listeners, stats, pid_descriptor, starter, notifier)


def _settle_limits(config: model.Model, arguments: Arguments, messages: Messages) -> limits.Settled:
    try:
        settled = limits.settle(config, config.process.maxconn)
    except limits.LimitError as error:
        raise StartError(f"[balancer.main()] {error}") from error
    if settled.warning:
        _warn(messages, arguments, f"[balancer.main()] {settled.warning}")
    elif arguments.verbose and not config.process.maxconn:
        messages.notice(f"setting global.maxconn to {settled.maxconn}.")
    if arguments.memory_max_mb:
        try:
            limits.limit_memory(arguments.memory_max_mb)
        except (OSError, ValueError) as error:
            _warn(messages, arguments, f"cannot limit memory to {arguments.memory_max_mb} megabytes: {error}")
    return settled


def _open_stats(
    configs: tuple[model.StatsSocket, ...], is_successor: bool, arguments: Arguments, messages: Messages
) -> list[tuple[model.StatsSocket, socket.socket]]:
    opened: list[tuple[model.StatsSocket, socket.socket]] = []
    for config in configs:
        if config.path and not is_successor and sockets.is_served(config.path):
            _warn(messages, arguments, f"[{config.origin}] : '{config.path}' is served by another process and taken from it.")
        try:
            opened.append((config, sockets.open_stats_socket(config, is_successor)))
        except sockets.BindError as error:
            texts = (*error.texts, NO_LISTENERS)
            raise StartError(*texts) from error
    return opened


def _warn(messages: Messages, arguments: Arguments, text: str) -> None:
    """A warning of the start; with `-dW` it ends the start."""
    messages.warning(text)
    if arguments.zero_warning:
        raise StartError("config : Some warnings were found and 'zero-warning' is set. Aborting.")


def _serve(start: _Start, arguments: Arguments, messages: Messages, assemble: Assemble) -> int:
    limits.keep_freed_memory()
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    preload(loop)
    parts = assemble(Facts(start.config, loop, start.listeners, messages, time.time(), start.descriptors_max))
    process = start.config.process
    try:
        sockets.listen(start.listeners, process.maxconn)
    except sockets.BindError as error:
        raise StartError(*error.texts, NO_LISTENERS) from error
    ends = (process.hard_stop_after_s, start.notifier, process.grace_s)
    running = service.Service(parts.traffic, parts.log, parts.announcer, messages, loop, *ends)
    if start.pid_descriptor != -1:
        daemon.write_pid(start.pid_descriptor, os.getpid())
    if start.starter is not None:
        start.starter.announce(os.getpid())
    _relieve_predecessors(arguments, [listener.socket for listener in start.listeners])
    _drop_privileges(start.config.process, arguments, messages)
    status = loop.run_until_complete(_live(running, parts, start, messages))
    parts.stats.close()
    parts.log.close()
    return status


async def _live(running: service.Service, parts: Parts, start: _Start, messages: Messages) -> int:
    """From the first connection to the end, in one run of the loop: uvloop loses a signal that comes between two."""
    running.install_signal_handlers()
    await parts.traffic.start()
    await parts.stats.start(start.stats)
    limits.rarely_collect()
    running.tell_ready()
    if start.starter is not None:
        start.starter.leave_terminal()
        messages.is_quiet = True
        start.starter.tell(0)
    return await running.run()


async def _open_reserve(loop: asyncio.AbstractEventLoop) -> None:
    """Lets libuv open /dev/null, its reserve for a full descriptor table: it does so once per loop, at the first listen."""
    unnamed = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    unnamed.bind("")  # Linux gives it an abstract address
    server = await loop.create_unix_server(asyncio.Protocol, sock=unnamed)
    server.close()
    await server.wait_closed()


def _drop_privileges(process: model.Global, arguments: Arguments, messages: Messages) -> None:
    try:
        passed_over = privileges.drop(process, arguments.zero_warning)
    except privileges.PrivilegeError as error:
        raise StartError(f"[balancer.main()] {error}") from error
    if passed_over:
        messages.warning(f"not root: passed over for want of privilege: {', '.join(passed_over)}.")


def _relieve_predecessors(arguments: Arguments, listening: list[socket.socket]) -> None:
    """Tells those whose ports this process now shares to go, once nobody waits in their backlogs any more.

    Before the drop, since afterwards root's processes would not listen; what connects meanwhile waits in our backlog.
    """
    if arguments.finish_pids or arguments.terminate_pids:
        takeover.steer(listening)
        takeover.wait_for_backlogs(listening)
    for pids, number in ((arguments.finish_pids, signal.SIGUSR1), (arguments.terminate_pids, signal.SIGTERM)):
        for pid in pids:
            try:
                os.kill(pid, number)
            except OSError:
                pass  # gone already, or somebody else's: HAProxy does not complain either
