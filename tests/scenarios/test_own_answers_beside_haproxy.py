"""What the log says of answers that no server gave, or nobody waited for, beside Debian's haproxy on the same text.

Each row is a conversation that both programs hold; status, end, cookies, body and every field of the log but the values of the
timers must be the same. What differs on purpose has a test of its own, and a row in docs/differences.md.
"""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from running import wait_until
from sides import ScriptedServer, Seen, Side, parse_line, side

HEAD: Final = """
global
 log 127.0.0.1:{{log}} local0
defaults
 log global
 mode http
 option httplog
 timeout connect 2s
 timeout client 3s
 timeout server 400ms
 timeout tarpit 200ms
"""
TWO: Final = " server app1 127.0.0.1:{alive} cookie up\n server app2 127.0.0.1:{alive} cookie up2\n"
SECTIONS: Final[dict[str, str]] = {
    "tarpit": "http-request tarpit if {{{{ path /tarpit }}}}\n server app1 127.0.0.1:{alive}",
    "plain": "server app1 127.0.0.1:{alive}",
    "counted": 'log-format "%U %B"\n server app1 127.0.0.1:{alive}',
    "nobody": "",
    "refusing": "retries 0\n server app1 127.0.0.1:{dead}",
    "own_page": "errorfile 503 {page}\n retries 0\n server app1 127.0.0.1:{dead}",
    "denies": "".join(
        f"http-request deny deny_status {status} if {{{{{{{{ path /{status} }}}}}}}}\n " for status in (400, 403, 408, 501)
    )
    + "http-request return status 400 content-type text/plain string hi if {{{{ path /returned }}}}\n"
    " http-request return status 400 default-errorfiles if {{{{ path /default }}}}",
    "ignores": "cookie S insert\n ignore-persist if {{{{ path_beg /cookies }}}}\n" + TWO.splitlines()[0],
    "ignores_rewriting": "cookie S rewrite\n ignore-persist if {{{{ path_beg /cookies }}}}\n" + TWO.splitlines()[0],
    "ignores_preserving": "cookie S insert preserve\n ignore-persist if {{{{ path_beg /cookies }}}}\n" + TWO.splitlines()[0],
    "chooses": "cookie S insert\n balance static-rr\n use-server down if {{{{ path /down }}}}\n"
    " use-server app2 if {{{{ path /second }}}} or {{{{ path /down }}}}\n"
    " use-server down if {{{{ path /forced }}}}\n force-persist if {{{{ path /forced }}}}\n retries 0\n"
    + TWO
    + " server down 127.0.0.1:{dead} cookie gone disabled",
    "redirects": "http-request redirect location /x code 303 if {{{{ path /request }}}}\n"
    " http-response redirect location /x code 302 if {{{{ status 204 }}}}\n"
    " redirect location /x if {{{{ path /late }}}}\n server app1 127.0.0.1:{alive}",
    "denies_answers": "http-response deny if {{{{ status 302 }}}}\n"
    " http-response return status 410 content-type text/plain string hi if {{{{ status 304 }}}}\n"
    " server app1 127.0.0.1:{alive}",
    "leaving": "option abortonclose\n server app1 127.0.0.1:{alive}",
    "leaving_a_pause": "option abortonclose\n retries 3\n server app1 127.0.0.1:{dead}",
}


def ask(path: str, *lines: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A request."""
    return "\r\n".join([f"{method} /{path} HTTP/1.1", "Host: a", *lines, "", ""]).encode() + body


def post(path: str) -> bytes:
    """A form of three octets."""
    return ask(path, "Content-Length: 3", method="POST", body=b"abc")


CHUNKED: Final = "Transfer-Encoding: chunked"
CASES: Final[tuple[tuple[str, str, bytes, str], ...]] = (
    ("tarpit", "tarpit", ask("tarpit"), ""),
    ("tarpit, HEAD", "tarpit", ask("tarpit", method="HEAD"), ""),
    ("tarpit, with a form", "tarpit", post("tarpit"), ""),
    ("tarpit, with half a form", "tarpit", ask("tarpit", "Content-Length: 9", method="POST", body=b"abc"), ""),
    ("tarpit, half-closed later", "tarpit", ask("tarpit"), "later"),
    *((f"{section}, HEAD", section, ask("", method="HEAD"), "") for section in ("nobody", "refusing", "own_page")),
    *((f"{path}, HEAD", "plain", ask(path, method="HEAD"), "") for path in ("close", "garbage", "hang")),
    *(
        (f"denies {path}, {method}", "denies", post(path) if method == "POST" else ask(path, method=method), "")
        for path in ("400", "403", "408", "501", "returned", "default")
        for method in ("GET", "HEAD", "POST")
    ),
    *(
        (f"{section}, cookie {cookie!r}, server's own {own!r}", section, ask("cookies", *lines), "")
        for section in ("ignores", "ignores_rewriting", "ignores_preserving")
        for cookie in ("", "S=up", "S=nobody", "S=", "T=up")
        for own in ("", "S=own")
        for lines in [[*([f"Cookie: {cookie}"] if cookie else []), *([f"X-Set: {own}"] if own else [])]]
    ),
    *(
        (f"use-server {path}, cookie {cookie!r}", "chooses", ask(path, *([f"Cookie: {cookie}"] if cookie else [])), "")
        for path in ("second", "down", "forced")
        for cookie in ("", "S=up", "S=up2", "S=nobody", "S=gone")
    ),
    *(
        (f"redirect {path}, {what}", "redirects", octets, "")
        for path in ("request", "late", "empty")
        for what, octets in (
            ("GET", ask(path)),
            ("HEAD", ask(path, method="HEAD")),
            ("empty POST", ask(path, "Content-Length: 0", method="POST")),
            ("POST", post(path)),
            ("POST in chunks", ask(path, CHUNKED, method="POST", body=b"3\r\nabc\r\n0\r\n\r\n")),
        )
    ),
    ("leaves a server", "leaving", ask("slow"), "later"),
    ("asks and leaves", "leaving", ask("slow"), "fin"),
    ("a rule denies an answer", "denies_answers", ask("redirect"), ""),
    ("a rule gives another answer", "denies_answers", ask("unchanged"), ""),
)


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text."""
    program = require_peer("haproxy")
    folder: Path = tmp_path_factory.mktemp("own")
    page = folder / "503.http"
    page.write_bytes(b"HTTP/1.1 503 Gone fishing\r\nContent-Length: 4\r\nX-Page: whole\r\n\r\nfish")
    server, dead = ScriptedServer(), ScriptedServer()
    dead.close()
    listens = "".join(f"listen {name}\n bind 127.0.0.1:{{{{{name}}}}}\n {words}\n" for name, words in SECTIONS.items())
    template = (HEAD + listens).format(alive=server.port, dead=dead.port, page=page)
    names = list(SECTIONS)
    with side("balancer", "", template, names, folder) as ours, side("haproxy", program, template, names, folder) as theirs:
        yield [ours, theirs]
    server.close()


def told(seen: Seen) -> tuple[object, ...]:
    """All that must be the same of a conversation."""
    line = seen.line
    assert line is not None
    reached = "".join("-" if timer < 0 else "+" for timer in line.timers)
    fields = (line.backend, line.server, reached, line.status, line.octets, line.flags, line.retries, line.queues, line.request)
    return (seen.status, seen.end, seen.cookies, seen.body, *fields)


@pytest.mark.parametrize(("section", "octets", "end"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_client_and_the_log_are_told_the_same(sides: list[Side], section: str, octets: bytes, end: str) -> None:
    ours, theirs = (told(one.talk(section, octets, end)) for one in sides)
    assert ours == theirs


def test_who_waits_in_the_tarpit_waits_for_its_turn(sides: list[Side]) -> None:
    for one in sides:
        line = one.talk("tarpit", ask("tarpit")).line
        assert line is not None
        assert line.timers[:4] == (-1, line.timers[1], -1, -1), one.name
        assert 200 <= line.timers[4] <= line.timers[1] <= line.timers[4] + 2, one.name


def test_who_leaves_before_there_is_a_server_is_told_nothing(sides: list[Side]) -> None:
    ours, theirs = (one.talk("leaving_a_pause", ask(""), "later") for one in sides)
    assert told(ours)[4:] == told(theirs)[4:]
    assert (ours.status, ours.end, theirs.status, theirs.end) == (0, "reset", 0, "closed")


@pytest.mark.parametrize("first", ["", "chunked", "trailers", "unchanged"])
@pytest.mark.parametrize("second", ["", "chunked"])
def test_of_two_requests_at_once_each_is_counted_for_itself(sides: list[Side], first: str, second: str) -> None:
    last = ask(second, CHUNKED, "Connection: close", method="POST", body=b"5\r\nhello\r\n3\r\nyou\r\n0\r\n\r\n")
    seen = []
    for one in sides:
        before = len(one.log.lines())
        raw = exchanged(one, "plain", ask(first) + last)
        wait_until(lambda: len(one.log.lines()) >= before + 2, f"two lines of {one.name}")  # noqa: B023
        lines = [parse_line(text) for _, text in one.log.lines()[before:]]
        seen.append((raw.count(b"HTTP/1.1 "), [(line.request, line.status, line.octets) for line in lines if line]))
    assert seen[0] == seen[1]
    assert seen[0][0] == len(seen[0][1]) == 2


def exchanged(one: Side, section: str, octets: bytes) -> bytes:
    """All that comes on a connection until the program closes it."""
    with socket.create_connection(("127.0.0.1", one.ports[section]), 5.0) as client:
        client.sendall(octets)
        raw = b""
        while piece := client.recv(65536):
            raw += piece
    return raw


@pytest.mark.parametrize(
    "octets",
    [
        ask("trailers", "Connection: close"),
        ask("", CHUNKED, "Connection: close", method="POST", body=b"3\r\nabc\r\n0\r\nX-Sum: 1\r\nY:z\r\n\r\n"),
    ],
    ids=["of an answer", "of a request"],
)
def test_trailers_count_by_their_names_and_values(sides: list[Side], octets: bytes) -> None:
    seen = []
    for one in sides:
        before = len(one.log.lines())
        exchanged(one, "counted", octets)
        wait_until(lambda: len(one.log.lines()) > before, f"a line of {one.name}")  # noqa: B023
        seen.append(one.log.lines()[before])
    assert seen[0] == seen[1]
