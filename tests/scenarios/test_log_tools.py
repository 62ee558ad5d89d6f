"""Programs that read HAProxy's log, unchanged, on ours: rsyslog files it, as in life, and each of them reads every line.

The lines are those of a handful of requests that end in different ways, with captured headers and without.
"""

import json
import re
import socket
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from operators import Lab, laboratory, run
from peers import require_folder, require_module
from peers import require_peer as find
from running import free_port, running, wait_until

RSYSLOG: Final = """
global(workDirectory="{folder}")
module(load="imudp")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="lines")
template(name="head" type="string" string="%hostname% %syslogtag%|%pri%\\n")
ruleset(name="lines") {{
    if $msg startswith " 127.0.0.1:" then {{
        action(type="omfile" file="{folder}/haproxy.log" template="RSYSLOG_TraditionalFileFormat")
        action(type="omfile" file="{folder}/head.log" template="head")
    }}
}}
"""

# Port of the lab, request, status of the line.
TRAFFIC: Final = (
    ("port", b"GET / HTTP/1.1\r\nHost: a\r\n", "200"),
    ("port", b"GET /chunked?a=b HTTP/1.1\r\nHost: a\r\nCookie: SEASIDE=app1inst2\r\n", "200"),
    ("port", b"POST /missing HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n", "404"),
    ("port", b"GET /redirect HTTP/1.0\r\n", "302"),
    ("port", b"GET /close HTTP/1.1\r\nHost: a\r\n", "502"),
    ("port", b"GET /denied HTTP/1.1\r\nHost: a\r\n", "403"),
    ("port", b"GET /nobody HTTP/1.1\r\nHost: a\r\n", "503"),
    ("port", b"GET /a\"b HTTP/1.1\r\nHost: a\r\n", "200"),
    ("port", b"no request at all\r\n", "400"),
    ("other", b"GET /fault HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla {1|2}\r\n", "500"),
    ("other", b"HEAD / HTTP/1.1\r\nHost: shop.example\r\n", "200"),
    ("other", b"GET /stats;csv HTTP/1.1\r\nHost: shop.example\r\n", "200"),
)  # fmt: skip
STATUSES: Final = Counter(status for _, _, status in TRAFFIC)


@dataclass(frozen=True)
class Filed:
    """The log that rsyslog has filed."""

    path: Path
    heads: list[str]

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def own(self) -> str:
        """The file's path, for a command line."""
        return str(self.path)


@pytest.fixture(scope="module")
def filed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filed]:
    folder = tmp_path_factory.mktemp("log")
    port = free_port()
    (folder / "rsyslog.conf").write_text(RSYSLOG.format(folder=folder, port=port))
    words = [find("rsyslogd"), "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "rsyslog.pid")]
    path = folder / "haproxy.log"
    with running(words, folder / "rsyslog.out") as rsyslog:

        def takes_lines() -> bool:
            assert not rsyslog.has_ended(), rsyslog.text()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"<134>Nov 28 10:00:00 probe[1]: 127.0.0.1:1", ("127.0.0.1", port))
            return path.exists()

        wait_until(takes_lines, "rsyslog", tells=rsyslog.text)
        with laboratory(folder, port) as lab:
            for place, request, _ in TRAFFIC:
                say(lab, place, request)
            wait_until(lambda: lines_in(path) == len(TRAFFIC), "the lines to be filed", tells=path.read_text)
    heads = [line for line in (folder / "head.log").read_text().splitlines() if "probe" not in line]
    path.write_text("".join(f"{line}\n" for line in path.read_text().splitlines() if " probe[" not in line))
    yield Filed(path, heads)


def lines_in(path: Path) -> int:
    """How many lines of traffic rsyslog has filed."""
    return sum(" haproxy[" in line for line in path.read_text().splitlines())


def say(lab: Lab, place: str, request: bytes) -> None:
    """One request on a connection of its own, up to its end."""
    with socket.create_connection(("127.0.0.1", lab.ports[place]), 10.0) as client:
        client.sendall(request + b"Connection: close\r\n\r\n")
        while client.recv(65536):
            pass


def test_rsyslog_files_each_line_under_haproxys_name(filed: Filed) -> None:
    assert {re.sub(r"\[\d+\]", "[N]", head) for head in filed.heads} == {"localhost haproxy[N]:|134"}
    assert len(filed.heads) == len(TRAFFIC)


def test_halog_counts_every_line(filed: Filed, require_peer: Callable[[str], str]) -> None:
    halog = require_peer("halog")

    def told(*words: str) -> list[str]:
        return run(halog, "-q", "-H", *words, text=filed.text).splitlines()

    assert told("-c") == [str(len(TRAFFIC))]
    assert dict(line.split() for line in told("-st")) == {status: str(count) for status, count in STATUSES.items()}
    assert {line.split()[0] for line in told("-tc")} == {"--", "LR", "PR", "SC", "SH"}
    servers = {line.split()[0] for line in told("-srv") if not line.startswith("#")}
    assert {"smalltalk/app1", "smalltalk/app2", "other/s", "other/<STATS>", "nobody/<NOSRV>"} <= servers
    assert any(line.endswith(" /chunked") for line in told("-u"))
    assert [line for line in told("-hdr", "1:1") if line] == ["shop.example"] * 3
    assert told("-HS", "500:", "-c") == [str(sum(count for status, count in STATUSES.items() if status < "500"))]


def test_lnav_reads_every_line(filed: Filed, require_peer: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(filed.path.parent))
    asked = "SELECT status_code, count(*) AS n FROM haproxy_log GROUP BY status_code"
    table = run(require_peer("lnav"), "-n", "-c", f";{asked}", "-c", ":write-csv-to -", filed.own).splitlines()
    assert dict(line.split(",") for line in table[1:]) == {status: str(count) for status, count in STATUSES.items()}


def test_goaccess_reads_every_line(filed: Filed, tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    form = '%^]%^ %h:%^ [%d:%t.%^] %^/%^/%^/%^/%L/%^ %s %b %^"%r"'
    words = ("--no-global-config", f"--log-format={form}", "--date-format=%d/%b/%Y", "--time-format=%H:%M:%S")
    run(require_peer("goaccess"), filed.own, *words, "-o", str(tmp_path / "report.json"))
    report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text())
    general = report["general"]
    # Its request has to be one: <BADREQ> is none.
    assert (general["total_requests"], general["valid_requests"]) == (len(TRAFFIC), len(TRAFFIC) - general["failed_requests"])
    assert general["failed_requests"] <= 1


def test_haproxy_log_analysis_of_debian_reads_every_line(filed: Filed, require_peer: Callable[[str], str]) -> None:
    told = run(require_peer("haproxy_log_analysis"), "-c", "counter,counter_invalid,status_codes_counter", "-l", filed.own)
    assert [line for line in told.splitlines() if line.isdigit()] == [str(len(TRAFFIC)), "0"]
    assert {f"'{status}': {count}" for status, count in STATUSES.items()} <= set(re.findall(r"'\d+': \d+", told))


def test_haproxy_log_analysis_of_pypi_reads_every_line(filed: Filed) -> None:
    # It has haproxy-cli's name of a module, and therefore a folder of its own.
    folder = require_folder("haproxy-log-analysis")
    starts = f"import sys; sys.path.insert(0, {str(folder)!r}); from haproxy.main import console_script; console_script()"

    def told(*words: str) -> str:
        return run(sys.executable, "-P", "-c", starts, "-l", filed.own, *words)

    assert re.findall(r"- (\d+): (\d+)", told("-c", "status_codes_counter")) == [
        (status, str(count)) for status, count in STATUSES.most_common()
    ]
    assert json.loads(told("-c", "counter", "--json").splitlines()[-1]) == {"COUNTER": len(TRAFFIC)}
    assert "smalltalk" not in told("--invalid", "-c", "counter")


def test_logstashs_pattern_reads_every_line(filed: Filed) -> None:
    grok = require_module("pygrok", "pygrok").Grok("%{HAPROXYHTTP}")
    found: list[dict[str, str] | None] = [grok.match(line) for line in filed.text.splitlines()]
    assert None not in found
    read = [each for each in found if each is not None]
    assert Counter(each["http_status_code"] for each in read) == STATUSES
    assert {each["program"] for each in read} == {"haproxy"}
    assert [each["http_request"] for each in read if each["http_status_code"] == "404"] == ["/missing"]
    captured = Counter(each["captured_request_headers"] for each in read if each["backend_name"] == "other")
    assert captured == {"shop.example|Mozilla #7B1#7C2#7D": 1, "shop.example|": 2}
