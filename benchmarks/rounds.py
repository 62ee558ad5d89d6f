"""Interleaved rounds: A B C A B C ..., so that a machine whose speed drifts drifts for all alike.

Each scenario starts its servers, its sink and all contestants anew, warms each up, and measures them in turns. CPU time is that
of the proxy's processes, from the kernel's accounting.
"""

import itertools
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from benchmarks import likeness, machine, namespace, wrk
from benchmarks.contestants import OURS, REFERENCE, Contestant, Running, Site, running
from benchmarks.generator import Job, Result
from benchmarks.origins import farm, own_program, sink
from benchmarks.processes import Program
from benchmarks.results import Figures, Measured, Outcome, Series
from benchmarks.scenarios import MIB, SATURATION_SHARE, Scenario

SATURATION_S_MIN: Final = 0.3
WARM_CONNECTIONS: Final = 64
SATURATION_ROUNDS: Final = 3
# An idle load needs two descriptors a connection in the proxy, and some for the rest.
SPARE_DESCRIPTORS: Final = 1500
SETTLED_PAUSE_S: Final = 0.05
SETTLED_COUNT: Final = 4
SETTLE_PATIENCE_S: Final = 5.0


# Told each measurement that begins: the scenario's name, the round and the proxy.
Step = Callable[[str, str], None]


@dataclass(frozen=True)
class Plan:
    """How much is measured, of whom, and where it runs."""

    scenarios: list[Scenario]
    contestants: list[Contestant]
    round_count: int
    seconds: float
    warm_up_s: float
    network: namespace.Network
    proxy_cores: set[int]
    other_cores: set[int]


def run(plan: Plan, step: Step) -> Outcome:
    """Measures."""
    descriptors = machine.raise_descriptors()
    settings = {
        "rounds": plan.round_count,
        "seconds": plan.seconds,
        "warm_up_s": plan.warm_up_s,
        "proxy_cores": sorted(plan.proxy_cores),
        "other_cores": sorted(plan.other_cores),
        "congestion_control": str(plan.network),
    }
    told = machine.describe([sys.executable, "-P", "-m", "balancer"])
    outcome = Outcome(told, settings, {each.name: each.differs for each in plan.contestants})
    for group in groups(plan.scenarios):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name, ExitStack() as stack:
            benches = [Bench(plan, fitted(each, descriptors), Path(name), stack, step) for each in group]
            if group[0].is_alone:
                for number in range(plan.round_count):
                    for bench in benches:
                        bench.round_alone(number)
            else:
                for bench in benches:
                    bench.rounds_together()
            outcome.scenarios += [bench.measured() for bench in benches]
    return outcome


def groups(scenarios: list[Scenario]) -> list[list[Scenario]]:
    """What is measured in common rounds: the members of a family, so that growth is of one time; each other for itself."""
    return [list(members) for _, members in itertools.groupby(scenarios, lambda each: each.family or each.name)]


def fitted(scenario: Scenario, descriptors: int) -> Scenario:
    """The scenario with no more connections than the limit of descriptors allows a proxy to join."""
    most = (descriptors - SPARE_DESCRIPTORS) // 2
    if scenario.traffic.connections <= most:
        return scenario
    return replace(scenario, traffic=replace(scenario.traffic, connections=most))


class Bench:
    """One scenario with its farm and its sink; contestants are started as they are needed."""

    def __init__(self, plan: Plan, scenario: Scenario, folder: Path, stack: ExitStack, step: Step) -> None:
        self.plan = plan
        self.scenario = scenario
        self.folder = folder / scenario.name
        self.folder.mkdir()
        self.stack = stack
        self.step = step
        self.all_series = [Series(each.name) for each in plan.contestants]
        self.rates: dict[str, float] = {}
        congestion = plan.network.own_ends
        self.origins = stack.enter_context(
            farm(scenario.server_count, scenario.octets, scenario.needs_own_servers, congestion, self.folder, plan.other_cores)
        )
        self.sink = stack.enter_context(sink(self.folder, plan.other_cores))
        self.site = Site(self.origins.addresses, self.sink.port, scenario.is_logged)

    def measured(self) -> Measured:
        """All of it, once it is measured."""
        return Measured(
            name=self.scenario.name,
            text=self.scenario.text,
            unit=self.scenario.unit,
            figure=self.scenario.figure,
            family=self.scenario.family,
            point=self.scenario.point,
            load="wrk" if self._uses_wrk(self.scenario) else "own",
            servers=f"{self.scenario.server_count} of {self.origins.kind}",
            settings={**asdict(self.scenario.traffic), "is_logged": self.scenario.is_logged, **self.rates},
            all_series=self.all_series,
        )

    def rounds_together(self) -> None:
        """All rounds, with all contestants running: whoever is not measured has nothing to do but its checks."""
        started = [self._started(contestant, self.stack) for contestant in self.plan.contestants]
        if self.scenario.traffic.kind == "paced":
            saturated = self._saturation(started)
            self.rates = {"saturation": round(saturated), "rate": max(1, round(saturated * SATURATION_SHARE))}
            self.scenario = replace(self.scenario, traffic=replace(self.scenario.traffic, rate=self.rates["rate"]))
        for each in started:
            self._warm_up(each, self.scenario)
        for number in range(self.plan.round_count):
            for each, series in zip(started, self.all_series, strict=True):
                self._tell(number, series)
                series.rounds.append(self._loaded(each))

    def round_alone(self, number: int) -> None:
        """One round in which each contestant is started anew and runs alone: no checks of others, no memory of earlier load."""
        for contestant, series in zip(self.plan.contestants, self.all_series, strict=True):
            self._tell(number, series)
            with ExitStack() as stack:
                started = self._started(contestant, stack)
                is_idle = self.scenario.traffic.kind == "idle"
                warm = replace(self.scenario.traffic, kind="request", connections=WARM_CONNECTIONS)
                self._warm_up(started, replace(self.scenario, traffic=warm) if is_idle else self.scenario)
                series.rounds.append(self._idle(started) if is_idle else self._loaded(started))

    def _loaded(self, contestant: Running) -> Figures:
        """What the load costs, all of it, from when its connections stand."""
        result, used_s = self._drive(contestant, self.plan.seconds, self.scenario)
        return figures(self.scenario, result, used_s, contestant.program.resident_kib())

    def _idle(self, contestant: Running) -> Figures:
        """What the connections that are open add to a proxy that has served before."""
        before_kib = settled_kib(contestant.program)
        before_s = contestant.program.cpu_s()
        with self._generator(self._job(contestant.port, 0.0, self.scenario)) as program:
            program.line()
            program.ask()
            opened = int(program.line())
            after_kib = settled_kib(contestant.program)
            used_s = contestant.program.cpu_s() - before_s
            program.release()
            result = Result(**json.loads(program.line()))
        told = figures(self.scenario, result, used_s, after_kib)
        return replace(told, octets_per_connection=(after_kib - before_kib) * 1024 / max(1, opened))

    def _saturation(self, started: list[Running]) -> float:
        """Requests a second that HAProxy takes at most, ours where HAProxy is left out; the median of some rounds."""
        by_name = {each.contestant.name: each for each in started}
        chosen = by_name.get(REFERENCE) or by_name.get(OURS) or started[0]
        closed = replace(self.scenario, traffic=replace(self.scenario.traffic, kind="request"))
        rates = []
        for _ in range(SATURATION_ROUNDS):
            result, _ = self._drive(chosen, max(SATURATION_S_MIN, self.plan.seconds / 2), closed)
            rates.append(result.done / result.seconds)
        return statistics.median(rates)

    def _warm_up(self, contestant: Running, scenario: Scenario) -> None:
        if self.plan.warm_up_s:
            self._drive(contestant, self.plan.warm_up_s, scenario)

    def _started(self, contestant: Contestant, stack: ExitStack) -> Running:
        started = stack.enter_context(running(contestant, self.site, self.folder, self.plan.proxy_cores))
        likeness.check(started, self.site, self.sink)
        return started

    def _uses_wrk(self, scenario: Scenario) -> bool:
        return scenario.by_wrk and wrk.is_there()

    def _job(self, port: int, seconds: float, scenario: Scenario) -> Job:
        return Job(port, seconds, scenario.server_count, self.plan.network.own_ends, scenario.traffic)

    def _drive(self, contestant: Running, seconds: float, scenario: Scenario) -> tuple[Result, float]:
        """One load, and the proxy's time on the processor for it."""
        job = self._job(contestant.port, seconds, scenario)
        if self._uses_wrk(scenario):
            before_s = contestant.program.cpu_s()
            return wrk.drive(job, self.folder, self.plan.other_cores), contestant.program.cpu_s() - before_s
        with self._generator(job) as program:
            program.line()  # its connections stand
            before_s = contestant.program.cpu_s()
            program.ask()
            result = Result(**json.loads(program.line()))
            return result, contestant.program.cpu_s() - before_s

    def _generator(self, job: Job) -> Program:
        words = [sys.executable, "-m", "benchmarks.generator", json.dumps(asdict(job))]
        return own_program("generator", words, self.folder, self.plan.other_cores)

    def _tell(self, number: int, series: Series) -> None:
        self.step(self.scenario.name, f"{number + 1}/{self.plan.round_count}: {series.name}")


def figures(scenario: Scenario, result: Result, used_s: float, resident_kib: int) -> Figures:
    """The figures of one round."""
    octets = result.octets + result.done * scenario.traffic.body_octets
    work = octets / MIB if scenario.unit == "MiB" else float(result.done)
    return Figures(
        cpu_us=used_s * 1e6 / work if work else 0.0,
        rate=work / result.seconds if result.seconds else 0.0,
        p50_ms=result.latency_ms.get("p50", 0.0),
        p99_ms=result.latency_ms.get("p99", 0.0),
        p999_ms=result.latency_ms.get("p99.9", 0.0),
        resident_kib=resident_kib,
        failed=result.failed,
        late_p99_ms=result.late_ms.get("p99", 0.0),
    )


def settled_kib(program: Program) -> int:
    """Resident memory once it has stopped to change."""
    deadline_s = time.monotonic() + SETTLE_PATIENCE_S
    seen = [program.resident_kib()]
    while time.monotonic() < deadline_s and (len(seen) < SETTLED_COUNT or len(set(seen[-SETTLED_COUNT:])) > 1):
        time.sleep(SETTLED_PAUSE_S)
        seen.append(program.resident_kib())
    return seen[-1]
