"""What runs inside an image: Seaside's sessions, and the pages they answer with; no sockets here.

A session lives in the URL: `_s` names it, `_k` one of its last pages, a bare number a callback of that page. A click runs the
callback and redirects; the redirect's target renders and hands out the next page key. Each page remembers the count that it
showed, so Back and a click go on from there. A session that this image does not know is no error: the visitor is sent to the
same path without it and silently begins again at 0, which is why a broken stickiness shows in the count and never in a status.

Sessions are bounded in number (the one unused for longest goes first) and in idle time.
"""

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from balancer.demo import pages
from balancer.demo.wire import Answer, Request

ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SESSION_KEY_LENGTH: Final = 16
PAGE_KEY_LENGTH: Final = 8
SESSION_IDLE_S: Final = 600.0
SESSIONS_MAX: Final = 5000
LIVE_KEYS_MAX: Final = 40  # twenty pages and the redirects that led to them
PARAMETERS_MAX: Final = 100
COOKIE_SHOWN_MAX: Final = 80

CALLBACKS: Final = {"1": 1, "2": -1}  # the counter's links, in the order of the page
FILES: Final = {pages.STYLE_PATH: (pages.STYLE.encode(), "text/css")}
FILE_EXPIRES: Final = "Sat, 11 Jun 2095 12:00:00 GMT"
COUNTER: Final = pages.COUNTER_PATH
DISPATCHER: Final = "/seaside"


@dataclass(frozen=True)
class Page:
    """One page key: the count it stands for, and whether it renders (the target of a redirect) or runs callbacks."""

    count: int
    renders: bool


@dataclass
class Session:
    """One visitor of one application."""

    key: str
    application: str
    used_at_s: float
    live_pages: OrderedDict[str, Page] = field(default_factory=OrderedDict)

    def remember(self, key: str, page: Page) -> str:
        """Keeps a page alive, at the cost of the oldest; returns its key."""
        self.live_pages[key] = page
        if len(self.live_pages) > LIVE_KEYS_MAX:
            self.live_pages.popitem(last=False)
        return key


@dataclass
class Counters:
    """What happened since the start; a test that nothing ran twice compares `clicks` with the clicks it made."""

    requests: int = 0
    clicks: int = 0
    sessions_started: int = 0
    sessions_not_found: int = 0
    connections: int = 0


class Site:
    """The applications of one image and their sessions."""

    def __init__(
        self,
        name: str,
        number: int,
        keys: random.Random,
        clock: Callable[[], float],
        sessions_max: int = SESSIONS_MAX,
        session_idle_s: float = SESSION_IDLE_S,
    ) -> None:
        self.name = name
        self.address = ""
        self.counters = Counters()
        self._hue = number * pages.HUE_STEP % 360
        self._keys = keys
        self._clock = clock
        self._sessions_max = sessions_max
        self._session_idle_s = session_idle_s
        self._sessions: OrderedDict[str, Session] = OrderedDict()  # the one unused for longest comes first
        self._pages: dict[str, Callable[[Request, Session, int], bytes]] = {
            COUNTER: self._counter_page,
            DISPATCHER: self._applications_page,
        }

    def __repr__(self) -> str:
        return f"<Site {self.name} sessions={len(self._sessions)} requests={self.counters.requests}>"

    def live_session_count(self) -> int:
        """How many sessions would still be found."""
        self._expire()
        return len(self._sessions)

    def forget_sessions(self) -> None:
        """Loses every session, as the end of the process does."""
        self._sessions.clear()

    def answer(self, request: Request) -> Answer:
        """The answer to one request; whatever the request asks for has then been done, once."""
        self.counters.requests += 1
        if request.method not in ("GET", "POST"):
            return Answer(501, pages.refusal_page("501 Not Implemented", "Only GET and POST are known here."), content_type="")
        path = request.path
        application = path.rstrip("/")
        if path in FILES:
            octets, content_type = FILES[path]
            return Answer(200, octets, content_type, expires=FILE_EXPIRES)
        if application in self._pages:
            return self._visit(application, request)
        return Answer(404, pages.not_found_page(path))

    def _visit(self, application: str, request: Request) -> Answer:
        parameters = _parameters(request)
        if "_s" not in parameters:
            return self._render(request, self._open_session(application), 0)
        session = self._find_session(parameters["_s"], application)
        if session is None:
            return self._send_to_a_new_session(request)
        page = session.live_pages.get(parameters.get("_k", ""))
        if page is None:
            return self._render(request, session, 0)
        if page.renders:
            return self._render(request, session, page.count)
        return self._run_callbacks(request, session, page, parameters)

    def _run_callbacks(self, request: Request, session: Session, page: Page, parameters: dict[str, str]) -> Answer:
        steps = [CALLBACKS[name] for name in parameters if name in CALLBACKS]
        self.counters.clicks += len(steps)
        key = session.remember(self._new_key(PAGE_KEY_LENGTH), Page(page.count + sum(steps), renders=True))
        return Answer(302, location=_session_url(request, session, key), is_live=True)

    def _render(self, request: Request, session: Session, count: int) -> Answer:
        return Answer(200, self._pages[session.application](request, session, count), is_live=True)

    def _counter_page(self, request: Request, session: Session, count: int) -> bytes:
        key = session.remember(self._new_key(PAGE_KEY_LENGTH), Page(count, renders=False))
        url = _session_url(request, session, key)
        return pages.counter_page(self._told(request, session), count, f"{url}&1", f"{url}&2")

    def _applications_page(self, request: Request, session: Session, count: int) -> bytes:
        return pages.applications_page(self._told(request, session), _base_url(request) + COUNTER)

    def _told(self, request: Request, session: Session) -> pages.Visit:
        return pages.Visit(self.name, self.address, self._hue, session.key, _balancer_cookie(request))

    def _send_to_a_new_session(self, request: Request) -> Answer:
        self.counters.sessions_not_found += 1
        if request.fields.get("x-requested-with", "").lower() == "xmlhttprequest":
            return Answer(403, pages.refusal_page("403 Forbidden", "This session is not here any more."))
        kept = [part for part in request.query.split("&") if part and not _is_seasides_own(part)]
        query = "?" + "&".join(kept) if kept and request.method == "GET" else ""
        return Answer(302, location=_base_url(request) + request.path + query)

    def _open_session(self, application: str) -> Session:
        self._expire()
        if len(self._sessions) >= self._sessions_max:
            self._sessions.popitem(last=False)
        session = Session(self._new_key(SESSION_KEY_LENGTH), application, self._clock())
        self._sessions[session.key] = session
        self.counters.sessions_started += 1
        return session

    def _find_session(self, key: str, application: str) -> Session | None:
        self._expire()
        session = self._sessions.get(key)
        if session is None or session.application != application:
            return None
        session.used_at_s = self._clock()
        self._sessions.move_to_end(key)
        return session

    def _expire(self) -> None:
        oldest_s = self._clock() - self._session_idle_s
        while self._sessions:
            session = next(iter(self._sessions.values()))
            if session.used_at_s > oldest_s:
                return
            del self._sessions[session.key]

    def _new_key(self, length: int) -> str:
        return "".join(self._keys.choices(ALPHABET, k=length))


def _parameters(request: Request) -> dict[str, str]:
    """Query first, then the form, which in Seaside carries `_s` and `_k` as hidden fields."""
    parts = (request.query + "&" + request.form.decode("latin-1")).split("&", PARAMETERS_MAX)[:PARAMETERS_MAX]
    pairs = (part.partition("=") for part in parts if part)
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


def _is_seasides_own(part: str) -> bool:
    name = unquote_plus(part.partition("=")[0])
    return name in ("_s", "_k") or (name.isascii() and name.isdigit())


def _base_url(request: Request) -> str:
    """Links name the host that the client named, octet by octet; without one they are relative."""
    host = request.fields.get("host", "")
    return f"http://{host}" if host else ""


def _session_url(request: Request, session: Session, page_key: str) -> str:
    return f"{_base_url(request)}{session.application}?_s={session.key}&_k={page_key}"


def _balancer_cookie(request: Request) -> str:
    pairs = (pair.strip(" \t") for pair in request.fields.get("cookie", "").split(";"))
    return next((pair for pair in pairs if pair.startswith("SEASIDE=")), "")[:COOKIE_SHOWN_MAX]
