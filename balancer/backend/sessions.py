"""How a transition of a server reaches those who are being served: the worker gives each backend one of these."""

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from balancer.backend.server import Server


@mypyc_attr(allow_interpreted_subclasses=True)
class Sessions:
    """Whose requests are under way."""

    def shut_down(self, servers: "list[Server]", because_up: bool) -> None:
        """Ends every request at these servers: they went down, or (`because_up`) the ones that they stood in for are back."""
        raise AssertionError("the worker knows its clients")
