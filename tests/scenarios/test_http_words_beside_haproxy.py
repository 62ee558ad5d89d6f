"""Words of HTTP beside Debian's haproxy: bodies that are waited for, full queues, answers of ours, who gets which connection.

Both programs run one file and meet one server; a test asks both the same and compares what a client, the server and the log
show.
"""

import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from sides import ScriptedServer, Side, side

SECTIONS: Final[dict[str, str]] = {
    "buffers": "option http-buffer-request\n timeout http-request 300\n server app1 127.0.0.1:{alive}",
    "full": "cookie S insert\n server app1 127.0.0.1:{alive} cookie one maxconn 1 maxqueue 1\n server app2 127.0.0.1:{alive}",
    "moves": (
        "option redispatch\n cookie S insert\n server app1 127.0.0.1:{alive} cookie one maxconn 1 maxqueue 1\n"
        " server app2 127.0.0.1:{alive} cookie two"
    ),
    "text": 'http-error status 503 content-type text/plain string "out: 100%" hdr X-Why "no server"',
    "bare": "http-error status 503 hdr Retry-After 5",
    "formatted": "http-error status 503 content-type text/plain lf-string 100%% hdr x 1%%",
    "body": "http-error status 503 content-type text/html file {page}",
    "whole": "http-error status 503 errorfile {whole}",
    "group": "errorfiles pages",
    "one_of_group": "errorfiles pages 502\n http-error status 503 errorfiles others",
    "taken_back": "errorfile 503 {whole}\n http-error status 503 default-errorfiles",
    "last_wins": "errorfiles pages\n errorfile 503 {whole}",
    "moved": "errorloc303 503 http://a/b",
    "ntlm": "server app1 127.0.0.1:{identity}\n server app2 127.0.0.1:{identity}",
    "never": (
        "http-reuse never\n option prefer-last-server\n server app1 127.0.0.1:{identity}\n server app2 127.0.0.1:{identity}"
    ),
    "kept": "http-reuse always\n server app1 127.0.0.1:{identity}",
    "once": "http-reuse always\n server app1 127.0.0.1:{identity} max-reuse 0",
    "thrice": "http-reuse always\n server app1 127.0.0.1:{identity} max-reuse 2",
    "no_pool": "http-reuse always\n server app1 127.0.0.1:{identity} pool-max-conn 0",
    "no_time": "http-reuse always\n server app1 127.0.0.1:{identity} pool-purge-delay 0",
}
HEAD: Final = """
global
 log 127.0.0.1:{{log}} local0
 tune.idle-pool.shared on
 spread-checks 10
defaults
 log global
 mode http
 option httplog
 timeout connect 1s
 timeout client 5s
 timeout server 5s
 timeout queue 2s
http-errors pages
 errorfile 503 {whole}
 errorfile 502 {other}
http-errors others
 errorfile 503 {other}
"""
WHOLE: Final = b"HTTP/1.1 503 Gone fishing\r\nContent-Length: 4\r\nX-Page: whole\r\n\r\nfish"
OTHER: Final = b"HTTP/1.1 503 Other\r\nContent-Length: 5\r\n\r\nother"
ANSWERS: Final = tuple(name for name, words in SECTIONS.items() if "server" not in re.sub('".*"', "", words))


class IdentityServer:
    """Answers with the number of its connection and of the request on it; /auth with 401 and the scheme of X-Scheme."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.count = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self._serve, args=(client, self.count), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        nth = 0
        with client, client.makefile("rb") as inbox, suppress(OSError):
            while line := inbox.readline():
                scheme = b""
                while (field := inbox.readline()).strip():
                    if field.lower().startswith(b"x-scheme:"):
                        scheme = field[9:].strip()
                nth += 1
                body = b"%d.%d" % (number, nth)
                status = b"401 Unauthorized\r\nWWW-Authenticate: " + scheme if line.startswith(b"GET /auth") else b"200 OK"
                client.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body))


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text."""
    program = require_peer("haproxy")
    folder: Path = tmp_path_factory.mktemp("sides")
    files = {"whole": WHOLE, "other": OTHER, "page": b"<p>no %s</p>"}
    for name, octets in files.items():
        (folder / name).write_bytes(octets)
    server, identity = ScriptedServer(), IdentityServer()
    listens = "".join(f"listen {name}\n bind 127.0.0.1:{{{{{name}}}}}\n {words}\n" for name, words in SECTIONS.items())
    paths = {name: folder / name for name in files}
    template = (HEAD + listens).format(alive=server.port, identity=identity.port, **paths)
    names = list(SECTIONS)
    with side("balancer", "", template, names, folder) as ours, side("haproxy", program, template, names, folder) as theirs:
        yield [ours, theirs]
    server.close()
    identity.close()


def connect(one: Side, section: str) -> socket.socket:
    """A client."""
    return socket.create_connection(("127.0.0.1", one.ports[section]), 5.0)


def exchange(client: socket.socket, path: str, *lines: str) -> tuple[int, bytes]:
    """Status and body of one request on a connection that stays."""
    client.sendall("\r\n".join([f"GET /{path} HTTP/1.1", "Host: a", *lines, "", ""]).encode())
    raw = b""
    while not (found := re.search(rb"(?i)content-length: (\d+)\r\n(?:.*\r\n)*?\r\n", raw)) or len(raw) < found.end() + int(
        found[1]
    ):
        data = client.recv(65536)
        assert data, raw
        raw += data
    return int(raw[9:12]), raw[found.end() :]


# --- bodies that are waited for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "octets", "end"),
    [
        ("whole", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", ""),
        ("empty", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", ""),
        ("none", b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ""),
        ("stalls", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", ""),
        ("stalls in chunks", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ""),
        ("leaves", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", "fin"),
        ("stalls, other method", b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel", ""),
        ("large", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\nConnection: close\r\n\r\n" + bytes(60000), ""),
    ],
)
def test_a_request_waits_for_its_body(sides: list[Side], what: str, octets: bytes, end: str) -> None:
    seen = []
    for one in sides:
        answer = one.talk("buffers", octets, end)
        line = answer.line
        assert line is not None
        seen.append((answer.status, answer.body, line.flags, line.server, [timer >= 0 for timer in line.timers[:4]]))
    assert seen[0] == seen[1]


def test_a_slow_body_meets_no_server_before_it_is_whole(sides: list[Side]) -> None:
    for one in sides:
        with connect(one, "buffers") as client:
            client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 100"), one.name
            client.sendall(b"hello")
            assert b"200 OK" in client.recv(1000), one.name


# --- a full queue ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("section", "flags"), [("full", {"--VN", "SQVN"}), ("moves", {"--VN", "--DI"})])
def test_a_cookie_whose_server_has_a_full_queue(sides: list[Side], section: str, flags: set[str]) -> None:
    request = b"GET /slow?1 HTTP/1.1\r\nHost: a\r\nCookie: S=one\r\nConnection: close\r\n\r\n"
    seen = []
    for one in sides:
        before = len(one.log.datagrams)
        with ThreadPoolExecutor(4) as clients:
            answers = list(clients.map(lambda _: one.talk(section, request), range(4)))  # noqa: B023
        texts = [text for _, text in one.log.lines()[before:]]
        lines = [re.search(r" (\S+/\S+) \S+ (\d+) \d+ - - (\S{4}) \S+/(\S+) \S+ ", text) for text in texts]
        assert {answer.line.flags for answer in answers if answer.line} <= flags
        seen.append(sorted(found.groups() for found in lines if found))
    assert seen[0] == seen[1]
    assert {row[2] for row in seen[0]} == flags


# --- answers of ours ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ANSWERS)
def test_the_page_is_the_same_octet_by_octet(sides: list[Side], section: str) -> None:
    seen = []
    for one in sides:
        with connect(one, section) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            raw = b""
            while data := client.recv(65536):
                raw += data
        seen.append(raw.lower())
    assert seen[0] == seen[1]


# --- connections -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate", "Basic realm=a"])
def test_a_connection_with_an_identity_stays_its_clients(sides: list[Side], scheme: str) -> None:
    for one in sides:
        with connect(one, "ntlm") as first, connect(one, "ntlm") as second:
            status, own = exchange(first, "auth", f"X-Scheme: {scheme}")
            assert status == 401
            number, begun = own.split(b".")
            others = [exchange(second, "")[1].split(b".")[0] for _ in range(4)]
            again = [exchange(first, "")[1] for _ in range(3)]
        if scheme.startswith("Basic"):
            continue  # any connection may serve anybody
        assert number not in others, one.name
        assert again == [b"%s.%d" % (number, int(begun) + n) for n in (1, 2, 3)], one.name


def test_prefer_last_server_keeps_a_client_on_its_own_connection(sides: list[Side]) -> None:
    for one in sides:
        with connect(one, "never") as client:
            bodies = [exchange(client, "")[1] for _ in range(4)]
        number = bodies[0].split(b".")[0]
        assert bodies == [b"%s.%d" % (number, n) for n in (1, 2, 3, 4)], one.name


# HAProxy 2.6 honours `max-reuse` over HTTP/2 alone, as its manual warns. A connection of its may still be on its way into the
# pool when the next client comes, so that of it is asked only whether any is used again.
@pytest.mark.parametrize(
    ("section", "connections", "theirs_reuses"),
    [("kept", 1, True), ("once", 6, True), ("thrice", 2, True), ("no_pool", 6, False), ("no_time", 6, False)],
)
def test_how_often_a_kept_connection_serves(sides: list[Side], section: str, connections: int, theirs_reuses: bool) -> None:
    counts = []
    for one in sides:
        numbers = set()
        for _ in range(6):
            with connect(one, section) as client:
                numbers.add(exchange(client, "")[1].split(b".")[0])
        counts.append(len(numbers))
    assert counts[0] == connections
    assert (counts[1] < 6) == theirs_reuses
