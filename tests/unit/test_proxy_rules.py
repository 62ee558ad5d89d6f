"""Rules at work without a socket: what they make of a request, and that what they put together is never smuggled."""

import re
from pathlib import Path

import pytest
from fakes import Talk, World

from balancer.config.loader import load
from balancer.config.samplewords import CONVERTERS as CONVERTER_ROWS
from balancer.config.samplewords import FETCHES as FETCH_ROWS
from balancer.proxy.converters import CONVERTERS
from balancer.proxy.fetches import FETCHES

FILE = """defaults
 mode http
 timeout client 1s
 timeout server 1s
 timeout connect 1s
listen w
 bind 127.0.0.1:1
 server s1 127.0.0.1:2
 {rules}
"""


def asked(folder: Path, rules: str, raw: bytes) -> Talk:
    """One request to a listen section with these rules."""
    path = folder / "rules.cfg"
    path.write_text(FILE.format(rules=rules), encoding="utf-8")
    outcome = load([str(path)])
    assert outcome.model is not None, outcome.findings
    world = World(outcome.model.backends[0], name="w", is_listen=True, rules=outcome.model.frontends[0].rules)
    return world.request(raw)


def get(target: str, fields: str = "") -> bytes:
    """A request."""
    return f"GET {target} HTTP/1.1\r\nhost: h\r\n{fields}\r\n".encode("latin-1")


def test_every_fetch_and_converter_of_the_tables_runs() -> None:
    assert set(FETCHES) == set(FETCH_ROWS)
    assert set(CONVERTERS) == set(CONVERTER_ROWS)


def test_a_denied_request_reaches_no_server(tmp_path: Path) -> None:
    talk = asked(tmp_path, "http-request deny if { path /x }", get("/x"))
    assert talk.client.got.startswith(b"HTTP/1.1 403 ")
    assert talk.exchange.channel is None


@pytest.mark.parametrize("hex_octets", ["%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%00", "%0d", "%7f"])
@pytest.mark.parametrize(
    "rule",
    [
        "http-request set-header X-A %[query,url_dec]",
        "http-request add-header X-A %[query,url_dec]",
        "http-request replace-header Host .* %[query,url_dec]",
        "http-request set-path /%[query,url_dec]",
        "http-request set-uri /%[query,url_dec]",
        "http-request set-query %[query,url_dec]",
        "http-request set-method %[query,url_dec]",
        "http-request redirect location /%[query,url_dec]",
        "http-request return status 200 hdr X-A %[query,url_dec]",
    ],
)
def test_a_line_end_out_of_a_sample_is_never_sent(tmp_path: Path, rule: str, hex_octets: str) -> None:
    talk = asked(tmp_path, rule, get("/?" + hex_octets))
    for head in (talk.client.got.partition(b"\r\n\r\n")[0], talk.exchange.head.data.removesuffix(b"\r\n\r\n")):
        lines = head.split(b"\r\n")
        assert not [line for line in lines if re.search(rb"[\x00-\x1f\x7f]", line)]
        assert not [line for line in lines if line.lower().startswith(b"x-evil")]


@pytest.mark.parametrize("words", ["set-path /%[query,url_dec]", "set-method %[query,url_dec]", "set-query %[query,url_dec]"])
def test_a_start_line_of_more_than_three_words_is_never_sent(tmp_path: Path, words: str) -> None:
    talk = asked(tmp_path, f"http-request {words}", get("/?a%0d%0aX-Evil:%201"))
    assert talk.client.got.startswith(b"HTTP/1.1 500 ")
    assert talk.exchange.channel is None


def test_a_blank_in_a_target_is_no_second_word(tmp_path: Path) -> None:
    talk = asked(tmp_path, "http-request set-path /%[query,url_dec]", get("/?a%20b%20HTTP/1.1"))
    assert talk.client.got.startswith(b"HTTP/1.1 500 ")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("field", ["", "Content-Length: 0\r\n"])
@pytest.mark.parametrize("rule", ["http-response set-status 200", "http-after-response set-status 503"])
def test_a_connection_that_has_switched_stays_a_tunnel_whatever_a_rule_says(
    tmp_path: Path, rule: str, field: str, method: str
) -> None:
    talk = asked(tmp_path, rule, f"{method} / HTTP/1.1\r\nhost: h\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".encode())
    channel = talk.world.connects()
    talk.answers(f"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n{field}\r\n".encode())
    assert talk.client.got.startswith(b"HTTP/1.1 101 S\r\n")
    talk.exchange.tunnel_from_client(b"octets of another protocol")
    assert channel.got.endswith(b"octets of another protocol")


def test_a_deletion_by_pattern_leaves_the_framing_alone(tmp_path: Path) -> None:
    raw = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ncookie: a\r\n\r\n"
    talk = asked(tmp_path, "http-request del-header co -m beg", raw)
    assert talk.exchange.head.content_length == 3
    assert b"cookie" not in talk.exchange.head.data


def test_the_rules_of_a_listen_section_run_once(tmp_path: Path) -> None:
    talk = asked(tmp_path, "http-request set-path /a%[path]", get("/b"))
    assert talk.exchange.head.target == b"/a/b"
