"""Requests as the embedded images read them: whole, octet by octet, with more behind them, and never without a bound."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.demo.wire import (
    HEAD_OCTETS_MAX,
    INBOX_OCTETS_MAX,
    KOM_PIECE_OCTETS,
    Answer,
    Request,
    RequestReader,
    Stage,
    kom_reply,
    swazoo_date,
    swazoo_reply,
)

GET = b"GET /seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m&1 HTTP/1.1\r\nHost: linuxweb1\r\nA: 1\r\na:\t2 \r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\na=b&c"
CHUNKED = b"POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"
BLANK_FIRST = b"\r\n\r\nGET / HTTP/1.1\r\n\r\n"

READ = [
    (
        GET,
        Request("GET", "/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m&1", 1, {"host": "linuxweb1", "a": "1"}),
    ),
    (OLD, Request("GET", "/", 0)),
    (POST, Request("POST", "/x", 1, {"content-length": "5"}, b"a=b&c", 5)),
    (CHUNKED, Request("POST", "/x", 1, {"transfer-encoding": "chunked"}, b"", 13)),
    (BLANK_FIRST, Request("GET", "/", 1)),
]

NONSENSE = [
    b"hello\r\n\r\n",
    b"GET /\r\n\r\n",
    b"GET / HTTP/2.0\r\n\r\n",
    b"GET  / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    b"GET / HTTP/1.1\r\n folded: 1\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\n\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 300,
    b"GET / HTTP/1.1\r\nX: " + b"y" * HEAD_OCTETS_MAX,
]


def fed(*pieces: bytes) -> tuple[RequestReader, list[Request]]:
    reader = RequestReader()
    found = []
    for piece in pieces:
        reader.feed(piece)
        while (request := reader.next_request()) is not None:
            found.append(request)
    return reader, found


@pytest.mark.parametrize(("octets", "request_read"), READ)
def test_request_is_read_whole(octets: bytes, request_read: Request) -> None:
    reader, found = fed(octets)
    assert found == [request_read]
    assert reader.stage is Stage.HEAD


@pytest.mark.parametrize(("octets", "request_read"), READ)
def test_request_is_read_octet_by_octet(octets: bytes, request_read: Request) -> None:
    assert fed(*(bytes([octet]) for octet in octets))[1] == [request_read]


@pytest.mark.parametrize(("octets", "request_read"), READ)
def test_request_is_read_with_another_behind_it(octets: bytes, request_read: Request) -> None:
    assert fed(octets + OLD)[1] == [request_read, Request("GET", "/", 0)]


@pytest.mark.parametrize("octets", NONSENSE)
def test_nonsense_makes_the_reader_deaf_for_good(octets: bytes) -> None:
    reader, found = fed(octets, GET)
    assert (reader.stage, found) == (Stage.DEAF, [])
    whole, found = fed(*(bytes([octet]) for octet in octets))
    assert (whole.stage, found) == (Stage.DEAF, [])


def test_long_body_is_counted_and_not_kept() -> None:
    reader, found = fed(b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n", *[bytes(1000)] * 1000)
    assert [(request.form, request.body_octets) for request in found] == [(b"", 1_000_000)]
    assert reader.stage is Stage.HEAD


PIECES = st.sampled_from([GET, POST, CHUNKED, b"\r\n", b"0", b"GET ", b"\x00", b"x" * 5000])


@given(st.lists(PIECES | st.binary(max_size=40), max_size=30))
def test_no_octets_keep_more_than_the_bound(pieces: list[bytes]) -> None:
    reader = RequestReader()
    for piece in pieces:
        if not reader.is_full():
            reader.feed(piece)
        while reader.next_request() is not None:
            pass
        assert not reader.is_full() or reader.stage is Stage.DEAF


def test_pipelined_requests_that_nobody_takes_fill_the_reader() -> None:
    reader = RequestReader()
    sent_octets = 0
    while not reader.is_full():
        reader.feed(GET)
        sent_octets += len(GET)
    assert INBOX_OCTETS_MAX <= sent_octets < INBOX_OCTETS_MAX + len(GET)
    assert reader.next_request() is not None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a?b?c=d", "/a", "b?c=d"),
        ("/a", "/a", ""),
        ("http://h:80/a/b?c", "/a/b", "c"),
        ("http://h", "/", ""),
        ("*", "*", ""),
    ],
)
def test_path_and_query_of_a_target(target: str, path: str, query: str) -> None:
    request = Request("GET", target)
    assert (request.path, request.query) == (path, query)


def test_date_has_an_hour_of_one_digit() -> None:
    assert swazoo_date(1795405633.0) == "Mon, 23 Nov 2026 3:47:13 GMT"


@pytest.mark.parametrize(
    ("request_read", "closes"),
    [
        (Request("GET", "/"), False),
        (Request("GET", "/", 0), True),
        (Request("GET", "/", 0, {"connection": "keep-alive"}), True),
        (Request("GET", "/", 1, {"connection": "foo, Close"}), True),
        (Request("GET", "/", 1, {"connection": "closed"}), False),
        (Request("POST", "/"), True),
        (Request("HEAD", "/"), True),
    ],
)
def test_which_requests_end_a_swazoo_connection(request_read: Request, closes: bool) -> None:
    assert swazoo_reply(Answer(404, b"x"), request_read, 0.0).closes is closes


def test_kom_flushes_the_head_alone_and_the_body_in_pieces() -> None:
    reply = kom_reply(Answer(200, bytes(KOM_PIECE_OCTETS + 1)), Request("GET", "/"), 0.0)
    assert reply.pieces[0].endswith(b"\r\n\r\n")
    assert [len(piece) for piece in reply.pieces[1:]] == [KOM_PIECE_OCTETS, 1]
