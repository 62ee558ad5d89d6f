"""How a change of a server, or an operator, reaches those who are being served: the worker gives each backend one of these."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from balancer.backend.server import Server


@dataclass(frozen=True)
class Session:
    """One request under way, as an operator sees it. Times are seconds; `expires_s` is None where nothing is waited for."""

    number: int  # as long as it lasts no other has it
    client: str
    local: str
    is_ipv6: bool
    frontend: str
    frontend_number: int
    backend: str  # "<NONE>" before there is one
    backend_number: int
    server: str  # "<none>" likewise
    server_number: int
    server_address: str
    begun_wall: float
    age_s: float
    expires_s: float | None
    requests: int  # on this connection, this one included
    retries: int
    waits: bool
    phase: str
    client_fileno: int
    octets_in: int
    octets_out: int


@mypyc_attr(allow_interpreted_subclasses=True)
class Sessions:
    """Whose requests are under way."""

    def shut_down(self, servers: "list[Server]", because_up: bool) -> None:
        """Ends every request at these servers: they went down, or (`because_up`) the ones that they stood in for are back."""
        raise AssertionError("the worker knows its clients")

    def listed(self) -> list[Session]:
        """All of this process, of whatever backend."""
        raise AssertionError("the worker knows its clients")

    def kill(self, number: int) -> bool:
        """Ends the one with that number by command; False if there is none."""
        raise AssertionError("the worker knows its clients")

    def kill_at(self, server: "Server") -> None:
        """Ends every request at that server by command."""
        raise AssertionError("the worker knows its clients")
