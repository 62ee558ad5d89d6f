"""A plain reverse proxy of aiohttp: what one would write in an afternoon, as the measure of what the balancer's way gains.

    python -m benchmarks.reverse PORT SITE.json

Cookie, turns, log line, streaming both ways and WebSockets, on uvloop; nothing that makes a load balancer: no checks, no
retries, no queue, no drain. It serves until its standard input ends.
"""

import asyncio
import itertools
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import uvloop
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, WSMsgType, web
from multidict import CIMultiDict

from benchmarks.traffic import COOKIE_NAME, cookie_value

HOP_BY_HOP: Final = ("Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "TE", "Trailer")
PIECE_OCTETS: Final = 1 << 16
CLIENT_TIMEOUT_S: Final = 50
CONNECT_TIMEOUT_S: Final = 5
LOCAL0_INFO: Final = 134


class Proxy:
    """All of it."""

    def __init__(self, site: dict[str, Any], session: ClientSession) -> None:
        self.session = session
        self.addresses: dict[str, str] = {cookie_value(n): each for n, each in enumerate(site["addresses"], 1)}
        self.turns: Iterator[str] = itertools.cycle(self.addresses)
        self.sink: tuple[str, int] | None = ("127.0.0.1", site["sink"]) if site["is_logged"] else None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        begun_at = time.monotonic()
        asked = request.cookies.get(COOKIE_NAME, "")
        name = asked if asked in self.addresses else next(self.turns)
        url = f"http://{self.addresses[name]}{request.raw_path}"
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._tunnel(request, url)
        headers = _without_hops(request.headers)
        answer: web.StreamResponse
        try:
            body = request.content if request.body_exists else None
            async with self.session.request(request.method, url, headers=headers, data=body, allow_redirects=False) as got:
                answer = web.StreamResponse(status=got.status, reason=got.reason, headers=_without_hops(got.headers))
                if name != asked:
                    answer.headers.add("Set-Cookie", f"{COOKIE_NAME}={name}; path=/")
                    answer.headers.add("Cache-Control", "private")
                await answer.prepare(request)
                if got.content_length is not None and got.content_length <= PIECE_OCTETS:
                    await answer.write(await got.read())
                else:
                    async for piece in got.content.iter_any():
                        await answer.write(piece)
                await answer.write_eof()
        except (ClientError, TimeoutError):
            answer = web.Response(status=502)
        self._log(request, name, answer.status, begun_at)
        return answer

    async def _tunnel(self, request: web.BaseRequest, url: str) -> web.StreamResponse:
        near = web.WebSocketResponse()
        async with self.session.ws_connect(url) as far:
            await near.prepare(request)

            async def pass_on(source: Any, target: Any) -> None:
                async for message in source:
                    if message.type == WSMsgType.TEXT:
                        await target.send_str(message.data)
                    elif message.type == WSMsgType.BINARY:
                        await target.send_bytes(message.data)
                await target.close()

            await asyncio.gather(pass_on(near, far), pass_on(far, near))
        return near

    def _log(self, request: web.BaseRequest, name: str, status: int, begun_at: float) -> None:
        if self.sink is None:
            return
        taken_ms = (time.monotonic() - begun_at) * 1000.0
        now = time.strftime("%d/%b/%Y:%H:%M:%S")
        line = f'<{LOCAL0_INFO}>{request.remote} [{now}] {name} {taken_ms:.0f} {status} "{request.method} {request.raw_path}"'
        try:
            self.socket.sendto(line.encode("utf-8", "replace"), self.sink)
        except BlockingIOError:
            return  # a full buffer loses a line, as with any syslog on UDP


def _without_hops(fields: Any) -> "CIMultiDict[str]":
    kept = CIMultiDict(fields)
    for name in HOP_BY_HOP:
        kept.popall(name, None)
    return kept


async def serve(port: int, site: dict[str, Any]) -> None:
    """Listens, and waits for the end of standard input."""
    connector = TCPConnector(limit=0, keepalive_timeout=CLIENT_TIMEOUT_S)
    timeout = ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=CLIENT_TIMEOUT_S)
    async with ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session:
        proxy = Proxy(site, session)
        runner = web.ServerRunner(web.Server(proxy.handle, keepalive_timeout=CLIENT_TIMEOUT_S, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, backlog=4096).start()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text(encoding="ascii"))))
