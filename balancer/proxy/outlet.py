"""What a client's connection sends: everything that an exchange hands to it, and nothing of what it reads.

Parts of a chunked answer that come close behind each other are merged by the kernel: the first leaves at once, those that
follow within a grain wait for the sweep, so that a stream of many small events costs a packet a grain and not one an event.
HAProxy has the kernel hold every chunk for up to 200 ms. `option http-no-delay` forbids both.
"""

import asyncio
import os

from mypy_extensions import mypyc_attr

from balancer.backend.leaves import push
from balancer.proxy.channels import ClientChannel
from balancer.proxy.deadlines import GRAIN_S
from balancer.proxy.route import Route
from balancer.proxy.services import Services
from balancer.proxy.writing import write, write_all


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientOutlet(ClientChannel):
    """See the module."""

    def __init__(self, route: Route, services: Services) -> None:
        super().__init__(route)
        self.services = services
        self.transport: asyncio.Transport | None = None
        self.descriptor: int = -1  # the transport's, for as long as that is not closing
        self.is_behind: bool = False  # the transport's write buffer may hold something
        self.part_at: float = 0.0  # when the last `send_part` was
        self.is_held: bool = False  # the kernel may keep a part, until the next sweep

    def fileno(self) -> int:
        """The descriptor of the connection, -1 when it is gone."""
        return -1 if self.transport is None else self.descriptor

    def send_head(self, head: bytes) -> None:
        """Sends a response head or a whole small answer."""
        transport = self.transport
        if transport is not None:
            self.is_behind = write(transport, self.descriptor, head, self.is_behind)

    def send_body(self, pieces: list[bytes]) -> None:
        """Sends framed body octets."""
        transport = self.transport
        if transport is not None:
            self.is_behind = write_all(transport, self.descriptor, pieces, self.is_behind)

    def send_part(self, part: bytes, now: float) -> None:
        """Sends a part of a body that goes on; close behind another one it may wait for its like, a grain at most."""
        transport = self.transport
        if transport is None:
            return
        is_close = now - self.part_at < GRAIN_S
        self.part_at = now
        self.is_behind = write(transport, self.descriptor, part, self.is_behind, is_close)
        if is_close and not self.is_held:
            self.is_held = True
            self.services.held.append(self)

    def push(self) -> None:
        """Nothing waits for its like any more."""
        self.is_held = False
        if self.transport is not None and not self.transport.is_closing():
            push(self.descriptor)

    def is_rid_of_all(self) -> bool:
        """Whether all that was written has left; if not, `resume_writing` comes when it has."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.set_write_buffer_limits(high=0)  # calls `pause_writing` at once where something is left
        return not self.is_blocked

    def lend(self) -> int:
        """A dup of the descriptor; the write buffer, which is empty, has its usual limits again."""
        if self.transport is not None:
            self.transport.set_write_buffer_limits(high=65536, low=0)
        return os.dup(self.fileno())

    def send_end(self) -> None:
        """Half-closes."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()
