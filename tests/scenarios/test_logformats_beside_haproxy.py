"""Log formats beside Debian's haproxy: one file with many formats, the same conversations, the same lines.

Times, ports and process numbers are masked (`logtalk.calmed`); all else is compared octet for octet. What differs on purpose
has a row in docs/differences.md and is asserted here by itself.
"""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest
from logtalk import CONVERSATIONS, FORMATS, SECTIONS, Conversation, calmed, lines_of, meets, template
from peers import require_peer
from running import free_port
from sides import ScriptedServer, Side, side

# HAProxy counts what it adds to a head in a line that is written early, and only there.
COUNTED_EARLY: Final = ("asap", "asap_http", "asap_normal")
# An attempt that failed has no address of ours here.
UNCONNECTED: Final = ("back", "down")
OURS: Final = """
global
 log 127.0.0.1:@log@ len 1024 local0
defaults
 mode http
 log global
 timeout client 5s
 timeout http-request 150ms
 timeout server 150ms
 timeout connect 150ms
frontend json
 bind 127.0.0.1:@json@
 option httplog json
 capture request header X-Forwarded-For len 64
 capture request header User-Agent len 200
 capture cookie SES len 16
 capture response header Content-Length len 9
 unique-id-format %HM-%[path]
 default_backend app
frontend odd_cookies
 bind 127.0.0.1:@odd_cookies@
 option httplog
 capture cookie SES len 30
 http-request set-var(txn.raw) req.hdr(x-raw),url_dec
 default_backend app
frontend odd_samples
 bind 127.0.0.1:@odd_samples@
 log-format "[%[var(txn.raw)]]"
 http-request set-var(txn.raw) req.hdr(x-raw),url_dec
 default_backend app
frontend keeps
 bind 127.0.0.1:@keeps@
 option httplog
 capture request header X-Forwarded-For len 64
 default_backend app
frontend plain
 bind 127.0.0.1:@plain@
 default_backend app
backend app
 server app1 127.0.0.1:@server@
"""
OUR_SECTIONS: Final = ["json", "odd_cookies", "odd_samples", "keeps", "plain"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text."""
    program = require_peer("haproxy")
    folder: Path = tmp_path_factory.mktemp("logs")
    server = ScriptedServer()
    text = template(server.port, free_port())
    try:
        with side("haproxy", program, text, SECTIONS, folder) as theirs, side("balancer", "", text, SECTIONS, folder) as ours:
            yield [theirs, ours]
    finally:
        server.close()


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """The balancer with words of its own."""
    server = ScriptedServer()
    text = OURS.replace("@server@", str(server.port)).replace("{", "{{").replace("}", "}}")
    try:
        with side("balancer", "", re.sub(r"@(\w+)@", r"{\1}", text), OUR_SECTIONS, tmp_path_factory.mktemp("ours")) as found:
            yield found
    finally:
        server.close()


def _early_octets(line: str) -> str:
    return re.sub(r" \+\d+ ", " +N ", line)


@pytest.mark.parametrize("section", [*FORMATS, "bare", "plain"])
def test_a_format_gives_the_lines_of_haproxy(both: list[Side], section: str) -> None:
    wrong: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for name, conversation in CONVERSATIONS.items():
            if not meets(section, name) or (section, name) == UNCONNECTED:
                continue
            found = pool.map(lambda each, said=conversation: lines_of(each, section, said), both)
            theirs, mine = ([calmed(section, line) for line in lines] for lines in found)
            if section in COUNTED_EARLY:
                theirs, mine = [_early_octets(line) for line in theirs], [_early_octets(line) for line in mine]
            if theirs != mine:
                wrong.append(f"{name}:\n  {theirs}\n  {mine}")
    assert not wrong, "\n".join(wrong)


def test_a_line_of_an_attempt_that_failed_names_no_address_of_ours(both: list[Side]) -> None:
    assert lines_of(both[1], "back", CONVERSATIONS["down"]) == ["<134>si=127.0.0.1 bi=- end=SC"]


def test_the_servers_get_the_identity_that_the_line_has(both: list[Side]) -> None:
    for each in both:
        (line,) = lines_of(each, "identified", CONVERSATIONS["visitor"])
        assert line.startswith('<134>-7F000001:7F000001-GET-/-an-identity-end "')


@pytest.mark.parametrize("name", ["nothing", "nothing_late"])
def test_a_probe_is_not_answered_where_probes_are_ignored(both: list[Side], name: str) -> None:
    for each in both:
        for section, start in (("probes", b""), ("null", b"HTTP/1.1 4")):
            with socket.create_connection(("127.0.0.1", each.ports[section]), 5.0) as client:
                if name == "nothing":
                    client.shutdown(socket.SHUT_WR)
                answer = client.recv(100)
                assert answer.startswith(start)
                assert bool(answer) == bool(start)


def test_a_captured_cookie_cannot_forge_a_field(ours: Side) -> None:
    cookie = b'GET / HTTP/1.1\r\nHost: h\r\nCookie: SES=a"{|}#\x80\\\r\nConnection: close\r\n\r\n'
    (line,) = lines_of(ours, "odd_cookies", Conversation(cookie))
    assert " SES=a#22#7B#7C#7D#23#80\\ - ---- " in line


def test_a_control_in_a_sample_cannot_end_a_line(ours: Side) -> None:
    raw = b"GET / HTTP/1.1\r\nHost: h\r\nX-Raw: a%0d%0a<1>b%00%1b[2J%7f%c3%a9\r\nConnection: close\r\n\r\n"
    assert lines_of(ours, "odd_samples", Conversation(raw)) == ["<134>[a#0D#0A<1>b#00#1B[2J#7F\u00e9]"]


@pytest.mark.parametrize("name", [name for name in CONVERSATIONS if name not in ("silent", "nothing_reset", "short_body")])
def test_each_conversation_gives_one_json_object_a_request(ours: Side, name: str) -> None:
    lines = lines_of(ours, "json", CONVERSATIONS[name])
    objects = [json.loads(line.removeprefix("<134>")) for line in lines]
    assert len(objects) == {"two": 2, "sourced": 3}.get(name, 1)
    for found in objects:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", found["time"])
        assert found["frontend"] == "json"
        assert isinstance(found["status"], int)


def test_a_json_line_has_the_values_by_name(ours: Side) -> None:
    (line,) = lines_of(ours, "json", CONVERSATIONS["query"])
    found = json.loads(line.removeprefix("<134>"))
    assert (found["method"], found["target"], found["version"]) == ("GET", "/a/b?c=d&e=f?g", "HTTP/1.1")
    assert (found["backend"], found["server"], found["status"], found["bytes"]) == ("app", "app1", 200, 54)
    assert found["request_captures"] == {
        "x-forwarded-for": "203.0.113.8, 10.0.0.1",
        "user-agent": 'Mozilla/5.0 ("odd"; {b|c} #1) \\ ]',
    }
    assert found["response_captures"] == {"content-length": "5"}
    assert (found["request_cookie"], found["response_cookie"]) == ("SESSION=abc-x", None)
    assert (found["unique_id"], found["state"]) == ("GET-/a/b", "----")


def test_a_json_line_is_whole_however_long_the_target_is(ours: Side) -> None:
    (line,) = lines_of(
        ours, "json", Conversation(b"GET /" + b'"' * 3000 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    )
    found = json.loads(line.removeprefix("<134>"))
    assert found["cut"] is True
    assert found["target"].startswith('/"""')


def test_halog_reads_lines_with_captures(ours: Side, tmp_path: Path) -> None:
    program = require_peer("halog")
    before = len(ours.log.datagrams)
    for name in ("plain", "visitor", "missing", "missing", "odd", "stall", "late"):
        lines_of(ours, "keeps", CONVERSATIONS[name])
    log = tmp_path / "log"
    # As rsyslog writes them: without the priority, with the name of the host.
    lines = [re.sub(r"<\d+>(.{15}) ", r"\1 host ", line) for line in ours.log.datagrams[before:] if " keeps " in line]
    log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def counted(*flags: str) -> list[str]:
        words = [program, *flags]
        output = subprocess.run(words, input=log.read_text(), capture_output=True, text=True, check=True, timeout=20).stdout
        return [line for line in output.splitlines() if not line.startswith("#")]

    assert sorted(line.split() for line in counted("-st")) == [["200", "4"], ["404", "2"], ["408", "1"]]
    assert {line.split()[0]: line.split()[1] for line in counted("-tc")} == {"--": "5", "cR": "1", "sD": "1"}
    servers = [line.split() for line in counted("-srv")]
    assert [(words[0], words[8]) for words in servers] == [("app/app1", "6"), ("keeps/<NOSRV>", "0")]
    visitors = [line.split("\t")[-1] if "\t" in line else line for line in counted("-hdr", "1:1")]
    assert any("203.0.113.8, 10.0.0.1" in line for line in visitors)
