"""Beside Debian's HAProxy: the same words from a line, the same verdict on a file, and no keyword of its that we do not know.

Files on which the verdicts differ on purpose stand in a table of their own, each with the reason.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from config_files import DEFAULTS, MODERN, ORIGINAL, WORDS_OF_LINES, load_text, told

from balancer import config
from balancer.config.binds import BIND_TABLE
from balancer.config.keywords import Table
from balancer.config.servers import SERVER_TABLE
from balancer.config.statsocket import STATS_TABLE
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE

VALID: Final = 0
ERROR: Final = 1
NO_LISTENER: Final = 2

A: Final = DEFAULTS + "listen a\n bind 127.0.0.1:18080\n"

# What the file is, and the file.
SAME_VERDICT: Final[tuple[tuple[str, str], ...]] = (
    ("the original in today's words", MODERN),
    ("nothing at all", "\n"),
    ("only comments", "# nothing\n   # here\n"),
    ("no listener", DEFAULTS + "backend b\n server s 127.0.0.1:1\n"),
    ("a stats socket alone", "global\n stats socket /tmp/balancer-test.sock mode 600 level admin\n"),
    ("a disabled frontend alone", DEFAULTS + "frontend f\n bind :18080\n disabled\n default_backend nope\n"),
    ("a frontend and a backend of one name", DEFAULTS + "frontend a\n bind :18080\n default_backend a\nbackend a\n"),
    ("two frontends of one name", DEFAULTS + "frontend a\n bind :18080\nfrontend a\n bind :18081\n"),
    ("a listen and a backend of one name", A + "backend a\n"),
    ("two servers of one name", A + " server s 127.0.0.1:1\n server s 127.0.0.1:2\n"),
    ("two servers of one cookie", A + " cookie X insert\n server s 127.0.0.1:1 cookie v\n server t 127.0.0.1:2 cookie v\n"),
    ("an unknown keyword", A + " nosuch\n"),
    ("an unknown backend", DEFAULTS + "frontend f\n bind :18080\n default_backend nope\n"),
    ("a loop", A + " default_backend a\n"),
    ("no timeouts", "listen a\n mode http\n bind 127.0.0.1:18080\n server s 127.0.0.1:1\n"),
    ("a later defaults", "defaults\n retries 1\n" + A),
    ("defaults by name", DEFAULTS.replace("defaults", "defaults d") + "listen a from d\n bind 127.0.0.1:18080\n"),
    ("defaults by a name that is not there", A + "backend b from d\n"),
    ("a server in a frontend", DEFAULTS + "frontend f\n bind :18080\n server s 127.0.0.1:1\n"),
    ("a balance in a frontend", DEFAULTS + "frontend f\n bind :18080\n balance roundrobin\n"),
    ("a bind in a backend", A + "backend b\n bind :1\n"),
    ("a bind in defaults", DEFAULTS + " bind :1\n"),
    ("addresses of all forms", DEFAULTS + "listen a\n bind :1,*:2 name x\n bind [::1]:3-5\n bind ipv4@:6\n bind localhost:7\n"),
    ("a port out of range", DEFAULTS + "listen a\n bind :80800\n"),
    ("an address without a port", DEFAULTS + "listen a\n bind 127.0.0.1\n"),
    ("a time out of range", A + " timeout server 30d\n"),
    ("a time with a wrong unit", A + " timeout server 30x\n"),
    ("a weight out of range", A + " server s 127.0.0.1:1 weight 257\n"),
    ("an interval of nothing", A + " server s 127.0.0.1:1 inter 0\n"),
    ("a cookie without a value", A + " server s 127.0.0.1:1 cookie\n"),
    ("an error file that is not there", A + " errorfile 503 /nonexistent\n"),
    ("an error file that is empty", A + " errorfile 503 /dev/null\n"),
    ("a mistyped option of a server", A + " server s 127.0.0.1:1 chek\n"),
    ("an unmatched quote", A + ' server s "127.0.0.1:1\n'),
    ("a last line without its end", A + " retries 3"),
    ("no before an option", A + " no option dontlognull\n no option redispatch\n no log\n"),
    ("no before what has no opposite", A + " no retries 3\n"),
    ("log lines", "global\n log 127.0.0.1:514 local0 notice err\n log /dev/log daemon\n log stdout format raw local0\n" + A),
    ("a log without a facility", "global\n log 127.0.0.1\n" + A),
    ("maxconn twice", "global\n maxconn 10\n maxconn 20\n" + A),
    ("a rule for the exporter", A + " http-request use-service prometheus-exporter if { path /metrics }\n"),
    ("an old rule", A + " reqadd X\n"),
    (
        "all options of servers",
        A + " server s 127.0.0.1:1 check inter 1s fastinter 1 downinter 2 rise 1 fall 2 weight 0 backup\n",
    ),
    ("all words of cookie", A + " cookie X insert indirect nocache postonly preserve httponly secure domain .a.b attr A=b\n"),
    (
        "words of global",
        "global\n daemon\n nbthread 1\n tune.bufsize 32768\n hard-stop-after 3s\n node x\n no strict-limits\n" + A,
    ),
)
# What the file is, the file, and HAProxy's verdict; ours is an error unless the reason says otherwise.
OTHER_VERDICT: Final[tuple[tuple[str, str, int, int], ...]] = (
    ("HAProxy 2.6 takes the words of 2006 no more", ORIGINAL, ERROR, VALID),
    ("it takes nbproc no more", "global\n nbproc 4\n" + A, ERROR, VALID),
    ("TCP is not supported yet", A + " mode tcp\n", VALID, ERROR),
    ("without a mode it is TCP", "listen a\n bind 127.0.0.1:18080\n timeout client 1s\n", VALID, ERROR),
    ("expressions are not evaluated", A + " balance hash src\n", VALID, ERROR),
    ("a cookie's value could end the header", A + ' server s 127.0.0.1:1 cookie "a;b"\n', VALID, ERROR),
    ("a number that is none is 0 for HAProxy", A + " maxconn many\n", VALID, ERROR),
    ("a uid that is no number is root for HAProxy", "global\n uid many\n" + A, VALID, ERROR),
)


def verdict_of_haproxy(program: str, path: Path) -> int:
    return subprocess.run([program, "-c", "-q", "-f", str(path)], capture_output=True, timeout=30, check=False).returncode


def our_verdict(directory: Path, text: str) -> tuple[int, list[str]]:
    outcome = load_text(directory, text, resolve=True)
    if outcome.model is None:
        return ERROR, told(outcome)
    return VALID if outcome.has_listener else NO_LISTENER, told(outcome)


@pytest.mark.parametrize(("what", "text"), SAME_VERDICT, ids=[what for what, _ in SAME_VERDICT])
def test_the_verdict_is_haproxys(tmp_path: Path, require_peer: Callable[[str], str], what: str, text: str) -> None:
    program = require_peer("haproxy")
    ours, findings = our_verdict(tmp_path, text)
    assert ours == verdict_of_haproxy(program, tmp_path / "test.cfg"), findings


@pytest.mark.parametrize(("why", "text", "haproxys", "ours"), OTHER_VERDICT, ids=[why for why, *_ in OTHER_VERDICT])
def test_the_verdict_differs_on_purpose(
    tmp_path: Path, require_peer: Callable[[str], str], why: str, text: str, haproxys: int, ours: int
) -> None:
    program = require_peer("haproxy")
    assert our_verdict(tmp_path, text)[0] == ours
    assert verdict_of_haproxy(program, tmp_path / "test.cfg") == haproxys


def test_debians_own_file_is_valid_with_warnings(require_peer: Callable[[str], str]) -> None:
    require_peer("haproxy")
    path = Path("/etc/haproxy/haproxy.cfg")
    if not path.exists():
        pytest.skip("needs haproxy's /etc/haproxy/haproxy.cfg")
    outcome = config.load([str(path)])
    assert outcome.has_listener
    assert outcome.model is not None, told(outcome)
    assert {finding.level for finding in outcome.findings} == {config.WARNING}


# Those whose first word says where it ends: HAProxy's alert stops at a line feed.
TOLD_LINES: Final = [row for row in WORDS_OF_LINES if row[1] and "$" not in row[0] and "\n" not in row[1][0]]


@pytest.mark.parametrize(("line", "words"), TOLD_LINES)
def test_haproxy_cuts_the_line_into_the_same_first_word(
    tmp_path: Path, require_peer: Callable[[str], str], line: str, words: tuple[str, ...]
) -> None:
    """The first word after `bind` comes back in the alert about the port that it lacks."""
    program = require_peer("haproxy")
    path = tmp_path / "line.cfg"
    path.write_text(f"listen a\n bind {line}\n")
    done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False)
    expected = f"missing port specification in '{words[0]}'" if words[0] else "'bind' expects"
    assert expected in done.stderr


def keywords_of_haproxy(program: str) -> dict[str, list[list[str]]]:
    """The keywords that HAProxy prints of itself, by section, each as its words."""
    command = [program, "-dKcfg", "-q", "-c", "-f", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in done.stdout.splitlines():
        if line.startswith("\t"):
            current.append(line.split())
        elif not line.startswith("#"):
            current = sections.setdefault(line.strip(), [])
    return sections


def test_every_keyword_that_haproxy_has_is_in_a_table(require_peer: Callable[[str], str]) -> None:
    sections = keywords_of_haproxy(require_peer("haproxy"))
    assert len(sections["global"]) > 50
    assert len(sections["listen"]) > 300
    missing = [words for words in sections["global"] if words != ["stats"] and GLOBAL_TABLE.find(words) is None]
    for words in sections["listen"]:
        if words[:2] == ["bind", "<addr>"]:
            option = next(word for word in words[2:] if word != "ssl" or len(words) < 4)
            missing += [] if option in BIND_TABLE.rows else [words]
        elif words[:3] == ["server", "<name>", "<addr>"]:
            missing += [] if words[3] in SERVER_TABLE.rows else [words]
        elif words != ["timeout"] and PROXY_TABLE.find(words) is None:
            missing.append(words)
    assert missing == []


def samples_of_haproxy(program: str) -> dict[str, list[str]]:
    """The names of its fetches, converters and ACL keywords, by what it calls them."""
    command = [program, "-dKall", "-q", "-c", "-f", "/dev/null"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    kinds: dict[str, list[str]] = {}
    for part in done.stdout.split("# List of registered ")[1:]:
        title, _, text = part.partition(":\n")
        lines = [re.sub(r"^\[[ YN.]*\] ", "", line.strip()) for line in text.splitlines() if line[:1] != "#"]
        kinds[title] = [re.split(r"[(: ]", line)[0] for line in lines if line]
    return kinds


def test_every_fetch_converter_and_acl_keyword_of_haproxy_is_known(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    kinds = samples_of_haproxy(require_peer("haproxy"))
    fetches, converters = kinds["sample fetch functions"], kinds["sample converter functions"]
    assert len(fetches) > 400
    assert len(converters) > 100
    lines = [f" http-request set-header X %[{name}]" for name in fetches]
    lines += [f" http-request set-header X %[path,{name}]" for name in converters]
    lines += [f" acl x {name} 1" for name in kinds["ACL keywords"]]
    outcome = load_text(tmp_path, A + "\n".join(lines) + "\n")
    said = told(outcome)
    assert not [text for text in said if "unknown" in str(text)]


def test_every_action_of_rules_that_haproxy_has_is_known(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    rules = [words for words in keywords_of_haproxy(require_peer("haproxy"))["listen"] if words[0].startswith("http-re")]
    rules += [words for words in keywords_of_haproxy(require_peer("haproxy"))["listen"] if words[0] == "http-after-response"]
    assert len(rules) > 90
    # A star stands for what follows the name without a blank.
    lines = [f" {words[0]} {words[1].replace('*', '(txn.a)' if 'var' in words[1] else '')}" for words in rules]
    findings = load_text(tmp_path, A + "\n".join([*lines, " http-request nosuch"]) + "\n").findings
    unknown = [str(finding) for finding in findings if "unset-var(name) (got" in str(finding)]
    assert len(unknown) == 1, unknown
    assert "(got 'nosuch')" in unknown[0]


def test_a_misspelt_fetch_is_no_word_of_haproxys(tmp_path: Path) -> None:
    for name in ("sc_nothing", "src_conn_curr", "ssl_fc_snj", "sc3_conn_cur"):
        [text] = told(load_text(tmp_path, A + f" http-request set-header X %[{name}]\n"))
        assert f"unknown fetch method '{name}'" in str(text)


@pytest.mark.parametrize(("table", "prefix"), [(BIND_TABLE, "bind <addr>"), (SERVER_TABLE, "server <name> <addr>")])
def test_an_option_of_a_line_takes_as_many_values_as_haproxys(
    require_peer: Callable[[str], str], table: Table[object], prefix: str
) -> None:
    for words in keywords_of_haproxy(require_peer("haproxy"))["listen"]:
        match = re.fullmatch(re.escape(prefix) + r" (?:ssl )?(\S+)(?: \+-?(\d+))?", " ".join(words))
        # 'usesrc' belongs to 'source', which is refused as a whole.
        if match is not None and match[1] not in ("ssl", "usesrc"):
            assert table.rows[match[1]].value_count == int(match[2] or 0), words


def test_every_option_of_a_stats_socket_is_one_of_a_bind() -> None:
    assert set(STATS_TABLE.rows) <= set(BIND_TABLE.rows)
