"""The admin side's HTTP: aiohttp applications that nobody can connect to but an exchange.

They listen nowhere. An exchange whose target is a service's gets one end of a socket pair, the application the other: so a page
is streamed, bounded, timed and logged like any server's answer, and needs no path after chroot.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from balancer import model
from balancer.admin.page import Page
from balancer.admin.pageservice import PageService, challenge, refusal
from balancer.admin.streaming import Sender
from balancer.backend.server import Server
from balancer.observe import metrics
from balancer.observe.info import ProcessInfo
from balancer.proxy.local import ALLOW, AUTH, DENY, Door, DoorRule
from balancer.proxy.services import Service, Site

SCOPES: Final = ("global", "frontend", "backend", "server")
# HAProxy knows this scope, too; there are no stick tables here.
KNOWN_SCOPES: Final = frozenset([*SCOPES, "sticktable", "*", ""])
BAD_REQUEST: Final = "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n"
ACTIONS: Final = {"allow": ALLOW, "deny": DENY, "auth": AUTH}

# What an exchange passes on it has bounded already (tune.bufsize, tune.http.maxhdr): nothing of it is refused here once more.
HEAD_OCTETS_MAX: Final = 1 << 30
FIELD_COUNT_MAX: Final = 1 << 16

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebService(Service):
    """One function that answers requests, as an application of its own."""

    def __init__(self, name: str, answer: Answer, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(_server(name, loop.time()))
        self.loop = loop
        self.function = answer
        application = web.Application()
        application.on_response_prepare.append(_nameless)
        application.router.add_route("*", "/{path:.*}", self.answer)
        self.runner = web.AppRunner(
            application,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=15.0,
            auto_decompress=False,
            max_line_size=HEAD_OCTETS_MAX,
            max_field_size=HEAD_OCTETS_MAX,
            max_headers=FIELD_COUNT_MAX,
        )

    async def start(self) -> None:
        """Makes the application ready."""
        await self.runner.setup()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers one request; an exchange that breaks off its body has told why, and gets no answer."""
        try:
            return await self.function(request)
        except ConnectionError:
            return web.Response(status=400)

    async def serve(self, sock: socket.socket) -> None:
        """Serves one connection on that end of a pair."""
        assert self.runner.server is not None
        await self.loop.create_connection(self.runner.server, sock=sock)


class Exporter:
    """`http-request use-service prometheus-exporter`."""

    def __init__(self, info: ProcessInfo, sender: Sender) -> None:
        self.info = info
        self.sender = sender

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The page of metrics, limited by `scope` and `no-maint`."""
        asked = request.query.getall("scope", ["*"])
        if not KNOWN_SCOPES.issuperset(asked):
            headers = {"Cache-Control": "no-cache", "Content-Type": "text/html", "Connection": "close"}
            return web.Response(status=400, body=BAD_REQUEST.encode(), headers=headers)
        scopes = SCOPES if "*" in asked else [scope for scope in asked if scope in SCOPES]
        pieces = metrics.pieces(self.info, scopes, "no-maint" in request.query)
        return await self.sender.send(request, {"Cache-Control": "no-cache", "Content-Type": metrics.CONTENT_TYPE}, pieces)


async def make_site(info: ProcessInfo, loop: asyncio.AbstractEventLoop) -> Site:
    """All services of a process, ready to serve."""
    sender = Sender()
    site = Site(WebService("<PROMEX>", Exporter(info, sender).answer, loop))
    frontends = {frontend.name: frontend.stats_page for frontend in info.config.frontends}
    backends = {backend.name: backend.stats_page for backend in info.config.backends}
    for name in dict.fromkeys([*frontends, *backends]):
        front, back = frontends.get(name), backends.get(name)
        if front is not None:
            _enter(site, front, (name, name if back is front else ""), info, sender, loop)
        if back is not None and back is not front:
            _enter(site, back, ("", name), info, sender, loop)
    for service in site.services:
        assert isinstance(service, WebService)
        await service.start()
    return site


def _enter(
    site: Site,
    config: model.StatsPage,
    names: tuple[str, str],
    info: ProcessInfo,
    sender: Sender,
    loop: asyncio.AbstractEventLoop,
) -> None:
    """Makes the services of one page and the door to them; `names` are those of the section's halves."""
    realm = next((rule.realm for rule in config.rules if rule.realm), config.realm)

    async def asks(_request: web.Request) -> web.StreamResponse:
        return challenge(realm)

    async def refuses(_request: web.Request) -> web.StreamResponse:
        return refusal()

    section = names[0] or names[1]
    shows = PageService(Page(info, config, section, False), sender).answer
    changes = PageService(Page(info, config, section, True), sender).answer
    services = [WebService("<STATS>", answer, loop) for answer in (shows, changes, refuses, asks)]
    door = Door(config.uri, *(service.server for service in services))
    door.admin = [rule.condition for rule in config.admin]
    door.rules = [DoorRule(ACTIONS[rule.action], rule.condition) for rule in config.rules]
    site.enter(door, list(services), *names)


async def _nameless(_request: web.Request, response: web.StreamResponse) -> None:
    """Leaves out who made the page, and when: it is nobody's business, and HAProxy does not tell it either."""
    response.headers.popall("Server", None)
    response.headers.popall("Date", None)


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
