"""Health checks: who is UP, and the event lines that tell it.

Each checked server has a task: wait, check, judge, wait. The first checks are spread, as HAProxy does it, over the shortest
interval that is not below a second, or over the server's own, so that a farm is not knocked at all at once. What a check does
is its backend's list of steps (`probe`): a connect alone, or HTTP. Errors that visitors meet (`observe`) and the steps of
`slowstart` arrive here, too. The lines, their order and severities are HAProxy's (original-setup 2.5, operations 4).
"""

import asyncio
import os
import random
from collections.abc import Callable
from typing import Final

from balancer import model
from balancer.backend import analysis
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.backend.probe import Probe
from balancer.backend.server import STARTING, STOPPED, STOPPING, Observer, Server
from balancer.backend.transitions import announce, warmed
from balancer.backend.verdicts import ANALYZED, CHECK_STATES, FAILED, PASSED_CONDITIONALLY, Verdict, reason_of

# Shorter intervals than this do not narrow the time over which the first checks are spread.
SPREAD_MIN_S: Final = 1.0
# `slowstart` goes in twentieths, but not faster than this.
WARM_STEPS: Final = 20
WARM_STEP_MIN_S: Final = 1.0
WARM_LOOK_S: Final = 0.1


class Checks(Observer):
    """The checks of one farm."""

    def __init__(
        self, farm: Farm, loop: asyncio.AbstractEventLoop, events: EventLog, chance: Callable[[], float] = random.random
    ) -> None:
        self.farm = farm
        self.loop = loop
        self.events = events
        self.chance = chance  # a number from 0.0 to 1.0
        self.tasks: list[asyncio.Task[None]] = []
        self.hurries: dict[Server, asyncio.Event] = {}
        self.node: bytes = (farm.config.process.node or os.uname().nodename).encode("utf-8", "surrogateescape")

    def start(self) -> None:
        """Starts one task for each checked server."""
        checked: list[tuple[Backend, Server]] = []
        for backend in self.farm.backends:
            if not backend.is_disabled:
                # Also those whose checks are switched off for now.
                checked.extend([(backend, server) for server in backend.servers if server.is_check_configured()])
        rising = [
            (backend, server) for backend in self.farm.backends for server in backend.servers if server.config.slowstart_s
        ]
        if rising:
            self.tasks.append(self.loop.create_task(self._warm(rising)))
        if not checked:
            return
        intervals_s = [server.check_interval_s() for _, server in checked]
        spread_s = min([each for each in intervals_s if each >= SPREAD_MIN_S], default=0.0)
        spread_max_s = self.farm.config.process.max_spread_checks_s
        for position, (backend, server) in enumerate(checked):
            server.observer = self
            self.hurries[server] = asyncio.Event()
            within_s = max(spread_s, intervals_s[position])
            if spread_max_s:
                within_s = min(within_s, spread_max_s)
            delay_s = within_s * position / len(checked)
            self.tasks.append(self.loop.create_task(self._watch(backend, server, delay_s)))

    def stop(self) -> None:
        """Ends all checks; states stay as they are."""
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()

    async def _watch(self, backend: Backend, server: Server, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        while True:
            try:
                if server.is_checked and not server.is_in_maintenance():
                    await self._check(backend, server)
            except Exception as error:  # noqa: BLE001 - the top of a task: one fault must not end the checks of a server
                self.events.event(model.ALERT, backend.name, f"the check of {server!r}: {error!r}")
            await self._pause(server)

    async def _check(self, backend: Backend, server: Server) -> None:
        started = self.loop.time()
        config = backend.config
        state_value = self.state_value(backend, server, started) if config.sends_state else b""
        accepts_404 = config.disables_on_404 and server.state != STOPPED
        server.check_is_running = True
        try:
            probe = Probe(self.loop, server.config, config, self.farm.config.process.bufsize, state_value, accepts_404)
            verdict = await probe.run()
        finally:
            server.check_is_running = False
        if server.is_checked and not server.is_in_maintenance():
            self.judged(backend, server, verdict, int((self.loop.time() - started) * 1000.0))

    async def _pause(self, server: Server) -> None:
        """Waits until the next check is due; an error that was observed may bring it nearer."""
        hurry = self.hurries[server]
        hurry.clear()
        due_at = self.loop.time() + self.pause_s(server)
        while True:
            try:
                async with asyncio.timeout_at(due_at):
                    await hurry.wait()
            except TimeoutError:
                return
            hurry.clear()
            due_at = min(due_at, self.loop.time() + server.config.fastinter_s)

    def pause_s(self, server: Server) -> float:
        """The pause before the next check: its interval, with `spread-checks` a little more or less."""
        interval_s = server.check_interval_s()
        percent = self.farm.config.process.spread_checks_percent
        return interval_s + interval_s * percent / 100.0 * (1.0 - 2.0 * self.chance()) if percent else interval_s

    def judged(self, backend: Backend, server: Server, verdict: Verdict, duration_ms: int) -> None:
        """Takes a verdict: counts it, shows it, and moves the server where it is enough of them."""
        now = self.loop.time()
        was_up, was_stopping = server.is_up(), server.state == STOPPING
        had_state = server.check_state
        server.keep_verdict(verdict, duration_ms)
        result = CHECK_STATES[verdict.name].result
        has_counted = server.count_failed() if result == FAILED else server.count_passed()
        reason = reason_of(verdict.name, verdict.code, verdict.info, duration_ms)
        if backend.config.logs_checks:
            if has_counted or verdict.name != had_state:
                self._log_check(backend, server, result, reason)
            reason = ""
        if server.settle(result):
            announce(backend, server, was_up, reason, self.events, now, was_stopping)

    def _log_check(self, backend: Backend, server: Server, result: int, reason: str) -> None:
        how = "failed" if result == FAILED else "conditionally succeeded" if result == PASSED_CONDITIONALLY else "succeeded"
        kind = "backup server" if server.is_backup else "server"
        if server.health >= server.rise_count:
            passed, of, word = server.health - server.rise_count + 1, server.fall_count, "UP" if server.weight else "DRAIN"
        else:
            passed, of, word = server.health, server.rise_count, "DOWN"
        text = f"Health check for {kind} {backend.name}/{server.name} {how}, {reason}, status: {passed}/{of} {word}."
        self.events.event(model.NOTICE, backend.name, text)

    # --- observe --------------------------------------------------------------------------------------------------------

    def saw(self, server: Server, sight: int) -> None:
        """Something that a visitor met at a server with `observe`."""
        meaning = analysis.MEANINGS[server.observes][sight]
        if meaning == analysis.IGNORED:
            return
        if meaning == analysis.SUCCESS:
            server.errors_in_a_row = 0
            return
        server.errors_in_a_row += 1
        config = server.config
        if server.errors_in_a_row < config.error_limit or server.is_in_maintenance():
            return
        text = analysis.error_text(server.errors_in_a_row, sight)
        if config.on_error != "fastinter":
            if config.on_error == "mark-down":
                server.health = server.rise_count
            elif config.on_error == "sudden-death" and server.health > server.rise_count:
                server.health = server.rise_count + 1
            backend = self.farm.backend_by_name[server.backend_name]
            self.judged(backend, server, Verdict(ANALYZED, 0, text), -1)
        server.errors_in_a_row = 0
        server.analyses_failed += 1
        if config.fastinter_s:
            self.hurries[server].set()

    # --- slowstart ------------------------------------------------------------------------------------------------------

    async def _warm(self, rising: list[tuple[Backend, Server]]) -> None:
        """Gives those who come back more and more of their weight."""
        stepped_at = [0.0 for _ in rising]
        while True:
            await asyncio.sleep(WARM_LOOK_S)
            now = self.loop.time()
            for position, (backend, server) in enumerate(rising):
                pause_s = max(WARM_STEP_MIN_S, server.config.slowstart_s / WARM_STEPS)
                if server.state == STARTING and now - max(server.changed_at, stepped_at[position]) >= pause_s:
                    stepped_at[position] = now
                    warmed(backend, server, self.events, now)

    # --- send-state -----------------------------------------------------------------------------------------------------

    def state_value(self, backend: Backend, server: Server, now: float) -> bytes:
        """What `X-Haproxy-Server-State` says: how the server is seen, its share, and who waits."""
        config = server.config
        share = sum([each.scaled_weight() for each in backend.servers if not each.is_backup and each.is_balanced()])
        if not share:
            share = sum([each.scaled_weight() for each in backend.backups if each.is_balanced()])
        text = (
            f"{server.health_text('no check')}; address={config.host}; port={config.port}; name={backend.name}/{server.name}; "
        )
        tail = (
            f"; weight={server.effective_weight()}/{(share + 15) // 16}; scur={server.served}/{backend.served_count()}; "
            f"qcur={server.queue.length}"
        )
        if server.state == STARTING:
            since_s = int(now - server.changed_at)
            tail += f"; throttle={max(1, 100 * since_s // max(1, int(config.slowstart_s + 0.999)))}%"
        return text.encode() + b"node=" + self.node + tail.encode()
