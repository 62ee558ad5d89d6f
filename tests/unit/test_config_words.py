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
    "bind": "bind 127.0.0.1:{number} {}",
    "server": "server s{number} 127.0.0.1:1 {}",
    "stats socket": "stats socket /tmp/words{number}.sock {}",
}
LISTEN: Final = (
    "http-errors e\nbackend b\n mode http\n stick-table type ip size 1k\n server s 127.0.0.1:1 check\n"
    "listen a\n mode http\n timeout client 1s\n timeout connect 1s\n timeout server 1s\n server s0 127.0.0.1:1\n"
)
HEADS: Final[dict[str, str]] = {
    "global": "global\n expose-experimental-directives\n",
    "stats socket": "global\n",
    "proxy": LISTEN,
    "bind": LISTEN,
    "server": LISTEN,
}
# Lines of a file: HAProxy stops at its fiftieth mistake.
LINES_MAX: Final = 40
# What is tried behind a keyword, in this order.
TRIES: Final = (
    *("1", "1s", "", "on", "x", "auto", "/dev/null", "127.0.0.1", "x y", "all", "root", "if TRUE", "x if TRUE", "required"),
    *("TLSv1.2", "roundrobin", "fail-check", "a/b", "legacy", "1/1 0-0", "auto:1/1 0", "h1", "ipv4"),
)
# What is tried first, where none of these will do or is what an operator would write.
SAMPLES: Final[dict[str, str]] = {
    "proxy: dispatch": "127.0.0.1:1",
    "global: default-path": "current",
    "global: description": "x",
    "global: h1-case-adjust": "x X",
    "global: hard-stop-after": "1s",
    "global: localpeer": "x",
    "global: max-spread-checks": "1s",
    "global: nbthread": "1",
    "global: node": "x",
    "global: spread-checks": "5",
    "global: stats timeout": "1s",
    "global: tune.http.maxhdr": "101",
    "global: tune.maxrewrite": "1024",
    "global: unsetenv": "WORDS",
    "global: log": "127.0.0.1:514 local0",
    "global: setenv": "WORDS x",
    "global: presetenv": "WORDS x",
    "global: set-var": "proc.a int(1)",
    "global: set-var-fmt": "proc.a x",
    "global: ssl-default-bind-options": "no-sslv3",
    "global: ssl-default-server-options": "no-sslv3",
    "global: stats socket": "/tmp/words.sock",
    "global: grace": "1s",
    "global: maxpipes": "100",
    "global: stats maxconn": "5",
    "global: tune.bufsize": "16384",
    "global: ulimit-n": "1000",
    "global: tune.pipesize": "65536",
    "global: tune.h2.header-table-size": "4096",
    "global: tune.h2.max-frame-size": "16384",
    "global: tune.ssl.default-dh-param": "2048",
    "proxy: bind": "127.0.0.1:20000",
    "proxy: cookie": "S insert",
    "proxy: default_backend": "b",
    "proxy: errorfiles": "e",
    "proxy: hash-balance-factor": "150",
    "proxy: hash-type": "consistent",
    "proxy: http-check": "expect status 200",
    "proxy: http-check expect": "status 200",
    "proxy: http-error": "status 503",
    "proxy: http-request": "use-service prometheus-exporter if { path /metrics }",
    "proxy: http-reuse": "safe",
    "proxy: log": "127.0.0.1:514 local0",
    "proxy: mode": "http",
    "proxy: monitor-uri": "/monitor",
    "proxy: retry-on": "conn-failure",
    "proxy: server": "s 127.0.0.1:1",
    "proxy: use_backend": "b",
    "proxy: errorfile": "503 /dev/null",
    **dict.fromkeys(("proxy: errorloc", "proxy: errorloc302", "proxy: errorloc303"), "503 http://a/"),
    "server: cookie": "x",
    "server: track": "b/s",
    "server: proxy-v2-options": "ssl",
    "server: sni": "str(a)",
    "server: log-proto": "legacy",
    "server: agent-check": "agent-port 1",
    "server: agent-port": "1 agent-check",
    "server: usesrc": "clientip",
    "server: maxconn": "1",
    "server: minconn": "1",
    "server: maxqueue": "1",
    "server: weight": "1",
    "server: observe": "layer7",
    "server: on-marked-down": "shutdown-sessions",
    "server: on-marked-up": "shutdown-backup-sessions",
    "server: ssl": "verify none",
    "server: check-ssl": "verify none",
    "bind: level": "admin",
    "bind: expose-fd": "listeners",
    "bind: severity-output": "none",
    "stats socket: severity-output": "none",
    "proxy: acl": "x always_true",
    "proxy: capture": "request header x len 10",
    "proxy: compression": "algo gzip",
    "proxy: declare": "capture request len 10",
    "proxy: default-server": "inter 1s",
    "proxy: email-alert": "from a",
    "proxy: external-check": "path /bin",
    "proxy: filter": "compression",
    "proxy: http-after-response": "set-header x y",
    "proxy: http-response": "set-header x y",
    "proxy: load-server-state-from-file": "none",
    "proxy: monitor": "fail if TRUE",
    "proxy: option http-restrict-req-hdr-names": "preserve",
    "proxy: option pgsql-check": "user a",
    "proxy: persist": "rdp-cookie",
    "proxy: rate-limit": "sessions 1",
    "proxy: redirect": "location /x",
    "proxy: server-template": "s 1 127.0.0.1:1",
    "proxy: stats http-request": "allow",
    "proxy: stick": "on src table b",
    "proxy: use-server": "s0 if TRUE",
    "proxy: stick-table": "type ip size 1k",
    "proxy: tcp-check": "connect",
    "proxy: tcp-request": "content accept",
    "proxy: tcp-response": "content accept",
    "stats socket: level": "admin",
    "stats socket: expose-fd": "listeners",
}
# Keywords that nothing makes Debian's HAProxy take, and why.
NOT_BUILT_IN: Final = "Debian's is built without it"
NEEDS_FILE: Final = "needs a file of keys"
NEEDS_SECTION: Final = "needs a section that is refused here"
DETECTION: Final = (
    "51degrees-cache-size 51degrees-data-file 51degrees-property-name-list 51degrees-property-separator deviceatlas-json-file "
    "deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator wurfl-cache-size wurfl-data-file "
    "wurfl-information-list wurfl-information-list-separator"
)
OF_OTHER_BUILDS: Final = (
    "ssl-engine tune.quic.frontend.conn-tx-buffers.limit tune.quic.frontend.max-idle-timeout "
    "tune.quic.frontend.max-streams-bidi tune.quic.retry-threshold tune.zlib.memlevel tune.zlib.windowsize"
)
NEVER_TAKEN: Final[dict[str, str]] = {
    **dict.fromkeys([f"global: {word}" for word in f"{DETECTION} {OF_OTHER_BUILDS}".split()], NOT_BUILT_IN),
    **dict.fromkeys([f"server: {word}" for word in ("curves", "interface")], NOT_BUILT_IN),
    **dict.fromkeys([f"stats socket: {word}" for word in ("crt", "ca-file", "crl-file")], NEEDS_FILE),
    **dict.fromkeys([f"bind: {word}" for word in "crt ca-file ca-verify-file crl-file tls-ticket-keys".split()], NEEDS_FILE),
    **dict.fromkeys([f"server: {word}" for word in ("ca-file", "crl-file")], NEEDS_FILE),
    **dict.fromkeys([f"{line}: namespace" for line in ("bind", "server", "stats socket")], "needs a network namespace"),
    "bind: quic-force-retry": NOT_BUILT_IN,
    "bind: ssl": NEEDS_FILE,
    "global: issuers-chain-path": NEEDS_FILE,
    "global: ssl-dh-param-file": NEEDS_FILE,
    "global: tune.chksize": "tune.bufsize is used instead",
    "global: nbproc": "of HAProxy before 2.5; it works here",
    "global: ssl-propquery": NEEDS_FILE,
    "global: httpclient.ssl.ca-file": NEEDS_FILE,
    "global: httpclient.resolvers.id": NEEDS_SECTION,
    "server: resolvers": NEEDS_SECTION,
    "proxy: use-fcgi-app": NEEDS_SECTION,
    "server: usesrc": "it belongs to 'source'",
    "stats socket: proto": "it speaks no HTTP",
}


@dataclass(frozen=True)
class Word:
    """One keyword of a table."""

    place: str
    row: Keyword[Any]

    def line(self, arguments: str, number: int) -> str:
        """The line that it makes with those arguments; the number keeps it from being the twin of another."""
        return FRAMES[self.place].format(f"{self.row.words} {arguments}".strip(), number=20000 + number)

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
    """Which of the lines HAProxy takes: those that are left when it finds nothing more to say of any."""
    good: set[int] = set()
    for begin in range(0, len(lines), LINES_MAX):
        good |= _taken_together(program, path, place, dict(list(enumerate(lines))[begin : begin + LINES_MAX]))
    return [number in good for number in range(len(lines))]


def _taken_together(program: str, path: Path, place: str, lines: dict[int, str]) -> set[int]:
    left = dict(lines)
    while left:
        head = HEADS[place]
        path.write_text(head + "".join(f" {line}\n" for line in left.values()))
        done = subprocess.run([program, "-c", "-f", str(path)], capture_output=True, text=True, timeout=30, check=False)
        found = re.findall(r"\[ALERT\].*?\[" + re.escape(str(path)) + r":(\d+)\]", done.stderr)
        numbers = list(left)
        wrong = {numbers[int(number) - head.count("\n") - 1] for number in found}
        if not wrong and done.returncode == 1 and len(left) > 1:
            # One of them ends it all without saying where: each for itself.
            return {number for number, line in left.items() if _taken_together(program, path, place, {number: line})}
        if not wrong:
            return set() if done.returncode == 1 else set(left)
        left = {number: line for number, line in left.items() if number not in wrong}
    return set()


def samples(program: str, path: Path, wanted: Iterable[Word]) -> dict[Word, str]:
    """For each keyword a line that HAProxy takes; none where there is none."""
    found: dict[Word, str] = {}
    for place in TABLES:
        left = [word for word in wanted if word.place == place]
        for arguments in (None, *TRIES):
            lines = [
                word.line(SAMPLES.get(word.name(), TRIES[0]) if arguments is None else arguments, n)
                for n, word in enumerate(left)
            ]
            for word, line, is_taken in zip(left, lines, taken(program, path, place, lines), strict=True):
                if is_taken:
                    found[word] = line
            left = [word for word in left if word not in found]
    return found


def test_what_haproxy_takes_is_taken_or_refused_with_advice(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    program = require_peer("haproxy")
    wanted = [word for word in words() if word.row.fate != GONE and not word.row.modern and word.name() not in NEVER_TAKEN]
    found = samples(program, tmp_path / "words.cfg", wanted)
    assert [word.name() for word in wanted if word not in found] == []
    wrong = []
    for word, line in found.items():
        findings = load_text(tmp_path, f"{HEADS[word.place]} {line}\n", resolve=True).findings
        first = HEADS[word.place].count("\n")
        here = [finding for finding in findings if finding.origin is not None and finding.origin.line > first]
        levels = {finding.level for finding in here}
        expected = {WORKS: set(), NO_EFFECT: {WARNING}, REFUSED: {ALERT}}[word.row.fate]
        if levels & {ALERT} != expected & {ALERT} or (word.row.fate == NO_EFFECT and WARNING not in levels):
            wrong.append(f"{word.name()} ({word.row.fate}): {line}: {[str(finding) for finding in here]}")
    assert not wrong, "\n".join(wrong)


def test_what_is_gone_is_refused_by_haproxy_itself(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    gone = [word for word in words() if word.row.fate == GONE]
    assert samples(require_peer("haproxy"), tmp_path / "words.cfg", gone) == {}
