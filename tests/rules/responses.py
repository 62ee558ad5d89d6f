"""Rows: heads and framing of what a server sends."""

from typing import Final

from rules.cases import Answered, Group, Response

STATUS: Final = "RFC 9112 4"
FIELDS: Final = "RFC 9112 5"
LENGTH: Final = "RFC 9112 6.3"
CODING: Final = "RFC 9112 6.1"
INTERIM: Final = "RFC 9110 15.2"
UPGRADE: Final = "RFC 9110 7.8"
KEPT: Final = "RFC 9112 9.3"
CUT: Final = "RFC 9112 8"

HEAD: Final = b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
OLD: Final = b"GET / HTTP/1.0\r\nHost: h\r\n\r\n"
SWITCH: Final = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"
CONTROLS: Final = [*range(9), 11, 12, *range(14, 32), 127]
BAD: Final = Answered(502)


def answer(*lines: bytes, body: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def _line(line: bytes) -> bytes:
    return line + b"\r\nContent-Length: 2\r\n\r\nok"


LINES: Final = Group(
    "Status lines",
    "HTTP/1.0 or 1.1, three digits, a reason or none; anything else is 502 and the connection is destroyed.",
    [
        *(
            Response(f"status line `{line}`", STATUS, _line(line.encode("latin-1")), BAD)
            for line in (
                "HTTP/1.1 20 OK",
                "HTTP/1.1 2000 OK",
                "HTTP/1.1 2 OK",
                "HTTP/1.1 000 OK",
                "HTTP/1.1 099 OK",
                "HTTP/1.1 +20 OK",
                "HTTP/1.1 -20 OK",
                "HTTP/1.1 2_0 OK",
                "HTTP/1.1 20x OK",
                "HTTP/1.1 OK",
                "HTTP/1.1",
                "HTTP/1.1 ",
                "HTTP/1.1  200 OK",
                "HTTP/1.1\t200 OK",
                "HTTP/1.1 200\tOK",
                "HTTP/1.1 2 00 OK",
                "HTTP/2.0 200 OK",
                "HTTP/2 200",
                "HTTP/1.10 200 OK",
                "HTTP/1.2 200 OK",
                "HTTP/0.9 200 OK",
                "HTTP/1 200 OK",
                "http/1.1 200 OK",
                "ICY 200 OK",
                "HTTP 200 OK",
                " HTTP/1.1 200 OK",
                "200 OK",
                "<html>",
                "HTTP/1.1 200OK",
                "HTTP/1.1 \xb2\xb0\xb0 OK",
            )
        ),
        *(
            Response(f"octet {octet:#04x} in the reason", "RFC 9112 4", _line(b"HTTP/1.1 200 O%cK" % octet), BAD)
            for octet in CONTROLS
        ),
        Response("CR in the reason", STATUS, _line(b"HTTP/1.1 200 O\rK"), BAD),
        Response("a status line ended by LF", STATUS, b"HTTP/1.1 200 OK\nContent-Length: 2\r\n\r\nok", BAD),
        Response("no reason", STATUS, _line(b"HTTP/1.1 200 "), Answered(200, b"ok", keeps_server=True)),
        Response("no reason and no SP", STATUS, _line(b"HTTP/1.1 200"), Answered(200, b"ok", keeps_server=True)),
        Response("a reason of 8-bit octets", STATUS, _line(b"HTTP/1.1 200 \xc3\xa9"), Answered(200, b"ok", keeps_server=True)),
        Response("status 299", STATUS, _line(b"HTTP/1.1 299 Odd"), Answered(299, b"ok", keeps_server=True)),
        Response("status 999", STATUS, _line(b"HTTP/1.1 999 Odd"), Answered(999, b"ok", keeps_server=True)),
        Response("empty lines before the status line", STATUS, b"\r\n" + answer(b"Content-Length: 2", body=b"ok"), BAD),
        Response("garbage of a server", STATUS, b"hello there\r\n\r\n", BAD),
        Response("octets of a mail server", STATUS, b"220 mail ESMTP\r\n", BAD),
        Response("NUL octets", STATUS, bytes(100), BAD),
        Response("nothing, then the end", "RFC 9110 15.6.3", b"", BAD, ends="closes", flags="SH"),
        Response("half a status line, then the end", CUT, b"HTTP/1.1 20", BAD, ends="closes", flags="SH"),
        Response("half a head, then the end", CUT, b"HTTP/1.1 200 OK\r\nContent-Le", BAD, ends="closes", flags="SH"),
        Response("half a head, then a reset", CUT, b"HTTP/1.1 200 OK\r\nContent-Le", BAD, ends="resets", flags="SH"),
    ],
)

HEADS: Final = Group(
    "Field lines of answers",
    "As strict as towards the client: 502.",
    [
        *(
            Response(
                f"octet {octet:#04x} in a value of an answer",
                "RFC 9110 5.5",
                answer(b"Content-Length: 2", b"X: a%cb" % octet, body=b"ok"),
                BAD,
            )
            for octet in CONTROLS
        ),
        *(
            Response(
                f"octet {octet:#04x} in a name of an answer",
                FIELDS,
                answer(b"Content-Length: 2", b"X%cY: 1" % octet, body=b"ok"),
                BAD,
            )
            for octet in (0, 9, 32, 34, 40, 47, 59, 64, 127, 128, 255)
        ),
        Response("SP before the colon of an answer", "RFC 9112 5.1", answer(b"Content-Length : 2", body=b"ok"), BAD),
        Response("a folded line of an answer", "RFC 9112 5.2", answer(b"Content-Length: 2", b"X: a", b" b", body=b"ok"), BAD),
        Response("a line of an answer without a colon", FIELDS, answer(b"Content-Length: 2", b"X", body=b"ok"), BAD),
        Response("an empty name in an answer", FIELDS, answer(b"Content-Length: 2", b": x", body=b"ok"), BAD),
        Response("a line of an answer ended by LF", FIELDS, b"HTTP/1.1 200 OK\r\nContent-Length: 2\nX: 1\r\n\r\nok", BAD),
        Response("a head of an answer ended by LF LF", FIELDS, b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", BAD),
        Response(
            "LF LF behind lines of an answer that CR LF ended", FIELDS, b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\nok", BAD
        ),
        Response("LF LF behind an interim answer's line", FIELDS, b"HTTP/1.1 103 E\r\nLink: a\n\n", BAD),
        Response("CR in a value of an answer", FIELDS, answer(b"Content-Length: 2", b"X: a\rb", body=b"ok"), BAD),
        Response(
            "a head of an answer of 20,000 octets",
            "RFC 9112 2.1",
            answer(b"Content-Length: 2", b"X: " + b"a" * 20000, body=b"ok"),
            BAD,
        ),
        Response("a head of an answer without an end", "RFC 9112 2.1", answer()[:-2] + b"X: a\r\n" * 5000, BAD),
        Response(
            "200 fields in an answer",
            "RFC 9112 2.1",
            answer(b"Content-Length: 2", *(b"X: %d" % n for n in range(200)), body=b"ok"),
            BAD,
        ),
        Response(
            "all other fields go on, in order",
            FIELDS,
            answer(b"X: 1", b"Content-Length: 2", b"x: 2", b"Set-Cookie: a=b", b"Set-Cookie: c=d", body=b"ok"),
            Answered(200, b"ok", has=("x: 1", "x: 2", "set-cookie: a=b", "set-cookie: c=d"), keeps_server=True),
        ),
        Response(
            "8-bit octets in a value of an answer",
            FIELDS,
            answer(b"Content-Length: 2", b"X: \xe9\x85", body=b"ok"),
            Answered(200, b"ok", has=("x: \xe9\x85",), keeps_server=True),
        ),
        Response(
            "a malformed Date goes on",
            "Swazoo",
            answer(b"Content-Length: 2", b"Date: Mon, 23 Nov 2026 3:47:13 GMT", body=b"ok"),
            Answered(200, b"ok", has=("date: Mon, 23 Nov 2026 3:47:13 GMT",), keeps_server=True),
        ),
    ],
)

FRAMES: Final = Group(
    "Where an answer ends",
    "One length, or one final chunked, or the end of the connection; doubt is 502.",
    [
        *(
            Response(
                f"Content-Length `{value}` of an answer",
                LENGTH,
                answer(b"Content-Length: " + value.encode("latin-1"), body=b"abc"),
                BAD,
                ends="closes",
            )
            for value in ("+3", "-3", "3_0", "0x3", "3 3", "3,4", "3;", "a", "", "3,", "\xb3", "1" * 19)
        ),
        Response(
            "two equal lengths of an answer",
            LENGTH,
            answer(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"),
            Answered(200, b"abc", has=("content-length: 3",), keeps_server=True),
        ),
        Response(
            "a list of equal lengths of an answer",
            LENGTH,
            answer(b"Content-Length: 3, 3", body=b"abc"),
            Answered(200, b"abc", has=("content-length: 3",), keeps_server=True),
        ),
        Response(
            "two differing lengths of an answer",
            LENGTH,
            answer(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"),
            BAD,
            ends="closes",
        ),
        *(
            Response(
                f"Transfer-Encoding `{value}` of an answer",
                CODING,
                answer(b"Transfer-Encoding: " + value.encode("latin-1"), body=b"3\r\nabc\r\n0\r\n\r\n"),
                BAD,
                ends="closes",
            )
            for value in (
                "",
                "identity",
                "gzip",
                "chunked, gzip",
                "chunked, chunked",
                "x",
                "xchunked",
                "chunked x",
                '"chunked"',
                "gzip, chunked",
            )
        ),
        Response(
            "two codings of an answer",
            CODING,
            answer(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
            BAD,
        ),
        Response(
            "a coding in an HTTP/1.0 answer",
            CODING,
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            BAD,
            ends="closes",
        ),
        Response(
            "length and coding: the coding wins, the server's connection ends",
            CODING,
            answer(b"Content-Length: 99", b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
            Answered(200, b"abc", has=("transfer-encoding: chunked",), lacks=("content-length",), keeps_server=False),
        ),
        Response(
            "coding and length, the other way round",
            CODING,
            answer(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"3\r\nabc\r\n0\r\n\r\n"),
            Answered(200, b"abc", lacks=("content-length",), keeps_server=False),
        ),
        Response(
            "no length: until the end of the connection",
            LENGTH,
            answer(body=b"abc"),
            Answered(200, b"abc", keeps=False),
            ends="closes",
        ),
        Response(
            "no length, for an HTTP/1.0 client",
            LENGTH,
            answer(body=b"abc"),
            Answered(200, b"abc", keeps=False),
            request=OLD,
            ends="closes",
        ),
        Response(
            "an HTTP/1.0 answer is told as 1.1",
            "RFC 9112 2.3",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            Answered(200, b"ok", keeps_server=False),
        ),
        Response(
            "an answer to HEAD has no body whatever it says",
            LENGTH,
            answer(b"Content-Length: 5"),
            Answered(200, b"", has=("content-length: 5",), keeps_server=True),
            request=HEAD,
        ),
        Response(
            "an answer to HEAD with a coding",
            LENGTH,
            answer(b"Transfer-Encoding: chunked"),
            Answered(200, b"", keeps_server=True),
            request=HEAD,
        ),
        Response("an answer to HEAD without a length", LENGTH, answer(), Answered(200, b"", keeps_server=True), request=HEAD),
        Response(
            "a body behind an answer to HEAD reaches nobody",
            LENGTH,
            answer(b"Content-Length: 5", body=b"hello"),
            Answered(200, b"", keeps_server=False),
            request=HEAD,
        ),
        Response(
            "204 has no body and no length",
            "RFC 9110 15.3.5",
            b"HTTP/1.1 204 No\r\nContent-Length: 0\r\n\r\n",
            Answered(204, b"", lacks=("content-length",), keeps_server=True),
        ),
        Response(
            "a coding on 204 is removed",
            "RFC 9112 6.1",
            b"HTTP/1.1 204 No\r\nTransfer-Encoding: chunked\r\n\r\n",
            Answered(204, b"", lacks=("transfer-encoding",), keeps_server=True),
        ),
        Response(
            "a body behind 204 reaches nobody",
            "RFC 9110 15.3.5",
            b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
            Answered(204, b"", lacks=("content-length",), keeps_server=False),
        ),
        Response(
            "304 has no body, its length stays",
            "RFC 9110 15.4.5",
            b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\n",
            Answered(304, b"", has=("content-length: 5",), keeps_server=True),
        ),
        Response(
            "a body behind 304 reaches nobody",
            "RFC 9110 15.4.5",
            b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nhello",
            Answered(304, b"", keeps_server=False),
        ),
        Response(
            "surplus octets behind the length reach nobody",
            "RFC 9112 9.2",
            answer(b"Content-Length: 2", body=b"okSURPLUS"),
            Answered(200, b"ok", keeps_server=False),
        ),
        Response(
            "a second answer behind the first reaches nobody",
            "RFC 9112 9.2",
            answer(b"Content-Length: 2", body=b"ok") * 2,
            Answered(200, b"ok", keeps_server=False),
        ),
        Response(
            "surplus octets behind the last chunk reach nobody",
            "RFC 9112 9.2",
            answer(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\nSURPLUS"),
            Answered(200, b"ok", keeps_server=False),
        ),
    ],
)

GROUPS: Final = [LINES, HEADS, FRAMES]
