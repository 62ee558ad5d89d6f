"""Lines into words: what HAProxy 2.6 was seen to make of each (the same rows are asked of it in test_config_haproxy)."""

from pathlib import Path
from typing import Final

import pytest
from config_files import DEFAULTS, DEFAULTS_LINES, WORDS_OF_LINES, load_text, model_of, told

from balancer import config
from balancer.config.environment import Environment
from balancer.config.findings import Refusal
from balancer.config.splitting import LINE_WORDS_MAX, Place, excerpt, split_condition, split_line

REFUSED: Final[tuple[tuple[str, str], ...]] = (
    ('bind "a', "unmatched quote at position 6"),
    ("bind 'a", "unmatched quote at position 6"),
    ('"a\\', "unmatched quote at position 1"),
    (r"a\x", "truncated or invalid hexadecimal sequence at position 2"),
    (r"a\x4", "truncated or invalid hexadecimal sequence at position 2"),
    (r"a\xg0", "truncated or invalid hexadecimal sequence at position 2"),
    ('"$"', "forbidden first char in environment variable name at position 3"),
    ('"${"', "forbidden first char in environment variable name at position 4"),
    ('"$9"', "forbidden first char in environment variable name at position 3"),
    ('"${HOME_PORT"', "unmatched brace in environment variable name at position 3"),
    ('"${HOME_PORT:-x}"', "unmatched brace in environment variable name at position 3"),
    ("a\x00b", "Stray NUL character at position 2."),
)


def place() -> Place:
    return Place(Environment({"HOME_PORT": "8081", "LIST": "a b"}), "t.cfg", 3, "web")


@pytest.mark.parametrize(("line", "words"), WORDS_OF_LINES)
def test_a_line_is_cut_into_words_as_haproxy_does(line: str, words: tuple[str, ...]) -> None:
    assert tuple(split_line(line, place())) == words


@pytest.mark.parametrize(("line", "reason"), REFUSED)
def test_a_broken_line_is_refused_with_the_position(line: str, reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        split_line(line, place())
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("text", "position", "shown"),
    [
        ("  nosuch \\x", 10, "  nosuch \\x\n         ^"),
        ("\t\ta\tb", 3, "  a b\n  ^"),
        ("\x01\xe9", 2, "  ??\n   ^"),
        ("b" * 79 + "^" + "c" * 9, 80, "  " + "b" * 79 + "^\n  " + " " * 79 + "^"),
        ("b" * 80 + "^" + "c" * 9, 81, "  ..." + "b" * 37 + "^" + "c" * 9 + "...\n  " + " " * 40 + "^"),
        ("b" * 80 + "^" + "c" * 99, 81, "  ..." + "b" * 37 + "^" + "c" * 36 + "...\n  " + " " * 40 + "^"),
    ],
)
def test_a_place_in_a_line_is_shown(text: str, position: int, shown: str) -> None:
    assert excerpt(text, position) == shown


@pytest.mark.parametrize(
    ("value", "words"),
    [("", ("xy",)), ("p", ("xpy",)), ("p q", ("xp", "qy")), (" p\t\nq ", ("x", "p", "q", "y")), (" ", ("x", "y"))],
)
def test_a_list_is_cut_at_each_run_of_blanks(value: str, words: tuple[str, ...]) -> None:
    assert tuple(split_line('x"${LIST[*]}"y', Place(Environment({"LIST": value})))) == words


def test_a_line_has_sixty_four_words_and_no_more() -> None:
    assert len(split_line(" w" * LINE_WORDS_MAX, place())) == LINE_WORDS_MAX
    with pytest.raises(Refusal) as caught:
        split_line(" w" * LINE_WORDS_MAX + " 'last one'", place())
    assert str(caught.value) == "too many words, truncating after word 64, position 127: <w>."


def test_octets_of_one_character_may_be_escaped_one_by_one() -> None:
    assert split_line(r"\xc3\xa9 \xff", place()) == ["é", "\udcff"]


def test_a_first_word_that_is_empty_takes_its_line_away(tmp_path: Path) -> None:
    assert told(load_text(tmp_path, "\"$NONE\" nosuch\n''\n")) == []


def test_the_condition_of_a_command_line_has_no_comment_and_counts_blanks_in_front() -> None:
    assert split_condition("1 #", place()) == ["1", "#"]
    assert split_condition(" 1", place()) == ["", "1"]
    assert split_condition("  ", place()) == ["", ""]
    assert split_condition("", place()) == []


def test_a_last_line_without_its_end_is_an_error(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, DEFAULTS + "listen a\n bind :8080\n retries 3")
    assert told(outcome) == [
        f"ALERT {DEFAULTS_LINES + 3}: Missing LF on last line, file might have been truncated at position 11."
    ]


def test_lines_may_end_in_crlf(tmp_path: Path) -> None:
    text = (DEFAULTS + "listen a\n bind :8080\n").replace("\n", "\r\n")
    assert model_of(tmp_path, text).frontends[0].binds[0].port == 8080


def test_a_broken_line_does_not_hide_the_mistakes_after_it(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, DEFAULTS + 'listen a\n bind "x\n bind :x\n')
    assert [text.split(":")[0] for text in told(outcome, "ALERT")] == [
        f"ALERT {DEFAULTS_LINES + 2}",
        f"ALERT {DEFAULTS_LINES + 3}",
    ]


def test_a_file_that_cannot_be_read_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    broken = tmp_path / "broken.cfg"
    broken.write_text("listen\n")
    outcome = config.load([str(tmp_path / "none.cfg"), str(broken)])
    assert told(outcome) == [
        f"ALERT 0: Cannot open configuration file/directory {tmp_path / 'none.cfg'} : No such file or directory",
        "ALERT 1: 'listen' expects an <id> argument (got nothing)",
    ]
