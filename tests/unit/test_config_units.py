"""Numbers and times as haproxy.cfg writes them."""

import pytest

from balancer.units import TIME_MAX_MS, UnitError, parse_integer, parse_time_s


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        ("0", 0.0),
        ("5000", 5.0),
        ("50us", 0.001),
        ("1000us", 0.001),
        ("1001us", 0.002),
        ("3ms", 0.003),
        ("3s", 3.0),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("24d", 2073600.0),
        ("2147483647", 2147483.647),
    ],
)
def test_a_time_is_milliseconds_unless_it_says_otherwise(word: str, seconds: float) -> None:
    assert parse_time_s(word) == seconds


@pytest.mark.parametrize("word", ["", "ms", "3x", "3S", "-3", "+3", "1.5s", "3 s", "1_000", "٣", "3sm", "s3", "0x10"])
def test_what_is_no_time_is_refused_with_the_word(word: str) -> None:
    with pytest.raises(UnitError, match=r"expects a time.* \(got '"):
        parse_time_s(word)


@pytest.mark.parametrize("word", ["2147483648", "30d", "25d", "99999999999", "9" * 5000, "9" * 5000 + "d"])
def test_a_time_that_haproxys_timers_cannot_hold_is_refused(word: str) -> None:
    with pytest.raises(UnitError, match="timer overflow"):
        parse_time_s(word)


def test_the_longest_time_is_taken() -> None:
    assert parse_time_s(str(TIME_MAX_MS)) == TIME_MAX_MS / 1000


def test_the_unit_of_a_bare_number_is_the_callers() -> None:
    assert parse_time_s("3", "s") == 3.0


@pytest.mark.parametrize(("word", "number"), [("0", 0), ("7", 7), ("007", 7), ("256", 256)])
def test_a_number_within_its_range_is_taken(word: str, number: int) -> None:
    assert parse_integer(word, 0, 256) == number


@pytest.mark.parametrize("word", ["", "-1", "257", "1x", "x", "1_0", "+1", " 1", "²", "٣", "1.0", "9" * 5000])
def test_a_number_out_of_its_range_is_refused_with_the_word(word: str) -> None:
    with pytest.raises(UnitError, match="expects a whole number between 0 and 256 "):
        parse_integer(word, 0, 256)


def test_a_negative_number_is_taken_where_one_may_stand() -> None:
    assert parse_integer("-2", -10) == -2


def test_a_number_too_large_is_told_the_limit() -> None:
    with pytest.raises(UnitError, match=r"expects a positive integer, at most 2147483647 \(got '9999999999'\)"):
        parse_integer("9999999999", 1)


def test_the_refusal_names_what_was_expected() -> None:
    with pytest.raises(UnitError, match=r"expects a positive integer \(got 'many'\)"):
        parse_integer("many", 1)
