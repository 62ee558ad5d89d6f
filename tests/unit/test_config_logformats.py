"""Words on the text of log lines: formats, captures, and what is wrong with them."""

import re
from pathlib import Path

import pytest
from config_files import DEFAULTS, load_text, told

from balancer import model
from balancer.config.findings import ALERT, WARNING, Refusal
from balancer.config.formats import parse_format
from balancer.config.logformats import CLF_FORMAT, HTTP_FORMAT, TCP_FORMAT
from balancer.config.logvariables import VARIABLES
from balancer.logbook import SPACE, TEXT, VARIABLE, CaptureSlot, LogPart
from balancer.observe.logtext import TOLD

FRONT = "frontend f\n bind 127.0.0.1:1\n log 127.0.0.1 local0\n"
BACK = " default_backend b\nbackend b\n server s 127.0.0.1:2\n"


def frontend_of(directory: Path, lines: str, defaults: str = "") -> model.Frontend:
    outcome = load_text(directory, DEFAULTS + defaults + FRONT + lines + BACK)
    assert outcome.model is not None, told(outcome)
    return outcome.model.frontends[0]


def texts(directory: Path, lines: str, level: str = ALERT, defaults: str = "") -> list[str]:
    outcome = load_text(directory, DEFAULTS + defaults + FRONT + lines + BACK)
    return [entry.split(": ", 1)[1] for entry in told(outcome, level)]


def test_every_variable_of_the_table_can_be_told() -> None:
    assert set(TOLD) == set(VARIABLES)


def test_the_named_formats_hold_only_variables_that_there_are() -> None:
    for text in (HTTP_FORMAT, CLF_FORMAT, TCP_FORMAT):
        assert {part.name for part in parse_format(text) if part.kind == VARIABLE} <= set(VARIABLES)


def test_blanks_part_and_percent_signs_are_doubled() -> None:
    assert parse_format(" a  %% %ci%cp") == (
        LogPart(SPACE),
        LogPart(TEXT, b"a"),
        LogPart(SPACE),
        LogPart(TEXT, b"%"),
        LogPart(SPACE),
        LogPart(VARIABLE, name="ci"),
        LogPart(VARIABLE, name="cp"),
    )


def test_flags_hold_for_one_variable_or_for_all_that_follow() -> None:
    parts = parse_format("%{+Q}f%b%{+Q,+X}o%f%{-Q,+E}b%s%{foo}s")
    assert [(part.quotes, part.escapes, part.is_hex) for part in parts] == [
        (True, False, False),
        (False, False, False),
        (True, False, True),
        (False, True, True),
        (True, False, True),
        (True, False, True),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("%zz", "no such format variable 'zz'. If you wanted to emit the '%' character verbatim, you need to use '%%'."),
        ("%cix", "no such format variable 'cix'"),
        ("%", "truncated line after '%'."),
        ("a %{+Q", "truncated line after '+Q'."),
        ("%{+Q}", "parse argument modifier without variable name near '%{+Q}'."),
        ("% ci", "unexpected variable name near ' ' at position 1 line : '% ci'."),
        ("%[foo]", "unknown fetch method 'foo'"),
        ("%[src,foo]", "unknown converter 'foo'"),
        ("%[src", "expected ']' behind '%['"),
        ("%[path]", "sample fetch <path> may not be reliably used here because it needs 'HTTP request headers'"),
        ("%[res.hdr(a)]", "because it needs 'HTTP response headers'"),
        ("%ci" * 2000, "expects at most 1024 parts"),
    ],
)
def test_a_format_that_is_wrong_is_refused(text: str, reason: str) -> None:
    with pytest.raises(Refusal, match=re.escape(reason)):
        parse_format(text)


@pytest.mark.parametrize(
    "text", ["%[status]", "%[srv_name]", "%[capture.req.hdr(0)]", "%[capture.res.hdr(0)]", "%[var(txn.a)]"]
)
def test_what_is_still_there_at_the_end_may_be_asked_for(text: str) -> None:
    assert parse_format(text)[0].sample is not None


def test_a_name_for_requests_may_ask_for_the_request_and_not_for_the_answer() -> None:
    assert parse_format("%[path]", False)[0].sample is not None
    with pytest.raises(Refusal, match="HTTP response headers"):
        parse_format("%[res.hdr(a)]", False)


@pytest.mark.parametrize(
    ("lines", "form", "has_parts"),
    [
        (" option httplog\n", "http", False),
        (" option httplog clf\n", "format", True),
        (" option tcplog\n", "format", True),
        (' log-format "%ci"\n', "format", True),
        (" option httplog json\n", "json", False),
        (' log-format "%ci"\n option httplog\n', "http", False),
        (' option httplog\n log-format "%ci"\n', "format", True),
        (" option httplog\n capture request header X len 9\n", "http", True),
        (" option httplog\n capture cookie X len 9\n", "http", True),
        (" option httplog\n option logasap\n", "http", True),
        (' option httplog\n error-log-format "%ci"\n', "http", True),
        (' option httplog\n log-format-sd "[a b=%ci]"\n', "http", True),
    ],
)
def test_the_last_format_counts_and_the_plain_one_has_no_parts(tmp_path: Path, lines: str, form: str, has_parts: bool) -> None:
    frontend = frontend_of(tmp_path, lines)
    assert (frontend.log_format, bool(frontend.log_words.line)) == (form, has_parts)


@pytest.mark.parametrize(
    ("lines", "is_early"),
    [
        (' log-format "%ci %ST %r"\n', True),
        (' log-format "%ci %B"\n', False),
        (' log-format "%ci %B"\n option logasap\n', True),
        (" option httplog\n", False),
        (" option httplog json\n option logasap\n", True),
    ],
)
def test_a_line_is_early_when_nothing_in_it_waits(tmp_path: Path, lines: str, is_early: bool) -> None:
    assert frontend_of(tmp_path, lines).log_words.is_early == is_early


def test_a_frontend_takes_the_format_of_defaults_over_and_may_have_its_own(tmp_path: Path) -> None:
    defaults = ' log-format "%cp"\n'
    assert frontend_of(tmp_path, "", defaults).log_words.line[0].name == "cp"
    assert frontend_of(tmp_path, ' log-format "%ci"\n', defaults).log_words.line[0].name == "ci"
    assert frontend_of(tmp_path, " option httplog json\n", defaults).log_format == "json"


def test_two_formats_in_defaults_are_remarked(tmp_path: Path) -> None:
    remarks = texts(tmp_path, "", WARNING, ' log-format "%ci"\n option httplog\n option httplog clf\n option tcplog\n')
    assert remarks == [
        "'option httplog' overrides previous 'log-format' in 'defaults' section.",
        "'option httplog clf' overrides previous 'option httplog' in 'defaults' section.",
        "'option tcplog' overrides previous 'option httplog clf' in 'defaults' section.",
    ]
    assert texts(tmp_path, ' log-format "%ci"\n option httplog\n', WARNING) == []


@pytest.mark.parametrize("lines", [' log-format "%ci"\n option httplog json\n', " option httplog json\n option httplog\n"])
def test_json_lines_and_another_format_of_one_section_are_refused(tmp_path: Path, lines: str) -> None:
    (text,) = texts(tmp_path, lines)
    assert "cannot stand beside" in text
    assert "'option httplog json'" in text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('log-format ""', "'log-format' expects an argument."),
        ("log-format a b", "'log-format' expects only one argument, don't forget to escape spaces!"),
        ('log-format "%zz"', "failed to parse log-format : no such format variable 'zz'."),
        ('error-log-format "%[path]"', "failed to parse error-log-format : sample fetch <path>"),
        ('log-format-sd "%zz"', "failed to parse log-format-sd : no such format variable 'zz'."),
        ('unique-id-format "%zz"', "failed to parse unique-id-format : no such format variable 'zz'."),
        ('unique-id-format "%[unique-id]"', "<unique-id> is what this format makes"),
        ("unique-id-header", "'unique-id-header' expects an argument."),
        ('unique-id-header "X Id"', "'unique-id-header' expects the name of a field (got 'X Id')"),
        ("unique-id-header Content-Length", "'unique-id-header' cannot change 'Content-Length'"),
        ("option tcplog clf", "'option tcplog' cannot handle unexpected argument 'clf'"),
        ("option logasap x", "'option logasap' cannot handle unexpected argument 'x'"),
        ("capture foo", "'capture' expects 'cookie' or 'request header' or 'response header'."),
        ("capture request header X", "'capture request' expects 'header' <header_name> 'len' <len>."),
        ("capture request header X len x", "'capture request header X' : 'len' expects"),
        ("capture request header X len 9 y", "'capture' cannot handle unexpected argument 'y'"),
        ("capture cookie X", "'capture' expects 'cookie' <cookie_name> 'len' <len>."),
        ("declare foo", "unknown declaration type 'foo' (supports 'capture')"),
        ("declare capture len 9", "'declare capture' requires a direction ('request' or 'response')"),
        ("declare capture request", "'declare capture' requires a capture length ('len')"),
        ("declare capture request len 0", "'declare capture' : 'len' expects"),
        ("http-request capture path", "'http-request capture' expects <expression> [ 'len' <length> | id <idx> ]."),
        ("http-request capture path len 0", "'http-request capture' : 'len' expects"),
        ("http-request capture path id x", "'http-request capture' : 'id' expects"),
        ("http-request capture path size 9", "expects [ 'len' <length> | id <idx> ] (got 'size')"),
        ("http-request capture res.hdr(x) len 9", "extracts information from 'HTTP response headers'"),
        ("http-response capture path id 0", "extracts information from 'HTTP request headers'"),
        ("http-response capture res.hdr(x) len 9", "'http-response capture' expects id <idx> (got 'len')"),
        ("http-request capture path id 0", "Proxy 'f': unable to find capture id '0' referenced by http-request capture rule."),
    ],
)
def test_a_line_that_is_wrong_is_refused(tmp_path: Path, line: str, reason: str) -> None:
    found = texts(tmp_path, f" {line}\n")
    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize("words", ["capture request header X len 9", "capture cookie X len 9"])
def test_defaults_capture_nothing(tmp_path: Path, words: str) -> None:
    (text,) = texts(tmp_path, "", ALERT, f" {words}\n")
    assert "not allowed in 'defaults' section." in text


def test_slots_are_numbered_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = (
        " capture request header X-One len 1\n http-request capture path len 2\n declare capture request len 3\n"
        " capture request header x-four len 0\n capture response header Y len 5\n http-request capture path id 2\n"
    )
    captures = frontend_of(tmp_path, lines).log_words.captures
    assert captures.request == (CaptureSlot(b"x-one", 1), CaptureSlot(b"", 2), CaptureSlot(b"", 3), CaptureSlot(b"x-four", 0))
    assert captures.response == (CaptureSlot(b"y", 5),)


def test_a_captured_cookie_is_cut_at_haproxys_length(tmp_path: Path) -> None:
    assert texts(tmp_path, " capture cookie X len 100\n", WARNING) == [
        "truncating capture length to 63 bytes for frontend 'f'."
    ]
    assert frontend_of(tmp_path, " capture cookie X= len 100\n").log_words.captures.cookie_length_max == 63
    assert frontend_of(tmp_path, " capture cookie X= len 100\n").log_words.captures.cookie == b"X="


def test_a_backend_says_nothing_of_lines_and_may_name_a_slot(tmp_path: Path) -> None:
    back = BACK + ' log-format "%ci"\n option httplog\n http-request capture path id 7\n'
    outcome = load_text(tmp_path, DEFAULTS + FRONT + back)
    assert outcome.model is not None, told(outcome)
    remarks = " ".join(told(outcome, WARNING))
    assert "backend 'b' : 'log-format' directive is ignored in backends." in remarks
    assert "backend 'b' : 'option httplog' directive is ignored in backends." in remarks
    refused = load_text(tmp_path, DEFAULTS + FRONT + BACK + " http-request capture path len 7\n")
    assert "has no frontend capability" in " ".join(told(refused, ALERT))


def test_a_section_holds_no_more_slots_than_is_sensible(tmp_path: Path) -> None:
    (text,) = texts(tmp_path, " capture request header X len 9\n" * 65)
    assert "expects at most 64 captures of a request" in text
