"""Where log lines go and what stands before them: ours and Debian's haproxy on the same file, octet for octet.

Each target has a reader of its own. The same things happen at both: requests, and a server that is taken out and put back.
Masked is only what no two programs share: dates, times, the process's id, the ports of clients, and how many are there.
"""

import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest
from peers import find_peer, require_peer
from program import ask
from running import BALANCER, Program, free_port, running, wait_until

FORMATS: Final = ("local", "rfc3164", "rfc5424", "raw", "short", "timed", "iso", "priority")
MASKS: Final = (
    (rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+\d\d:\d\d", b"(ISO)"),
    (rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", b"(DATE)"),
    (rb"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d\.\d{3}", b"(TIME)"),
    (rb"127\.0\.0\.1:\d{4,5} \[", b"127.0.0.1:(PORT) ["),
    (rb"(haproxy|whole|own)\[\d+\]", rb"\1[(PID)]"),
    (rb" (haproxy|whole|own) \d+ - ", rb" \1 (PID) - "),
    (rb" -?\d+/-?\d+/-?\d+/-?\d+/\d+ (?=\d{3} )", b" (TIMERS) "),
    (rb" \d+/\d+/\d+/\d+/\d+ (?=\d+/\d+ \")", b" (COUNTS) "),
)


def masked(line: bytes) -> bytes:
    """The line without what belongs to one run alone."""
    for pattern, word in MASKS:
        line = re.sub(pattern, word, line)
    return line


class Reader:
    """A datagram socket and what came to it."""

    def __init__(self, family: int, address: str | tuple[str, int]) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.setblocking(False)
        self.datagrams: list[bytes] = []

    def read(self) -> list[bytes]:
        """All datagrams so far."""
        while True:
            try:
                self.datagrams.append(self.socket.recv(70000))
            except BlockingIOError:
                return self.datagrams

    def lines(self) -> list[bytes]:
        """The same, masked."""
        return [masked(line) for line in self.read()]


class Running:
    """One program, its port, its stats socket, and the readers of its targets."""

    def __init__(self, program: Program, port: int, stats: Path, readers: dict[str, Reader]) -> None:
        self.program = program
        self.port = port
        self.stats = stats
        self.readers = readers

    def ask_stats(self, command: str) -> str:
        """One command on the stats socket."""
        with socket.socket(socket.AF_UNIX) as talk:
            talk.settimeout(10.0)
            talk.connect(str(self.stats))
            talk.sendall(command.encode() + b"\n")
            answer = b""
            while received := talk.recv(65536):
                answer += received
        return answer.decode()


@contextmanager
def program(name: str, template: str, targets: tuple[str, ...], folder: Path) -> Iterator[Running]:
    """Runs ours or haproxy; `{NAME}` in the template is a reader's address, `{port}` and `{stats}` what they say."""
    folder = folder / name
    folder.mkdir()
    port, readers, places = free_port(), {}, {}
    with ExitStack() as stack:
        for target in targets:
            address: str | tuple[str, int] = ("127.0.0.1", 0)
            family = int(socket.AF_INET)
            if target.startswith("unix"):
                family, address = int(socket.AF_UNIX), str(folder / target)
            elif target.startswith("abns"):
                own = f"log-{os.getpid()}-{name}-{port}"
                family, address = int(socket.AF_UNIX), ("\0" + own).ljust(108, "\0")
                places[target] = f"abns@{own}"
            elif target.startswith("six"):
                family, address = int(socket.AF_INET6), ("::1", 0)
            reader = readers[target] = Reader(family, address)
            stack.callback(reader.socket.close)
            if target not in places:
                bound = reader.socket.getsockname()
                places[target] = (
                    bound
                    if isinstance(bound, str)
                    else f"[{bound[0]}]:{bound[1]}"
                    if ":" in bound[0]
                    else (f"{bound[0]}:{bound[1]}")
                )
        stats = folder / "stats"
        file = folder / "test.cfg"
        file.write_text(template.format(port=port, stats=stats, **places), encoding="ascii")
        words = list(BALANCER) if name == "balancer" else [require_peer("haproxy")]
        with running([*words, "-db", "-f", str(file)], folder / "out") as process:
            process.wait_for_port(port)
            wait_until(stats.exists, "the stats socket")
            yield Running(process, port, stats, readers)


SECTIONS: Final = """
defaults
    mode http
    option httplog
    timeout connect 300
    timeout client 3s
    timeout server 3s
    retries 0
"""
FRONT: Final = """
    bind 127.0.0.1:{{port}}
    option dontlognull
    http-request return status 200 if {{{{ path /fine }}}}
    server s 127.0.0.1:1
"""


def template(head: str, logs: str) -> str:
    """A file: lines of `global`, and `log` lines of the only section."""
    front = FRONT.replace("{{", "{").replace("}}", "}")
    return f"global\n    nbthread 1\n    stats socket {{stats}} level admin\n{head}\n{SECTIONS}\nlisten web\n{logs}\n{front}"


def both(text: str, targets: tuple[str, ...], folder: Path, act: Callable[[Running], None]) -> dict[str, list[list[bytes]]]:
    """What came to each target, at haproxy and at ours, after the same has happened."""
    found: dict[str, list[list[bytes]]] = {target: [] for target in targets}
    counts: dict[str, int] = {}
    for name in ("haproxy", "balancer"):
        with program(name, text, targets, folder) as run:
            act(run)
            if name == "balancer":
                for target, reader in run.readers.items():
                    count = counts[target]
                    wait_until(lambda r=reader, c=count: len(r.read()) >= c, f"{count} lines at {target}")  # type: ignore[misc]
        for target, reader in run.readers.items():
            counts[target] = len(reader.datagrams)
            found[target].append([masked(line) for line in reader.datagrams])
    return found


@pytest.fixture(autouse=True)
def _haproxy() -> None:
    if find_peer("haproxy") is None:
        require_peer("haproxy")


def everything(run: Running) -> None:
    """Two requests, and a server that goes and comes back."""
    assert ask(run.port, "/fine").startswith(b"HTTP/1.1 200")
    assert ask(run.port, "/" + "a" * 300).startswith(b"HTTP/1.1 503")
    run.ask_stats("disable server web/s")
    run.ask_stats("enable server web/s")
    settle(run)


def thrice(run: Running) -> None:
    """The same three times."""
    for _ in range(3):
        everything(run)


def settle(run: Running) -> None:
    """Nothing more is on its way: a mark that every target without a bound has got, or no change over some turns."""
    before: list[int] = []
    deadline = time.monotonic() + 10.0
    quiet = 0
    while quiet < 5 and time.monotonic() < deadline:
        now = [len(reader.read()) for reader in run.readers.values()]
        quiet = quiet + 1 if now == before else 0
        before = now
        run.ask_stats("show info")


@pytest.mark.parametrize("head", ["", "log-send-hostname somewhere", "log-tag whole"])
def test_every_format_is_haproxys_octet_for_octet(tmp_path: Path, head: str) -> None:
    targets = (*FORMATS, "plain")
    logs = [f"    log {{{form}}} format {form} local0" for form in FORMATS]
    found = both(template(f"    {head}", "\n".join([*logs, "    log {plain} local7"])), targets, tmp_path, everything)
    assert all(len(pair[0]) >= 4 for pair in found.values())
    for target, (theirs, ours) in found.items():
        assert ours == theirs, target


@pytest.mark.parametrize("form", FORMATS)
def test_a_line_is_cut_where_haproxy_cuts_it(tmp_path: Path, form: str) -> None:
    text = template("", f"    log {{cut}} len 100 format {form} daemon\n    log {{whole}} len 65535 format {form} daemon")
    for name in ("haproxy", "balancer"):
        with program(name, text, ("cut", "whole"), tmp_path) as run:
            everything(run)
            cut, whole = run.readers["cut"].read(), run.readers["whole"].read()
            wait_until(lambda run=run: len(run.readers["cut"].read()) == len(run.readers["whole"].read()) >= 4, "both")  # type: ignore[misc]
        undated = [re.sub(MASKS[0][0], b"(ISO)".ljust(32), line) for line in whole]
        assert [re.sub(MASKS[0][0], b"(ISO)".ljust(32), line) for line in cut] == [
            line[:100] + b"\n" if len(line) > 101 else line for line in undated
        ], name


def test_addresses_levels_tags_and_samples_are_haproxys(tmp_path: Path) -> None:
    targets = ("unix_a", "abns_a", "six", "low", "lifted", "few", "third")
    logs = """
    log-tag own
    log {unix_a} local0
    log {abns_a} format rfc5424 local1
    log {six} format short local0
    log {low} local0 notice
    log {lifted} local0 info alert
    log {few} format raw sample 1,3:4 local0
    log {third} format raw sample 2-3:3 local0 info notice
    """
    found = both(template("", logs), targets, tmp_path, thrice)
    for target, (theirs, ours) in found.items():
        assert ours == theirs, target
        assert theirs, target


def test_no_log_drops_what_defaults_and_lines_before_have_said(tmp_path: Path) -> None:
    logs = "    log {first} local0\n    no log\n    log {second} format raw local0"
    found = both(template("", logs), ("first", "second"), tmp_path, everything)
    assert found["first"] == [[], []]
    assert found["second"][0] == found["second"][1] != []


def test_the_containers_streams_are_haproxys(tmp_path: Path) -> None:
    logs = "    log stdout format raw local0\n    log fd@1 local0"
    outputs: list[list[bytes]] = []
    for name in ("haproxy", "balancer"):
        with program(name, template("", logs), (), tmp_path) as run:
            everything(run)
            wait_until(lambda run=run: run.program.text().count("leaving forced maintenance") >= 2, "the last line")  # type: ignore[misc]
        text = run.program.output.read_bytes()
        lines = [masked(line) for line in text.splitlines() if not line.startswith(b"[")]
        # Each target's in their order: ours writes a burst for one target, and then for the next.
        outputs.append([line for line in lines if line[:1] != b"<"] + [line for line in lines if line[:1] == b"<"])
    theirs, ours = outputs
    assert len(theirs) >= 8
    assert ours == theirs


def test_a_ring_keeps_the_same_lines_and_shows_them_in_the_same_way(tmp_path: Path) -> None:
    head = (
        "    log ring@small local0\nring small\n    description 'a small one'\n    format timed\n    maxlen 300\n    size 16384"
    )
    told: list[list[str]] = []
    for name in ("haproxy", "balancer"):
        with program(name, template(head, "    log global\n    log ring@buf0 local1 notice"), (), tmp_path) as run:
            everything(run)
            for number in range(300):
                ask(run.port, f"/fine?{number:04d}")
            answers = [run.ask_stats("show events")]
            for command in ("small", "buf0", "small -n", "none", "small -q", "stdout"):
                answers.append(masked(run.ask_stats(f"show events {command}").encode()).decode())
            told.append(answers)
    assert "/fine?0299" in told[0][1]
    assert "/fine?0001" not in told[0][1]
    assert told[1] == told[0]


def test_a_ring_is_followed_until_something_is_typed(tmp_path: Path) -> None:
    for name in ("haproxy", "balancer"):
        with (
            program(name, template("ring r", "    log ring@r local0"), (), tmp_path) as run,
            socket.socket(socket.AF_UNIX) as talk,
        ):
            talk.connect(str(run.stats))
            talk.settimeout(10.0)
            talk.sendall(b"show events r -w\n")
            seen = b""
            for number in range(3):
                ask(run.port, f"/fine?{number}")
                while b"/fine?%d " % number not in seen:
                    received = talk.recv(65536)
                    assert received, (name, seen)
                    seen += received
            talk.shutdown(socket.SHUT_WR)
            while received := talk.recv(65536):
                seen += received
        assert seen.endswith(b'HTTP/1.1"\n\n'), (name, seen)
        assert seen.count(b"\n") == 4


def test_targets_that_go_away_cost_their_lines_and_nothing_else(tmp_path: Path) -> None:
    logs = "    log {unix_a} local0\n    log {udp} format raw local0"
    with program("balancer", template("", logs), ("unix_a", "udp"), tmp_path) as run:
        ask(run.port, "/fine?1")
        wait_until(lambda: any(b"?1 " in line for line in run.readers["unix_a"].read()), "the first line")
        path = run.readers["unix_a"].socket.getsockname()
        os.unlink(path)
        port = run.readers["udp"].socket.getsockname()[1]
        run.readers["udp"].socket.close()
        for number in range(20):
            assert ask(run.port, f"/fine?{number}").startswith(b"HTTP/1.1 200")
        dropped = re.search(r"DroppedLogs: (\d+)", run.ask_stats("show info"))
        assert dropped is not None
        assert int(dropped[1]) >= 20
        assert run.program.text().count("log target") == 1, run.program.text()
        run.readers = {"unix_a": Reader(socket.AF_UNIX, path), "udp": Reader(socket.AF_INET, ("127.0.0.1", port))}
        ask(run.port, "/fine?back")
        for reader in run.readers.values():
            wait_until(lambda reader=reader: any(b"?back " in line for line in reader.read()), "lines come again")  # type: ignore[misc]


@pytest.mark.parametrize(("form", "way"), [("local", "unix"), ("rfc3164", "udp"), ("rfc5424", "udp")])
def test_rsyslog_finds_tag_host_and_message_as_haproxys_and_is_found_again(tmp_path: Path, form: str, way: str) -> None:
    rsyslogd = require_peer("rsyslogd")
    filed: list[list[str]] = []
    for name in ("haproxy", "balancer"):
        folder = tmp_path / f"rsyslog-{name}"
        folder.mkdir()
        path, port = folder / "log", free_port()
        place = str(path) if way == "unix" else f"127.0.0.1:{port}"
        (folder / "rsyslog.conf").write_text(
            f'global(workDirectory="{folder}")\nmodule(load="imuxsock" SysSock.Use="off")\nmodule(load="imudp")\n'
            + (f'input(type="imuxsock" socket="{path}")\n' if way == "unix" else "")
            + (f'input(type="imudp" address="127.0.0.1" port="{port}")\n' if way == "udp" else "")
            + 'template(name="t" type="string" string="%pri% %programname% %hostname% %msg%\\n")\n'
            f'action(type="omfile" file="{folder}/filed" template="t")\n'
        )
        words = [rsyslogd, "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
        text = template("    log-send-hostname somewhere", f"    log {place} format {form} local0")
        with program(name, text, (), tmp_path) as run:
            for number in range(2):  # and once more after a restart of rsyslog
                with running(words, folder / f"out{number}") as daemon:

                    def is_filed(number: int = number, file: Path = folder / "filed") -> bool:
                        ask(run.port, f"/fine?{number}")
                        return file.exists() and f"?{number} " in file.read_text()

                    wait_until(is_filed, "rsyslog files a line", tells=daemon.text)
        lines = {masked(line.encode()).decode() for line in (folder / "filed").read_text().splitlines() if "?" in line}
        filed.append(sorted(lines))
    assert filed[0] == filed[1] != []
    assert all(" haproxy somewhere " in line or (form == "local" and " haproxy " in line) for line in filed[0]), filed[0]
