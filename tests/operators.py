"""A balancer as operators watch it: stats sockets, statistics page, exporter and log, before servers that answer.

The tools of operators are started on it unchanged (`tests/scenarios/test_*_tools.py`). One balancer serves the tests of a file;
each test leaves the servers as it found them.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from program import Balancer
from running import free_port, wait_until
from sides import ScriptedServer

CONFIG: Final = """
global
    log 127.0.0.1:{log} local0
    maxconn 4000
    node here
    stats socket {folder}/haproxy.sock level admin
    stats socket ipv4@127.0.0.1:{remote} level admin
    stats timeout 60s
defaults
    mode http
    log global
    option httplog
    option dontlognull
    timeout connect 2s
    timeout client 20s
    timeout server 20s
    retries 0
listen smalltalk
    bind 127.0.0.1:{port}
    cookie SEASIDE insert
    http-request deny if {{ path_beg /denied }}
    use_backend nobody if {{ path_beg /nobody }}
    server app1 127.0.0.1:{images} check inter 300 cookie app1inst1
    server app2 127.0.0.1:{images} check inter 300 cookie app1inst2
listen other
    bind 127.0.0.1:{other}
    capture request header Host len 20
    capture request header User-Agent len 40
    capture response header Content-Length len 10
    stats uri /stats
    server s 127.0.0.1:{images}
backend nobody
    server gone 127.0.0.1:{nobody} check inter 300
listen stats
    bind 127.0.0.1:{page}
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /haproxy?stats
    stats admin if TRUE
"""


@dataclass(frozen=True)
class Lab:
    """The running balancer: where it is reached."""

    folder: Path
    ports: dict[str, int]

    @property
    def path(self) -> str:
        """The stats socket."""
        return str(self.folder / "haproxy.sock")

    @property
    def page(self) -> str:
        """The statistics page."""
        return f"http://127.0.0.1:{self.ports['page']}/haproxy?stats"

    @property
    def metrics(self) -> str:
        """The exporter's page."""
        return f"http://127.0.0.1:{self.ports['page']}/metrics"

    def say(self, text: str) -> str:
        """The answer to one line."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10.0)
            client.connect(self.path)
            client.sendall(text.encode() + b"\n")
            said = b""
            while piece := client.recv(1 << 16):
                said += piece
        return said.decode()

    def rows(self) -> list[dict[str, str]]:
        """What `show stat` tells."""
        header, *rows = self.say("show stat").strip().split("\n")
        names = header.removeprefix("# ").split(",")
        return [dict(zip(names, row.split(","), strict=True)) for row in rows]

    def status(self, server: str) -> str:
        """That of a server of smalltalk."""
        return next(row["status"] for row in self.rows() if (row["pxname"], row["svname"]) == ("smalltalk", server))

    def is_up(self) -> bool:
        """Whether every check has come to its end, and both servers of smalltalk are up."""
        found = {row["svname"]: row["status"] for row in self.rows()}
        return found["app1"] == found["app2"] == "UP" and found["gone"] == "DOWN"

    def restore(self) -> None:
        """Both servers of smalltalk as they were at the start."""
        for server in ("app1", "app2"):
            self.say(f"set server smalltalk/{server} state ready; set weight smalltalk/{server} 100%")
        wait_until(self.is_up, "the servers to be ready again")


@contextmanager
def laboratory(folder: Path, log_port: int = 0) -> Iterator[Lab]:
    """The balancer with its servers for the length of a `with`; its log goes to that port of UDP."""
    images = ScriptedServer()
    names = ("port", "other", "remote", "page", "nobody")
    ports = {**{name: free_port() for name in names}, "log": log_port or free_port(), "images": images.port}
    try:
        with Balancer(CONFIG.format(folder=folder, **ports), folder) as balancer:
            lab = Lab(folder, ports)
            wait_until(lambda: Path(lab.path).exists(), "the stats socket", tells=balancer.said)
            wait_until(lab.is_up, "checks", tells=balancer.said)
            yield lab
            assert balancer.process.poll() is None, balancer
    finally:
        images.close()


def run(*words: str, environ: Mapping[str, str] | None = None, status: int = 0, text: str = "") -> str:
    """What a tool writes that is given `text`; it has to end with that status."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60, check=False, env=environ)
    assert done.returncode == status, (words, done.returncode, done.stdout, done.stderr)
    return done.stdout


def script(name: str) -> str:
    """A program of a package from PyPI, beside the interpreter that runs the tests."""
    return str(Path(sys.executable).with_name(name))
