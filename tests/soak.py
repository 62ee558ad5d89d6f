"""Thousands to millions of faulty exchanges: nothing is processed twice, nothing is mixed up, nothing leaks.

    PYTHONPATH=tests python -P tests/soak.py [--count N] [--seconds S] [--program PATH-OF-HAPROXY] [--seed N]

Counting servers (counting.py) and strict clients stand in this process, the program under test between them in its own. One of
its servers refuses every connection. The others reset, break off, talk garbage, send too much, answer before they have read,
hang, half-close, and close kept connections within two milliseconds after an answer, in the very moment of their next use.
Clients send malformed requests, leave inside their bodies, before the answer and inside it. In the end every number was read
at most once, has exactly one line in the log with the flags of its fault, and the program has as many descriptors as before,
no more memory than after warming up, and has said nothing on its standard error.
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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from counting import ASKED, FAULTS, LEFT, REFUSED, UNREAD, CountingServer, Tally
from faulty import refusing_port
from program import ask
from running import BALANCER, Program, free_port, running, wait_until

PATIENCE_S: Final = 10.0
CLIENTS: Final = 40
SERVERS: Final = 3
SERVER_TIMEOUT_S: Final = 0.5
PIECE: Final = bytes(4000)
# Memory may grow by this much after a fifth of the run: what an allocator keeps, not what a leak takes.
GROWTH_OCTETS_MAX: Final = 6 << 20
LINE_PLACES: Final = 255  # of flags that differ

LEFT_IN_BODY: Final = "left inside the body"
LEFT_BEFORE: Final = "left before the answer"
LEFT_IN_ANSWER: Final = "left inside the answer"


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
        tally = self.tally
        outcome = await self._outcome(number, self.die.random())
        tally.outcomes[outcome] += 1
        if outcome.startswith("left"):
            tally.kind[number] = LEFT
        elif tally.kind[number] == ASKED:
            name = tally.fault_of(number)
            if outcome != FAULTS.get(name, UNREAD).outcome:
                tally.wrong.append(f"/n{number}: {name!r} became {outcome!r}")
        elif outcome != "400":
            tally.wrong.append(f"/n{number}: a malformed request became {outcome!r}")

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
            self.tally.kind[number] = REFUSED
            writer.write(head + b"Broken : field\r\n\r\n")
        elif kind < 0.04 and body:
            writer.write(head + b"\r\n" + body[: len(body) // 2])
            return await self._leaves(writer, LEFT_IN_BODY)
        elif kind < 0.05:
            writer.write(head + b"\r\n" + body)
            return await self._leaves(writer, LEFT_BEFORE)
        else:
            writer.write(head + b"\r\n" + body)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._answer(reader, number)
        except TimeoutError:
            self._leave()
            return "nothing at all"

    async def _leaves(self, writer: asyncio.StreamWriter, how: str) -> str:
        with suppress(ConnectionError):
            await writer.drain()
        self._leave()
        return how

    async def _answer(self, reader: asyncio.StreamReader, number: int) -> str:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            self._leave()
            return f"no answer ({type(error).__name__})"
        status = head[9:12].decode()
        fields = head.lower()
        try:
            if b"\r\ntransfer-encoding: chunked\r\n" in fields:
                body = await self._chunks(reader)
            else:
                length = int(fields.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0])
                if length > len(PIECE) and self.die.random() < 0.5:
                    await reader.readexactly(len(PIECE))
                    self._leave()
                    return LEFT_IN_ANSWER
                body = await reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            self._leave()
            return "cut"
        if status == "200" and body.rstrip() != b"answer to %d" % number:
            return f"the answer to another request: {body[:40]!r}"
        if b"\r\nconnection: close\r\n" in fields or status in ("400", "413"):
            self._leave()
        return status

    async def _chunks(self, reader: asyncio.StreamReader) -> bytes:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            assert await reader.readexactly(2) == b"\r\n"
        assert await reader.readexactly(2) == b"\r\n"
        return body

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
        tally = self.tally
        places: dict[bytes, int] = {}
        while True:
            line = self.socket.recv(65536)
            front, found, rest = line.partition(b" /n")
            if found:
                number = int(rest.partition(b" ")[0])
                tally.logged[number] += 1
                flags = front.partition(b" - - ")[2][:4]
                place = places.get(flags)
                if place is None:
                    place = places[flags] = min(len(tally.flag_names), LINE_PLACES)
                    tally.flag_names.append(flags.decode())
                tally.flags[number] = place
            elif b"<BADREQ>" in line:
                tally.refused_lines += 1


def configuration(port: int, ports: list[int], log: int) -> str:
    """A farm that both programs understand."""
    servers = "".join(f"    server s{n} 127.0.0.1:{each} cookie c{n}\n" for n, each in enumerate(ports, 1))
    return (
        f"global\n    log 127.0.0.1:{log} local0\n    maxconn 2000\n"
        "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n    option redispatch\n"
        f"    retries 3\n    timeout connect 2s\n    timeout client 5s\n    timeout server {int(SERVER_TIMEOUT_S * 1000)}\n"
        f"listen soak\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert\n{servers}"
    )


@dataclass(frozen=True)
class Reading:
    """What the program holds at one moment."""

    octets: int
    descriptors: int

    @classmethod
    def of(cls, pid: int) -> "Reading":
        """Looks at the process."""
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return cls(pages * 4096, len(list(Path(f"/proc/{pid}/fd").iterdir())))


@dataclass
class Figures:
    """What a run has measured."""

    tally: Tally
    exchanges: int
    seconds: float
    begin: Reading
    warm: Reading
    end: Reading
    said: str  # on standard error, behind what it says at its start

    def faults(self) -> list[str]:
        """Everything that must not be."""
        tally, used = self.tally, self.exchanges
        refused = tally.kind[:used].count(REFUSED)
        asked = [number for number in range(used) if tally.kind[number] != REFUSED]
        counts = (
            ("wrong outcomes", len(tally.wrong)),
            ("requests processed twice", sum(each > 1 for each in tally.read)),
            ("requests without a line", sum(not tally.logged[number] for number in asked)),
            ("requests with two lines", sum(each > 1 for each in tally.logged)),
            ("lines of refused requests too few or too many", abs(tally.refused_lines - refused)),
            ("descriptors left open", max(0, self.end.descriptors - self.begin.descriptors)),
        )
        found = [*tally.wrong[:10], *(f"{count} {text}" for text, count in counts if count)]
        for (name, flags), count in sorted(self.ends().items()):
            if flags not in FAULTS.get(name, UNREAD).flags:
                found.append(f"{count} times {name!r} was logged as {flags!r}")
        if self.end.octets - self.warm.octets > GROWTH_OCTETS_MAX:
            found.append(f"memory grew by {(self.end.octets - self.warm.octets) >> 10} KiB after warming up")
        if self.said:
            found.append(f"it said: {self.said[:1000]}")
        return found

    def ends(self) -> Counter[tuple[str, str]]:
        """How often which fault had which flags in the log, among the requests whose client waited and that have a line."""
        tally = self.tally
        return Counter(
            (tally.fault_of(number), tally.flag_names[tally.flags[number]])
            for number in range(self.exchanges)
            if tally.kind[number] == ASKED and tally.logged[number]
        )

    def text(self) -> str:
        """The figures for people."""
        tally = self.tally
        lines = [
            f"{self.exchanges} exchanges in {self.seconds:.1f} s, {self.exchanges / self.seconds:.0f} a second",
            f"memory {self.begin.octets >> 10} KiB, warm {self.warm.octets >> 10}, at the end {self.end.octets >> 10}",
            f"descriptors {self.begin.descriptors}, warm {self.warm.descriptors}, at the end {self.end.descriptors}",
            f"log lines: {sum(tally.logged)}, of refused requests {tally.refused_lines}",
            "outcomes: " + ", ".join(f"{name} {count}" for name, count in tally.outcomes.most_common()),
            "faults: " + ", ".join(f"{name} {flags} {count}" for (name, flags), count in self.ends().most_common()),
        ]
        return "\n".join(lines)


async def _load(tally: Tally, port: int, seed: int, until: float, warm: Callable[[], None]) -> int:
    """Lets the clients talk until all numbers are used or the time is over; how many were used."""
    used = 0
    began, is_warm = time.monotonic(), False

    async def talk(client: Client) -> None:
        nonlocal used, is_warm
        while used < tally.count and (now := time.monotonic()) < until:
            number, used = used, used + 1
            if not is_warm and (number >= tally.count // 5 or now - began > (until - began) / 5):
                is_warm = True
                warm()
            await client.request(number)
        if client.writer is not None:
            client.writer.close()

    await asyncio.gather(*[talk(Client(tally, port, random.Random(f"{seed} {n}"))) for n in range(CLIENTS)])
    return used


async def _run(program: list[str], count: int, seconds: float, seed: int, folder: Path) -> Figures:
    tally = Tally(count)
    log = LogCounter(tally)
    server = CountingServer(tally, random.Random(seed))
    listening = [await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=512) for _ in range(SERVERS)]
    port = free_port()
    path = folder / "soak.cfg"
    with refusing_port() as refusing:
        ports = [each.sockets[0].getsockname()[1] for each in listening] + [refusing.getsockname()[1]]
        path.write_text(configuration(port, ports, log.port))
        with running([*program, "-db", "-f", str(path)], folder / "soak.out") as process:
            await asyncio.to_thread(process.wait_for_port, port)
            return await _measured(process, tally, port, seed, seconds, listening)


async def _measured(
    process: Program, tally: Tally, port: int, seed: int, seconds: float, listening: list[asyncio.Server]
) -> Figures:
    pid = process.process.pid
    # A first line in the log: from now on nothing is opened that is not an exchange's.
    await asyncio.to_thread(ask, port, " ")
    await asyncio.to_thread(wait_until, lambda: tally.refused_lines == 1, "the line of a first request")
    tally.refused_lines = 0
    begin, said = Reading.of(pid), len(process.text())
    warm: list[Reading] = []
    began = time.monotonic()
    used = await _load(tally, port, seed, began + seconds, lambda: warm.append(Reading.of(pid)))
    took = time.monotonic() - began
    # Servers close what is kept for them, so that only what leaked stays open.
    for each in listening:
        each.close()
    with suppress(AssertionError):
        await asyncio.to_thread(wait_until, lambda: _lines(tally, used) >= used, "a line for each request")
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    with suppress(AssertionError):
        await asyncio.to_thread(wait_until, lambda: Reading.of(pid).descriptors <= begin.descriptors, "descriptors are closed")
    return Figures(tally, used, took, begin, warm[0] if warm else begin, Reading.of(pid), process.text()[said:])


def _lines(tally: Tally, used: int) -> int:
    return used - tally.logged[:used].count(0) + tally.refused_lines


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
