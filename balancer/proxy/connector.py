"""Opens connections to servers.

A connection attempt may have a task of its own: it is rare beside requests, since connections are kept. On loopback a
connect is over at once; then the task only waits for the transport to stand on the socket.
"""

import asyncio
import errno
import socket
from typing import Final, cast

from balancer.backend.outgoing import connect, open_socket
from balancer.backend.server import Server
from balancer.proxy.channels import Connecting
from balancer.proxy.exchange import Exchange
from balancer.proxy.server_side import ServerSide
from balancer.proxy.services import Service

# Want of descriptors, ports or memory here: not the server's fault.
RESOURCE_ERRORS: Final = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL])


class Attempt(Connecting):
    """One attempt of one exchange."""

    def __init__(self, loop: asyncio.AbstractEventLoop, exchange: Exchange, server: Server, service: Service | None) -> None:
        self.loop = loop
        self.service = service
        self.exchange: Exchange | None = exchange
        self.server = server
        self.task: asyncio.Task[None] = loop.create_task(self._run())

    def cancel(self) -> None:
        """Calls it off; nobody is told."""
        self.exchange = None
        self.task.cancel()

    async def _run(self) -> None:
        server = self.server
        sock: socket.socket | None = None
        try:
            sock = await self._connected()
            side = ServerSide(server, sock, self.loop)
            handed_over = sock
            sock = None  # the transport closes the descriptor, also when it fails before it stands
            try:
                await self.loop.create_connection(lambda: cast(asyncio.Protocol, side), sock=handed_over)
            except BaseException:
                handed_over.detach()
                raise
            server.counters.connects += 1
            exchange = self.exchange
            if exchange is None:
                side.abort()
            else:
                self.exchange = None
                try:
                    exchange.connected(side)
                except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
                    exchange.crash(error)
                    side.abort()
        except OSError as error:
            exchange = self.exchange
            if exchange is not None:
                self.exchange = None
                self._tell_failure(exchange, error)
        except Exception as error:  # noqa: BLE001 - the top of a task: one fault ends one connection
            exchange = self.exchange
            if exchange is not None:
                self.exchange = None
                exchange.connecting = None
                exchange.crash(error)
        finally:
            if sock is not None:
                sock.close()

    def _tell_failure(self, exchange: Exchange, error: OSError) -> None:
        try:
            exchange.connect_failed(False, error.errno in RESOURCE_ERRORS)
        except Exception as fault:  # noqa: BLE001 - the top of a task: one fault ends one connection
            exchange.crash(fault)

    async def _connected(self) -> socket.socket:
        """A socket with the server, or its service, at the other end."""
        if self.service is not None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            try:
                await self.service.serve(theirs)
            except BaseException:
                ours.close()
                raise
            return ours
        config = self.server.config
        sock = open_socket(config, config.is_ipv6)
        try:
            await connect(self.loop, sock, (config.host, config.port))
        except BaseException:
            sock.close()
            raise
        return sock
