"""Rules at work without a socket: what they make of a request, and that what they put together is never smuggled."""

import re
from pathlib import Path

import pytest
from fakes import Talk, World

from balancer.config.loader import load
from balancer.config.samplewords import CONVERTERS as CONVERTER_ROWS
from balancer.config.samplewords import FETCHES as FETCH_ROWS
from balancer.observe.logtext import Words
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
    world.services.speaker = Words()
    return world.request(raw)


def get(target: str, fields: str = "") -> bytes:
    """A request."""
    return f"GET {target} HTTP/1.1\r\nhost: h\r\n{fields}\r\n".encode("latin-1")


def test_every_fetch_and_converter_of_the_tables_runs() -> None:
    assert set(FETCHES) == set(FETCH_ROWS)
    assert set(CONVERTERS) == set(CONVERTER_ROWS)


def test_a_variable_of_the_log_in_a_text_says_what_the_log_would_say(tmp_path: Path) -> None:
    talk = asked(tmp_path, 'http-request set-header X-A "%HM %{+Q}b %s %ST %{+E}[hdr(x-b)] %CC%%"', get("/a", 'x-b: "]\r\n'))
    head = talk.world.connects().got
    assert b'x-a: GET "w" <NOSRV> -1 \\"\\] %\r\n' in head


@pytest.mark.parametrize("text", ["%zz", "%{+Q", "%", "%[path", "%{+Q}"])
def test_a_text_with_a_variable_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.cfg"
    path.write_text(FILE.format(rules=f'http-request set-header X-A "{text}"'), encoding="utf-8")
    assert load([str(path)]).model is None


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


# --- a changed method ------------------------------------------------------------------------------------------------

LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"
CHUNKS = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
TO_THE_END = b"HTTP/1.1 200 OK\r\n\r\nbody"


@pytest.mark.parametrize("step", [0, 1, 50])
@pytest.mark.parametrize("octets", [LENGTH, CHUNKS, TO_THE_END])
def test_a_client_that_asked_for_a_head_gets_no_body_whatever_a_rule_made_of(tmp_path: Path, octets: bytes, step: int) -> None:
    talk = asked(tmp_path, "http-request set-method GET if METH_HEAD", get("/").replace(b"GET", b"HEAD"))
    server = talk.world.connects()
    assert server.got.startswith(b"GET / ")
    size = step or len(octets)
    talk.answers(*[octets[i : i + size] for i in range(0, len(octets), size)])
    if octets is TO_THE_END:
        talk.exchange.server_ended(True, talk.world.services.time_s)
    assert talk.client.got.endswith(b"\r\n\r\n") and b"body" not in talk.client.got
    assert talk.client.got.count(b"\r\n\r\n") == 1 and talk.client.end == "keep"
    assert server.end_mark == ("close" if octets is TO_THE_END else "keep")


def test_a_page_of_ours_has_no_body_for_a_client_that_asked_for_a_head(tmp_path: Path) -> None:
    talk = asked(tmp_path, "http-request set-method GET if METH_HEAD", get("/").replace(b"GET", b"HEAD"))
    talk.world.connects()
    talk.answers(b"nonsense\r\n\r\n")
    assert talk.client.got.startswith(b"HTTP/1.1 502 ") and talk.client.got.endswith(b"\r\n\r\n")


def test_a_client_whose_get_became_a_head_does_not_take_the_next_answer_for_its_body(tmp_path: Path) -> None:
    talk = asked(tmp_path, "http-request set-method HEAD", get("/"))
    server = talk.world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n")
    assert b"connection: close" in talk.client.got and talk.client.end == "close"
    assert server.end_mark == "keep"


def test_no_rule_puts_a_status_without_a_body_before_a_body_of_ours(tmp_path: Path) -> None:
    rules = "http-request deny\n http-after-response set-status 204"
    talk = asked(tmp_path, rules, get("/"))
    assert talk.client.got.startswith(b"HTTP/1.1 403 ") and b"\r\ncontent-length: 93\r\n" in talk.client.got


@pytest.mark.parametrize("words", ["http-request return status 304", "http-request deny deny_status 204"])
def test_a_status_without_a_body_takes_none_in_a_rule(tmp_path: Path, words: str) -> None:
    path = tmp_path / "rules.cfg"
    path.write_text(FILE.format(rules=words + " content-type text/plain string abc"), encoding="utf-8")
    outcome = load([str(path)])
    assert outcome.model is None and "no body expected" in str(outcome.findings)


@pytest.mark.parametrize(
    ("target", "sent"),
    [("http://b?x", b"GET /?x "), ("http://b/p?x", b"GET /p?x "), ("http://b", b"GET / ")],
)
def test_an_absolute_target_that_no_rule_touches_goes_on_as_without_rules(tmp_path: Path, target: str, sent: bytes) -> None:
    talk = asked(tmp_path, "http-request set-header x-a b", get(target))
    assert talk.world.connects().got.startswith(sent + b"HTTP/1.1\r\nhost: b\r\n")
