"""Rows: the chunked coding of requests, and, the same octets, of responses."""

from typing import Final

from rules.cases import GET, Answered, Cut, Forwarded, Group, Refused, Request, Response

CHUNKS: Final = "RFC 9112 7.1"
EXTENSIONS: Final = "RFC 9112 7.1.1"
TRAILERS: Final = "RFC 9112 7.1.2"
HEAD: Final = b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWER: Final = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FIELDS: Final = ("host: h", "transfer-encoding: chunked")

# (rule, section, the body as sent, what it carries, its trailers)
GOOD: Final[list[tuple[str, str, bytes, bytes, tuple[str, ...]]]] = [
    ("no data", CHUNKS, b"0\r\n\r\n", b"", ()),
    ("one chunk", CHUNKS, b"3\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("chunks of one octet", CHUNKS, b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n", b"abc", ()),
    ("a size in upper and lower case", CHUNKS, b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2, ()),
    ("zeros before a size", CHUNKS, b"0003\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("15 digits", CHUNKS, b"000000000000003\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("a last chunk of several zeros", CHUNKS, b"3\r\nabc\r\n000\r\n\r\n", b"abc", ()),
    ("data that look like chunks", CHUNKS, b"7\r\n0\r\n\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n\r\n", ()),
    ("every octet in the data", CHUNKS, b"100\r\n" + bytes(range(256)) + b"\r\n0\r\n\r\n", bytes(range(256)), ()),
    ("an extension is not passed on", EXTENSIONS, b"3;a=b\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("an extension on the last chunk", EXTENSIONS, b"3\r\nabc\r\n0;x\r\n\r\n", b"abc", ()),
    ("a quoted extension", EXTENSIONS, b'3;a="b;c"\r\nabc\r\n0\r\n\r\n', b"abc", ()),
    ("blanks before an extension", EXTENSIONS, b"3 \t;a\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("an extension without a name", EXTENSIONS, b"3;\r\nabc\r\n0\r\n\r\n", b"abc", ()),
    ("a trailer field", TRAILERS, b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n", b"abc", ("x-sum: 1",)),
    ("two trailer fields", TRAILERS, b"3\r\nabc\r\n0\r\nX: 1\r\nY: 2\r\n\r\n", b"abc", ("x: 1", "y: 2")),
]

# (rule, section, the body as sent): whoever is given them must not take the message for whole.
BAD: Final[list[tuple[str, str, bytes]]] = [
    *(
        (f"chunk size `{size}`", CHUNKS, size.encode("latin-1") + b"\r\nabc\r\n0\r\n\r\n")
        for size in (
            "0x3",
            "0X3",
            "+3",
            "-3",
            "3_0",
            "_3",
            " 3",
            "\t3",
            "3g",
            "g",
            "",
            "3.",
            "3,",
            "3h",
            "'3'",
            "\xb3",
            "3 3",
            "3 ",
            "3\t",
            "x;3",
        )
    ),
    ("a size of 16 digits", CHUNKS, b"0000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("a size beyond 64 bits", CHUNKS, b"10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("a size of 2**64 - 1", CHUNKS, b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
    ("endless zeros", CHUNKS, b"0" * 300 + b"3\r\nabc\r\n0\r\n\r\n"),
    ("a chunk line ended by LF", CHUNKS, b"3\nabc\r\n0\r\n\r\n"),
    ("a chunk line ended by CR", CHUNKS, b"3\rabc\r\n0\r\n\r\n"),
    ("a chunk line ended by CR CR LF", CHUNKS, b"3\r\r\nabc\r\n0\r\n\r\n"),
    ("LF behind the data", CHUNKS, b"3\r\nabc\n0\r\n\r\n"),
    ("CR behind the data", CHUNKS, b"3\r\nabc\r0\r\n\r\n"),
    ("nothing behind the data", CHUNKS, b"3\r\nabc0\r\n\r\n"),
    ("two other octets behind the data", CHUNKS, b"3\r\nabcXX0\r\n\r\n"),
    ("more data than the size", CHUNKS, b"3\r\nabcd\r\n0\r\n\r\n"),
    ("fewer data than the size", CHUNKS, b"4\r\nabc\r\n0\r\n\r\nGET"),
    ("an empty line before a size", CHUNKS, b"\r\n3\r\nabc\r\n0\r\n\r\n"),
    ("an empty line between chunks", CHUNKS, b"3\r\nabc\r\n\r\n0\r\n\r\n"),
    ("NUL in an extension", EXTENSIONS, b"3;a\0b\r\nabc\r\n0\r\n\r\n"),
    ("DEL in an extension", EXTENSIONS, b"3;a\x7fb\r\nabc\r\n0\r\n\r\n"),
    ("LF in an extension", EXTENSIONS, b"3;a\nabc\r\n0\r\n\r\n"),
    ("CR in an extension", EXTENSIONS, b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("blanks and no extension", EXTENSIONS, b"3  \r\nabc\r\n0\r\n\r\n"),
    ("an extension of 2,000 octets", EXTENSIONS, b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n"),
    ("extensions that outweigh the data", EXTENSIONS, (b"1;" + b"a" * 1000 + b"\r\nx\r\n") * 6 + b"0\r\n\r\n"),
    ("a last chunk ended by LF", CHUNKS, b"3\r\nabc\r\n0\n\r\n"),
    ("an end of LF LF", TRAILERS, b"3\r\nabc\r\n0\r\n\n"),
    ("a trailer line ended by LF", TRAILERS, b"3\r\nabc\r\n0\r\nX: 1\n\r\n"),
    ("a trailer without a colon", TRAILERS, b"3\r\nabc\r\n0\r\nX\r\n\r\n"),
    ("a trailer without a name", TRAILERS, b"3\r\nabc\r\n0\r\n: 1\r\n\r\n"),
    ("SP before a trailer's colon", TRAILERS, b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n"),
    ("a folded trailer", TRAILERS, b"3\r\nabc\r\n0\r\nX: 1\r\n 2\r\n\r\n"),
    ("a blank before a trailer", TRAILERS, b"3\r\nabc\r\n0\r\n X: 1\r\n\r\n"),
    ("NUL in a trailer's name", TRAILERS, b"3\r\nabc\r\n0\r\n\0: 1\r\n\r\n"),
    ("NUL in a trailer's value", TRAILERS, b"3\r\nabc\r\n0\r\nX: \0\r\n\r\n"),
    ("CR in a trailer's value", TRAILERS, b"3\r\nabc\r\n0\r\nX: a\rb\r\n\r\n"),
    ("trailers of 10,000 octets", TRAILERS, b"3\r\nabc\r\n0\r\nX: " + b"a" * 10000 + b"\r\n\r\n"),
    *(
        (f"trailer {name}", "RFC 9110 6.5.1", b"3\r\nabc\r\n0\r\n" + name.encode() + b": 1\r\n\r\n")
        for name in (
            "Content-Length",
            "Transfer-Encoding",
            "Host",
            "Cookie",
            "Set-Cookie",
            "Connection",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
            "Authorization",
            "Content-Encoding",
            "Content-Type",
            "Content-Range",
            "Expect",
            "Cache-Control",
            "Proxy-Connection",
            "content_length",
            "X-Forwarded-For",
        )
    ),
]

FROM_CLIENT: Final = Group(
    "Chunks from a client",
    "Sizes, extensions, line ends and trailers are parsed strictly and written afresh; extensions go no further. "
    "What breaks the grammar ends the request before a server can take it for whole.",
    [
        *(
            Request(
                f"{rule}, from a client",
                section,
                HEAD + body,
                Forwarded("POST / HTTP/1.1", FIELDS, data, trailers),
                goes_whole=len(body) > 2000,
            )
            for rule, section, body, data, trailers in GOOD
        ),
        *(
            Request(f"{rule}, from a client", section, HEAD + body + GET, Refused(), goes_whole=len(body) > 2000)
            for rule, section, body in BAD
        ),
        Request("chunks cut short by a half-close", "RFC 9112 8", HEAD + b"3\r\nabc\r\n", Refused(0), half_closes=True),
        Request(
            "a last chunk cut short by a half-close", "RFC 9112 8", HEAD + b"3\r\nabc\r\n0\r\n", Refused(0), half_closes=True
        ),
    ],
)

FROM_SERVER: Final = Group(
    "Chunks from a server",
    "The same towards the server: the client sees an aborted answer, never a clean last chunk, and the connection "
    "to the server is destroyed.",
    [
        *(
            Response(
                f"{rule}, from a server", section, ANSWER + body, Answered(200, data, trailers=trailers, keeps_server=True)
            )
            for rule, section, body, data, trailers in GOOD
        ),
        *(
            Response(
                f"{rule}, from a server",
                section,
                ANSWER + body,
                Cut(200, b"x" * 6 if b"outweigh" in rule.encode() else b"abcd"),
                ends="closes",
            )
            for rule, section, body in BAD
        ),
        Response(
            "chunks for an HTTP/1.0 client are taken off",
            "RFC 9112 7.1",
            ANSWER + b"3\r\nabc\r\n0\r\nX: 1\r\n\r\n",
            Answered(200, b"abc", lacks=("transfer-encoding",), keeps=False),
            request=b"GET / HTTP/1.0\r\nHost: h\r\n\r\n",
        ),
    ],
)

GROUPS: Final = [FROM_CLIENT, FROM_SERVER]
