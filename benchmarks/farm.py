"""The servers behind the proxies and the sink of their logs, in a process of its own.

    python -m benchmarks.farm COUNT

Prints one line, the ports of COUNT servers and of the UDP sink, and serves until its standard input ends. Answers are 512
octets; connections are kept unless the request says close.
"""

import asyncio
import socket
import sys
from typing import Final

import uvloop

BODY: Final = b"x" * 512
KEPT: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 512\r\n\r\n" + BODY
CLOSED: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 512\r\nConnection: close\r\n\r\n" + BODY


class Origin(asyncio.Protocol):
    """One connection of a server."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A proxy has connected."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports derive from no class of asyncio's

    def data_received(self, data: bytes) -> None:
        """Answers every complete head."""
        assert self.transport is not None
        self.pending += data
        while (end := self.pending.find(b"\r\n\r\n")) >= 0:
            head, self.pending = self.pending[:end].lower(), self.pending[end + 4 :]
            if b"\r\nconnection: close" in head:
                self.transport.write(CLOSED)
                self.transport.close()
                return
            self.transport.write(KEPT)


class Sink(asyncio.DatagramProtocol):
    """Takes log lines and forgets them."""


async def serve(count: int) -> None:
    """Listens, tells the ports, and waits for the end of standard input."""
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(Origin, "127.0.0.1", 0, backlog=4096) for _ in range(count)]
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    sink.bind(("127.0.0.1", 0))
    await loop.create_datagram_endpoint(Sink, sock=sink)
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    print(*ports, sink.getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
