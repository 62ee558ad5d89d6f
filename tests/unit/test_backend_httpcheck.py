"""What a check writes, what it reads, how it judges: whole, octet by octet, and with more behind."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.backend.httpcheck import MATCHED_TEXT, NO_BODY_TEXT, UNMATCHED_TEXT, CheckAnswer, judge, request_octets, timed_out
from balancer.backend.verdicts import CHECK_STATES, INFO_OCTETS_MAX, Verdict, reason_of
from balancer.model import CheckExpect, CheckSend

BOUND: Final = 1024
GOOD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world"

REQUESTS: Final = (
    (CheckSend(), b"", b"OPTIONS / HTTP/1.0\r\n\r\n"),
    (CheckSend(b"GET", b"/a", b"HTTP/1.1"), b"", b"GET /a HTTP/1.1\r\nconnection: close\r\n\r\n"),
    (CheckSend(b"GET", fields=((b"host", b"www"),)), b"", b"GET / HTTP/1.0\r\nhost: www\r\n\r\n"),
    (CheckSend(b"POST"), b"", b"POST / HTTP/1.0\r\ncontent-length: 0\r\n\r\n"),
    (CheckSend(b"GET", body=b"ab"), b"", b"GET / HTTP/1.0\r\ncontent-length: 2\r\n\r\nab"),
    (CheckSend(b"GET", fields=((b"connection", b"keep-alive"),)), b"", b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n"),
    (CheckSend(b"GET", b"/", b"HTTP/1.1", ((b"connection", b"keep-alive"),)), b"", b"GET / HTTP/1.1\r\n\r\n"),
    (CheckSend(b"GET"), b"UP; x", b"GET / HTTP/1.0\r\nx-haproxy-server-state: UP; x\r\n\r\n"),
)


@pytest.mark.parametrize(("step", "state", "octets"), REQUESTS)
def test_the_request(step: CheckSend, state: bytes, octets: bytes) -> None:
    assert request_octets(step, state) == octets


def read(octets: bytes, method: bytes = b"GET", ends: bool = True, piece: int = 1 << 20, bound: int = BOUND) -> CheckAnswer:
    """The answer after these octets, in pieces of that size, and the end of the connection."""
    answer = CheckAnswer(method, bound)
    for start in range(0, len(octets), piece):
        answer.feed(octets[start : start + piece])
    if ends:
        answer.end()
    return answer


STRING: Final = CheckExpect("string", pattern=b"wor")
# What came, what is expected, and the verdict's state, code and info.
JUDGED: Final[tuple[tuple[bytes, CheckExpect, str, int, str], ...]] = (
    (GOOD, CheckExpect(), "L7OK", 200, ""),
    (b"HTTP/1.0 302 Found\r\n\r\n", CheckExpect(), "L7OK", 302, ""),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", CheckExpect(), "L7STS", 404, "Not Found"),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", CheckExpect(ranges=((200, 200), (400, 410))), "L7OK", 404, ""),
    (b"HTTP/1.1 404 Not Found\r\n\r\n", CheckExpect(is_negated=True), "L7OK", 404, ""),
    (GOOD, CheckExpect(is_negated=True), "L7STS", 200, "OK"),
    (GOOD, CheckExpect("rstatus", pattern=b"^2..$"), "L7OK", 200, ""),
    (GOOD, CheckExpect("rstatus", pattern=b"^4"), "L7STS", 200, "OK"),
    (GOOD, STRING, "L7OK", 200, ""),
    (GOOD, CheckExpect("string", pattern=b"word"), "L7RSP", 200, UNMATCHED_TEXT),
    (GOOD, CheckExpect("string", pattern=b"wor", is_negated=True), "L7RSP", 200, MATCHED_TEXT),
    (GOOD, CheckExpect("string", pattern=b"word", is_negated=True), "L7OK", 200, ""),
    (GOOD, CheckExpect("rstring", pattern=b"l+o w"), "L7OK", 200, ""),
    (GOOD, CheckExpect("rstring", pattern=b"^w"), "L7RSP", 200, UNMATCHED_TEXT),
    (b"HTTP/1.1 204 No\r\n\r\n", STRING, "L7RSP", 204, NO_BODY_TEXT),
    (b"HTTP/1.1 204 No\r\n\r\n", CheckExpect("string", pattern=b"a", is_negated=True), "L7RSP", 204, NO_BODY_TEXT),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwo\r\n1;x\r\nr\r\n0\r\n\r\n", STRING, "L7OK", 200, ""),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", STRING, "L7RSP", 200, ""),
    (b"HTTP/1.1 200 OK\r\n\r\nword", STRING, "L7OK", 200, ""),
    (b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n" + GOOD, CheckExpect(), "L7STS", 103, "Hints"),
    (b"", CheckExpect(), "L7RSP", 0, ""),
    (b"hello\r\n\r\n", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/1.1 200 OK\r\nX", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/1.1 200 OK\r\nA B: c\r\n\r\n", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/2 200 OK\r\n\r\n", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/1.1 20x OK\r\n\r\n", CheckExpect(), "L7RSP", 0, ""),
    (b"HTTP/1.1 200 OK\nA: b\n\n", CheckExpect(), "L7RSP", 0, ""),
    (b"hello", CheckExpect(comment="mine"), "L7RSP", 0, " comment: mine"),
    (b"HTTP/1.1 404 No\r\n\r\n", CheckExpect(comment="mine"), "L7STS", 404, "No comment: mine"),
    (b"HTTP/1.1 404 No\r\n\r\n", CheckExpect(on_error="oops", error_state="L7RSP"), "L7RSP", 404, "oops"),
    (GOOD, CheckExpect(ok_state="L4OK", on_success="fine"), "L4OK", 200, "fine"),
)


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize(("octets", "expect", "name", "code", "info"), JUDGED)
def test_the_verdict(octets: bytes, expect: CheckExpect, name: str, code: int, info: str, piece: int) -> None:
    verdict = judge(expect, read(octets, piece=piece), False)
    assert verdict is not None
    assert (verdict.name, verdict.code, verdict.info) == (name, code, info)
    assert verdict.ends_check == (CHECK_STATES[name].result == 2)


def test_nothing_is_judged_before_it_can_be() -> None:
    assert judge(CheckExpect(), read(b"HTTP/1.1 200 OK\r\n", ends=False), False) is None
    assert judge(STRING, read(GOOD[:-6], ends=False), False) is None
    assert judge(STRING, read(GOOD[:-3], ends=False), False) is None  # 'hello wo'
    found = judge(STRING, read(GOOD[:-2], ends=False), False)
    assert found is not None
    assert found.name == "L7OK"  # 'hello wor': the rest changes nothing
    unwanted = CheckExpect("string", pattern=b"xyz", is_negated=True)
    assert judge(unwanted, read(GOOD[:-1], ends=False), False) is None  # it may still come
    final = judge(unwanted, read(GOOD, ends=False), False)
    assert final is not None
    assert final.name == "L7OK"


def test_min_recv_makes_a_short_answer_conclusive() -> None:
    conclusive = CheckExpect("string", pattern=b"xy", min_octets=5)
    assert judge(conclusive, read(GOOD[:-8], ends=False), False) is None
    verdict = judge(conclusive, read(GOOD[:-5], ends=False), False)
    assert verdict is not None
    assert (verdict.name, verdict.info) == ("L7RSP", UNMATCHED_TEXT)


def test_404_takes_out_of_balancing_where_it_may() -> None:
    answer = read(b"HTTP/1.1 404 No\r\n\r\n")
    kept = judge(CheckExpect(), answer, True)
    assert kept is not None
    assert (kept.name, kept.code, kept.info, kept.ends_check) == ("L7OKC", 404, "", False)
    broken = judge(CheckExpect(), read(b"nonsense"), True)
    assert broken is not None
    assert broken.name == "L7RSP"


def test_an_answer_to_head_has_no_body() -> None:
    verdict = judge(STRING, read(GOOD, method=b"HEAD"), False)
    assert verdict is not None
    assert verdict.info == NO_BODY_TEXT


@given(st.binary(max_size=200), st.integers(1, 50))
def test_never_more_is_kept_than_the_bound(octets: bytes, piece: int) -> None:
    answer = read(GOOD[:-11].replace(b"11", b"9999999") + octets * 20, ends=False, piece=piece, bound=100)
    assert answer.octets <= 100
    assert len(answer.content) + len(answer.pending) <= 100
    assert answer.is_over == (answer.octets == 100)


def test_a_body_beyond_the_bound_is_judged_as_far_as_it_was_read() -> None:
    octets = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * BOUND + b"word"
    verdict = judge(STRING, read(octets, ends=False), False)
    assert verdict is not None
    assert (verdict.name, verdict.info) == ("L7RSP", UNMATCHED_TEXT)
    endless = judge(CheckExpect(), read(b"HTTP/1.1 200 OK\r\nX: " + b"y" * BOUND, ends=False), False)
    assert endless is not None
    assert endless.name == "L7RSP"


@given(st.binary(max_size=300))
def test_whatever_comes_there_is_a_verdict_in_the_end(octets: bytes) -> None:
    assert judge(STRING, read(octets), False) is not None
    assert judge(CheckExpect(), read(b"HTTP/1.1 200 " + octets), False) is not None


def test_timeouts_and_what_is_told() -> None:
    assert timed_out(None).name == "L7TOUT"
    assert timed_out(CheckExpect(timeout_state="L4TOUT")).name == "L4TOUT"
    assert len(Verdict("L7STS", 500, "x" * 300).info) == INFO_OCTETS_MAX
    assert reason_of("L7STS", 503, 'He said "no"\x01\xe9', 3) == (
        'reason: Layer7 wrong status, code: 503, info: "He said <22>no<22><01><E9>", check duration: 3ms'
    )
    assert reason_of("L7RSP", 200, "", 0) == "reason: Layer7 invalid response, check duration: 0ms"
    assert reason_of("HANA", 0, "text", -1) == 'reason: Health analyze, info: "text"'
