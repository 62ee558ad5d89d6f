"""The proxies that are measured: equivalent configurations of the original file, everything on.

httplog to one UDP sink, the inserted cookie, checks, all timeouts, keep-alive on both sides, ten servers.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

START_PATIENCE_S: Final = 15.0


@dataclass(frozen=True)
class Contestant:
    """One proxy: how it is called in the table, its command, and what its configuration has beyond the others'."""

    name: str
    command: tuple[str, ...]
    process_lines: tuple[str, ...] = ()
    proxy_lines: tuple[str, ...] = ()

    def is_there(self) -> bool:
        """Whether its program is installed."""
        return shutil.which(self.command[0]) is not None


HAPROXY_PATH: Final = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin") or "haproxy"
REFERENCE: Final = "haproxy"

CONTESTANTS: Final[tuple[Contestant, ...]] = (
    Contestant("balancer", (sys.executable, "-P", "-m", "balancer")),
    Contestant(REFERENCE, (HAPROXY_PATH,), ("nbthread 1",)),
    Contestant("haproxy reuse always", (HAPROXY_PATH,), ("nbthread 1",), ("http-reuse always",)),
)


def configuration(contestant: Contestant, port: int, servers: list[int], sink: int) -> str:
    """The file for one contestant."""
    lines = ["global", f"    log 127.0.0.1:{sink} local0", "    maxconn 4000"]
    lines += [f"    {line}" for line in contestant.process_lines]
    lines += [
        "defaults",
        "    log global",
        "    mode http",
        "    option httplog",
        "    option dontlognull",
        "    retries 3",
        "    timeout connect 5000",
        "    timeout client 50000",
        "    timeout server 50000",
        "listen smalltalk",
        f"    bind 127.0.0.1:{port}",
        "    cookie SEASIDE insert nocache",
        "    balance roundrobin",
    ]
    lines += [f"    {line}" for line in contestant.proxy_lines]
    lines += [f"    server app{n} 127.0.0.1:{at} cookie app1inst{n} check" for n, at in enumerate(servers, 1)]
    return "\n".join(lines) + "\n"


class Running:
    """A contestant that serves."""

    def __init__(self, contestant: Contestant, process: subprocess.Popen[bytes], port: int) -> None:
        self.contestant = contestant
        self.process = process
        self.port = port

    def cpu_s(self) -> float:
        """Time on the processor so far over all threads, in seconds: the kernel's own nanoseconds.

        /proc/PID/stat counts the same in ticks of 10 ms, too coarse for a round of a second.
        """
        total_ns = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{thread}/schedstat", encoding="ascii") as file:
                total_ns += int(file.read().split()[0])
        return total_ns / 1e9

    def resident_kib(self) -> int:
        """Resident memory."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(contestant: Contestant, servers: list[int], sink: int, folder: Path, cores: set[int]) -> Iterator[Running]:
    """Starts a contestant on its core and ends it by its pid."""
    port = free_port()
    file = folder / f"{contestant.name.replace(' ', '-')}.cfg"
    file.write_text(configuration(contestant, port, servers, sink), encoding="ascii")
    log = folder / f"{file.stem}.out"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*contestant.command, "-db", "-f", str(file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder
        )
    try:
        os.sched_setaffinity(process.pid, cores)
        _wait_for(port, process, log)
        yield Running(contestant, process, port)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}: {log.read_text(errors='replace')}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args!r} does not listen: {log.read_text(errors='replace')}")
