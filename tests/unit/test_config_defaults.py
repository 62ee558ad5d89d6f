"""Which `defaults` section a proxy takes over: the last before it, or the one that it names."""

from pathlib import Path

import pytest
from config_files import load_text, model_of, told

from balancer import config

BASE = "defaults base\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n retries 7\n"
LAST = "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n retries 5\n"
MIXED = "explicitly referenced by another proxy and implicitly used here"


def retries(directory: Path, text: str) -> list[int]:
    return [backend.retries for backend in model_of(directory, text).backends]


def test_the_last_section_before_a_proxy_is_taken_over_unless_it_names_one(tmp_path: Path) -> None:
    assert retries(tmp_path, BASE + LAST + "backend a\nbackend b from base\nbackend c\n") == [5, 7, 5]


def test_a_section_takes_over_another_and_changes_its_own_copy(tmp_path: Path) -> None:
    text = BASE + "defaults other from base\n retries 2\n" + LAST + "backend a from other\nbackend b from base\n"
    assert retries(tmp_path, text) == [2, 7]


def test_a_section_may_take_over_an_earlier_one_of_its_own_name(tmp_path: Path) -> None:
    assert retries(tmp_path, BASE + "defaults base from base\nbackend a\n") == [7]


def test_a_later_section_without_words_begins_anew(tmp_path: Path) -> None:
    assert retries(tmp_path, BASE + "defaults\n mode http\nbackend a\n") == [3]


def test_two_ways_of_use_are_warned_of_each_time(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, BASE + "backend a\nbackend b from base\nbackend c\ndefaults other from base\n")
    warned = [text.split(":")[0] for text in told(outcome, config.WARNING) if MIXED in text]
    assert warned == ["WARNING 8", "WARNING 9", "WARNING 10"]
    assert outcome.model is not None


def test_one_way_of_use_is_not_warned_of(tmp_path: Path) -> None:
    outcome = load_text(tmp_path, BASE + "backend a from base\n" + LAST + "backend b\n")
    assert not [text for text in told(outcome) if MIXED in text]


@pytest.mark.parametrize(
    ("text", "alert"),
    [
        ("backend a from none\n", "ALERT 1: defaults section 'none' not found for backend 'a'."),
        ("defaults\n mode http\nlisten a from none\n", "ALERT 3: defaults section 'none' not found for proxy 'a'."),
        ("defaults d from e\n mode http\n", "ALERT 1: defaults section 'e' not found for defaults 'd'."),
        (
            BASE + "backend a from bas\n",
            "ALERT 7: defaults section 'bas' not found for backend 'a'; did you mean 'base' maybe ?",
        ),
        (
            "defaults d\ndefaults d\n mode http\nbackend a from d\n mode http\n",
            "ALERT 4: ambiguous defaults section name 'd' referenced by backend 'a' exists at least at {0}:1 and {0}:2.",
        ),
        (
            "defaults d/\n mode http\nbackend a from d/\n mode http\n",
            "ALERT 3: character '/' is not permitted in defaults section name 'd/' when designated by its name (section found "
            "at {0}:1).",
        ),
        (BASE + "backend a from base x\n", "ALERT 7: 'backend' cannot handle unexpected argument 'x'."),
    ],
)
def test_a_name_that_cannot_be_followed_is_refused(tmp_path: Path, text: str, alert: str) -> None:
    assert told(load_text(tmp_path, text), config.ALERT)[0] == alert.format(tmp_path / "test.cfg")
