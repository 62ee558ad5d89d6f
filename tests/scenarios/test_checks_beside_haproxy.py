"""Health checks of the balancer and of Debian's haproxy on one file: the same columns, event lines and requests.

Every case is a section of its own, so that all of them run at once, each program before a scripted server of its own. A case
comes to rest by itself; then its columns must be the same, and all that was told of it from the start, but for dates and
durations.
"""

import csv
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from checkpeer import CheckPeer, FrozenServer
from peers import find_peer, require_peer
from running import wait_until
from sides import Side, side

GLOBAL: Final = """
global
    log 127.0.0.1:{log} local0
    node here
    stats socket %(socket)s level admin
defaults
    log global
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    default-server inter 2s rise 2 fall 2
"""
FRONT: Final = """
listen front
    bind 127.0.0.1:{front}
    server s 127.0.0.1:%(port)s
"""

# What a check shows, and how a server stands; a star tells that a check is under way at this very moment.
COLUMNS: Final = (
    "svname status weight act bck chkfail chkdown throttle tracked check_status check_code hanafail last_chk check_desc "
    "check_rise check_fall check_health"
).split()


@dataclass(frozen=True)
class Case:
    """One section: what stands in it beside its servers, the path that its checks ask for, and its servers."""

    name: str
    path: str = ""
    lines: str = ""
    servers: tuple[str, ...] = ("s {peer} check",)

    def text(self) -> str:
        """The section, indented as the rest."""
        check = [f"option httpchk GET /{self.path}?{self.name}"] if self.path else []
        moves = ["default-server inter 300"] if self.path.startswith(("seq", "flip")) else []
        rows = [*check, *moves, *filter(None, self.lines.split("\n")), *(f"server {server}" for server in self.servers)]
        return f"backend {self.name}\n" + "".join(f"    {row}\n" for row in rows)


def expect(words: str) -> str:
    """A line."""
    return f"http-check expect {words}"


ANSWERS: Final = (
    "200 204 301 404 503 600 close reset garbage http09 half-head half-body no-reason quotes chunks until-close large "
    "large-head hints switch bad-field two-lengths redirect hang-up half-ok"
).split()

STEADY: Final = (
    *(Case(f"a_{name}", name) for name in ANSWERS),
    Case("tcp", "", ""),
    Case("refused", "200", servers=("s {dead} check",)),
    Case("frozen", "200", servers=("s {frozen} check",)),
    Case("frozen_tcp", servers=("s {frozen} check",)),
    Case("other_port", servers=("s {dead} check port {port} addr 127.0.0.1",)),
    Case("other_port_down", servers=("s {peer} check port {dead_port}",)),
    Case("backup_down", "503", servers=("s {peer} check", "b {peer} backup check", "c {peer} backup")),
    Case("string", "200", expect("string wor")),
    Case("string_no", "200", expect("string nope")),
    Case("string_not", "200", expect("! string wor")),
    Case("string_not_ok", "200", expect("! string nope")),
    Case("string_cut", "half-body", expect("string hello")),
    Case("string_cut_no", "half-body", expect("string hellx")),
    Case("string_half", "half-1", expect("string hello")),
    Case("string_late", "half-2", expect("string hellx")),
    Case("string_recv", "half-3", expect("min-recv 5 string hellx")),
    Case("string_large", "large", expect("string hello")),
    Case("string_chunks", "chunks", expect("string hello\\ world")),
    Case("string_empty", "no-reason", expect("string hello")),
    Case("string_error", "503", expect("string hello")),
    Case("rstring", "200", expect("rstring ^hel+o")),
    Case("rstring_no", "200", expect("rstring ^orld")),
    Case("rstring_not", "200", expect("! rstring ^hel+o")),
    Case("status", "404", expect("status 404")),
    Case("status_no", "503", expect("status 200,404-410")),
    Case("status_not", "503", expect("! status 500-599")),
    Case("rstatus", "404", expect("rstatus ^4")),
    Case("rstatus_no", "404", expect("rstatus ^2")),
    Case("two_expects", "200", expect("status 200") + "\n" + expect("string nope")),
    Case("comment", "404", expect("comment my\\ comment rstatus ^2")),
    Case("comment_garbage", "garbage", expect("comment my\\ comment rstatus ^2")),
    Case("comment_before", "404", "http-check comment my\\ remark\n" + expect("status 200")),
    Case("on_error", "404", expect("on-error oops\\ 100%% status 200")),
    Case("on_success", "200", expect("on-success fine\\ it status 200")),
    Case("ok_status", "200", expect("ok-status L4OK status 200")),
    Case("ok_conditional", "200", expect("ok-status L7OKC status 200")),
    Case("error_conditional", "404", expect("error-status L7OKC status 200")),
    Case("error_status", "404", expect("error-status L7RSP status 200")),
    Case("timeout_status", "hang-1", expect("tout-status L4TOUT status 200")),
    Case("disabled_404", "404", "http-check disable-on-404\n" + expect("status 200")),
    Case(
        "twice",
        "",
        "option httpchk\nhttp-check connect\nhttp-check send meth GET uri /twice1\n"
        + expect("status 200")
        + "\nhttp-check connect port {port} addr 127.0.0.1\nhttp-check send meth GET uri /twice2\n"
        + expect("string hello"),
    ),
    Case(
        "second_refused",
        "",
        "option httpchk\nhttp-check connect\nhttp-check send meth GET uri /first\n"
        + expect("status 200")
        + "\nhttp-check connect port {dead_port}\nhttp-check send meth GET uri /second",
    ),
    Case(
        "last_connect",
        "",
        "option httpchk\nhttp-check connect\nhttp-check send meth GET uri /only\n"
        + expect("status 200")
        + "\nhttp-check connect port {port}",
    ),
    Case("maintenance", "200", servers=("s {peer} check disabled", "t {peer} track s")),
)

MOVING: Final = (
    Case("falls", "seq-200x2-503x3-200x9", "option log-health-checks"),
    Case("falls_silently", "seq-200x2-503x3-200x9"),
    Case("undone", "seq-200x2-503x3-200x1-503x2-200x9", servers=("s {peer} check rise 3",)),
    Case("nolb", "seq-200x2-404x3-200x9", "http-check disable-on-404\noption log-health-checks"),
    Case("nolb_with_backup", "seq-200x2-404x3-200x9", "http-check disable-on-404", ("s {peer} check", "b {peer} backup")),
    Case(
        "nolb_then_down",
        "seq-200x2-404x3-503x3-404x3-200x9",
        "http-check disable-on-404",
        ("s {peer} check", "t {peer} track s"),
    ),
    Case("tracked", "seq-200x2-503x3-200x9", "", ("s {peer} check", "t {peer} track s", "u {peer} track t backup")),
    Case("tracker_elsewhere", servers=("s {peer} track falls/s",)),
    Case("weightless", "seq-200x2-503x3-200x9", "option log-health-checks", ("s {peer} check weight 0", "t {peer}")),
)

REQUESTS: Final = (
    Case("r_default", "", "option httpchk"),
    Case("r_uri", "", "option httpchk /r-uri"),
    Case("r_old", "", "option httpchk GET /r-old HTTP/1.1\\r\\nHost:\\ www\\r\\nX-Old:\\ 1\nhttp-check send-state"),
    Case("r_old_body", "", "option httpchk PUT /r-old-body HTTP/1.0\\r\\nX-Old:\\ 1\\r\\n\\r\\nthebody"),
    Case(
        "r_state",
        "",
        "option httpchk GET /r-state\nhttp-check send-state",
        ("s {peer} check weight 7", "t {peer} check weight 3"),
    ),
    Case("r_state_down", "seq-503x9", "http-check send-state"),
    Case(
        "r_send",
        "",
        'option httpchk\nhttp-check send meth POST uri /r-send ver HTTP/1.1 hdr Host www hdr X-A "b c" body "a=b c"',
    ),
    Case("r_merged", "", "option httpchk PUT /no HTTP/1.1\\r\\nHost:\\ old\nhttp-check connect\nhttp-check send uri /r-merged"),
    Case("r_merged_before", "", "http-check send uri /no hdr X-New 2 ver HTTP/1.1\noption httpchk PUT /r-before HTTP/1.0"),
    Case(
        "r_fields",
        "",
        "option httpchk GET /r-fields HTTP/1.1\\r\\nHost:\\ old\\r\\nX-Old:\\ 1\nhttp-check send hdr X-New 100%%",
    ),
    Case("r_method", "", "option httpchk FOO /r-method HTTP/1.1"),
    Case("r_absolute", "", "option httpchk GET http://foo.bar/r-absolute HTTP/1.1\nhttp-check send hdr Host www"),
    Case("r_keep", "", "option httpchk GET /r-keep HTTP/1.1\nhttp-check send hdr Connection keep-alive"),
    Case("r_keep_old", "", "option httpchk GET /r-keep-old\nhttp-check send hdr Connection keep-alive"),
    Case("r_star", "", "option httpchk OPTIONS * HTTP/1.1"),
    Case("r_twice", "", "option httpchk GET /no\noption httpchk /r-twice"),
)

OBSERVED: Final = (
    Case("o_fail", "200", "", ("s {peer} check inter 60s fall 3 observe layer7 error-limit 3",)),
    Case("o_sudden", "200", "", ("s {peer} check inter 60s fall 3 observe layer7 error-limit 3 on-error sudden-death",)),
    Case(
        "o_mark",
        "200",
        "option log-health-checks",
        ("s {peer} check inter 60s observe layer7 error-limit 2 on-error mark-down",),
    ),
    Case("o_fast", "200", "", ("s {peer} check inter 60s observe layer7 error-limit 3 on-error fastinter",)),
    Case(
        "o_connect",
        "200",
        "retries 0",
        ("s {dead} check port {port} inter 60s observe layer4 error-limit 2 on-error mark-down",),
    ),
    Case("o_layer4", "200", "", ("s {peer} check inter 60s observe layer4 error-limit 1 on-error mark-down",)),
)
# The paths that visitors ask for, one after the other.
VISITS: Final[dict[str, tuple[str, ...]]] = {
    "o_fail": ("503", "503", "404", "503", "503", "501", "503", "503", "503"),
    "o_sudden": ("503", "close", "garbage"),
    "o_mark": ("503", "503"),
    "o_fast": ("503", "503", "503"),
    "o_connect": ("200", "200"),
    "o_layer4": ("503", "close", "garbage"),
}

CUT: Final = (
    Case("cut_down", "flip-down-200-503", "", ("s {peer} check fall 1 on-marked-down shutdown-sessions",)),
    Case("cut_up", "flip-up-503-200", "", ("s {peer} check on-marked-up shutdown-backup-sessions", "b {peer} backup")),
)
SLOW: Final = Case("slow", "seq-200x2-503x2-200x9", "http-check send-state", ("s {peer} check slowstart 3s weight 10",))

# First checks come in the order of the file, those with long intervals late; so these stand in front.
CASES: Final = (*OBSERVED, SLOW, *CUT, *MOVING, *REQUESTS, *STEADY)
FRONTS: Final = (*OBSERVED, *CUT)


class Checked:
    """One program with its scripted server."""

    def __init__(self, running: Side, path: Path, peer: CheckPeer) -> None:
        self.side = running
        self.path = path
        self.peer = peer

    def say(self, text: str) -> str:
        """One line on the stats socket and its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(self.path))
            client.sendall(text.encode() + b"\n")
            said = b""
            while piece := client.recv(65536):
                said += piece
            return said.decode("latin-1")

    def rows(self, section: str) -> list[dict[str, str]]:
        """The columns of the section's objects."""
        header, *lines = self.say(f"show stat {section} -1 -1").splitlines()
        names = header.removeprefix("# ").split(",")
        found = [dict(zip(names, row, strict=True)) for row in csv.reader(line for line in lines if line)]
        return [{name: row[name].removeprefix("* ") for name in COLUMNS} for row in found if row["svname"] != "FRONTEND"]

    def lines(self, section: str) -> list[tuple[str, str]]:
        """What was told of the section, durations masked and its two kinds named alike."""
        subject = re.compile(rf"(?:server |proxy |backend ){section}(?:/| has)", re.IGNORECASE)
        told = [(priority, text) for priority, text in self.side.log.lines() if subject.search(text)]
        return [(priority, re.sub(r"\d+ms|(?<= )\d+(?= sessions active)", "N", text)) for priority, text in told]

    def wait_for_check(self, section: str, state: str) -> None:
        """Waits until the first server of the section shows that state of its check."""
        wait_until(
            lambda: self.rows(section)[0]["check_status"] == state,
            f"a check of {section} in {self.side.name}",
            tells=lambda: str(self.rows(section)),
        )

    def visit(self, section: str, path: str) -> bytes:
        """One request by a visitor; what came."""
        with socket.create_connection(("127.0.0.1", self.side.ports[section]), 10.0) as client:
            client.sendall(f"GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            got = b""
            try:
                while piece := client.recv(65536):
                    got += piece
            except ConnectionResetError:
                pass
            return got


Both = tuple[Checked, Checked]


def configuration(path: Path, peer: CheckPeer, dead_port: int, frozen: FrozenServer) -> str:
    """All cases in one file, with the ports of one program."""
    text = GLOBAL % {"socket": path}
    for case in CASES:
        section = case.text()
        if case in FRONTS:
            section = section.replace("backend ", "listen ", 1) + f"    bind 127.0.0.1:{{{case.name}}}\n    option httplog\n"
        text += (
            section.replace("{peer}", f"127.0.0.1:{peer.port}")
            .replace("{port}", str(peer.port))
            .replace("{dead}", f"127.0.0.1:{dead_port}")
            .replace("{dead_port}", str(dead_port))
            .replace("{frozen}", f"127.0.0.1:{frozen.port}")
        )
    return text + FRONT % {"port": peer.port}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The balancer and haproxy at work since the same moment."""
    if find_peer("haproxy") is None:
        require_peer("haproxy")
    folder = tmp_path_factory.mktemp("checks")
    sections = [*(case.name for case in FRONTS), "front"]
    with ExitStack() as stack:
        dead = stack.enter_context(socket.socket())
        dead.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        found: list[Checked] = []
        for name, program in (("balancer", ""), ("haproxy", require_peer("haproxy"))):
            peer, frozen = CheckPeer(), FrozenServer()
            stack.callback(peer.close)
            stack.callback(frozen.close)
            path = folder / f"{name}.sock"
            text = configuration(path, peer, dead.getsockname()[1], frozen)
            found.append(Checked(stack.enter_context(side(name, program, text, sections, folder)), path, peer))
        yield found[0], found[1]


def same(both: Both, read: Callable[[Checked], object], what: str) -> None:
    """Waits until both programs show the same; fails with what differs."""
    ours, theirs = both

    def told() -> str:
        return f"\nhaproxy: {read(theirs)}\nours:    {read(ours)}"

    wait_until(lambda: read(ours) == read(theirs), what, tells=told)


def rests(both: Both, section: str, marks: int) -> None:
    """Waits until haproxy has told as much of a section as its story has."""
    wait_until(lambda: len(both[1].lines(section)) >= marks, f"the end of {section}", tells=lambda: str(both[1].lines(section)))


@pytest.mark.parametrize("case", OBSERVED, ids=lambda case: case.name)
def test_what_visitors_meet_counts_as_haproxys(case: Case, both: Both) -> None:
    for checked in both:
        checked.wait_for_check(case.name, "L7OK")
        for path in VISITS[case.name]:
            checked.visit(case.name, path)
    same(both, lambda checked: checked.rows(case.name), f"equal columns of {case.name}")
    same(both, lambda checked: checked.lines(case.name), f"equal lines of {case.name}")


@pytest.mark.parametrize("case", STEADY, ids=lambda case: case.name)
def test_a_check_ends_as_haproxys(case: Case, both: Both) -> None:
    wait_until(lambda: all(has_been_checked(each, case) for each in both), f"a first check of {case.name}")
    same(both, lambda checked: checked.rows(case.name), f"equal columns of {case.name}")
    same(both, lambda checked: checked.lines(case.name), f"equal lines of {case.name}")


def has_been_checked(checked: Checked, case: Case) -> bool:
    """Whether each server of the case has had a result."""
    return all(row["check_status"] != "INI" for row in checked.rows(case.name))


# The last server that comes back tells that the story is over: how many lines there are until then.
STORIES: Final = {
    "falls": 8,
    "falls_silently": 3,
    "undone": 3,
    "nolb": 6,
    "nolb_with_backup": 2,
    "nolb_then_down": 7,
    "tracked": 7,
    "tracker_elsewhere": 3,
    "weightless": 7,
}


@pytest.mark.parametrize("case", MOVING, ids=lambda case: case.name)
def test_a_server_moves_as_haproxys(case: Case, both: Both) -> None:
    rests(both, case.name, STORIES[case.name])
    same(both, lambda checked: checked.lines(case.name), f"equal lines of {case.name}")
    same(both, lambda checked: checked.rows(case.name), f"equal columns of {case.name}")


def test_a_check_asks_what_haproxys_asks(both: Both) -> None:
    same(both, lambda checked: sorted(checks(checked)), "equal requests")
    asked = set(both[0].peer.asked)
    assert any(
        "x-haproxy-server-state: UP; address=127.0.0.1; port=PORT; name=r_state/s; node=here; weight=7/10" in head
        for head in asked
    )
    assert any("x-haproxy-server-state: DOWN; " in head for head in asked)


def checks(checked: Checked) -> set[str]:
    """What checks have asked; not what visitors did, nor the state of a server that changes with time."""
    return {head for head in set(checked.peer.asked) if "\r\nhost: a\r\n" not in head.lower() and "name=slow/s" not in head}


@pytest.mark.parametrize(("section", "path", "flags"), [("cut_down", "held-down", "DH"), ("cut_up", "held-up", "UH")])
def test_sessions_are_cut_as_haproxys(section: str, path: str, flags: str, both: Both) -> None:
    for checked in both:
        assert checked.visit(section, path).startswith(b"HTTP/1.1 502 ")
        checked.side.log.wait_for(f" 502 209 - - {flags}-- ")
    same(both, lambda checked: checked.lines(section), f"equal lines of {section}")


def test_a_server_comes_back_slowly(both: Both) -> None:
    ours, theirs = both
    rests(both, SLOW.name, 4)  # down, nobody left, up, up with its whole weight
    same(both, lambda checked: checked.lines(SLOW.name), "equal lines of slowstart")
    same(both, lambda checked: checked.rows(SLOW.name), "equal columns after slowstart")
    expected = {"1", "4", "7", "10"}  # at once, after one second, after two, in the end
    assert weights(ours) == expected
    assert weights(theirs) <= expected


def weights(checked: Checked) -> set[str]:
    """The shares that the checks have told the server that comes back."""
    return {found[1] for head in set(checked.peer.asked) if (found := re.search(r"name=slow/s;.* weight=(\d+)/", head))}
