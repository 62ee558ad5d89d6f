"""Words of HTTP that a file may say: dynamic cookies, error groups and answers in a line, kept connections, bodies."""

from pathlib import Path

import pytest
from config_files import DEFAULTS, load_text, told

from balancer import model
from balancer.config.findings import ALERT, WARNING
from balancer.config.xxh64 import xxh64


def model_of(directory: Path, text: str) -> model.Model:
    outcome = load_text(directory, text)
    assert outcome.model is not None, told(outcome)
    return outcome.model


def alerts(directory: Path, text: str) -> list[str]:
    return [entry.split(": ", 1)[1] for entry in told(load_text(directory, text), ALERT)]


# --- cookies -----------------------------------------------------------------------------------------------------------

# Of the specification's own program, and of Debian's haproxy (the long key of the scenario).
VECTORS = [
    (b"", 0xEF46DB3751D8E999),
    (b"a", 0xD24EC4F1A98C6E5B),
    (b"abc", 0x44BC2CF5AD770999),
    (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
]


@pytest.mark.parametrize(("octets", "expected"), VECTORS)
def test_the_hash_is_xxh64(octets: bytes, expected: int) -> None:
    assert xxh64(octets) == expected


def test_a_dynamic_value_is_made_of_key_address_and_port(tmp_path: Path) -> None:
    text = DEFAULTS + (
        "backend b\n cookie X insert dynamic\n dynamic-cookie-key key\n server s 127.0.0.1:80\n"
        " server t 127.0.0.1:80 cookie t\n server u [::1]:80\n"
    )
    values = [server.cookie for server in model_of(tmp_path, text).backends[0].servers]
    assert values[0] == b"%016x" % xxh64(b"key\x7f\x00\x00\x01\x00\x00\x00P")
    assert values[1] == b"t"
    assert values[2] == b"%016x" % xxh64(b"key" + bytes(15) + b"\x01\x00\x00\x00P")


@pytest.mark.parametrize("line", ["cookie X insert dynamic", "cookie X insert\n dynamic-cookie-key key"])
def test_no_value_is_made_without_both_words(tmp_path: Path, line: str) -> None:
    backend = model_of(tmp_path, DEFAULTS + f"backend b\n {line}\n server s 127.0.0.1:80\n").backends[0]
    assert backend.servers[0].cookie is None


def test_the_modes_and_limits_of_cookie(tmp_path: Path) -> None:
    rules = []
    for words in ("rewrite", "prefix maxidle 90", "", "insert maxidle 1500ms maxlife 2h", "insert maxidle 2147483647s"):
        rule = model_of(tmp_path, DEFAULTS + f"backend b\n cookie X {words}\n").backends[0].cookie
        assert rule is not None
        rules.append((rule.mode, rule.maxidle_s, rule.maxlife_s))
    assert rules == [("rewrite", 0, 0), ("prefix", 90, 0), ("", 0, 0), ("insert", 1, 7200), ("insert", 2147483647, 0)]


# --- answers of ours ---------------------------------------------------------------------------------------------------

PAGE = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"


def pages(tmp_path: Path, lines: str, groups: str = "") -> dict[int, bytes]:
    (tmp_path / "a").write_text(PAGE.replace("No", "A"))
    (tmp_path / "b").write_text(PAGE.replace("No", "B"))
    text = f"{DEFAULTS} errorfile 502 {tmp_path}/a\nbackend b\n{lines}{groups}".format(d=tmp_path)
    return model_of(tmp_path, text).backends[0].errorfiles


def reason(octets: bytes) -> bytes:
    return octets.split(b"\r\n")[0].split(b" ", 2)[2]


GROUPS = "http-errors one\n errorfile 503 {d}/a\n errorfile 500 {d}/a\nhttp-errors two\n errorfile 503 {d}/b\n"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("", {502: b"A"}),
        (" errorfiles one\n", {500: b"A", 502: b"A", 503: b"A"}),
        (" errorfiles one 500\n", {500: b"A", 502: b"A"}),
        (" errorfiles one\n errorfiles two\n", {500: b"A", 502: b"A", 503: b"B"}),
        (" errorfiles two\n errorfile 503 {d}/a\n", {502: b"A", 503: b"A"}),
        (" http-error status 503 errorfiles two\n", {502: b"A", 503: b"B"}),
        (" http-error status 500 errorfiles two\n", {502: b"A"}),
        (" http-error status 502 default-errorfiles\n", {}),
        (" http-error status 502 errorfile {d}/b\n", {502: b"B"}),
        (" http-error status 404\n", {404: b"Not Found", 502: b"A"}),
    ],
)
def test_the_last_word_about_a_status_counts(tmp_path: Path, lines: str, expected: dict[int, bytes]) -> None:
    found = pages(tmp_path, lines, GROUPS)
    assert {status: reason(octets) for status, octets in found.items()} == expected


def test_an_answer_that_stands_in_its_line(tmp_path: Path) -> None:
    found = pages(tmp_path, ' http-error status 503 content-type text/plain lf-string "100%% out" hdr X-A "b c" hdr d 1%%\n')
    expected = b"HTTP/1.1 503 Service Unavailable\r\nx-a: b c\r\nd: 1%\r\ncontent-length: 8\r\ncontent-type: text/plain\r\n\r\n"
    assert found[503] == expected + b"100% out"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("errorfiles", "'errorfiles' expects the name of an http-errors section (got nothing)"),
        ("errorfiles x 999", "'errorfiles' : status code '999' not handled"),
        ("errorfiles nope", "proxy 'b': unknown http-errors section 'nope'."),
        ("http-error status 503 errorfiles nope", "proxy 'b': unknown http-errors section 'nope'."),
        ("http-error", "'http-error' expects at least a <status> as arguments."),
        ("http-error status", "'status' expects 1 arguments (got '')"),
        ("http-error status 777", "status code '777' not handled"),
        ("http-error content-type a/b", "expects 'status' with a status code (got none)"),
        ("http-error status 503 string x", "a content type must be defined when non-empty payload is configured"),
        ("http-error status 503 content-type a/b lf-string %[src]", "'lf-string' with variables is known to HAProxy"),
        ("http-error status 503 hdr x %[src]", "'hdr' with variables is known to HAProxy"),
        ("http-error status 503 hdr x", "'hdr' expects 2 arguments (got 'x')"),
        ("http-error status 503 hdr content-length 3", "'hdr' expects the name of a field that does not frame the answer"),
        ('http-error status 503 hdr x "a\\x0db"', "'hdr' expects printable ASCII"),
        ("http-error status 503 file /nonexistent", "cannot read file '/nonexistent' (No such file or directory)"),
        ("http-error status 503 content-type a/b string x string y", "one source of its body at most (got 'string')"),
    ],
)
def test_what_is_wrong_with_an_answer_is_said(tmp_path: Path, line: str, text: str) -> None:
    (found,) = alerts(tmp_path, DEFAULTS + f"backend b\n {line}\n")
    assert text in found


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ("http-errors\n", "missing name for http-errors section."),
        ("http-errors a b\n", "'http-errors' cannot handle unexpected argument 'b'"),
        ("http-errors a\nhttp-errors a\n", "http-errors section 'a' already defined at "),
        ("http-errors a\n retries 3\n", "unknown keyword 'retries' in 'http-errors' section, expects 'errorfile'"),
        ("http-errors a\n errorfile 503\n", "'errorfile' expects <status_code> and <file> as arguments"),
    ],
)
def test_what_is_wrong_with_a_group_is_said(tmp_path: Path, section: str, text: str) -> None:
    (found,) = alerts(tmp_path, section + DEFAULTS)
    assert text in found


def test_a_content_type_of_nothing_is_remarked_on(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, DEFAULTS + "backend b\n http-error status 503 content-type a/b\n")
    assert ["content-type 'a/b' has no effect" in entry for entry in told(outcome, WARNING)] == [True]


# --- connections and bodies --------------------------------------------------------------------------------------------


def test_words_of_kept_connections(tmp_path: Path) -> None:
    text = DEFAULTS + (
        "backend b\n option prefer-last-server\n max-keep-alive-queue 3\n option http-buffer-request\n"
        " server s 127.0.0.1:1 pool-max-conn 5 pool-purge-delay 30s max-reuse 7\n server t 127.0.0.1:1\n"
        "frontend f\n bind :1\n option contstats\n option http-buffer-request\n no option http-buffer-request\n"
    )
    loaded = model_of(tmp_path, text)
    backend, frontend = loaded.backends[0], loaded.frontends[0]
    assert (backend.prefers_last_server, backend.keep_alive_queue_max, backend.buffers_requests) == (True, 3, True)
    assert [(each.pool_size_max, each.pool_purge_delay_s, each.reuse_max) for each in backend.servers] == [
        (5, 30.0, 7),
        (-1, -1.0, -1),
    ]
    assert (frontend.contstats, frontend.buffers_requests) == (True, False)


def test_words_of_the_process(tmp_path: Path) -> None:
    text = "global\n spread-checks 5\n max-spread-checks 3s\n node a.b-c_1\n" + DEFAULTS
    process = model_of(tmp_path, text).process
    assert (process.spread_checks_percent, process.max_spread_checks_s, process.node) == (5, 3.0, "a.b-c_1")
    wrong = [alerts(tmp_path, f"global\n {line}\n")[0] for line in ("spread-checks 51", "node a/b", "max-spread-checks x")]
    assert "'spread-checks' expects a whole number between 0 and 50 (got '51')" in wrong[0]
    assert "'node' expects a name of letters, digits, '.', '-' and '_' (got 'a/b')" in wrong[1]
