"""Users who click the Seaside counter, and an account of every session that moved or was lost.

A user has a cookie jar of his own and knows what the counter must show. A click is two requests, as a browser makes them: the
link, whose answer is a redirect, and the page behind it. Wrong stickiness never shows as an error here: it shows as a count
that is not what the user expects (the image that got the click knows no such session and begins a new one).
"""

import asyncio
import html
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp

COUNT: Final = re.compile(r"<h1>\s*(-?\d+)\s*</h1>")
PLUS: Final = re.compile(r'<a [^>]*href="([^"]+)"[^>]*>\s*\+\+\s*</a>')
LOOPBACK: Final = frozenset(["localhost", "127.0.0.1", "::1"])
PATIENCE_S: Final = 60.0
FAILURES_KEPT: Final = 1000


@dataclass(frozen=True)
class Plan:
    """What is to be done. Either `clicks` in all or `seconds` bounds it; `think_s` is each user's pause between clicks."""

    url: str
    users: int = 50
    clicks: int = 1000
    seconds: float = 0.0
    think_s: float = 0.0
    closes: bool = False
    cookie: str = "SEASIDE"


@dataclass
class Loss:
    """One session that is not where it was."""

    user: int
    at_s: float
    expected: int
    found: int
    cookie_before: str
    cookie_after: str


@dataclass
class Failure:
    """One click without the page that it leads to; the user begins anew."""

    user: int
    at_s: float
    what: str
    cookie: str


@dataclass
class Report:
    """What came of it. Latencies are milliseconds of one click (both requests)."""

    users: int
    clicks: int = 0
    requests: int = 0
    seconds: float = 0.0
    errors: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)  # the first FAILURES_KEPT of them
    lost: list[Loss] = field(default_factory=list)
    moved: list[Loss] = field(default_factory=list)
    servers: dict[str, int] = field(default_factory=dict)
    latency_ms: dict[str, float] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing failed and nobody lost anything."""
        return not self.errors and not self.lost and not self.moved

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def is_loopback(url: str) -> bool:
    """Whether the URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    return host in LOOPBACK or host.startswith("127.")


def percentile(values: list[float], share: float) -> float:
    """The value below which that share of the sorted values lies; 0.0 without values."""
    return values[min(len(values) - 1, int(share * len(values)))] if values else 0.0


class _Run:
    """One run: what all users share."""

    def __init__(self, plan: Plan, tick: Callable[[int], None]) -> None:
        self.plan = plan
        self.tick = tick
        self.report = Report(plan.users)
        self.errors: Counter[str] = Counter()
        self.servers: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.started_at = time.monotonic()
        self.begun = 0

    def may_click(self) -> bool:
        """Takes one click out of what is left, if anything is."""
        if self.plan.seconds:
            return time.monotonic() - self.started_at < self.plan.seconds
        self.begun += 1
        return self.begun <= self.plan.clicks

    async def user(self, number: int) -> None:
        """One user from the first visit to the last click."""
        connector = aiohttp.TCPConnector(limit=1, force_close=self.plan.closes)
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        jar = aiohttp.CookieJar(unsafe=True)
        async with aiohttp.ClientSession(connector=connector, cookie_jar=jar, timeout=timeout) as session:
            page = ""
            expected = 0
            before = ""
            while self.may_click():
                begun_at = time.monotonic()
                try:
                    if not page:
                        page = await self._get(session, self.plan.url)
                        expected, before = count_on(page), self._cookie(session)
                        self.servers[before] += 1
                    page = await self._get(session, next_link(page, self.plan.url))
                    expected += 1
                    found, after = count_on(page), self._cookie(session)
                except (aiohttp.ClientError, TimeoutError, PageError) as error:
                    self.errors[_name(error)] += 1
                    if len(self.report.failures) < FAILURES_KEPT:
                        at_s = time.monotonic() - self.started_at
                        self.report.failures.append(Failure(number, at_s, _name(error), before))
                    page = ""
                    continue
                self.latencies_ms.append((time.monotonic() - begun_at) * 1000.0)
                self.report.clicks += 1
                self.tick(self.report.clicks)
                if found != expected or after != before:
                    loss = Loss(number, time.monotonic() - self.started_at, expected, found, before, after)
                    (self.report.lost if found != expected else self.report.moved).append(loss)
                    expected, before = found, after
                if self.plan.think_s:
                    await asyncio.sleep(self.plan.think_s)

    async def _get(self, session: aiohttp.ClientSession, url: str) -> str:
        async with session.get(url) as answer:
            self.report.requests += 1 + len(answer.history)
            if answer.status != 200:
                raise PageError(f"status {answer.status}")
            return await answer.text(errors="replace")

    def _cookie(self, session: aiohttp.ClientSession) -> str:
        for cookie in session.cookie_jar:
            if cookie.key == self.plan.cookie:
                return cookie.value
        return ""

    def finished(self) -> Report:
        """The report, once all users are done."""
        report = self.report
        report.seconds = time.monotonic() - self.started_at
        report.errors = dict(self.errors)
        report.servers = dict(sorted(self.servers.items()))
        ordered = sorted(self.latencies_ms)
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
        report.latency_ms = {name: round(percentile(ordered, share), 2) for name, share in shares.items()}
        return report


class PageError(Exception):
    """An answer that is no counter page."""


def _name(error: Exception) -> str:
    return str(error) if isinstance(error, PageError) else type(error).__name__


def count_on(page: str) -> int:
    """What the counter shows."""
    found = COUNT.search(page)
    if found is None:
        raise PageError("no count on the page")
    return int(found[1])


def next_link(page: str, base: str) -> str:
    """Where `++` leads."""
    found = PLUS.search(page)
    if found is None:
        raise PageError("no ++ on the page")
    return urljoin(base, html.unescape(found[1]))


async def run(plan: Plan, tick: Callable[[int], None] = lambda _clicks: None) -> Report:
    """Lets all users click at once; `tick` is told the number of clicks so far."""
    running = _Run(plan, tick)
    await asyncio.gather(*(running.user(number) for number in range(plan.users)))
    return running.finished()
