"""What a balance algorithm sees of a request: whom it must not get again, and the words by which it may be recognised.

The keys are asked for only by algorithms that hash them, so that a request on its way to any other costs nothing here. The
proxy's exchange answers; a visit that is never hashed needs none of the answers.
"""

from mypy_extensions import mypyc_attr

from balancer.backend.queue import Waiter
from balancer.backend.server import Server


@mypyc_attr(allow_interpreted_subclasses=True)
class Visit(Waiter):
    """One request on its way to a server."""

    def __init__(self) -> None:
        super().__init__()
        self.avoid: Server | None = None  # who just failed it

    def source_octets(self) -> bytes:
        """The client's address: 4 octets, or 16 of IPv6; b"" where it has none."""
        raise AssertionError("the exchange knows its client")

    def target_octets(self) -> bytes:
        """The request target as the client sent it, the authority of an absolute one and the query included."""
        raise AssertionError("the exchange knows its head")

    def field_octets(self, name: bytes) -> bytes:
        """The first list element of the first field of this lower-case name, blanks around it taken off; b"" for none."""
        raise AssertionError("the exchange knows its head")

    def form_octets(self) -> bytes | None:
        """What has come of the body of a POST; None for every other method."""
        raise AssertionError("the exchange knows its body")
