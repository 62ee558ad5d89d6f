"""Log formats at work without a socket: what each variable says, and that no octet breaks out of a line or of an object."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from fakes import Talk, World
from hypothesis import given
from hypothesis import strategies as st
from records import ORIGIN, frontend_record

from balancer import model
from balancer.config.formats import parse_format
from balancer.config.loader import load
from balancer.config.logformats import CLF_FORMAT, HTTP_FORMAT
from balancer.config.logvariables import VARIABLES
from balancer.logbook import Captures, CaptureSlot, LogWords
from balancer.observe.accesslog import HttpLog
from balancer.observe.formatlog import FormatLog, access_log
from balancer.observe.jsonlog import JsonLog
from balancer.observe.logtext import Format
from balancer.observe.syslog import Syslog
from balancer.proxy.captured import last_value
from balancer.proxy.record import Detail, Record

FILE = """defaults
 mode http
 timeout client 1s
 timeout server 1s
 timeout connect 1s
listen w
 bind 127.0.0.1:1
 log 127.0.0.1 local0
 server s1 127.0.0.1:2
 {lines}
"""
SLOTS = Captures((CaptureSlot(b"a", 99), CaptureSlot(b"b", 99)), (CaptureSlot(b"c", 99),), b"SES", 63)
TARGET = model.LogTarget("stdout", "", 0, "", 16, model.DEBUG, model.EMERG, "local", 1024, ORIGIN)
ALL_VARIABLES = "|".join(f"%{name}" for name in VARIABLES)


class NoLoop:
    """A loop on which nothing runs."""

    def call_soon(self, callback: Any) -> None:
        """Keeps quiet."""


def syslog() -> Syslog:
    loop: Any = NoLoop()
    return Syslog("haproxy", 31553, loop)


def record_of(
    request: bytes = b"GET /a?b HTTP/1.1", fields: list[bytes | None] | None = None, cookie: bytes = b"", identity: bytes = b""
) -> Record:
    """A request that ended well."""
    record = Record()
    record.client_host, record.client_port, record.bind_host, record.bind_port = "127.0.0.1", 49618, "::1", 8080
    record.frontend_name, record.backend_name, record.server_name = "f", "b", "s"
    record.accepted_at = 1795407576.25
    record.tr_ms, record.tw_ms, record.tc_ms, record.resp_ms, record.ta_ms = 1, 2, 3, 4, 15
    record.status, record.bytes_read, record.retries, record.is_redispatched = 200, 99, 2, True
    record.request_line = request
    detail = Detail()
    detail.waited_ms = 50
    detail.request_fields = fields
    detail.response_fields = [b"c"]
    detail.sent_cookie = cookie
    detail.unique_id = identity
    detail.server_host, detail.server_port = "10.0.0.1", 80
    detail.number = 255
    record.detail = detail
    return record


def told(text: str, record: Record, is_identity: bool = False) -> bytes:
    return Format(parse_format(text, not is_identity), is_identity).text(record)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("%TR/%Tw/%Tc/%Tr/%Td/%Ta", b"1/2/3/4/5/15"),
        ("%Th %Ti %Tq %Tt %Tu", b"0 50 51 65 15"),
        ("%rc %rt %{+X}rt", b"+2 255 00FF"),
        ("%ci:%cp %{+X}ci %{+X}cp", b"127.0.0.1:49618 7F000001 C1D2"),
        ("%fi %{+X}fi %{+X}fp", b"::1 00000000000000000000000000000001 1F90"),
        ("%si:%sp %bi %{+Q}bi", b'10.0.0.1:80 - ""'),
        ("%HM %HU %HP %HPO %HQ %HV", b"GET /a?b /a /a ?b HTTP/1.1"),
        ("%Ts %{+X}Ts %ms %{+X}ms", b"1795407576 6B03BED8 200 C8"),
        ("%{+Q}o %f %s %ST %tsc", b'"f" "s" 200 ----'),
        ("%hr %hs %CC", b"{x|} {c} SES=1"),
        ("%hrl %{+Q}hrl", b'x - "x" ""'),
        ("%sslc %{+Q}sslv", b'- ""'),
        ("[%ID]", b"[-]"),
    ],
)
def test_a_variable_says_what_haproxy_says(text: str, line: bytes) -> None:
    assert told(text, record_of(fields=[b"x", None], cookie=b"SES=1")) == line


def test_what_is_told_early_has_a_plus() -> None:
    record = record_of()
    assert record.detail is not None
    record.detail.has_plus = True
    assert told("%B %Ta %Tt %Tu %U %Tr", record) == b"+99 +15 +65 +15 0 4"


def test_what_was_no_request_has_no_captures_and_the_blanks_run_together() -> None:
    record = record_of(b"")
    assert told("%ST %hr %hs %{+Q}r", record_without_fields(record)) == b'200 "<BADREQ>"'
    assert told("%HM %HQ %{+Q}HV", record) == b'<BADREQ> <BADREQ> "<BADREQ>"'
    assert told("%[src] %[src_port] %[dst] %[fe_name] %[str(a b)] %[path,lower]", record, True) == b"127.0.0.1 49618 ::1 f a b "


def test_a_sample_that_would_capture_is_not_asked_of_what_was_no_request() -> None:
    assert told("%[src,capture-req(0)] %[src,set-var(txn.a)] %[str(a),concat(<,txn.b,>)]", record_of(b"")) == b"- 127.0.0.1 a<>"


def record_without_fields(record: Record) -> Record:
    assert record.detail is not None
    record.detail.request_fields = record.detail.response_fields = None
    return record


def test_the_httplog_of_the_fast_path_and_of_the_format_are_one() -> None:
    record = record_of()
    record.detail = Detail()
    assert told(HTTP_FORMAT, record) == HttpLog(syslog(), frontend_record()).line(record)


def test_an_identity_leaves_nothing_where_there_is_nothing() -> None:
    assert told("%CC-%[var(txn.a)]-%b", record_of(), True) == b"--b"


# --- no octet breaks out -----------------------------------------------------------------------------------------------------

OCTETS = st.binary(max_size=60)
TOKENS = st.binary(min_size=1, max_size=60).map(lambda octets: octets.replace(b" ", b"_"))


@given(TOKENS, OCTETS, OCTETS, OCTETS)
def test_no_octet_of_a_message_ends_a_line_or_a_field(target: bytes, first: bytes, second: bytes, cookie: bytes) -> None:
    record = record_of(b"GET " + target + b" HTTP/1.1", [first, second], cookie, b"id")
    for text in (HTTP_FORMAT, CLF_FORMAT, ALL_VARIABLES, f"%{{+Q,+E}}o {ALL_VARIABLES}"):
        line = told(text, record)
        assert all(32 <= octet <= 126 for octet in line)
    line = told(HTTP_FORMAT, record)
    assert line.count(b'"') == 2
    block = re.search(rb" 0/0 (\{.*\}) \{c\} \"", line)
    assert block is not None
    assert block[1].count(b"{") == block[1].count(b"}") == block[1].count(b"|") == 1


@given(TOKENS, OCTETS, OCTETS, st.integers(80, 4000))
def test_a_json_line_is_one_object_whatever_comes_and_however_short_lines_are(
    target: bytes, field: bytes, cookie: bytes, length_max: int
) -> None:
    target_record = model.LogTarget("stdout", "", 0, "", 16, model.DEBUG, model.EMERG, "local", length_max, ORIGIN)
    config = frontend_record(logs=(target_record,), log_format="json", log_words=LogWords(captures=SLOTS))
    log = access_log(syslog(), config)
    assert isinstance(log, JsonLog)
    line = log.line(record_of(b"GET " + target + b" HTTP/1.1", [field, None], cookie, field))
    assert all(32 <= octet <= 126 for octet in line)
    found = json.loads(line)
    assert isinstance(found, dict)
    assert found.get("cut") or (found["method"], found["target"]) == ("GET", target.decode("utf-8", "backslashreplace"))
    assert len(line) <= max(log.room, len(b'{"cut":true}'))


@given(OCTETS)
def test_a_sample_of_any_octets_stays_on_its_line(octets: bytes) -> None:
    record = record_of(b"")
    assert record.detail is not None
    line = told(f"%[bin({octets.hex() or '00'})]", record)
    assert not any(octet < 32 or octet == 127 for octet in line)


def test_utf_8_is_kept_in_json_and_other_octets_are_told() -> None:
    log = JsonLog(syslog(), frontend_record(logs=(TARGET,), log_format="json", log_words=LogWords(captures=SLOTS)))
    line = log.line(record_of(fields=["h\u00e9\u20ac".encode(), b'\xff"\\'], cookie=b""))
    assert json.loads(line)["request_captures"] == {"a": "h\u00e9\u20ac", "b": '\\xff"\\'}


def test_captures_of_one_name_do_not_hide_each_other() -> None:
    captures = Captures((CaptureSlot(b"a", 9), CaptureSlot(b"a", 9), CaptureSlot(b"", 9)))
    log = JsonLog(syslog(), frontend_record(logs=(TARGET,), log_format="json", log_words=LogWords(captures=captures)))
    assert json.loads(log.line(record_of(fields=[b"1", b"2", None])))["request_captures"] == {"a": "1", "1": "2", "2": None}


# --- captures ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("head", "value"),
    [
        (b"\r\nA: 1\r\na:2 \r\nB: 3\r\n\r\n", b"2"),
        (b"\r\nXA: 1\r\n\r\n", None),
        (b"\r\nA:\r\n\r\n", b""),
        (b"\r\nB: a: 1\r\n\r\n", None),
    ],
)
def test_the_last_line_of_a_name_is_captured(head: bytes, value: bytes | None) -> None:
    assert last_value(head, head.lower(), b"a") == value


def talked(folder: Path, lines: str, raw: bytes) -> tuple[Talk, FormatLog]:
    """One request to a listen section with these lines, answered."""
    path = folder / "lines.cfg"
    path.write_text(FILE.format(lines=lines), encoding="utf-8")
    outcome = load([str(path)])
    assert outcome.model is not None, outcome.findings
    frontend = outcome.model.frontends[0]
    world = World(outcome.model.backends[0], name="w", is_listen=True, rules=frontend.rules, log_words=frontend.log_words)
    log = FormatLog(syslog(), frontend)
    world.log.wants_detail = True
    talk = world.request(raw)
    world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nY: answer\r\nSet-Cookie: SES=new; path=/\r\n\r\n")
    return talk, log


def test_a_rule_captures_over_what_the_field_gave_and_within_the_slot(tmp_path: Path) -> None:
    lines = (
        "option httplog\n capture request header X len 9\n capture response header Y len 3\n capture cookie SES= len 7\n"
        " http-request capture path len 4\n http-request capture str(over) id 0 if { path /long }\n"
        " http-request del-header X\n http-response del-header Y"
    )
    for target, block in ((b"/short", b"{shown|/sho}"), (b"/long", b"{over|/lon}")):
        raw = b"GET " + target + b" HTTP/1.1\r\nhost: h\r\nx: shown\r\ncookie: SESS=no; SES=first; SES=second\r\n\r\n"
        talk, log = talked(tmp_path, lines, raw)
        line = log.requests.text(talk.record())
        assert b" SES=fir SES=new ---- " in line
        assert b" " + block + b' {ans} "GET ' in line


def test_a_file_without_captures_asks_for_nothing_more(tmp_path: Path) -> None:
    log = access_log(syslog(), frontend_record(logs=(TARGET,)))
    assert isinstance(log, HttpLog)
    assert not log.wants_detail
