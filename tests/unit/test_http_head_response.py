"""Response heads: what is taken from a server, what is refused (as 502), what the reader notes and what goes on."""

import pytest

from balancer.http.head import ResponseHead, find_end

FIELD_COUNT_MAX = 100


def parse(raw: bytes, own_cookie: bytes = b"", preserve: bool = False) -> ResponseHead:
    """The head at the front of `raw`."""
    end = find_end(raw, 0)
    assert end > 0, raw
    return ResponseHead(raw, 0, end, FIELD_COUNT_MAX, own_cookie, preserve)


def ok(*lines: bytes, own_cookie: bytes = b"", preserve: bool = False) -> ResponseHead:
    """A 200 with these field lines."""
    return parse(b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"", b""]), own_cookie, preserve)


# --- the status line ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "status", "reason", "minor"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK", 1),
        (b"HTTP/1.0 404 Not Found", 404, b"Not Found", 0),
        (b"HTTP/1.1 204 ", 204, b"", 1),
        (b"HTTP/1.1 204", 204, b"", 1),
        (b"HTTP/1.1 100 Continue", 100, b"Continue", 1),
        (b"HTTP/1.1 999 \xfcber\tall", 999, b"\xfcber\tall", 1),
        (b"HTTP/1.1 200  OK", 200, b" OK", 1),
    ],
)
def test_a_status_line_is_taken(line: bytes, status: int, reason: bytes, minor: int) -> None:
    head = parse(line + b"\r\n\r\n")
    assert (head.error, head.status, head.reason, head.minor) == (0, status, reason, minor)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"OK",
        b"200 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1 2",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 20x OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 000 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 200OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 200\tOK",
        b"HTTP/1.10 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP/2 200",
        b"HTTP/0.9 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1,1 200 OK",
        b" HTTP/1.1 200 OK",
        b"ICY 200 OK",
        b"HTTP/1.1 200 a\rb",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
    ],
)
def test_an_ill_formed_status_line_is_refused(line: bytes) -> None:
    assert parse(line + b"\r\nA: b\r\n\r\n").error != 0


@pytest.mark.parametrize(
    "line", [b"X : y", b": y", b" X: y", b"X", b"X y: z", b"X\xe9: y", b"X: a\rb", b"X: a\nY: b", b"X: a\r\n b"]
)
def test_an_ill_formed_field_line_is_refused(line: bytes) -> None:
    assert ok(line).error != 0
    assert ok(b"A: b", line, b"C: d").error != 0


def test_the_number_of_fields_is_bounded() -> None:
    assert ok(*[b"X: y"] * 100).error == 0
    assert ok(*[b"X: y"] * 101).error != 0


# --- framing -----------------------------------------------------------------------------------------------------------


def test_framing_of_a_response() -> None:
    head = ok(b"A: 1", b"content-length: 12", b"B: 2")
    assert (head.error, head.content_length, head.is_chunked) == (0, 12, False)
    assert b"".join(head.kept) == b"A: 1\r\ncontent-length: 12\r\nB: 2\r\n"
    head = ok(b"A: 1", b"Transfer-Encoding:\tChunked ,", b"B: 2")
    assert (head.error, head.content_length, head.is_chunked) == (0, -1, True)
    assert b"".join(head.kept) == b"A: 1\r\nB: 2\r\n"
    head = ok(b"A: 1")
    assert (head.error, head.content_length, head.is_chunked) == (0, -1, False)


def test_the_coding_beats_the_length_and_the_server_is_not_kept() -> None:
    for lines in (
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5, 5"],
    ):
        head = ok(*lines)
        assert (head.error, head.is_chunked, head.content_length, head.adds_length) == (0, True, -1, False)
        assert b"".join(head.kept) == b""
        assert not head.keeps_alive(b"GET")


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5, 6"],
        [b"Content-Length:"],
        [b"Content-Length: +5"],
        [b"Content-Length: 5_0"],
        [b"Content-Length: -1"],
        [b"Content-Length: 1 1"],
        [b"Content-Length: " + b"9" * 19],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding:"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked\xa0"],
    ],
)
def test_doubtful_framing_is_refused(lines: list[bytes]) -> None:
    assert ok(*lines).error != 0


def test_a_coding_in_http_1_0_is_refused() -> None:
    assert parse(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").error != 0


@pytest.mark.parametrize(
    "lines", [[b"Content-Length: 5", b"content-length: 5,5"], [b"Content-Length: 5,5"], [b"Content-Length: 5"] * 3]
)
def test_equal_lengths_go_on_as_one(lines: list[bytes]) -> None:
    head = ok(*lines)
    assert (head.error, head.content_length) == (0, 5)
    assert b"".join(head.kept).lower().count(b"content-length") + head.adds_length == 1


# --- connection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "keeps"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: a, Close\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", False),
    ],
)
def test_whether_the_server_keeps_its_connection(raw: bytes, keeps: bool) -> None:
    assert parse(raw).keeps_alive(b"GET") == parse(raw).keeps_alive(b"HEAD") == keeps


def test_silence_after_another_method_is_doubt() -> None:
    assert not parse(b"HTTP/1.1 200 OK\r\n\r\n").keeps_alive(b"POST")
    assert not parse(b"HTTP/1.1 200 OK\r\nConnection: keep-alive, close\r\n\r\n").keeps_alive(b"POST")
    assert parse(b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive\r\n\r\n").keeps_alive(b"POST")


def test_hop_by_hop_fields_stay_behind() -> None:
    head = ok(
        b"A: 1",
        b"Connection: x-hop, close, set-cookie, content-length",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: close",
        b"X-Hop: 2",
        b"Upgrade: h2c",
        b"Set-Cookie: a=b",
        b"Content-Length: 0",
        b"B: 3",
    )
    assert b"".join(head.kept) == b"A: 1\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\nB: 3\r\n"


def test_the_upgrade_of_a_101_stays() -> None:
    head = parse(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: abc=\r\n\r\n")
    assert head.upgrade == b"websocket"
    assert head.websocket_accept == b"abc="
    assert b"".join(head.kept) == b"Upgrade: websocket\r\nSec-WebSocket-Accept: abc=\r\n"


@pytest.mark.parametrize(
    ("line", "is_bound"),
    [
        (b"WWW-Authenticate: NTLM", True),
        (b"www-authenticate: ntlm TlRMTVNTUAAC", True),
        (b"Proxy-Authenticate: Negotiate", True),
        (b"WWW-Authenticate: NEGOTIATE oYH1", True),
        (b'WWW-Authenticate: Basic realm="x"', False),
        (b"WWW-Authenticate: Bearer", False),
    ],
)
def test_ntlm_and_negotiate_bind_the_connection(line: bytes, is_bound: bool) -> None:
    assert parse(b"HTTP/1.1 401 x\r\n" + line + b"\r\nWWW-Authenticate: Basic\r\n\r\n").is_connection_bound == is_bound


# --- cookies and caches ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [b"Set-Cookie: SEASIDE=x; path=/", b"set-cookie:SEASIDE =x", b"SET-COOKIE: \tSEASIDE\t= x"])
@pytest.mark.parametrize("preserve", [False, True])
def test_the_servers_own_cookie_of_our_name_is_removed_unless_preserved(line: bytes, preserve: bool) -> None:
    head = ok(b"A: 1", b"Set-Cookie: a=b", line, b"Set-Cookie: c=d", own_cookie=b"SEASIDE", preserve=preserve)
    assert head.has_own_cookie
    own = line + b"\r\n" if preserve else b""
    assert b"".join(head.kept) == b"A: 1\r\nSet-Cookie: a=b\r\n" + own + b"Set-Cookie: c=d\r\n"


@pytest.mark.parametrize(
    "value", [b"seaside=x", b"SEASIDEX=x", b"SEASIDE", b"a=SEASIDE=x", b"=SEASIDE", b"", b"XSEASIDE=x", b"a; SEASIDE=x"]
)
def test_other_cookies_of_the_server_stay(value: bytes) -> None:
    head = ok(b"Set-Cookie: " + value, own_cookie=b"SEASIDE")
    assert not head.has_own_cookie
    assert b"".join(head.kept) == b"Set-Cookie: " + value + b"\r\n"


@pytest.mark.parametrize(
    ("values", "forbids"),
    [
        ([], False),
        ([b"private"], True),
        ([b"no-store"], True),
        ([b"max-age=60, Private"], True),
        ([b"public", b"x, NO-STORE ,"], True),
        ([b'private="set-cookie"'], False),
        ([b"no-cache"], False),
        ([b"public, max-age=60"], False),
        ([b"privately"], False),
        ([b"max-age=0"], False),
    ],
)
def test_only_an_unqualified_private_or_no_store_forbids_storing(values: list[bytes], forbids: bool) -> None:
    assert ok(*[b"Cache-Control: " + value for value in values]).forbids_storing() == forbids


def test_the_logged_size_counts_as_haproxy_does() -> None:
    # operations 2: 20 + version + status + reason + every name and value + 1
    head = ok(b"A:  bc ", b"Content-Length: 0")
    assert head.log_octets() == 20 + 8 + 3 + 2 + len(b"AbcContent-Length0") + 1
