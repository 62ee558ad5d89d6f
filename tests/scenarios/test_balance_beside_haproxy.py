"""Every balance algorithm beside HAProxy's: both programs read the same sections, and the same requests reach the same servers.

Ten small servers stand behind both programs, each on a port of its own, and answer with their number. Thousands of keys go through
kept connections, many at once; a request to `/hold` is answered when the test says so: its server is busy meanwhile.
"""

import random
import re
import selectors
import socket
import string
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from running import BALANCER, Program, free_port, running, wait_until

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
            head, _, data = data.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            data = data[int(length[1]) if length else 0 :]
            path, _, query = head.split(b" ")[1].partition(b"?")
            if path.startswith(b"/hold"):
                with self.lock:
                    self.held[query.decode()] = n, connection
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

LIVING: Final = [layout for layout in LAYOUTS if layout != "dead"]

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
    *[("static-rr", "", layout, uri_keys, 300) for layout in LIVING if layout != "backup"],
    *[("roundrobin", "", layout, uri_keys, 100) for layout in LIVING],
    *[("first", "", layout, uri_keys, 30) for layout in LIVING],
    *[("leastconn", "", layout, uri_keys, 100) for layout in LIVING],
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


SOURCE_TYPES: Final = (
    "hash-type map-based",
    "hash-type map-based wt6 avalanche",
    "hash-type consistent",
    "hash-type consistent crc32",
)
SOURCE_COUNT: Final = 250


def test_the_same_addresses_reach_the_same_servers(tmp_path: Path) -> None:
    dice = random.Random(DICE_SEED)
    addresses = [f"127.{dice.randint(0, 255)}.{dice.randint(0, 255)}.{dice.randint(1, 254)}" for _ in range(SOURCE_COUNT)]
    sections = {f"case{n}": (f"balance source\n {kind}", layout) for n, (kind, layout) in enumerate(source_cases())}
    found = {}
    with both(tmp_path, sections) as sides:
        for n, case in enumerate(source_cases()):
            chosen = []
            for side in sides:
                names = []
                for address in addresses:
                    with closing(Client(side.ports[f"case{n}"], address)) as client:
                        names.append(client.take([get("/")]))
                chosen.append(names)
            others = [row for row in zip(*chosen, addresses, strict=True) if row[0] != row[1]][:5]
            if others:
                found[case] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


def source_cases() -> list[tuple[str, str]]:
    """Each type of hash on both layouts."""
    return [(kind, layout) for kind in SOURCE_TYPES for layout in ("plain", "mixed")]


# --- the comparisons of orders -----------------------------------------------------------------------------------------


class Conversation:
    """What happens to one section of one program, step by step, and who served."""

    def __init__(self, side: Side, section: str) -> None:
        self.side = side
        self.section = section
        self.held: list[tuple[Client, str]] = []
        self.serial = 0
        self.told: list[str] = []

    def take(self, requests: Sequence[bytes]) -> None:
        """Some requests, answered at once."""
        self.told.append(self.side.take(self.section, requests))
        self._settle()

    def hold(self, path: str) -> None:
        """A request that occupies a server until `release`."""
        self.serial += 1
        query = f"{self.side.program.output.name}-{self.section}-{self.serial}"
        client = Client(self.side.ports[self.section])
        client.send(get(f"/hold{path}?{query}"))
        servers = self.side.servers
        soon(lambda: servers.holder_of(query) is not None, f"a server holds {query}")
        self.held.append((client, query))
        self.told.append(f"hold {servers.holder_of(query)}")

    def release(self, which: int) -> None:
        """One of the held requests is answered."""
        if self.held:
            client, query = self.held.pop(which % len(self.held))
            self.side.servers.release(query)
            self.told.append(f"release {client.answer()}")
            client.close()
            self._settle()

    def command(self, text: str) -> None:
        """A command, with the name of the section in the place of `@`."""
        self.told.append(f"{text}: {self.side.ask(text.replace('@', self.section))}")

    def end(self) -> None:
        """Releases everything."""
        while self.held:
            self.release(0)

    def _settle(self) -> None:
        # A slot is given back a moment after the answer.
        count = len(self.held)
        soon(lambda: self.side.serving(self.section) == count, f"{count} served in {self.section}")


def soon(holds: Callable[[], bool], what: str) -> None:
    """Waits for what takes a moment: asked often at first."""
    for _ in range(20):
        if holds():
            return
        time.sleep(0.001)
    wait_until(holds, what)


Step = tuple[str, int, str]  # (what, number, server)


def random_steps(seed: int, kinds: Sequence[str]) -> list[Step]:
    """Stretches of requests with something happening in between."""
    dice = random.Random(seed)
    steps: list[Step] = []
    for _ in range(24):
        steps.append((dice.choice(kinds), dice.choice([0, 1, 2, 3, 5, 8, 20, 100]), f"s{dice.randrange(SERVER_COUNT)}"))
        if dice.random() < 0.6:
            steps.append(("take", dice.randint(1, 25), ""))
    return steps


def talk(side: Side, section: str, layout: str, steps: Sequence[Step]) -> list[str]:
    """The conversation, told."""
    conversation = Conversation(side, section)
    for serial, (what, number, server) in enumerate(steps):
        if what == "take":
            conversation.take([get(f"/{serial}/{n}") for n in range(number)])
        elif what == "hold":
            # Where each server serves but one, the last of them stays free.
            if layout != "narrow" or len(conversation.held) < SERVER_COUNT - 1:
                conversation.hold(f"/{serial}")
        elif what == "release":
            conversation.release(number)
        else:
            words = {"down": "state maint", "up": "state ready", "weight": f"weight {number}"}
            conversation.command(f"set server @/{server} {words[what]}")
    conversation.end()
    return conversation.told


HOLDING: Final = ("hold", "hold", "release")
OPERATING: Final = ("down", "up", "up", "weight")

# (the lines, the layout, what happens)
TALKS: Final[list[tuple[str, str, tuple[str, ...]]]] = [
    ("balance leastconn", "equal", HOLDING),
    ("balance leastconn", "plain", HOLDING),
    ("balance leastconn", "narrow", HOLDING),
    ("balance leastconn", "plain", (*HOLDING, *OPERATING)),
    ("balance leastconn", "mixed", (*HOLDING, *OPERATING)),
    ("balance first", "narrow", HOLDING),
    ("balance first", "mixed", OPERATING),
    ("balance static-rr", "narrow", HOLDING),
    ("balance static-rr", "plain", OPERATING),
    ("balance static-rr", "mixed", OPERATING),
    ("balance roundrobin", "mixed", OPERATING),
    ("balance uri", "plain", OPERATING),
    ("balance uri", "mixed", OPERATING),
    ("balance uri\n hash-type consistent", "plain", OPERATING),
    ("balance uri\n hash-type consistent", "mixed", OPERATING),
    ("balance url_param x\n hash-type consistent", "narrow", HOLDING),
    ("balance url_param x\n hash-type consistent", "plain", OPERATING),
    ("balance url_param x\n hash-type consistent", "equal", OPERATING),
    ("balance url_param x\n hash-type consistent", "mixed", OPERATING),
    ("balance url_param x", "plain", OPERATING),
    ("balance uri\n hash-type consistent\n hash-balance-factor 110", "equal", HOLDING),
    ("balance uri\n hash-type consistent\n hash-balance-factor 150", "plain", HOLDING),
    ("balance uri\n hash-type consistent wt6\n hash-balance-factor 200", "mixed", (*HOLDING, *OPERATING)),
]


def test_servers_that_fill_go_come_and_change_weight_give_the_same_order(tmp_path: Path) -> None:
    sections = {f"case{n}": (lines, layout) for n, (lines, layout, _) in enumerate(TALKS)}
    found = {}
    with both(tmp_path, sections, " timeout queue 100\n") as (theirs, ours):
        for n, (lines, layout, kinds) in enumerate(TALKS):
            for seed in (n, 1000 + n):  # the second conversation finds the servers as the first has left them
                steps = random_steps(seed, kinds)
                told = talk(theirs, f"case{n}", layout, steps), talk(ours, f"case{n}", layout, steps)
                if told[0] != told[1]:
                    at = next(i for i, (a, b) in enumerate(zip(*told, strict=True)) if a != b)
                    found[lines, layout] = seed, told[0][at], told[1][at]
                    break
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


# --- servers that are not there ----------------------------------------------------------------------------------------

RETRIED: Final[tuple[str, ...]] = (
    "roundrobin",
    "static-rr",
    "leastconn",
    "first",
    "uri\n hash-type consistent",
    "uri\n hash-type consistent\n hash-balance-factor 200",
    "url_param x\n hash-type consistent",
    "url_param x",
)
# What follows a refusal waits for a second, but no longer than a connection may take.
PAUSED: Final = " timeout connect 400\n retries 1\n"
REDISPATCHES: Final = (" option redispatch 1\n", " option redispatch\n", "")


def test_who_is_refused_goes_to_the_same_server_next(tmp_path: Path) -> None:
    cases = [(line, redispatch) for line in RETRIED for redispatch in REDISPATCHES]
    sections = {f"case{n}": (f"balance {line}\n{redispatch}", "dead") for n, (line, redispatch) in enumerate(cases)}
    found = {}
    requests = [get(f"/{n}") for n in range(25)]
    with both(tmp_path, sections, PAUSED) as sides, ThreadPoolExecutor(len(sections)) as pool:
        names = [list(pool.map(lambda section, side=side: side.take(section, requests), sections)) for side in sides]
    for n, case in enumerate(cases):
        others = differing(names[0][n], names[1][n], requests)
        if others:
            found[case] = others
    assert found == {}, "\n".join(f"{case}: {others}" for case, others in found.items())


def test_a_hash_on_a_map_leaves_a_server_that_is_not_there(tmp_path: Path) -> None:
    requests = [get(f"/{n}") for n in range(25)]
    sections = {"a": ("balance uri\n option redispatch 1", "dead")}
    with both(tmp_path, sections, PAUSED) as (theirs, ours):
        names = theirs.take("a", requests), ours.take("a", requests)
    # HAProxy's map leads it back to the server that has just refused: only there ours differs.
    assert "-" in names[0]
    assert "-" not in names[1]
    assert all(a in (b, "-") for a, b in zip(*names, strict=True))
