"""Rows: field lines and Host of requests, what does not go on, and how much is taken."""

from typing import Final

from rules.cases import GET, POST, Forwarded, Group, Refused, Request

FIELDS: Final = "RFC 9112 5"
VALUES: Final = "RFC 9110 5.5"
HOST: Final = "RFC 9112 3.2"
LENGTH: Final = "RFC 9112 6.3"
HOPS: Final = "RFC 9110 7.6.1"


def _with(*lines: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _hosted(value: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost:" + value + b"\r\n\r\n"


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _seen(*fields: str) -> Forwarded:
    return Forwarded(fields=("host: h", *fields))


def _named(octet: int) -> str:
    return {0: "NUL", 9: "HTAB", 32: "SP", 127: "DEL"}.get(octet, f"octet {octet:#04x}")


CONTROLS: Final = [*range(9), 11, 12, *range(14, 32), 127]
NO_TOKEN: Final = [0, 1, 9, 11, 12, 31, *b' "(),/;<=>?@[\\]{}', 127, 128, 160, 255]
CHUNKS: Final = b"3\r\nabc\r\n0\r\n\r\n"

LINES: Final = Group(
    "Field lines",
    "A name is a token, the colon follows at once, the line ends with CR LF; nothing is unfolded, mended or "
    "dropped. Names keep their case, values their octets.",
    [
        *(Request(f"{_named(octet)} in a field name", FIELDS, _with(b"X%cY: 1" % octet), Refused()) for octet in NO_TOKEN),
        *(Request(f"{_named(octet)} in a field value", VALUES, _with(b"X: a%cb" % octet), Refused()) for octet in CONTROLS),
        *(
            Request(
                f"8-bit octet {octet:#x} in a value is left", VALUES, _with(b"X: a%cb" % octet), _seen(f"x: a{chr(octet)}b")
            )
            for octet in (128, 133, 160, 233, 255)
        ),
        Request("CR in a field value", FIELDS, _with(b"X: a\rb"), Refused()),
        Request("LF in a field value starts a line", FIELDS, _with(b"X: a\nb"), Refused()),
        Request("a field line ended by LF", FIELDS, _with(b"X: a\nY: b"), Refused()),
        Request("a field line ended by CR", FIELDS, _with(b"X: a\rY: b"), Refused()),
        Request("a field line ended by CR CR LF", FIELDS, _with(b"X: a\r"), Refused()),
        Request("a head ended by LF LF", FIELDS, b"GET / HTTP/1.1\nHost: h\n\n", Refused()),
        Request("LF LF behind lines that CR LF ended", FIELDS, b"GET / HTTP/1.1\r\nHost: h\r\nX: a\n\n", Refused()),
        Request("LF LF behind a line without a colon", FIELDS, b"GET / HTTP/1.1\r\nHost: h\r\nX\n\n", Refused()),
        Request("LF LF behind a length", FIELDS, b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\n\nabcde", Refused()),
        Request("a head ended by CR LF LF", FIELDS, b"GET / HTTP/1.1\r\nHost: h\r\n\n", Refused()),
        Request("a last line ended by LF CR LF", FIELDS, b"GET / HTTP/1.1\r\nHost: h\r\nX: a\n\r\n", Refused()),
        Request(
            "a coding ended by LF LF, a request in the body",
            FIELDS,
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 38\r\nTransfer-Encoding: chunked\n\n"
            b"\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
            Refused(),
        ),
        Request("a head ended by LF CR LF", FIELDS, b"GET / HTTP/1.1\r\nHost: h\n\r\n", Refused()),
        Request("a folded line with SP", "RFC 9112 5.2", _with(b"X: a", b" b"), Refused()),
        Request("a folded line with HTAB", "RFC 9112 5.2", _with(b"X: a", b"\tb"), Refused()),
        Request("a folded first line", "RFC 9112 2.2", b"GET / HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n", Refused()),
        Request("a line of a blank only", FIELDS, _with(b" "), Refused()),
        Request("SP before the colon", "RFC 9112 5.1", _with(b"X : 1"), Refused()),
        Request("HTAB before the colon", "RFC 9112 5.1", _with(b"X\t: 1"), Refused()),
        Request("an empty field name", FIELDS, _with(b": 1"), Refused()),
        Request("a line without a colon", FIELDS, _with(b"X"), Refused()),
        Request("an empty value", VALUES, _with(b"X:"), _seen("x: ")),
        Request("blanks around a value do not count", VALUES, _with(b"X: \t a b\t "), _seen("x: a b")),
        Request("no blank before a value", VALUES, _with(b"X:a"), _seen("x: a")),
        Request("HTAB inside a value", VALUES, _with(b"X: a\tb"), _seen("x: a\tb")),
        Request("a colon in a value", VALUES, _with(b"X: a:b"), _seen("x: a:b")),
        Request(
            "every token octet in a field name", FIELDS, _with(b"!#$%&'*+-.^_`|~09AZaz: 1"), _seen("!#$%&'*+-.^_`|~09azaz: 1")
        ),
        Request(
            "lines of one name stay apart, in order", VALUES, _with(b"X: 1", b"x: 2", b"X: 1"), _seen("x: 1", "x: 2", "x: 1")
        ),
        *(
            Request(f"`{name}` shadows another field", "operator's choice", _with(name.encode() + b": 1"), Refused())
            for name in (
                "Content_Length",
                "content_length",
                "Transfer_Encoding",
                "X_Forwarded_For",
                "X_Forwarded-For",
                "X_Forwarded_Proto",
                "X_Forwarded_Host",
                "X_Forwarded_Port",
                "X_Forwarded_Server",
            )
        ),
        Request("another name with an underscore", FIELDS, _with(b"X_Y: 1"), _seen("x_y: 1")),
        Request(
            "Cookie lines are left as they are",
            "RFC 6265 5.4",
            _with(b"Cookie: a=1; b", b'Cookie: =;;c="d"'),
            _seen("cookie: a=1; b", 'cookie: =;;c="d"'),
        ),
    ],
)

HOSTS: Final = Group(
    "Host",
    "One well-formed Host in every HTTP/1.1 request; HTTP/1.0 may have none.",
    [
        Request("no Host", HOST, b"GET / HTTP/1.1\r\n\r\n", Refused()),
        Request("no Host, other fields", HOST, b"GET / HTTP/1.1\r\nX: 1\r\n\r\n", Refused()),
        Request("two differing Hosts", HOST, _with(b"Host: i"), Refused()),
        Request("two equal Hosts", HOST, _with(b"Host: h"), Refused()),
        Request("a second, empty Host", HOST, _with(b"Host:"), Refused()),
        Request("a second Host in another case", HOST, _with(b"hOST: h"), Refused()),
        *(
            Request(f"Host `{value}`", HOST, _hosted(b" " + value.encode("latin-1")), Refused())
            for value in (
                "a b",
                "h, h",
                "a/b",
                "h/",
                "a?b",
                "a#b",
                "user@h",
                "h:x",
                "h:80:80",
                "h:+80",
                "h:-1",
                "h: 80",
                "h :80",
                "h:0x50",
                "h:65536",
                "h:99999",
                "h:123456",
                ":80",
                "[::1",
                "::1",
                "[::1]x",
                "[::1]:x",
                "[]",
                "[g::1]",
                "[1:2]",
                "[::1%25eth0]",
                "[v1.]",
                "[v.x]",
                "%",
                "%4",
                "%zz",
                "a%00%",
                "h\\",
                '"h"',
                "<h>",
                "{h}",
                "a^b",
                "a|b",
                "a`b",
                "h\xe9",
                "http://h/",
            )
        ),
        *(
            Request(f"Host `{value}` is left", HOST, _hosted(b" " + value.encode()), Forwarded(fields=(f"host: {value}",)))
            for value in (
                "h:80",
                "h:",
                "h:0",
                "h:65535",
                "127.0.0.1:8080",
                "[::1]",
                "[::1]:80",
                "[2001:db8::1.2.3.4]",
                "[v1.x:y]",
                "a.b.",
                "A-B",
                "a_b",
                "%41",
                "a!$&'()*+,;=~b",
            )
        ),
        Request("an empty Host", HOST, _hosted(b""), Forwarded(fields=("host: ",))),
        Request("a Host list", HOST, _hosted(b" a, b"), Refused()),
        Request("HTTP/1.0 with two Hosts", HOST, b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Refused()),
        Request("HTTP/1.0 with an ill-formed Host", HOST, b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n", Refused()),
    ],
)

REMOVED: Final = Group(
    "Hop by hop",
    "What Connection nominates ends here, and so do its own words. What frames, routes or identifies cannot be nominated away.",
    [
        Request("Connection: keep-alive", HOPS, _with(b"Connection: keep-alive"), _seen()),
        Request("a nominated field", HOPS, _with(b"Connection: x", b"X: 1", b"Y: 2"), _seen("y: 2")),
        Request("a nominated field in another case", HOPS, _with(b"X: 1", b"Connection: keep-alive, x"), _seen()),
        Request(
            "nominated in the second Connection line",
            HOPS,
            _with(b"Connection: keep-alive", b"X: 1", b"connection: X"),
            _seen(),
        ),
        Request("all lines of a nominated name", HOPS, _with(b"X: 1", b"Connection: x", b"x: 2"), _seen()),
        Request("empty elements of Connection", HOPS, _with(b"Connection: ,,x, ,", b"X: 1"), _seen()),
        Request("an empty Connection", HOPS, _with(b"Connection:"), _seen()),
        *(
            Request(
                f"{name} cannot be nominated",
                HOPS,
                _with(b"Connection: " + name.encode(), b"Cookie: a=b"),
                _seen("cookie: a=b"),
            )
            for name in ("Host", "Cookie", "host, cookie")
        ),
        Request(
            "Content-Length cannot be nominated",
            HOPS,
            _post(b"Connection: content-length", b"Content-Length: 3", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc"),
        ),
        Request(
            "Transfer-Encoding cannot be nominated",
            HOPS,
            _post(b"Connection: transfer-encoding", b"Transfer-Encoding: chunked", body=CHUNKS),
            Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), b"abc"),
        ),
        Request("Keep-Alive", HOPS, _with(b"Keep-Alive: 300"), _seen()),
        Request("Proxy-Connection", HOPS, _with(b"Proxy-Connection: keep-alive"), _seen()),
        Request("TE", "RFC 9110 10.1.4", _with(b"TE: trailers", b"Connection: TE"), _seen()),
        Request("TE without Connection", "RFC 9110 10.1.4", _with(b"TE: gzip"), _seen()),
        Request("Upgrade without Connection", "RFC 9110 7.8", _with(b"Upgrade: websocket"), _seen()),
        Request(
            "Upgrade: h2c",
            "RFC 9113 3.1",
            _with(b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQ"),
            _seen(),
        ),
        Request(
            "Upgrade: h2c among others", "RFC 9113 3.1", _with(b"Connection: Upgrade", b"Upgrade: websocket, h2c"), _seen()
        ),
        Request("HTTP2-Settings alone", "RFC 9113 3.1", _with(b"HTTP2-Settings: AAMAAABkAAQ"), _seen()),
        Request(
            "Upgrade of an HTTP/1.0 client",
            "RFC 9110 7.8",
            b"GET / HTTP/1.0\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            Forwarded(keeps=False),
        ),
        Request(
            "an Upgrade that may be passed on",
            "RFC 9110 7.8",
            _with(b"Connection: upgrade", b"Upgrade: x"),
            _seen("upgrade: x", "connection: Upgrade"),
        ),
        Request("WebSocket without a key", "RFC 6455 4.2.1", _with(b"Connection: upgrade", b"Upgrade: websocket"), Refused()),
        Request(
            "Connection: close of a client ends the client's connection",
            "RFC 9112 9.6",
            _with(b"Connection: close"),
            Forwarded(keeps=False),
        ),
        Request("close among other words", "RFC 9112 9.6", _with(b"Connection: x, CLOSE"), Forwarded(keeps=False)),
        Request("Via goes on as it is", "RFC 9110 7.6.3", _with(b"Via: 1.1 apache"), _seen("via: 1.1 apache")),
        Request(
            "Expect goes on",
            "RFC 9110 10.1.1",
            _post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "expect: 100-continue", "content-length: 3"), b"abc"),
        ),
    ],
)

SIZES: Final = Group(
    "Sizes",
    "A head has 15,360 octets (tune.bufsize less tune.maxrewrite) and 100 fields.",
    [
        Request(
            "a target of 15,000 octets",
            LENGTH,
            b"GET /" + b"a" * 15000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
            Forwarded(f"GET /{'a' * 15000} HTTP/1.1"),
            goes_whole=True,
        ),
        Request(
            "a target of 20,000 octets",
            LENGTH,
            b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
            Refused(),
            goes_whole=True,
        ),
        Request("a field of 15,000 octets", FIELDS, _with(b"X: " + b"a" * 15000), _seen("x: " + "a" * 15000), goes_whole=True),
        Request("a field of 20,000 octets", FIELDS, _with(b"X: " + b"a" * 20000), Refused(), goes_whole=True),
        Request("a field name of 20,000 octets", FIELDS, _with(b"a" * 20000 + b": 1"), Refused(), goes_whole=True),
        Request("100 fields", FIELDS, _with(*(b"X: %d" % n for n in range(99))), _seen(*(f"x: {n}" for n in range(99)))),
        Request("101 fields", FIELDS, _with(*(b"X: %d" % n for n in range(100))), Refused()),
        Request(
            "a head of a megabyte without an end",
            "RFC 9112 2.1",
            GET[:-2] + b"X: " + b"a" * (1 << 20),
            Refused(),
            goes_whole=True,
        ),
    ],
)

GROUPS: Final = [LINES, HOSTS, REMOVED, SIZES]
