"""Rows: interim answers, upgrades, what an answer leaves behind, and answers that are cut."""

from typing import Final

from rules.cases import Answered, Cut, Group, Response
from rules.responses import BAD, OLD, answer

INTERIM: Final = "RFC 9110 15.2"
UPGRADE: Final = "RFC 9110 7.8"
KEPT: Final = "RFC 9112 9.3"
CUT: Final = "RFC 9112 8"
SWITCH: Final = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"

INTERIMS: Final = Group(
    "Interim answers and upgrades",
    "Interim answers pass, bounded in number; none goes to an HTTP/1.0 client. 101 is believed only where an "
    "Upgrade was passed on.",
    [
        Response(
            "100 before the answer",
            INTERIM,
            b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", interim=(100,), keeps_server=True),
        ),
        Response(
            "103 with fields",
            INTERIM,
            b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", interim=(103,), keeps_server=True),
        ),
        Response(
            "several interim answers",
            INTERIM,
            b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 102 P\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", interim=(100, 102, 103), keeps_server=True),
        ),
        Response(
            "a length in an interim answer is removed",
            "RFC 9110 8.6",
            b"HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", interim=(103,), keeps_server=True),
        ),
        Response(
            "interim answers do not reach an HTTP/1.0 client",
            INTERIM,
            b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", keeps=False),
            request=OLD,
        ),
        Response(
            "an endless train of interim answers", INTERIM, b"HTTP/1.1 100 C\r\n\r\n" * 200, Answered(502, interim=(100,) * 100)
        ),
        Response(
            "an ill-formed interim answer",
            INTERIM,
            b"HTTP/1.1 100 C\r\nX\r\n\r\n" + answer(b"Content-Length: 2", body=b"ok"),
            BAD,
        ),
        Response(
            "an interim answer, then the end",
            CUT,
            b"HTTP/1.1 103 E\r\n\r\n",
            Answered(502, interim=(103,)),
            ends="closes",
            flags="SH",
        ),
        Response(
            "101 that nobody asked for", UPGRADE, b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nGET", BAD
        ),
        Response("101 without an Upgrade of its own", UPGRADE, b"HTTP/1.1 101 Switching\r\n\r\n", BAD, request=SWITCH),
        Response(
            "a refused upgrade stays HTTP",
            UPGRADE,
            answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", keeps_server=True),
            request=SWITCH,
        ),
        Response(
            "426 stays HTTP and says what to upgrade to",
            "RFC 9110 15.5.22",
            b"HTTP/1.1 426 Upgrade\r\nUpgrade: y\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
            Answered(426, b"", has=("upgrade: y", "connection: upgrade"), keeps_server=True),
            request=SWITCH,
        ),
    ],
)

HOPS: Final = Group(
    "What an answer leaves behind",
    "Connection and what it nominates concern the server's connection alone.",
    [
        Response(
            "Connection: close of a server does not close the client",
            KEPT,
            answer(b"Connection: close", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", lacks=("connection",), keeps_server=False),
            ends="closes",
        ),
        Response(
            "Connection: close with surplus words",
            KEPT,
            answer(b"Connection: x, CLOSE", b"X: 1", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", lacks=("connection", "x"), keeps_server=False),
            ends="closes",
        ),
        Response(
            "Keep-Alive of a server",
            "RFC 9110 7.6.1",
            answer(b"Connection: keep-alive", b"Keep-Alive: timeout=5", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", lacks=("keep-alive", "connection"), keeps_server=True),
        ),
        Response(
            "nominated fields of an answer",
            "RFC 9110 7.6.1",
            answer(b"Connection: x", b"X: 1", b"Y: 2", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", has=("y: 2",), lacks=("x",), keeps_server=True),
        ),
        Response(
            "Set-Cookie cannot be nominated",
            "RFC 9110 7.6.1",
            answer(b"Connection: set-cookie, content-length", b"Set-Cookie: a=b", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", has=("set-cookie: a=b",), keeps_server=True),
        ),
        Response(
            "Upgrade of an answer other than 101",
            UPGRADE,
            answer(b"Upgrade: h2c", b"Connection: upgrade", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", lacks=("upgrade",), keeps_server=True),
        ),
        Response(
            "Proxy-Connection of a server",
            "RFC 9110 7.6.1",
            answer(b"Proxy-Connection: keep-alive", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", lacks=("proxy-connection",), keeps_server=True),
        ),
        Response(
            "a POST whose answer is silent on keeping the connection",
            KEPT,
            answer(b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", keeps_server=False),
            request=b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        ),
        Response(
            "a POST whose answer says keep-alive",
            KEPT,
            answer(b"Connection: keep-alive", b"Content-Length: 2", body=b"ok"),
            Answered(200, b"ok", keeps_server=True),
            request=b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        ),
    ],
)

TRUNCATED: Final = Group(
    "Truncation is visible",
    "An answer that the server cuts ends with an abort towards the client; the log says SD.",
    [
        Response(
            "a length cut by an orderly end",
            CUT,
            answer(b"Content-Length: 10", body=b"abc"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "a length cut by a reset",
            CUT,
            answer(b"Content-Length: 10", body=b"abc"),
            Cut(200, b"abc"),
            ends="resets",
            flags="SD",
        ),
        Response(
            "a length cut before its first octet", CUT, answer(b"Content-Length: 10"), Cut(200, b""), ends="closes", flags="SD"
        ),
        Response(
            "a length cut before its last octet",
            CUT,
            answer(b"Content-Length: 10", body=b"012345678"),
            Cut(200, b"012345678"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut before the first", CUT, answer(b"Transfer-Encoding: chunked"), Cut(200, b""), ends="closes", flags="SD"
        ),
        Response(
            "chunks cut inside the size",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n1"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut inside the data",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"9\r\nabc"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut behind the data",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut between two",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut behind the last chunk's line",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut inside the trailers",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\nX: 1\r\n"),
            Cut(200, b"abc"),
            ends="closes",
            flags="SD",
        ),
        Response(
            "chunks cut by a reset",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
            Cut(200, b"abc"),
            ends="resets",
            flags="SD",
        ),
        Response(
            "chunks cut, for an HTTP/1.0 client",
            CUT,
            answer(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"),
            Cut(200, b"abc"),
            request=OLD,
            ends="closes",
            flags="SD",
        ),
        Response("until the end, cut by a reset", CUT, answer(body=b"abc"), Cut(200, b"abc"), ends="resets", flags="SD"),
        Response(
            "a length cut, for an HTTP/1.0 client",
            CUT,
            answer(b"Content-Length: 10", body=b"abc"),
            Cut(200, b"abc"),
            request=OLD,
            ends="closes",
            flags="SD",
        ),
    ],
)

GROUPS: Final = [INTERIMS, HOPS, TRUNCATED]
