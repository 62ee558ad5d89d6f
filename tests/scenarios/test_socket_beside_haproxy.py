"""The stats socket of the balancer and of Debian's haproxy on one file: the same commands, the same answers, the same events.

Every command is sent to both on a connection of its own. Compared are the answer to the octet (but for what volatile figures
are in it), how the servers stand afterwards, and the event lines that it caused.
"""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Final

import pytest
from calm import calm
from peers import require_peer
from running import free_port, wait_until
from sides import ScriptedServer, Side, side

CONFIG: Final = """
global
    log 127.0.0.1:{log} local0
    node here
    maxconn 200
    nbthread 1
    stats socket %(folder)s/admin.sock level admin
    stats socket %(folder)s/operator.sock level operator
    stats socket %(folder)s/user.sock level user
    stats timeout 20s
defaults
    log global
    mode http
    option httplog
    timeout connect 2s
    timeout client 20s
    timeout server 20s
listen shop
    bind 127.0.0.1:{shop}
    cookie SRV insert
    balance roundrobin
    server s1 127.0.0.1:%(port)s cookie c1 check inter 1s weight 10
    server s2 127.0.0.1:%(port)s cookie c2
    server s3 127.0.0.1:%(port)s cookie c3 track shop/s1
    server s4 127.0.0.1:%(nobody)s cookie c4 check inter 1s fall 1
    server s5 127.0.0.1:%(port)s check inter 1h disabled
    server s6 127.0.0.1:%(port)s backup
    server q1 127.0.0.1:%(port)s cookie q1 check inter 1h
    server q2 127.0.0.1:%(port)s cookie q2 track shop/q1
backend fixed
    balance source
    server f1 127.0.0.1:%(port)s maxconn 5
    server f2 127.0.0.1:%(port)s weight 3
frontend door
    bind 127.0.0.1:{door}
    default_backend fixed
listen front
    bind 127.0.0.1:{front}
    server s 127.0.0.1:%(port)s
"""
SECTIONS: Final = ["shop", "door", "front"]


@dataclass
class Told:
    """One program with its folder, and how far its log was read."""

    side: Side
    folder: Path
    read: int = 0

    def say(self, text: str, level: str = "admin") -> str:
        """Everything that is answered on a connection of its own."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10.0)
            client.connect(str(self.folder / f"{level}.sock"))
            client.sendall(text.encode() + b"\n")
            said = b""
            while piece := client.recv(1 << 20):
                said += piece
        return said.decode().replace(str(self.folder), "FOLDER")

    def states(self) -> list[list[str]]:
        """Name, status, weights and numbers of every row."""
        header, *rows = self.say("show stat").strip().split("\n")
        names = header.removeprefix("# ").split(",")
        places = [
            names.index(name) for name in ("pxname", "svname", "status", "weight", "act", "bck", "slim", "uweight", "addr")
        ]
        return [[row.split(",")[place] for place in places] for row in rows]

    def wait_for(self, text: str) -> None:
        """Returns when a line with that text has come."""
        wait_until(lambda: any(text in line for _, line in self.side.log.lines()), f"a line {text!r}")

    def events(self) -> list[tuple[str, str]]:
        """The lines since the last call."""
        lines = self.side.log.lines()[self.read :]
        self.read += len(lines)
        return [(severity, _steady(text)) for severity, text in lines]


def _steady(text: str) -> str:
    return re.sub(r"check duration: \d+ms", "check duration: Nms", text)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Told, Told]]:
    haproxy = require_peer("haproxy")
    with ExitStack() as stack:
        server = ScriptedServer()
        stack.callback(server.close)
        nobody = free_port()
        told: list[Told] = []
        for name in ("balancer", "haproxy"):
            folder = tmp_path_factory.mktemp(name)
            config = CONFIG % {"folder": folder, "port": server.port, "nobody": nobody}
            one = stack.enter_context(side(name, haproxy, config, SECTIONS, folder))
            told.append(Told(one, folder))
        for each in told:
            wait_until(
                lambda each=each: _at_rest(each),  # type: ignore[misc]
                "first checks",
                tells=lambda each=each: repr(each.states()),  # type: ignore[misc]
            )
            each.wait_for("Server shop/s4 is DOWN")
            each.events()
        yield told[0], told[1]


def _at_rest(told: Told) -> bool:
    found = {row[1]: row[2] for row in told.states()}
    return found["s1"] == "UP" and found["s4"] == "DOWN"


# Each in turn changes something, or is refused; the answer, how the servers stand and the events are compared.
CHANGES: Final = (
    "set server shop/q1 state drain",
    "set server shop/q1 state drain",
    "set server shop/q1 state maint",
    "set server shop/q1 state drain",
    "set server shop/q1 state ready",
    "set server shop/q1 state ready",
    "set server shop/q2 state drain",
    "set server shop/q1 state drain",
    "set server shop/q2 state ready",
    "set server shop/q1 state ready",
    "set server shop/q2 state maint",
    "set server shop/q1 state maint",
    "set server shop/q2 state ready",
    "set server shop/q1 state ready",
    "set server shop/s4 state drain",
    "set server shop/s4 state ready",
    "set server shop/s2 state drain",
    "set server shop/s2 state maint",
    "set server shop/s2 state ready",
    "set server shop/s5 state drain",
    "set server shop/s5 state maint",
    "set server shop/s5 state ready",
    "set server shop/s5 state maint",
    "set server shop/q1 health down",
    "set server shop/q1 health down",
    "set server shop/q1 health stopping",
    "set server shop/q1 health up",
    "set server shop/q2 health up",
    "set server shop/s2 health down",
    "set server shop/s2 health stopping",
    "set server shop/s2 health up",
    "set server shop/s2 health bogus",
    "set server shop/s2 health",
    "disable health shop/q1",
    "set server shop/q1 health down",
    "set server shop/q1 health up",
    "enable health shop/q1",
    "enable health shop/s2",
    "disable health shop/s2",
    "enable health shop/s3",
    "disable server shop/q1",
    "enable server shop/q1",
    "disable server shop",
    "set server fixed/f1 state maint",
    "set server fixed/f2 state drain",
    "set server fixed/f2 state maint",
    "set server fixed/f2 state ready",
    "set server fixed/f1 state ready",
    "set weight shop/q1 0",
    "set weight shop/q1 100%",
    "set weight fixed/f2 2",
    "set weight fixed/f2 0",
    "set weight fixed/f2 3",
    "set server shop/s2 addr 127.0.0.2",
    "set server shop/s2 addr 127.0.0.2 port 5",
    "set server shop/s2 addr 127.0.0.1 port 5",
    "set server shop/s2 addr ::1 port 7",
    "set server shop/s2 addr 127.0.0.1 port x",
    "set server shop/s2 addr 127.0.0.1 port",
    "set server shop/s2 addr 127.0.0.1 port +1",
    "set server shop/s2 addr 127.0.0.1 bogus 5",
    "set server shop/s2 addr localhost",
    "set server shop/s2 addr",
    "set server shop/q1 check-addr 127.0.0.3 port 17",
    "set server shop/q1 check-addr 127.0.0.1",
    "set server shop/q1 check-addr nosuch.invalid",
    "set server shop/q1 check-addr",
    "set server shop/q1 check-port 0",
    "set server shop/q1 check-port 70000",
    "set server shop/q1 check-port x",
    "set server shop/q1 check-port",
    "set server shop/s2 check-port 5",
    "set server shop/s2 check-addr 127.0.0.1",
    "set server shop/s2 fqdn localhost",
    "set server shop/s2 fqdn",
    "set server shop/s2 ssl on",
    "set server shop/s2 agent up",
    "set server shop/s2 agent-addr 127.0.0.1",
    "set server shop/s2 agent-port 5",
    "set server shop/s2 agent-send x",
    "enable agent shop/s2",
    "disable agent shop/s2",
    "set maxconn server shop/s2 7",
    "set maxconn server shop/s2 7x",
    "set maxconn server shop/s2 x",
    "set maxconn server shop/s2",
    "set maxconn server shop/s2 0",
    "set maxconn server shop",
    "set maxconn frontend door 50",
    "set maxconn frontend door -1",
    "set maxconn frontend door",
    "set maxconn frontend nosuch 1",
    "set maxconn frontend",
    "set maxconn global 1000000",
    "set maxconn global",
    "set maxconn global 100",
    "set maxconn global 0",
    "set rate-limit sessions global 100",
    "set rate-limit sessions global 0",
    "set rate-limit connections global -1",
    "set rate-limit connections global",
    "set rate-limit connections",
    "set rate-limit ssl-sessions global 3",
    "set rate-limit http-compression global 3",
    "set rate-limit bogus global 3",
    "disable frontend door",
    "disable frontend door",
    "enable frontend door",
    "enable frontend door",
    "disable frontend shop",
    "enable frontend shop",
    "disable frontend fixed",
    "disable frontend",
    "disable frontend door",
    "shutdown frontend door",
    "shutdown frontend door",
    "enable frontend door",
    "disable frontend door",
    "shutdown frontend nosuch",
    "shutdown session",
    "shutdown session x",
    "shutdown session 0x7f00",
    "shutdown sessions server shop/s1",
    "shutdown sessions server shop/nosuch",
    "shutdown sessions server",
    "clear counters",
    "clear counters all",
)


def test_changes_and_refusals_are_haproxys(both: tuple[Told, Told]) -> None:
    ours, theirs = both
    wrong: list[str] = []
    for text in CHANGES:
        own, haproxys = ours.say(text), theirs.say(text)
        if own != haproxys:
            wrong.append(f"{text}: we say {own!r}, haproxy {haproxys!r}")
        own_states, haproxys_states = ours.states(), theirs.states()
        for row, haproxys_row in zip(own_states, haproxys_states, strict=True):
            if row != haproxys_row:
                wrong.append(f"{text}: our row {row}, haproxy's {haproxys_row}")
    for each in both:
        each.wait_for("Proxy door stopped")  # nothing behind that is told
    own_events, haproxys_events = ours.events(), theirs.events()
    for event, haproxys_event in zip_longest(own_events, haproxys_events):
        if event != haproxys_event:
            wrong.append(f"event {event}, haproxy's {haproxys_event}")
    assert not wrong, "\n".join(wrong)


# Questions, wrong words, and commands of what is absent; the level where it is not admin.
QUESTIONS: Final = (
    ("show cli level", "user"),
    ("show cli sockets", "admin"),
    ("show env NOSUCH", "admin"),
    ("show backend", "user"),
    ("show stat", "admin"),
    ("show stat", "user"),
    ("show stat shop 4 1", "admin"),
    ("show stat door 1 -1", "admin"),
    ("show stat 2 2 -1 typed", "admin"),
    ("show stat 2 4 1 typed desc", "admin"),
    ("show stat 2 4 1 desc typed json", "admin"),
    ("show stat typed", "user"),
    ("show stat json", "operator"),
    ("show stat -1 4 -1 up", "admin"),
    ("show stat -1 4 -1 no-maint", "admin"),
    ("show stat typed desc up", "admin"),
    ("show stat nosuch 1 -1", "admin"),
    ("show stat 99 7 -1", "admin"),
    ("show stat extra words", "admin"),
    ("show stat up x", "admin"),
    ("show info", "user"),
    ("show info typed", "user"),
    ("show info desc", "user"),
    ("show info typed desc", "user"),
    ("show info json", "user"),
    ("show info json False", "user"),
    ("show info float", "user"),
    ("show schema json", "user"),
    ("show servers state", "user"),
    ("show servers state shop", "user"),
    ("show servers state nosuch", "user"),
    ("set server shop/s5 state ready;show servers state shop;set server shop/s5 state maint;show servers state shop", "admin"),
    ("show servers conn", "user"),
    ("show servers conn #2", "user"),
    ("show sess", "user"),
    ("show sess 0xdead", "operator"),
    ("show errors", "user"),
    ("show map", "user"),
    ("show map x", "user"),
    ("show acl x", "user"),
    ("show table", "user"),
    ("show table x", "user"),
    ("show peers", "user"),
    ("show peers x", "user"),
    ("show cache", "user"),
    ("show events nosuch", "user"),
    ("show events nosuch", "operator"),
    ("show tasks", "user"),
    ("show startup-logs", "user"),
    ("show resolvers x", "user"),
    ("show startup-logs", "operator"),
    ("add acl", "admin"),
    ("add acl x y", "admin"),
    ("add map", "admin"),
    ("add map x y z", "admin"),
    ("clear acl", "admin"),
    ("clear map x", "admin"),
    ("clear table", "admin"),
    ("clear table x", "admin"),
    ("del acl", "admin"),
    ("del map x y", "admin"),
    ("get acl", "admin"),
    ("get acl x y", "admin"),
    ("get map x y", "admin"),
    ("get var", "admin"),
    ("get var x", "admin"),
    ("set map x", "admin"),
    ("set map x y z", "admin"),
    ("set table", "admin"),
    ("set table x key y", "admin"),
    ("get weight shop/s1;get weight #2/#2;get weight shop/nosuch;get weight nosuch/s1;get weight", "user"),
    ("set severity-output number;get weight shop/s1;get weight x;set weight shop/s1", "admin"),
    ("set severity-output string;get weight shop/s1;set server shop/s1 addr x;show cli level", "admin"),
    ("set severity-output x", "user"),
    ("expert-mode;expert-mode on;expert-mode;experimental-mode;experimental-mode on;experimental-mode", "admin"),
    ("operator;show cli level;set maxconn global 3;user;show cli level;operator", "admin"),
    ("set weight shop/s1 1", "operator"),
    ("set server shop/s1 state ready", "user"),
    ("clear counters", "user"),
    ("clear counters all", "operator"),
    ("shutdown session 0x1", "operator"),
    ("prompt;set severity-output string;set weight shop/nosuch 1;show cli level;quit", "admin"),
    ("help help", "user"),
)


# Volatile figures, by the names of their columns and lines.
def test_questions_are_answered_as_haproxy_answers_them(both: tuple[Told, Told]) -> None:
    ours, theirs = both
    wrong: list[str] = []
    for text, level in QUESTIONS:
        own, haproxys = calm(ours.say(text, level)), calm(theirs.say(text, level))
        for line, haproxys_line in zip_longest(own.split("\n"), haproxys.split("\n")):
            if line != haproxys_line:
                wrong.append(f"{text} ({level}): we say {line!r}, haproxy {haproxys_line!r}")
    assert not wrong, "\n".join(wrong)


def _send(port: int, octets: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.sendall(octets)
        said = b""
        while piece := client.recv(65536):
            said += piece
    return said


def test_a_request_that_is_none_is_shown_alike(both: tuple[Told, Told]) -> None:
    told: list[str] = []
    for each in both:
        port = each.side.ports["front"]
        assert _send(port, b"GET / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        wait_until(lambda each=each: "bad header" in each.say("show errors front request"), "a capture")  # type: ignore[misc]
        said = each.say("show errors front request")
        said = re.sub(
            r"\[[^]]*\] |captured on \[[^]]*\]|event #\d+|: \d+\n \n|src [^ ]*:\d+|0x[0-9a-f]{8}|wraps at \d+", "", said
        )
        told.append(said)
    assert told[0] == told[1]


RESET: Final = b"\1\0\0\0\0\0\0\0"
# What comes on a connection that never becomes a request, and how it ends.
NO_REQUESTS: Final = (
    (b"", "fin"),
    (b"", "reset"),
    (b"GET / HT", "fin"),
    (b"GET / HT", "reset"),
    (b"GET\0 / HTTP/1.1\r\n\r\n", "open"),
)
COUNTED: Final = ("stot", "conn_tot", "ereq", "req_tot", "hrsp_4xx", "hrsp_other", "bin", "bout", "dreq", "intercepted")


def _figures(told: Told) -> dict[str, int]:
    header, row = told.say("show stat front 1 -1").strip().split("\n")
    fields = dict(zip(header.removeprefix("# ").split(","), row.split(","), strict=True))
    return {name: int(fields[name]) for name in COUNTED}


def _come_and_go(port: int, octets: bytes, end: str) -> None:
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.sendall(octets)
        if end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            return
        if end == "fin":
            client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


@pytest.mark.parametrize(("octets", "end"), NO_REQUESTS)
def test_what_never_became_a_request_is_counted_alike(both: tuple[Told, Told], octets: bytes, end: str) -> None:
    grown: list[dict[str, int]] = []
    for each in both:
        before = _figures(each)
        _come_and_go(each.side.ports["front"], octets, end)
        wait_until(lambda each=each, before=before: _figures(each)["ereq"] > before["ereq"], "a count")  # type: ignore[misc]
        grown.append({name: value - before[name] for name, value in _figures(each).items()})
    assert grown[0] == grown[1]
    assert grown[0]["req_tot"] == grown[0]["ereq"] == grown[0]["hrsp_4xx"] == 1
