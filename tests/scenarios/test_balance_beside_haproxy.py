"""Every balance algorithm beside HAProxy's: both programs read the same sections, and the same requests reach the same servers.

Ten small servers stand behind both programs, each on a port of its own, and answer with their number. Thousands of keys go
through kept connections, many at once; a request to `/hold` is answered when the test says so: its server is busy meanwhile.
"""

import random
import re
import selectors
import socket
import string
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from peers import require_peer
from running import BALANCER, Program, free_port, running

SERVER_COUNT: Final = 10
PIPELINED: Final = 50

WEIGHTS: Final = (1, 3, 2, 5, 1, 4, 2, 8, 1, 6)

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
    "narrow": tuple(f"maxconn 1 weight {weight}" for weight in WEIGHTS),
}

# --- the servers -------------------------------------------------------------------------------------------------------


class Servers:
    """The ten servers, all in one thread."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.ports: list[int] = []
        self.held: dict[int, list[socket.socket]] = {n: [] for n in range(SERVER_COUNT)}
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

    def held_by(self, n: int) -> int:
        """How many requests that server holds."""
        with self.lock:
            return len(self.held[n])

    def release(self, n: int) -> None:
        """Answers the request that this server has held longest."""
        with self.lock:
            self.held[n].pop(0).sendall(answer_of(n))

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
            head, _, data = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            data = data[int(length[1]) if length else 0 :]
            if head.split(b" ")[1].startswith(b"/hold"):
                with self.lock:
                    self.held[n].append(connection)
            else:
                connection.sendall(answer_of(n))
        if data:
            self.inbox[connection] = data


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
        rows = [line.split(",") for line in self.ask("show stat").splitlines()]
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
                text += [f" server s{n} 127.0.0.1:{servers.ports[n]} {word}" for n, word in enumerate(LAYOUTS[layout])]
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


# --- keys --------------------------------------------------------------------------------------------------------------

DICE_SEED: Final = 20060923


def uri_keys(count: int) -> list[bytes]:
    """Targets of all kinds: deep ones, with and without a query, numbered ones, absolute ones."""
    dice = random.Random(DICE_SEED)
    words = string.ascii_letters + string.digits + "-._~%!$&'()*+,;=:@"
    keys = []
    for n in range(count):
        path = "".join("/" + "".join(dice.choices(words, k=dice.randint(0, 9))) for _ in range(dice.randint(1, 5)))
        query = dice.choice(["", "", "?", f"?a={n}", f"?{n}/b/c?d", "?x=/"])
        keys.append(get(dice.choice([path, path, path, f"/page/{n}", f"/{n}"]) + query))
    return keys


def absolute_keys(count: int) -> list[bytes]:
    """Absolute targets, with the port of their scheme, with another, with none, in capitals; some without a path."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        scheme = dice.choice(["http", "http", "https", "HTTP"])
        host = f"site{n % 7}.example.org" + dice.choice(["", ":80", ":443", ":8080"])
        path = dice.choice([f"/p/{n}/q?r={n}", f"/p/{n}", "/", ""])
        keys.append(get(f"{scheme}://{host}{path}", f"Host: {host}", "X-After: 1"))
    return keys


def host_keys(count: int) -> list[bytes]:
    """Hosts with many dots and few, with ports.

    A field follows: with `use_domain_only` HAProxy looks at the octet behind the value, too, which must not be a left-over dot.
    """
    dice = random.Random(DICE_SEED)
    hosts = [".".join("".join(dice.choices("abcdexyz019-", k=4)) for _ in range(dice.randint(1, 4))) for _ in range(count)]
    return [get("/", f"Host: {host}{dice.choice(['', '', ':8080'])}", "X-After: 1") for host in hosts]


def field_keys(count: int) -> list[bytes]:
    """A field X-User: a word, a list, quoted, empty, twice, in other letters, absent."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        name = dice.choice(["X-User", "x-user", "X-USER"])
        value = "".join(dice.choices(string.ascii_letters + string.digits, k=dice.randint(1, 20)))
        lines = dice.choice(
            [
                [f"{name}: {value}"],
                [f"{name}:{value}"],
                [f"{name}:  {value} \t"],
                [f"{name}: {value}, {n}"],
                [f'{name}: "{value},{n}" ; x, y'],
                [f'{name}: "{value}\\",{n}", y'],
                [f"{name}: {value}", f"{name}: {n}"],
                [f"{name}: b\u00e4r{value}"],
                [f"{name}:"],
                [f"{name}: ,{value}"],
                [f"X-Users: {value}", f"X-Use: {n}"],
            ]
        )
        keys.append(get("/", "Host: a", *lines))
    return keys


def parameter_keys(count: int) -> list[bytes]:
    """A parameter `user` at all places of the query, empty, absent, and names that only look like it."""
    dice = random.Random(DICE_SEED)
    keys = []
    for n in range(count):
        value = "".join(dice.choices(string.ascii_letters + string.digits + "%+/", k=dice.randint(1, 20)))
        query = dice.choice(
            [
                f"?user={value}",
                f"?a=b&user={value}",
                f"?user={value}&user={n}",
                f"?a&b&&user={value}&c=d",
                f"?xuser={n}&user={value}",
                f"?users={n}&use={n}",
                f"?a=1;user={value}",
                f"?user&user={value}",
                f"?x?user={n}&user={value}",
                "?user=",
                "?user",
                "?",
                "",
            ]
        )
        keys.append(get(f"/{n}{query}"))
    return keys


# --- the comparisons of keys -------------------------------------------------------------------------------------------

TYPES: Final = [
    f"{method} {function}{modifier}"
    for method in ("map-based", "consistent")
    for function in ("sdbm", "djb2", "crc32", "wt6")
    for modifier in ("", " avalanche")
]
SHORT_TYPES: Final = ("", "hash-type consistent", "hash-type map-based wt6 avalanche", "hash-type consistent djb2")

Keys = Callable[[int], list[bytes]]

# (the balance line, the line of hash-type, the layout, the keys, how many)
CASES: Final[list[tuple[str, str, str, Keys, int]]] = [
    *[("uri whole", f"hash-type {each}", "mixed" if n % 2 else "plain", uri_keys, 1000) for n, each in enumerate(TYPES)],
    *[("uri whole", f"hash-type {each}", "plain" if n % 2 else "mixed", uri_keys, 300) for n, each in enumerate(TYPES)],
    *[("uri", each, "mixed", uri_keys, 1000) for each in SHORT_TYPES[:2]],
    *[("uri", each, "equal", uri_keys, 500) for each in SHORT_TYPES[:2]],
    *[("uri", each, "one", uri_keys, 50) for each in SHORT_TYPES[:2]],
    *[("uri", each, "backup", uri_keys, 50) for each in SHORT_TYPES[:2]],
    ("uri len 7", "", "plain", uri_keys, 500),
    ("uri depth 2", "", "plain", uri_keys, 500),
    ("uri depth 1 len 5 whole", "hash-type consistent", "plain", uri_keys, 500),
    ("uri whole depth 3", "", "plain", uri_keys, 500),
    ("uri", "", "plain", absolute_keys, 200),
    ("uri path-only", "", "plain", absolute_keys, 200),
    ("uri path-only depth 1", "hash-type consistent", "plain", absolute_keys, 200),
    *[("hdr(host)", each, "plain", host_keys, 500) for each in SHORT_TYPES],
    *[("hdr(Host) use_domain_only", each, "mixed", host_keys, 500) for each in SHORT_TYPES],
    *[("hdr(X-User)", each, "mixed", field_keys, 1000) for each in SHORT_TYPES],
    *[("url_param user", each, "mixed", parameter_keys, 1000) for each in SHORT_TYPES],
    ("url_param user", "hash-type consistent", "plain", parameter_keys, 1000),
    ("hdr(host)", "", "plain", absolute_keys, 200),
    # Among several backups HAProxy's static-rr takes turns; ours is the first, as the manual says of all algorithms.
    *[("static-rr", "", layout, uri_keys, 300) for layout in LAYOUTS if layout != "backup"],
    *[("roundrobin", "", layout, uri_keys, 100) for layout in LAYOUTS],
    *[("first", "", layout, uri_keys, 30) for layout in LAYOUTS],
    *[("leastconn", "", layout, uri_keys, 100) for layout in LAYOUTS],
]


def test_the_same_keys_reach_the_same_servers(tmp_path: Path) -> None:
    sections = {f"case{n}": (f"balance {line}\n {kind}", layout) for n, (line, kind, layout, _, _) in enumerate(CASES)}
    found = {}
    with both(tmp_path, sections) as (theirs, ours):
        for n, (line, kind, layout, keys, count) in enumerate(CASES):
            requests = keys(count)
            section = f"case{n}"
            others = differing(theirs.take(section, requests), ours.take(section, requests), requests)
            if others:
                found[line, kind, layout] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())
