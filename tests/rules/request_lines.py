"""Rows: the request line, the target, the version, and what stands before them."""

from typing import Final

from rules.cases import GET, Forwarded, Group, Refused, Request

LINE: Final = "RFC 9112 3"
METHOD: Final = "RFC 9110 9.1"
TARGET: Final = "RFC 9112 3.2"
VERSION: Final = "RFC 9112 2.3"
EMPTY: Final = "RFC 9112 2.2"


def _line(line: bytes) -> bytes:
    return line + b"\r\nHost: h\r\n\r\n"


def _named(octet: int) -> str:
    names = {0: "NUL", 9: "HTAB", 10: "LF", 13: "CR", 32: "SP", 127: "DEL"}
    return names.get(octet, f"octet {octet:#04x}")


NO_TOKEN: Final = [0, 1, 8, 11, 12, 14, 27, 31, *b'"(),/:;<=>?@[\\]{}', 127, 128, 160, 255]
CONTROLS: Final = [*range(9), 11, 12, *range(14, 32), 127]

METHODS: Final = Group(
    "Methods",
    "A method is a token. It is forwarded as it is, known or not; case counts.",
    [
        *(
            Request(f"{_named(octet)} in the method", METHOD, _line(b"GE%cT / HTTP/1.1" % octet), Refused())
            for octet in NO_TOKEN
        ),
        Request("no method", METHOD, _line(b" / HTTP/1.1"), Refused()),
        Request("a method of its own", METHOD, _line(b"BREW / HTTP/1.1"), Forwarded("BREW / HTTP/1.1")),
        Request("a method in lower case is another method", METHOD, _line(b"get / HTTP/1.1"), Forwarded("get / HTTP/1.1")),
        Request(
            "every token octet in the method",
            METHOD,
            _line(b"!#$%&'*+-.^_`|~09AZaz / HTTP/1.1"),
            Forwarded("!#$%&'*+-.^_`|~09AZaz / HTTP/1.1"),
        ),
        Request("CONNECT host:port", "RFC 9110 9.3.6", b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n", Refused(501)),
        Request("CONNECT with a path", "RFC 9110 9.3.6", _line(b"CONNECT / HTTP/1.1"), Refused(501)),
        Request("OPTIONS *", "RFC 9112 3.2.4", _line(b"OPTIONS * HTTP/1.1"), Forwarded("OPTIONS * HTTP/1.1")),
        Request("* with another method", "RFC 9112 3.2.4", _line(b"GET * HTTP/1.1"), Refused()),
        Request("TRACE", METHOD, _line(b"TRACE / HTTP/1.1"), Forwarded("TRACE / HTTP/1.1")),
    ],
)

TARGETS: Final = Group(
    "Targets",
    "A target is forwarded octet by octet: never decoded, never normalised. What may stand in it is printable ASCII "
    "without `#`.",
    [
        *(
            Request(f"{_named(octet)} in the target", TARGET, _line(b"GET /a%cb HTTP/1.1" % octet), Refused())
            for octet in [*CONTROLS, 9, 32, 35]
        ),
        *(
            Request(f"8-bit octet {octet:#x} in the target", TARGET, _line(b"GET /a%cb HTTP/1.1" % octet), Refused())
            for octet in (128, 160, 195, 255)
        ),
        *(
            Request(
                f"`{target}` is left as it is",
                TARGET,
                _line(b"GET %s HTTP/1.1" % target.encode()),
                Forwarded(f"GET {target} HTTP/1.1"),
            )
            for target in (
                "/%00",
                "/%2e%2e/",
                "/../x",
                "/./x",
                "//x",
                "/a;b",
                "/a?b?c",
                "/?",
                "/%zz",
                "/%",
                "/a\\b",
                "/a|b",
                "/<>",
                '/"',
                "/{}",
                "/^`",
                "/a%23b",
                "/a%20b",
            )
        ),
        Request("no target", LINE, _line(b"GET HTTP/1.1"), Refused()),
        Request("an empty target", LINE, _line(b"GET  HTTP/1.1"), Refused()),
        Request("a target without a slash", TARGET, _line(b"GET x HTTP/1.1"), Refused()),
        Request("a query without a path", TARGET, _line(b"GET ?x HTTP/1.1"), Refused()),
        Request("authority-form without CONNECT", TARGET, _line(b"GET h:80 HTTP/1.1"), Refused()),
        Request("absolute-form", "RFC 9112 3.2.2", _line(b"GET http://h/x?y HTTP/1.1"), Forwarded("GET /x?y HTTP/1.1")),
        Request(
            "the host of absolute-form replaces Host",
            "RFC 9112 3.2.2",
            _line(b"GET http://other:8080/x HTTP/1.1"),
            Forwarded("GET /x HTTP/1.1", ("host: other:8080",)),
        ),
        Request("absolute-form without a path", "RFC 9112 3.2.2", _line(b"GET http://h HTTP/1.1"), Forwarded("GET / HTTP/1.1")),
        Request(
            "absolute-form with a query only",
            "RFC 9112 3.2.2",
            _line(b"GET http://h?x HTTP/1.1"),
            Forwarded("GET /?x HTTP/1.1"),
        ),
        Request(
            "OPTIONS in absolute-form without a path is *",
            "RFC 9112 3.2.4",
            _line(b"OPTIONS http://h HTTP/1.1"),
            Forwarded("OPTIONS * HTTP/1.1"),
        ),
        Request("the scheme in upper case", "RFC 3986 3.1", _line(b"GET HTTP://h/x HTTP/1.1"), Forwarded("GET /x HTTP/1.1")),
        Request("absolute-form without Host", "RFC 9112 3.2", b"GET http://h/ HTTP/1.1\r\n\r\n", Refused()),
        Request(
            "absolute-form with an ill-formed Host", "RFC 9112 3.2", b"GET http://h/ HTTP/1.1\r\nHost: a b\r\n\r\n", Refused()
        ),
        *(
            Request(f"`{target}`", "RFC 9110 4.2.1", _line(b"GET %s HTTP/1.1" % target.encode()), Refused())
            for target in (
                "http:///x",
                "http://",
                "http://user@h/",
                "http://user:secret@h/",
                "http://h:x/",
                "http://h:99999/",
                "http://[::1/",
                "http://a b/",
                "ftp://h/",
                "://h/",
                "http:/h/",
                "http:h",
            )
        ),
    ],
)

VERSIONS: Final = Group(
    "The version and the line",
    "Exactly one SP between the three parts, and one of two versions. What a server is told is always HTTP/1.1.",
    [
        *(
            Request(f"version `{version}`", VERSION, _line(b"GET / %s" % version.encode()), Refused())
            for version in (
                "HTTP/1.2",
                "HTTP/1.10",
                "HTTP/1.01",
                "HTTP/01.1",
                "HTTP/2.0",
                "HTTP/9.9",
                "HTTP/0.9",
                "HTTP/1",
                "HTTP/1.",
                "HTTP/1.1.1",
                "HTTP/1,1",
                "HTTP/+1.1",
                "HTTP/1.1x",
                "http/1.1",
                "Http/1.1",
                "HTTPS/1.1",
                "HTTP /1.1",
                "HTTP/ 1.1",
                "HTTP/1. 1",
                "HTTP\\1.1",
                "ICY/1.1",
                "1.1",
            )
        ),
        Request("HTTP/0.9", VERSION, b"GET /\r\n", Refused()),
        Request("HTTP/0.9 with an end", VERSION, b"GET /\r\n\r\n", Refused()),
        Request("the preface of HTTP/2", "RFC 9113 3.4", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused()),
        Request("the first octets of TLS", LINE, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), Refused()),
        Request("two SP before the target", LINE, _line(b"GET  / HTTP/1.1"), Refused()),
        Request("two SP before the version", LINE, _line(b"GET /  HTTP/1.1"), Refused()),
        Request("HTAB before the target", LINE, _line(b"GET\t/ HTTP/1.1"), Refused()),
        Request("HTAB before the version", LINE, _line(b"GET /\tHTTP/1.1"), Refused()),
        Request("SP behind the version", LINE, _line(b"GET / HTTP/1.1 "), Refused()),
        Request("HTAB behind the version", LINE, _line(b"GET / HTTP/1.1\t"), Refused()),
        Request("SP before the method", LINE, _line(b" GET / HTTP/1.1"), Refused()),
        Request("a line ended by LF", EMPTY, b"GET / HTTP/1.1\nHost: h\r\n\r\n", Refused()),
        Request("a line ended by CR", EMPTY, b"GET / HTTP/1.1\rHost: h\r\n\r\n", Refused()),
        Request("a line ended by CR CR LF", EMPTY, b"GET / HTTP/1.1\r\r\nHost: h\r\n\r\n", Refused()),
        Request("a field on the request line", LINE, b"GET / HTTP/1.1 Host: h\r\n\r\n", Refused()),
        Request("a request line without an end", LINE, b"GET / HTTP/1.1", Refused(), half_closes=True),
        Request("garbage", LINE, b"hello there\r\n\r\n", Refused()),
        Request("a response in place of a request", LINE, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", Refused()),
        Request(
            "HTTP/1.0 goes on as HTTP/1.1 and the client is closed",
            VERSION,
            b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
            Forwarded(keeps=False),
        ),
        Request(
            "HTTP/1.0 with keep-alive is kept",
            "RFC 9112 9.3",
            b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
            Forwarded(),
        ),
        Request(
            "HTTP/1.0 with keep-alive and close is closed",
            "RFC 9112 9.3",
            b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive, close\r\n\r\n",
            Forwarded(keeps=False),
        ),
    ],
)

BETWEEN: Final = Group(
    "Before and between requests",
    "A few empty lines before a request line are passed over. What follows a request on the connection is the next "
    "one, and never served behind a refusal or a close.",
    [
        *(Request(f"{count} empty lines before the request", EMPTY, b"\r\n" * count + GET, Forwarded()) for count in (1, 2, 4)),
        Request("5 empty lines before the request", EMPTY, b"\r\n" * 5 + GET, Refused()),
        Request("1,000 empty lines", EMPTY, b"\r\n" * 1000 + GET, Refused()),
        Request("empty lines ended by LF", EMPTY, b"\n\n" + GET, Refused()),
        Request("CR before the request", EMPTY, b"\r" + GET, Refused()),
        Request("NUL before the request", EMPTY, b"\0" + GET, Refused()),
        Request("a byte order mark before the request", EMPTY, b"\xef\xbb\xbf" + GET, Refused()),
        Request("an empty line between two requests", EMPTY, GET + b"\r\n" + GET, Forwarded(requests=2)),
        Request("two requests in one segment", "RFC 9112 9.3.2", GET + GET, Forwarded(requests=2)),
        Request("five requests in one segment", "RFC 9112 9.3.2", GET * 5, Forwarded(requests=5)),
        Request(
            "a body and the next request",
            "RFC 9112 6.3",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc" + GET,
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc", requests=2),
        ),
        Request(
            "chunks and the next request",
            "RFC 9112 7.1",
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + GET,
            Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), b"abc", requests=2),
        ),
        Request(
            "behind Connection: close nothing is served",
            "RFC 9112 9.6",
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n" + GET,
            Forwarded(keeps=False),
        ),
        Request(
            "behind HTTP/1.0 nothing is served",
            "RFC 9112 9.3",
            b"GET / HTTP/1.0\r\nHost: h\r\n\r\n" + GET,
            Forwarded(keeps=False),
        ),
        Request("behind a refusal nothing is served", "RFC 9112 9.6", b"GET / HTTP/1.1\r\n\r\n" + GET, Refused()),
        Request(
            "behind the length of CL and TE nothing is served",
            "RFC 9112 6.1",
            b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
            Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), keeps=False),
        ),
        Request("a client that half-closes is answered", "RFC 9112 9.6", GET, Forwarded(keeps=False), half_closes=True),
        Request("a head that never ends", LINE, GET[:-2], Refused(), half_closes=True),
    ],
)

GROUPS: Final = [METHODS, TARGETS, VERSIONS, BETWEEN]
