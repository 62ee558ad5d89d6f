"""Fifty users on ten images through the real Apache and the balancer: nobody loses a session but those whose image forgot it.

The users are those of `python -m benchmarks load`: each knows what the counter must show, so a wrong turn is seen at once.
"""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from apache import apache_file, readable_folder
from peers import require_peer
from program import SyslogReceiver
from running import BALANCER, free_port, running, wait_until

from balancer.demo import Image

ROOT: Final = Path(__file__).resolve().parents[2]
USERS: Final = 50
PATH: Final = "/seaside/examples/counter"


def configuration(port: int, images: list[Image], log: int) -> str:
    """The original's proxy, with checks and pauses that fit a test."""
    servers = "".join(
        f"    server app{n} 127.0.0.1:{image.port} cookie app1inst{n} check inter 200 fall 2 rise 1\n"
        for n, image in enumerate(images, 1)
    )
    return (
        f"global\n    log 127.0.0.1:{log} local0\n    maxconn 1000\n"
        "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n"
        "    option redispatch\n    retries 3\n"
        "    timeout connect 300\n    timeout client 20000\n    timeout server 10000\n"
        f"listen smalltalk\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert nocache\n    balance roundrobin\n{servers}"
    )


@dataclass
class Farm:
    """Everything between the users and the images."""

    images: list[Image]
    log: SyslogReceiver
    url: str
    folder: Path

    def clicks(self) -> int:
        """What all images have counted."""
        return sum(image.counters.clicks for image in self.images)

    async def load(self, *words: str) -> dict[str, Any]:
        """Lets the users click; their report."""
        report = self.folder / "report.json"
        command = [sys.executable, "-m", "benchmarks", "load", self.url, "--users", str(USERS), "--json", str(report), *words]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert report.exists(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(report.read_text())
        return found


@asynccontextmanager
async def farm() -> AsyncIterator[Farm]:
    """Apache, the balancer, ten images."""
    apache = require_peer("apache2")
    port, balancer_port = free_port(), free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(readable_folder())
        log = stack.enter_context(SyslogReceiver())
        async with AsyncExitStack() as images_stack:
            images = [await images_stack.enter_async_context(Image(f"app{n}", port=0, number=n)) for n in range(1, 11)]
            (folder / "www").mkdir()
            (folder / "balancer.cfg").write_text(configuration(balancer_port, images, log.port))
            (folder / "apache.conf").write_text(apache_file(folder, port, balancer_port).replace("Child 25", "Child 100"))
            balancer = stack.enter_context(
                running([*BALANCER, "-db", "-f", str(folder / "balancer.cfg")], folder / "balancer.out")
            )
            server = stack.enter_context(running([apache, "-X", "-f", str(folder / "apache.conf")], folder / "apache.out"))
            await asyncio.to_thread(balancer.wait_for_port, balancer_port)
            await asyncio.to_thread(server.wait_for_port, port)
            yield Farm(images, log, f"http://127.0.0.1:{port}{PATH}", folder)


async def until(holds: Callable[[], bool]) -> None:
    """Returns when it holds; the test's own limit of time ends it otherwise."""
    while not holds():
        await asyncio.sleep(0.02)


async def test_a_thousand_clicks_of_fifty_users_lose_no_session() -> None:
    async with farm() as all_of_it:
        report = await all_of_it.load("--clicks", "1000")
        assert (report["clicks"], report["errors"], report["lost"], report["moved"]) == (1000, {}, [], [])
        assert sorted(report["servers"].values()) == [5] * 10
        assert all_of_it.clicks() == 1000


async def test_only_the_sessions_of_an_image_that_dies_or_restarts_are_lost() -> None:
    async with farm() as all_of_it:
        images = all_of_it.images

        async def faults() -> None:
            await until(lambda: all(image.counters.clicks > 5 for image in images))
            await images[2].die()
            await images[4].restart()

        report = await _both(all_of_it.load("--seconds", "5", "--think", "0.02"), faults())
        lost = report["lost"]
        # A click that was in the image when it died has no answer; that user begins anew and is counted as an error.
        broken = report["failures"]
        hit = {(each["user"], each["cookie_before"]) for each in lost} | {(each["user"], each["cookie"]) for each in broken}
        assert Counter(cookie for _, cookie in hit) == {"app1inst3": 5, "app1inst5": 5}, (lost, broken)
        assert {each["what"] for each in broken} <= {"status 502"}
        assert report["moved"] == []
        # Those of the dead image are elsewhere now, those of the restarted one came back to it.
        for each in lost:
            assert (each["cookie_after"] == each["cookie_before"]) == (each["cookie_before"] == "app1inst5")
        # Nothing was clicked twice. A click of a lost session may have been counted before the session went (its redirect came,
        # the page behind it did not), or have met an image that no longer knew it.
        assert report["clicks"] - len(lost) <= all_of_it.clicks() <= report["clicks"] + len(broken)
        lines = [text for _, text in all_of_it.log.lines()]
        assert any("Server smalltalk/app3 is DOWN" in line for line in lines)
        assert any(" --DI " in line and "/+" in line for line in lines)
        assert not any("is DOWN" in line and "app3 " not in line for line in lines)


async def test_an_image_that_stalls_or_refuses_for_a_moment_loses_nobody() -> None:
    async with farm() as all_of_it:
        images = all_of_it.images

        async def faults() -> None:
            await until(lambda: all(image.counters.clicks > 5 for image in images))
            await images[6].freeze()
            await images[7].refuse()
            # Users of app8 are being retried, users of app7 wait: both images come back with all they had.
            before = images[7].counters.clicks
            await asyncio.sleep(0.15)
            await images[7].start()
            await images[6].thaw()
            await until(lambda: images[7].counters.clicks > before)

        report = await _both(all_of_it.load("--seconds", "4", "--think", "0.02"), faults())
        assert (report["errors"], report["lost"], report["moved"]) == ({}, [], [])
        assert all_of_it.clicks() == report["clicks"]
        wait_until(lambda: len(all_of_it.log.datagrams) > report["clicks"], "a line for each request")


async def _both(load: Awaitable[dict[str, Any]], faults: Awaitable[None]) -> dict[str, Any]:
    """The report of the users, while the faults happen."""
    happening = asyncio.ensure_future(faults)
    report = await load
    await happening
    return report
