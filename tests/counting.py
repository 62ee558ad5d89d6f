"""The server of the soak: it numbers what it reads, draws a fault for each request by a seeded die, and does it.

Requests are read strictly one after the other. A request counts as read as soon as its head is: also one that comes while the
server is about to close, or has ended its own direction already. So whatever a proxy sends twice is seen twice.
"""

import asyncio
import random
import socket
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

CLOSE_WITHIN_S: Final = 0.002
LARGE_OCTETS: Final = 300_000
RESET: Final = b"\1\0\0\0\0\0\0\0"
# What a client has done with a number, beside asking and waiting for the answer.
ASKED, REFUSED, LEFT = 0, 1, 2


@dataclass
class Tally:
    """What has happened to each number, in an octet each, since there are a million."""

    count: int
    read: bytearray = field(init=False)  # how often a server has read it
    drawn: bytearray = field(init=False)  # the fault, by its place in FAULTS, from 1
    logged: bytearray = field(init=False)  # how many lines it has
    flags: bytearray = field(init=False)  # the flags of its line, by their place in flag_names
    kind: bytearray = field(init=False)  # ASKED, REFUSED, LEFT
    flag_names: list[str] = field(default_factory=lambda: [""])
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refused_lines: int = 0

    def __post_init__(self) -> None:
        for name in ("read", "drawn", "logged", "flags", "kind"):
            setattr(self, name, bytearray(self.count))

    def fault_of(self, number: int) -> str:
        """What the server drew for it; NEVER_READ when it has not seen it."""
        place = self.drawn[number]
        return NAMES[place - 1] if place else NEVER_READ


@dataclass
class Request:
    """One request as the server read it: its number, and how much of its body is still to come."""

    number: int
    unread: int
    server: "CountingServer"


Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Request], Coroutine[Any, Any, bool]]


@dataclass(frozen=True)
class Fault:
    """What the server does, how often (per thousand), and what may come of it: what the client sees, what the log says."""

    weight: int
    act: Act
    outcome: str
    flags: tuple[str, ...]


def answer(number: int) -> bytes:
    """With a length."""
    body = b"answer to %d" % number
    return b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def chunks(number: int) -> bytes:
    """In one chunk."""
    body = b"answer to %d" % number
    head = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def large(number: int) -> bytes:
    """More than the buffers between server and client hold."""
    body = b"answer to %d" % number
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (LARGE_OCTETS, body.ljust(LARGE_OCTETS))


def sends(make: Callable[[int], bytes], keeps: bool = True) -> Act:
    """Reads the body, sends what is made for the number, and keeps or closes the connection."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
        await reader.readexactly(request.unread)
        writer.write(make(request.number))
        await writer.drain()
        return keeps

    return act


def resets(make: Callable[[int], bytes]) -> Act:
    """Reads the body, sends the beginning of an answer, and resets."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
        await reader.readexactly(request.unread)
        writer.write(make(request.number))
        await asyncio.sleep(0.001)  # what was sent must have left before the reset overtakes it
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        return False

    return act


async def _closes_soon(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    await reader.readexactly(request.unread)
    writer.write(answer(request.number))
    server = request.server
    with suppress(TimeoutError):
        async with asyncio.timeout(server.die.random() * CLOSE_WITHIN_S):
            await server.read(reader, TAKEN)
    return False


async def _half_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    await reader.readexactly(request.unread)
    writer.write(answer(request.number))
    writer.write_eof()
    await request.server.read(reader, TAKEN)
    return False


async def _hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    del writer
    await reader.readexactly(request.unread)
    await reader.read(1)
    return False


async def _answers_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    del reader, request
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    return False


NEVER_READ: Final = "never read"
TAKEN: Final = "taken by a server that has closed or is about to"
WHOLE: Final = ("200", ("--NI",))
LOST: Final = ("502", ("SHNN",))
CUT: Final = ("cut", ("SDNI",))
FAULTS: Final[dict[str, Fault]] = {
    "none": Fault(550, sends(answer), *WHOLE),
    "none, chunked": Fault(95, sends(chunks), *WHOLE),
    "none, large": Fault(15, sends(large), *WHOLE),
    "closes within 2 ms of the answer": Fault(80, _closes_soon, *WHOLE),
    "closes behind the answer": Fault(40, sends(answer, keeps=False), *WHOLE),
    "half-closes behind the answer": Fault(20, _half_closes, *WHOLE),
    "surplus octets": Fault(20, sends(lambda number: answer(number) + answer(number)), *WHOLE),
    "closes before the head": Fault(30, sends(lambda _: b"", keeps=False), *LOST),
    "resets before the head": Fault(30, resets(lambda _: b""), *LOST),
    "closes inside the head": Fault(20, sends(lambda number: answer(number)[:25], keeps=False), *LOST),
    "resets inside the head": Fault(10, resets(lambda number: answer(number)[:25]), *LOST),
    "garbage": Fault(15, sends(lambda _: b"\x16\x03 this is no answer\r\n\r\n", keeps=False), "502", ("PHNN",)),
    "closes inside the body": Fault(20, sends(lambda number: answer(number)[:-2], keeps=False), *CUT),
    "resets inside the body": Fault(15, resets(lambda number: answer(number)[:-2]), *CUT),
    "closes inside a chunk": Fault(15, sends(lambda number: chunks(number)[:-9], keeps=False), *CUT),
    "closes before the last chunk": Fault(15, sends(lambda number: chunks(number)[:-5], keeps=False), *CUT),
    "answers before the body": Fault(8, _answers_early, "413", ("--NI",)),
    "hangs": Fault(2, _hangs, "504", ("sHNN",)),
    TAKEN: Fault(0, _hangs, *LOST),  # not drawn: what comes behind the last answer of a connection
}
NAMES: Final = list(FAULTS)
# A request whose connection ended in the moment of its use was never read, and is refused rather than repeated.
UNREAD: Final = Fault(0, _hangs, *LOST)


class CountingServer:
    """Reads requests strictly one after the other, draws a fault for each, and does it."""

    def __init__(self, tally: Tally, die: random.Random) -> None:
        self.tally = tally
        self.die = die
        self.weights = [fault.weight for fault in FAULTS.values()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                name = self.die.choices(NAMES, self.weights)[0]
                request = await self.read(reader, name)
                if not await FAULTS[name].act(reader, writer, request):
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has ended it, or the run is over
        finally:
            writer.close()

    async def read(self, reader: asyncio.StreamReader, name: str) -> Request:
        """The next head: its number counts as read, and gets that fault."""
        head = await reader.readuntil(b"\r\n\r\n")
        number = int(head.split(b" ", 2)[1].removeprefix(b"/n"))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        tally = self.tally
        tally.read[number] += 1
        tally.drawn[number] = NAMES.index(name) + 1
        tally.faults[name] += 1
        return Request(number, int(length or b"0"), self)
