"""The same conversations with the balancer and with Debian's haproxy: the same statuses, cookies, bodies and log fields.

A row is one conversation and what HAProxy 2.6 was seen to do (original-setup 2.3 to 2.6). Both programs must do it; where ours
differs on purpose the row says so in `ours`, and docs/differences.md says why.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pytest
from peers import find_peer, require_peer
from sides import ScriptedServer, Seen, Side, side

SECTIONS: Final = [
    *("indirect", "preserve", "postonly", "gone", "refusing", "moving", "moving_at_once", "unknown", "leaving", "smalltalk"),
]

TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
    maxconn 500
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 3
    timeout connect 100
    timeout client 500
    timeout server 500
    timeout http-request 400
listen indirect
    bind 127.0.0.1:{{indirect}}
    cookie SEASIDE insert indirect
    server app1 127.0.0.1:{alive} cookie app1inst1
listen preserve
    bind 127.0.0.1:{{preserve}}
    cookie SEASIDE insert preserve
    server app1 127.0.0.1:{alive} cookie app1inst1
listen postonly
    bind 127.0.0.1:{{postonly}}
    cookie SEASIDE insert postonly
    server app1 127.0.0.1:{alive} cookie app1inst1
listen leaving
    bind 127.0.0.1:{{leaving}}
    option abortonclose
    server app1 127.0.0.1:{alive}
listen gone
    bind 127.0.0.1:{{gone}}
    cookie SEASIDE insert
    server app1 127.0.0.1:{alive} cookie app1inst1 disabled
listen refusing
    bind 127.0.0.1:{{refusing}}
    cookie SEASIDE insert
    server app1 127.0.0.1:{dead} cookie app1inst1
listen moving
    bind 127.0.0.1:{{moving}}
    cookie SEASIDE insert
    option redispatch
    server app1 127.0.0.1:{dead} cookie app1inst1
    server app2 127.0.0.1:{alive} cookie app1inst2
listen moving_at_once
    bind 127.0.0.1:{{moving_at_once}}
    cookie SEASIDE insert
    option redispatch 1
    server app1 127.0.0.1:{dead} cookie app1inst1
    server app2 127.0.0.1:{alive} cookie app1inst2
listen unknown
    bind 127.0.0.1:{{unknown}}
    cookie SEASIDE insert
    server app1 127.0.0.1:{alive}
listen smalltalk
    bind 127.0.0.1:{{smalltalk}}
    cookie SEASIDE insert nocache
    balance roundrobin
    server app1 127.0.0.1:{alive} cookie app1inst1
    server app2 127.0.0.1:{alive} cookie app1inst2 disabled
"""

FIRST: Final = ("SEASIDE=app1inst1; path=/",)


@dataclass(frozen=True)
class Row:
    """One conversation. None means: not compared."""

    name: str
    request: bytes
    status: int
    flags: str
    section: str = "smalltalk"
    end: str = ""
    cookies: tuple[str, ...] = ()
    body: bytes | None = None
    server: str | None = "app1"
    octets: int | None = None
    reached: str | None = None  # TR Tw Tc Tr: + reached, - not
    retries: str = "0"
    closes: str | None = None
    takes_s: tuple[float, float] | None = None
    ours: dict[str, Any] = field(default_factory=dict)


def get(path: str, *lines: str, method: str = "GET", version: str = "1.1") -> bytes:
    """A request with a Host."""
    return "\r\n".join([f"{method} /{path} HTTP/{version}", "Host: a", *lines, "", ""]).encode()


STUCK: Final = "Cookie: SEASIDE=app1inst1"
PAGE_503: Final = (
    b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n"
)
BAD: Final[dict[str, Any]] = {"server": "<NOSRV>", "reached": "----", "octets": 0, "closes": "closed"}

ROWS: Final = (
    # The cookie of the request (2.3).
    Row("no cookie", get(""), 200, "--NI", cookies=FIRST, body=b"hello", octets=None, reached="++++", closes="open"),
    Row("another name", get("", "Cookie: a=b"), 200, "--NI", cookies=FIRST),
    Row("another case of the name", get("", "Cookie: seaside=app1inst1"), 200, "--NI", cookies=FIRST),
    Row("valid", get("", STUCK), 200, "--VN"),
    Row("unknown value", get("", "Cookie: SEASIDE=nobody"), 200, "--II", cookies=FIRST),
    Row("empty value", get("", "Cookie: SEASIDE="), 200, "--II", cookies=FIRST),
    Row("quoted value", get("", 'Cookie: SEASIDE="app1inst1"'), 200, "--II", cookies=FIRST),
    Row("in maintenance", get("", "Cookie: SEASIDE=app1inst2"), 200, "--DI", cookies=FIRST),
    Row("unknown, then valid", get("", "Cookie: SEASIDE=nope; SEASIDE=app1inst1"), 200, "--VN"),
    Row("second line", get("", "Cookie: a=b", STUCK), 200, "--VN"),
    Row("among others", get("", "Cookie: a=b; SEASIDE=app1inst1; c=d"), 200, "--VN"),
    Row("blanks around =", get("", "Cookie: SEASIDE = app1inst1"), 200, "--VN"),
    Row("with a date behind a bar", get("", "Cookie: SEASIDE=app1inst1|x"), 200, "--VN"),
    # The cookie of the answer, on every status and method.
    Row("404", get("missing"), 404, "--NI", cookies=FIRST, body=b"lost"),
    Row("302", get("redirect"), 302, "--NI", cookies=FIRST),
    Row("500", get("fault"), 500, "--NI", cookies=FIRST),
    Row("304", get("unchanged"), 304, "--NI", cookies=FIRST),
    Row("204", get("empty"), 204, "--NI", cookies=FIRST),
    Row("HEAD", get("", method="HEAD"), 200, "--NI", cookies=FIRST, body=b""),
    Row("POST", get("", "Content-Length: 3", method="POST") + b"abc", 200, "--NI", cookies=FIRST, body=b"abc"),
    Row("101", get("tunnel", "Connection: Upgrade", "Upgrade: echo") + b"hi", 101, "--NI", cookies=FIRST, end="fin"),
    Row("interim answer first", get("hints"), 200, "--NI", cookies=FIRST, body=b"ok"),
    Row("server's own cookie", get("own"), 200, "--NI", cookies=("a=b", *FIRST)),
    Row("server's own cookie, valid one sent", get("own", STUCK), 200, "--VD", cookies=("a=b",)),
    Row("preserve", get("own"), 200, "--NP", section="preserve", cookies=("SEASIDE=own", "a=b")),
    Row("postonly, GET", get(""), 200, "--NN", section="postonly"),
    Row("postonly, POST", get("", "Content-Length: 0", method="POST"), 200, "--NI", section="postonly", cookies=FIRST),
    Row("indirect", get("", STUCK), 200, "--VN", section="indirect"),
    Row(
        "server without a value",
        get(""),
        200,
        "--NI",
        section="unknown",
        cookies=("SEASIDE=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/",),
    ),
    # Framing.
    Row("chunks", get("chunked", STUCK), 200, "--VN", body=b"helloyou"),
    Row("ended by close", get("until-close", STUCK), 200, "--VN", body=b"hello", closes="closed"),
    Row("HTTP/1.0", get("", STUCK, version="1.0"), 200, "--VN", closes="closed"),
    Row("HTTP/1.0 kept", get("", STUCK, "Connection: keep-alive", version="1.0"), 200, "--VN", closes="open"),
    Row("close asked", get("", STUCK, "Connection: close"), 200, "--VN", closes="closed"),
    Row("abortonclose: the client leaves while the server thinks", get("slow"), 400, "CH--", section="leaving", end="later"),
    Row("abortonclose: the client stays", get("slow"), 200, "----", section="leaving"),
    Row("half-closed client", get("", STUCK), 200, "--VN", end="fin", body=b"hello"),
    # Servers that fail (2.6).
    Row("closes", get("close", STUCK), 502, "SHVN", octets=209, reached="+++-", closes="open"),
    Row("resets", get("reset", STUCK), 502, "SHVN", octets=209, reached="+++-"),
    Row("half a head", get("half-head", STUCK), 502, "SHVN", octets=209, reached="+++-"),
    Row("no HTTP", get("garbage", STUCK), 502, "PHVN", octets=209, reached="+++-"),
    Row("blank in a name", get("bad-name", STUCK), 502, "PHVN", octets=209, reached="+++-"),
    Row("two lengths", get("two-lengths", STUCK), 502, "PHVN", octets=209, reached="+++-"),
    Row("silent", get("hang", STUCK), 504, "sHVN", octets=198, reached="+++-", takes_s=(0.45, 1.2)),
    Row("cut", get("truncated", STUCK), 200, "SDVN", octets=61, closes="closed", ours={"closes": "reset"}),
    Row("cut in chunks", get("truncated-chunks", STUCK), 200, "SDVN", closes="closed", ours={"closes": "reset"}),
    Row("stalls", get("stall", STUCK), 200, "sDVN", octets=61, closes="closed", ours={"closes": "reset"}),
    Row("nobody", get(""), 503, "SCNN", section="gone", server="<NOSRV>", body=PAGE_503, octets=217, reached="+---"),
    Row("nobody, with a cookie", get("", STUCK), 503, "SCDN", section="gone", server="<NOSRV>", octets=217, reached="+---"),
    # Retries (2.5), with a pause of min(1 s, timeout connect) = 0.1 s.
    Row("refused", get(""), 503, "SCNN", section="refusing", retries="3", reached="++--", octets=217, takes_s=(0.29, 0.8)),
    Row("refused, stuck", get("", STUCK), 503, "SCVN", section="refusing", retries="3", reached="++--", takes_s=(0.29, 0.8)),
    Row(
        "moved at the last retry",
        get("", STUCK),
        200,
        "--DI",
        section="moving",
        server="app2",
        retries="+3",
        cookies=("SEASIDE=app1inst2; path=/",),
        takes_s=(0.19, 0.7),
    ),
    Row(
        "moved at once",
        get("", STUCK),
        200,
        "--DI",
        section="moving_at_once",
        server="app2",
        retries="+1",
        cookies=("SEASIDE=app1inst2; path=/",),
        takes_s=(0.0, 0.25),
    ),
    # Clients that fail (2.6).
    Row("no HTTP from the client", b"not HTTP at all\r\n\r\n", 400, "PR--", **BAD),
    Row("blank in a field name", get("", "X A: b"), 400, "PR--", **BAD),
    Row("8-bit target", b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "PR--", **BAD),
    Row("HTTP/0.9", b"GET /\r\n\r\n", 400, "PR--", **BAD),
    Row("two lengths from the client", get("", "Content-Length: 1", "Content-Length: 2", method="POST"), 400, "PR--", **BAD),
    Row("too large", get("", "X: " + "a" * 17000), 400, "PR--", **BAD),
    Row("too many lines", get("", *["X: y"] * 101), 400, "PR--", **BAD),
    Row("leaves inside the head", b"GET / HTTP/1.1\r\nHo", 400, "CR--", end="fin", **BAD),
    Row("stays inside the head", b"GET / HTTP/1.1\r\nHo", 408, "cR--", **BAD, takes_s=(0.35, 1.2)),
    # Where ours is stricter, or says more.
    Row(
        "no Host",
        b"GET / HTTP/1.1\r\n" + STUCK.encode() + b"\r\n\r\n",
        200,
        "--VN",
        ours={"status": 400, "flags": "PR--", **BAD},
    ),
    Row("NUL in a value", get("", "X: a\0b", STUCK), 200, "--VN", ours={"status": 400, "flags": "PR--", **BAD}),
)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text; HAProxy's place is empty where it is not installed."""
    folder: Path = tmp_path_factory.mktemp("sides")
    server, dead = ScriptedServer(), ScriptedServer()
    dead.close()
    template = TEMPLATE.format(alive=server.port, dead=dead.port)
    with side("balancer", "", template, SECTIONS, folder) as ours:
        haproxy = find_peer("haproxy")
        if haproxy is None:
            yield [ours]
        else:
            with side("haproxy", haproxy, template, SECTIONS, folder) as theirs:
                yield [ours, theirs]
    server.close()


def check(row: Row, seen: Seen, name: str) -> None:
    """Compares one conversation with its row."""
    line = seen.line
    assert line is not None
    assert (seen.status, line.status, line.flags) == (row.status, row.status, row.flags), (name, seen)
    assert seen.cookies == row.cookies, (name, seen)
    assert line.retries == row.retries, (name, seen)
    if row.body is not None:
        assert seen.body == row.body, (name, seen)
    if row.server is not None:
        assert line.server == row.server, (name, seen)
    if row.octets is not None:
        assert line.octets == row.octets, (name, seen)
    if row.reached is not None:
        assert "".join("-" if timer < 0 else "+" for timer in line.timers[:4]) == row.reached, (name, seen)
    if row.closes is not None:
        assert seen.end == row.closes, (name, seen)
    if row.takes_s is not None:
        assert row.takes_s[0] <= line.timers[4] / 1000 <= row.takes_s[1], (name, seen)


@pytest.mark.pure
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_the_balancer_answers_and_logs_as_the_row_says(sides: list[Side], row: Row) -> None:
    check(replace(row, **row.ours), sides[0].talk(row.section, row.request, row.end), "balancer")


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_haproxy_does_what_the_row_says(sides: list[Side], row: Row) -> None:
    require_peer("haproxy")
    check(row, sides[1].talk(row.section, row.request, row.end), "haproxy")


@pytest.mark.parametrize("path", ["", "missing", "chunked", "until-close", "hints", "unchanged", "own", "close", "truncated"])
def test_both_log_the_same_size_and_send_the_same_body(sides: list[Side], path: str) -> None:
    require_peer("haproxy")
    ours, theirs = (each.talk("smalltalk", get(path, STUCK)) for each in sides)
    assert ours.line is not None
    assert theirs.line is not None
    assert (ours.body, ours.line.octets) == (theirs.body, theirs.line.octets)


def test_nocache_says_private_on_each_answer_with_the_cookie_unless_the_server_did(sides: list[Side]) -> None:
    for path, expected in (("", 1), ("missing", 1), ("cacheable", 2), ("private", 1)):
        raw = _raw(sides[0], get(path))
        assert raw.lower().count(b"\r\ncache-control:") == expected, path
        assert b"private" in raw.lower(), path
    assert b"cache-control" not in _raw(sides[0], get("", STUCK)).lower()


def _raw(one: Side, request: bytes) -> bytes:
    """The whole answer of a connection that closes."""

    with socket.create_connection(("127.0.0.1", one.ports["smalltalk"]), 5.0) as client:
        client.sendall(request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
        raw = b""
        while data := client.recv(65536):
            raw += data
    return raw
