"""One connection to a server: HTTP/1.1 on a uvloop transport, and its life between requests.

It is in use by one exchange, or idle in its server's pool, or ending. Whatever comes on an idle connection, octets or an
end, kills it: nobody has asked for it. Before it is used again it is looked at once more, because an end that has reached
the kernel may not have reached the loop yet.
"""

import asyncio
import os
import socket
from typing import Final, Protocol

from balancer.backend.backend import Request
from balancer.backend.leaves import is_quiet
from balancer.backend.outgoing import NO_LINGER
from balancer.backend.server import Server
from balancer.proxy.channels import ServerChannel
from balancer.proxy.exchange import Exchange
from balancer.proxy.reading import PORTION_OCTETS, Portions, read_in_portions
from balancer.proxy.writing import write_all

TCP_INFO_OCTETS: Final = 128
TCP_CLOSE: Final = 7  # tcpi_state, its first octet
BYTES_ACKED_AT: Final = 120  # tcpi_bytes_acked in struct tcp_info (Linux 4.1 and later)
# What is read of a connection whose end was a failed write: more than a kernel's receive buffer holds.
REST_OCTETS: Final = 65536
REST_READS_MAX: Final = 128


class Clock(Protocol):
    """What tells `loop.time()`."""

    def time(self) -> float:
        """Seconds."""


class ServerSide(ServerChannel):
    """See the module."""

    def __init__(self, server: Server, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(server)
        self.sock = sock
        self.loop = loop
        self.exchange: Exchange | None = None
        self.transport: asyncio.Transport | None = None
        self.is_paused: bool = False
        self.descriptor: int = sock.fileno()  # for as long as the transport is not closing
        self.is_behind: bool = False  # the transport's write buffer may hold something
        self.portions: Portions | None = None  # how it is read, once it has brought much

    def __repr__(self) -> str:
        state = "idle" if self.is_pooled else repr(self.exchange)
        return f"<ServerSide {self.server.backend_name}/{self.server.name} use={self.use_count} {state}>"

    # --- the transport's calls -----------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:
        """The transport stands on the connected socket."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Octets of an answer, or of nothing that was asked for."""
        exchange = self.exchange
        if exchange is None:
            self._drop()
            return
        answer = exchange.answer
        if answer is None:
            self._drop()
            return
        try:
            answer.arrive(data, self.loop.time())
            if len(data) > PORTION_OCTETS and self.transport is not None and exchange.splices is None:
                self.portions = read_in_portions(self.transport, self, self.is_paused, self.descriptor)
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            exchange.crash(error)

    def eof_received(self) -> bool:
        """An orderly end; the transport stays open for what is still to be written."""
        exchange = self.exchange
        if exchange is None:
            self._drop()
            return False
        try:
            exchange.server_ended(True, self.loop.time())
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            exchange.crash(error)
        return self.exchange is not None

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self.is_lost = True
        self.server.pool.discard(self)
        exchange = self.exchange
        if exchange is not None:
            try:
                if error is not None:
                    self._take_rest()
                if self.exchange is not None:
                    exchange.server_ended(error is None, self.loop.time())
            except Exception as failure:  # noqa: BLE001 - an edge: one fault ends one connection
                exchange.crash(failure)
            self.exchange = None
        self.transport = None

    def _take_rest(self) -> None:
        """What the kernel still holds: a server that refuses an upload answers, and then resets what it does not want to read.

        The transport ends at the first write that fails, without a look at what came before the reset.
        """
        for _ in range(REST_READS_MAX):
            try:
                data = self.sock.recv(REST_OCTETS)
            except OSError:
                return
            exchange = self.exchange
            if not data or exchange is None or exchange.answer is None:
                return
            exchange.answer.arrive(data, self.loop.time())

    def pause_writing(self) -> None:
        """The write buffer is full."""
        self.is_blocked = True
        self._tell_exchange()

    def resume_writing(self) -> None:
        """The write buffer has room."""
        self.is_blocked = False
        self._tell_exchange()

    def _tell_exchange(self) -> None:
        exchange = self.exchange
        if exchange is None:
            return
        try:
            if self.is_blocked:
                exchange.server_blocked()
            else:
                exchange.server_resumed()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one connection
            exchange.crash(error)

    # --- the exchange's calls ------------------------------------------------------------------------------------------

    def begin(self, request: Request) -> None:
        """What comes from now on is the answer to this request."""
        assert isinstance(request, Exchange) and self.exchange is None
        self.exchange = request
        if self.portions is not None:
            self.portions.full_count = 0

    def end(self, may_keep: bool, now: float) -> None:
        """The exchange is over: into the pool, or closed."""
        exchange = self.exchange
        self.exchange = None
        transport = self.transport
        if transport is None:
            return
        if not may_keep:
            self.abort()
        elif self.is_blocked or not self.server.is_usable() or transport.is_closing():
            self.close()
        elif self.is_private:
            if exchange is None or exchange.client.is_gone:
                self.close()
            else:
                self.resume_reading()
                exchange.client.private = self
        else:
            self.resume_reading()
            self.server.pool.give(self, now)

    def source(self) -> tuple[str, int]:
        """Our own address and port; ("", 0) where there are none."""
        try:
            name = self.sock.getsockname()
        except OSError:
            return "", 0
        return (str(name[0]), int(name[1])) if isinstance(name, tuple) else ("", 0)

    def send(self, pieces: list[bytes]) -> None:
        """Sends request octets."""
        transport = self.transport
        if transport is None:
            return
        for piece in pieces:
            self.written_octets += len(piece)
        self.is_behind = write_all(transport, self.descriptor, pieces, self.is_behind)

    def is_rid_of_all(self) -> bool:
        """Whether all that was written has left; if not, `resume_writing` comes when it has."""
        transport = self.transport
        if transport is not None and not transport.is_closing():
            transport.set_write_buffer_limits(high=0)  # calls `pause_writing` at once where something is left
        return not self.is_blocked

    def lend(self) -> int:
        """A dup of the descriptor; the write buffer, which is empty, has its usual limits again."""
        if self.transport is not None:
            self.transport.set_write_buffer_limits()
        return os.dup(self.sock.fileno())

    def send_end(self) -> None:
        """Half-closes."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write_eof()

    def pause_reading(self) -> None:
        """Reads no more until `resume_reading`."""
        transport = self.transport
        if transport is not None and not self.is_paused and not transport.is_closing():
            self.is_paused = True
            transport.pause_reading()

    def resume_reading(self) -> None:
        """Reads on."""
        transport = self.transport
        if self.is_paused:
            self.is_paused = False
            if transport is not None and not transport.is_closing():
                transport.resume_reading()

    def is_fresh(self) -> bool:
        """Whether neither octets nor an end wait on the socket."""
        transport = self.transport
        return transport is not None and not transport.is_closing() and is_quiet(self.descriptor)

    def acked_octets(self) -> int:
        """How much of what was ever written the server's kernel has taken; -1 when it cannot be told.

        Only a reset behind the server's end tells that what came too late was thrown away. Without it the server may have ended
        its own direction alone: its kernel takes the request and acknowledges it up to 40 ms later.
        """
        try:
            info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_OCTETS)
        except OSError:
            return -1
        if len(info) < BYTES_ACKED_AT + 8 or info[0] != TCP_CLOSE:
            return -1
        return int.from_bytes(info[BYTES_ACKED_AT : BYTES_ACKED_AT + 8], "little")

    def close(self) -> None:
        """Closes in order, what was written still goes out."""
        self.exchange = None
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Cuts the connection with a reset, so that the server stops working for it."""
        self.exchange = None
        transport = self.transport
        if transport is None:
            return
        try:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        except OSError:
            pass  # closed already: nothing is left to be reset
        transport.abort()

    def _drop(self) -> None:
        self.server.pool.discard(self)
        self.abort()
