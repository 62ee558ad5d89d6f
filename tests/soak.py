"""Thousands to millions of faulty exchanges: nothing is processed twice, nothing is mixed up, nothing leaks.

    PYTHONPATH=tests python -P tests/soak.py [--count N] [--seconds S] [--program PATH-OF-HAPROXY] [--seed N]

A counting server and strict clients stand in this process, the program under test between them in its own. Each request has a
number; the server draws a fault for it by a seeded die, does it, and counts whose numbers it has read. At random it refuses
to answer, resets, breaks off, talks garbage, sends too much, answers before it has read, hangs, half-closes, and closes kept
connections within two milliseconds after an answer, in the very moment of their next use. Clients send malformed requests,
leave inside their bodies, and leave inside the answer. In the end every number was read at most once, has exactly one line in
the log, and the program has as many descriptors as before and no more memory than after warming up.
"""

import argparse
import asyncio
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvloop
from running import BALANCER, free_port, running, wait_until

PATIENCE_S: Final = 10.0
CLIENTS: Final = 40
SERVERS: Final = 3
SERVER_TIMEOUT_S: Final = 0.5
CLOSE_WITHIN_S: Final = 0.002
PIECE: Final = bytes(4000)
# Memory may grow by this much after a fifth of the run: what an allocator keeps, not what a leak takes.
GROWTH_OCTETS_MAX: Final = 6 << 20
RESET: Final = b"\1\0\0\0\0\0\0\0"

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter, "Request"], Coroutine[Any, Any, bool]]


@dataclass
class Request:
    """One request as the server read it: its number, and how much of its body is still to come."""

    number: int
    unread: int


@dataclass(frozen=True)
class Fault:
    """What the server does, how often (per thousand), and what a client may see of it: a status, or `cut`."""

    weight: int
    act: Server
    outcomes: frozenset[str]


@dataclass
class Tally:
    """What has happened, by number where that matters."""

    count: int
    read: bytearray = field(init=False)
    logged: bytearray = field(init=False)
    drawn: dict[int, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    refused_lines: int = 0
    refusals: int = 0

    def __post_init__(self) -> None:
        self.read = bytearray(self.count)
        self.logged = bytearray(self.count)


def answer(number: int) -> bytes:
    body = b"answer to %d" % number
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def chunks(number: int) -> bytes:
    body = b"answer to %d" % number
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


def sends(make: Callable[[int], bytes], keeps: bool = True) -> Server:
    """Reads the body, sends what is made for the number, and keeps or closes the connection."""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
        await reader.readexactly(request.unread)
        writer.write(make(request.number))
        return keeps

    return act


def resets(make: Callable[[int], bytes]) -> Server:
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
    await asyncio.sleep(random.random() * CLOSE_WITHIN_S)
    return False


async def _half_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bool:
    await reader.readexactly(request.unread)
    writer.write(answer(request.number))
    writer.write_eof()
    await reader.read(1)
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


WHOLE: Final = frozenset({"200"})
LOST: Final = frozenset({"502"})
CUT: Final = frozenset({"cut"})
FAULTS: Final[dict[str, Fault]] = {
    "none": Fault(560, sends(answer), WHOLE),
    "none, chunked": Fault(100, sends(chunks), WHOLE),
    "closes within 2 ms of the answer": Fault(80, _closes_soon, WHOLE),
    "closes behind the answer": Fault(40, sends(answer, keeps=False), WHOLE),
    "half-closes behind the answer": Fault(20, _half_closes, WHOLE),
    "surplus octets": Fault(20, sends(lambda number: answer(number) + answer(number)), WHOLE),
    "closes before the head": Fault(30, sends(lambda _: b"", keeps=False), LOST),
    "resets before the head": Fault(30, resets(lambda _: b""), LOST),
    "closes inside the head": Fault(20, sends(lambda number: answer(number)[:25], keeps=False), LOST),
    "resets inside the head": Fault(10, resets(lambda number: answer(number)[:25]), LOST),
    "garbage": Fault(15, sends(lambda _: b"\x16\x03 this is no answer\r\n\r\n", keeps=False), LOST),
    "closes inside the body": Fault(20, sends(lambda number: answer(number)[:-2], keeps=False), CUT),
    "resets inside the body": Fault(15, resets(lambda number: answer(number)[:-2]), CUT),
    "closes inside a chunk": Fault(15, sends(lambda number: chunks(number)[:-9], keeps=False), CUT),
    "closes before the last chunk": Fault(15, sends(lambda number: chunks(number)[:-5], keeps=False), CUT),
    "answers before the body": Fault(8, _answers_early, frozenset({"413"})),
    "hangs": Fault(2, _hangs, frozenset({"504"})),
}


class CountingServer:
    """Reads requests strictly one after the other, draws a fault for each, and does it."""

    def __init__(self, tally: Tally, die: random.Random) -> None:
        self.tally = tally
        self.die = die
        self.names = list(FAULTS)
        self.weights = [fault.weight for fault in FAULTS.values()]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while await self._request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side has ended it, or the run is over
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        target = head.split(b" ", 2)[1]
        number = int(target.removeprefix(b"/n"))
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        self.tally.read[number] += 1
        name = self.die.choices(self.names, self.weights)[0]
        self.tally.drawn[number] = name
        self.tally.faults[name] += 1
        return await FAULTS[name].act(reader, writer, Request(number, int(length or b"0")))


class Client:
    """One user: keeps its connection as long as it is kept, and judges each answer strictly."""

    def __init__(self, tally: Tally, port: int, die: random.Random) -> None:
        self.tally = tally
        self.port = port
        self.die = die
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def request(self, number: int) -> None:
        """Sends one request and notes what came of it."""
        kind = self.die.random()
        outcome = await self._outcome(number, kind)
        self.tally.outcomes[outcome] += 1
        if outcome.startswith("left") or outcome == "400":
            return
        drawn = self.tally.drawn.pop(number, None)
        # A request whose connection ended in the moment of its use was never read, and is refused rather than repeated.
        allowed = LOST if drawn is None else FAULTS[drawn].outcomes
        if outcome not in allowed:
            self.tally.wrong.append(f"/n{number}: {drawn!r} became {outcome!r}")

    async def _outcome(self, number: int, kind: float) -> str:
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.reader, self.writer
        assert reader is not None
        method, body = (b"POST", PIECE[: self.die.randrange(1, len(PIECE))]) if self.die.random() < 0.4 else (b"GET", b"")
        head = b"%s /n%d HTTP/1.1\r\nHost: soak\r\n" % (method, number)
        if body:
            head += b"Content-Length: %d\r\n" % len(body)
        if kind < 0.02:
            self.tally.refusals += 1
            writer.write(head + b"Broken : field\r\n\r\n")
        elif kind < 0.04 and body:
            writer.write(head + b"\r\n" + body[: len(body) // 2])
            await writer.drain()
            self._leave()
            return "left inside the body"
        elif kind < 0.05:
            writer.write(head + b"\r\n" + body)
            await writer.drain()
            self._leave()
            return "left before the answer"
        else:
            writer.write(head + b"\r\n" + body)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._answer(reader, number)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._leave()
            return "cut"

    async def _answer(self, reader: asyncio.StreamReader, number: int) -> str:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._leave()
            return f"no answer ({type(error).__name__})"
        status = head[9:12].decode()
        fields = head.lower()
        if b"\r\ntransfer-encoding: chunked\r\n" in fields:
            body = b""
            while size := int(await reader.readuntil(b"\r\n"), 16):
                body += await reader.readexactly(size)
                assert await reader.readexactly(2) == b"\r\n"
            assert await reader.readexactly(2) == b"\r\n"
        else:
            body = await reader.readexactly(int(fields.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]))
        if status == "200" and body != b"answer to %d" % number:
            return f"the answer to another request: {body!r}"
        if b"\r\nconnection: close\r\n" in fields or status in ("400", "413"):
            self._leave()
        return status

    def _leave(self) -> None:
        assert self.writer is not None
        self.writer.transport.abort()
        self.reader = self.writer = None


class LogCounter:
    """Counts the lines of each number in a thread of its own, so that no datagram is lost while the loop is busy."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE, for root
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            line = self.socket.recv(65536)
            _, found, rest = line.partition(b" /n")
            if found:
                self.tally.logged[int(rest.partition(b" ")[0])] += 1
            elif b"<BADREQ>" in line:
                self.tally.refused_lines += 1


def configuration(port: int, ports: list[int], log: int) -> str:
    """A farm that both programs understand."""
    servers = "".join(f"    server s{n} 127.0.0.1:{each} cookie c{n}\n" for n, each in enumerate(ports, 1))
    return (
        f"global\n    log 127.0.0.1:{log} local0\n    maxconn 2000\n"
        "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n    option redispatch\n"
        f"    retries 3\n    timeout connect 2s\n    timeout client 5s\n    timeout server {int(SERVER_TIMEOUT_S * 1000)}\n"
        f"listen soak\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert\n{servers}"
    )


def resident_octets(pid: int) -> int:
    """The memory that the process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def descriptor_count(pid: int) -> int:
    """How many descriptors it has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@dataclass
class Figures:
    """What a run has measured."""

    tally: Tally
    exchanges: int
    seconds: float
    rss_begin: int
    rss_warm: int
    rss_end: int
    descriptors_begin: int
    descriptors_end: int
    unlogged: int
    logged_twice: int
    read_twice: int

    def faults(self) -> list[str]:
        """Everything that must not be."""
        found = list(self.tally.wrong[:10])
        if self.tally.wrong:
            found.append(f"{len(self.tally.wrong)} wrong outcomes")
        for text, count in (
            ("processed twice", self.read_twice),
            ("without a line", self.unlogged),
            ("with two", self.logged_twice),
        ):
            if count:
                found.append(f"{count} requests {text}")
        if self.rss_end - self.rss_warm > GROWTH_OCTETS_MAX:
            found.append(f"memory grew by {(self.rss_end - self.rss_warm) >> 10} KiB after warming up")
        if self.descriptors_end > self.descriptors_begin:
            found.append(f"{self.descriptors_end - self.descriptors_begin} descriptors are left open")
        return found

    def text(self) -> str:
        """The figures for people."""
        lines = [
            f"{self.exchanges} exchanges in {self.seconds:.1f} s, {self.exchanges / self.seconds:.0f} a second",
            f"memory {self.rss_begin >> 10} KiB, warm {self.rss_warm >> 10}, at the end {self.rss_end >> 10}",
            f"descriptors {self.descriptors_begin}, at the end {self.descriptors_end}",
            f"log lines: {self.unlogged} missing, {self.logged_twice} twice; processed twice: {self.read_twice}",
            "outcomes: " + ", ".join(f"{name} {count}" for name, count in self.tally.outcomes.most_common()),
            "faults: " + ", ".join(f"{name} {count}" for name, count in self.tally.faults.most_common()),
        ]
        return "\n".join(lines)


async def _load(tally: Tally, port: int, seed: int, until: float, warm: Callable[[], None]) -> int:
    """Lets the clients talk until all numbers are used or the time is over; how many were used."""
    used = 0

    async def talk(client: Client) -> None:
        nonlocal used
        while used < tally.count and time.monotonic() < until:
            number, used = used, used + 1
            if number == tally.count // 5:
                warm()
            await client.request(number)
        if client.writer is not None:
            client.writer.close()

    await asyncio.gather(*[talk(Client(tally, port, random.Random(f"{seed} {n}"))) for n in range(CLIENTS)])
    return used


async def _run(program: list[str], count: int, seconds: float, seed: int, folder: Path) -> Figures:
    random.seed(seed)
    tally = Tally(count)
    log = LogCounter(tally)
    server = CountingServer(tally, random.Random(seed))
    listening = [await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=512) for _ in range(SERVERS)]
    ports = [each.sockets[0].getsockname()[1] for each in listening]
    port = free_port()
    path = folder / "soak.cfg"
    path.write_text(configuration(port, ports, log.port))
    with running([*program, "-db", "-f", str(path)], folder / "soak.out") as process:
        await asyncio.to_thread(process.wait_for_port, port)
        pid = process.process.pid
        rss_begin, descriptors_begin = resident_octets(pid), descriptor_count(pid)
        warm: list[int] = []
        began = time.monotonic()
        used = await _load(tally, port, seed, began + seconds, lambda: warm.append(resident_octets(pid)))
        took = time.monotonic() - began
        # Servers close what is kept for them, so that only what leaked stays open.
        for each in listening:
            each.close()
        with suppress(AssertionError):
            await asyncio.to_thread(wait_until, lambda: _lines(tally, used) >= used, "a line for each request")
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        with suppress(AssertionError):
            await asyncio.to_thread(wait_until, lambda: descriptor_count(pid) <= descriptors_begin, "descriptors are closed")
        return Figures(
            tally,
            used,
            took,
            rss_begin,
            warm[0] if warm else rss_begin,
            resident_octets(pid),
            descriptors_begin,
            descriptor_count(pid),
            max(0, used - _lines(tally, used)),
            sum(each > 1 for each in tally.logged),
            sum(each > 1 for each in tally.read),
        )


def _lines(tally: Tally, used: int) -> int:
    return sum(each > 0 for each in tally.logged[:used]) + tally.refused_lines


def soak(program: list[str], count: int, seconds: float, seed: int = 1) -> Figures:
    """Runs it all; the figures."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(_run(program, count, seconds, seed, Path(folder)))


def main() -> int:
    """Prints the figures; 1 where something must not be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="exchanges (1000000)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="an end before that (3600)")
    parser.add_argument("--seed", type=int, default=1, help="of all dice (1)")
    parser.add_argument("--program", help="another program that takes -db -f FILE, e.g. /usr/sbin/haproxy")
    options = parser.parse_args()
    figures = soak([options.program] if options.program else list(BALANCER), options.count, options.seconds, options.seed)
    sys.stdout.write(figures.text() + "\n")
    for fault in figures.faults():
        sys.stdout.write(f"FAULT: {fault}\n")
    return 1 if figures.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
