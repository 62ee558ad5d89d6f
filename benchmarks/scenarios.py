"""The scenarios and the targets, as tables.

A family is one scenario over a scale (connections, servers); its members are named FAMILY-POINT and chosen together by the
family's name.
"""

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.contestants import OBVIOUS, OURS, REFERENCE
from benchmarks.traffic import Traffic

MIB: Final = 1 << 20
SERVER_COUNT: Final = 10

# The share of HAProxy's greatest rate at which latency is measured.
SATURATION_SHARE: Final = 0.7

CONNECTION_POINTS: Final = (1, 10, 100, 1000, 5000)
SERVER_POINTS: Final = (2, 10, 100, 1000)
IDLE_CONNECTIONS: Final = 8000

# What --quick makes of them: enough to see that everything works, too little to measure.
QUICK_POINTS: Final = {"connections": (10, 100), "servers": (2, 100)}
QUICK_IDLE_CONNECTIONS: Final = 400


@dataclass(frozen=True)
class Scenario:
    """What is asked of every contestant. `figure` is the one that is compared, `unit` what CPU time is counted by."""

    name: str
    text: str
    traffic: Traffic
    unit: str = "request"
    figure: str = "cpu_us"
    is_logged: bool = True
    server_count: int = SERVER_COUNT
    by_wrk: bool = False
    needs_own_servers: bool = False
    family: str = ""
    point: int = 0

    @property
    def is_alone(self) -> bool:
        """Whether each round has new processes, and no contestant runs beside the one that is measured."""
        return bool(self.family) or self.traffic.kind == "idle"

    @property
    def octets(self) -> tuple[int, ...]:
        """The sizes of bodies that it asks for."""
        _, mark, size = self.traffic.path.partition("/octets/")
        return (int(size),) if mark else ()


CLICKS: Final = Traffic(has_browser=True, is_sticky=True)


def _down(name: str, text: str, octets: int, connections: int) -> Scenario:
    return Scenario(name, text, Traffic(path=f"/octets/{octets}", connections=connections), unit="MiB")


def _up(name: str, text: str, octets: int, connections: int) -> Scenario:
    traffic = Traffic(path="/take", body_octets=octets, connections=connections)
    return Scenario(name, text, traffic, unit="MiB", needs_own_servers=True)


def _table() -> tuple[Scenario, ...]:
    connections = (
        Scenario(
            f"connections-{point}",
            f"clicks on {point} connections",
            replace(CLICKS, connections=point),
            family="connections",
            point=point,
        )
        for point in CONNECTION_POINTS
    )
    servers = (
        Scenario(
            f"servers-{point}",
            f"clicks with {point} servers, all checked",
            CLICKS,
            server_count=point,
            by_wrk=True,
            family="servers",
            point=point,
        )
        for point in SERVER_POINTS
    )
    return (
        Scenario("bare", "small GET on kept connections, our cookie and nothing else", Traffic(is_sticky=True), by_wrk=True),
        Scenario("keepalive", "clicks: a browser's 14 header lines and cookies, kept connections, sticky", CLICKS, by_wrk=True),
        Scenario("keepalive-nolog", "clicks, nothing is logged", CLICKS, by_wrk=True, is_logged=False),
        Scenario("first-visit", "a browser's lines without our cookie: it is inserted", Traffic(has_browser=True), by_wrk=True),
        Scenario(
            "connect-close",
            "connect, one click, close: the way Apache comes",
            replace(CLICKS, closes=True, connections=16),
        ),
        Scenario("post", "POST of 4 KiB, a browser's lines, sticky", replace(CLICKS, body_octets=4096), by_wrk=True),
        _down("down-64k", "bodies of 64 KiB from the server", 64 * 1024, 16),
        _down("down-1m", "bodies of 1 MiB from the server", MIB, 8),
        _down("down-100m", "bodies of 100 MiB from the server", 100 * MIB, 2),
        _up("up-1m", "bodies of 1 MiB to the server", MIB, 8),
        _up("up-100m", "bodies of 100 MiB to the server", 100 * MIB, 2),
        Scenario(
            "stream",
            "chunked answers without end, an event of 64 octets every 4 ms on each",
            Traffic(kind="stream", path="/events"),
            unit="event",
            needs_own_servers=True,
        ),
        Scenario(
            "websocket",
            "frames of 64 octets, echoed",
            Traffic(kind="websocket", path="/websocket"),
            unit="echo",
            needs_own_servers=True,
        ),
        Scenario(
            "idle",
            "connections that are kept after one click",
            replace(CLICKS, kind="idle", connections=IDLE_CONNECTIONS),
            unit="connection",
            figure="octets_per_connection",
        ),
        Scenario(
            "latency",
            "clicks at 70 % of the rate at which HAProxy is saturated, from the moment each was due",
            replace(CLICKS, kind="paced"),
            figure="p99_ms",
        ),
        *connections,
        *servers,
    )


SCENARIOS: Final = _table()


def names() -> list[str]:
    """Every name that chooses scenarios."""
    return list(dict.fromkeys(scenario.family or scenario.name for scenario in SCENARIOS)) + [
        scenario.name for scenario in SCENARIOS if scenario.family
    ]


def chosen(wanted: list[str], is_quick: bool) -> list[Scenario]:
    """The scenarios of these names, all without names; smaller ones for a quick run."""
    found = [each for each in SCENARIOS if not wanted or each.name in wanted or each.family in wanted]
    if not is_quick:
        return found
    return [_quick(each) for each in found if not each.family or each.point in QUICK_POINTS[each.family]]


def _quick(scenario: Scenario) -> Scenario:
    if scenario.traffic.kind != "idle":
        return scenario
    return replace(scenario, traffic=replace(scenario.traffic, connections=QUICK_IDLE_CONNECTIONS))


@dataclass(frozen=True)
class Target:
    """A promise: the median of the ratios of `figure` of one proxy to another's, at most or at least `limit`."""

    scenario: str
    limit: float
    text: str
    of: str = OURS
    to: str = REFERENCE
    is_at_least: bool = False

    def is_met(self, ratio: float) -> bool:
        """Whether a measured ratio keeps it."""
        return ratio >= self.limit if self.is_at_least else ratio <= self.limit


@dataclass(frozen=True)
class GrowthTarget:
    """A promise: our CPU per request at the greater point over that at the lesser one."""

    family: str
    lesser: int
    greater: int
    limit: float
    of: str = OURS

    def is_met(self, ratio: float) -> bool:
        """Whether a measured growth keeps it."""
        return ratio < self.limit


TARGETS: Final[tuple[Target, ...]] = (
    Target("keepalive", 0.75, "small GET keep-alive, browser headers, sticky"),
    Target("keepalive-nolog", 1.00, "the same without log"),
    Target("first-visit", 0.80, "first visit, cookie inserted"),
    Target("connect-close", 0.60, "connect, one request, close (Apache's way)"),
    Target("post", 0.85, "POST 4 KiB"),
    Target("down-64k", 0.80, "64 KiB down"),
    Target("down-1m", 0.50, "1 MiB down"),
    Target("down-100m", 0.35, "100 MiB down"),
    Target("up-1m", 0.60, "1 MiB up"),
    Target("up-100m", 0.40, "100 MiB up"),
    Target("stream", 1.00, "small chunks"),
    Target("latency", 1.00, "p99 latency at 70 % of HAProxy's saturation"),
    Target("idle", 2.00, "resident octets per idle connection"),
    Target("keepalive", 8.00, "aiohttp reverse proxy, CPU per request / ours", OBVIOUS, OURS, is_at_least=True),
)
GROWTH_TARGETS: Final[tuple[GrowthTarget, ...]] = (
    GrowthTarget("connections", 10, 5000, 1.15),
    GrowthTarget("servers", 2, 1000, 1.15),
)
