"""What holds of every reader, whatever it reads: heads, bodies, cookies, configuration lines.

The same octets given whole, one by one, in any pieces and with others behind them give the same result; nothing raises; the
work grows with the octets and no faster; and what is written out is read as the same message again.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Final

import pytest
from config_files import ORIGINAL
from fuzz import grammar, mutate
from fuzz.cases import REQUESTS, Case
from fuzz.passage import CLOSED_CLEANLY, cut, send_requests
from hypothesis import given, settings
from hypothesis import strategies as st

import balancer
from balancer.config.environment import Environment
from balancer.config.findings import Refusal, Report
from balancer.config.reader import read_lines
from balancer.config.splitting import Place, split_line
from balancer.form import COMPILED, form
from balancer.http.cookies import without_cookie, without_cookie_lines
from balancer.http.framing import CHUNKED, Body
from balancer.http.head import FORBIDDEN, INCOMPLETE, RequestHead, ResponseHead, find_end
from balancer.http.leaves import cookie_values

PACKAGE: Final = str(Path(balancer.__file__).parent)
COUNT_MAX: Final = 100
NAME: Final = b"SEASIDE"
SETTINGS: Final = settings(max_examples=300, deadline=None, derandomize=True)
SIZES: Final = st.lists(st.integers(1, 40), max_size=5)


def drawn(make: Callable[[Random], bytes]) -> st.SearchStrategy[bytes]:
    """Octets of the fuzzer's grammar, half of them with changes."""

    def one(seed: int) -> bytes:
        dice = Random(seed)
        octets = make(dice)
        return octets if dice.random() < 0.5 else mutate.mutated(Case(REQUESTS, octets), [], dice).octets

    return st.integers(0, 1 << 32).map(one)


def requests(dice: Random) -> bytes:
    """What a client may send."""
    return next(case.octets for case in iter(lambda: grammar.new_case(dice), None) if case.side == REQUESTS)


def answers(dice: Random) -> bytes:
    """What a server may send."""
    return next(case.octets for case in iter(lambda: grammar.new_case(dice), None) if case.side != REQUESTS)


# --- heads ---------------------------------------------------------------------------------------------------------------


def end_in_pieces(octets: bytes, sizes: list[int]) -> int:
    """Where the head ends for a reader that gets the octets in pieces and goes on from where it stopped."""
    data = b""
    for piece in cut(octets, sizes):
        begin = max(0, len(data) - 3)
        data += piece
        end = find_end(data, begin)
        if end != INCOMPLETE:
            return end
    return INCOMPLETE


@SETTINGS
@given(drawn(requests) | st.binary(max_size=60), SIZES, st.binary(max_size=8))
def test_the_end_of_a_head_is_found_at_one_place_in_any_pieces(octets: bytes, sizes: list[int], behind: bytes) -> None:
    # A head that is refused may be refused earlier when it comes in pieces: never is one taken here and refused there.
    end = find_end(octets, 0)
    for other in (end_in_pieces(octets, [1]), end_in_pieces(octets, sizes)):
        assert other == end or (is_refused(octets, end) and is_refused(octets, other))
    if end == FORBIDDEN or (end > 0 and is_refused(octets, end)):
        later = find_end(octets + behind, 0)
        assert later != INCOMPLETE and is_refused(octets + behind, later)
    elif end > 0:
        assert find_end(octets[:end] + behind, 0) == end


def is_refused(octets: bytes, end: int) -> bool:
    """Whether a head that ends there is none."""
    return end == FORBIDDEN or (end > 0 and RequestHead(octets, 0, end, 100).error != 0)


def traits(head: RequestHead | ResponseHead) -> list[object]:
    """Everything that a head says of itself but where it lies."""
    apart = ("data", "start", "end", "line_end", "fields_begin", "kept")
    names = [name for name in dir(head) if not name.startswith("_") and name not in apart]
    return [value for value in (getattr(head, name) for name in names) if not callable(value)]


@SETTINGS
@given(drawn(requests) | st.binary(max_size=60), st.binary(max_size=8), st.binary(max_size=8))
def test_a_request_head_is_read_alike_wherever_it_lies(octets: bytes, before: bytes, behind: bytes) -> None:
    octets += b"\r\n\r\n"
    end = find_end(octets, 0)
    if end < 0:
        return
    alone = RequestHead(octets[:end], 0, end, COUNT_MAX)
    among = RequestHead(before + octets[:end] + behind, len(before), len(before) + end, COUNT_MAX)
    assert traits(alone) == traits(among)
    if not alone.error:
        assert alone.forwarded(b"a", NAME) == among.forwarded(b"a", NAME)


@SETTINGS
@given(drawn(requests), st.sampled_from([b"", NAME]))
def test_a_request_head_that_is_written_out_is_read_as_the_same(octets: bytes, cookie: bytes) -> None:
    end = find_end(octets, 0)
    head = RequestHead(octets, 0, end, COUNT_MAX) if end > 0 else None
    if head is None or head.error:
        return
    written = head.forwarded(b"ex.org", cookie)
    assert find_end(written, 0) == len(written)
    again = RequestHead(written, 0, len(written), COUNT_MAX)
    assert again.error == 0
    for name in ("method", "target", "content_length", "is_chunked", "upgrade", "expects_continue"):
        assert getattr(again, name) == getattr(head, name), name
    assert again.host == (head.host if head.has_host or head.host_replaced else b"ex.org")
    assert again.minor == 1
    if not cookie:
        assert again.cookies == head.cookies
    assert sorted(again.forwarded(b"", cookie).split(b"\r\n")) == sorted(written.split(b"\r\n"))


@SETTINGS
@given(drawn(answers) | st.binary(max_size=60), st.binary(max_size=8), st.binary(max_size=8), st.booleans())
def test_a_response_head_is_read_alike_wherever_it_lies(octets: bytes, before: bytes, behind: bytes, preserve: bool) -> None:
    octets += b"\r\n\r\n"
    end = find_end(octets, 0)
    if end < 0:
        return
    alone = ResponseHead(octets[:end], 0, end, COUNT_MAX, NAME, preserve)
    among = ResponseHead(before + octets[:end] + behind, len(before), len(before) + end, COUNT_MAX, NAME, preserve)
    assert traits(alone) == traits(among)
    assert b"".join(alone.kept) == b"".join(among.kept)
    if not alone.error:
        written = b"HTTP/1.1 %d %s\r\n" % (alone.status, alone.reason) + b"".join(alone.kept) + b"\r\n"
        again = ResponseHead(written, 0, len(written), COUNT_MAX, NAME, preserve)
        assert not again.error
        assert (again.status, again.reason) == (alone.status, alone.reason)
        assert b"".join(again.kept) == b"".join(alone.kept)


# --- bodies --------------------------------------------------------------------------------------------------------------


def read_body(octets: bytes, sizes: list[int], writes_chunks: bool = False) -> tuple[bool, bool, int, bytes]:
    """Done, bad, how many octets it took if it is done, and what is to be sent on."""
    body = Body(CHUNKED, -1, writes_chunks)
    taken = 0
    for piece in cut(octets, sizes):
        taken += body.feed(piece, 0)
        if body.is_done or body.is_bad:
            break
    return body.is_done, body.is_bad, taken if body.is_done else -1, b"".join(body.out)


CHUNKS: Final = drawn(lambda dice: grammar.chunks(dice, dice.randbytes(dice.randrange(50))))


@SETTINGS
@given(CHUNKS | st.binary(max_size=40), SIZES, st.binary(max_size=8))
def test_a_chunked_body_ends_at_one_place_in_any_pieces(octets: bytes, sizes: list[int], behind: bytes) -> None:
    whole = read_body(octets, [])
    for cutting in ([1], sizes):
        other = read_body(octets, cutting)
        assert other[:3] == whole[:3]
        if not whole[1]:
            assert other[3] == whole[3]
    if whole[0]:
        assert read_body(octets + behind, []) == whole


@SETTINGS
@given(CHUNKS, SIZES)
def test_a_chunked_body_that_is_written_out_is_read_as_the_same(octets: bytes, sizes: list[int]) -> None:
    is_done, _, _, payload = read_body(octets, sizes)
    if not is_done:
        return
    written = read_body(octets, sizes, True)[3]
    assert read_body(written, []) == (True, False, len(written), payload)
    assert read_body(written, [], True)[3].endswith(written[written.rindex(b"0\r\n") :])


# --- cookies -------------------------------------------------------------------------------------------------------------

COOKIES: Final = st.lists(
    st.sampled_from([NAME, b"=", b";", b",", b'"', b"\\", b" ", b"\t", b"a", b"app1inst1", b"|", b"~", b"\xff", b"; "]),
    max_size=14,
).map(b"".join)


@SETTINGS
@given(COOKIES, COOKIES)
def test_cookies_are_read_alike_with_others_behind(line: bytes, behind: bytes) -> None:
    if b'"' not in line:
        assert cookie_values(line + b";" + behind, NAME) == cookie_values(line, NAME) + cookie_values(behind, NAME)
    left = without_cookie(line, NAME)
    assert cookie_values(left, NAME) == []
    assert without_cookie(left, NAME) == left


@SETTINGS
@given(st.lists(COOKIES, max_size=4))
def test_cookie_lines_that_are_written_out_hold_the_others(values: list[bytes]) -> None:
    lines = b"X: SEASIDE=1\r\n" + b"".join(b"Cookie: %s\r\n" % value for value in values)
    left = without_cookie_lines(lines, NAME)
    assert left.startswith(b"X: SEASIDE=1\r\n")
    assert without_cookie_lines(left, NAME) == left
    rest = [line.partition(b":")[2].strip(b" \t") for line in left.split(b"\r\n")[1:-1]]
    assert [value for value in rest if value] == [
        value for value in (without_cookie(each.strip(b" \t"), NAME) for each in values) if value
    ]


# --- configuration ---------------------------------------------------------------------------------------------------------


def words_of(octets: bytes) -> tuple[list[tuple[int, tuple[str, ...]]], list[str]]:
    """The words of each line by its number, and what is wrong."""
    report = Report()
    place = Place(Environment({"A": "x y"}), "t.cfg")
    return [(line.origin.line, line.words) for line in read_lines(octets, place, report)], [
        each.text for each in report.findings
    ]


def drawn_config(seed: int) -> bytes:
    """The original's file with changes."""
    return mutate.mutated(Case(REQUESTS, ORIGINAL.encode()), [], Random(seed)).octets


@SETTINGS
@given(st.integers(0, 1 << 32).map(drawn_config) | st.binary(max_size=80), st.binary(max_size=40))
def test_lines_are_read_alike_with_others_behind(octets: bytes, behind: bytes) -> None:
    octets += b"\n"
    words, findings = words_of(octets)
    more_words, more_findings = words_of(octets + behind)
    assert more_words[: len(words)] == words
    assert more_findings[: len(findings)] == findings
    alone = [(number, words_of(line + b"\n")[0]) for number, line in enumerate(octets.split(b"\n"), 1)]
    assert words == [(number, found[0][1]) for number, found in alone if found]


@SETTINGS
@given(st.text(st.characters(blacklist_categories=["Cs"]) | st.sampled_from("\"'\\ $#{}"), max_size=30))
def test_words_that_are_written_out_are_read_as_the_same(line: str) -> None:
    place = Place(Environment({}), "t.cfg", 1, "")
    try:
        words = split_line(line, place)
    except Refusal:
        return
    escaped = ("".join("\\" + each if each in '\\"$' else each for each in word) for word in words)
    assert split_line(" ".join(f'"{word}"' for word in escaped), place) == words


# --- work ------------------------------------------------------------------------------------------------------------------


def lines_run(work: Callable[[], object]) -> int:
    """How many lines of the product `work` runs; 0 on the compiled form, where they cannot be counted."""
    count = 0

    def step(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        if event == "call" and not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        count += event == "line"
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def client(octets: bytes, size: int) -> Callable[[], object]:
    """A client that sends these octets in segments of that size."""
    return lambda: send_requests(Case(REQUESTS, octets), [size] if size else [])


# One reader's work on n times the same odd thing.
WORKS: Final[dict[str, Callable[[int], Callable[[], object]]]] = {
    "a head octet by octet behind a long line": lambda n: client(b"GET /%s HTTP/1.1\r\nX: %s" % (b"a" * n, b"b" * n), 1),
    "fields octet by octet": lambda n: client(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (n // 60), 1),
    "a line octet by octet": lambda n: client(b"GET /" + b"a" * n, 1),
    "chunks octet by octet": lambda n: lambda: read_body(b"1\r\na\r\n" * n, [1]),
    "extensions": lambda n: lambda: read_body(b"5;a=b\r\nabcde\r\n" * n, [3]),
    "a trailer line by line": lambda n: lambda: read_body(b"0\r\n" + b"T: u\r\n" * (n // 6), [6]),
    "cookies": lambda n: lambda: without_cookie(b'SEASIDE="' * n, NAME),
    "cookie pairs": lambda n: lambda: cookie_values(b"SEASIDE;" * n, NAME),
    "quotes": lambda n: lambda: words_of(b"a''\"\" " * (n // 10)),
    "variables": lambda n: lambda: words_of(b'"${A}" ' * (n // 10)),
    "backslashes": lambda n: lambda: words_of(b"\\" * n),
}


@pytest.mark.parametrize("work", WORKS.values(), ids=WORKS.keys())
def test_twice_the_octets_are_twice_the_work(work: Callable[[int], Callable[[], object]]) -> None:
    once, twice = lines_run(work(1200)), lines_run(work(2400))
    assert once or form() == COMPILED
    assert twice <= 2.2 * once + 1000


# --- found by fuzzing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"x\r\n", b"5\r\nabcdexx", b"0\r\n T: u\r\n\r\n"])
def test_a_body_that_is_bad_in_the_segment_of_its_head_is_answered(body: bytes) -> None:
    octets = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    outcome = send_requests(Case(REQUESTS, octets), [])
    assert outcome.client_got.startswith(b"HTTP/1.1 400 ")
    assert outcome.end == CLOSED_CLEANLY
    assert not outcome.passed


@pytest.mark.parametrize("sizes", [[], [1], [7]])
def test_the_status_that_refuses_does_not_depend_on_the_segments(sizes: list[int]) -> None:
    octets = b"CONNECT a:1 HTTP/1.1\r\nX: \x00\r\n\r\n"
    assert send_requests(Case(REQUESTS, octets), sizes).client_got.startswith(b"HTTP/1.1 501 ")
