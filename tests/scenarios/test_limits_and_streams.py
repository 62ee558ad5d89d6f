"""Queues, limits of connections and descriptors, large bodies, tunnels: real sockets, the real process."""

import asyncio
import os
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import websockets
from program import Balancer, SyslogReceiver, ask
from running import free_port, is_serving, wait_until
from sides import Line, parse_line
from websockets.asyncio.server import ServerConnection, serve

BIG = 256 << 20


class Held:
    """A server that answers a request only when it is told to; it counts what it holds."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.held = 0
        self.most = 0
        self.lock = threading.Lock()
        self.open = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            while client.recv(65536):
                with self.lock:
                    self.held += 1
                    self.most = max(self.most, self.held)
                self.open.acquire()
                with self.lock:
                    self.held -= 1
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@contextmanager
def balancer(
    tmp_path: Path, server_port: int, words: str = "", process: str = "", frontend: str = ""
) -> Iterator[tuple[Balancer, int, SyslogReceiver]]:
    """The balancer before one server."""
    port = free_port()
    with SyslogReceiver() as log:
        text = (
            f"global\n    log 127.0.0.1:{log.port} local0\n{process}"
            "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n"
            "    timeout connect 1s\n    timeout client 10s\n    timeout server 10s\n    timeout queue 300\n"
            f"listen smalltalk\n    bind 127.0.0.1:{port}\n{frontend}    server app1 127.0.0.1:{server_port} {words}\n"
        )
        running = Balancer(text, tmp_path, port=0)
        with running:
            wait_until(lambda: is_serving(port), "the balancer listens", tells=running.said)
            yield running, port, log


def _waiting(control: Path) -> int:
    """How many requests `show stat` says are queued in the backend."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(control))
        client.sendall(b"show stat\n")
        text = b""
        while data := client.recv(65536):
            text += data
    [row] = [line for line in text.splitlines() if line.startswith(b"smalltalk,BACKEND,")]
    return int(row.split(b",")[2])


def lines(log: SyslogReceiver) -> list[Line]:
    """The lines of traffic so far."""
    return [line for _, text in log.lines() if (line := parse_line(text)) is not None]


@pytest.mark.pure
def test_a_request_beyond_the_servers_maxconn_waits_and_then_is_served(tmp_path: Path) -> None:
    server = Held()
    control = tmp_path / "control"
    stats = f"    stats socket {control} level user\n"
    with balancer(tmp_path, server.port, "maxconn 1", stats) as (_, port, log), ThreadPoolExecutor() as pool:
        first = pool.submit(ask, port, "/one")
        wait_until(lambda: server.held == 1, "the first is held")
        second = pool.submit(ask, port, "/two")
        wait_until(lambda: _waiting(control) == 1, "the second waits")
        server.open.release(2)
        assert first.result().startswith(b"HTTP/1.1 200")
        assert second.result().startswith(b"HTTP/1.1 200")
        assert server.most == 1
        wait_until(lambda: len(lines(log)) == 2, "two lines")
        assert [line.queues for line in lines(log)] == ["0/0", "0/1"]


def test_a_request_that_waits_too_long_gets_503_sq(tmp_path: Path) -> None:
    server = Held()
    with balancer(tmp_path, server.port, "maxconn 1") as (_, port, log), ThreadPoolExecutor() as pool:
        first = pool.submit(ask, port, "/one")
        wait_until(lambda: server.held == 1, "the first is held")
        assert ask(port, "/two").startswith(b"HTTP/1.1 503")
        wait_until(lambda: bool(lines(log)), "its line")
        [line] = lines(log)
        assert (line.server, line.status, line.flags, line.queues, line.octets) == ("<NOSRV>", 503, "sQ--", "0/1", 217)
        assert line.timers[0] == 0
        assert 290 <= line.timers[1] <= 700
        assert line.timers[2:4] == (-1, -1)
        server.open.release()
        assert first.result().startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("where", ["process", "frontend"])
def test_connections_beyond_maxconn_wait_and_none_is_lost(tmp_path: Path, where: str) -> None:
    server = Held()
    server.open.release(100)
    limit = {where: "    maxconn 3\n"}
    with balancer(tmp_path, server.port, **limit) as (_, port, log), ThreadPoolExecutor(20) as pool:
        holders = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
        for holder in holders:
            holder.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
            assert holder.recv(4096).startswith(b"HTTP/1.1 200")
        answers = [pool.submit(ask, port, f"/{number}") for number in range(20)]
        wait_until(lambda: len(lines(log)) == 3, "three lines")
        for holder in holders:
            holder.close()
        assert all(answer.result().startswith(b"HTTP/1.1 200") for answer in answers)
        wait_until(lambda: len(lines(log)) == 23, "a line for each")


def test_want_of_descriptors_makes_clients_wait_without_spinning(tmp_path: Path) -> None:
    server = Held()
    server.open.release(1000)
    with balancer(tmp_path, server.port) as (running, port, log), ThreadPoolExecutor(80) as pool:
        assert ask(port).startswith(b"HTTP/1.1 200")
        pid = running.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{pid}/fd")) + 48, 20000))
        clients = [socket.create_connection(("127.0.0.1", port), 20) for _ in range(80)]
        log.wait_for("reached process FD limit")
        before = _ticks(pid)
        begun_at = time.monotonic()
        wait_until(lambda: time.monotonic() - begun_at > 0.5, "half a second of waiting")
        assert _ticks(pid) - before <= 10
        answers = list(pool.map(_one, clients))
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in answers)
        assert sum("FD limit" in text for _, text in log.lines()) == 1


def _one(client: socket.socket) -> bytes:
    with client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        return client.recv(4096)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


class Large:
    """A server that sends BIG octets to a GET and counts those of a POST."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self.socket.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            head, _, rest = head.partition(b"\r\n\r\n")
            try:
                if head.startswith(b"GET /big"):
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG)
                    piece = bytes(1 << 20)
                    for _ in range(BIG >> 20):
                        client.sendall(piece)
                elif head.startswith(b"POST"):
                    count = len(rest)
                    buffer = bytearray(1 << 20)
                    while count < BIG:
                        received = client.recv_into(buffer)
                        if not received:
                            return
                        count += received
                    text = str(count).encode()
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
                else:
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            except OSError:
                return


def _peak_kib(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])


def test_large_bodies_pass_both_ways_through_a_process_that_does_not_grow(tmp_path: Path) -> None:
    server = Large()
    with balancer(tmp_path, server.port) as (running, port, _):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            count = 0
            buffer = bytearray(1 << 20)
            while received := client.recv_into(buffer):
                count += received
        assert count > BIG
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % BIG)
            piece = bytes(1 << 20)
            for _ in range(BIG >> 20):
                client.sendall(piece)
            assert client.recv(4096).endswith(str(BIG).encode())
        assert _peak_kib(running.process.pid) < 80 * 1024


@pytest.mark.pure
def test_a_client_that_does_not_read_holds_up_nobody_else_and_costs_little(tmp_path: Path) -> None:
    server = Large()
    with balancer(tmp_path, server.port) as (running, port, _):
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.connect(("127.0.0.1", port))
            slow.sendall(b"GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            assert slow.recv(1024)
            for _ in range(50):
                assert ask(port, "/small").endswith(b"ok")
            assert _peak_kib(running.process.pid) < 80 * 1024


async def test_websockets_pass_with_large_frames_pings_and_an_orderly_close(tmp_path: Path) -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        with balancer(tmp_path, server.sockets[0].getsockname()[1]) as (_, port, log):
            async with websockets.connect(f"ws://127.0.0.1:{port}/ws", max_size=None) as client:
                await client.send("hello")
                assert await client.recv() == "hello"
                large = os.urandom(3 << 20)
                await client.send(large)
                assert await client.recv() == large
                await (await client.ping())
            await asyncio.to_thread(wait_until, lambda: bool(lines(log)), "the tunnel's line")
            [line] = lines(log)
            assert (line.status, line.flags) == (101, "----")
            assert line.octets > 3 << 20
