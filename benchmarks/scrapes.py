"""`python -m benchmarks scrapes`: how long visitors wait while the statistics of a thousand servers are read.

A visitor sends a request on a kept connection every millisecond, through the balancer to a server; another program reads the
page of metrics, the CSV, the statistics page or the stats socket meanwhile. The longest wait of a visitor is told with a
reader and without one. What a wait owes to other programs on the machine is taken off: the kernel counts how long the
balancer, the server and this program were ready to run and did not. What a hypervisor takes is not counted there, so the
verdict is on nine readings of ten. A visitor's request meets the balancer's loop three times: its wait is the sum of as many
stalls.
"""

import argparse
import select
import shutil
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.arguments import FAILED, FINE, positive
from benchmarks.origins import farm, own_program
from benchmarks.processes import Program, cores, free_port

BOUND_MS: Final = 5.0
EVERY_S: Final = 0.001
QUIET_S: Final = 0.3
PATIENCE_S: Final = 10.0
REQUEST: Final = b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"
READ_OCTETS: Final = 65536

# What is read: its path, or the command of the stats socket.
READINGS: Final[dict[str, tuple[str, str]]] = {
    "nothing": ("", ""),
    "metrics": ("/metrics", ""),
    "CSV": ("/stats;csv", ""),
    "page": ("/stats;norefresh", ""),
    "show stat": ("", "show stat"),
    "servers state": ("", "show servers state"),
}

COLUMNS: Final = ("what is read", "KiB", "takes", "seen: median", "most", "own: median", "9 of 10", "most", "verdict")
QUANTILE: Final = 0.9

CONFIG: Final = """
global
    maxconn 1000
    stats socket {socket} level user
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
listen site
    bind 127.0.0.1:{port}
    cookie SERVER insert
{servers}
listen statistics
    bind 127.0.0.1:{statistics}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /stats
"""


@dataclass
class Waits:
    """The longest wait of each stretch, as seen and without what other programs took."""

    seen_ms: list[float] = field(default_factory=list)
    own_ms: list[float] = field(default_factory=list)

    def keep(self, stretch: list[tuple[float, float]]) -> None:
        """One stretch of visits: how long each waited, and how much of it for a processor."""
        self.seen_ms.append(max(seen for seen, _ in stretch) * 1000.0)
        self.own_ms.append(max(seen - lost for seen, lost in stretch) * 1000.0)


class Visitor:
    """One kept connection through the balancer."""

    def __init__(self, port: int, others: Sequence[Program]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        pids = [str(pid) for program in others for pid in program.pids()]
        self.waiting = [Path(f"/proc/{pid}/schedstat") for pid in (*pids, "self")]

    def visits(self, goes_on: Callable[[], bool]) -> list[tuple[float, float]]:
        """Requests, one a millisecond and one at least; the wait of each, and what of it was for a processor."""
        found: list[tuple[float, float]] = []
        while not found or goes_on():
            lost = self._ready_s()
            began = time.perf_counter()
            self.socket.sendall(REQUEST)
            self._read_answer()
            wait = time.perf_counter() - began
            # Two that are ready at once lose the same time, and what is lost cannot be more than all.
            found.append((wait, min(wait, self._ready_s() - lost)))
            time.sleep(max(0.0, EVERY_S - wait))
        return found

    def _read_answer(self) -> None:
        head, _, body = self.socket.recv(READ_OCTETS).partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while len(body) < length:
            body += self.socket.recv(READ_OCTETS)

    def _ready_s(self) -> float:
        """How long the programs have been ready to run without running, in seconds."""
        return sum(int(path.read_text(encoding="ascii").split()[1]) for path in self.waiting) / 1e9


def main(words: list[str], console: Console) -> int:
    """Measures, and tells."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks scrapes",
        description=f"How long visitors wait while statistics are read; exit status 1 beyond {BOUND_MS:g} ms.",
    )
    parser.add_argument("--servers", type=positive, default=1000, help="servers of the site (1000)")
    parser.add_argument("--scrapes", type=positive, default=20, help="how often each kind of statistics is read (20)")
    arguments = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="balancer-scrapes-"))
    try:
        table, is_fine = _measured(arguments.servers, arguments.scrapes, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    console.print(table)
    return FINE if is_fine else FAILED


def _measured(servers: int, scrapes: int, folder: Path) -> tuple[Table, bool]:
    own_core, other_cores = cores()
    port, statistics_port = free_port(), free_port()
    with farm(1, (), False, "", folder, other_cores) as site:
        lines = "\n".join(f"    server s{n} {site.addresses[0]} cookie s{n}" for n in range(1, servers + 1))
        path = folder / "scrapes.cfg"
        stats_socket = folder / "stats.sock"
        text = CONFIG.format(port=port, statistics=statistics_port, servers=lines, socket=stats_socket)
        path.write_text(text, encoding="ascii")
        words = [sys.executable, "-P", "-m", "balancer", "-db", "-f", str(path)]
        with Program("balancer", words, folder, own_core) as balancer:
            balancer.wait_for_port(port)
            visitor = Visitor(port, (balancer, site.program))
            with closing(visitor.socket):
                table = Table(title=f"The longest wait of a visitor, {servers} servers, {scrapes} readings each, milliseconds")
                for name in COLUMNS:
                    table.add_column(name, justify="left" if name in ("what is read", "verdict") else "right")
                is_fine = True
                for name, (target, command) in READINGS.items():
                    url = f"http://127.0.0.1:{statistics_port}{target}" if target else ""
                    words = [str(stats_socket), command] if command else [url, ""]
                    is_fine &= _kind(table, name, words, scrapes, visitor, folder, other_cores)
    return table, is_fine


def _kind(
    table: Table, name: str, words: list[str], scrapes: int, visitor: Visitor, folder: Path, other_cores: set[int]
) -> bool:
    """Measures one kind of reading and adds its row; whether no visitor waited too long."""
    waits = Waits()
    octets = 0
    takes_ms: list[float] = []
    with own_program(f"reader-{name}", [sys.executable, "-m", "benchmarks.reader", *words], folder, other_cores) as reader:
        reader.line()
        reader_output = reader.process.stdout
        assert reader_output is not None
        for _ in range(scrapes):
            if words[0]:
                reader.ask()
                waits.keep(visitor.visits(lambda: not select.select([reader_output], [], [], 0)[0]))
                took, length = reader.line().split()
                takes_ms.append(float(took) * 1000.0)
                octets = int(length)
            else:
                waits.keep(visitor.visits(_for(QUIET_S)))
    own_ms = sorted(waits.own_ms)
    judged = own_ms[round(QUANTILE * (len(own_ms) - 1))]
    figures = (statistics.median(waits.seen_ms), max(waits.seen_ms), statistics.median(own_ms), judged, own_ms[-1])
    takes = f"{statistics.median(takes_ms):.0f}" if takes_ms else ""
    verdict = f"within {BOUND_MS:g}" if judged <= BOUND_MS else f"over {BOUND_MS:g}"
    table.add_row(name, f"{octets / 1024:.0f}" if octets else "", takes, *(f"{each:.2f}" for each in figures), verdict)
    return judged <= BOUND_MS


def _for(seconds: float) -> Callable[[], bool]:
    """Whether so many seconds have not passed yet."""
    until = time.perf_counter() + seconds
    return lambda: time.perf_counter() < until
