"""An image that is stopped: the kernel goes on taking its connections, so only a check that wants an answer sees it.

Two sections serve the same images, one with checks by HTTP, one with checks by TCP. The first moves the users of the frozen
image to others, the second leaves them to wait; and no check opens a session in an image.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from program import SyslogReceiver
from running import BALANCER, Program, free_port, running, wait_until

from balancer.demo import Image

COUNTER: Final = "/seaside/examples/counter"
FILE: Final = "/seaside/files/WAStandardFiles/toolbar.css"
IMAGES: Final = 3

CHECKS: Final = {
    "a page that is not there": "    option httpchk GET /\n    http-check expect status 404\n",
    "a file": f"    option httpchk GET {FILE} HTTP/1.1\n    http-check send hdr Host linuxweb1\n",
}


@dataclass
class Stage:
    """Images behind a balancer."""

    images: list[Image]
    log: SyslogReceiver
    by_http: int
    by_tcp: int
    balancer: Program

    async def get(self, port: int, cookie: str = "", patience_s: float = 10.0) -> tuple[int, str]:
        """A visit to the counter: its status and the image that the answer's cookie names, "" where it sets none."""
        async with asyncio.timeout(patience_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            line = f"Cookie: SEASIDE={cookie}\r\n" if cookie else ""
            writer.write(f"GET {COUNTER} HTTP/1.1\r\nHost: linuxweb1\r\n{line}Connection: close\r\n\r\n".encode())
            try:
                answer = await reader.read()
            finally:
                writer.close()
        cookies = re.findall(rb"(?i)\r\nset-cookie: SEASIDE=([^;\r]*)", answer)
        return int(answer.split(b" ")[1]), cookies[0].decode() if cookies else ""

    async def told(self, text: str) -> None:
        """Waits for a line of the log."""
        await asyncio.to_thread(self.log.wait_for, text)


def configuration(images: list[Image], log: int, by_http: int, by_tcp: int, check: str) -> str:
    """Both sections."""
    servers = "".join(f"    server app{n} 127.0.0.1:{image.port} cookie app{n} check\n" for n, image in enumerate(images, 1))
    return (
        f"global\n    log 127.0.0.1:{log} local0\n"
        "defaults\n    log global\n    mode http\n    option httplog\n    option redispatch\n    retries 3\n"
        "    timeout connect 500\n    timeout client 20s\n    timeout server 20s\n    cookie SEASIDE insert nocache\n"
        "    default-server inter 200 fall 2 rise 1 on-marked-down shutdown-sessions\n"
        f"listen byhttp\n    bind 127.0.0.1:{by_http}\n{check}{servers}"
        f"listen bytcp\n    bind 127.0.0.1:{by_tcp}\n{servers}"
    )


@asynccontextmanager
async def stage(folder: Path, check: str) -> AsyncIterator[Stage]:
    """Three images and the balancer."""
    async with AsyncExitStack() as stack:
        images = [await stack.enter_async_context(Image(f"app{n}", port=0, number=n)) for n in range(1, IMAGES + 1)]
        log = stack.enter_context(SyslogReceiver())
        by_http, by_tcp = free_port(), free_port()
        file = folder / "frozen.cfg"
        file.write_text(configuration(images, log.port, by_http, by_tcp, check))
        balancer = stack.enter_context(running([*BALANCER, "-db", "-f", str(file)], folder / "balancer.out"))
        await asyncio.to_thread(balancer.wait_for_port, by_tcp)
        yield Stage(images, log, by_http, by_tcp, balancer)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
async def test_a_check_by_http_finds_a_frozen_image_and_its_users_move(tmp_path: Path, check: str) -> None:
    async with stage(tmp_path, check) as scene:
        status, home = await scene.get(scene.by_http)
        assert (status, home) == (200, "app1")
        assert await scene.get(scene.by_http, home) == (200, "")  # sticky
        await scene.images[0].freeze()
        waiting = asyncio.ensure_future(scene.get(scene.by_http, home))  # a user who is inside when it happens
        await scene.told("Server byhttp/app1 is DOWN, reason: Layer7 timeout, ")
        assert (await waiting)[0] == 502  # cut by shutdown-sessions: whether the image ran the request nobody knows
        status, other = await scene.get(scene.by_http, home)
        assert status == 200
        assert other in ("app2", "app3")
        # By TCP the image looks well: its users wait on.
        with pytest.raises(TimeoutError):
            await scene.get(scene.by_tcp, home, patience_s=1.0)
        assert not any("Server bytcp/" in text for _, text in scene.log.lines())
        await scene.images[0].thaw()
        await scene.told("Server byhttp/app1 is UP, reason: Layer7 check passed, ")
        assert await scene.get(scene.by_http, home) == (200, "")


async def test_checks_open_no_session(tmp_path: Path) -> None:
    async with stage(tmp_path, CHECKS["a page that is not there"]) as scene:
        before = scene.images[0].site.counters.requests

        def checked_often() -> bool:
            return scene.images[0].site.counters.requests > before + 5

        await asyncio.to_thread(wait_until, checked_often, "some checks")
        assert [image.site.live_session_count() for image in scene.images] == [0] * IMAGES
