"""Users who click through a site, and an account of every session that moved or was lost.

A user has a cookie jar of his own. A click is all that a browser does for one: the link, whose answer may be a redirect, and
the page behind it. In a closed loop each user clicks as soon as he has his page and has thought. At a constant rate clicks fall
due whatever comes back, are done by whoever is free, and their latency counts from when they were due: a site that stalls does
not make its own load lighter (no coordinated omission). Nobody follows a link or a redirect to another host.
"""

import asyncio
import time
from collections import Counter, deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final
from urllib.parse import urljoin, urlsplit

import aiohttp

from benchmarks.walks import PageError, Walk, Walks

LOOPBACK: Final = frozenset(["localhost", "127.0.0.1", "::1"])
PATIENCE_S: Final = 60.0
FAILURES_KEPT: Final = 1000
REDIRECTS: Final = frozenset([301, 302, 303, 307, 308])
REDIRECTS_MAX: Final = 10
SHARES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
# What the live view calls now.
RECENT_S: Final = 5.0


@dataclass(frozen=True)
class Plan:
    """What is to be done. Either `clicks` in all or `seconds` bounds it; `think_s` is each user's pause between clicks.

    `rate` is clicks a second for all users together; 0 is the closed loop.
    """

    url: str
    users: int = 50
    clicks: int = 1000
    seconds: float = 0.0
    think_s: float = 0.0
    rate: float = 0.0
    closes: bool = False
    cookie: str = "SEASIDE"


@dataclass
class Loss:
    """One session that is not where it was."""

    user: int
    at_s: float
    expected: str
    found: str
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
    """What came of it. Latencies are milliseconds of one click with all its requests, from when it was due."""

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
    undone: int = 0  # clicks that were due at the end and had found no free user

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


def percentiles(values: list[float]) -> dict[str, float]:
    """The percentiles of unsorted values, 0.0 without any."""
    ordered = sorted(values)
    last = len(ordered) - 1
    return {name: round(ordered[min(last, int(share * len(ordered)))], 2) if ordered else 0.0 for name, share in SHARES.items()}


class Run:
    """One run: what all users share. A live view reads it while it goes."""

    def __init__(self, plan: Plan, walks: Walks) -> None:
        self.plan = plan
        self.walks = walks
        self.report = Report(plan.users)
        self.errors: Counter[str] = Counter()
        self.servers: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.recent: deque[tuple[float, float]] = deque()  # when a click was done, and its latency
        self.started_at = time.monotonic()
        self.begun = 0

    async def finish(self) -> Report:
        """Lets all users click; the report, once all are done."""
        self.started_at = time.monotonic()
        users = [User(self, number) for number in range(self.plan.users)]
        try:
            if self.plan.rate:
                await self._at_a_rate(users)
            else:
                await asyncio.gather(*(user.loop() for user in users))
        finally:
            for user in users:
                await user.close()
        return self.told()

    def told(self) -> Report:
        """The report as it stands."""
        report = self.report
        report.seconds = self.elapsed_s()
        report.errors = dict(self.errors)
        report.servers = dict(sorted(self.servers.items()))
        report.latency_ms = percentiles(self.latencies_ms)
        return report

    def elapsed_s(self) -> float:
        """Since the first click fell due."""
        return time.monotonic() - self.started_at

    def may_click(self) -> bool:
        """Takes one click out of what is left, if anything is."""
        if self.plan.seconds:
            return self.elapsed_s() < self.plan.seconds
        self.begun += 1
        return self.begun <= self.plan.clicks

    def note(self, latency_ms: float) -> None:
        """One click is done."""
        self.report.clicks += 1
        self.latencies_ms.append(latency_ms)
        now_s = time.monotonic()
        self.recent.append((now_s, latency_ms))
        while self.recent[0][0] < now_s - RECENT_S:
            self.recent.popleft()

    async def _at_a_rate(self, users: list["User"]) -> None:
        """Clicks fall due by the clock; the user who has been free for longest takes the oldest one that waits."""
        due: asyncio.Queue[float | None] = asyncio.Queue()

        async def serve(user: User) -> None:
            while (due_s := await due.get()) is not None:
                await user.click(due_s)
                await asyncio.sleep(self.plan.think_s)

        serving = [asyncio.ensure_future(serve(user)) for user in users]
        number = 0
        while True:
            next_s = self.started_at + number / self.plan.rate
            await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            if not self.may_click():
                break
            due.put_nowait(next_s)
            number += 1
        while self.plan.seconds and not due.empty():
            due.get_nowait()
            self.report.undone += 1
        for _ in users:
            due.put_nowait(None)
        await asyncio.gather(*serving)


class User:
    """One user from the first visit to the last click."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self.session: aiohttp.ClientSession | None = None
        self.walk: Walk | None = None
        self.cookie = ""

    async def loop(self) -> None:
        """A click, a thought, a click."""
        while self.run.may_click():
            await self.click(time.monotonic())
            if self.run.plan.think_s:
                await asyncio.sleep(self.run.plan.think_s)

    async def click(self, due_s: float) -> None:
        """One click, with the first visit before it where there is no session yet."""
        run = self.run
        try:
            if self.walk is None:
                walk = run.walks(self.number)
                walk.begin(await self._get(run.plan.url))
                self.walk, self.cookie = walk, self._cookie()
                run.servers[self.cookie] += 1
            gone = self.walk.arrive(await self._get(self.walk.next_url()))
        except (aiohttp.ClientError, TimeoutError, PageError) as error:
            self._failed(str(error) if isinstance(error, PageError) else type(error).__name__)
            return
        run.note((time.monotonic() - due_s) * 1000.0)
        before, self.cookie = self.cookie, self._cookie()
        if gone is not None:
            run.report.lost.append(Loss(self.number, run.elapsed_s(), gone.expected, gone.found, before, self.cookie))
        elif self.cookie != before:
            run.report.moved.append(Loss(self.number, run.elapsed_s(), "", "", before, self.cookie))

    async def close(self) -> None:
        """Leaves."""
        if self.session is not None:
            await self.session.close()

    def _failed(self, what: str) -> None:
        self.run.errors[what] += 1
        if len(self.run.report.failures) < FAILURES_KEPT:
            self.run.report.failures.append(Failure(self.number, self.run.elapsed_s(), what, self.cookie))
        self.walk = None

    async def _get(self, url: str) -> str:
        if self.session is None:
            connector = aiohttp.TCPConnector(limit=1, force_close=self.run.plan.closes)
            timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
            self.session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.CookieJar(unsafe=True), timeout=timeout
            )
        for _ in range(REDIRECTS_MAX):
            if urlsplit(url).hostname != urlsplit(self.run.plan.url).hostname:
                raise PageError(f"leads to another host, {urlsplit(url).hostname}")
            async with self.session.get(url, allow_redirects=False) as answer:
                self.run.report.requests += 1
                if answer.status in REDIRECTS and "Location" in answer.headers:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                if answer.status != 200:
                    raise PageError(f"status {answer.status}")
                return await answer.text(errors="replace")
        raise PageError("redirects without end")

    def _cookie(self) -> str:
        for cookie in self.session.cookie_jar if self.session is not None else ():
            if cookie.key == self.run.plan.cookie:
                return cookie.value
        return ""
