"""What a worker does for its exchanges: time, limits, connections, and a word to the operator."""

import asyncio
import socket
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from balancer.backend.farm import Farm
from balancer.backend.server import Server
from balancer.proxy.channels import Connecting, Limits
from balancer.proxy.deadlines import Wheel
from balancer.proxy.splice import NOTHING_IS_SPLICED, Pipes

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange


@mypyc_attr(allow_interpreted_subclasses=True)
class Service:
    """What answers requests inside the process; `server` stands for it in logs and pools."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def serve(self, sock: socket.socket) -> None:
        """Serves one connection on one end of a socket pair."""
        raise AssertionError("the admin side serves")


@mypyc_attr(allow_interpreted_subclasses=True)
class Services:
    """What a worker does for its exchanges, and the limits that it gives them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, farm: Farm, wheel: Wheel, limits: Limits) -> None:
        self.loop = loop
        self.farm = farm
        self.wheel = wheel
        self.limits = limits
        self.service: Service | None = None
        self.pipes: Pipes | None = None
        self.spliced_octets_min: int = NOTHING_IS_SPLICED
        self.is_stopping: bool = False
        self.serial: int = 0

    def now(self) -> float:
        """`loop.time()` in seconds."""
        return self.loop.time()

    def connect(self, exchange: "Exchange", server: Server) -> Connecting:
        """Opens a connection to `server`; the exchange hears `connected` or `connect_failed`."""
        raise AssertionError("the worker connects")

    def complain(self, text: str) -> None:
        """Tells the operator of a fault of ours."""
        raise AssertionError("the worker knows the log")

    def shed_idle(self) -> None:
        """Closes idle server connections for want of descriptors."""
        raise AssertionError("the worker knows all pools")
