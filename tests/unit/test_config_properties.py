"""Whatever octets a file holds, loading gives findings or a model, and never raises."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from config_files import MODERN, ORIGINAL
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from balancer import config
from balancer.config.binds import BIND_TABLE
from balancer.config.environment import Environment
from balancer.config.findings import Refusal
from balancer.config.sections import ALL_SECTIONS
from balancer.config.servers import SERVER_TABLE
from balancer.config.splitting import Place, split_line
from balancer.config.statsocket import STATS_TABLE
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE

DIRECTIVES = (".if", ".elif", ".else", ".endif", ".notice", ".warning", ".alert", ".diag", ".nosuch")
KEYWORDS = [
    *ALL_SECTIONS,
    *DIRECTIVES,
    *GLOBAL_TABLE.rows,
    *PROXY_TABLE.rows,
    *SERVER_TABLE.rows,
    *BIND_TABLE.rows,
    *STATS_TABLE.rows,
]
# Values that are near to right, so that lines get past their first word.
VALUES = [
    "", "0", "1", "-1", "5000", "3s", "9" * 30, "127.0.0.1", "127.0.0.1:80", ":80", ":80-82", "[::1]:80", "/dev/null",
    "stdout", "local0", "info", "http", "roundrobin", "insert", "a", "b", "from", "if", "{", "path", "/metrics", "}", "503",
    "'x y'", '"$A"', "\\x0a", "global", "no", "default", "use-service", "prometheus-exporter",
    '"${A[*]}"', '"${B-x y}"', "(", ")", "!", "&&", "||", "defined(A)", "streq(a,a)", "A", "\udcff", "é", "\x00", '"', "#",
]  # fmt: skip
WORDS = st.sampled_from(KEYWORDS) | st.sampled_from(VALUES) | st.text(max_size=12)
LINES = st.lists(WORDS, max_size=8).map(" ".join)
FILES = st.lists(LINES, max_size=12).map(lambda lines: "\n".join([*lines, ""]))

SETTINGS = settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def load_octets(directory: Path, octets: bytes, environment: Mapping[str, str] | None = None) -> config.Outcome:
    path = directory / "any.cfg"
    path.write_bytes(octets)
    outcome = config.load([str(path)], resolve=False, environment=environment or {})
    rendered = config.render(outcome.findings, 1)
    assert all(char.isprintable() or char == "\n" for char in rendered)
    has_errors = any(finding.level == config.ALERT for finding in outcome.findings)
    assert (outcome.model is None) == has_errors
    return outcome


@SETTINGS
@given(octets=st.binary(max_size=300))
def test_any_octets_give_findings_or_a_model(tmp_path: Path, octets: bytes) -> None:
    load_octets(tmp_path, octets)


@SETTINGS
@given(text=FILES)
def test_any_words_give_findings_or_a_model(tmp_path: Path, text: str) -> None:
    load_octets(tmp_path, text.encode("utf-8", "surrogatepass"))


@SETTINGS
@given(
    keyword=st.sampled_from([*PROXY_TABLE.rows, *GLOBAL_TABLE.rows]),
    words=st.lists(WORDS, max_size=6),
    section=st.sampled_from(["global", "defaults", "frontend f :1", "listen l :1", "backend b"]),
)
def test_any_arguments_of_a_keyword_give_findings_or_a_model(
    tmp_path: Path, keyword: str, words: list[str], section: str
) -> None:
    text = f"{section}\n mode http\n {keyword} {' '.join(words)}\n"
    load_octets(tmp_path, text.encode("utf-8", "replace"))


@SETTINGS
@given(options=st.lists(st.sampled_from([*SERVER_TABLE.rows, *VALUES]), max_size=8))
def test_any_options_of_a_server_give_findings_or_a_model(tmp_path: Path, options: list[str]) -> None:
    text = f"backend b\n mode http\n server s 127.0.0.1:80 {' '.join(options)}\n"
    load_octets(tmp_path, text.encode("utf-8", "replace"))


@SETTINGS
@given(
    lines=st.lists(
        st.tuples(st.sampled_from([*DIRECTIVES, " setenv", " unsetenv", " resetenv", "global", "defaults"]), LINES), max_size=12
    ),
    environment=st.dictionaries(st.sampled_from("AB"), st.text(st.characters(blacklist_categories=["Cs"]), max_size=9)),
)
def test_any_blocks_give_findings_or_a_model(tmp_path: Path, lines: list[tuple[str, str]], environment: dict[str, str]) -> None:
    text = "".join(f"{word} {rest}\n" for word, rest in lines)
    load_octets(tmp_path, text.encode("utf-8", "surrogatepass"), environment)


@SETTINGS
@given(line=st.text(max_size=80))
def test_a_line_is_cut_or_refused(line: str) -> None:
    try:
        words = split_line(line, Place(Environment(), "t.cfg", 1, ""))
    except Refusal:
        return
    assert all(isinstance(word, str) for word in words)


@SETTINGS
@given(words=st.lists(st.text(st.characters(blacklist_characters="'\0", blacklist_categories=["Cs"]), max_size=9), max_size=5))
def test_strong_quotes_give_any_word_back(words: list[str]) -> None:
    line = " ".join(f"'{word}'" for word in words)
    assert split_line(line, Place(Environment(), "t.cfg", 1, "")) == words


@pytest.mark.parametrize("text", [ORIGINAL, MODERN])
def test_every_beginning_of_a_file_gives_findings_or_a_model(tmp_path: Path, text: str) -> None:
    octets = text.encode()
    for end in range(0, len(octets), 7):
        load_octets(tmp_path, octets[:end])


@pytest.mark.parametrize("text", [ORIGINAL, MODERN])
def test_a_file_without_any_one_of_its_lines_gives_findings_or_a_model(tmp_path: Path, text: str) -> None:
    lines = text.encode().splitlines(keepends=True)
    for left_out in range(len(lines)):
        load_octets(tmp_path, b"".join(lines[:left_out] + lines[left_out + 1 :]))
