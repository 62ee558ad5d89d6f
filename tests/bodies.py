"""Large bodies to and from a scripted server behind a proxy: a stage of the two, and what a client says and reads."""

import hashlib
import os
import re
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from program import SyslogReceiver
from running import Program, wait_until

MEBI: Final = 1 << 20
LARGE: Final = 24 * MEBI
PART: Final = 3 * MEBI
BLOCK: Final = bytes(range(256)) * 256
PATIENCE_S: Final = 20.0
NO_LINGER: Final = struct.pack("ii", 1, 0)

FILE: Final = """
global
    log 127.0.0.1:{syslog} local0
    stats socket {folder}/{name}.sock mode 600 level admin
    hard-stop-after 500ms
defaults
    mode http
    log global
    option httplog
    option splice-auto
    timeout connect 2s
    timeout client {timeout}
    timeout server {timeout}
listen site
    bind 127.0.0.1:{port}
    cookie SEASIDE insert indirect
    server app1 127.0.0.1:{server} cookie one
"""


def octets(count: int) -> Iterator[bytes]:
    """A body of so many octets, in blocks; no two mebibytes of it look alike at the seams."""
    left = count
    while left:
        block = BLOCK[left % 251 :][: min(left, 65000)]
        yield block
        left -= len(block)


def digest(count: int) -> str:
    """What the body's hash is."""
    made = hashlib.sha256()
    for block in octets(count):
        made.update(block)
    return made.hexdigest()


class Server:
    """Does what the path says; keeps what it saw of each request: path, octets, their hash, how the request ended."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.socket.getsockname()[1]
        self.seen: list[tuple[str, int, str, str]] = []
        self.go = threading.Event()

    def __enter__(self) -> "Server":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.go.set()
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as inbox:
            connection.settimeout(PATIENCE_S)
            try:
                while self._one(connection, inbox):
                    pass
            except OSError:
                pass

    def _one(self, connection: socket.socket, inbox: BinaryIO) -> bool:
        lines = []
        while (line := inbox.readline()) not in (b"\r\n", b""):
            lines.append(line)
        if not lines:
            return False
        path = lines[0].split(b" ")[1].decode()
        length = next((int(line[15:]) for line in lines if line.lower().startswith(b"content-length:")), 0)
        if path == "/refuse":
            inbox.read(MEBI)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
            return False
        if path == "/still":
            inbox.read(MEBI)
            self.go.wait(PATIENCE_S)
            return False
        made = hashlib.sha256()
        left, end = length, "whole"
        try:
            while left:
                block = inbox.read(min(left, 65536))
                if not block:
                    end = "cut"
                    break
                made.update(block)
                left -= len(block)
        except ConnectionError:
            end = "cut"
        if length:
            self.seen.append((path, length - left if end == "whole" else -1, made.hexdigest() if end == "whole" else "", end))
        if end == "cut":
            return False
        return self._answer(connection, path)

    def _answer(self, connection: socket.socket, path: str) -> bool:
        if path == "/close-delimited":
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            for block in octets(LARGE):
                connection.sendall(block)
            return False
        size = LARGE if path in ("/large", "/fin", "/reset", "/stalls", "/head") else 2
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        if path == "/head":
            return True
        if size == 2:
            connection.sendall(b"ok")
            return True
        sent = 0
        for block in octets(size):
            connection.sendall(block)
            sent += len(block)
            if path != "/large" and sent >= PART:
                if path == "/stalls":
                    self.go.wait(PATIENCE_S)
                if path == "/reset":
                    self.go.wait(PATIENCE_S)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
                return False
        return True


@dataclass
class Stage:
    """One running proxy before a server of its own."""

    name: str
    program: Program
    port: int
    server: Server
    syslog: SyslogReceiver
    folder: Path

    def connect(self) -> socket.socket:
        """A client."""
        client = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        client.settimeout(PATIENCE_S)
        return client

    def ask(self, command: str) -> str:
        """The stats socket's answer."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.folder / f"{self.name}.sock"))
            asking.sendall(command.encode() + b"\n")
            answer = b""
            while part := asking.recv(65536):
                answer += part
            return answer.decode()

    def figure(self, name: str) -> int:
        """One line of `show info`."""
        found = re.search(rf"(?m)^{name}: (\d+)$", self.ask("show info"))
        assert found is not None, name
        return int(found.group(1))

    def line(self, path: str) -> tuple[str, ...]:
        """What the log says of the request for that path: status, octets, cookies, flags and retries."""
        pattern = re.compile(rf' (-?\d+) (\d+) - - (\S{{4}}) \S+ \S+ "\w+ {path} ')
        wait_until(
            lambda: any(pattern.search(one) for one in self.syslog.datagrams), f"a line of {path}", tells=self.program.text
        )
        (found,) = (match for one in self.syslog.datagrams if (match := pattern.search(one)))
        return found.groups()

    def counters(self) -> tuple[str, ...]:
        """Octets, errors and aborts of all rows of `show stat`."""
        rows = [line.split(",") for line in self.ask("show stat").splitlines() if line.startswith("site,")]
        return tuple(",".join(row[column] for column in (1, 7, 8, 9, 12, 13, 14, 39, 40, 41, 42, 43)) for row in rows)

    def descriptors(self) -> int:
        """How many the process has open."""
        return len(os.listdir(f"/proc/{self.program.process.pid}/fd"))


def request(path: str, length: int = 0, method: str = "") -> bytes:
    """A request's head."""
    method = method or ("POST" if length else "GET")
    fields = f"Content-Length: {length}\r\n" if length else ""
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\nCookie: SEASIDE=one\r\n{fields}\r\n".encode()


def read_head(client: socket.socket) -> tuple[int, bytes, bytes]:
    """Status, head and what came behind it."""
    came = b""
    while b"\r\n\r\n" not in came:
        part = client.recv(65536)
        assert part, came
        came += part
    head, _, rest = came.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head, rest


def read_body(client: socket.socket, length: int, begun: bytes = b"") -> tuple[int, str, str]:
    """Octets, their hash, and how it ended: whole, fin or reset. `length` -1: up to the end."""
    made = hashlib.sha256(begun)
    count = len(begun)
    while length < 0 or count < length:
        try:
            part = client.recv(65536 if length < 0 else min(65536, length - count))
        except ConnectionResetError:
            return count, made.hexdigest(), "reset"
        if not part:
            return count, made.hexdigest(), "fin"
        made.update(part)
        count += len(part)
    return count, made.hexdigest(), "whole"
