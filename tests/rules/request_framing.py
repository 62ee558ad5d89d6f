"""Rows: Content-Length and Transfer-Encoding of requests."""

from typing import Final

from rules.cases import POST, Forwarded, Group, Refused, Request

LENGTH: Final = "RFC 9112 6.3"
CODING: Final = "RFC 9112 6.1"
CHUNKS: Final = b"3\r\nabc\r\n0\r\n\r\n"


def _with(*lines: bytes) -> bytes:
    return b"GET / HTTP/1.1\r\nHost: h\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def _post(*lines: bytes, body: bytes = b"") -> bytes:
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


LENGTHS: Final = Group(
    "Content-Length",
    "1 to 18 ASCII digits. A list of equal numbers is that number, as RFC 9112 6.3 allows; anything else is refused.",
    [
        *(
            Request(
                f"Content-Length `{value}`",
                LENGTH,
                _post(b"Content-Length: " + value.encode("latin-1"), body=b"abc"),
                Refused(),
            )
            for value in (
                "+3",
                "-3",
                "-0",
                "3_0",
                "0_3",
                "3.0",
                "3e0",
                "0x3",
                "3 3",
                "3;",
                "3;x",
                "3,",
                ",3",
                "3,4",
                "3, 4",
                "3,,3",
                "3, ,3",
                "a",
                "3a",
                "a3",
                "\xb2",
                "\xa03",
                "",
                "'3'",
                '"3"',
                "1" * 19,
                "9" * 40,
                "18446744073709551619",
                "3,3x",
            )
        ),
        Request(
            "Content-Length `3` twice",
            LENGTH,
            _post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc"),
        ),
        Request(
            "Content-Length `3, 3`",
            LENGTH,
            _post(b"Content-Length: 3, 3", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc"),
        ),
        Request(
            "Content-Length `3,3,3`",
            LENGTH,
            _post(b"Content-Length: 3,3,3", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc"),
        ),
        Request(
            "Content-Length `003`",
            LENGTH,
            _post(b"Content-Length: 003", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 003"), b"abc"),
        ),
        Request(
            "Content-Length 3 and 003 are equal numbers",
            LENGTH,
            _post(b"Content-Length: 3", b"Content-Length: 003", body=b"abc"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 3"), b"abc"),
        ),
        Request("Content-Length 3 and 4", LENGTH, _post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"), Refused()),
        Request(
            "Content-Length 3 and nothing", LENGTH, _post(b"Content-Length: 3", b"Content-Length:", body=b"abc"), Refused()
        ),
        Request(
            "Content-Length `0` with POST",
            LENGTH,
            _post(b"Content-Length: 0"),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 0")),
        ),
        Request("POST without a length has no body", LENGTH, _post(), Forwarded("POST / HTTP/1.1")),
        Request(
            "GET with a body",
            LENGTH,
            _with(b"Content-Length: 3") + b"abc",
            Forwarded(fields=("host: h", "content-length: 3"), body=b"abc"),
        ),
        Request(
            "a body cut short by a half-close",
            "RFC 9112 8",
            _post(b"Content-Length: 5", body=b"abc"),
            Refused(0),
            half_closes=True,
        ),
        Request(
            "a body of every octet",
            LENGTH,
            _post(b"Content-Length: 256", body=bytes(range(256))),
            Forwarded("POST / HTTP/1.1", ("host: h", "content-length: 256"), bytes(range(256))),
        ),
    ],
)

CODINGS: Final = Group(
    "Transfer-Encoding",
    "Exactly one, final `chunked`. It wins over a length, which is removed, and the connection ends afterwards.",
    [
        *(
            Request(
                f"Transfer-Encoding `{value}`",
                CODING,
                _post(b"Transfer-Encoding: " + value.encode("latin-1"), body=CHUNKS),
                Refused(),
            )
            for value in (
                "",
                ",",
                "identity",
                "gzip",
                "chunked, gzip",
                "chunked, identity",
                "chunked, chunked",
                "chunked,chunked",
                "x",
                "chunkedx",
                "xchunked",
                "chunked x",
                "chunked;q=1",
                "'chunked'",
                '"chunked"',
                "chunk ed",
                "\xa0chunked",
                "chunked\xa0",
                "chunKed;",
                "chun\u212aed".encode().decode("latin-1"),
            )
        ),
        *(
            Request(
                f"Transfer-Encoding `{value}` is not known",
                CODING,
                _post(b"Transfer-Encoding: " + value.encode(), body=CHUNKS),
                Refused(501),
            )
            for value in ("gzip, chunked", "identity, chunked", "x, chunked", "deflate,chunked")
        ),
        Request(
            "Transfer-Encoding in two lines",
            CODING,
            _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=CHUNKS),
            Refused(),
        ),
        Request(
            "a second, empty Transfer-Encoding",
            CODING,
            _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding:", body=CHUNKS),
            Refused(),
        ),
        Request(
            "a second Transfer-Encoding that is unknown",
            CODING,
            _post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", body=CHUNKS),
            Refused(),
        ),
        Request(
            "Transfer-Encoding in HTTP/1.0",
            CODING,
            b"POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
            Refused(),
        ),
        *(
            Request(
                f"Transfer-Encoding `{value}` is chunked",
                CODING,
                _post(b"Transfer-Encoding:" + value.encode(), body=CHUNKS),
                Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), b"abc"),
            )
            for value in ("chunked", " chunked ", "\tchunked", "chunked\t", "chunked,", ", chunked")
        ),
        Request(
            "Transfer-Encoding in upper case",
            CODING,
            _post(b"TRANSFER-ENCODING: CHUNKED", body=CHUNKS),
            Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), b"abc"),
        ),
        Request(
            "SP before the colon of Transfer-Encoding",
            "RFC 9112 5.1",
            _post(b"Transfer-Encoding : chunked", body=CHUNKS),
            Refused(),
        ),
        Request("Transfer-Encoding folded", "RFC 9112 5.2", _post(b"Transfer-Encoding:", b" chunked", body=CHUNKS), Refused()),
        *(
            Request(
                f"{order}: the coding wins, then close",
                "RFC 9112 6.1",
                _post(*lines, body=CHUNKS),
                Forwarded("POST / HTTP/1.1", ("host: h", "transfer-encoding: chunked"), b"abc", keeps=False),
            )
            for order, lines in (
                ("CL then TE", (b"Content-Length: 3", b"Transfer-Encoding: chunked")),
                ("TE then CL", (b"Transfer-Encoding: chunked", b"Content-Length: 3")),
                ("CL 0 and TE", (b"Content-Length: 0", b"Transfer-Encoding: chunked")),
                ("CL twice and TE", (b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Content-Length: 3")),
            )
        ),
        Request(
            "an ill-formed length beside a coding",
            LENGTH,
            _post(b"Content-Length: x", b"Transfer-Encoding: chunked", body=CHUNKS),
            Refused(),
        ),
        Request(
            "differing lengths beside a coding",
            LENGTH,
            _post(b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Content-Length: 4", body=CHUNKS),
            Refused(),
        ),
        Request(
            "chunked with GET",
            CODING,
            _with(b"Transfer-Encoding: chunked") + CHUNKS,
            Forwarded(fields=("host: h", "transfer-encoding: chunked"), body=b"abc"),
        ),
    ],
)

GROUPS: Final = [LENGTHS, CODINGS]
