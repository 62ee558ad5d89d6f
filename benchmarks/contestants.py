"""The proxies that are measured: equivalent configurations of the original file, everything on.

httplog to one UDP sink, the inserted cookie, checks, all timeouts, keep-alive on both sides. Where a proxy cannot do the same,
the row of it in CONTESTANTS says what differs; that is a part of every result.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.origins import CONNECTIONS_MAX, FOREVER, find, own_program
from benchmarks.processes import Program, free_port
from benchmarks.traffic import COOKIE_NAME, cookie_value

CONNECT_TIMEOUT_S: Final = 5
CLIENT_TIMEOUT_S: Final = 50
SERVER_TIMEOUT_S: Final = 50
CHECK_INTERVAL_S: Final = 2
MAXCONN: Final = 9000


@dataclass(frozen=True)
class Site:
    """What stands around a proxy: its servers in order, the sink of its log, and whether it logs."""

    addresses: tuple[str, ...]
    sink: int
    is_logged: bool = True


@dataclass(frozen=True)
class Contestant:
    """One proxy: its name in tables, its program, how it is configured and started, and in what it is not like HAProxy."""

    name: str
    program: str
    words: "Callable[[Contestant, Site, int, Path], list[str]]"
    process_lines: tuple[str, ...] = ()
    proxy_lines: tuple[str, ...] = ()
    differs: str = ""

    def is_there(self) -> bool:
        """Whether its program is installed."""
        return find(self.program) is not None


class Running:
    """A contestant that serves."""

    def __init__(self, contestant: Contestant, program: Program, port: int) -> None:
        self.contestant = contestant
        self.program = program
        self.port = port


@contextmanager
def running(contestant: Contestant, site: Site, folder: Path, on_cores: set[int]) -> Iterator[Running]:
    """Starts a contestant on its core and ends it by its pid."""
    port = free_port()
    own = folder / contestant.name.replace(" ", "-")
    own.mkdir(exist_ok=True)
    words = contestant.words(contestant, site, port, own)
    is_ours = contestant.program == sys.executable and "benchmarks.reverse" in words
    with (
        own_program(contestant.name, words, own, on_cores)
        if is_ours
        else Program(contestant.name, words, own, on_cores) as program
    ):
        program.wait_for_port(port)
        yield Running(contestant, program, port)


def haproxy_file(contestant: Contestant, site: Site, port: int) -> str:
    """The file of 2006 in today's words, for HAProxy and the balancer alike."""
    lines = ["global", f"    maxconn {MAXCONN}"]
    lines += [f"    log 127.0.0.1:{site.sink} local0"] if site.is_logged else []
    lines += [f"    {line}" for line in contestant.process_lines]
    lines += ["defaults", "    mode http"]
    lines += ["    log global", "    option httplog", "    option dontlognull"] if site.is_logged else []
    lines += [
        "    retries 3",
        f"    timeout connect {CONNECT_TIMEOUT_S}s",
        f"    timeout client {CLIENT_TIMEOUT_S}s",
        f"    timeout server {SERVER_TIMEOUT_S}s",
        "listen smalltalk",
        f"    bind 127.0.0.1:{port}",
        f"    cookie {COOKIE_NAME} insert nocache",
        "    balance roundrobin",
    ]
    lines += [f"    {line}" for line in contestant.proxy_lines]
    lines += [
        f"    server app{n} {address} cookie {cookie_value(n)} check inter {CHECK_INTERVAL_S}s"
        for n, address in enumerate(site.addresses, 1)
    ]
    return "\n".join(lines) + "\n"


def nginx_file(site: Site, port: int, folder: Path) -> str:
    """The same site in nginx's words: the cookie chooses an upstream by a map, without one the servers take turns."""
    named = [(cookie_value(n), f"app{n}", address) for n, address in enumerate(site.addresses, 1)]
    form = (
        "$remote_addr:$remote_port [$time_local] smalltalk $upstream_addr $request_time/$upstream_connect_time/"
        '$upstream_header_time $status $bytes_sent $connections_active/$connections_writing \\"$request\\"'
    )
    pooled = "keepalive 1024; keepalive_requests 1000000000;"
    lines = [
        "daemon off; worker_processes 1; pid nginx.pid;",
        *(["user root;"] if os.geteuid() == 0 else []),
        f"events {{ worker_connections {CONNECTIONS_MAX}; }}",
        "http {",
        f'log_format httplog escape=none "{form}";',
        f"access_log syslog:server=127.0.0.1:{site.sink},facility=local0,tag=nginx httplog;"
        if site.is_logged
        else "access_log off;",
        *(f"{name}_temp_path {folder}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        f"keepalive_requests {FOREVER}; keepalive_timeout {CLIENT_TIMEOUT_S}s; tcp_nodelay on; default_type text/html;",
        "client_max_body_size 0; map_hash_max_size 8192; map_hash_bucket_size 128;",
        f"upstream turns {{ {' '.join(f'server {address};' for _, _, address in named)} {pooled} }}",
        *(f"upstream {app} {{ server {address}; {pooled} }}" for _, app, address in named),
        f"map $cookie_{COOKIE_NAME} $chosen {{ default turns; {' '.join(f'{value} {app};' for value, app, _ in named)} }}",
        f'map $upstream_addr $name {{ default ""; {" ".join(f"{address} {value};" for value, _, address in named)} }}',
        f'map $cookie_{COOKIE_NAME} $inserted {{ default "{COOKIE_NAME}=$name; path=/"; '
        f"{' '.join(f'{value} {chr(34) * 2};' for value, _, _ in named)} }}",
        'map $inserted $private { default private; "" ""; }',
        'map $http_upgrade $connection_upgrade { default upgrade; "" ""; }',
        f"server {{ listen 127.0.0.1:{port} backlog=4096;",
        *(f"{name}_timeout {CLIENT_TIMEOUT_S}s;" for name in ("client_header", "client_body", "send")),
        *(f"proxy_{name}_timeout {SERVER_TIMEOUT_S}s;" for name in ("read", "send")),
        f"proxy_connect_timeout {CONNECT_TIMEOUT_S}s;",
        "proxy_http_version 1.1; proxy_set_header Host $http_host; proxy_set_header Connection $connection_upgrade;",
        "proxy_set_header Upgrade $http_upgrade; proxy_max_temp_file_size 0; proxy_request_buffering off;",
        "add_header Set-Cookie $inserted; add_header Cache-Control $private;",
        "location / { proxy_pass http://$chosen; }",
        "location /events { proxy_buffering off; proxy_pass http://$chosen; }",
        "} }",
    ]
    return "\n".join(lines) + "\n"


def _haproxy(contestant: Contestant, site: Site, port: int, folder: Path) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(haproxy_file(contestant, site, port), encoding="ascii")
    return [find("haproxy") or "haproxy", "-db", "-f", str(file)]


def _balancer(contestant: Contestant, site: Site, port: int, folder: Path) -> list[str]:
    file = folder / "haproxy.cfg"
    file.write_text(haproxy_file(contestant, site, port), encoding="ascii")
    return [sys.executable, "-P", "-m", "balancer", "-db", "-f", str(file)]


def _nginx(contestant: Contestant, site: Site, port: int, folder: Path) -> list[str]:
    file = folder / "nginx.conf"
    file.write_text(nginx_file(site, port, folder), encoding="ascii")
    return [find("nginx") or "nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(file)]


def _aiohttp(contestant: Contestant, site: Site, port: int, folder: Path) -> list[str]:
    file = folder / "site.json"
    file.write_text(json.dumps(asdict(site)), encoding="ascii")
    return [sys.executable, "-m", "benchmarks.reverse", str(port), str(file)]


OURS: Final = "balancer"
REFERENCE: Final = "haproxy"
OBVIOUS: Final = "aiohttp"

CONTESTANTS: Final[tuple[Contestant, ...]] = (
    Contestant(
        OURS,
        sys.executable,
        _balancer,
        differs="connections to servers are kept across connections of clients; an answer with the cookie says `cache-control: "
        "private` (HAProxy 2.6 says so only of answers with freshness or a validator)",
    ),
    Contestant(REFERENCE, "haproxy", _haproxy, ("nbthread 1",)),
    Contestant(
        "haproxy reuse always",
        "haproxy",
        _haproxy,
        ("nbthread 1",),
        ("http-reuse always",),
        "a first request, too, may take a kept connection to a server",
    ),
    Contestant(
        "nginx",
        "nginx",
        _nginx,
        differs="one worker; no active checks; a map of cookies in place of persistence, so nobody is moved when a server is "
        "down; a shorter log line; answers are buffered; connections to servers are kept across connections of clients",
    ),
    Contestant(
        OBVIOUS,
        sys.executable,
        _aiohttp,
        differs="aiohttp's server and client on uvloop, uncompiled by us; no checks, no retries, no queue; a shorter log line",
    ),
)
