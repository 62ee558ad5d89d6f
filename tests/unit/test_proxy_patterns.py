"""Regular expressions of rules: what PCRE has and `re` has not, groups in replacements, and the bound on a search."""

import pytest

from balancer.proxy.patterns import SUBJECT_OCTETS_MAX, compiled, expand, search, substituted


@pytest.mark.parametrize(
    ("pattern", "subject", "fits"),
    [
        (b"^/a(?!b)", b"/ac", True),
        (b"^/a(?!b)", b"/ab", False),
        (rb"^(\w+)/\1$", b"x/x", True),
        (b"^a++b", b"aab", True),
        (b"[[:digit:]]{3}", b"a123", True),
        (rb"\.PNG$", b"/a.png", False),
    ],
)
def test_patterns_are_those_of_pcre(pattern: bytes, subject: bytes, fits: bool) -> None:
    assert (search(compiled(pattern, False), subject) is not None) == fits


def test_case_is_ignored_where_the_flag_says_so() -> None:
    assert search(compiled(rb"\.PNG$", True), b"/a.png") is not None


def test_a_search_without_end_has_found_nothing() -> None:
    subject = b"a" * 3000 + b"b"
    assert search(compiled(b"(.*a){25}$", False), subject) is None
    assert substituted(compiled(b"(.*a){25}$", False), b"x", subject, 0) == subject


def test_a_subject_is_bounded() -> None:
    assert search(compiled(b"b", False), b"a" * SUBJECT_OCTETS_MAX + b"b") is None


@pytest.mark.parametrize(
    ("replacement", "made"),
    [(rb"\2-\1", b"2-1"), (rb"\0", b"1.2"), (rb"a\9b", b"ab"), (rb"\x\1", rb"\x1"), (b"plain", b"plain"), (b"end\\", b"end\\")],
)
def test_groups_stand_for_what_they_found(replacement: bytes, made: bytes) -> None:
    found = search(compiled(rb"(\d)\.(\d)", False), b"1.2")
    assert found is not None and expand(found, replacement) == made


@pytest.mark.parametrize(("count", "made"), [(0, b"x-x-x"), (1, b"x-b-c"), (2, b"x-x-c")])
def test_as_many_as_are_asked_for_are_replaced(count: int, made: bytes) -> None:
    assert substituted(compiled(b"[a-c]", False), b"x", b"a-b-c", count) == made
