"""The services behind a statistics page: each answers what its door lets in (`proxy.local`)."""

import base64
import binascii
import hmac
from collections.abc import Iterator
from typing import Final

from aiohttp import web

from balancer import model
from balancer.admin.page import POLICY, Page
from balancer.admin.pageactions import DENIED, STATUSES, TOO_LONG, act, is_foreign
from balancer.admin.pagequery import CONTENT_TYPES, CSV, HTML, JSON, PageQuery, parse_query
from balancer.admin.streaming import Sender
from balancer.admin.table import USER, Talk, execute
from balancer.observe import stats
from balancer.observe.info import ProcessInfo

UNAUTHORIZED: Final = (
    "<html><body><h1>401 Unauthorized</h1>\nYou need a valid user and password to access this content.\n</body></html>\n"
)
FORBIDDEN: Final = "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n"
NO_CACHE: Final = {"Cache-Control": "no-cache"}
PAGE_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class PageService:
    """Shows one page, or changes servers by its form."""

    def __init__(self, page: Page, sender: Sender) -> None:
        self.page = page
        self.info: ProcessInfo = page.info
        self.config: model.StatsPage = page.config
        self.sender = sender
        self.accounts = [f"{name}:{password}".encode("utf-8", "surrogateescape") for name, password in self.config.users]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers one request."""
        if self.accounts and not self._knows(request.headers.get("Authorization", "")):
            return challenge(self.config.realm)
        _, _, rest = request.raw_path.partition(self.page.uri)
        query = parse_query(rest, STATUSES)
        if request.method == "POST":
            return await self._post(request, query)
        headers = {**NO_CACHE, "Content-Type": CONTENT_TYPES[query.form]}
        if query.form == HTML:
            headers |= PAGE_HEADERS
        elif self.config.refresh_s and not query.is_still:
            headers["Refresh"] = str(self.config.refresh_s)
        return await self.sender.send(request, headers, self._pieces(query))

    def _pieces(self, query: PageQuery) -> Iterator[str]:
        if query.form == HTML:
            return self.page.html(query)
        if query.form == CSV:
            return stats.csv_lines(self.page.readings(query), self.config.shows_legends)
        if query.form == JSON:
            return stats.json_parts(self.page.readings(query), self.config.shows_legends)
        return iter((execute(Talk(USER, 0.0), self.info, ["show", "schema", "json"]),))

    async def _post(self, request: web.Request, query: PageQuery) -> web.Response:
        form = await request.content.read(self.info.config.process.bufsize + 1)
        while len(form) <= self.info.config.process.bufsize and (more := await request.content.readany()):
            form += more
        if not self.page.is_admin or is_foreign(request.headers):
            status = DENIED
        elif len(form) > self.info.config.process.bufsize:
            status = TOO_LONG
        else:
            status = act(self.info, form.decode("utf-8", "replace"))
        headers = {**NO_CACHE, "Content-Type": "text/plain", "Location": query.after_post(self.page.uri, status)}
        return web.Response(status=303, headers=headers)

    def _knows(self, authorization: str) -> bool:
        """Whether the credentials are those of an account; it takes as long for right ones as for wrong ones."""
        scheme, _, coded = authorization.partition(" ")
        try:
            given = base64.b64decode(coded.strip(), validate=True) if scheme.lower() == "basic" else b""
        except (binascii.Error, ValueError):
            given = b""
        known = [hmac.compare_digest(given, account) for account in self.accounts]
        return any(known)


def challenge(realm: str) -> web.Response:
    """Asks for a password."""
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    headers = {**NO_CACHE, "Content-Type": "text/html", "WWW-Authenticate": f'Basic realm="{quoted}"'}
    return web.Response(status=401, body=UNAUTHORIZED.encode(), headers=headers)


def refusal() -> web.Response:
    """What a rule forbids."""
    return web.Response(status=403, body=FORBIDDEN.encode(), headers={**NO_CACHE, "Content-Type": "text/html"})
