"""What a worker does for its exchanges: time, limits, connections, and a word to the operator."""

import asyncio
import socket
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mypy_extensions import mypyc_attr

from balancer.backend.farm import Farm
from balancer.backend.server import Server
from balancer.proxy.channels import ClientChannel, Connecting, Limits
from balancer.proxy.deadlines import Wheel
from balancer.proxy.local import Door
from balancer.proxy.record import Speaker
from balancer.proxy.splice import NOTHING_IS_SPLICED, Pipes
from balancer.rulebook import Value

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


class Site:
    """All that is answered inside the process."""

    def __init__(self, exporter: Service | None = None) -> None:
        self.exporter = exporter
        self.services: list[Service] = [] if exporter is None else [exporter]
        self.frontend_doors: dict[str, Door] = {}
        self.backend_doors: dict[str, Door] = {}

    def enter(self, door: Door, services: list[Service], frontend_name: str, backend_name: str) -> None:
        """Adds the page of a section with its services; each half of it by its name, "" where it has none."""
        self.services += services
        if frontend_name:
            self.frontend_doors[frontend_name] = door
        if backend_name:
            self.backend_doors[backend_name] = door

    def service_of(self, server: Server) -> Service | None:
        """The service that a server of a log line stands for; None for a server of the file."""
        if server.backend_name:
            return None
        for service in self.services:
            if service.server is server:
                return service
        return None


@mypyc_attr(allow_interpreted_subclasses=True)
class Services:
    """What a worker does for its exchanges, and the limits that it gives them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, farm: Farm, wheel: Wheel, limits: Limits) -> None:
        self.loop = loop
        self.farm = farm
        self.wheel = wheel
        self.limits = limits
        self.pipes: Pipes | None = None
        self.spliced_octets_min: int = NOTHING_IS_SPLICED
        self.is_stopping: bool = False
        self.held: list[ClientChannel] = []  # those of whose parts the kernel keeps some, until the next sweep
        self.wall_ahead_s: float = 0.0  # of `now`
        self.serial: int = 0
        self.variables: dict[str, Value] = {}  # `proc.`
        self.speaker: Speaker | None = None  # for rules with variables of log formats
        self.environment: Mapping[str, str] = {}  # as the file's `setenv` and its kin leave it

    def now(self) -> float:
        """`loop.time()` in seconds."""
        return self.loop.time()

    def learn_wall(self) -> None:
        """Asks what time it is. Whoever needs the time of day between two calls adds to `now` what it was ahead then."""
        self.wall_ahead_s = time.time() - self.loop.time()

    def connect(self, exchange: "Exchange", server: Server) -> Connecting:
        """Opens a connection to `server`; the exchange hears `connected` or `connect_failed`."""
        raise AssertionError("the worker connects")

    def complain(self, text: str) -> None:
        """Tells the operator of a fault of ours."""
        raise AssertionError("the worker knows the log")

    def shed_idle(self) -> None:
        """Closes idle server connections for want of descriptors."""
        raise AssertionError("the worker knows all pools")
