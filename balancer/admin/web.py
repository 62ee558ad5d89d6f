"""The admin side's HTTP: an aiohttp application that nobody can connect to but an exchange.

It listens nowhere. An exchange whose path is a service's gets one end of a socket pair, the application the other: so the page
is streamed, bounded, timed and logged like any server's answer, and needs no path after chroot.
"""

import asyncio
import socket
from typing import Final

from aiohttp import web

from balancer import model
from balancer.backend.server import Server
from balancer.observe import metrics
from balancer.observe.info import ProcessInfo
from balancer.proxy.services import Service

SCOPES: Final = ("global", "frontend", "backend", "server")
# HAProxy knows this scope, too; there are no stick tables here.
KNOWN_SCOPES: Final = frozenset([*SCOPES, "sticktable", "*", ""])


class Exporter(Service):
    """`http-request use-service prometheus-exporter`."""

    def __init__(self, info: ProcessInfo, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(_server("<PROMEX>", loop.time()))
        self.info = info
        self.loop = loop
        application = web.Application()
        application.on_response_prepare.append(_nameless)
        application.router.add_route("*", "/{path:.*}", self._page)
        self.runner = web.AppRunner(application, access_log=None, handle_signals=False)

    async def start(self) -> None:
        """Makes the application ready."""
        await self.runner.setup()

    async def serve(self, sock: socket.socket) -> None:
        """Serves one connection on that end of a pair."""
        assert self.runner.server is not None
        await self.loop.create_connection(self.runner.server, sock=sock)

    async def _page(self, request: web.Request) -> web.Response:
        asked = request.query.getall("scope", ["*"])
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if not KNOWN_SCOPES.issuperset(asked):
            return web.Response(status=400, text="unknown scope\n")
        scopes = SCOPES if "*" in asked else [scope for scope in asked if scope in SCOPES]
        page = metrics.render(self.info, scopes, "no-maint" in request.query)
        return web.Response(body=page, headers={"Content-Type": metrics.CONTENT_TYPE, "Cache-Control": "no-cache"})


async def _nameless(_request: web.Request, response: web.StreamResponse) -> None:
    """Leaves out who made the page: it is nobody's business."""
    response.headers.popall("Server", None)


def _server(name: str, now: float) -> Server:
    """What the log and the pool know of a service."""
    config = model.Server(
        name=name,
        number=0,
        host="",
        port=0,
        is_ipv6=False,
        cookie=None,
        check=False,
        inter_s=2.0,
        fastinter_s=0.0,
        downinter_s=0.0,
        rise_count=2,
        fall_count=3,
        weight=0,
        backup=False,
        disabled=False,
        maxconn=0,
        maxqueue=0,
        origin=model.Origin("", 0),
    )
    return Server(config, "", now)
