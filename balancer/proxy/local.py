"""What is answered inside the process: which requests a statistics page takes, and by which of its services.

A `Door` belongs to a section with `stats`. Its services, each known by the server that stands for it in logs, differ in what
they let a request do, so that nothing has to be told beside the request itself: one shows, one may change servers as well, one
refuses, one asks for a password.
"""

from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from balancer.backend.server import Server

METHODS: Final = (b"GET", b"HEAD", b"POST")

ALLOW: Final = 0
DENY: Final = 1
AUTH: Final = 2

Network = IPv4Network | IPv6Network


class Term:
    """One term: whether the client's address lies in one of the networks; without any it holds unless negated."""

    def __init__(self, networks: list[Network], is_negated: bool) -> None:
        self.networks = networks
        self.is_negated = is_negated

    def holds(self, client_host: str) -> bool:
        """Whether it holds for that client."""
        if not self.networks:
            return not self.is_negated
        address = ip_address(client_host)
        found = False
        for network in self.networks:
            if address in network:
                found = True
        return found != self.is_negated


class Condition:
    """Alternatives of terms that all have to hold; without any it always holds."""

    def __init__(self, alternatives: list[list[Term]], is_negated: bool) -> None:
        self.alternatives = alternatives
        self.is_negated = is_negated

    def holds(self, client_host: str) -> bool:
        """Whether it holds for that client."""
        if not self.alternatives:
            return True
        found = False
        for terms in self.alternatives:
            if all(term.holds(client_host) for term in terms):
                found = True
        return found != self.is_negated


class DoorRule:
    """One `stats http-request`."""

    def __init__(self, action: int, condition: Condition) -> None:
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
        self.admin: list[Condition] = []
        self.rules: list[DoorRule] = []

    def takes(self, method: bytes, target: bytes) -> bool:
        """Whether a request is for the page: `uri` is what its target begins with."""
        return target.startswith(self.uri) and method in METHODS

    def service(self, client_host: str) -> Server:
        """The service that this client's request is for."""
        for rule in self.rules:
            if rule.condition.holds(client_host):
                if rule.action == DENY:
                    return self.refuses
                if rule.action == AUTH:
                    return self.asks
                break
        for condition in self.admin:
            if condition.holds(client_host):
                return self.changes
        return self.shows
