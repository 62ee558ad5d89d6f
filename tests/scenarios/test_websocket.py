"""WebSockets with real peers: the `websockets` library on both sides, and a page in a real browser.

The page is served, and its socket opened, through the balancer before two servers; what it saw it reports by one last request.
"""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import pytest
import websockets
from peers import require_peer
from program import Balancer, SyslogReceiver
from running import free_port, wait_until
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

PATIENCE_S: Final = 20.0
LARGE: Final = 2 << 20
LINGER_NONE: Final = b"\1\0\0\0\0\0\0\0"
PAGE: Final = """<!doctype html><title>echo</title><script>
const seen = {sizes: [], texts: []};
const report = () => fetch("/report?" + encodeURIComponent(JSON.stringify(seen)));
const socket = new WebSocket(`ws://${location.host}/ws`);
socket.binaryType = "arraybuffer";
socket.onopen = () => { socket.send("hello"); socket.send(new Uint8Array(SIZE).fill(7)); };
socket.onmessage = event => {
  if (typeof event.data == "string") seen.texts.push(event.data);
  else {
    const octets = new Uint8Array(event.data);
    seen.sizes.push(octets.length);
    seen.intact = octets.every(octet => octet == 7);
    socket.close(1000, "done");
  }
};
socket.onclose = event => { seen.code = event.code; seen.clean = event.wasClean; report(); };
</script>""".replace("SIZE", str(LARGE))


@dataclass
class Echo:
    """One application server: the page, the echo, and what came."""

    name: str
    reports: list[dict[str, Any]] = field(default_factory=list)
    sockets: list[ServerConnection] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    async def talk(self, connection: ServerConnection) -> None:
        """Says who it is, then echoes."""
        self.sockets.append(connection)
        await connection.send(self.name)
        async for message in connection:
            await connection.send(message)

    def page(self, connection: ServerConnection, request: Request) -> Response | None:
        """Answers what is no WebSocket."""
        path, _, query = request.path.partition("?")
        self.paths.append(path)
        if path == "/ws":
            return None
        if path == "/report":
            self.reports.append(json.loads(urllib.parse.unquote(query)))
            return connection.respond(HTTPStatus.OK, "thank you\n")
        if path == "/refused":
            return connection.respond(HTTPStatus.FORBIDDEN, "no\n")
        answer = connection.respond(HTTPStatus.OK, PAGE)
        del answer.headers["Content-Type"]
        answer.headers["Content-Type"] = "text/html; charset=utf-8"
        return answer


@dataclass
class Stage:
    """The balancer before two of them."""

    port: int
    log: SyslogReceiver
    balancer: Balancer
    echoes: list[Echo]
    servers: list[Server]

    @property
    def url(self) -> str:
        """Where the socket is."""
        return f"ws://127.0.0.1:{self.port}/ws"

    def flags(self) -> list[str]:
        """The termination states of the tunnels that have ended."""
        return [text.split(" ")[9] for _, text in self.log.lines() if '"GET /ws ' in text]


@asynccontextmanager
async def stage(directory: Path, timeouts: str = "timeout tunnel 1h") -> AsyncIterator[Stage]:
    """Two servers, the balancer, its log."""
    echoes = [Echo("app1"), Echo("app2")]
    async with (
        serve(echoes[0].talk, "127.0.0.1", 0, process_request=echoes[0].page, max_size=None) as one,
        serve(echoes[1].talk, "127.0.0.1", 0, process_request=echoes[1].page, max_size=None) as two,
    ):
        port = free_port()
        servers = "".join(
            f"    server app{n} 127.0.0.1:{each.sockets[0].getsockname()[1]} cookie app{n}\n"
            for n, each in enumerate((one, two), 1)
        )
        with SyslogReceiver() as log:
            config = (
                f"global\n    log 127.0.0.1:{log.port} local0\n    hard-stop-after 30s\n"
                "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n"
                f"    timeout connect 5s\n    timeout client 10s\n    timeout server 10s\n    {timeouts}\n"
                f"listen sockets\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert\n{servers}"
            )
            balancer = await asyncio.to_thread(lambda: Balancer(config, directory, port=port).__enter__())
            try:
                yield Stage(port, log, balancer, echoes, [one, two])
            finally:
                balancer.__exit__()


async def until(holds: Callable[[], bool], what: str, tells: Callable[[], str] = str) -> None:
    """As wait_until, without holding up the loop."""
    await asyncio.to_thread(lambda: wait_until(holds, what, tells=tells))


async def test_a_page_in_a_real_browser_talks_over_its_socket(tmp_path: Path) -> None:
    chromium = require_peer("chromium")
    async with stage(tmp_path) as found:
        profile = tempfile.mkdtemp(prefix="balancer-browser-")
        command = [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", "--remote-debugging-port=0", f"http://127.0.0.1:{found.port}/",
        ]  # fmt: skip
        with open(tmp_path / "chromium.out", "wb") as out:
            browser = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        try:
            await until(lambda: any(echo.reports for echo in found.echoes), "the page's report")
        finally:
            os.killpg(browser.pid, signal.SIGKILL)
            browser.wait()
            shutil.rmtree(profile, ignore_errors=True)
        [report] = [report for echo in found.echoes for report in echo.reports]
        # Page, socket and report came to one server: the cookie of the page's answer went with the upgrade.
        [server] = [echo for echo in found.echoes if echo.reports]
        assert {"/", "/ws", "/report"} <= set(server.paths)
        assert report == {"sizes": [LARGE], "texts": [server.name, "hello"], "intact": True, "code": 1000, "clean": True}
        await until(lambda: found.flags() == ["--VN"], "the tunnel's line")


async def test_a_socket_follows_its_cookie_and_two_do_not_mix(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        async with websockets.connect(found.url) as first, websockets.connect(found.url) as second:
            names = [str(await first.recv()), str(await second.recv())]
            assert sorted(names) == ["app1", "app2"]
            cookies = [each.response.headers["Set-Cookie"].partition(";")[0] for each in (first, second) if each.response]
            assert cookies == [f"SEASIDE={name}" for name in names]
            for number in range(200):
                await first.send(f"first {number}")
                await second.send(b"second %d" % number)
            assert [await first.recv() for _ in range(200)] == [f"first {number}" for number in range(200)]
            assert [await second.recv() for _ in range(200)] == [b"second %d" % number for number in range(200)]
        for name, cookie in zip(names, cookies, strict=True):
            async with websockets.connect(found.url, additional_headers={"Cookie": cookie}) as again:
                assert await again.recv() == name
                assert again.response is not None and "Set-Cookie" not in again.response.headers


async def test_large_frames_pass_both_ways_at_once(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        async with websockets.connect(found.url, max_size=None) as client:
            await client.recv()
            frames = [os.urandom(LARGE) for _ in range(4)]
            sending = asyncio.create_task(_send_all(client, frames))
            assert [await client.recv() for _ in frames] == frames
            await sending
            await (await client.ping())
            [there] = [each for echo in found.echoes for each in echo.sockets]
            async with asyncio.timeout(PATIENCE_S):
                await (await there.ping(b"from the server"))


def reset(connection: ServerConnection | websockets.ClientConnection) -> None:
    """Ends a connection as a process does that dies with octets unread."""
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    connection.transport.abort()


async def _send_all(client: websockets.ClientConnection, frames: list[bytes]) -> None:
    for frame in frames:
        await client.send(frame)


async def test_the_death_of_a_server_ends_its_sockets_and_no_other(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        async with websockets.connect(found.url) as one, websockets.connect(found.url) as two:
            names = {str(await one.recv()): one, str(await two.recv()): two}
            [connection] = found.echoes[0].sockets
            reset(connection)
            with pytest.raises(websockets.ConnectionClosedError):
                await names["app1"].recv()
            await names["app2"].send("still here")
            assert await names["app2"].recv() == "still here"
        await until(lambda: sorted(found.flags()) == ["--NI", "SDNI"], "both lines", lambda: str(found.log.datagrams))


async def test_the_death_of_a_client_reaches_the_server(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        client = await websockets.connect(found.url)
        await client.recv()
        reset(client)
        [there] = [each for echo in found.echoes for each in echo.sockets]
        await until(lambda: there.close_code is not None, "the server knows")
        await until(lambda: found.flags() == ["CDNI"], "the line", lambda: str(found.log.datagrams))


async def test_an_idle_socket_ends_at_timeout_tunnel_and_a_busy_one_does_not(tmp_path: Path) -> None:
    async with stage(tmp_path, "timeout tunnel 600ms") as found:
        busy = await websockets.connect(found.url)
        idle = await websockets.connect(found.url, ping_interval=None)
        await busy.recv()
        await idle.recv()
        ended = asyncio.create_task(idle.wait_closed())
        while not ended.done():
            await busy.send("busy")
            assert await busy.recv() == "busy"
            await asyncio.sleep(0.02)  # the pace of the busy one
        await busy.send("still busy")
        assert await busy.recv() == "still busy"
        await busy.close()
        await until(lambda: sorted(found.flags()) == ["--NI", "cDNI"], "both lines", lambda: str(found.log.datagrams))


async def test_a_soft_stop_waits_for_the_socket(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        async with websockets.connect(found.url) as client:
            await client.recv()
            found.balancer.signal(signal.SIGUSR1)
            await until(
                lambda: any("stopped (cumulated" in text for _, text in found.log.lines()),
                "the soft stop has begun",
                lambda: str(found.log.datagrams),
            )
            await client.send("after the stop")
            assert await client.recv() == "after the stop"
            assert found.balancer.process.poll() is None
        assert await asyncio.to_thread(found.balancer.ended) == 0


async def test_a_refused_upgrade_leaves_http_in_force(tmp_path: Path) -> None:
    async with stage(tmp_path) as found:
        reader, writer = await asyncio.open_connection("127.0.0.1", found.port)
        upgrade = (
            "GET /refused HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        for _ in range(2):
            writer.write(upgrade.encode())
            async with asyncio.timeout(PATIENCE_S):
                head = await reader.readuntil(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 403 ")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                assert await reader.readexactly(length) == b"no\n"
        writer.close()
