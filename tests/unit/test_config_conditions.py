"""Conditions as HAProxy 2.6 reads them; the scenarios ask it the same rows."""

import pytest
from grammar_rows import CONDITIONS, NO_CONDITIONS, VARIABLES
from hypothesis import given
from hypothesis import strategies as st

from balancer.config.conditions import DEPTH_MAX, ConditionError, evaluate, version_key

PIECES = [
    "1", "0", "(", ")", "!", "&&", "||", " ", ",", "defined(HOME)", "streq(a,a)", "streq(a", "streq", "version_atleast(2.6)",
    "version_before(", "feature()", "x", "-", "0x", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_a_condition_holds_or_not(condition: str, expected: bool) -> None:
    assert evaluate(condition, VARIABLES) is expected


@pytest.mark.parametrize(("condition", "text"), NO_CONDITIONS)
def test_what_is_no_condition_is_refused_with_haproxys_words(condition: str, text: str) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate(condition, VARIABLES)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("condition", "position"),
    [("foo", 1), ("1 2", 3), ("1  2", 4), ("streq(a", 8), ("streq", 6), ("streq(a,,)", 9), ("defined(", 9), ("1||", 2),
     ("()", 2), ("defined(HOME) & 1", 15), ("(0)||((1)", 6), ("defined(HOME)&&", 14), (" ", 1)],
)  # fmt: skip
def test_a_mistake_is_placed(condition: str, position: int) -> None:
    with pytest.raises(ConditionError) as caught:
        evaluate(condition, VARIABLES)
    assert caught.value.position == position


def test_without_tls_its_predicates_are_false() -> None:
    for predicate in ("openssl_version_atleast(1.0)", "openssl_version_before(9)", "ssllib_name_startswith(OpenSSL)"):
        assert not evaluate(predicate, {})


def test_parentheses_nest_to_a_depth_and_no_deeper() -> None:
    assert evaluate("(" * DEPTH_MAX + "1" + ")" * DEPTH_MAX, {})
    with pytest.raises(ConditionError):
        evaluate("(" * (DEPTH_MAX + 1) + "1" + ")" * (DEPTH_MAX + 1), {})
    assert evaluate("(1)&&" * 1000 + "1", {})


def test_versions_have_an_order() -> None:
    ascending = [
        "0",
        "2",
        "2.5.99",
        "2.6-dev1",
        "2.6-rc1",
        "2.6",
        "2.6-1",
        "2.6.0.1",
        "2.6.12-dev3",
        "2.6.12",
        "2.7-dev0",
        "10",
    ]
    assert sorted(ascending, key=version_key) == ascending
    assert version_key("2.6-dev1") == version_key("2.6-rc7") < version_key("2.6.0")


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join))
def test_any_text_is_a_condition_or_refused_with_a_place_in_it(text: str) -> None:
    try:
        evaluate(text, VARIABLES)
    except ConditionError as error:
        assert 1 <= error.position <= len(text) + 1
        assert str(error)
