"""The stats socket and /metrics of a running balancer, asked by hand, by HAProxy's own tools, and beside HAProxy itself."""

import re
import resource
import select
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from program import Balancer, ask, write_config
from running import free_port, running, wait_until

CONFIG: Final = """
global
    maxconn 100
    stats socket {folder}/admin.sock level admin
    stats socket {folder}/user.sock level user
    stats timeout {timeout}
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
listen smalltalk
    bind 127.0.0.1:{port}
    cookie SEASIDE insert
    server app1 127.0.0.1:{server} cookie app1inst1 check inter 200
    server app2 127.0.0.1:{server} cookie app1inst2 weight 3
    server gone 127.0.0.1:{nobody} cookie app1inst3 check inter 200
frontend metrics
    bind 127.0.0.1:{metrics}
    http-request use-service prometheus-exporter if {{ path /metrics }}
"""


class Lab:
    """A running program with its sockets; the "images" are a listener that nobody answers on."""

    def __init__(self, folder: Path, port: int, metrics: int) -> None:
        self.folder = folder
        self.port = port
        self.metrics = metrics

    def connect(self, name: str = "admin") -> socket.socket:
        """A connection to one of the stats sockets."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(15.0)
        client.connect(str(self.folder / f"{name}.sock"))
        return client

    def say(self, text: str, name: str = "admin") -> str:
        """All that is answered on a connection of its own, up to its end."""
        with self.connect(name) as client:
            client.sendall(text.encode())
            return to_end(client).decode()

    def row(self, server: str) -> dict[str, str]:
        """One row of `show stat`."""
        header, *rows = self.say("show stat\n").splitlines()
        names = header.removeprefix("# ").split(",")
        found = [dict(zip(names, row.split(","), strict=True)) for row in rows if row]
        return next(row for row in found if (row["pxname"], row["svname"]) == ("smalltalk", server))


def to_end(client: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    said = b""
    while piece := client.recv(1 << 20):
        said += piece
    return said


def laid_out(folder: Path, timeout: str) -> tuple[str, Lab, socket.socket]:
    """A configuration, its lab, and the listener that stands for the images."""
    folder.mkdir(exist_ok=True)
    images = socket.create_server(("127.0.0.1", 0))
    lab = Lab(folder, free_port(), free_port())
    ports = {"port": lab.port, "metrics": lab.metrics, "server": images.getsockname()[1], "nobody": free_port()}
    return CONFIG.format(folder=folder, timeout=timeout, **ports), lab, images


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    config, lab, images = laid_out(tmp_path, "10s")
    with Balancer(config, tmp_path, port=lab.metrics) as balancer, images:
        wait_until(lambda: lab.row("gone")["status"] == "DOWN", "the check of a server that is not there")
        wait_until(lambda: lab.row("app1")["check_status"] == "L4OK", "the check of a server that is there")
        yield lab
        assert balancer.process.poll() is None, balancer


@pytest.mark.pure
def test_socat_asks_for_two_tables_in_one_line(lab: Lab, require_peer: Callable[[str], str]) -> None:
    asked = subprocess.run(
        [require_peer("socat"), "stdio", str(lab.folder / "admin.sock")],
        input="show info;show stat\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    info, table, end = asked.split("\n\n")
    assert info.startswith("Name: HAProxy\nVersion: 2.6.")
    assert table.startswith("# pxname,svname,")
    assert len(table.splitlines()) == 7
    assert end == ""


def test_a_prompt_keeps_the_session_open(lab: Lab) -> None:
    with lab.connect() as client:
        for sent, said in (
            (b"prompt\n", b"\n> "),
            (b"show cli level\n", b"admin\n\n> "),
            (b"user;show cli level\n", b"\n> user\n\n> "),
        ):
            client.sendall(sent)
            received = b""
            while len(received) < len(said):
                received += client.recv(65536)
            assert received == said
        client.sendall(b"quit\n")
        assert client.recv(1) == b""


def test_the_level_of_a_socket_is_enforced(lab: Lab) -> None:
    assert lab.say("show cli level;disable server smalltalk/app1\n", "user") == "user\n\nPermission denied\n\n"
    assert lab.row("app1")["status"] == "UP"


def test_a_server_in_maintenance_gets_no_check_and_comes_back(lab: Lab) -> None:
    assert lab.say("disable server smalltalk/app1;set weight smalltalk/app2 50%\n") == "\n\n"
    assert (lab.row("app1")["status"], lab.row("app2")["weight"], lab.row("BACKEND")["act"]) == ("MAINT", "1", "1")
    assert lab.say("enable server smalltalk/app1\n") == "\n"
    wait_until(lambda: lab.row("app1")["status"] == "UP", "a passed check after maintenance")


def test_a_silent_session_is_closed_and_a_talking_one_is_not(tmp_path: Path) -> None:
    config, lab, images = laid_out(tmp_path, "300ms")
    with Balancer(config, tmp_path, port=lab.metrics), images, lab.connect() as silent, lab.connect() as patient:
        patient.sendall(b"prompt;set timeout cli 1h\n")
        began = time.monotonic()
        assert to_end(silent) == b""
        assert 0.2 < time.monotonic() - began < 5.0
        patient.sendall(b"show cli level\nquit\n")
        assert to_end(patient) == b"\n> \n> admin\n\n> "


def test_a_line_without_end_is_cut(lab: Lab) -> None:
    with lab.connect() as client:
        try:
            client.sendall(b"x" * 60000)
            assert client.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            pass
    assert lab.say("show cli level\n") == "admin\n\n"


def test_sessions_beyond_the_bound_wait_for_one_to_end(lab: Lab) -> None:
    held = [lab.connect() for _ in range(10)]
    for client in held:
        client.sendall(b"prompt\n")
        assert client.recv(100) == b"\n> "
    with lab.connect() as late:
        late.sendall(b"show cli level\n")
        assert select.select([late], [], [], 0.2)[0] == []
        held.pop().close()
        assert to_end(late) == b"admin\n\n"
    for client in held:
        client.close()


def test_a_reader_that_does_not_read_costs_no_memory_and_no_time(lab: Lab) -> None:
    count = 1500
    with lab.connect() as client:
        client.sendall(b";".join([b"show stat"] * count) + b"\n")
        slowest = 0.0
        for _ in range(20):
            began = time.monotonic()
            assert ask(lab.metrics, "/metrics?scope=").startswith(b"HTTP/1.1 200")
            slowest = max(slowest, time.monotonic() - began)
        assert slowest < 1.0
        assert int(info(lab)["PoolAlloc_MB"]) < 300
        assert to_end(client).count(b"# pxname") == count


def info(lab: Lab) -> dict[str, str]:
    """`show info` by name."""
    return dict(line.split(": ") for line in lab.say("show info\n").splitlines() if line)


def test_process_figures_are_counted(lab: Lab) -> None:
    before = info(lab)
    for _ in range(3):
        ask(lab.metrics, "/metrics?scope=")
    after = info(lab)
    assert int(after["CumReq"]) - int(before["CumReq"]) == 3
    assert int(after["CumConns"]) - int(before["CumConns"]) == 3
    assert after["Maxconn"] == "100"
    assert int(after["Ulimit-n"]) <= resource.getrlimit(resource.RLIMIT_NOFILE)[1]


@pytest.mark.pure
def test_metrics_are_scraped_and_judged(lab: Lab, require_peer: Callable[[str], str]) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{lab.metrics}/metrics", timeout=15) as answer:
        page = answer.read()
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert b'haproxy_server_status{proxy="smalltalk",server="gone",state="DOWN"} 1.0\n' in page
    promtool = [require_peer("promtool"), "check", "metrics"]
    judged = subprocess.run(promtool, input=page, capture_output=True, timeout=60, check=False)
    remarks = (judged.stdout + judged.stderr).decode().splitlines()
    assert remarks == ['haproxy_process_failed_resolutions counter metrics should have "_total" suffix']


@pytest.mark.parametrize(
    ("query", "status", "begins"),
    [
        ("?scope=server", b"200", [b"haproxy_server_"]),
        ("?scope=global&scope=backend", b"200", [b"haproxy_backend_", b"haproxy_process_"]),
        ("?scope=", b"200", []),
        ("?scope=*&no-maint", b"200", [b"haproxy_backend_", b"haproxy_frontend_", b"haproxy_process_", b"haproxy_server_"]),
        ("?scope=bogus", b"400", []),
    ],
)
def test_a_scrape_may_ask_for_a_part(lab: Lab, query: str, status: bytes, begins: list[bytes]) -> None:
    head, _, body = ask(lab.metrics, f"/metrics{query}").partition(b"\r\n\r\n")
    assert head.split()[1] == status
    assert sorted(set(re.findall(rb"^haproxy_[a-z]+_", body, re.MULTILINE))) == begins


def test_another_path_is_not_the_exporters(lab: Lab) -> None:
    assert ask(lab.metrics, "/metricsx").startswith(b"HTTP/1.1 503 ")


def test_the_exporter_of_prometheus_reads_every_column(lab: Lab, tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    exporter = require_peer("prometheus-haproxy-exporter")
    port = free_port()
    words = [exporter, f"--web.listen-address=127.0.0.1:{port}", f"--haproxy.scrape-uri=unix:{lab.folder}/admin.sock"]
    with running(words, tmp_path / "exporter.log") as program:
        program.wait_for_port(port)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=15) as answer:
            page = answer.read().decode()
        assert "\nhaproxy_up 1\n" in page
        assert "\nhaproxy_exporter_csv_parse_failures_total 0\n" in page
        assert 'haproxy_server_up{backend="smalltalk",server="gone"} 0' in page
        assert 'haproxy_server_up{backend="smalltalk",server="app1"} 1' in page
        assert "error" not in program.text()


# What HAProxy and we answer alike, to the octet.
ALIKE: Final = (
    "get weight smalltalk/app1\n",
    "get weight smalltalk/nosuch;get weight nosuch/app1;get weight smalltalk;get weight\n",
    "set weight smalltalk/app2 50%;get weight smalltalk/app2;set weight smalltalk/app2 257;set weight smalltalk/app2 abc\n",
    "set weight smalltalk/app2 -5%;set weight smalltalk/app2 1.5;set weight smalltalk/app2 # 5;set weight smalltalk/app2\n",
    "set weight #2/#2 7 # x;get weight smalltalk/app2;set weight smalltalk/app2 100%\n",
    "disable server smalltalk/app1;disable server smalltalk/app1;enable server smalltalk/app1;enable server smalltalk\n",
    "set server;set server smalltalk state ready;set server nosuch/app1 state ready;set server smalltalk/nosuch state x\n",
    "set timeout cli 60;set timeout cli x;set timeout cli;set timeout x 1;set timeout;set timeout cli 0;set timeout cli 1h\n",
    "show backend\n",
    "show cli level;operator;show cli level;user;show cli level;operator\n",
    "show stat nosuch 1 -1;show servers state nosuch;show servers conn nosuch\n",
    "show servers state #2\n",
    "prompt\nshow cli level\nget weight smalltalk/app1;get weight x\nquit\n",
    "prompt;prompt;show cli level\n",
    "show cli \\level\r\n",
    "show cli level <<\nx\n\nshow cli level\n",
    "prompt\nshow cli level <<\nx\n\nshow cli level\nquit\n",
    "quit x\n",
    "help help\n",
    "show cli sockets\n",
)


def test_haproxy_says_the_same(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    haproxy = require_peer("haproxy")
    ours_config, ours, images = laid_out(tmp_path / "run", "10s")
    theirs_config = ours_config.replace(str(tmp_path / "run"), str(tmp_path / "own"))
    theirs = Lab(tmp_path / "own", free_port(), free_port())
    theirs.folder.mkdir()
    for mine, other in ((ours.port, theirs.port), (ours.metrics, theirs.metrics)):
        theirs_config = theirs_config.replace(f":{mine}\n", f":{other}\n")
    path = write_config(tmp_path / "own", theirs_config)
    with Balancer(ours_config, tmp_path / "run", port=ours.metrics), images:
        with running([haproxy, "-db", "-f", str(path)], tmp_path / "haproxy.log") as program:
            program.wait_for_port(theirs.port)
            for lab in (ours, theirs):
                wait_until(lambda lab=lab: lab.row("gone")["status"] == "DOWN", "a failed check")  # type: ignore[misc]
                wait_until(lambda lab=lab: lab.row("app1")["check_status"] == "L4OK", "a passed check")  # type: ignore[misc]
            for text in ALIKE:
                own, haproxys = ours.say(text), theirs.say(text)
                assert comparable(own) == comparable(haproxys), text
            names = (
                (ours.row("app1"), ours.row("gone"), ours.row("BACKEND")),
                (theirs.row("app1"), theirs.row("gone"), theirs.row("BACKEND")),
            )
            for own_row, haproxys_row in zip(*names, strict=True):
                for column in (
                    "status",
                    "weight",
                    "act",
                    "bck",
                    "check_status",
                    "last_chk",
                    "addr",
                    "cookie",
                    "algo",
                    "type",
                    "iid",
                ):
                    assert own_row[column].removeprefix("* ") == haproxys_row[column].removeprefix("* "), column


def comparable(text: str) -> str:
    """Without what depends on the moment and the folder: seconds since a change, a check that is running."""
    text = re.sub(r"(/run|/own)/(admin|user)", r"/\2", text)
    rows = text.split("\n")
    for number, row in enumerate(rows):
        words = row.split(" ")
        if len(words) == 25 and words[0].isdigit():
            words[9], words[11], words[13] = "s", "r", str(int(words[13]) & ~1)
            rows[number] = " ".join(words)
    return "\n".join(rows)
