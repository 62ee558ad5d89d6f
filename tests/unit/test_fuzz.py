"""The fuzzer's corpus, a short run of it, and that its readers and its judgement can fail.

Every kept case is replayed: one for each family of faults, and each that has ever failed. The short run is the same each time.
"""

from random import Random
from typing import Final

import pytest
from fuzz import cases, grammar, mutate, oracle, plain, readers
from fuzz.cases import ANSWER, REQUESTS, Case
from fuzz.passage import Fault
from fuzz.plain import Message

KEPT: Final = cases.corpus()
SHORT_RUN_COUNT: Final = 1500
SEED: Final = 2006

REQUEST: Final = b"POST /a HTTP/1.1\r\nHost: a\r\n"
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n\r\n"
# Requests that nobody must take for one message.
AMBIGUOUS: Final = {
    "bare LF in the head": REQUEST + b"X: y\nZ: z\r\n\r\n",
    "bare CR in the head": REQUEST + b"X: y\rZ: z\r\n\r\n",
    "space before colon": REQUEST + b"Content-Length : 5\r\n\r\nabcde",
    "two lengths": REQUEST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    "length with a sign": REQUEST + b"Content-Length: +5\r\n\r\nabcde",
    "NUL in a value": REQUEST + b"X: \x00\r\n\r\n",
    "bare LF in chunks": REQUEST + CHUNKED + b"5\nabcde\r\n0\r\n\r\n",
    "wrong octets behind a chunk": REQUEST + CHUNKED + b"5\r\nabcdexx0\r\n\r\n",
    "chunk size with prefix": REQUEST + CHUNKED + b"0x5\r\nabcde\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("case", [case for _, case in KEPT], ids=[name for name, _ in KEPT])
def test_a_kept_case_holds(case: Case) -> None:
    oracle.judge(case)


def test_a_short_search_finds_nothing() -> None:
    dice = Random(SEED)
    pool = [case for _, case in KEPT if len(case.octets) < 500]
    taken = 0
    for number in range(SHORT_RUN_COUNT):
        case = mutate.mutated(dice.choice(pool), pool, dice) if number % 3 else grammar.new_case(dice)
        word, _ = oracle.judge(case, [dice.choice((1, 2, 3, 5, 17, 64)) for _ in range(4)])
        taken += word not in ("0", "refused")
    assert taken > SHORT_RUN_COUNT // 10, "most were refused: nothing was compared"


@pytest.mark.parametrize(
    "case", [Case(REQUESTS, b"a\n\x00b", True, wanted="2"), Case(ANSWER, b"", False, "HEAD", "1.0", "websocket", True, False)]
)
def test_a_file_gives_its_case_back(case: Case) -> None:
    assert cases.read(cases.written(case)) == case


@pytest.mark.parametrize("content", [b"", b"requests odd\n", b"answer GET\n", b"answer GET 1.1 what\n"])
def test_a_file_that_says_nothing_known_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"not enough|expects"):
        cases.read(content)


# --- that it can fail ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reader", [readers.requests_by_llhttp, readers.requests_by_wire])
@pytest.mark.parametrize("stream", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_a_strict_reader_refuses_what_is_ambiguous(reader: readers.RequestReader, stream: bytes) -> None:
    with pytest.raises(readers.Unread):
        reader(stream, [0])


@pytest.mark.parametrize("stream", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_the_plain_grammar_refuses_what_is_ambiguous(stream: bytes) -> None:
    with pytest.raises(plain.Refused):
        plain.read_request(stream, 0)


@pytest.mark.parametrize("reader", readers.REQUEST_READERS)
def test_each_reader_finds_where_requests_end(reader: readers.RequestReader) -> None:
    first = REQUEST + CHUNKED + b"5\r\nabcde\r\n0\r\nT: u\r\n\r\n"
    found = reader(first + oracle.REQUEST_MARKER + REQUEST, [0, len(first), len(first + oracle.REQUEST_MARKER)])
    assert [(each.start, each.body, each.trailers) for each in found] == [
        ((b"POST", b"/a"), b"abcde", [(b"t", b"u")]),
        ((b"PUT", b"/marker"), b"marker", []),
    ]


@pytest.mark.parametrize("reader", readers.ANSWER_READERS)
@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
def test_each_reader_finds_where_answers_end(reader: readers.AnswerReader, method: bytes) -> None:
    body = b"abcde" if method == b"GET" else b""
    early = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    stream = early + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body + oracle.ANSWER_MARKER
    found = reader(stream, [method, b"GET"], b"", False)
    assert [(each.start, each.body, len(each.interim)) for each in found] == [
        ((b"200", b"OK"), body, 1),
        ((b"299", b"Marker"), b"marker", 0),
    ]
    assert len(reader(stream[:-1], [method, b"GET"], b"", False)) == 1


@pytest.mark.parametrize(
    "seen",
    [
        Message((b"GET", b"/b"), [(b"host", b"a")]),
        Message((b"GET", b"/a"), [(b"host", b"b")]),
        Message((b"GET", b"/a"), []),
        Message((b"GET", b"/a"), [(b"host", b"a"), (b"x", b"y")]),
        Message((b"GET", b"/a"), [(b"host", b"a")], body=b"x"),
        Message((b"GET", b"/a"), [(b"host", b"a")], trailers=[(b"t", b"u")]),
    ],
)
def test_a_message_that_is_read_otherwise_is_a_fault(seen: Message) -> None:
    wanted = Message((b"GET", b"/a"), [(b"host", b"a")])
    oracle.compare("reader", [wanted], [wanted], Case(REQUESTS, b""))
    with pytest.raises(Fault):
        oracle.compare("reader", [wanted], [seen], Case(REQUESTS, b""))
    with pytest.raises(Fault):
        oracle.compare("reader", [wanted], [wanted, wanted], Case(REQUESTS, b""))


def test_another_verdict_than_the_wanted_one_is_a_fault() -> None:
    request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    oracle.judge(Case(REQUESTS, request * 2, wanted="2"))
    with pytest.raises(Fault, match="2, not 1"):
        oracle.judge(Case(REQUESTS, request * 2, wanted="1"))
