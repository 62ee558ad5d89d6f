"""Cookie lines are read as HAProxy reads them, and what surrounds our cookie stays as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balancer.http.cookies import is_set_cookie_of, without_cookie, without_cookie_lines
from balancer.http.leaves import cookie_values

NAME = b"SEASIDE"


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (b"", []),
        (b"a=1", []),
        (b"seaside=x", []),
        (b"SEASIDEX=x", []),
        (b"XSEASIDE=x", []),
        (b"SEASIDE", []),
        (b"SEASIDE; a=1", []),
        (b"SEASIDE=x", [b"x"]),
        (b"SEASIDE=", [b""]),
        (b"SEASIDE = x ", [b"x"]),
        (b"a=1; SEASIDE=x", [b"x"]),
        (b"a=1;SEASIDE=x;b=2", [b"x"]),
        (b"a=1, SEASIDE=x, b=2", [b"x"]),
        (b"a=1;\tSEASIDE=x\t;b=2", [b"x"]),
        (b"SEASIDE=x; SEASIDE=y", [b"x", b"y"]),
        (b'SEASIDE="x"', [b'"x"']),
        (b"SEASIDE=x=y", [b"x=y"]),
        (b"SEASIDE==x", [b"=x"]),
        (b'a="SEASIDE=x"', []),
        (b'a="; SEASIDE=x; "', []),
        (b'a="\\"; SEASIDE=x"; SEASIDE=y', [b"y"]),
        (b'a="; SEASIDE=x', []),
        (b";;;SEASIDE=x;;", [b"x"]),
        (b"=x; SEASIDE=y", [b"y"]),
        (b"a; SEASIDE=y; b", [b"y"]),
        (b"SEASIDE\x0b=x", []),
        (b"SEASIDE=\xa0x", [b"\xa0x"]),
        (b"\xa0SEASIDE=x", []),
        (b"SEASIDE SEASIDE=x", []),
        (b"SEASIDE\xe2\x84\xaa=x", []),
        (b"SEASID\xc5\xbf=x", []),
    ],
)
def test_the_values_of_our_cookie(line: bytes, values: list[bytes]) -> None:
    assert cookie_values(line, NAME) == values


# Each was put through HAProxy 2.6 with `cookie SEASIDE insert indirect`; where the right column has no third part, HAProxy sent
# the same octets. The others differ in blanks and empty pairs only.
CUT = [
    (b"a=1; SEASIDE=x; b=2", b"a=1; b=2"),
    (b"SEASIDE=x; b=2", b"b=2"),
    (b"a=1; SEASIDE=x", b"a=1"),
    (b"a=x,y; SEASIDE=z; b=2", b"a=x,y; b=2"),
    (b"a=1, SEASIDE=x, b=2", b"a=1, b=2"),
    (b"SEASIDE=x", b""),
    (b"SEASIDE=x; SEASIDE=y", b""),
    (b"SEASIDE=x;", b""),
    (b"; SEASIDE=x", b""),
    (b'a="q; SEASIDE=x; b=2', b'a="q; SEASIDE=x; b=2'),
    (b'a="q; r"; SEASIDE=x; b=2', b'a="q; r"; b=2'),
    (b"SEASIDE", b"SEASIDE"),
    (b"SEASIDE=x,b=2", b"b=2"),
    (b'a="\\"; SEASIDE=x; b=2', b'a="\\"; SEASIDE=x; b=2'),
    (b"=x; SEASIDE=one; b=2", b"=x; b=2"),
    (b"a==b; SEASIDE=x", b"a==b"),
    (b'a=b="; SEASIDE=x; b=2', b'a=b="; SEASIDE=x; b=2'),
    (b'a=b"c; SEASIDE=one; d=e"f; g=h', b'a=b"c; SEASIDE=one; d=e"f; g=h'),
    (b"a=1, b=2; SEASIDE=x", b"a=1, b=2"),
    (b'a=1; SEASIDE="one"; b=2', b"a=1; b=2"),
    (b'a=1; SEASIDE=on"e; b=2"; c=3', b"a=1; c=3"),
    (b"a=1; SEASIDE=x; SEASIDE=y; b=2; SEASIDE=z", b"a=1; b=2"),
    (b"a=1;b=2;  SEASIDE=x;c=3", b"a=1;b=2;c=3"),
    (b"b=1 ;  SEASIDE=x  ;  c=2", b"b=1 ;  c=2"),
    (b"SEASIDE = x ; b = 2", b"b = 2"),
    (b"a;SEASIDE=x;b", b"a;b"),
]


@pytest.mark.parametrize(("line", "left"), CUT)
def test_indirect_cuts_our_pairs_and_nothing_else(line: bytes, left: bytes) -> None:
    assert without_cookie(line, NAME) == left


@pytest.mark.parametrize(("line", "left"), CUT)
def test_a_line_goes_when_nothing_is_left(line: bytes, left: bytes) -> None:
    kept = b"cookie: " + left + b"\r\n" if left else b""
    assert without_cookie_lines(b"A: b\r\ncookie: " + line + b"\r\nC: d\r\n", NAME) == b"A: b\r\n" + kept + b"C: d\r\n"


def test_lines_without_our_cookie_are_untouched() -> None:
    lines = b"Cookie:\r\ncOOkie: a=1 ,b=2; \r\nSet-Cookie: SEASIDE=x\r\nCookies: SEASIDE=x\r\n"
    assert without_cookie_lines(lines, NAME) == lines


@pytest.mark.parametrize(
    ("value", "is_ours"),
    [
        (b"SEASIDE=x; path=/", True),
        (b" SEASIDE\t=x", True),
        (b"SEASIDE=", True),
        (b"SEASIDE", False),
        (b"seaside=x", False),
        (b"", False),
    ],
)
def test_a_set_cookie_is_ours_by_its_exact_name(value: bytes, is_ours: bool) -> None:
    assert is_set_cookie_of(value, NAME) == is_ours


PIECES = st.sampled_from(
    [b"SEASIDE", b"=", b";", b",", b" ", b"\t", b'"', b"\\", b"a", b"x=1", b"SEASIDE=app1", b"\xff", b"; SEASIDE=y"]
)


@given(st.lists(PIECES, max_size=14))
def test_whatever_the_line_ours_is_gone_and_every_neighbour_is_there(pieces: list[bytes]) -> None:
    line = b"".join(pieces)
    left = without_cookie(line, NAME)
    assert cookie_values(left, NAME) == []
    if cookie_values(line, NAME):
        for name in (b"a", b"x"):
            assert cookie_values(left, name) == cookie_values(line, name)
    else:
        assert left is line


@given(st.binary(max_size=60))
def test_no_line_is_too_odd(line: bytes) -> None:
    assert cookie_values(without_cookie(line, b"a"), b"a") == []
