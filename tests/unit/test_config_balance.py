"""`balance`, `hash-type`, `hash-balance-factor` and `id`: what becomes of each, and what HAProxy itself refuses of it."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from config_files import DEFAULTS, load_text, told

from balancer.config.findings import ALERT
from balancer.model import Balance

SERVER: Final = "server s 127.0.0.1:1"

# A line of a backend and the rule that it gives.
RULES: Final[tuple[tuple[str, Balance], ...]] = (
    ("balance", Balance()),
    ("balance roundrobin", Balance()),
    ("balance static-rr", Balance("static-rr")),
    ("balance leastconn", Balance("leastconn")),
    ("balance first", Balance("first")),
    ("balance random", Balance("random", draw_count=2)),
    ("balance random(5)", Balance("random", draw_count=5)),
    ("balance source", Balance("source")),
    ("balance uri", Balance("uri")),
    ("balance uri len 20 depth 3", Balance("uri", length_max=20, depth_max=3)),
    ("balance uri whole path-only", Balance("uri", is_whole=True, is_path_only=True)),
    ("balance uri len 3 len 4", Balance("uri", length_max=4)),
    ("balance url_param user", Balance("url_param", name=b"user")),
    ("balance url_param user check_post", Balance("url_param", name=b"user", checks_post=True)),
    ("balance hdr(Host)", Balance("hdr", name=b"host")),
    ("balance hdr(Host) use_domain_only", Balance("hdr", name=b"host", uses_domain_only=True)),
    ("hash-type map-based", Balance()),
    ("hash-type map-based wt6", Balance(function="wt6")),
    ("hash-type map-based djb2 avalanche", Balance(function="djb2", avalanche=True)),
    ("hash-type consistent", Balance(is_consistent=True, avalanche=True)),
    ("hash-type consistent sdbm", Balance(is_consistent=True)),
    ("hash-type consistent crc32 avalanche", Balance(is_consistent=True, function="crc32", avalanche=True)),
    ("hash-balance-factor 0", Balance()),
    ("hash-balance-factor 150", Balance(factor_percent=150)),
)

REFUSED: Final[tuple[str, ...]] = (
    "balance nosuch",
    "balance Source",
    "balance hdr",
    "balance hdr()",
    "balance hdr(",
    "balance hdr(host",
    "balance hdr(host) nosuch",
    "balance random(",
    "balance random(3",
    "balance random(0)",
    "balance random(-1)",
    "balance random(x)",
    "balance uri len",
    "balance uri len 0",
    "balance uri len x",
    "balance uri depth",
    "balance uri depth -1",
    "balance uri nosuch",
    "balance url_param",
    "balance url_param a nosuch",
    "balance sticky",
    "hash-type",
    "hash-type nosuch",
    "hash-type avalanche",
    "hash-type map-based avalanche",
    "hash-type map-based nosuch",
    "hash-type consistent sdbm nosuch",
    "hash-balance-factor",
    "hash-balance-factor 50",
    "hash-balance-factor 100",
    "hash-balance-factor -5",
    f"{SERVER} id",
    f"{SERVER} id 0",
    f"{SERVER} id x",
    f"{SERVER} id -1",
    "default-server id 3",
    f"{SERVER} id 3\n server t 127.0.0.1:2 id 3",
)

# HAProxy takes these as they are; they give a warning.
PASSED_OVER: Final[tuple[str, ...]] = (
    "balance roundrobin x",
    "balance source x y",
    "balance url_param a check_post 64",
    "balance hdr(host) use_domain_only x",
    "hash-type map-based sdbm avalanche x",
    "hash-balance-factor 150 x",
)


@pytest.mark.parametrize(("line", "rule"), RULES, ids=[line for line, _ in RULES])
def test_a_line_becomes_a_rule(tmp_path: Path, line: str, rule: Balance) -> None:
    outcome = load_text(tmp_path, DEFAULTS + f"backend b\n {line}\n {SERVER}\n")
    assert outcome.model is not None, told(outcome)
    assert told(outcome) == []
    assert outcome.model.backends[0].balance == rule


def test_the_words_of_one_keyword_leave_the_others_alone(tmp_path: Path) -> None:
    text = DEFAULTS + "backend b\n hash-type consistent wt6\n hash-balance-factor 150\n balance uri whole\n balance hdr(x)\n"
    outcome = load_text(tmp_path, text)
    assert outcome.model is not None
    assert outcome.model.backends[0].balance == Balance(
        "hdr", name=b"x", is_consistent=True, function="wt6", factor_percent=150
    )


def test_defaults_hand_the_algorithm_on(tmp_path: Path) -> None:
    text = DEFAULTS + " balance source\n hash-type consistent\nbackend b\nbackend c\n balance first\n"
    outcome = load_text(tmp_path, text)
    assert outcome.model is not None
    found = [backend.balance for backend in outcome.model.backends]
    assert found == [
        Balance("source", is_consistent=True, avalanche=True),
        Balance("first", is_consistent=True, avalanche=True),
    ]


def test_haproxy_refuses_the_same_lines(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    program = require_peer("haproxy")
    lines = [line for line, _ in RULES] + [*REFUSED, *PASSED_OVER]
    text = DEFAULTS + "".join(f"backend b{n}\n {line}\n" for n, line in enumerate(lines))
    outcome = load_text(tmp_path, text)
    done = subprocess.run(
        [program, "-c", "-f", str(tmp_path / "test.cfg")], capture_output=True, text=True, timeout=30, check=False
    )
    theirs = {int(number) for number in re.findall(r"ALERT.*\[\S+:(\d+)\]", done.stderr)}
    ours = {finding.origin.line for finding in outcome.findings if finding.level == ALERT and finding.origin is not None}
    all_lines = text.splitlines()
    assert sorted(all_lines[n - 1] for n in ours) == sorted(all_lines[n - 1] for n in theirs)
    assert len(ours) == len(REFUSED)


# The ids that are given (0 for none) and those that HAProxy makes of them.
IDS: Final = (
    ((0, 0, 0), [1, 2, 3]),
    ((2, 0, 0), [2, 3, 4]),
    ((0, 1, 0), [2, 1, 4]),
    ((7, 0, 5, 0, 0), [7, 2, 5, 4, 6]),
)


@pytest.mark.parametrize(("given", "numbers"), IDS)
def test_servers_without_an_id_get_the_next_free_one(tmp_path: Path, given: tuple[int, ...], numbers: list[int]) -> None:
    servers = "".join(f" server s{n} 127.0.0.1:{n + 1}{f' id {each}' if each else ''}\n" for n, each in enumerate(given))
    outcome = load_text(tmp_path, DEFAULTS + "backend b\n" + servers)
    assert outcome.model is not None
    assert [server.number for server in outcome.model.backends[0].servers] == numbers
