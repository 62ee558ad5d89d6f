"""Every word of HAProxy's: those that it takes, with arguments that it takes, are taken here, too, or refused with advice.

For each keyword of our tables arguments are tried until Debian's haproxy takes the line; all lines of a try stand in one file.
The same line then meets our own reader. Whatever differs is listed, with the reason.
"""

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from config_files import load_text

from balancer.config.binds import BIND_TABLE
from balancer.config.findings import ALERT, WARNING
from balancer.config.keywords import GONE, NO_EFFECT, REFUSED, WORKS, Keyword, Table
from balancer.config.servers import SERVER_TABLE
from balancer.config.statsocket import STATS_TABLE
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE

TABLES: Final[dict[str, Table[Any]]] = {
    "global": GLOBAL_TABLE,
    "proxy": PROXY_TABLE,
    "bind": BIND_TABLE,
    "server": SERVER_TABLE,
    "stats socket": STATS_TABLE,
}
# Before and behind a keyword in a file that holds nothing else of interest.
FRAMES: Final[dict[str, str]] = {
    "global": "{}",
    "proxy": "{}",
    "bind": "bind 127.0.0.1:{port} {}",
    "server": "server s{port} 127.0.0.1:1 {}",
    "stats socket": "stats socket /tmp/words{port}.sock {}",
}
HEADS: Final[dict[str, str]] = {
    "global": "global\n",
    "stats socket": "global\n",
    "proxy": "listen a\n mode http\n",
    "bind": "listen a\n mode http\n",
    "server": "listen a\n mode http\n",
}
# Lines of a file: HAProxy stops at its fiftieth mistake.
LINES_MAX: Final = 40
# What is tried behind a keyword, in this order.
TRIES: Final = (
    *("", "1", "1s", "on", "x", "auto", "/dev/null", "127.0.0.1", "1 2", "x y", "127.0.0.1:1 local0", "all", "layer7", "root"),
    *("if TRUE", "x if TRUE", "x insert", "x 127.0.0.1:1", "503 /dev/null", "503 http://a/", "any,-ssl", "TLSv1.2", "required"),
    *("GET /", "accept if TRUE", "allow", "deny", "/x", "a=b", "req.len 10", "request len 10", "on if TRUE", "sessions 1"),
    *("roundrobin", "http", "never", "conn-failure", "status 200", "status 503", "string x", "check inter 1s", "map-based"),
    *("src table a", "on src", "type ip size 1k", "mailers x", "fail if TRUE", "location /x", "fail-check", "user", "600"),
    *("none", "shutdown-sessions", "shutdown-backup-sessions", "listeners", "proc.a int(1)", "proc.a x", "auto:1/1 0", "1/1 0"),
    *("ipv4", "last", "a/b", "number", "h1", "HTTP/1.1", "127.0.0.1:1", "rdp-cookie", "a 0-0 x", "cookie x len 10", "default"),
    *(
        "on-error x",
        "trace",
        "use-service prometheus-exporter if { path /metrics }",
        "random-value",
        "x 1 10.0.0.1:1",
        "origin x",
    ),
)
# Keywords that no try of these makes HAProxy take, and why.
NEVER_TAKEN: Final[dict[str, str]] = {}
# Keywords whose line HAProxy takes and we refuse though they work, and why.
STRICTER: Final[dict[str, str]] = {}


@dataclass(frozen=True)
class Word:
    """One keyword of a table."""

    place: str
    row: Keyword[Any]

    def line(self, arguments: str, port: int) -> str:
        """The line that it makes with those arguments."""
        return FRAMES[self.place].format(f"{self.row.words} {arguments}".strip(), port=port)

    def name(self) -> str:
        """How a message of this test calls it."""
        return f"{self.place}: {self.row.words}"


def words() -> list[Word]:
    return [Word(place, row) for place, table in TABLES.items() for row in table.rows.values()]


@pytest.mark.parametrize("word", [word for word in words() if word.row.fate != WORKS], ids=Word.name)
def test_a_word_that_does_not_work_says_why(word: Word) -> None:
    assert word.row.text
    assert word.row.fate in (REFUSED, NO_EFFECT, GONE)


def taken(program: str, path: Path, place: str, lines: list[str]) -> list[bool]:
    """Which of the lines HAProxy takes."""
    told: set[int] = set()
    for begin in range(0, len(lines), LINES_MAX):
        head = HEADS[place]
        path.write_text(head + "".join(f" {line}\n" for line in lines[begin : begin + LINES_MAX]))
        done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False)
        numbers = re.findall(r"\[ALERT\].*?\[" + re.escape(str(path)) + r":(\d+)\]", done.stderr)
        told.update(begin + int(number) - head.count("\n") - 1 for number in numbers)
    return [number not in told for number in range(len(lines))]


def samples(program: str, path: Path, wanted: Iterable[Word]) -> dict[Word, str]:
    """For each keyword a line that HAProxy takes; none where there is none."""
    found: dict[Word, str] = {}
    for place in TABLES:
        left = [word for word in wanted if word.place == place]
        for arguments in TRIES:
            lines = [word.line(arguments, 20000 + n) for n, word in enumerate(left)]
            for word, line, is_taken in zip(left, lines, taken(program, path, place, lines), strict=True):
                if is_taken:
                    found[word] = line
            left = [word for word in left if word not in found]
    return found


def test_what_haproxy_takes_is_taken_or_refused_with_advice(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    program = require_peer("haproxy")
    wanted = [word for word in words() if word.row.fate != GONE and not word.row.modern]
    found = samples(program, tmp_path / "words.cfg", wanted)
    assert {word.name() for word in wanted if word not in found} == set(NEVER_TAKEN)
    wrong = []
    for word, line in found.items():
        findings = load_text(tmp_path, f"{HEADS[word.place]} {line}\n", resolve=True).findings
        here = [finding for finding in findings if finding.origin is not None and finding.origin.line > 1]
        levels = {finding.level for finding in here}
        expected = {WORKS: set(), NO_EFFECT: {WARNING}, REFUSED: {ALERT}}[word.row.fate]
        if ALERT in levels and word.row.fate == WORKS and word.name() in STRICTER:
            continue
        if levels & {ALERT} != expected & {ALERT} or (word.row.fate == NO_EFFECT and WARNING not in levels):
            wrong.append(f"{word.name()} ({word.row.fate}): {line}: {[str(finding) for finding in here]}")
    assert not wrong, "\n".join(wrong)


def test_what_is_gone_is_refused_by_haproxy_itself(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    gone = [word for word in words() if word.row.fate == GONE]
    assert samples(require_peer("haproxy"), tmp_path / "words.cfg", gone) == {}
