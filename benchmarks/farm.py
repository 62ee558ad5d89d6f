"""The servers behind the proxies that are ours: quick ones on uvloop, in a process of their own.

    python -m benchmarks.farm PORT COUNT CONGESTION

Server N of COUNT listens on 127.0.X.Y:PORT (see `address_of`). Prints a line when all listen; serves until its standard input
ends. Requests are answered by the row of their path below; bodies of requests are read and dropped; connections are kept unless
the request says close. The sink of log lines is `python -m benchmarks.sink`.
"""

import asyncio
import base64
import hashlib
import re
import socket
import sys
from typing import Final

import uvloop

from benchmarks import namespace
from benchmarks.traffic import ANSWER_OCTETS

BUFFER_OCTETS: Final = 1 << 18
PIECE: Final = memoryview(bytes(1 << 20))

# A stream sends one event, as one chunk, every tick. The star occurs once in an event, so that a client can count them.
TICK_S: Final = 0.004
EVENT: Final = b"data: *" + b"e" * 55 + b"\n\n"
CHUNK: Final = b"%x\r\n%s\r\n" % (len(EVENT), EVENT)

WEBSOCKET_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 1.3
MASKED_HEAD_OCTETS: Final = 6
LONG_FRAME: Final = 126

SMALL: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n%%s\r\n" % ANSWER_OCTETS + b"x" * ANSWER_OCTETS
)
KEPT: Final = SMALL % b""
CLOSED: Final = SMALL % b"Connection: close\r\n"
LARGE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n"
EVENTS: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
SWITCHED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n"
)

LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)")
KEY: Final = re.compile(rb"\r\nsec-websocket-key: *([A-Za-z0-9+/=]+)", re.IGNORECASE)


def address_of(server: int) -> str:
    """Where server `server`, counted from 1, listens: each has an address of its own, all have one port."""
    return f"127.0.{server // 250}.{server % 250 + 1}"


class Streams:
    """All streams of events; one timer feeds them."""

    def __init__(self) -> None:
        self.origins: set[Origin] = set()
        self.timer: asyncio.TimerHandle | None = None

    def add(self, origin: "Origin") -> None:
        """A stream begins."""
        self.origins.add(origin)
        if self.timer is None:
            self._arm(asyncio.get_running_loop().time())

    def _arm(self, last_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.timer = loop.call_at(last_s + TICK_S, self._tick, max(last_s + TICK_S, loop.time() - TICK_S))

    def _tick(self, due_s: float) -> None:
        self.timer = None
        for origin in self.origins:
            origin.send_event()
        if self.origins:
            self._arm(due_s)


class Origin(asyncio.BufferedProtocol):
    """One connection of a server."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams
        self.transport: asyncio.Transport
        self.buffer = bytearray(BUFFER_OCTETS)
        self.view = memoryview(self.buffer)
        self.pending = b""
        self.body_left = 0
        self.answer = b""
        self.owed_octets = 0
        self.is_paused = False
        self.is_websocket = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A proxy has connected."""
        self.transport = transport  # type: ignore[assignment]  # uvloop's transports derive from no class of asyncio's

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left."""
        self.streams.origins.discard(self)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next octets go."""
        return self.view

    def buffer_updated(self, nbytes: int) -> None:
        """Reads heads, drops bodies, echoes frames."""
        if self.body_left > nbytes:
            self.body_left -= nbytes
            return
        data = self.pending + bytes(self.view[self.body_left : nbytes])
        if self.body_left:
            self.body_left = 0
            self.transport.write(self.answer)
        while data:
            data, more = self._echo(data) if self.is_websocket else self._head(data)
            if not more:
                break
        self.pending = data

    def pause_writing(self) -> None:
        """The proxy takes less than is sent."""
        self.is_paused = True

    def resume_writing(self) -> None:
        """It takes more again."""
        self.is_paused = False
        self._send_owed()

    def send_event(self) -> None:
        """One chunk, unless the proxy does not keep up."""
        if not self.is_paused:
            self.transport.write(CHUNK)

    def _head(self, data: bytes) -> tuple[bytes, bool]:
        """Answers one request; what is left, and whether to go on."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return data, False
        head, rest = data[:end], data[end + 4 :]
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/octets/"):
            self.owed_octets = int(path[8:])
            self.transport.write(LARGE % self.owed_octets)
            self._send_owed()
        elif path == b"/events":
            self.transport.write(EVENTS)
            self.streams.add(self)
        elif path == b"/websocket":
            self._switch(head)
        else:
            return self._small(head.lower(), rest)
        return rest, True

    def _small(self, head: bytes, rest: bytes) -> tuple[bytes, bool]:
        if b"\r\nconnection: close" in head:
            self.transport.write(CLOSED)
            self.transport.close()
            return b"", False
        length = LENGTH.search(head)
        missing = (int(length[1]) if length else 0) - len(rest)
        if missing > 0:
            self.body_left, self.answer = missing, KEPT
            return b"", False
        self.transport.write(KEPT)
        return rest[len(rest) + missing :] if length else rest, True

    def _send_owed(self) -> None:
        while self.owed_octets and not self.is_paused:
            size = min(self.owed_octets, len(PIECE))
            self.owed_octets -= size
            self.transport.write(PIECE[:size])

    def _switch(self, head: bytes) -> None:
        key = KEY.search(head)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + WEBSOCKET_GUID).digest())
        self.transport.write(SWITCHED % accept)
        self.is_websocket = True

    def _echo(self, data: bytes) -> tuple[bytes, bool]:
        """Sends one short frame back, unmasked as a server's is; anything else ends the connection."""
        if len(data) < MASKED_HEAD_OCTETS:
            return data, False
        length = data[1] & 0x7F
        if length >= LONG_FRAME or data[0] & 0x0F == 0x8:
            self.transport.close()
            return b"", False
        end = MASKED_HEAD_OCTETS + length
        if len(data) < end:
            return data, False
        mask = int.from_bytes(data[2:6] * (length // 4 + 1), "big") >> (32 - length % 4 * 8)
        payload = (int.from_bytes(data[6:end], "big") ^ mask).to_bytes(length, "big")
        self.transport.write(bytes((data[0], length)) + payload)
        return data[end:], True


async def serve(port: int, count: int, congestion: str) -> None:
    """Listens, says so, and waits for the end of standard input."""
    loop = asyncio.get_running_loop()
    streams = Streams()
    for server in range(1, count + 1):
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        namespace.choose(sock, congestion)  # a connection that is taken has what its listener has
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address_of(server), port))
        await loop.create_server(lambda: Origin(streams), sock=sock, backlog=4096)
    print("listening", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
