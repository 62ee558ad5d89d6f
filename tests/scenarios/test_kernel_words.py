"""Words that are asked of the kernel: families of addresses, limits of one address, what sockets inherit. Beside HAProxy."""

import os
import re
import select
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from program import SyslogReceiver
from running import BALANCER, Program, free_port, running, wait_until

PATIENCE_S: Final = 15.0

HEAD: Final = """
global
    log 127.0.0.1:{syslog} local0
    stats socket {folder}/admin.sock level admin expose-fd listeners
    {globals}
defaults
    mode http
    log global
    option httplog
    timeout connect 2s
    timeout client 10s
    timeout server 10s
"""
SIDES: Final = ("balancer", "haproxy")
BUFFERS: Final = {
    ("sndbuf", "client"): 20000,
    ("rcvbuf", "client"): 22000,
    ("sndbuf", "server"): 24000,
    ("rcvbuf", "server"): 26000,
}


class Holder:
    """A server that counts whom it has, from where they come, and answers when it is told."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.peers: list[str] = []
        self.lines: list[bytes] = []
        self.released = threading.Event()

    def __enter__(self) -> "Holder":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.released.set()
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, address[0]), daemon=True).start()

    def _serve(self, connection: socket.socket, host: str) -> None:
        with connection:
            try:
                while data := connection.recv(65536):
                    self.peers.append(host)
                    self.lines.append(data.split(b"\r\n")[0])
                    if data.startswith(b"GET /held"):
                        self.released.wait(PATIENCE_S)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            except OSError:
                pass


@dataclass
class Site:
    """One running program."""

    program: Program
    folder: Path
    holder: Holder
    syslog: SyslogReceiver
    words: tuple[str, ...]

    def line(self) -> str:
        """The first line of a request in the log, from the client's address on."""
        wait_until(lambda: any('"GET' in line for _, line in self.syslog.lines()), "a line", tells=self.program.text)
        return next(line for _, line in self.syslog.lines() if '"GET' in line)

    def figure(self, name: str) -> int:
        """One line of `show info`."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.folder / "admin.sock"))
            asking.sendall(b"show info\n")
            answer = b""
            while part := asking.recv(65536):
                answer += part
        found = re.search(rf"(?m)^{name}: (\d+)$", answer.decode())
        assert found is not None
        return int(found.group(1))


Start = Callable[..., Site]


@pytest.fixture
def start(tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Start]:
    with ExitStack() as stack:

        def make(side: str, body: str, *words: str, process: str = "", pass_fds: Sequence[int] = ()) -> Site:
            folder = tmp_path / side
            folder.mkdir(exist_ok=True)
            holder = stack.enter_context(Holder())
            syslog = stack.enter_context(SyslogReceiver())
            command = BALANCER if side == "balancer" else (require_peer("haproxy"),)
            path = folder / "test.cfg"
            path.write_text((HEAD + body).format(syslog=syslog.port, folder=folder, globals=process, server=holder.port))
            whole = (*command, "-db", "-f", str(path), *words)
            program = stack.enter_context(running(whole, folder / f"out{len(os.listdir(folder))}", pass_fds=tuple(pass_fds)))
            wait_until(lambda: (folder / "admin.sock").exists() or program.has_ended(), "the start", tells=program.text)
            return Site(program, folder, holder, syslog, whole)

        yield make


def ask(address: str | tuple[str, int], path: str = "/", family: int = socket.AF_INET) -> bytes:
    """One request; everything that came, b"" when it was refused or cut."""
    with socket.socket(family) as client:
        client.settimeout(PATIENCE_S)
        try:
            client.connect(address)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while part := client.recv(65536):
                answer += part
            return answer
        except OSError:
            return b""


def serves(address: str | tuple[str, int], family: int = socket.AF_INET) -> Callable[[], bool]:
    """Whether it answers 200."""
    return lambda: ask(address, family=family).startswith(b"HTTP/1.1 200")


SERVER: Final = "    server s 127.0.0.1:{server}\n"


@pytest.mark.parametrize("side", SIDES)
def test_a_unix_socket_has_its_mode_and_its_clients_are_logged_as_such(side: str, start: Start, tmp_path: Path) -> None:
    path = tmp_path / side / "site.sock"
    site = start(
        side, f"listen l\n    bind unix@{path} mode 600\n    bind 127.0.0.1:{free_port()}\n    option forwardfor\n" + SERVER
    )
    wait_until(serves(str(path), socket.AF_UNIX), "an answer", tells=site.program.text)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_ISSOCK(path.stat().st_mode)
    assert site.line().startswith("unix:1 [")


@pytest.mark.parametrize("side", SIDES)
def test_an_abstract_name_and_an_inherited_socket_are_served(side: str, start: Start) -> None:
    with closing(socket.socket()) as inherited:
        inherited.bind(("127.0.0.1", 0))
        name = f"balancer-test-{os.getpid()}-{side}"
        site = start(
            side, f"listen l\n    bind abns@{name}\n    bind fd@{inherited.fileno()}\n" + SERVER, pass_fds=[inherited.fileno()]
        )
        wait_until(serves("\0" + name + "\0" * (107 - len(name)), socket.AF_UNIX), "the abstract one", tells=site.program.text)
        assert serves(inherited.getsockname())()


def test_unix_and_abstract_sockets_go_over_to_a_successor(start: Start, tmp_path: Path) -> None:
    path, name = tmp_path / "balancer" / "site.sock", f"balancer-over-{os.getpid()}"
    first = start("balancer", f"listen l\n    bind unix@{path}\n    bind abns@{name}\n" + SERVER)
    abstract = "\0" + name + "\0" * (107 - len(name))
    wait_until(serves(str(path), socket.AF_UNIX), "an answer", tells=first.program.text)
    inode = path.stat().st_ino
    words = (*first.words, "-x", str(tmp_path / "balancer" / "admin.sock"), "-sf", str(first.program.process.pid))
    with running(words, tmp_path / "second.out") as second:
        wait_until(first.program.has_ended, "the end of the first", tells=second.text)
        assert serves(str(path), socket.AF_UNIX)() and serves(abstract, socket.AF_UNIX)(), second.text()
        assert path.stat().st_ino == inode, "the very socket, not another one of that name"


@pytest.mark.parametrize("side", SIDES)
def test_maxconn_of_an_address_bounds_it_alone(side: str, start: Start) -> None:
    narrow, wide = free_port(), free_port()
    site = start(side, f"listen l\n    bind 127.0.0.1:{narrow} maxconn 1\n    bind 127.0.0.1:{wide}\n" + SERVER)
    wait_until(serves(("127.0.0.1", wide)), "an answer", tells=site.program.text)
    with socket.create_connection(("127.0.0.1", narrow)) as first:
        first.sendall(b"GET /first HTTP/1.1\r\nHost: t\r\n\r\n")
        assert first.recv(65536)
        with socket.create_connection(("127.0.0.1", narrow)) as second:
            second.settimeout(PATIENCE_S)
            second.sendall(b"GET /second HTTP/1.1\r\nHost: t\r\n\r\n")
            assert serves(("127.0.0.1", wide))(), "the other address has room"
            assert not any(b"/second" in line for line in site.holder.lines)
            first.close()
            assert second.recv(65536).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("word", "takes_ipv4"), [("v4v6", True), ("v6only", False)])
def test_an_address_of_ipv6_takes_ipv4_or_not(side: str, word: str, takes_ipv4: bool, start: Start) -> None:
    port = free_port()
    site = start(side, f"listen l\n    bind [::]:{port} {word}\n" + SERVER)
    wait_until(serves(("::1", port), socket.AF_INET6), "an answer", tells=site.program.text)
    assert serves(("127.0.0.1", port))() == takes_ipv4


def timers(port: int) -> list[str]:
    """The kernel's timers of established connections with that local or remote port (/proc/net/tcp): 02 is a keep-alive."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    wanted = f":{port:04X}"
    return [row[5][:2] for row in rows if row[3] == "01" and row[1].endswith(wanted)]


def peers_timers(port: int) -> list[str]:
    """As `timers`, by the remote port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row[5][:2] for row in rows if row[3] == "01" and row[2].endswith(f":{port:04X}")]


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("option", "probes_client", "probes_server"),
    [("option tcpka", True, True), ("option clitcpka", True, False), ("option srvtcpka", False, True), ("", False, False)],
)
def test_silent_connections_are_probed_where_the_file_wants_it(
    side: str, option: str, probes_client: bool, probes_server: bool, start: Start
) -> None:
    port = free_port()
    site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n    {option}\n" + SERVER)
    wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: t\r\n\r\n")
        wait_until(lambda: any(b"/held" in line for line in site.holder.lines), "the request at the server")
        wait_until(lambda: ("02" in timers(port)) == probes_client, "the client's probes")
        wait_until(lambda: ("02" in peers_timers(site.holder.port)) == probes_server, "the server's probes")
        site.holder.released.set()


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("place", ["source 127.0.0.7", "server"])
def test_servers_are_connected_to_from_the_source(side: str, place: str, start: Start) -> None:
    port = free_port()
    line = SERVER.rstrip() + " check inter 100ms" + (" source 127.0.0.7\n" if place == "server" else "\n    " + place + "\n")
    site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n" + line)
    wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
    assert set(site.holder.peers) == {"127.0.0.7"}


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("own", "process"), [("rate-limit sessions 8", ""), ("", "maxconnrate 8"), ("", "maxsessrate 8")])
def test_new_connections_come_in_no_faster_than_the_rate(own: str, process: str, side: str, start: Start) -> None:
    port = free_port()
    site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n    {own}\n" + SERVER, process=process)
    limits = [site.figure(f"{what}RateLimit") for what in ("Conn", "Sess")]
    assert limits == [8 * ("connrate" in process), 8 * ("sessrate" in process)]
    wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
    begun = time.monotonic()
    assert all(serves(("127.0.0.1", port))() for _ in range(20)), "nobody is refused"
    assert time.monotonic() - begun > 1.0


def reached(site: Site, port: int, count: int) -> int:
    """How many of so many requests at once are at the server, when nothing moves any more."""
    before = len(site.holder.lines)
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for client in clients:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    wait_until(lambda: _figure_of(site, "l,BACKEND", 4) == count, "all of them in the backend")
    seen = len(site.holder.lines) - before
    waiting = _figure_of(site, "l,s", 2) + _figure_of(site, "l,BACKEND", 2)
    wait_until(lambda: len(site.holder.lines) - before == count - waiting, "those that do not wait at the server")
    seen = len(site.holder.lines) - before
    site.holder.released.set()
    for client in clients:
        client.settimeout(PATIENCE_S)
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        client.close()
    site.holder.released.clear()
    wait_until(lambda: _figure_of(site, "l,BACKEND", 4) == 0, "an idle backend")
    return seen


def _figure_of(site: Site, row: str, column: int) -> int:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(site.folder / "admin.sock"))
        asking.sendall(b"show stat\n")
        answer = b""
        while part := asking.recv(65536):
            answer += part
    line = next(line for line in answer.decode().splitlines() if line.startswith(row + ","))
    return int(line.split(",")[column] or 0)


@pytest.mark.parametrize("balance", ["roundrobin", "leastconn"])
def test_the_slots_of_a_server_grow_with_the_load_as_haproxys_do(balance: str, start: Start) -> None:
    seen = {}
    for side in SIDES:
        port = free_port()
        line = SERVER.rstrip() + " minconn 2 maxconn 10\n"
        words = f"balance {balance}\n    fullconn 20\n    timeout queue 10s\n"
        site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n    {words}" + line)
        wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
        seen[side] = [reached(site, port, count) for count in (1, 3, 8, 14, 24)]
    assert seen["balancer"] == seen["haproxy"]


@pytest.mark.parametrize("side", SIDES)
def test_nolinger_resets_at_the_close(side: str, start: Start) -> None:
    port = free_port()
    site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n    option nolinger\n" + SERVER)
    wait_until(lambda: site.program.has_ended() or _can_connect(port), "the start", tells=site.program.text)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(PATIENCE_S)
        client.sendall(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        answer = b""
        with suppress(ConnectionResetError):
            while part := client.recv(65536):
                answer += part
        assert answer.endswith(b"ok")
        poll = select.poll()
        poll.register(client, select.POLLERR)
        assert poll.poll(PATIENCE_S * 1000.0), "behind the end comes a reset"


def _can_connect(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_grace_goes_on_accepting_for_a_while(start: Start) -> None:
    for side in SIDES:
        port = free_port()
        site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n" + SERVER, process="grace 1500ms")
        wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
        begun = time.monotonic()
        site.program.process.send_signal(signal.SIGUSR1)
        assert serves(("127.0.0.1", port))(), side
        wait_until(site.program.has_ended, "the end", tells=site.program.text)
        assert time.monotonic() - begun >= 1.4, side


def test_ulimit_n_is_the_limit_of_descriptors(start: Start) -> None:
    for side in SIDES:
        port = free_port()
        site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n" + SERVER, process="maxconn 100\n    ulimit-n 1234")
        wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
        assert site.figure("Ulimit-n") == 1234, side


def test_a_listening_socket_has_the_options_that_its_line_asks_for(start: Start, require_peer: Callable[[str], str]) -> None:
    port = free_port()
    words = "backlog 77 defer-accept tfo tcp-ut 30s mss 1000"
    site = start("balancer", f"listen l\n    bind 127.0.0.1:{port} {words}\n" + SERVER)
    wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
    shown = subprocess.run([require_peer("ss"), "-Hlnt", f"sport = :{port}"], capture_output=True, text=True, check=True).stdout
    assert shown.split()[2] == "77"


@pytest.mark.parametrize("side", SIDES)
def test_the_kernels_buffers_are_as_large_as_the_file_says(side: str, start: Start, require_peer: Callable[[str], str]) -> None:
    port = free_port()
    words = "\n    ".join(f"tune.{word}.{end} {octets}" for (word, end), octets in BUFFERS.items())
    site = start(side, f"listen l\n    bind 127.0.0.1:{port}\n" + SERVER, process=words)
    wait_until(serves(("127.0.0.1", port)), "an answer", tells=site.program.text)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /held HTTP/1.1\r\nHost: t\r\n\r\n")
        wait_until(lambda: any(b"/held" in line for line in site.holder.lines), "the request at the server")
        for end, rows in (("client", f"sport = :{port}"), ("server", f"dport = :{site.holder.port}")):
            command = [require_peer("ss"), "-Htnm", "state", "established", rows]
            shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            # The kernel doubles what it is told, for its own costs.
            wanted = f"rb{2 * BUFFERS['rcvbuf', end]},", f"tb{2 * BUFFERS['sndbuf', end]},"
            assert all(octets in shown for octets in wanted), (wanted, shown)
        site.holder.released.set()
