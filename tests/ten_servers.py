"""Ten small servers behind HAProxy and behind ours, for tests that ask which of them a request reaches.

Each server listens on a port of its own and answers with its number. `both` starts the two programs with the same sections;
many requests go through one kept connection. A request to `/hold?QUERY` is answered when the test says so: its server is busy
meanwhile.
"""

import re
import selectors
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from peers import require_peer
from running import BALANCER, Program, free_port, running

SERVER_COUNT: Final = 10
PIPELINED: Final = 50

WEIGHTS: Final = (1, 3, 2, 5, 1, 4, 2, 8, 1, 6)

DEAD: Final = "DEAD"

# The words behind the address of each server, by the name of the layout.
LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "plain": tuple(f"weight {weight}" for weight in WEIGHTS),
    # Ids of all sizes, two servers out, one that takes no visitors, one backup; all weights are even.
    "mixed": (
        "weight 2 id 7",
        "weight 6",
        "weight 4 disabled",
        "weight 10 id 2",
        "weight 2",
        "weight 0 id 999983",
        "weight 4 id 300",
        "weight 16 disabled",
        "weight 8 backup",
        "weight 12",
    ),
    "equal": ("",) * SERVER_COUNT,
    "one": ("disabled",) * 6 + ("weight 3",) + ("disabled",) * 3,
    "backup": ("disabled",) * 6 + ("weight 3 backup",) * 2 + ("disabled",) * 2,
    # Two of them are not there.
    "dead": tuple(DEAD if n in (2, 6) else "weight 2" for n in range(SERVER_COUNT)),
    "narrow": tuple(f"maxconn 1 weight {weight}" for weight in WEIGHTS),
}

# --- the servers -------------------------------------------------------------------------------------------------------


class Servers:
    """The ten servers, all in one thread."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.ports: list[int] = []
        self.held: dict[str, tuple[int, socket.socket]] = {}  # by the query of the request
        self.lock = threading.Lock()
        self.is_over = False
        self.inbox: dict[socket.socket, bytes] = {}
        for n in range(SERVER_COUNT):
            listener = socket.create_server(("127.0.0.1", 0), backlog=512)
            listener.setblocking(False)
            self.ports.append(listener.getsockname()[1])
            self.selector.register(listener, selectors.EVENT_READ, (n, True))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        """Ends the thread and every connection."""
        self.is_over = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            assert isinstance(key.fileobj, socket.socket)
            key.fileobj.close()
        self.selector.close()

    def holder_of(self, query: str) -> int | None:
        """The server that holds this request, None where none does."""
        with self.lock:
            return self.held[query][0] if query in self.held else None

    def release(self, query: str) -> None:
        """Answers a request that is held."""
        with self.lock:
            n, connection = self.held.pop(query)
        connection.sendall(answer_of(n))

    def _run(self) -> None:
        while not self.is_over:
            for key, _ in self.selector.select(0.05):
                n, is_listener = key.data
                assert isinstance(key.fileobj, socket.socket)
                if is_listener:
                    connection, _ = key.fileobj.accept()
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.selector.register(connection, selectors.EVENT_READ, (n, False))
                else:
                    self._serve(key.fileobj, n)

    def _serve(self, connection: socket.socket, n: int) -> None:
        try:
            data = connection.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self.selector.unregister(connection)
            self.inbox.pop(connection, None)
            connection.close()
            return
        data = self.inbox.pop(connection, b"") + data
        while b"\r\n\r\n" in data:
            head, _, body = data.partition(b"\r\n\r\n")
            end = length_of(head, body)
            if end is None:
                break
            data = body[end:]
            path, _, query = head.split(b" ")[1].partition(b"?")
            if path.startswith(b"/hold"):
                with self.lock:
                    self.held[query.decode()] = n, connection
            else:
                connection.sendall(answer_of(n))
        if data:
            self.inbox[connection] = data


def length_of(head: bytes, body: bytes) -> int | None:
    """How much of `body` belongs to the request; None when it has not come whole."""
    if b"\r\ntransfer-encoding:" in head.lower():
        end = 0 if body.startswith(b"0\r\n\r\n") else body.find(b"\r\n0\r\n\r\n") + 2
        return end + 5 if end != 1 else None
    found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    length = int(found[1]) if found else 0
    return length if length <= len(body) else None


def answer_of(n: int) -> bytes:
    """What the server of that number answers."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n


# --- the two programs --------------------------------------------------------------------------------------------------


class Client:
    """One kept connection."""

    def __init__(self, port: int, source: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), 20.0, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.answers = self.socket.makefile("rb")

    def send(self, *requests: bytes) -> None:
        """Sends requests, one behind the other."""
        self.socket.sendall(b"".join(requests))

    def answer(self) -> str:
        """The number of the server that answered, `-` for a 503 of the program itself."""
        status = self.answers.readline()
        length = 0
        while (line := self.answers.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = self.answers.read(length)
        if status[9:12] == b"503":
            return "-"
        assert status[9:12] == b"200", (status, body)
        return body.decode()

    def take(self, requests: Sequence[bytes]) -> str:
        """The servers of these requests, in order."""
        found = []
        for begin in range(0, len(requests), PIPELINED):
            some = requests[begin : begin + PIPELINED]
            self.send(*some)
            found += [self.answer() for _ in some]
        return "".join(found)

    def close(self) -> None:
        """Ends the connection."""
        self.answers.close()
        self.socket.close()


class Side:
    """One of the two programs, and where its sections listen."""

    def __init__(self, program: Program, ports: dict[str, int], control: Path, servers: Servers) -> None:
        self.program = program
        self.ports = ports
        self.control = control
        self.servers = servers

    def take(self, section: str, requests: Sequence[bytes]) -> str:
        """The servers of these requests, sent on one connection."""
        with closing(Client(self.ports[section])) as client:
            return client.take(requests)

    def ask(self, text: str) -> str:
        """What a command is answered with."""
        with closing(socket.socket(socket.AF_UNIX)) as client:
            client.settimeout(10.0)
            client.connect(str(self.control))
            client.sendall(text.encode() + b"\n")
            said = b""
            while piece := client.recv(65536):
                said += piece
        return said.decode().strip()

    def serving(self, section: str) -> int:
        """How many requests the servers of the section serve now."""
        rows = [line.split(",") for line in self.ask(f"show stat {section} 4 -1").splitlines()]
        return sum(int(row[4]) for row in rows if row[0] == section and row[1].startswith("s"))


@contextmanager
def both(folder: Path, sections: dict[str, tuple[str, str]], more: str = "") -> Iterator[tuple[Side, Side]]:
    """HAProxy and ours, each with a `listen` of each of these sections: name -> (lines, layout)."""
    haproxy = require_peer("haproxy")
    with ExitStack() as stack:
        servers = Servers()
        stack.callback(servers.close)
        sides = []
        for name, words in (("haproxy", (haproxy,)), ("ours", BALANCER)):
            control = folder / f"{name}.sock"
            ports = {section: free_port() for section in sections}
            text = [f"global\n stats socket {control} level admin\n nbthread 1"]
            text.append("defaults\n mode http\n timeout connect 5s\n timeout client 30s\n timeout server 30s\n" + more)
            for section, (lines, layout) in sections.items():
                text.append(f"listen {section}\n bind 127.0.0.1:{ports[section]}\n {lines}")
                for n, words_of_server in enumerate(LAYOUTS[layout]):
                    port = free_port() if words_of_server == DEAD else servers.ports[n]
                    text.append(f" server s{n} 127.0.0.1:{port} {words_of_server.removeprefix(DEAD)}")
            file = folder / f"{name}.cfg"
            file.write_text("\n".join(text) + "\n")
            program = stack.enter_context(running([*words, "-db", "-f", str(file)], folder / f"{name}.out"))
            program.wait_for_port(list(ports.values())[-1])
            sides.append(Side(program, ports, control, servers))
        yield sides[0], sides[1]


def get(target: str, *fields: str) -> bytes:
    """A GET of this target."""
    lines = [f"GET {target} HTTP/1.1", *(fields or ("Host: a",)), "", ""]
    return "\r\n".join(lines).encode()


def differing(theirs: str, ours: str, keys: Sequence[bytes]) -> list[tuple[str, str, bytes]]:
    """The first keys that reached other servers."""
    return [(a, b, key) for a, b, key in zip(theirs, ours, keys, strict=True) if a != b][:5]
