"""Who may come in: what a client's side asks when it is accepted, and tells when it has ended."""

from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

if TYPE_CHECKING:
    from balancer.proxy.client import ClientSide


@mypyc_attr(allow_interpreted_subclasses=True)
class Gate:
    """Who may come in: the worker's count of connections."""

    def admit(self, client: "ClientSide") -> bool:
        """Counts a new connection; False means that it has to wait for `ClientSide.admitted`."""
        raise AssertionError("the worker counts")

    def leave(self, client: "ClientSide") -> None:
        """A connection has ended, or gave up waiting."""
        raise AssertionError("the worker counts")
