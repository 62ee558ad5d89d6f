"""What `show stat` has counted after the same conversation, with the balancer and with Debian's haproxy.

A row is one conversation; before each all counters are cleared. Compared is every counter of every object that the conversation
may have touched. Not compared: `connect` and `reuse` (a kept server connection may serve the first request of another client,
docs/differences.md), peaks, rates and times.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from peers import find_peer, require_peer
from running import wait_until
from sides import ScriptedServer, Side, side

SECTIONS: Final = ["refusing", "moving", "gone", "smalltalk"]

TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
    maxconn 100
    stats socket {socket} level admin
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 1
    timeout connect 200
    timeout client 500
    timeout server 500
    timeout http-request 400
listen refusing
    bind 127.0.0.1:{{refusing}}
    server app1 127.0.0.1:{dead}
listen moving
    bind 127.0.0.1:{{moving}}
    option redispatch 1
    server app1 127.0.0.1:{dead}
    server app2 127.0.0.1:{alive}
listen gone
    bind 127.0.0.1:{{gone}}
    server app1 127.0.0.1:{alive} disabled
listen smalltalk
    bind 127.0.0.1:{{smalltalk}} name door maxconn 60
    option socket-stats
    http-request deny if {{{{ path /denied }}}}
    http-response deny if {{{{ status 304 }}}}
    cookie SEASIDE insert
    server app1 127.0.0.1:{alive} cookie app1inst1
"""

COUNTERS: Final = (
    "scur stot bin bout dreq dresp ereq econ eresp wretr wredis hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other "
    "req_tot cli_abrt srv_abrt lbtot conn_tot intercepted eint"
).split()


@dataclass(frozen=True)
class Row:
    """One conversation."""

    name: str
    octets: bytes
    section: str = "smalltalk"
    end: str = ""


def get(path: str, *lines: str, method: str = "GET") -> bytes:
    """A request with a Host."""
    return "\r\n".join([f"{method} /{path} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


ROWS: Final = (
    Row("a page", get("")),
    Row("a request that a rule denies", get("denied")),
    Row("two requests on a connection", get("") + get("missing")),
    Row("a redirect", get("redirect")),
    Row("a fault of the application", get("fault")),
    Row("an answer that a rule denies", get("unchanged")),
    Row("no content", get("empty")),
    Row("a head", get("", method="HEAD")),
    Row("a body both ways", get("", "Content-Length: 7", method="POST") + b"1234567"),
    Row(
        "chunks from the client",
        get("", "Transfer-Encoding: chunked", method="POST") + b"7\r\n1234567\r\n0\r\n\r\n",
    ),
    Row("chunks from the server", get("chunked")),
    Row("an end by close", get("until-close")),
    Row("hints before the answer", get("hints")),
    Row("the server closes", get("close")),
    Row("the server answers garbage", get("garbage")),
    Row("the server is silent", get("hang")),
    Row("the server cuts its body", get("truncated")),
    Row("the server stalls in its body", get("stall")),
    Row("refused to the end", get(""), "refusing"),
    Row("moved to another server", get(""), "moving"),
    Row("no server at all", get(""), "gone"),
    Row("no request", b"this is none\r\n\r\n"),
    Row("half a request", b"GET / HT", end="fin"),
    Row("half a request and silence", b"GET / HT"),
    Row("a connection that is to close", get("", "Connection: close")),
)


class Counted:
    """One program and its stats socket."""

    def __init__(self, running: Side, path: Path) -> None:
        self.side = running
        self.path = path

    def say(self, text: str) -> str:
        """One line and its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(self.path))
            client.sendall(text.encode() + b"\n")
            said = b""
            while piece := client.recv(65536):
                said += piece
            return said.decode()

    def after(self, row: Row) -> dict[str, dict[str, str]]:
        """The counters of the section's objects after the conversation, once nothing runs any more."""
        self.say("clear counters all")
        self.side.talk(row.section, row.octets, row.end)
        wait_until(
            lambda: self.counters(row.section)["FRONTEND"]["scur"] == "0", f"the end of {row.name!r} in {self.side.name}"
        )
        return self.counters(row.section)

    def counters(self, section: str) -> dict[str, dict[str, str]]:
        """The counters of a section by object."""
        header, *lines = self.say("show stat").splitlines()
        names = header.removeprefix("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=True)) for line in lines if line]
        return {row["svname"]: {name: row[name] for name in COUNTERS} for row in rows if row["pxname"] == section}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Counted, Counted]]:
    """The balancer and haproxy, each with its own socket, before one scripted server."""
    if find_peer("haproxy") is None:
        require_peer("haproxy")
    folder = tmp_path_factory.mktemp("counters")
    server = ScriptedServer()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        texts = {
            name: TEMPLATE.format(socket=folder / f"{name}.sock", dead=dead.getsockname()[1], alive=server.port)
            for name in ("balancer", "haproxy")
        }
        with side("balancer", "", texts["balancer"], SECTIONS, folder) as ours:
            with side("haproxy", require_peer("haproxy"), texts["haproxy"], SECTIONS, folder) as theirs:
                yield Counted(ours, folder / "balancer.sock"), Counted(theirs, folder / "haproxy.sock")
    server.close()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_haproxy_counts_the_same(row: Row, both: tuple[Counted, Counted]) -> None:
    ours, theirs = (each.after(row) for each in both)
    different = {
        f"{name} {counter}: {theirs[name][counter]} by haproxy, {ours[name][counter]} by us"
        for name in theirs
        for counter in COUNTERS
        if ours[name][counter] != theirs[name][counter]
    }
    assert not different
