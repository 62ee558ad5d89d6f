"""Each fault of a server alone: what the client gets, what the log says, and that nothing is processed twice.

A row is one fault; each is met by a GET and, where no timeout makes it slow, by a POST with a body, on a connection of its own,
and followed by a request that must be served as if nothing had been. The same rows hold for Debian's haproxy; where it differs
`theirs` says how.
"""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from faulty import RESET, AbruptServer, FaultyServer, FullServer, refusing_port
from peers import find_peer, require_peer
from rules.talk import listen
from rules.wire import Unreadable, read_answers
from running import wait_until
from sides import Line, Side, parse_line, side

SECTIONS: Final = ["refusing", "moving", "full", "closing", "resetting", "silent", "reading"]

TEMPLATE: Final = """
global
    log 127.0.0.1:{{log}} local0
    maxconn 500
defaults
    log global
    mode http
    option httplog
    option dontlognull
    retries 2
    timeout connect 100
    timeout client 3000
    timeout server 500
listen refusing
    bind 127.0.0.1:{{refusing}}
    server app1 127.0.0.1:{refusing}
listen moving
    bind 127.0.0.1:{{moving}}
    option redispatch
    server app1 127.0.0.1:{refusing}
    server app2 127.0.0.1:{reading}
listen full
    bind 127.0.0.1:{{full}}
    server app1 127.0.0.1:{full}
listen closing
    bind 127.0.0.1:{{closing}}
    server app1 127.0.0.1:{closing}
listen resetting
    bind 127.0.0.1:{{resetting}}
    server app1 127.0.0.1:{resetting}
listen silent
    bind 127.0.0.1:{{silent}}
    server app1 127.0.0.1:{silent}
listen reading
    bind 127.0.0.1:{{reading}}
    server app1 127.0.0.1:{reading}
"""

WHOLE: Final = "whole"
CUT: Final = "cut"
BODY: Final = b"x" * 5000


@dataclass(frozen=True)
class Row:
    """One fault. `processed` and `connections` are how often the server read the request, and over how many connections."""

    fault: str
    status: int
    flags: str
    ends: str = WHOLE
    processed: int = 1
    section: str = "reading"
    retries: str = "0"
    methods: tuple[str, ...] = ("GET", "POST")
    theirs: dict[str, Any] = field(default_factory=dict)


def lost(fault: str, flags: str = "SH--", **more: Any) -> Row:
    return Row(fault, 502, flags, **more)


def cut(fault: str, flags: str = "SD--", **more: Any) -> Row:
    return Row(fault, 200, flags, CUT, **more)


ROWS: Final = (
    Row("none", 200, "----"),
    Row("none, chunked", 200, "----"),
    # Before anything was sent: tried again, since nobody has seen it.
    Row("refuses", 503, "SC--", processed=0, section="refusing", retries="2"),
    Row("is full", 503, "sC--", processed=0, section="full", retries="2"),
    # Sent and not read: nobody can tell, so it is not sent again.
    lost("closes unread", processed=0, section="closing"),
    lost("resets unread", processed=0, section="resetting"),
    Row("hangs unread", 504, "sH--", processed=0, section="silent"),
    lost("resets inside the request", processed=0),
    Row("refuses the upload", 413, "----", processed=0, methods=("POST",)),
    # Read, and no head.
    lost("closes before the head"),
    lost("resets before the head"),
    lost("half-closes before the head"),
    Row("hangs before the head", 504, "sH--"),
    lost("closes behind 100"),
    lost("closes inside the head"),
    lost("resets inside the head"),
    Row("hangs inside the head", 504, "sH--"),
    lost("garbage", "PH--"),
    lost("two lengths", "PH--"),
    # A head, and no whole body: never a clean end.
    cut("closes inside the body"),
    cut("resets inside the body"),
    cut("hangs inside the body", "sD--", methods=("GET",)),
    cut("closes inside a chunk"),
    cut("resets inside a chunk"),
    cut("hangs inside a chunk", "sD--", methods=("GET",)),
    cut("closes before the last chunk"),
    cut("resets before the last chunk"),
    cut("hangs before the last chunk", "sD--", methods=("GET",)),
    cut("closes inside the last chunk"),
    cut("resets inside the last chunk"),
    cut("hangs inside the last chunk", "sD--", methods=("GET",)),
    # HAProxy has not sent its head yet, and takes it back.
    cut("bad chunk size", "PD--", theirs={"status": 502, "ends": WHOLE, "flags": "PH--"}),
    # HAProxy takes the reset for the end, and logs it now as --, now as SD: the two tests below.
    # Whole, and the connection is spoilt.
    Row("ends the body by closing", 200, "----"),
    Row("closes behind the answer", 200, "----"),
    Row("resets behind the answer", 200, "----"),
    Row("half-closes behind the answer", 200, "----"),
    Row("garbage behind the answer", 200, "----"),
    Row("a second answer", 200, "----"),
)
CASES: Final = tuple((row, method) for row in ROWS for method in row.methods)
NAMES: Final = [f"{row.fault}, {method}" for row, method in CASES]

_numbers: Final = count()


@dataclass
class Stage:
    """The servers, and the programs before them."""

    server: FaultyServer
    sides: dict[str, Side]


def _resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Both programs on the same text; HAProxy's place is empty where it is not installed."""
    folder: Path = tmp_path_factory.mktemp("faults")
    reading, full, refusing = FaultyServer(), FullServer(), refusing_port()
    abrupt = {
        "closing": AbruptServer(lambda connection: None),
        "resetting": AbruptServer(_resets),
        "silent": AbruptServer(_hang),
    }
    ports = {name: each.port for name, each in abrupt.items()}
    template = TEMPLATE.format(reading=reading.port, full=full.port, refusing=refusing.getsockname()[1], **ports)
    with side("balancer", "", template, SECTIONS, folder) as ours:
        haproxy = find_peer("haproxy")
        if haproxy is None:
            yield Stage(reading, {"balancer": ours})
        else:
            with side("haproxy", haproxy, template, SECTIONS, folder) as theirs:
                yield Stage(reading, {"balancer": ours, "haproxy": theirs})
    for each in abrupt.values():
        each.close()
    reading.close()
    full.close()
    refusing.close()


def _hang(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


@dataclass(frozen=True)
class Seen:
    """What one request came to."""

    status: int
    ends: str
    body: bytes
    lines: tuple[Line, ...]


def ask(one: Side, section: str, target: str, method: str) -> Seen:
    """One request on a connection of its own, read by a strict reader, and its lines in the log."""
    before = len(one.log.datagrams)
    length = f"Content-Length: {len(BODY)}\r\n" if method == "POST" else ""
    with socket.create_connection(("127.0.0.1", one.ports[section]), 5.0) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: a\r\n{length}\r\n".encode() + (BODY if length else b""))
        heard = listen(client, [method])

    def lines() -> list[Line]:
        parsed = [parse_line(text) for _, text in one.log.lines()[before:]]
        return [line for line in parsed if line is not None and f" {target} " in line.request]

    wait_until(lambda: bool(lines()), f"a line of {one.name} for {target}", tells=lambda: str(one.log.lines()[before:]))
    status, is_complete, body = 0, False, b""
    try:
        answers = [each for each in read_answers(heard.octets, [method], heard.end == "closed") if each.line[9:10] != "1"]
        if answers:
            status, is_complete, body = answers[0].status, answers[0].is_complete, answers[0].body
    except Unreadable:
        assert one.name != "balancer", heard
    return Seen(status, WHOLE if is_complete else CUT, body, tuple(lines()))


def hold(stage: Stage, name: str, row: Row, method: str) -> None:
    """Holds one conversation and a plain one behind it."""
    one = stage.sides[name]
    number = next(_numbers)
    target = f"/{row.fault.replace(' ', '_')}/{number}"
    seen = ask(one, row.section, target, method)
    if row.section in ("reading", "moving"):
        wait_until(lambda: target in stage.server.over, f"the server is done with {target}")
    (line,) = seen.lines
    assert (seen.status, seen.ends) == (row.status, row.ends), seen
    assert (line.status, line.flags) == (row.status, row.flags), seen
    # A server that resets what it has just accepted may do so before the connect is seen to have come through: a retry, then.
    assert line.retries == row.retries or row.section == "resetting", seen
    if row.status == 200 and row.ends == WHOLE:
        assert seen.body == f"answer to {target}".encode(), seen
    assert stage.server.processed[target] == row.processed
    assert stage.server.begun[target] <= 1, "sent again"
    after = f"/none/{number}"
    again = ask(one, "reading", after, method)
    assert (again.status, again.ends, again.body) == (200, WHOLE, f"answer to {after}".encode()), again
    assert [each.flags for each in again.lines] == ["----"]


@pytest.mark.pure
@pytest.mark.parametrize(("row", "method"), CASES, ids=NAMES)
def test_a_fault_ends_as_its_row_says(stage: Stage, row: Row, method: str) -> None:
    hold(stage, "balancer", row, method)


@pytest.mark.parametrize(("row", "method"), CASES, ids=NAMES)
def test_haproxy_does_what_the_row_says(stage: Stage, row: Row, method: str) -> None:
    require_peer("haproxy")
    hold(stage, "haproxy", replace(row, **row.theirs), method)


@pytest.mark.pure
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_body_until_close_that_is_reset_is_not_taken_for_whole(stage: Stage, method: str) -> None:
    hold(stage, "balancer", cut("resets inside a body until close"), method)


def test_haproxy_takes_a_body_until_close_that_is_reset_for_whole(stage: Stage) -> None:
    require_peer("haproxy")
    target = f"/resets_inside_a_body_until_close/{next(_numbers)}"
    assert ask(stage.sides["haproxy"], "reading", target, "GET").ends == WHOLE


def test_whoever_is_refused_everywhere_is_moved_and_served_once(stage: Stage) -> None:
    """`option redispatch` sends to another server what nobody has seen, whatever the method; both programs do."""
    for one in stage.sides.values():
        for method in ("GET", "POST"):
            target = f"/none/{next(_numbers)}"
            seen = ask(one, "moving", target, method)
            (line,) = seen.lines
            assert (seen.status, line.flags, stage.server.processed[target]) == (200, "----", 1), (one.name, seen)
            assert line.retries == "+1", (one.name, seen)


def test_descriptors_are_as_many_as_before(stage: Stage) -> None:
    one = stage.sides["balancer"]
    stage.server.end_connections()
    wait_until(lambda: not stage.server.connections, "the servers' connections have ended")
    before = one.descriptor_count()
    for row, method in CASES:
        ask(one, row.section, f"/{row.fault.replace(' ', '_')}/{next(_numbers)}", method)
    stage.server.end_connections()
    wait_until(lambda: one.descriptor_count() <= before, "descriptors are closed", tells=lambda: str(one.descriptor_count()))
