"""What is answered inside the process: which requests a statistics page takes, and by which of its services.

A `Door` belongs to a section with `stats`. Its services, each known by the server that stands for it in logs, differ in what
they let a request do, so that nothing has to be told beside the request itself: one shows, one may change servers as well, one
refuses, one asks for a password.
"""

from typing import TYPE_CHECKING, Final

from balancer.backend.server import Server
from balancer.proxy.matching import holds
from balancer.proxy.scene import scene_of
from balancer.rulebook import Condition

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

METHODS: Final = (b"GET", b"HEAD", b"POST")

ALLOW: Final = 0
DENY: Final = 1
AUTH: Final = 2


class DoorRule:
    """One `stats http-request`."""

    def __init__(self, action: int, condition: Condition | None) -> None:
        self.action = action
        self.condition = condition


class Door:
    """The page of one section: the targets that it takes and its services."""

    def __init__(self, uri: bytes, shows: Server, changes: Server, refuses: Server, asks: Server) -> None:
        self.uri = uri
        self.shows = shows
        self.changes = changes
        self.refuses = refuses
        self.asks = asks
        self.admin: list[Condition | None] = []
        self.rules: list[DoorRule] = []

    def takes(self, method: bytes, target: bytes) -> bool:
        """Whether a request is for the page: `uri` is what its target begins with."""
        return target.startswith(self.uri) and method in METHODS

    def service(self, exchange: "Exchange") -> Server:
        """The service that this request is for."""
        if not self.rules and not self.admin:
            return self.shows
        scene = scene_of(exchange)
        for rule in self.rules:
            if holds(scene, rule.condition):
                if rule.action == DENY:
                    return self.refuses
                if rule.action == AUTH:
                    return self.asks
                break
        for condition in self.admin:
            if holds(scene, condition):
                return self.changes
        return self.shows
