"""Starts the servers behind the proxies: nginx where it is installed and can do what is asked, else our own (see farm.py)."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.farm import address_of
from benchmarks.processes import Program, free_port
from benchmarks.traffic import ANSWER_OCTETS

ROOT: Final = Path(__file__).resolve().parents[1]
FOREVER: Final = 1_000_000_000
CONNECTIONS_MAX: Final = 19000
SYSTEM_PATHS: Final = ":/usr/local/sbin:/usr/sbin:/sbin"


def find(program: str) -> str | None:
    """Where a program is; an ordinary user's PATH may lack what only root is thought to run."""
    return shutil.which(program, path=os.environ.get("PATH", os.defpath) + SYSTEM_PATHS)


@dataclass(frozen=True)
class Farm:
    """Servers that run: their addresses in order, who they are, and the program."""

    addresses: tuple[str, ...]
    kind: str
    program: Program


@contextmanager
def farm(
    count: int, sizes: tuple[int, ...], needs_own: bool, congestion: str, folder: Path, on_cores: set[int]
) -> Iterator[Farm]:
    """`count` servers for the length of a `with`; `sizes` are the bodies below /octets/ that are asked of them."""
    nginx = None if needs_own else find("nginx")
    port = free_port()
    addresses = tuple(f"{address_of(server)}:{port}" for server in range(1, count + 1))
    if nginx:
        words = [nginx, "-p", str(folder), "-e", str(folder / "origin.log"), "-c", str(_nginx_file(folder, addresses, sizes))]
        with Program("origin", words, folder, on_cores) as program:
            program.wait_for_port(port, address_of(count))
            yield Farm(addresses, "nginx", program)
        return
    words = [sys.executable, "-m", "benchmarks.farm", str(port), str(count), congestion]
    with own_program("farm", words, folder, on_cores) as program:
        program.line()
        yield Farm(addresses, "uvloop", program)


class Sink:
    """The syslog that runs."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.port = int(program.line())

    def count(self) -> int:
        """How many lines have come."""
        self.program.ask()
        return int(self.program.line())


@contextmanager
def sink(folder: Path, on_cores: set[int]) -> Iterator[Sink]:
    """The syslog for the length of a `with`."""
    with own_program("sink", [sys.executable, "-m", "benchmarks.sink"], folder, on_cores) as program:
        yield Sink(program)


def own_program(name: str, words: list[str], folder: Path, on_cores: set[int]) -> Program:
    """One of our own programs: `benchmarks` is found in the checkout, wherever the program stands."""
    return Program(name, ["env", f"PYTHONPATH={ROOT}", *words], folder, on_cores, has_pipes=True)


def _nginx_file(folder: Path, addresses: tuple[str, ...], sizes: tuple[int, ...]) -> Path:
    files = folder / "octets"
    files.mkdir(exist_ok=True)
    for size in sizes:
        with (files / str(size)).open("wb") as file:
            file.truncate(size)  # a hole reads as zeros, from memory
    lines = [
        "daemon off; worker_processes 1; pid origin.pid;",
        *(["user root;"] if os.geteuid() == 0 else []),
        f"events {{ worker_connections {CONNECTIONS_MAX}; }}",
        "http { access_log off; tcp_nodelay on; sendfile on;",
        f"keepalive_requests {FOREVER}; keepalive_timeout 300s; default_type text/html;",
        "server {",
        *(f"listen {address} backlog=4096;" for address in addresses),
        f"location /octets/ {{ root {folder}; }}",
        f'location / {{ return 200 "{"x" * ANSWER_OCTETS}"; }}',
        "} }",
    ]
    path = folder / "origin.conf"
    path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return path
