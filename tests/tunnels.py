"""A tunnel whose two ends the test holds in its hands: a raw client, a raw server, one of the programs between them.

Nothing runs beside the test: it sends the request, accepts the server's connection, reads the head, answers, and from then on
says and hears what it likes at either end. So every order of events is the test's own.
"""

import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha1
from pathlib import Path
from types import TracebackType
from typing import Final

from peers import require_peer
from running import wait_until
from sides import NO_LINGER, Line, Side, parse_line, side

PATIENCE_S: Final = 10.0
KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
PROOF: Final = b64encode(sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", usedforsecurity=False).digest())
ASKS: Final = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
SWITCH: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + PROOF
    + b"\r\n\r\n"
)

SECTIONS: Final = "patient two single counted tunnel client server client_only server_only busy marked".split()

TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
    hard-stop-after 600ms
    stats socket {folder}/{{socket}} level admin
defaults
    log global
    mode http
    option httplog
    option dontlognull
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen patient
    bind 127.0.0.1:{{patient}}
    timeout tunnel 1h
    cookie SEASIDE insert
    server app1 127.0.0.1:{first} cookie app1inst1
listen two
    bind 127.0.0.1:{{two}}
    timeout tunnel 1h
    cookie SEASIDE insert
    server app1 127.0.0.1:{first} cookie app1inst1
    server app2 127.0.0.1:{second} cookie app1inst2
listen single
    bind 127.0.0.1:{{single}}
    timeout tunnel 1h
    server app1 127.0.0.1:{first} maxconn 1
listen counted
    bind 127.0.0.1:{{counted}}
    timeout tunnel 400
    server app1 127.0.0.1:{first}
listen tunnel
    bind 127.0.0.1:{{tunnel}}
    timeout tunnel 400
    server app1 127.0.0.1:{first}
listen client
    bind 127.0.0.1:{{client}}
    timeout client 400
    server app1 127.0.0.1:{first}
listen server
    bind 127.0.0.1:{{server}}
    timeout server 400
    server app1 127.0.0.1:{first}
listen client_only
    bind 127.0.0.1:{{client_only}}
    timeout client 400
    timeout server 0
    server app1 127.0.0.1:{first}
listen server_only
    bind 127.0.0.1:{{server_only}}
    timeout client 0
    timeout server 400
    server app1 127.0.0.1:{first}
listen busy
    bind 127.0.0.1:{{busy}}
    timeout client 1500
    timeout server 1500
    server app1 127.0.0.1:{first}
listen marked
    bind 127.0.0.1:{{marked}}
    timeout tunnel 1h
    cookie SEASIDE insert
    server app1 127.0.0.1:{first} cookie app1inst1 on-marked-down shutdown-sessions
"""


class Door:
    """Where the servers of the configuration listen; connections are accepted when the test says so."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.socket.settimeout(PATIENCE_S)
        self.port: int = self.socket.getsockname()[1]

    def accept(self) -> socket.socket:
        """The next connection that a program opens."""
        server, _ = self.socket.accept()
        server.settimeout(PATIENCE_S)
        return server

    def close(self) -> None:
        """Listens no more."""
        self.socket.close()


class Ends:
    """A client and a server with a program between them; `path` is asked for by nobody else on that side."""

    def __init__(self, side: Side, door: Door, section: str, path: str) -> None:
        self.side = side
        self.door = door
        self.section = section
        self.path = path.encode()
        self.sockets = ExitStack()
        self.client = self._keep(socket.create_connection(("127.0.0.1", side.ports[section]), PATIENCE_S))
        self.server: socket.socket

    def __enter__(self) -> "Ends":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.sockets.close()

    def ask(self, lines: bytes = ASKS, behind: bytes = b"") -> bytes:
        """The client asks, with octets right behind; the head that the server gets, without what follows it."""
        self.client.sendall(b"GET " + self.path + b" HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n" + behind)
        self.server = self._keep(self.door.accept())
        return read_head(self.server)

    def open(self, behind_request: bytes = b"", behind_answer: bytes = b"", lines: bytes = ASKS) -> bytes:
        """Asks and is granted, each with octets right behind; the head that the client gets."""
        self.ask(lines, behind_request)
        self.server.sendall(SWITCH + behind_answer)
        return read_head(self.client)

    def line(self) -> Line:
        """The line of the log."""
        return line_of(self.side, self.path)

    def _keep(self, one: socket.socket) -> socket.socket:
        return self.sockets.enter_context(one)


def line_of(side: Side, path: bytes) -> Line:
    """The only line about that path."""
    wanted = path.decode() + " "

    def lines() -> list[Line]:
        parsed = [parse_line(text) for _, text in side.log.lines()]
        return [line for line in parsed if line is not None and wanted in line.request]

    wait_until(lambda: bool(lines()), f"a line of {side.name} about {wanted}", tells=lambda: str(side.log.datagrams))
    [line] = lines()
    return line


def read_head(one: socket.socket) -> bytes:
    """Octets up to an empty line and none behind it, in lower case; what there is when the connection ends before."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        octet = one.recv(1)
        if not octet:
            break
        head += octet
    return head.lower()


def read_exactly(one: socket.socket, count: int) -> bytes:
    """As many octets, fewer where the connection ends before."""
    octets = bytearray()
    while len(octets) < count:
        data = one.recv(min(1 << 16, count - len(octets)))
        if not data:
            break
        octets += data
    return bytes(octets)


def read_end(one: socket.socket) -> tuple[int, str]:
    """Reads to the end: how many octets, and whether it was "closed" or "reset"; "open" when it did not come."""
    count = 0
    try:
        while data := one.recv(1 << 20):
            count += len(data)
    except ConnectionError:
        return count, "reset"
    except TimeoutError:
        return count, "open"
    return count, "closed"


def reset(one: socket.socket) -> None:
    """Ends a connection as a process does that dies with octets unread."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    one.close()


class Stage:
    """One program before two doors."""

    def __init__(self, name: str, running: Side, first: Door, second: Door, folder: Path) -> None:
        self.is_ours = name == "balancer"
        self.side = running
        self.first = first
        self.second = second
        self.socket_path = folder / name

    def ends(self, section: str, path: str, door: Door | None = None) -> Ends:
        """A client of that section."""
        return Ends(self.side, door or self.first, section, path)

    def command(self, text: str) -> str:
        """What the stats socket answers."""
        with socket.socket(socket.AF_UNIX) as operator:
            operator.settimeout(PATIENCE_S)
            operator.connect(str(self.socket_path))
            operator.sendall(text.encode() + b"\n")
            with operator.makefile("rb") as answer:
                return answer.read().decode()

    def counters(self, section: str, name: str) -> dict[str, int]:
        """The figures of one row of the statistics."""
        titles, *rows = self.command("show stat").lstrip("# ").splitlines()
        [row] = [row.split(",") for row in rows if row.startswith(f"{section},{name},")]
        return {title: int(value) for title, value in zip(titles.split(","), row, strict=False) if value.isdigit()}


@contextmanager
def stage(name: str, folder: Path) -> Iterator[Stage]:
    """That program for the length of a `with`."""
    first, second = Door(), Door()
    program = "" if name == "balancer" else require_peer("haproxy")
    template = TEMPLATE.format(folder=folder, first=first.port, second=second.port).replace("{socket}", name)
    with side(name, program, template, SECTIONS, folder) as running:
        yield Stage(name, running, first, second, folder)
    first.close()
    second.close()
