"""`option httpchk` and `http-check`: which steps the lines of a section make, and why others are refused."""

from pathlib import Path
from typing import Final

import pytest
from config_files import load_text, told

from balancer.config.loader import Outcome
from balancer.model import CheckConnect, CheckExpect, CheckSend, CheckStep

HEAD: Final = "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
FRONT: Final = "frontend f\n bind 127.0.0.1:18080\n default_backend b\n"
SERVER: Final = " server s 127.0.0.1:1 check\n"

GOOD: Final = CheckExpect()
CONNECT: Final = CheckConnect()


def outcome_of(directory: Path, *lines: str, defaults: str = "", servers: str = SERVER) -> Outcome:
    """What loading gives for a backend with these lines."""
    text = HEAD + "".join(f" {line}\n" for line in defaults.split("\n") if line) + FRONT + "backend b\n"
    return load_text(directory, text + "".join(f" {line}\n" for line in lines) + servers)


STEPS: Final[tuple[tuple[tuple[str, ...], tuple[CheckStep, ...]], ...]] = (
    ((), (CONNECT,)),
    (("http-check send meth GET",), (CONNECT,)),
    (("option httpchk",), (CONNECT, CheckSend(), GOOD)),
    (("option httpchk /a",), (CONNECT, CheckSend(uri=b"/a"), GOOD)),
    (("option httpchk HEAD /a",), (CONNECT, CheckSend(b"HEAD", b"/a"), GOOD)),
    (("option httpchk GET /a HTTP/1.1",), (CONNECT, CheckSend(b"GET", b"/a", b"HTTP/1.1"), GOOD)),
    (
        ("option httpchk GET /a HTTP/1.0\\r\\nHost:\\ www\\r\\nX-A:\\ b\\ c",),
        (CONNECT, CheckSend(b"GET", b"/a", b"HTTP/1.0", ((b"host", b"www"), (b"x-a", b"b c"))), GOOD),
    ),
    (
        ("option httpchk PUT /a HTTP/1.0\\r\\n\\r\\nbody",),
        (CONNECT, CheckSend(b"PUT", b"/a", b"HTTP/1.0", (), b"body"), GOOD),
    ),
    (
        ("option httpchk GET /a", "http-check send hdr Host www hdr X-A 100%% body xyz"),
        (CONNECT, CheckSend(b"GET", b"/a", b"HTTP/1.0", ((b"host", b"www"), (b"x-a", b"100%")), b"xyz"), GOOD),
    ),
    (
        ("http-check send uri /b ver HTTP/1.1 hdr A b", "option httpchk GET /a HTTP/1.0"),
        (CONNECT, CheckSend(b"GET", b"/a", b"HTTP/1.0", ((b"a", b"b"),)), GOOD),
    ),
    (("option httpchk GET /a", "option httpchk /b"), (CONNECT, CheckSend(uri=b"/b"), GOOD)),
    (
        ("option httpchk", "http-check expect ! rstatus ^5"),
        (CONNECT, CheckSend(), CheckExpect("rstatus", (), b"^5", True)),
    ),
    (
        ("option httpchk", "http-check expect status 200,300-310"),
        (CONNECT, CheckSend(), CheckExpect("status", ((200, 200), (300, 310)), b"200,300-310")),
    ),
    (
        ("option httpchk", "http-check comment why", "http-check expect min-recv 4 string SQL\\ Error"),
        (CONNECT, CheckSend(), CheckExpect("string", (), b"SQL Error", min_octets=4, comment="why")),
    ),
    (
        ("option httpchk PUT /a", "http-check connect port 80 addr 127.0.0.2", "http-check send uri /b"),
        (CheckConnect(80, "127.0.0.2"), CheckSend(b"PUT", b"/b"), GOOD),
    ),
    (
        ("option httpchk", "http-check connect default linger", "http-check send meth GET", "http-check expect string a",
         "http-check connect port 81"),
        (CONNECT, CheckSend(b"GET"), CheckExpect("string", (), b"a"), CheckConnect(81)),
    ),
    (("option httpchk GET /a", "http-check connect port 80"), (CheckConnect(80), CheckSend(b"GET", b"/a"), GOOD)),
    (
        ("option httpchk GET http://foo.bar/a?b HTTP/1.1", "http-check send hdr host www"),
        (CONNECT, CheckSend(b"GET", b"http://www/a?b", b"HTTP/1.1", ((b"host", b"www"),)), GOOD),
    ),
)  # fmt: skip


@pytest.mark.parametrize(("lines", "steps"), STEPS)
def test_the_steps_of_a_check(tmp_path: Path, lines: tuple[str, ...], steps: tuple[CheckStep, ...]) -> None:
    outcome = outcome_of(tmp_path, *lines)
    assert outcome.model is not None, told(outcome)
    assert outcome.model.backends[0].check_steps == steps


def test_what_defaults_give_is_dropped_by_the_first_rule_of_the_section(tmp_path: Path) -> None:
    defaults = "option httpchk GET /d\nhttp-check expect status 404\nhttp-check disable-on-404\nhttp-check send-state"
    whole = outcome_of(tmp_path, defaults=defaults).model
    own = outcome_of(tmp_path, "option httpchk", defaults=defaults).model
    assert whole is not None
    assert own is not None
    assert whole.backends[0].check_steps[1] == CheckSend(b"GET", b"/d")
    assert own.backends[0].check_steps == (CONNECT, CheckSend(), GOOD)
    assert own.backends[0].disables_on_404
    assert own.backends[0].sends_state


REFUSED: Final[tuple[tuple[tuple[str, ...], str], ...]] = (
    (("option httpchk GET / HTTP/1.1 x",), "cannot handle unexpected argument 'x'"),
    (("option httpchk GET / HTTX",), "expects HTTP/1.0 or HTTP/1.1 as the version (got 'HTTX')"),
    (("option httpchk G\\ T /",), "expects a token of HTTP"),
    (("option httpchk GET /a\\ b",), "expects a URI without spaces or controls (got '/a b')"),
    (("option httpchk GET / HTTP/1.0\\r\\nHost",), "expects fields as 'Name: value' behind the version (got 'Host')"),
    (("no option httpchk",), "'no' is not supported before 'option httpchk'"),
    (("http-check",), "'http-check' only supports comment, connect, disable-on-404, expect, send, send-state (got '')"),
    (("http-check exepct status 200",), "did you mean 'expect' maybe ?"),
    (("http-check set-var(check.a) str(b)",), "'http-check set-var(check.a)' is known to HAProxy and not supported yet"),
    (("http-check expect",), "expects a pattern, one of status, rstatus, string, rstring (got '')"),
    (("http-check expect status",), "'status' expects a <pattern> as argument"),
    (("http-check expect status abc",), "as a list of status codes (got 'abc')"),
    (("http-check expect status 300-200",), "invalid range of status codes '300-200'"),
    (("http-check expect rstring (",), "regex '(' is invalid"),
    (("http-check expect status 200 string a",), "expects one pattern only (got 'string' after 'status')"),
    (("http-check expect hdr name a",), "'hdr' is known to HAProxy and not supported yet"),
    (("http-check expect min-recv -2 status 200",), "'http-check expect min-recv' expects"),
    (("http-check expect ok-status FOO status 200",), "'ok-status' expects one of L4OK, L6OK, L7OK, L7OKC (got 'FOO')"),
    (("http-check expect on-error %[res.hdr(a)] status 200",), "variables and samples are known to HAProxy"),
    (("http-check send foo",), "expects 'comment', 'meth', 'uri', 'ver', 'hdr' or 'body' but got 'foo'"),
    (("http-check send meth",), "'meth' expects a string as argument"),
    (("http-check send hdr a",), "'hdr' expects <name> and <value> as arguments"),
    (("http-check send hdr a\\ b c",), "expects a token of HTTP"),
    (("http-check send hdr a \"b\\r\\nX: y\"",), "expects the value of a field without controls"),
    (("http-check send uri-lf /%[rand]",), "'uri-lf' is known to HAProxy and not supported yet"),
    (("http-check connect ssl",), "'ssl' is known to HAProxy and not supported yet : servers are spoken to without TLS"),
    (("http-check connect port 0",), "'http-check connect port' expects a whole number between 1 and 65535 (got '0')"),
    (("http-check connect foo",), "expects 'comment', 'port', 'addr', 'linger' or 'default' but got 'foo'"),
    (("http-check connect addr 127.0.0.1:80",), "expects an address without a port"),
    (("option httpchk", "http-check send meth GET", "http-check send uri /"), "(missing connect rule)"),
    (("option httpchk", "http-check connect", "http-check expect status 200"), "(missing send rule)"),
    (("option httpchk", "http-check send meth GET", "http-check connect"), "(missing expect rule)"),
    (("option httpchk", "http-check expect status 200", "http-check connect"), "expects the first rule to be a 'connect'"),
)  # fmt: skip


@pytest.mark.parametrize(("lines", "text"), REFUSED)
def test_what_is_refused_says_why(tmp_path: Path, lines: tuple[str, ...], text: str) -> None:
    outcome = outcome_of(tmp_path, *lines)
    assert outcome.model is None
    assert any(text in each for each in told(outcome)), told(outcome)


WARNED: Final = (
    (("http-check expect status 200",), "", "uses http-check rules without 'option httpchk', so the rules are ignored."),
    (("http-check expect status 200",), "option httpchk GET /d", "'OPTIONS / HTTP/1.0' is sent; repeat 'option httpchk' here"),
    (
        ("option httpchk GET / HTTP/1.0\\r\\nHost:\\ a",),
        "",
        "hiding headers or body at the end of the version string is deprecated",
    ),
    (("option httpchk GET /", "http-check send hdr Content-Length 5"), "", "the field 'Content-Length' is left out"),
    (
        ("option httpchk GET /", "http-check disable-on-404", "http-check expect status 200,404"),
        "",
        "each good answer takes its server out of balancing",
    ),
    (("option httpchk",), "", "OPTIONS is answered 501 by Seaside's web servers"),
    (("option httpchk GET /seaside/examples/counter",), "", "opens a session in the image at each check"),
)


@pytest.mark.parametrize(("lines", "defaults", "text"), WARNED)
def test_what_works_otherwise_than_one_may_think(tmp_path: Path, lines: tuple[str, ...], defaults: str, text: str) -> None:
    outcome = outcome_of(tmp_path, *lines, defaults=defaults)
    assert outcome.model is not None
    assert any(text in each for each in told(outcome)), told(outcome)


@pytest.mark.parametrize("uri", ["/", "/seaside/files/WAStandardFiles/toolbar.css", "/alive"])
def test_a_check_that_opens_no_session_is_not_remarked_on(tmp_path: Path, uri: str) -> None:
    assert told(outcome_of(tmp_path, f"option httpchk GET {uri}")) == []


TRACKING: Final = (
    (" server s 127.0.0.1:1 track x\n", "unable to find required server 'x' for tracking."),
    (" server s 127.0.0.1:1 track y/x\n", "unable to find required proxy 'y' for tracking."),
    (" server s 127.0.0.1:1 track s\n", "belongs to a tracking chain looping back to b/s."),
    (" server s 127.0.0.1:1\n server t 127.0.0.1:1 track s\n", "as it does not have any check nor agent enabled."),
    (
        " server s 127.0.0.1:1 check\n server t 127.0.0.1:1 check track s\n",
        "unable to enable checks and tracking at the same time!",
    ),
    (
        SERVER + "backend c\n http-check disable-on-404\n server t 127.0.0.1:1 track b/s\n",
        "disable-on-404 option inconsistency.",
    ),
)


@pytest.mark.parametrize(("servers", "text"), TRACKING)
def test_a_track_that_leads_nowhere_is_refused(tmp_path: Path, servers: str, text: str) -> None:
    outcome = outcome_of(tmp_path, servers=servers)
    assert outcome.model is None
    assert any(text in each for each in told(outcome)), told(outcome)


def test_a_chain_of_tracking_servers_is_known_by_whole_names(tmp_path: Path) -> None:
    outcome = outcome_of(
        tmp_path, servers=SERVER + " server t 127.0.0.1:1 track s\nbackend c\n server u 127.0.0.1:1 track b/t\n"
    )
    assert outcome.model is not None, told(outcome)
    assert [server.track for backend in outcome.model.backends for server in backend.servers] == ["", "b/s", "b/t"]


def test_the_words_of_a_server(tmp_path: Path) -> None:
    words = "check port 81 addr 127.0.0.2 observe layer7 error-limit 5 on-error sudden-death on-marked-down shutdown-sessions"
    more = "on-marked-up shutdown-backup-sessions slowstart 10s"
    outcome = outcome_of(tmp_path, servers=f" server s 127.0.0.1:1 {words} {more}\n")
    assert outcome.model is not None, told(outcome)
    server = outcome.model.backends[0].servers[0]
    assert (server.check_port, server.check_host, server.observe, server.error_limit) == (81, "127.0.0.2", "layer7", 5)
    assert (server.on_error, server.slowstart_s) == ("sudden-death", 10.0)
    assert server.shuts_sessions_when_down
    assert server.shuts_backups_when_up


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("observe layer5", "'observe' expects one of none, layer4, layer7 (got 'layer5')"),
        ("on-error foo", "'on-error' expects one of fastinter, fail-check, sudden-death, mark-down (got 'foo')"),
        ("on-marked-down foo", "'on-marked-down' expects one of shutdown-sessions (got 'foo')"),
        ("error-limit 0", "'error-limit' expects a positive integer (got '0')"),
        ("port 70000", "'port' expects a whole number between 1 and 65535 (got '70000')"),
        ("check-send-proxy", "'check-send-proxy' is known to HAProxy and not supported yet"),
    ],
)
def test_a_word_of_a_server_that_is_refused_says_why(tmp_path: Path, words: str, text: str) -> None:
    outcome = outcome_of(tmp_path, servers=f" server s 127.0.0.1:1 check {words}\n")
    assert outcome.model is None
    assert any(text in each for each in told(outcome)), told(outcome)
