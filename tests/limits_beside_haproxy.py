"""What slow, silent and greedy clients cost the balancer and Debian's haproxy: memory, CPU time, and how long others wait.

    make limits                      all attacks against both programs, a table in Markdown
    make limits LIMITS="--seconds 2 --connections 100"

Each attack meets a fresh process on the same configuration, and lasts a bounded time with a bounded number of connections.
Meanwhile an honest client, a process of its own, asks for a small page every 20 ms, each time on a new connection. The timeouts
are longer than an attack: what is measured is what connections cost as long as they are held. The row `nothing` is the honest
client alone; its CPU time is in all others, too.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from peers import PEERS, find_peer
from running import BALANCER, Program, free_port, running

CONFIG: Final = """
global
    maxconn {maxconn}
    nbthread 1
defaults
    mode http
    timeout connect 5s
    timeout server 60s
    timeout client 60s
    timeout http-request 60s
    timeout http-keep-alive 60s
listen smalltalk
    bind 127.0.0.1:{port}
    server app1 127.0.0.1:{server}
"""

HEAD: Final = b"Host: a\r\nUser-Agent: x\r\n"
BIG_OCTETS: Final = 64 << 20
PIECE_OCTETS: Final = 1 << 16
TINY_HEAD_OCTETS: Final = 8000
HONEST_PAUSE_S: Final = 0.02
PATIENCE_S: Final = 20.0


# --- the server behind, and the honest client: processes of their own ------------------------------------------------


def serve(listening: socket.socket) -> None:
    """Answers every request with two octets, /big with many; reads and forgets bodies."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET /big"):
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG_OCTETS)
                    for _ in range(BIG_OCTETS // PIECE_OCTETS):
                        writer.write(bytes(PIECE_OCTETS))
                        await writer.drain()
                    continue
                if head.startswith(b"POST"):
                    while await reader.read(PIECE_OCTETS):
                        pass
                    break
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(one, sock=listening, backlog=4096)
        await server.serve_forever()

    asyncio.run(run())


def be_honest(port: int, told: Connection) -> None:
    """Asks until it is told to stop; gives back the seconds of each answer, -1.0 where none came."""
    seconds: list[float] = []
    told.send([])
    while not told.poll(HONEST_PAUSE_S):
        begun_at = time.perf_counter()
        is_answered = False
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), PATIENCE_S) as client:
            client.sendall(b"GET /honest HTTP/1.1\r\n%sConnection: close\r\n\r\n" % HEAD)
            is_answered = client.recv(4096).startswith(b"HTTP/1.1 200")
        seconds.append(time.perf_counter() - begun_at if is_answered else -1.0)
    told.send(seconds)


# --- the attacks -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """Where an attack takes place."""

    port: int
    count: int
    seconds: float


async def _open(field: Field, first: bytes, count: int, receive_octets: int = 0) -> list[socket.socket]:
    """Connections on which `first` has been sent."""
    loop = asyncio.get_running_loop()
    clients = []
    for _ in range(count):
        client = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_octets:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)
        await loop.sock_connect(client, ("127.0.0.1", field.port))
        clients.append(client)
        if first:
            await loop.sock_sendall(client, first)
    return clients


async def _drip(field: Field, clients: Sequence[socket.socket], until: float) -> None:
    """One octet a second on each."""
    loop = asyncio.get_running_loop()
    while (begun_at := loop.time()) < until:
        for client in clients:
            with suppress(OSError):
                await loop.sock_sendall(client, b"a")
        await asyncio.sleep(max(0.0, min(begun_at + 1.0, until) - loop.time()))


async def nothing(field: Field) -> list[socket.socket]:
    """The honest client alone."""
    await asyncio.sleep(field.seconds)
    return []


async def silent(field: Field) -> list[socket.socket]:
    """Connections on which nothing is ever sent."""
    clients = await _open(field, b"", field.count)
    await asyncio.sleep(field.seconds)
    return clients


async def slowloris(field: Field) -> list[socket.socket]:
    """Heads that never end, one octet a second."""
    until = asyncio.get_running_loop().time() + field.seconds
    clients = await _open(field, b"GET / HTTP/1.1\r\n" + HEAD + b"x: ", field.count)
    await _drip(field, clients, until)
    return clients


async def slow_post(field: Field) -> list[socket.socket]:
    """Bodies that never end, one octet a second."""
    until = asyncio.get_running_loop().time() + field.seconds
    clients = await _open(field, b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000000\r\n\r\n", field.count)
    await _drip(field, clients, until)
    return clients


async def slow_read(field: Field) -> list[socket.socket]:
    """Large answers that nobody reads."""
    clients = await _open(field, b"GET /big HTTP/1.1\r\n" + HEAD + b"\r\n", max(1, field.count // 5), 4096)
    await asyncio.sleep(field.seconds)
    return clients


async def tiny_segments(field: Field) -> list[socket.socket]:
    """Large heads, each octet in a segment of its own; the same number of them against every program."""
    loop = asyncio.get_running_loop()
    clients = await _open(field, b"GET / HTTP/1.1\r\n" + HEAD + b"x: ", max(1, field.count // 50))
    for _ in range(TINY_HEAD_OCTETS):
        for client in clients:
            await loop.sock_sendall(client, b"a")
    for client in clients:
        await loop.sock_sendall(client, b"\r\n\r\n")
        assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 200")
    return clients


async def pipelining(field: Field) -> list[socket.socket]:
    """Requests one behind the other, as many as the connection takes, whose answers nobody reads."""
    clients = await _open(field, b"", max(1, field.count // 25), 4096)
    block = (b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n") * 1000

    async def push(client: socket.socket) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(field.seconds):
                while True:
                    await asyncio.get_running_loop().sock_sendall(client, block)

    await asyncio.gather(*(push(client) for client in clients))
    return clients


async def flood(field: Field) -> list[socket.socket]:
    """Twice as many connections at once as maxconn lets in, each with one request; all of them have to be served."""

    async def one() -> bool:
        reader, writer = await asyncio.open_connection("127.0.0.1", field.port)
        writer.write(b"GET / HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
        return answer.endswith(b"ok")

    served = await asyncio.gather(*(one() for _ in range(2 * field.count)), return_exceptions=True)
    lost = sum(each is not True for each in served)
    if lost:
        print(f"!! {lost} of {len(served)} connections of the flood were not served", file=sys.stderr)
    return []


@dataclass(frozen=True)
class Attack:
    """A row of the table. `maxconn` is a multiple of the number of connections."""

    name: str
    run: Callable[[Field], Awaitable[list[socket.socket]]]
    maxconn: float = 2.0


ATTACKS: Final = (
    Attack("nothing", nothing),
    Attack("silent", silent),
    Attack("slowloris", slowloris),
    Attack("slow POST", slow_post),
    Attack("slow read", slow_read),
    Attack("tiny segments", tiny_segments),
    Attack("pipelining", pipelining),
    Attack("flood beyond maxconn", flood, 1.0),
)


# --- measuring -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """What one attack cost one program."""

    held: int
    kib: int
    cpu_ms: float
    honest_s: list[float]

    def cells(self) -> list[str]:
        """Memory for each held connection, CPU time, the honest client's p99 and how many of its requests were answered."""
        answered = sorted(second for second in self.honest_s if second >= 0.0)
        p99 = f"{answered[int(len(answered) * 0.99)] * 1000:.1f}" if answered else "never"
        memory = f"{self.kib / self.held:.1f}" if self.held else "-"
        return [memory, f"{self.cpu_ms:.0f}", p99, f"{len(answered)}/{len(self.honest_s)}"]


def resident_kib(pid: int, word: str = "VmRSS") -> int:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(word + ":"):
            return int(line.split()[1])
    raise ValueError(f"no {word} of {pid}")


def cpu_ms(pid: int) -> float:
    """CPU time of all its threads; the scheduler's own count, finer than ticks."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e6


@contextmanager
def child(target: Callable[..., None], *words: object) -> Iterator[None]:
    """A process of ours for the length of a `with`."""
    process = multiprocessing.get_context("fork").Process(target=target, args=words, daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()


@contextmanager
def program(name: str, maxconn: int, server: int, folder: Path) -> Iterator[tuple[Program, int]]:
    """The balancer or haproxy, serving."""
    port = free_port()
    file = folder / f"{name}.cfg"
    file.write_text(CONFIG.format(maxconn=maxconn, port=port, server=server), encoding="ascii")
    words = list(BALANCER) if name == "balancer" else [find_peer(name) or name]
    with running([*words, "-db", "-f", str(file)], folder / f"{name}.out") as process:
        process.wait_for_port(port)
        yield process, port


def measure(name: str, attack: Attack, count: int, seconds: float, folder: Path) -> Cost:
    """One attack on a fresh process."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    server = listening.getsockname()[1]
    ours, theirs = multiprocessing.Pipe()
    with child(serve, listening), program(name, max(10, int(attack.maxconn * count)), server, folder) as (process, port):
        listening.close()
        pid = process.process.pid
        with child(be_honest, port, theirs):
            ours.recv()
            asyncio.run(nothing(Field(port, 0, 0.2)))  # what a first request allocates is not the attack's
            kib, ms = resident_kib(pid), cpu_ms(pid)
            held = asyncio.run(_awaited(attack.run(Field(port, count, seconds))))
            cost_ms, peak = cpu_ms(pid) - ms, resident_kib(pid, "VmHWM") - kib
            ours.send("stop")
            honest_s = ours.recv()
            for client in held:
                client.close()
    return Cost(len(held), max(0, peak), cost_ms, honest_s)


async def _awaited(run: Awaitable[list[socket.socket]]) -> list[socket.socket]:
    return await run


def table(attacks: Sequence[Attack], names: Sequence[str], count: int, seconds: float, folder: Path) -> Iterator[str]:
    """The lines of the table, each as soon as it is measured."""
    columns = ("KiB a connection", "CPU ms", "p99 ms", "answered")
    yield "| attack | held | " + " | ".join(f"{name}: {column}" for name in names for column in columns) + " |"
    yield "|---" * (2 + len(columns) * len(names)) + "|"
    for attack in attacks:
        costs = [measure(name, attack, count, seconds, folder) for name in names]
        yield f"| {attack.name} | {costs[0].held} | " + " | ".join(cell for cost in costs for cell in cost.cells()) + " |"


def main(words: Sequence[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="limits_beside_haproxy", description="What attacks cost, beside haproxy.")
    parser.add_argument("--connections", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--attack", action="append", choices=[attack.name for attack in ATTACKS])
    parser.add_argument("--program", action="append", choices=["balancer", "haproxy"])
    chosen = parser.parse_args(words)
    names = chosen.program or ["balancer", "haproxy"]
    if "haproxy" in names and find_peer("haproxy") is None:
        print(f"haproxy is not installed: apt-get install {PEERS['haproxy'][1]}", file=sys.stderr)
        return 1
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    attacks = [attack for attack in ATTACKS if not chosen.attack or attack.name in chosen.attack]
    print(f"{chosen.connections} connections, {chosen.seconds:g} s, {os.cpu_count()} cores, Linux {os.uname().release}")
    with tempfile.TemporaryDirectory() as folder:
        for line in table(attacks, names, chosen.connections, chosen.seconds, Path(folder)):
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
