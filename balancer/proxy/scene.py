"""What samples are taken from: one exchange, its two heads as fields, its variables. Made when the first rule asks.

Variables live as long as their scope: `txn.` and `req.` and `res.` with the exchange (`req.` ends with the answer's head, as in
HAProxy), `sess.` with the client's connection, `proc.` with the process.
"""

from typing import TYPE_CHECKING, Final

from balancer.http.head import ResponseHead
from balancer.http.view import View
from balancer.rulebook import Value

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

# Together with what a rule adds, no value may be longer: a head has to fit into a buffer anyway.
VARIABLES_MAX: Final = 256


class Scene:
    """See the module."""

    def __init__(self, exchange: "Exchange") -> None:
        self.exchange = exchange
        self.response: ResponseHead | None = None
        self.status: int = 0
        self.reason: bytes = b""  # of `set-status`; empty: the answer's own
        self.reply_status: int = 0  # of an answer of ours
        self.is_silent: bool = False  # `set-log-level silent`
        self.severity: int = -1  # another level by `set-log-level`; -1: the usual one
        self.ignores_cookie: bool = False  # `ignore-persist`: none is inserted either
        self.is_strict: bool = True  # a change that cannot be made ends the exchange
        client = exchange.client
        self.addresses = (client.client_host, client.client_port, client.local_host, client.local_port)
        self.variables: dict[str, Value] = {}
        self.client_host: str = exchange.client.client_host
        self.client_port: int = exchange.client.client_port
        self.local_host: str = exchange.client.local_host
        self.local_port: int = exchange.client.local_port
        self.method: bytes = exchange.head.method
        self.target: bytes = exchange.head.target_sent()
        self.is_target_changed: bool = False
        self.request_captures: dict[int, bytes] = {}  # by the numbers of slots, what rules captured
        self.response_captures: dict[int, bytes] = {}
        self._request: View | None = None
        self._answer: View | None = None

    def leave(self) -> None:
        """The exchange has ended: the connection has its own addresses again."""
        client = self.exchange.client
        self.exchange.scene = None
        client.client_host, client.client_port, client.local_host, client.local_port = self.addresses

    def request(self) -> View:
        """The request's fields."""
        view = self._request
        if view is None:
            head = self.exchange.head
            view = View(head.data[head.line_end + 2 : head.end - 2])
            self._request = view
        return view

    def answer(self) -> View:
        """The answer's fields; none before it has come."""
        view = self._answer
        if view is None:
            head = self.response
            if head is None:
                return View(b"")
            view = View(head.data[head.fields_begin : head.end - 2])
            self._answer = view
        return view

    def set_answer(self, head: ResponseHead) -> None:
        """The answer's head has come."""
        self.response = head
        self.status = head.status
        self.reason = b""
        self._answer = None

    def is_request_changed(self) -> bool:
        """Whether a rule has changed the request's head."""
        view = self._request
        return self.is_target_changed or (view is not None and view.is_changed)

    def is_answer_changed(self) -> bool:
        """Whether a rule has changed the answer's head."""
        view = self._answer
        head = self.response
        return head is not None and (self.reason != b"" or (view is not None and view.is_changed))

    def scope(self, name: str) -> dict[str, Value]:
        """The variables among which that name is."""
        if name.startswith("proc."):
            return self.exchange.services.variables
        if not name.startswith("sess."):
            return self.variables
        held = self.exchange.client.variables
        if held is None:
            held = {}
            self.exchange.client.variables = held
        return held

    def variable(self, name: str) -> Value | None:
        """The value of a variable, None where it was not set."""
        return self.scope(name).get(name)

    def set_variable(self, name: str, value: Value | None) -> None:
        """Sets a variable; None removes it. Beyond VARIABLES_MAX names nothing is kept."""
        scope = self.scope(name)
        if value is None:
            scope.pop(name, None)
        elif name in scope or len(scope) < VARIABLES_MAX:
            scope[name] = value


def scene_of(exchange: "Exchange") -> Scene:
    """The scene of an exchange, made where there is none yet."""
    scene = exchange.scene
    if scene is None:
        scene = Scene(exchange)
        exchange.scene = scene
    return scene
