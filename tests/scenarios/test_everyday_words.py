"""Words of every day, ours and Debian's haproxy on the same file: what the server sees, what the client gets, what is logged.

Each section has one word or a few; a conversation is some requests on some connections, one after the other. Compared are the
statuses, which connections stay open, which server connections are used again, the lines that were added, and the log.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

import pytest
from peers import find_peer, require_peer
from running import free_port
from sides import Side, side

PATIENCE_S: Final = 5.0
CRLF: Final = "\r\n"
# Fields that a server may be told of; all others are the client's own.
TELLING: Final = ("x-forwarded-for", "x-original-to", "x-client", "connection")


class KeepingServer:
    """Answers every request and keeps its connections; notes which connection each came on, and the telling fields."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.socket.getsockname()[1]
        self.seen: list[tuple[str, int, tuple[str, ...]]] = []  # path, connection, fields
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self.socket.accept()[0]
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection, self.connections), daemon=True).start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with connection, connection.makefile("rb") as inbox, suppress(OSError):
            while line := inbox.readline():
                path = line.split(b" ")[1].decode()
                fields: list[str] = []
                while (field := inbox.readline().strip(b"\r\n").decode("latin-1")) != "":
                    name, _, value = field.partition(":")
                    if name.lower() in TELLING:
                        fields.append(f"{name.lower()}: {value.strip().lower()}")
                self.seen.append((path, number, tuple(fields)))
                status = b"500 Oops" if path == "/fault" else b"200 OK"
                connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\nok" % status)


TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 0
    timeout connect 300
    timeout client 3s
    timeout server 3s
listen forwarded
    bind 127.0.0.1:{{forwarded}}
    option forwardfor
    server s 127.0.0.1:{port}
listen yielding
    bind 127.0.0.1:{{yielding}}
    option forwardfor if-none header X-Client
    option originalto
    server s 127.0.0.1:{port}
listen exempt
    bind 127.0.0.1:{{exempt}}
    option forwardfor except 127.0.0.0/8
    option originalto except 10.0.0.0/8
    server s 127.0.0.1:{port}
frontend outer
    bind 127.0.0.1:{{outer}}
    option forwardfor header X-Outer
    default_backend inner
backend inner
    option forwardfor header X-Client
    server s 127.0.0.1:{port}
listen closing
    bind 127.0.0.1:{{closing}}
    option httpclose
    server s 127.0.0.1:{port}
listen server_closing
    bind 127.0.0.1:{{server_closing}}
    option http-server-close
    server s 127.0.0.1:{port}
listen pretending
    bind 127.0.0.1:{{pretending}}
    option http-server-close
    option http-pretend-keepalive
    server s 127.0.0.1:{port}
listen never
    bind 127.0.0.1:{{never}}
    http-reuse never
    server s 127.0.0.1:{port}
listen safe
    bind 127.0.0.1:{{safe}}
    http-reuse safe
    server s 127.0.0.1:{port}
listen aggressive
    bind 127.0.0.1:{{aggressive}}
    http-reuse aggressive
    server s 127.0.0.1:{port}
listen always
    bind 127.0.0.1:{{always}}
    http-reuse always
    server s 127.0.0.1:{port}
listen alive
    bind 127.0.0.1:{{alive}}
    monitor-uri /alive
    server s 127.0.0.1:{port}
listen failing
    bind 127.0.0.1:{{failing}}
    monitor-uri /alive
    monitor fail if {{{{ nbsrv lt 2 }}}}
    server s 127.0.0.1:{port}
listen standing
    bind 127.0.0.1:{{standing}}
    monitor-uri /alive
    monitor fail if {{{{ nbsrv lt 1 }}}} || !{{{{ srv_is_up(s) }}}}
    server s 127.0.0.1:{port}
listen located
    bind 127.0.0.1:{{located}}
    errorloc 503 http://elsewhere/sorry
    server s 127.0.0.1:{dead}
listen located303
    bind 127.0.0.1:{{located303}}
    errorloc303 503 /sorry
    server s 127.0.0.1:{dead}
listen quiet
    bind 127.0.0.1:{{quiet}}
    option dontlog-normal
    server s 127.0.0.1:{port}
listen separate
    bind 127.0.0.1:{{separate}}
    option log-separate-errors
    server s 127.0.0.1:{port}
listen spare
    bind 127.0.0.1:{{spare}}
    option allbackups
    server gone 127.0.0.1:{dead} disabled
    server s1 127.0.0.1:{port} backup
    server s2 127.0.0.1:{port} backup
listen forced
    bind 127.0.0.1:{{forced}}
    option persist
    option redispatch
    cookie SEASIDE insert
    server dead 127.0.0.1:{dead} cookie dead disabled
    server s 127.0.0.1:{port} cookie alive
"""
SECTIONS: Final = [
    "forwarded", "yielding", "exempt", "outer", "closing", "server_closing", "pretending", "never", "safe", "aggressive",
    "always", "alive", "failing", "standing", "located", "located303", "quiet", "separate", "spare", "forced",
]  # fmt: skip


def get(path: str = "/", *lines: str) -> bytes:
    """A request."""
    return f"GET {path} HTTP/1.1\r\nHost: h\r\n{''.join(line + CRLF for line in lines)}\r\n".encode()


@dataclass(frozen=True)
class Talk:
    """Requests on connections: `clients[i]` are those of the i-th, all sent before the next one connects."""

    name: str
    section: str
    clients: tuple[tuple[bytes, ...], ...]


TALKS: Final = [
    Talk("the client's address", "forwarded", ((get(), get("/", "X-Forwarded-For: 1.2.3.4")),)),
    Talk("a line of the client's own stays", "forwarded", ((get("/", "x-forwarded-for: a", "X-Forwarded-For: b"),),)),
    Talk("Connection cannot take ours away", "forwarded", ((get("/", "Connection: keep-alive"),),)),
    Talk("if-none, and none", "yielding", ((get(),),)),
    Talk("if-none, and one", "yielding", ((get("/", "X-Client: 1.2.3.4"),),)),
    Talk("an exempt address", "exempt", ((get(),),)),
    Talk("the backend's name counts", "outer", ((get(),),)),
    Talk("httpclose", "closing", ((get(),), (get(),))),
    Talk("http-server-close", "server_closing", ((get(), get()), (get(),))),
    Talk("http-pretend-keepalive", "pretending", ((get(), get()),)),
    Talk("never: two clients", "never", ((get(), get()), (get(), get()))),
    Talk("safe: first requests", "safe", ((get(),), (get(),), (get(), get()))),
    Talk("aggressive: first requests", "aggressive", ((get(),), (get(),), (get(), get()), (get(),))),
    Talk("always: first requests", "always", ((get(),), (get(),), (get(), get()))),
    Talk("monitor-uri", "alive", ((get("/alive"), get("/")),)),
    Talk("monitor-uri with a query is another path", "alive", ((get("/alive?x"),),)),
    Talk("monitor fail counts the section's own servers", "failing", ((get("/alive"), get("/")),)),
    Talk("monitor fail asks the section's own server", "standing", ((get("/alive"), get("/")),)),
    Talk("errorloc", "located", ((get(),),)),
    Talk("errorloc303", "located303", ((get(),),)),
    Talk("dontlog-normal", "quiet", ((get(), get("/fault"), get("/")),)),
    Talk("log-separate-errors", "separate", ((get(), get("/fault"), get("/")),)),
    Talk("allbackups", "spare", ((get(), get(), get(), get()),)),
    Talk("persist: a cookie of a server in maintenance", "forced", ((get("/", "Cookie: SEASIDE=dead"),),)),
]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[Side, KeepingServer]]]:
    folder, dead = tmp_path_factory.mktemp("everyday"), free_port()
    mine, other = KeepingServer(), KeepingServer()
    with side("balancer", "", TEMPLATE.format(port=mine.port, dead=dead), SECTIONS, folder) as ours:
        haproxy = find_peer("haproxy")
        if haproxy is None:
            yield [(ours, mine)]
        else:
            with side("haproxy", haproxy, TEMPLATE.format(port=other.port, dead=dead), SECTIONS, folder) as theirs:
                yield [(ours, mine), (theirs, other)]


def transcript(one: Side, server: KeepingServer, talk: Talk) -> dict[str, object]:
    """All that is compared of one conversation."""
    logged = len(one.log.datagrams)
    before = len(server.seen)
    answers: list[tuple[int, str]] = []
    for client_requests in talk.clients:
        client = socket.create_connection(("127.0.0.1", one.ports[talk.section]), PATIENCE_S)
        inbox = client.makefile("rb")
        for request in client_requests:
            client.sendall(request)
            answers.append(_answer(inbox))
        answers.append((0, "open" if _is_open(client) else "closed"))
        inbox.close()
        client.close()
    _settle(one)
    # Which of several idle connections is taken is each program's own affair.
    numbers: set[int] = set()
    seen: list[tuple[str, str, tuple[str, ...]]] = []
    for path, number, fields in server.seen[before:]:
        seen.append((path, "kept" if number in numbers else "new", fields))
        numbers.add(number)
    lines = [(priority, text.split(" ")[5:6], _flags(text), text.split('"')[-2]) for priority, text in one.log.lines()[logged:]]
    return {"answers": answers, "server": seen, "log": [line for line in lines if "/settled" not in line[3]]}


def _answer(inbox: BinaryIO) -> tuple[int, str]:
    line = inbox.readline()
    status = int(line.split(b" ")[1])
    location, length = "", 0
    while field := inbox.readline().strip(b"\r\n"):
        name, _, value = field.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() == b"location":
            location = value.strip().decode()
    inbox.read(length)
    return status, location


def _is_open(client: socket.socket) -> bool:
    client.settimeout(0.05)  # how long an end may take to come: a program that closes has sent it with the answer
    try:
        return client.recv(1) != b""
    except TimeoutError:
        return True
    finally:
        client.settimeout(PATIENCE_S)


def _flags(text: str) -> str:
    return next((word for word in text.split(" ") if len(word) == 4 and word[-1] in "-NIVDPRU" and word[2] in "-NIDVEOU"), "")


def _settle(one: Side) -> None:
    """A refused request of its own ends the conversation: behind its line no other of the conversation can come."""
    with socket.create_connection(("127.0.0.1", one.ports["located"]), PATIENCE_S) as client:
        path = f"/settled{len(one.log.datagrams)}"
        client.sendall(get(path))
        client.recv(100)
    one.log.wait_for(f"GET {path} ")


@pytest.mark.parametrize("talk", TALKS, ids=[talk.name for talk in TALKS])
def test_both_do_the_same(both: list[tuple[Side, KeepingServer]], talk: Talk) -> None:
    require_peer("haproxy")
    ours, theirs = (transcript(one, server, talk) for one, server in both)
    assert ours == theirs
