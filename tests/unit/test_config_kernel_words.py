"""Words that are asked of the kernel, as the file gives them."""

from pathlib import Path

import pytest
from config_files import DEFAULTS, load_text, told

from balancer import model


def model_of(directory: Path, text: str) -> model.Model:
    outcome = load_text(directory, text)
    assert outcome.model is not None, told(outcome)
    return outcome.model


def test_what_is_less_than_a_millisecond_is_one_more(tmp_path: Path) -> None:
    text = DEFAULTS + "backend b\n default-server tcp-ut 2s\n server s 127.0.0.1:1\n server t 127.0.0.1:2 tcp-ut 1500us\n"
    assert [server.user_timeout_ms for server in model_of(tmp_path, text).backends[0].servers] == [2000, 2]


@pytest.mark.parametrize(("word", "seconds"), [("0", 0), ("1", 1), ("999ms", 1), ("1001ms", 2), ("2m", 120)])
def test_times_of_probes_are_whole_seconds_rounded_up(tmp_path: Path, word: str, seconds: int) -> None:
    text = DEFAULTS + f"listen l\n bind :1\n option clitcpka\n clitcpka-idle {word}\n clitcpka-intvl {word}\n"
    (frontend,) = model_of(tmp_path, text + " server s 127.0.0.1:1\n").frontends
    assert frontend.keep_alive == model.KeepAlive(0, seconds, seconds)


@pytest.mark.parametrize(
    ("line", "delays"), [("", True), (" option tcp-smart-accept\n", True), (" no option tcp-smart-accept\n", False)]
)
def test_a_first_request_is_acknowledged_with_its_answer_unless_the_file_says_no(
    tmp_path: Path, line: str, delays: bool
) -> None:
    text = DEFAULTS + f"listen l\n bind :1\n{line} server s 127.0.0.1:1\n"
    assert model_of(tmp_path, text).frontends[0].delays_acknowledgement == delays
