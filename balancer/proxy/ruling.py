"""Where the rules of a section meet a request: the fixed points, for the routes that have any.

A route's `ruling` is None where neither its frontend nor its backend has a rule, so that such a request pays one comparison
at each point. `use_backend` moves the exchange to the route of another backend, all of which were made at the start.
"""

from typing import TYPE_CHECKING

from balancer.backend.backend import Backend
from balancer.backend.persistence import NO_LETTER, NONE, UNUSED
from balancer.backend.server import Server
from balancer.http.errors import ErrorPage
from balancer.http.head import ResponseHead
from balancer.proxy import phase as phases
from balancer.proxy import rules
from balancer.proxy.rules import GOES_ON, SERVED, first_that_holds, on_answer, on_request, settle_request, settled_answer
from balancer.proxy.scene import scene_of
from balancer.rulebook import Rule, Rules

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange
    from balancer.proxy.route import Route

EMPTY = Rules()


def serves_itself(exchange: "Exchange", now: float) -> bool:
    """Whether the request goes no further than this process: the exporter, a rule of the frontend, its statistics page."""
    route = exchange.route
    service = route.exporter_of(exchange.head)
    if service is None:
        ruling = route.ruling
        if ruling is not None:
            return not ruling.choose(exchange, now)
        service = route.page_of(exchange)
        if service is None:
            return False
    _intercept(exchange, service, now)
    return True


def serves_for_backend(exchange: "Exchange", backend: Backend, now: float) -> bool:
    """As `serves_itself` for the backend's rules and its page."""
    route = exchange.route
    if route.ruling is not None:
        return not route.ruling.admit(exchange, backend, now)
    service = route.page_of_backend(backend, exchange) if route.backend_doors else None
    if service is None:
        return False
    exchange.serve_locally(service, now)
    return True


def _intercept(exchange: "Exchange", service: Server, now: float) -> None:
    exchange.route.frontend.counters.intercepted += 1
    exchange.serve_locally(service, now)


def _export(exchange: "Exchange", now: float) -> None:
    """Gives the request to the exporter, as a rule wants."""
    service = exchange.route.service
    if service is None:
        exchange.finish(phases.INTERNAL, now)
    else:
        _intercept(exchange, service, now)


class Ruling:
    """The rules of one frontend and of one of its backends."""

    def __init__(self, frontend: Rules | None, backend: Rules | None, is_one: bool) -> None:
        self.frontend: Rules = frontend or EMPTY
        self.backend: Rules = backend or EMPTY
        if is_one:
            # Both are halves of one listen section: its rules on messages run once.
            self.backend = Rules(servers=self.backend.servers, persistence=self.backend.persistence)
        self.routes: dict[str, Route] = {}  # by the names of backends; of the frontend's own route only

    def is_failing(self, exchange: "Exchange") -> bool:
        """Whether `monitor fail` says that the section does not serve."""
        return bool(self.frontend.monitor) and first_that_holds(exchange, self.frontend.monitor) != ""

    def choose(self, exchange: "Exchange", now: float) -> bool:
        """The frontend's rules, its page, its redirects and the backend; False where the exchange goes no further."""
        if not self._passes(exchange, self.frontend.request, False, now):
            return False
        service = exchange.route.page_of(exchange)
        if service is not None:
            _intercept(exchange, service, now)
            return False
        if not self._passes(exchange, self.frontend.redirects, False, now):
            return False
        if self.frontend.switches:
            route = self.routes.get(rules.choose_backend(exchange, self.frontend.switches))
            if route is not None:
                exchange.route = route
        if exchange.route.backend is None:
            return settle_request(exchange, now)
        return True

    def admit(self, exchange: "Exchange", backend: Backend, now: float) -> bool:
        """The backend's rules and page, and the changed head; False where the exchange goes no further."""
        if not self._passes(exchange, self.backend.request, True, now):
            return False
        service = exchange.route.page_of_backend(backend, exchange)
        if service is not None:
            exchange.serve_locally(service, now)
            return False
        return self._passes(exchange, self.backend.redirects, True, now) and settle_request(exchange, now)

    def _passes(self, exchange: "Exchange", rules: tuple[Rule, ...], is_backend: bool, now: float) -> bool:
        """Runs a list of rules; False where one of them has answered."""
        if not rules:
            return True
        outcome = on_request(exchange, rules, is_backend, now)
        if outcome == SERVED:
            _export(exchange, now)
        return outcome == GOES_ON

    def bind(self, exchange: "Exchange", backend: Backend) -> None:
        """The persistence cookie, what the rules say of it, and `use-server`."""
        verdict = first_that_holds(exchange, self.backend.persistence) if self.backend.persistence else ""
        exchange.is_forced = verdict == "force-persist"
        exchange.read_cookie(backend, exchange.begun_wall)
        is_ignored = verdict == "ignore-persist"
        if is_ignored:
            exchange.bound_to = None
            scene_of(exchange).ignores_cookie = True
        server = rules.choose_server(exchange, backend, self.backend.servers) if self.backend.servers else None
        if server is not None:
            exchange.bound_to = server
        if (is_ignored or server is not None) and exchange.cookie_letter not in (NO_LETTER, NONE):
            exchange.cookie_letter = UNUSED

    def answered(self, exchange: "Exchange", head: ResponseHead, now: float) -> ResponseHead | None:
        """The rules of both sides on an answer; None where the exchange has ended."""
        is_page = exchange.is_local and exchange.target is not exchange.route.service
        for side, is_backend in () if is_page else ((self.backend, True), (self.frontend, False)):
            if side.response and not on_answer(exchange, side.response, head, is_backend, now):
                return None
        for side, is_backend in ((self.backend, True), (self.frontend, False)):
            if is_backend and exchange.backend is None:
                continue
            if side.after and not on_answer(exchange, side.after, head, is_backend, now):
                return None
        return settled_answer(exchange, head, now)

    def dressed(self, exchange: "Exchange", page: ErrorPage) -> ErrorPage:
        """An answer of ours as `http-after-response` leaves it; the backend's rules first."""
        sides = [self.frontend.after] if exchange.backend is None else [self.backend.after, self.frontend.after]
        if not any(sides):
            return page
        try:
            return rules.after_page(exchange, page, sides)
        except rules.BadValue:
            return exchange.route.pages.get(500, page)
