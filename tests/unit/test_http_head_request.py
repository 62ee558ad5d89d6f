"""Request heads: what is taken, what is refused with which status, and which octets go on to the server."""

import pytest
from heads import get, parse, verdict

from balancer.http.head import FORBIDDEN, INCOMPLETE, find_end
from balancer.http.host import is_host

# --- where a head ends -------------------------------------------------------------------------------------------------

HEADS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a?_s=x&_k=y&1 HTTP/1.1\r\nHost: a\r\nCookie: SEASIDE=app1inst2\r\nX:\t y\r\n\r\n",
    b"POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("behind", [b"", b"\x00\x01body", b"\r\n\r\n", b"GET /2 HTTP/1.1\r\n\r\n"])
def test_the_end_is_found_whole_and_with_octets_behind(head: bytes, behind: bytes) -> None:
    assert find_end(head + behind, 0) == len(head)


@pytest.mark.parametrize("head", HEADS)
def test_the_end_is_found_octet_by_octet_from_three_before(head: bytes) -> None:
    for seen in range(len(head)):
        assert find_end(head[:seen], max(0, seen - 4)) == INCOMPLETE
    assert find_end(head, len(head) - 4) == len(head)


@pytest.mark.parametrize("octet", [*range(9), 11, 12, *range(14, 32), 127])
def test_a_control_octet_ends_the_search_at_once(octet: int) -> None:
    assert find_end(b"GET /" + bytes([octet]), 0) == FORBIDDEN


@pytest.mark.parametrize("octet", [9, 32, 33, 126, 128, 255])
def test_other_octets_do_not(octet: int) -> None:
    assert find_end(b"GET /" + bytes([octet]), 0) == INCOMPLETE


def test_a_head_with_bare_line_feeds_has_an_end_and_is_refused() -> None:
    for raw in (b"GET / HTTP/1.1\nHost: a\n\n", b"GET / HTTP/1.1\r\nHost: a\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\n"):
        assert find_end(raw, 0) == len(raw)
        assert verdict(raw) == 400


@pytest.mark.parametrize("count", range(8))
def test_leading_empty_lines_are_bounded(count: int) -> None:
    raw = b"\r\n" * count + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert (verdict(raw) == 0) == (count <= 4)


# --- the request line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [b"/", b"/a?_s=..&_k=..&1", b"/%zz", b"//x", b'/a|b{c}"d\\e^f`<>', b"/?a?b", b"/~!$&'()*+,;=:@"]
)
def test_the_target_passes_byte_for_byte(target: bytes) -> None:
    head = get(target=target)
    assert head.error == 0
    assert head.target == target
    assert head.forwarded(b"x:1", b"") == b"GET " + target + b" HTTP/1.1\r\nHost: ex.org\r\n\r\n"


@pytest.mark.parametrize("octet", [35, *range(128, 256)])
def test_a_fragment_or_an_8_bit_octet_in_the_target_is_refused(octet: int) -> None:
    assert verdict(b"GET /a" + bytes([octet]) + b" HTTP/1.1\r\nHost: a\r\n\r\n") == 400


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET",
        b"GET ",
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b" GET / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b"GET\t/ HTTP/1.1",
        b"GET /\tHTTP/1.1",
        b"GET /a b HTTP/1.1",
        b"GET a HTTP/1.1",
        b"GET ?a HTTP/1.1",
        b"GET HTTP/1.1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/1.01",
        b"GET / HTTP/01.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/1.",
        b"GET / HTTP/1",
        b"GET / HTTP/2.0",
        b"GET / HTTP/0.9",
        b"GET / HTTP/9.9",
        b"GET / http/1.1",
        b"GET / HTTPS/1.1",
        b"GET / HTTP /1.1",
        b"GET / HTTP/1,1",
        b"PRI * HTTP/2.0",
        b"GET / HTTP/1.1\rX",
        b"G\xc3T / HTTP/1.1",
        b"GE(T / HTTP/1.1",
        b"GET: / HTTP/1.1",
        b"* / HTTP/1.1 x",
        b"GET * HTTP/1.1",
        b"HEAD * HTTP/1.1",
        b"GET ftp://a/ HTTP/1.1",
        b"GET http:/a/ HTTP/1.1",
        b"GET http:///a HTTP/1.1",
        b"GET http://?a HTTP/1.1",
        b"GET http://u@a/ HTTP/1.1",
        b"GET http://u:p@a/ HTTP/1.1",
        b"GET http://a:b/ HTTP/1.1",
        b"GET http://a\\b/ HTTP/1.1",
        b"GET javascript:alert HTTP/1.1",
        b"GET mailto:a HTTP/1.1",
        b"GET a:80 HTTP/1.1",
    ],
)
def test_an_ill_formed_request_line_is_refused(line: bytes) -> None:
    assert verdict(line + b"\r\nHost: a\r\n\r\n") == 400


@pytest.mark.parametrize("target", [b"a:443", b"[::1]:443", b"/", b"/a", b"*", b"http://a/"])
def test_connect_is_never_forwarded(target: bytes) -> None:
    assert verdict(b"CONNECT " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n") == 501


@pytest.mark.parametrize("method", [b"get", b"BREW", b"M-SEARCH", b"!#$%&'*+-.^_`|~0aZ", b"CONNECTX", b"connect"])
def test_any_token_is_a_method(method: bytes) -> None:
    head = parse(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (head.error, head.method) == (0, method)


def test_options_asterisk_passes() -> None:
    head = parse(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")
    assert head.error == 0
    assert head.forwarded(b"", b"").startswith(b"OPTIONS * HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("target", "host", "path"),
    [
        (b"http://ex.org/a?b", b"ex.org", b"/a?b"),
        (b"HTTP://ex.org", b"ex.org", b"/"),
        (b"https://ex.org:8443?q", b"ex.org:8443", b"/?q"),
        (b"http://[::1]:80/x://y", b"[::1]:80", b"/x://y"),
    ],
)
def test_absolute_form_replaces_host(target: bytes, host: bytes, path: bytes) -> None:
    head = parse(b"GET " + target + b" HTTP/1.1\r\nA: 1\r\nHost: other.org\r\nB: 2\r\n\r\n")
    assert head.error == 0
    assert head.forwarded(b"", b"") == b"GET " + path + b" HTTP/1.1\r\nhost: " + host + b"\r\nA: 1\r\nB: 2\r\n\r\n"
    assert head.request_line() == b"GET " + target + b" HTTP/1.1"


def test_absolute_form_still_wants_well_formed_hosts() -> None:
    assert parse(b"GET http://a/ HTTP/1.1\r\nHost: b\r\nHost: b\r\n\r\n").error == 400
    assert parse(b"GET http://a/ HTTP/1.1\r\nHost: b c\r\n\r\n").error == 400
    assert parse(b"GET http://a/ HTTP/1.1\r\n\r\n").error == 400
    assert parse(b"GET http://a/ HTTP/1.0\r\n\r\n").error == 0


def test_options_of_a_bare_authority_becomes_asterisk() -> None:
    head = parse(b"OPTIONS http://ex.org:8001 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert head.forwarded(b"", b"") == b"OPTIONS * HTTP/1.1\r\nhost: ex.org:8001\r\n\r\n"


def test_http_1_0_goes_on_as_our_own_version_with_a_host() -> None:
    head = parse(b"GET /x HTTP/1.0\r\nA: b\r\n\r\n")
    assert head.error == 0
    assert head.minor == 0
    assert head.forwarded(b"127.0.0.1:8080", b"") == b"GET /x HTTP/1.1\r\nhost: 127.0.0.1:8080\r\nA: b\r\n\r\n"


# --- Host --------------------------------------------------------------------------------------------------------------

GOOD_HOSTS = [
    b"",
    b"a",
    b"ex.org",
    b"ex.org:80",
    b"ex.org:",
    b"127.0.0.1:8080",
    b"[::1]",
    b"[::]",
    b"[2001:db8::1]:443",
    b"[v1.a:b]",
]
GOOD_HOSTS += [b"a_b", b"a%41", b"xn--a", b"a:65535", b"[::ffff:1.2.3.4]"]
BAD_HOSTS = [
    b"a b",
    b"a,b c",
    b"a/b",
    b"a?b",
    b"a#b",
    b"u@a",
    b"a:b",
    b"a:-1",
    b"a:80:80",
    b":80",
    b"a:+8",
    b"a:8 0",
    b"a:123456",
    b"a:65536",
]
BAD_HOSTS += [
    b"[::1",
    b"::1",
    b"[]",
    b"[:]",
    b"[::1]x",
    b"[::1]]",
    b"[[::1]]",
    b"[::1%25eth0]",
    b"[foo]",
    b"[1.2.3.4]",
    b"[1:2:3:4:5:6:7:8:9]",
]
BAD_HOSTS += [b"a\\b", b"a<b", b'"a"', b"a\xe9", b"a%", b"a%4", b"a%zz", b"[v1]", b"[v.a]", b"[vg.a]", b"a\tb"]


@pytest.mark.parametrize("value", GOOD_HOSTS)
def test_a_well_formed_host_is_taken(value: bytes) -> None:
    assert is_host(value)
    assert get(host=value).error == 0


@pytest.mark.parametrize("value", BAD_HOSTS)
def test_an_ill_formed_host_is_refused(value: bytes) -> None:
    assert not is_host(value)
    assert get(host=value).error == 400


def test_host_is_there_exactly_once() -> None:
    assert get(host=None).error == 400
    assert get(b"Host: ex.org").error == 400
    assert get(b"hOST: other.org").error == 400
    assert parse(b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n").error == 400
    assert parse(b"GET / HTTP/1.0\r\n\r\n").error == 0


# --- field lines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"X : y",
        b"X\t: y",
        b": y",
        b" X: y",
        b"\tX: y",
        b"X",
        b"X y: z",
        b"X\xe9: y",
        b"X(: y",
        b'"X": y',
        b"X: a\rb",
        b"X: a\r",
        b"X: a\nY: b",
        b"X: a\r\n b",
        b"X: a\r\n\tb",
        b"X@: y",
        b"X/Y: z",
        b"[X]: y",
        b"{X}: y",
    ],
)
def test_an_ill_formed_field_line_is_refused(line: bytes) -> None:
    assert get(line).error == 400
    assert parse(b"GET / HTTP/1.1\r\n" + line + b"\r\nHost: a\r\n\r\n").error == 400


@pytest.mark.parametrize("octet", [*range(9), 10, 11, 12, 13, *range(14, 32), 127])
def test_a_control_in_a_value_is_refused(octet: int) -> None:
    assert verdict(b"GET / HTTP/1.1\r\nHost: a\r\nX: a" + bytes([octet]) + b"b\r\n\r\n") in (400, FORBIDDEN)


def test_all_other_octets_of_a_value_pass_untouched() -> None:
    value = bytes([9, *range(32, 127), *range(128, 256)])
    head = get(b"X:" + value)
    assert head.error == 0
    assert head.forwarded(b"", b"") == b"GET / HTTP/1.1\r\nHost: ex.org\r\nX:" + value + b"\r\n\r\n"


def test_order_case_and_blanks_of_fields_are_kept() -> None:
    raw = b"GET / HTTP/1.1\r\nb:1\r\nHost: a\r\nA:  2  \r\nb: 3\r\nEmpty:\r\nB:\t4\t\r\n\r\n"
    assert parse(raw).forwarded(b"", b"") == raw


def test_the_number_of_fields_is_bounded() -> None:
    lines = [b"X%d: y" % n for n in range(98)]
    assert get(*lines).error == 0
    assert get(*lines, b"Y: z").error == 0
    assert get(*lines, b"Y: z", b"Z: y").error == 400


@pytest.mark.parametrize(
    "name",
    [
        b"content_length",
        b"Content_Length",
        b"transfer_encoding",
        b"x_forwarded_for",
        b"X-Forwarded_For",
        b"x_forwarded-for",
        b"X_Forwarded_Host",
        b"x_forwarded_proto",
        b"x_forwarded_port",
        b"x_forwarded_server",
    ],
)
def test_a_name_that_shadows_a_framing_or_forwarded_field_is_refused(name: bytes) -> None:
    assert get(name + b": 1").error == 400


@pytest.mark.parametrize(
    "name", [b"x_forwarded_foo", b"content_lengths", b"user_agent", b"X-Forwarded-For", b"X-Forwarded-Host", b"_"]
)
def test_other_names_pass(name: bytes) -> None:
    assert get(name + b": 1").error == 0


# --- cookies, log ------------------------------------------------------------------------------------------------------


def test_every_cookie_line_is_noted_in_order() -> None:
    head = get(b"Cookie: a=1", b"X: y", b"cookie:  SEASIDE=app1inst2 ")
    assert head.cookies == [b"a=1", b"SEASIDE=app1inst2"]


def test_indirect_cuts_the_cookie_out_of_every_line() -> None:
    head = get(b"Cookie: a=1; SEASIDE=x; b=2", b"X: SEASIDE=no", b"cookie: SEASIDE=y", b"COOKIE:c=3;SEASIDE=z")
    assert head.forwarded(b"", b"SEASIDE") == (
        b"GET / HTTP/1.1\r\nHost: ex.org\r\nCookie: a=1; b=2\r\nX: SEASIDE=no\r\nCOOKIE: c=3\r\n\r\n"
    )


def test_indirect_leaves_other_cookie_lines_as_they_came() -> None:
    raw = b"GET / HTTP/1.1\r\nHost: a\r\nCookie:  a=1;b=2 , c\r\n\r\n"
    assert parse(raw).forwarded(b"", b"SEASIDE") == raw


def test_the_logged_size_counts_as_haproxy_does() -> None:
    # operations 2: 20 + method + target + version + every name and value + 1
    head = get(b"A:  bc ", target=b"/x?y")
    assert head.log_octets() == 20 + 3 + 4 + 8 + len(b"Hostex.orgAbc") + 1
