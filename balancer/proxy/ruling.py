"""Where the rules of a section meet a request: the fixed points, for the routes that have any.

A route's `ruling` is None where neither its frontend nor its backend has a rule, so that such a request pays one comparison
at each point. `use_backend` moves the exchange to the route of another backend, all of which were made at the start.
"""

from typing import TYPE_CHECKING

from balancer.backend.persistence import NONE
from balancer.http.head import ResponseHead
from balancer.proxy import phase as phases
from balancer.proxy import rules
from balancer.proxy.rules import ENDED, SERVED, first_that_holds, on_answer, on_request, settle_request, settled_answer
from balancer.rulebook import Rules

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange
    from balancer.proxy.route import Route

EMPTY = Rules()


def serve_inside(exchange: "Exchange", now: float) -> None:
    """Gives the request to the exporter."""
    service = exchange.route.service
    if service is None:
        exchange.finish(phases.INTERNAL, now)
        return
    exchange.route.frontend.counters.intercepted += 1
    exchange.serve_locally(service, now)


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
        """The frontend's rules and the backend; False where the exchange goes no further."""
        outcome = on_request(exchange, self.frontend.request, False, now)
        if outcome == ENDED:
            return False
        if outcome == SERVED:
            serve_inside(exchange, now)
            return False
        if self.frontend.switches:
            route = self.routes.get(rules.choose_backend(exchange, self.frontend.switches))
            if route is not None:
                exchange.route = route
        if exchange.route.backend is None:
            return settle_request(exchange, now)
        return True

    def admit(self, exchange: "Exchange", now: float) -> bool:
        """The backend's rules, and the changed head; False where the exchange goes no further."""
        if self.backend.request:
            outcome = on_request(exchange, self.backend.request, True, now)
            if outcome == ENDED:
                return False
            if outcome == SERVED:
                serve_inside(exchange, now)
                return False
        return settle_request(exchange, now)

    def bind(self, exchange: "Exchange") -> None:
        """`use-server`, and what becomes of the persistence cookie."""
        backend = exchange.backend
        if backend is None:
            return
        if self.backend.persistence and first_that_holds(exchange, self.backend.persistence) == "ignore-persist":
            exchange.bound_to = None
            if exchange.cookie_letter:
                exchange.cookie_letter = NONE
        if self.backend.servers and exchange.bound_to is None:
            server = backend.find_server(rules.choose_server(exchange, self.backend.servers))
            if server is not None and server.is_usable():
                exchange.bound_to = server

    def answered(self, exchange: "Exchange", head: ResponseHead, now: float) -> ResponseHead | None:
        """The rules of both sides on an answer; None where the exchange has ended."""
        for side, is_backend in ((self.backend, True), (self.frontend, False)):
            if side.response and not on_answer(exchange, side.response, head, is_backend, now):
                return None
        for side, is_backend in ((self.backend, True), (self.frontend, False)):
            if side.after and not on_answer(exchange, side.after, head, is_backend, now):
                return None
        return settled_answer(exchange, head, now)
