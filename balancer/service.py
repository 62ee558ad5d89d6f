"""The life of the serving process from its first connection to its end, driven by signals.

A service RUNS, may be FINISHING (soft stop: no new connection, requests in flight end), and has ENDED; it never goes back.
SIGTERM and SIGINT end it at once from either state, and the process then dies of that signal; SIGUSR1 finishes it and the
exit status is 0, at the latest after `hard-stop-after`. SIGHUP tells the servers' states. SIGUSR2 and SIGQUIT mean something
to HAProxy and nothing here: they are told and change nothing. SIGTTOU and SIGTTIN, which an old HAProxy's successor may send,
are ignored, since their default would suspend the process.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Final, Protocol

from balancer import model, states
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.daemon import Notifier
from balancer.messages import Messages

RUNNING: Final = "running"
FINISHING: Final = "finishing"
ENDED: Final = "ended"

# How long what a hard stop has ended may take to leave, as in HAProxy.
RESISTANCE_S: Final = 1.0


class Traffic(Protocol):
    """What a service needs of the traffic side (proxy.worker.Worker)."""

    @property
    def farm(self) -> Farm:
        """The state of all proxies and servers."""

    async def start(self) -> None:
        """Begins to accept."""

    def stop_softly(self) -> None:
        """Accepts no more, closes idle connections, lets exchanges finish."""

    async def wait_stopped(self) -> None:
        """Returns when no connection is left."""

    def kill(self) -> None:
        """Ends every request, each with its line; answers that have gone out still leave."""

    def abort(self) -> None:
        """Cuts everything at once."""


class Log(Protocol):
    """What a service needs of the log (observe.logger.Logger)."""

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        """Tells a proxy's log targets."""

    def process_event(self, severity: int, text: str) -> None:
        """Tells the process's own log targets."""

    def flush(self) -> None:
        """Sends what is still kept."""


class Announcer(EventLog):
    """Tells events to the log and, as HAProxy does, to whoever watches standard error; a daemon is quiet there."""

    def __init__(self, log: Log, messages: Messages) -> None:
        self.log = log
        self.messages = messages

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        """Tells a proxy's log targets, or the process's where no proxy is named."""
        if proxy_name:
            self.log.event(severity, proxy_name, text)
        else:
            self.log.process_event(severity, text)
        # HAProxy's labels do not follow the severities: only what silences a whole proxy is an alert.
        if severity == model.EMERG:
            self.messages.alert(text)
        else:
            self.messages.warning(text)


class Service:
    """One process that serves; `run` gives its exit status, negative for a signal to die of."""

    def __init__(
        self,
        traffic: Traffic,
        log: Log,
        announcer: EventLog,
        messages: Messages,
        loop: asyncio.AbstractEventLoop,
        hard_stop_after_s: float,
        notifier: Notifier,
        grace_s: float = 0.0,
    ) -> None:
        self.traffic = traffic
        self.log = log
        self.announcer = announcer
        self.messages = messages
        self.loop = loop
        self.hard_stop_after_s = hard_stop_after_s
        self.notifier = notifier
        self.grace_s = grace_s
        self.state = RUNNING
        self._status: asyncio.Future[int] = loop.create_future()
        self._finishing: asyncio.Task[None] | None = None
        self._hard_stop: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Service {self.state} pid={os.getpid()}>"

    def install_signal_handlers(self) -> None:
        """Sets every handler explicitly: a shell's `&` leaves SIGINT ignored, and that would be inherited."""
        for number, method in SIGNALS.items():
            self.loop.add_signal_handler(number, method, self)
        for number in (signal.SIGTTOU, signal.SIGTTIN):
            signal.signal(number, signal.SIG_IGN)

    def tell_ready(self) -> None:
        """Tells the supervisor that this process serves, and with a watchdog, from now on, that its loop still turns."""
        self.notifier.tell(f"READY=1\nMAINPID={os.getpid()}")
        if self.notifier.watchdog_s:
            self._tell_alive()

    def _tell_alive(self) -> None:
        self.notifier.tell("WATCHDOG=1")
        self.loop.call_later(self.notifier.watchdog_s / 2, self._tell_alive)

    async def run(self) -> int:
        """Waits for the end: 0 after a soft stop, -N to die of signal N, 1 where finishing itself failed."""
        status = await self._status
        if self._finishing is not None:
            self._finishing.cancel()
            await asyncio.gather(self._finishing, return_exceptions=True)
        return status

    def end_by_sigterm(self) -> None:
        """SIGTERM: everything is cut now."""
        self._end(-signal.SIGTERM)

    def end_by_sigint(self) -> None:
        """SIGINT: everything is cut now."""
        self._end(-signal.SIGINT)

    def finish(self) -> None:
        """SIGUSR1: no new connection; requests in flight end. A second one changes nothing."""
        if self.state != RUNNING:
            return
        self.state = FINISHING
        self.notifier.tell("STOPPING=1")
        if self.grace_s:
            self._tell(model.WARNING, f"stopping after {self.grace_s:g} s of grace.")
            self.loop.call_later(self.grace_s, self._stop_softly)
        else:
            self._stop_softly()

    def _stop_softly(self) -> None:
        if self.state != FINISHING:
            return
        self.traffic.stop_softly()
        self._tell_all(model.WARNING, states.stopped_lines(self.traffic.farm))
        if self.hard_stop_after_s:
            self._hard_stop = self.loop.call_later(self.hard_stop_after_s, self._stop_hard)
        self._finishing = self.loop.create_task(self._wait_stopped())

    def tell_states(self) -> None:
        """SIGHUP: the log gets the state of every proxy and server."""
        self._tell_all(model.NOTICE, states.sighup_lines(self.traffic.farm))

    def ignore_sigusr2(self) -> None:
        """SIGUSR2: HAProxy's master reloads on it; there is no master."""
        self._tell(model.NOTICE, "SIGUSR2 received: nothing is reloaded, there is no master process.")

    def ignore_sigquit(self) -> None:
        """SIGQUIT: HAProxy dumps its memory pools; there are none."""
        self._tell(model.NOTICE, "SIGQUIT received: nothing is dumped, there are no memory pools.")

    async def _wait_stopped(self) -> None:
        try:
            await self.traffic.wait_stopped()
        except Exception as error:  # noqa: BLE001 - the top of a task
            self.messages.alert(f"{self!r}: soft stop failed: {error!r}")
            self._end(1)
        else:
            self._end(0)

    def _stop_hard(self) -> None:
        self._tell(model.WARNING, "soft-stop running for too long, performing a hard-stop.")
        self._tell_all(model.WARNING, states.hard_stopped_lines(self.traffic.farm))
        self._hard_stop = self.loop.call_later(RESISTANCE_S, self._stop_resisting)
        self.traffic.kill()

    def _stop_resisting(self) -> None:
        self._tell(model.WARNING, "Some tasks resisted to hard-stop, exiting now.")
        self._end(0)

    def _end(self, status: int) -> None:
        if self.state == ENDED:
            return
        self.state = ENDED
        if self._hard_stop is not None:
            self._hard_stop.cancel()
        if status:
            self.notifier.tell("STOPPING=1")
        self.traffic.abort()
        self.log.flush()
        self._status.set_result(status)

    def _tell(self, severity: int, text: str) -> None:
        self.announcer.event(severity, "", text)

    def _tell_all(self, severity: int, lines: list[states.Line]) -> None:
        for proxy_name, text in lines:
            self.announcer.event(severity, proxy_name, text)


SIGNALS: Final[dict[signal.Signals, Callable[[Service], None]]] = {
    signal.SIGTERM: Service.end_by_sigterm,
    signal.SIGINT: Service.end_by_sigint,
    signal.SIGUSR1: Service.finish,
    signal.SIGHUP: Service.tell_states,
    signal.SIGUSR2: Service.ignore_sigusr2,
    signal.SIGQUIT: Service.ignore_sigquit,
}


def die_of(number: int) -> int:
    """Ends the process by that signal's default action, so that who waits for it sees what it sees of HAProxy.

    Process 1 of a container is spared by the kernel: for it this returns the status that a shell would report.
    """
    signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    return 128 + number
