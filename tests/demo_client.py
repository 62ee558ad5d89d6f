"""A browser's side of a conversation with a Seaside image, on bare sockets, for tests that count every octet."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Final

from balancer.demo import Image

COUNTER: Final = b"/seaside/examples/counter"
EDGE_S: Final = 5.0  # how long a test waits for what must come
QUIET_S: Final = 0.15  # how long a test listens to learn that nothing comes


class Wire:
    """A client's connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, image: Image) -> "Wire":
        return cls(*await asyncio.open_connection(image.host, image.port))

    async def ask(
        self, target: bytes, *fields: bytes, method: bytes = b"GET", body: bytes = b"", version: bytes = b"1.1"
    ) -> "Seen":
        self.send(target, *fields, method=method, body=body, version=version)
        return await self.answer(method)

    def send(self, target: bytes, *fields: bytes, method: bytes = b"GET", body: bytes = b"", version: bytes = b"1.1") -> None:
        host = () if any(field.lower().startswith(b"host") for field in fields) or version == b"1.0" else (b"Host: linuxweb1",)
        length = (b"Content-Length: %d" % len(body),) if body else ()
        self.raw(b"\r\n".join([method + b" " + target + b" HTTP/" + version, *host, *fields, *length, b"", b""]) + body)

    def raw(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def answer(self, method: bytes = b"GET") -> "Seen":
        async with asyncio.timeout(EDGE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            seen = Seen(head)
            if method != b"HEAD":
                seen.body = await self.reader.readexactly(int(seen.field(b"Content-Length")))
            return seen

    async def rest(self) -> bytes:
        """What comes until the other side ends the connection."""
        async with asyncio.timeout(EDGE_S):
            return await self.reader.read()

    async def is_silent(self) -> bool:
        """Whether neither an octet nor an end comes."""
        try:
            async with asyncio.timeout(QUIET_S):
                await self.reader.read(1)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self.writer.close()


class Seen:
    """An answer as it came."""

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.lines = head[:-4].split(b"\r\n")
        self.status = int(self.lines[0].split()[1])
        self.body = b""

    def field(self, name: bytes) -> bytes:
        return next((line.split(b": ", 1)[1] for line in self.lines[1:] if line.lower().startswith(name.lower() + b": ")), b"")

    def names(self) -> list[bytes]:
        return [line.split(b":")[0] for line in self.lines[1:]]

    def count(self) -> int:
        found = re.search(rb"<h1>(-?\d+)</h1>", self.body)
        assert found, self.body
        return int(found[1])

    def link(self, name: bytes) -> bytes:
        found = re.search(rb'<a href="([^"]*)">' + re.escape(name) + rb"</a>", self.body)
        assert found, self.body
        return found[1].replace(b"&amp;", b"&")

    def session(self) -> bytes:
        return self.link(b"++").split(b"_s=")[1].split(b"&")[0]


def path_of(url: bytes) -> bytes:
    return url.removeprefix(b"http://linuxweb1")


async def click(wire: Wire, page: Seen, name: bytes = b"++") -> Seen:
    moved = await wire.ask(path_of(page.link(name)))
    assert moved.status == 302
    return await wire.ask(path_of(moved.field(b"Location")))


async def until(question: Callable[[], bool], message: str) -> None:
    """Waits until the answer is yes."""
    deadline_s = time.monotonic() + EDGE_S
    while not question():
        assert time.monotonic() < deadline_s, message
        await asyncio.sleep(0.005)


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s
