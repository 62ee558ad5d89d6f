"""Round robin beside HAProxy itself: the same weights and the same events give the same servers, request by request.

One HAProxy serves all cases, a `listen` each; every `server` line leads to one and the same small server, which answers with
the name that `http-send-name-header` gave it. Requests to `/hold` are answered when the test says so: their server is full
meanwhile.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from records import FakeVisit, living_servers, server_record
from running import free_port, running

from balancer.backend.balance.roundrobin import RoundRobin
from balancer.backend.server import MAINT, READY, Server

Event = tuple[str, str, int]  # (what, server, number)

REQUEST_COUNT: Final = 200


def random_weights(seed: int) -> tuple[int, ...]:
    """Two to seven servers; small weights mostly, where the order shows best, and now and then a large one or none."""
    dice = random.Random(seed)
    weights = [dice.choice([0, 1, 1, 2, 3, dice.randint(1, 12), dice.randint(1, 256)]) for _ in range(dice.randint(2, 7))]
    return tuple(weights) if any(weights) else (1, *weights[1:])


def random_events(seed: int, kinds: tuple[str, ...]) -> list[Event]:
    """Stretches of requests with something happening in between."""
    dice = random.Random(seed)
    events: list[Event] = []
    for _ in range(12):
        events.append(("take", "", dice.randint(1, 40)))
        events.append((dice.choice(kinds), dice.choice("abcd"), dice.choice([1, 2, 3, 5, 8, 20])))
    return [*events, ("take", "", 60)]


VECTORS: Final = [(1, 1, 1), (3, 2, 1), (5, 1, 1), (2, 3, 3), *[random_weights(seed) for seed in range(12)]]


# --- the two sides -----------------------------------------------------------------------------------------------------


class Ours:
    """Our order, told of the same events."""

    def __init__(self, weights: tuple[int, ...], maxconn: int) -> None:
        names = "abcdefghij"
        self.servers = living_servers(
            *[server_record(names[n], weight=weight, maxconn=maxconn) for n, weight in enumerate(weights)]
        )
        self.order = RoundRobin(self.servers)

    def choose(self) -> Server | None:
        """Who serves the next request."""
        return self.order.next(FakeVisit())

    def happens(self, what: str, name: str, number: int) -> None:
        """A server goes, comes, or gets another weight."""
        server = next(each for each in self.servers if each.name == name)
        if what == "weight":
            server.weight = number
        else:
            server.admin_state = MAINT if what == "down" else READY
        self.order.changed(server)


class Images:
    """The server behind all servers."""

    def __init__(self) -> None:
        self.held: dict[str, asyncio.Event] = {}
        self.arrived: asyncio.Queue[str] = asyncio.Queue()
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serves one connection."""
        self.tasks.add(asyncio.ensure_future(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers each request with the name of the server it was sent to."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                name = next(line[8:].strip() for line in head.split(b"\r\n") if line.lower().startswith(b"x-image:")).decode()
                if head.startswith(b"GET /hold "):
                    self.held[name] = asyncio.Event()
                    self.arrived.put_nowait(name)
                    await self.held[name].wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name.encode()))
        writer.close()


class Client:
    """One kept connection to a `listen` of HAProxy's."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, path: str) -> None:
        """Sends a request."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())

    async def answer(self) -> str:
        """The name of the server that answered, `-` for HAProxy's own 503."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self.reader.readexactly(int(length[15:]))
        return body.decode() if head.startswith(b"HTTP/1.1 200") else "-"

    async def take(self, count: int) -> str:
        """The names of the servers of the next requests."""
        names = []
        for _ in range(count):
            self.send("/")
            names.append(await self.answer())
        return "".join(names)


class HAProxy:
    """A running HAProxy with one `listen` for each case."""

    def __init__(self, ports: list[int], control: Path, images: Images) -> None:
        self.ports = ports
        self.control = control
        self.images = images

    async def connect(self, case: int) -> Client:
        """A client of that case."""
        return Client(*await asyncio.open_connection("127.0.0.1", self.ports[case]))

    async def ask(self, text: str) -> bytes:
        """What a command is answered with."""
        reader, writer = await asyncio.open_unix_connection(str(self.control))
        writer.write(text.encode() + b"\n")
        said = (await reader.read()).strip()
        writer.close()
        return said

    async def command(self, text: str) -> None:
        """Gives a command that has to work."""
        said = await self.ask(text)
        assert said == b"", f"{text}: {said!r}"

    async def released(self, case: int, name: str) -> None:
        """Returns when that server serves nobody: HAProxy frees the slot a moment after the answer."""
        row = f"case{case},{name},".encode()
        async with asyncio.timeout(10):
            while not any(
                line.startswith(row) and line.split(b",")[4] == b"0" for line in (await self.ask("show stat")).splitlines()
            ):
                await asyncio.sleep(0.005)


@asynccontextmanager
async def haproxy(folder: Path, cases: Sequence[tuple[int, ...]], maxconn: int) -> AsyncIterator[HAProxy]:
    """HAProxy and its images for the length of an `async with`."""
    program = require_peer("haproxy")
    images = Images()
    server = await asyncio.start_server(images.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    control = folder / "control"
    ports = [free_port() for _ in cases]
    lines = [
        f"global\n    nbthread 1\n    stats socket {control} level admin",
        "defaults\n    mode http\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n    timeout queue 1",
    ]
    for case, weights in enumerate(cases):
        lines.append(f"listen case{case}\n    bind 127.0.0.1:{ports[case]}\n    http-send-name-header x-image")
        limit = f" maxconn {maxconn}" if maxconn else ""
        lines += [f"    server {'abcdefghij'[n]} 127.0.0.1:{port} weight {weight}{limit}" for n, weight in enumerate(weights)]
    file = folder / "oracle.cfg"
    file.write_text("\n".join(lines) + "\n")
    with running([program, "-db", "-f", str(file)], folder / "haproxy.out") as process:
        await asyncio.to_thread(process.wait_for_port, ports[-1])
        yield HAProxy(ports, control, images)
    server.close()
    await asyncio.gather(*images.tasks)


# --- the comparisons ---------------------------------------------------------------------------------------------------


async def test_the_same_weights_give_the_same_servers(tmp_path: Path) -> None:
    differing = {}
    async with haproxy(tmp_path, VECTORS, 0) as peer:
        for case, weights in enumerate(VECTORS):
            theirs = await (await peer.connect(case)).take(REQUEST_COUNT)
            order = Ours(weights, 0)
            ours = "".join(server.name if server else "-" for server in [order.choose() for _ in range(REQUEST_COUNT)])
            if ours != theirs:
                differing[weights] = (ours, theirs)
    assert differing == {}


async def test_servers_that_go_come_and_change_weight_give_the_same_order(tmp_path: Path) -> None:
    cases = [(1, 1, 1, 1), (3, 2, 1, 1), (5, 4, 9, 2), (1, 1, 2, 7), (20, 1, 1, 1), (3, 3, 3, 3)]
    differing = {}
    async with haproxy(tmp_path, cases, 0) as peer:
        for case, weights in enumerate(cases):
            client = await peer.connect(case)
            order = Ours(weights, 0)
            for what, name, number in random_events(case, ("down", "up", "up", "weight")):
                if what == "take":
                    theirs = await client.take(number)
                    ours = "".join(server.name if server else "-" for server in [order.choose() for _ in range(number)])
                    if ours != theirs:
                        differing[weights] = (ours, theirs)
                        break
                    continue
                order.happens(what, name, number)
                state = {"down": "state maint", "up": "state ready", "weight": f"weight {number}"}[what]
                await peer.command(f"set server case{case}/{name} {state}")
    assert differing == {}


async def test_full_servers_are_passed_over_in_the_same_way(tmp_path: Path) -> None:
    cases = [(1, 1, 1, 1), (3, 2, 1, 1), (5, 4, 9, 2), (1, 1, 2, 7)]
    differing = {}
    async with haproxy(tmp_path, cases, 1) as peer:
        for case, weights in enumerate(cases):
            client = await peer.connect(case)
            order = Ours(weights, 1)
            holders: dict[str, Client] = {}
            for what, name, number in random_events(100 + case, ("hold", "release")):
                if what == "take":
                    theirs = await client.take(number)
                    ours = "".join(server.name if server else "-" for server in [order.choose() for _ in range(number)])
                    if ours != theirs:
                        differing[weights] = (ours, theirs)
                        break
                elif what == "hold" and len(holders) < 3:
                    for server in order.servers:
                        if server.name not in holders:
                            await peer.released(case, server.name)
                    holder = await peer.connect(case)
                    holder.send("/hold")
                    held = await peer.images.arrived.get()
                    chosen = order.choose()
                    assert chosen is not None
                    assert chosen.name == held
                    chosen.take_slot(0.0)
                    holders[held] = holder
                elif what == "release" and name in holders:
                    peer.images.held[name].set()
                    assert await holders.pop(name).answer() == name
                    await peer.released(case, name)
                    next(each for each in order.servers if each.name == name).release_slot()
            for name, holder in holders.items():
                peer.images.held[name].set()
                await holder.answer()
    assert differing == {}


@pytest.mark.parametrize(("weights", "turn"), [((3, 2, 1), "abacab"), ((5, 1, 1), "aaabaac")])
def test_the_oracles_of_the_original_setup(weights: tuple[int, ...], turn: str) -> None:
    order = Ours(weights, 0)
    assert "".join(server.name for _ in range(10 * len(turn)) if (server := order.choose())) == turn * 10
