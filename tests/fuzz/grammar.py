"""Well-formed messages with odd pieces in them: the families of faults that proxies are known for.

A piece is drawn from a table; odd ones are rare enough that most messages get past the first line, and frequent enough that a
few of them meet in one message.
"""

from random import Random
from typing import Final

from fuzz.cases import ANSWER, METHODS, REQUESTS, UPGRADES, VERSIONS, WEBSOCKET_ACCEPT, Case

METHOD_WORDS: Final = (
    b"GET",
    b"GET",
    b"POST",
    b"POST",
    b"HEAD",
    b"PUT",
    b"OPTIONS",
    b"DELETE",
    b"get",
    b"M-SEARCH",
    b"CONNECT",
    b"G=T",
)
TARGETS: Final = (
    b"/", b"/a?_s=x&_k=y", b"/a/b.c;d=1", b"//a", b"/%00", b"/a%20b", b"/{|}^`\"<>\\", b"*", b"http://a.org/x",
    b"HTTPS://b:81",
    b"http://a?b", b"http://u@a/", b"http:///", b"a", b"/a#b", b"/\xe9", b"ftp://a/", b"/?/../", b"http://[::1]:80/x",
    b"/a\tb",
)  # fmt: skip
REQUEST_VERSIONS: Final = (b"HTTP/1.1",) * 12 + (
    b"HTTP/1.0",
    b"HTTP/1.0",
    b"HTTP/1.2",
    b"HTTP/1.10",
    b"HTTP/2.0",
    b"http/1.1",
    b"",
)
HOSTS: Final = (b"ex.org",) * 8 + (
    b"ex.org:80",
    b"[::1]:1",
    b"",
    b"a b",
    b"a:99999",
    b"a,b",
    b"[::1",
    b"a/b",
    b"%41",
    b"%4",
    b"a:80:80",
    b"u@a",
)

LENGTH_WORDS: Final = (
    b"%d", b"%d", b"%d", b"0%d", b"+%d", b"-%d", b"%d_0", b"0x%d", b"%d,%d", b"%d, %d", b"%d,", b",%d", b"%d;", b" %d ",
    b"%d\x0b",
    b"\xc2\xa0%d", b"%d.0", b"%de0", b"'%d'", b"%d %d", b"%d\t", b"\t%d", b"%d  ", b"  %d", b"99999999999999999999%d",
    b"000000000000000000000%d", b"",
)  # fmt: skip
CODINGS: Final = (
    b"chunked", b"chunked", b"chunked", b"Chunked", b"chunked,", b", chunked", b"chunked, chunked", b"gzip, chunked",
    b"chunked, gzip", b"identity", b"chunked;q=1", b"\x0bchunked", b"chunked\x0b", b"\"chunked\"", b"chunked\x00",
    b"xchunked", b"",
    b"chunked identity", b"identity, chunked", b"chunke\xe4", b"ch\xc5\xabnked", b"chunked\t", b"\tchunked",
)  # fmt: skip
CODING_NAMES: Final = (
    b"Transfer-Encoding", b"Transfer-Encoding", b"Transfer-Encoding", b"transfer-encoding", b"TRANSFER-ENCODING",
    b"Transfer_Encoding", b"Transfer-Encoding ", b" Transfer-Encoding", b"Transfer-Encoding\t", b"Transfer\x00-Encoding",
    b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding", b"Transfer-Encodin\xe7",
)  # fmt: skip
LENGTH_NAMES: Final = (
    b"Content-Length", b"Content-Length", b"Content-Length", b"content-length", b"Content_Length", b"Content-Length ",
    b"Content-Length\t", b" Content-Length", b"Content-Length\x00", b"X: y\nContent-Length", b"X: y\rContent-Length",
)  # fmt: skip
REQUEST_LINES: Final = (
    b"X: y", b"X:", b"X:y ", b"X: \xff\xfe \t y", b"X: a\rb", b"X: a\nb", b"X: a\x00b", b"X: a\x7fb", b" folded",
    b"\tfolded",
    b"X y: z", b"X : y", b": y", b"no colon", b"X\x00: y", b"X\xe9: y", b"(X): y", b"X: y\r\n z", b"X:: y", b"", b"\r",
    b" ",
    b"Connection: close", b"Connection: keep-alive", b"Connection: close, X", b"Connection: content-length, host, cookie",
    b"Connection: transfer-encoding", b"Connection: upgrade", b"connection: ,, X-Forwarded-For ,",
    b"Connection: Upgrade, foo",
    b"Upgrade: foo", b"Upgrade: h2c", b"Upgrade: websocket", b"Upgrade:", b"Upgrade: , foo", b"HTTP2-Settings: AAA",
    b"Keep-Alive: 5",
    b"TE: trailers", b"Proxy-Connection: keep-alive", b"X-Forwarded-For: 1.2.3.4", b"X_Forwarded_For: 1", b"Trailer: X",
    b"Expect: 100-continue", b"Expect: x", b"Cookie: a=1; SEASIDE=app1inst2; b=2", b"Cookie: SEASIDE=app1inst1", b"Cookie:",
    b'Cookie: a="x; SEASIDE=b"; SEASIDE = app1inst1', b"Cookie: SEASIDE=a,SEASIDE=b;c", b"Cookie: ;;SEASIDE=\xff;",
    b"cookie:SEASIDE",
    b"Host: other.org", b"Host: ex.org", b"host : ex.org", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Content-Type: text/plain",
)  # fmt: skip

CHUNK_SIZES: Final = (
    b"%x", b"%x", b"%x", b"%X", b"0%x", b"0000000000000%x", b"00000000000000000000%x", b"0x%x", b"+%x", b"-%x", b"%x_0",
    b"%x ", b" %x",
    b"%x\t", b"%x;a", b"%x;a=b", b"%x ;a=\"q\\\"\"", b"%x;a=\"\r\n\"", b"%x;\x00", b"%x;a\nb", b"%x;a\rb", b"%x %x",
    b"%x,", b"%x\x0b", b"",
    b"1%x0000000000000000", b"fffffffffffffffff%x", b"%xg", b"%x\x00", b"\xc2\xb2%x", b"%x;" + b"e" * 300,
)  # fmt: skip
CHUNK_ENDS: Final = (b"\r\n",) * 20 + (b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b"xx", b"x\n", b"  ", b"\r\nx", b"\x00\n")
LINE_ENDS: Final = (b"\r\n",) * 60 + (b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b"\x0b\r\n", b"\x00\r\n", b" \r\n", b"\x85")
TRAILERS: Final = (
    b"", b"", b"", b"T: u\r\n", b"T:\r\nU: v\r\n", b" T: u\r\n", b"T : u\r\n", b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Host: a\r\n", b"T: u\n", b"T: \x00\r\n", b"no colon\r\n", b"T: u\r\n v\r\n", b"content_length: 5\r\n",
    b"Set-Cookie: SEASIDE=x\r\n",
    b"\r", b"\n", b"T: a\rb\r\n", b": y\r\n", b"T: \xff\r\n",
)  # fmt: skip

STATUS_LINES: Final = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 404 Not Found",
    b"HTTP/1.1 204 No Content",
    b"HTTP/1.1 304 Not Modified", b"HTTP/1.1 101 Switching Protocols", b"HTTP/1.1 404", b"HTTP/1.1 404 ",
    b"HTTP/1.1 205 Reset",
    b"HTTP/1.1 302 Found", b"HTTP/1.1 999 x", b"HTTP/1.1 20 x", b"HTTP/1.1 2000 x", b"HTTP/1.1 099 x", b"HTTP/1.1 000 x",
    b"HTTP/2 200 x",
    b"HTTP/1.2 200 x", b"HTTP/1.1  200 x", b"HTTP/1.1 200\tx", b"HTTP/1.1 2x0 x", b"HTTP/1.1 200 a\x00b",
    b"HTTP/1.1 200 a\rb", b"http/1.1 200 OK",
    b"HTTP/1.1 200 \xe9", b"HTTP/1.10 200 x", b"ICY 200 OK", b"200 OK", b"HTTP/1.1 -20 x", b"HTTP/1.1 +20 x",
    b"HTTP/1.1 401 U",
)  # fmt: skip
INTERIM: Final = (
    b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 102\r\n\r\n",
    b"HTTP/1.1 100 C\r\nContent-Length: 5\r\n\r\n", b"HTTP/1.0 100 C\r\n\r\n",
    b"HTTP/1.1 103 E\r\nSet-Cookie: SEASIDE=x\r\n\r\n",
    b"HTTP/1.1 100 C\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 199 x\r\nConnection: close\r\nUpgrade: foo\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\nUpgrade: foo\r\nConnection: upgrade\r\n\r\n", b"HTTP/1.1 100 C\n\n",
)  # fmt: skip
ANSWER_LINES: Final = (
    b"X: y", b"X:", b"X: \xff y", b"X: a\rb", b"X: a\nb", b"X: a\x00b", b" folded", b"X : y", b": y", b"no colon",
    b"X\xe9: y", b"X: y\r\n z",
    b"Connection: close", b"Connection: keep-alive", b"Connection: X", b"Connection: set-cookie, content-length",
    b"Connection: upgrade",
    b"Upgrade: foo", b"Upgrade: websocket", b"Sec-WebSocket-Accept: " + WEBSOCKET_ACCEPT, b"Sec-WebSocket-Accept: x",
    b"Keep-Alive: 5",
    b"TE: x", b"Proxy-Connection: close", b"Set-Cookie: a=b", b"Set-Cookie: SEASIDE=own",
    b"set-cookie: SEASIDE = own; path=/",
    b"Set-Cookie: SEASIDE", b"Cache-Control: no-store", b"Cache-Control: max-age=5, private", b"Content-Type: text/html",
    b"ETag: \"x\"",
    b"WWW-Authenticate: Negotiate", b"WWW-Authenticate: NTLM", b"Content_Length: 5", b"Transfer_Encoding: chunked",
    b"Trailer: T", b"",
)  # fmt: skip
REST: Final = (b"",) * 6 + (
    b"x",
    b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
)


def new_case(dice: Random) -> Case:
    """A case of either side."""
    if dice.random() < 0.5:
        octets = b"".join(_request(dice) for _ in range(dice.choice((1, 1, 2, 3))))
        return Case(REQUESTS, octets, is_indirect=dice.random() < 0.3)
    upgrade = dice.choice(UPGRADES) if dice.random() < 0.2 else ""
    version = "1.1" if upgrade or dice.random() < 0.7 else dice.choice(VERSIONS)
    method = "GET" if upgrade or dice.random() < 0.6 else dice.choice(METHODS)
    has_upload = not upgrade and version == "1.1" and dice.random() < 0.15
    return Case(
        ANSWER, _answer(dice), False, "POST" if has_upload else method, version, upgrade, has_upload, dice.random() < 0.8
    )


def _request(dice: Random) -> bytes:
    start = (b"POST" if dice.random() < 0.5 else dice.choice(METHOD_WORDS)) + b" "
    start += _often_first(dice, TARGETS)
    start += b" " + _often_first(dice, REQUEST_VERSIONS)
    lines = [b"Host: " + _often_first(dice, HOSTS)] if dice.random() < 0.97 else []
    lines += _some(dice, REQUEST_LINES)
    return (b"\r\n" if dice.random() < 0.05 else b"") + _message(dice, start, lines, False)


def _answer(dice: Random) -> bytes:
    interim = b"".join(dice.choice(INTERIM) for _ in range(dice.choice((0, 0, 0, 0, 1, 2))))
    return interim + _message(dice, _often_first(dice, STATUS_LINES), _some(dice, ANSWER_LINES), True) + dice.choice(REST)


def _some(dice: Random, table: tuple[bytes, ...]) -> list[bytes]:
    return [dice.choice(table) for _ in range(dice.choice((0, 0, 0, 1, 1, 2, 4)))]


def _message(dice: Random, start: bytes, lines: list[bytes], may_end_by_close: bool) -> bytes:
    """Start line, fields, framing and a body that fits the framing, or nearly."""
    payload = dice.randbytes(dice.choice((0, 1, 2, 5, 5, 16, 40)))
    kind = dice.randrange(10)
    body = payload if may_end_by_close and kind < 2 else b""
    if kind in (2, 3, 4, 5):
        lines.append(_length_line(dice, len(payload)))
        body = payload
        if dice.random() < 0.1:
            lines.append(_length_line(dice, len(payload) + dice.choice((0, 0, 1))))
    if kind in (5, 6, 7, 8, 9):
        lines.append(
            dice.choice(CODING_NAMES if dice.random() < 0.2 else CODING_NAMES[:1]) + b": " + _often_first(dice, CODINGS)
        )
        body = chunks(dice, payload)
    if dice.random() < 0.5:
        dice.shuffle(lines)
    end = dice.choice(LINE_ENDS) if dice.random() < 0.15 else b"\r\n"
    head = b"".join(line + (end if dice.random() < 0.3 else b"\r\n") for line in [start, *lines])
    return head + b"\r\n" + body


def _length_line(dice: Random, length: int) -> bytes:
    word = _often_first(dice, LENGTH_WORDS)
    return _often_first(dice, LENGTH_NAMES) + b": " + word.replace(b"%d", b"%d" % length)


def _often_first(dice: Random, table: tuple[bytes, ...]) -> bytes:
    return table[0] if dice.random() < 0.75 else dice.choice(table)


def chunks(dice: Random, payload: bytes) -> bytes:
    """The payload in chunks, now and then with something odd in one of them."""
    oddity = dice.random() < 0.2
    parts: list[bytes] = []
    at = 0
    while at < len(payload):
        size = dice.choice((1, 2, 5, 10, 13, 16))
        piece = payload[at : at + size]
        at += size
        word = dice.choice(CHUNK_SIZES) if oddity and dice.random() < 0.5 else b"%x"
        size_word = word.replace(b"%x", b"%x" % len(piece)).replace(b"%X", b"%X" % len(piece))
        parts += [
            size_word,
            dice.choice(CHUNK_ENDS) if oddity else b"\r\n",
            piece,
            dice.choice(CHUNK_ENDS) if oddity else b"\r\n",
        ]
    last = dice.choice(CHUNK_SIZES).replace(b"%x", b"0").replace(b"%X", b"00") if oddity else b"0"
    trailer = dice.choice(TRAILERS) if dice.random() < 0.3 else b""
    return b"".join([*parts, last, dice.choice(CHUNK_ENDS) if oddity else b"\r\n", trailer, b"\r\n"])
