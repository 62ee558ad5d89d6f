"""Bodies: where they end, what is refused, and that an independent reader finds the same payload in what goes on."""

from itertools import pairwise

import h11
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from balancer.http.framing import CHUNKED, FORBIDDEN_TRAILERS, LENGTH, NO_BODY, UNTIL_CLOSE, Body


def feed(body: Body, pieces: list[bytes]) -> tuple[bytes, int]:
    """Feeds the pieces until the body is done or bad; what is to be sent on, and how many octets belonged to it."""
    taken = 0
    for piece in pieces:
        if body.is_done or body.is_bad:
            break
        taken += body.feed(piece, 0)
    sent = b"".join(body.out)
    body.out = []
    return sent, taken


def chunked(raw: bytes, step: int = 0, writes_chunks: bool = False) -> Body:
    """A chunked body fed with `raw` in steps of so many octets, 0 for whole; its payload stays in `out`."""
    body = Body(CHUNKED, -1, writes_chunks)
    for at in range(0, len(raw), step or len(raw) or 1):
        if body.is_done or body.is_bad:
            break
        body.feed(raw[at : at + (step or len(raw))], 0)
    return body


def independently_read(sent: bytes, field: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """The payload and the trailers that h11 finds in `sent` as the body of a response."""
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n" + sent)
    payload = b""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Data):
            payload += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            return payload, [(bytes(name), bytes(value)) for name, value in event.headers]
        else:
            assert isinstance(event, h11.Response), event


# --- lengths and ends --------------------------------------------------------------------------------------------------


def test_no_body_takes_nothing() -> None:
    body = Body(NO_BODY, 0, False)
    assert body.is_done
    assert body.feed(b"GET / HTTP/1.1", 0) == 0
    assert body.out == []


def test_a_length_of_zero_is_done_at_once() -> None:
    body = Body(LENGTH, 0, False)
    assert body.is_done
    assert body.feed(b"abc", 1) == 1
    assert body.out == []


@given(st.binary(max_size=40), st.binary(max_size=10), st.integers(1, 9), st.integers(0, 5))
def test_a_length_takes_exactly_its_octets_in_every_split(payload: bytes, behind: bytes, step: int, offset: int) -> None:
    body = Body(LENGTH, len(payload), False)
    stream = payload + behind
    at = 0
    while at < len(stream) and not body.is_done:
        piece = b"#" * offset + stream[at : at + step]
        at += body.feed(piece, offset) - offset
    assert body.is_done
    assert at == len(payload)
    assert b"".join(body.out) == payload
    assert body.data_octets == len(payload)


def test_a_cut_length_is_told_from_a_whole_one() -> None:
    body = Body(LENGTH, 3, False)
    body.feed(b"ab", 0)
    assert not body.is_done
    assert not body.end_of_stream()
    body.feed(b"c", 0)
    assert body.end_of_stream()


def test_a_huge_length_is_counted() -> None:
    body = Body(LENGTH, 999999999999999999, False)
    assert body.feed(b"x" * 100, 0) == 100
    assert body.left == 999999999999999899


def test_whole_pieces_go_on_without_a_copy() -> None:
    piece = b"x" * 100
    for body in (Body(LENGTH, 200, False), Body(UNTIL_CLOSE, -1, False)):
        body.feed(piece, 0)
        assert body.out[0] is piece


def test_until_close_ends_with_the_stream() -> None:
    body = Body(UNTIL_CLOSE, -1, False)
    assert body.feed(b"xabc", 1) == 4
    assert body.feed(b"", 0) == 0
    assert (body.is_done, body.end_of_stream()) == (False, True)
    assert body.is_done
    assert b"".join(body.out) == b"abc"


def test_until_close_can_be_written_in_chunks() -> None:
    body = Body(UNTIL_CLOSE, -1, True)
    body.feed(b"abc", 0)
    body.feed(b"", 0)
    body.feed(b"de", 0)
    assert body.end_of_stream()
    assert body.end_of_stream()
    assert independently_read(b"".join(body.out), b"Transfer-Encoding: chunked")[0] == b"abcde"


def test_a_cut_chunked_body_is_told_from_a_whole_one_at_every_place() -> None:
    raw = b"3;x=y\r\nabc\r\n0\r\nA: b\r\n\r\n"
    for end in range(len(raw)):
        body = chunked(raw[:end], writes_chunks=True)
        assert not body.is_bad
        assert not body.end_of_stream()
        assert b"0\r\n" not in b"".join(body.out), "a truncated body never has a last chunk"
    assert chunked(raw).end_of_stream()


# --- chunks in every split ---------------------------------------------------------------------------------------------

GOOD = [
    (b"0\r\n\r\n", b""),
    (b"3\r\nabc\r\n0\r\n\r\n", b"abc"),
    (b"00003\r\nabc\r\n000\r\n\r\n", b"abc"),
    (b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    (b"3;a\r\nabc\r\n0;b=c\r\n\r\n", b"abc"),
    (b"3 ;a\r\nabc\r\n0\t;\tb=c\r\n\r\n", b"abc"),
    (b'3;a="b;c \xff"\r\nabc\r\n0\r\n\r\n', b"abc"),
    (b"5\r\n\r\n0\r\n\r\n0\r\n\r\n", b"\r\n0\r\n"),
    (b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nA: b\r\nC:d\r\n\r\n", b"abc"),
    (b"3\r\nabc\r\n0\r\nX-Empty:\r\n\r\n", b"abc"),
    (b"000000000000003\r\nabc\r\n0\r\n\r\n", b"abc"),
]


@pytest.mark.parametrize(("raw", "payload"), GOOD)
@pytest.mark.parametrize("behind", [b"", b"\r\n", b"GET / HTTP/1.1\r\n\r\n", b"0\r\n\r\n"])
def test_chunks_are_read_whole_and_in_every_cut_with_octets_behind(raw: bytes, payload: bytes, behind: bytes) -> None:
    stream = raw + behind
    for cut in range(len(stream)):
        body = Body(CHUNKED, -1, False)
        sent, taken = feed(body, [stream[:cut], stream[cut:]])
        assert (sent, taken, body.is_done, body.is_bad) == (payload, len(raw), True, False)
        assert body.data_octets == len(payload)


@pytest.mark.parametrize(("raw", "payload"), GOOD)
@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_chunks_are_written_afresh(raw: bytes, payload: bytes, step: int) -> None:
    body = chunked(raw, step, writes_chunks=True)
    sent = b"".join(body.out)
    assert independently_read(sent, b"Transfer-Encoding: chunked")[0] == payload
    assert b";" not in sent


def test_trailers_go_on() -> None:
    raw = b"1\r\nx\r\n0\r\nA: b\r\nC:  d\r\n\r\n"
    for step in range(1, 9):
        sent = b"".join(chunked(raw, step, writes_chunks=True).out)
        assert independently_read(sent, b"Transfer-Encoding: chunked") == (b"x", [(b"a", b"b"), (b"c", b"d")])


def test_trailers_do_not_reach_a_client_that_takes_no_chunks() -> None:
    assert b"".join(chunked(b"1\r\nx\r\n0\r\nA: b\r\n\r\n").out) == b"x"


@pytest.mark.parametrize("behind", [b"\r\n", b"X: injected\r\n\r\n", b"5\r\nabcde\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"])
@pytest.mark.parametrize("kind", [CHUNKED, LENGTH, NO_BODY])
def test_a_done_body_takes_and_gives_nothing_more(kind: int, behind: bytes) -> None:
    body = Body(kind, 3, kind == CHUNKED)
    feed(body, [b"3\r\nabc\r\n0\r\n\r\n" if kind == CHUNKED else b"abc"])
    assert body.is_done
    assert body.feed(behind, 0) == 0
    assert body.feed(behind, 2) == 2
    assert body.out == []
    assert not body.is_bad


# --- what is refused ---------------------------------------------------------------------------------------------------

BAD = [
    b"\r\n",
    b"x\r\n",
    b"-1\r\n",
    b"+3\r\nabc",
    b" 3\r\nabc",
    b"\t3\r\n",
    b"0x3\r\nabc",
    b"3_0\r\n",
    b"3 \r\nabc",
    b"3\t\r\nabc",
    b"3 3\r\nabc",
    b"3\nabc",
    b"3;a\nabc",
    b"3\r\rabc",
    b"3\rabc",
    b"3;a\rb\r\nabc",
    b"3;a\x00\r\nabc",
    b"3;a\x7f\r\nabc",
    b"3 a\r\nabc",
    b"3 =;a\r\nabc",
    b"g\r\n",
    b"\xb3\r\n",
    b";a\r\nabc",
    b"3\x00\r\nabc",
    b"3\x0b\r\nabc",
    b"3\r\nabcd",
    b"3\r\nabc\n0\r\n\r\n",
    b"3\r\nabc\rX",
    b"3\r\nabc\r\r\n",
    b"3\r\nabc0\r\n\r\n",
    b"3\r\nabcX\n0\r\n\r\n",
    b"1000000000000000\r\n",
    b"ffffffffffffffff\r\n",
    b"0000000000000003\r\nabc",
    b"0" * 40,
    b"8000000000000003\r\n",
    b"0\r\n:\r\n",
    b"0\r\n: b\r\n\r\n",
    b"0\r\nA : b\r\n\r\n",
    b"0\r\n A: b\r\n\r\n",
    b"0\r\nA: b\r\n c\r\n\r\n",
    b"0\r\nA\r\n\r\n",
    b"0\r\nA: b\nC: d\r\n\r\n",
    b"0\r\nA: b\rC\r\n\r\n",
    b"0\r\nA: \x00\r\n\r\n",
    b"0\r\n\x00: a\r\n\r\n",
    b"0\r\nA\xe9: a\r\n\r\n",
    b"0\r\nGET / HTTP/1.1\r\n\r\n",
    b"0\r\n\nX\r\n\r\n",
]


@pytest.mark.parametrize("raw", BAD)
@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_doubtful_chunk_framing_is_refused(raw: bytes, step: int) -> None:
    body = chunked(raw + b"\r\n\r\n" if step == 0 else raw, step, writes_chunks=True)
    assert body.is_bad
    assert not body.is_done
    assert b"0\r\n" not in b"".join(body.out)
    assert not body.end_of_stream()


@pytest.mark.parametrize("name", sorted(FORBIDDEN_TRAILERS))
def test_a_trailer_that_would_change_the_message_is_refused(name: bytes) -> None:
    for spelt in (name, name.upper(), name.title()):
        assert chunked(b"0\r\nA: b\r\n" + spelt + b": 5\r\n\r\n").is_bad


def test_extensions_are_bounded_by_line_and_by_what_they_come_with() -> None:
    assert not chunked(b"1;" + b"a" * 1000 + b"\r\n").is_bad
    assert chunked(b"1;" + b"a" * 1100).is_bad
    assert chunked(b"1" + b" " * 5000).is_bad
    one = b"1;" + b"a" * 500 + b"\r\nx\r\n"
    assert chunked(one * 20).is_bad
    large = b"400;" + b"a" * 500 + b"\r\n" + b"x" * 1024 + b"\r\n"
    assert not chunked(large * 50).is_bad, "data earn what extensions spend"


def test_trailers_are_bounded() -> None:
    assert chunked(b"0\r\n" + b"A: b\r\n" * 1300 + b"\r\n").is_done
    for step in (0, 997):
        body = chunked(b"0\r\n" + b"A: b\r\n" * 2000, step)
        assert body.is_bad
        assert len(body.trailer) < 9000
    assert chunked(b"0\r\nA: " + b"b" * 20000, 1000).is_bad


def test_what_came_is_held_only_while_a_trailer_is_unfinished() -> None:
    body = chunked(b"ffff\r\n" + b"x" * 5000)
    assert body.trailer == b""
    assert sum(len(piece) for piece in body.out) == 5000


# --- properties --------------------------------------------------------------------------------------------------------

EXTENSION = st.sampled_from([b"", b";a", b" ; a=b", b';a="b c"'])
CHUNKS = st.lists(st.tuples(st.binary(min_size=1, max_size=30), EXTENSION, st.booleans()), max_size=6)
TRAILERS = st.lists(st.sampled_from([b"A: b", b"X-Y:\tz ", b"C:"]), max_size=3)


@settings(max_examples=150)
@given(CHUNKS, TRAILERS, st.binary(max_size=8), st.lists(st.integers(1, 200), max_size=8))
def test_any_chunking_in_any_split_keeps_payload_and_end(
    chunks: list[tuple[bytes, bytes, bool]], trailers: list[bytes], behind: bytes, cuts: list[int]
) -> None:
    raw = b"".join([(b"%X" if upper else b"%x") % len(data) + ext + b"\r\n" + data + b"\r\n" for data, ext, upper in chunks])
    raw += b"0\r\n" + b"".join([line + b"\r\n" for line in trailers]) + b"\r\n"
    payload = b"".join([data for data, _, _ in chunks])
    stream = raw + behind
    marks = sorted({0, len(stream), *[cut for cut in cuts if cut < len(stream)]})
    pieces = [stream[a:b] for a, b in pairwise(marks)]
    plain = Body(CHUNKED, -1, False)
    assert feed(plain, pieces) == (payload, len(raw))
    assert plain.is_done
    fresh = Body(CHUNKED, -1, True)
    sent, taken = feed(fresh, pieces)
    assert taken == len(raw)
    found, found_trailers = independently_read(sent, b"Transfer-Encoding: chunked")
    assert found == payload
    assert len(found_trailers) == len(trailers)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([b"0", b"1", b"a", b"\r", b"\n", b"\r\n", b";", b" ", b"x: y", b"\x00", b"_", b":"]), max_size=16)
)
def test_octet_by_octet_gives_the_verdict_of_the_whole(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    whole = Body(CHUNKED, -1, False)
    _, taken = feed(whole, [raw])
    single = Body(CHUNKED, -1, False)
    _, taken_single = feed(single, [raw[i : i + 1] for i in range(len(raw))])
    assert (whole.is_done, whole.data_octets if whole.is_done else 0) == (
        single.is_done,
        single.data_octets if single.is_done else 0,
    )
    if whole.is_done:
        assert taken == taken_single
    if single.is_bad or whole.is_bad:
        assert not single.is_done
        assert not whole.is_done
