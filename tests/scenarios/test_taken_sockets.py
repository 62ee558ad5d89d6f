"""Listening sockets that come from an old process by `-x`, and inherited ones: they have what the new file asks for, no more.

The options are read from the sockets themselves, which either program hands over to whoever asks as a successor does.
"""

import os
import signal
import socket
import stat
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import pytest
from running import BALANCER, Program, free_port, is_serving, running, wait_until

from balancer import takeover

SIDES: Final = ("balancer", "haproxy")
PAIRS: Final = [(old, new) for old in SIDES for new in SIDES]
TO_US: Final = [pair for pair in PAIRS if pair[1] == "balancer"]

HEAD: Final = """
global
    stats socket {folder}/admin.sock level admin expose-fd listeners
    {globals}
defaults
    mode http
    timeout connect 2s
    timeout client 10s
    timeout server 10s
"""
SERVER: Final = "    server s 127.0.0.1:1\n"

WORDS: Final = "defer-accept tfo tcp-ut 30s mss 1000 backlog 77"
OPTIONS: Final = "    option nolinger\n    no option tcp-smart-accept\n"
PROBES: Final = "    option clitcpka\n    clitcpka-cnt 3\n    clitcpka-idle 30s\n    clitcpka-intvl 7s\n"
BUFFERS: Final = "tune.sndbuf.client 20000\n    tune.rcvbuf.client 22000"

READ: Final = {
    "TCP_MAXSEG": (socket.IPPROTO_TCP, socket.TCP_MAXSEG),
    "TCP_USER_TIMEOUT": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
    "TCP_DEFER_ACCEPT": (socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT),
    "TCP_FASTOPEN": (socket.IPPROTO_TCP, socket.TCP_FASTOPEN),
    "TCP_QUICKACK": (socket.IPPROTO_TCP, socket.TCP_QUICKACK),
}
READ_PROBES: Final = {
    "SO_KEEPALIVE": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "TCP_KEEPCNT": (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
    "TCP_KEEPIDLE": (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
    "TCP_KEEPINTVL": (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
    "SO_SNDBUF": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    "SO_RCVBUF": (socket.SOL_SOCKET, socket.SO_RCVBUF),
}
ASKED: Final = {
    "TCP_MAXSEG": 1000,
    "TCP_USER_TIMEOUT": 30000,
    "TCP_DEFER_ACCEPT": 1,
    "TCP_FASTOPEN": 77,
    "TCP_QUICKACK": 1,
    "linger": 1,
}
TCP_INFO_SACKED: Final = 28  # tcpi_sacked: of a listening socket its backlog


def readings(bound: socket.socket, which: dict[str, tuple[int, int]] = READ) -> dict[str, int]:
    """The options of one socket."""
    found = {name: bound.getsockopt(level, option) for name, (level, option) in which.items()}
    if which is READ:
        found["linger"] = struct.unpack("ii", bound.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))[0]
    return found


def of_system(which: dict[str, tuple[int, int]] = READ) -> dict[str, int]:
    """Those that nothing was asked of; what is HTTP is acknowledged late."""
    with socket.socket() as plain:
        return readings(plain, which) | ({"TCP_QUICKACK": 0} if which is READ else {})


def backlog(bound: socket.socket) -> int:
    """How many connections may wait, as the kernel has it."""
    info = bound.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    return int(struct.unpack_from("=I", info, TCP_INFO_SACKED)[0])


class Site:
    """One folder, in which one program follows another."""

    def __init__(self, folder: Path, commands: dict[str, tuple[str, ...]], stack: ExitStack) -> None:
        self.folder = folder
        self.commands = commands
        self.stack = stack
        self.programs: list[Program] = []

    def start(self, side: str, body: str, process: str = "", pass_fds: tuple[int, ...] = ()) -> Program:
        """The first program; returns when it answers commands."""
        program = self._run(side, body, (), process, pass_fds)
        wait_until(lambda: Path(self._path()).exists() or program.has_ended(), "the start", tells=program.text)
        assert not program.has_ended(), program.text()
        return program

    def follow(self, side: str, body: str, process: str = "") -> None:
        """One that takes the sockets of the last one over; returns when that has ended, as it is told when all is taken."""
        old = self.programs[-1]
        program = self._run(side, body, ("-x", self._path(), "-sf", str(old.process.pid)), process, ())
        wait_until(lambda: old.has_ended() or program.has_ended(), "the end of the old one", tells=program.text)
        assert not program.has_ended(), program.text()

    def _run(self, side: str, body: str, words: tuple[str, ...], process: str, pass_fds: tuple[int, ...]) -> Program:
        count = len(self.programs)
        path = self.folder / f"{count}.cfg"
        path.write_text(HEAD.format(folder=self.folder, globals=process) + body.format(folder=self.folder))
        command = (*self.commands[side], "-db", "-f", str(path), *words)
        self.programs.append(self.stack.enter_context(running(command, self.folder / f"out{count}", pass_fds=pass_fds)))
        return self.programs[-1]

    def _path(self) -> str:
        return str(self.folder / "admin.sock")

    def socket_on(self, port: int) -> socket.socket:
        """The socket that listens on that port; the caller's until the end of the test."""
        found = None
        for each in takeover.take(self._path()):
            if found is None and each.family != socket.AF_UNIX and each.getsockname()[1] == port:
                found = self.stack.enter_context(closing(each))
            else:
                each.close()
        assert found is not None, port
        return found

    def command(self, text: str) -> None:
        """One command on the stats socket."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(self._path())
            asking.sendall(text.encode() + b"\n")
            assert asking.recv(65536).strip() == b""


@pytest.fixture
def site(tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Site]:
    with ExitStack() as stack:
        yield Site(tmp_path, {"balancer": BALANCER, "haproxy": (require_peer("haproxy"),)}, stack)


def section(port: int, words: str = "", lines: str = "", host: str = "127.0.0.1") -> str:
    return f"listen l\n    bind {host}:{port} {words}\n{lines}{SERVER}"


@pytest.mark.parametrize("side", SIDES)
def test_a_new_socket_has_what_its_line_asks_for_and_no_more(side: str, site: Site) -> None:
    asked, plain = free_port(), free_port()
    site.start(side, section(asked, WORDS, OPTIONS) + section(plain).replace("listen l", "listen m"))
    assert readings(site.socket_on(asked)) == ASKED
    assert readings(site.socket_on(plain)) == of_system()


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_words_that_are_gone_are_taken_back(old: str, new: str, site: Site) -> None:
    port = free_port()
    site.start(old, section(port, WORDS, OPTIONS))
    inode = os.fstat(site.socket_on(port).fileno()).st_ino
    site.follow(new, section(port))
    taken = site.socket_on(port)
    assert os.fstat(taken.fileno()).st_ino == inode, "the very socket"
    assert readings(taken) == of_system()


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_words_that_are_new_are_asked_for(old: str, new: str, site: Site) -> None:
    port = free_port()
    site.start(old, section(port))
    site.follow(new, section(port, WORDS, OPTIONS))
    assert readings(site.socket_on(port)) == ASKED


def test_probes_and_sizes_of_buffers_come_and_go(site: Site) -> None:
    port = free_port()
    site.start("balancer", section(port, "", PROBES), process=BUFFERS)
    held = readings(site.socket_on(port), READ_PROBES)
    assert (held["SO_KEEPALIVE"], held["TCP_KEEPCNT"], held["TCP_KEEPIDLE"], held["TCP_KEEPINTVL"]) == (1, 3, 30, 7)
    assert (held["SO_SNDBUF"], held["SO_RCVBUF"]) == (40000, 44000), "the kernel doubles them"
    site.follow("balancer", section(port))
    assert readings(site.socket_on(port), READ_PROBES) == of_system(READ_PROBES)
    site.follow("balancer", section(port, "", PROBES), process=BUFFERS)
    assert readings(site.socket_on(port), READ_PROBES) == held


@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize(("before", "after"), [("interface lo", ""), ("", "interface lo")])
def test_a_socket_of_another_interface_is_not_taken(old: str, new: str, before: str, after: str, site: Site) -> None:
    port = free_port()
    site.start(old, section(port, before))
    site.follow(new, section(port, after))
    device = site.socket_on(port).getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0")
    assert device == after.removeprefix("interface ").encode()
    assert is_serving(port)


@pytest.mark.parametrize(("old", "new"), PAIRS)
@pytest.mark.parametrize(("before", "after"), [("v6only", "v4v6"), ("v4v6", "v6only"), ("v6only", "")])
def test_a_socket_of_other_families_is_not_taken(old: str, new: str, before: str, after: str, site: Site) -> None:
    port = free_port()
    site.start(old, section(port, before, host="[::]"))
    site.follow(new, section(port, after, host="[::]"))
    is_alone = bool(site.socket_on(port).getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
    assert is_alone == (after == "v6only")


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    ("words", "lines", "count"),
    [
        ("maxconn 20", "    maxconn 50\n", 20),
        ("maxconn 200", "", 200),
        ("maxconn 20", "    backlog 30\n", 30),
        ("maxconn 20 backlog 10", "    backlog 30\n", 10),
        ("", "    maxconn 50\n", 50),
        ("", "", 100),
    ],
)
def test_the_backlog_is_the_nearest_word_and_stays_it_while_connections_are_accepted(
    side: str, words: str, lines: str, count: int, site: Site
) -> None:
    port = free_port()
    site.start(side, section(port, words, lines), process="maxconn 100")
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        client.recv(1)
    assert backlog(site.socket_on(port)) == count


def test_another_backlog_counts_for_a_socket_that_is_taken_over(site: Site) -> None:
    port = free_port()
    site.start("haproxy", section(port, "backlog 77"))
    site.follow("balancer", section(port, "backlog 200"))
    assert backlog(site.socket_on(port)) == 200


@pytest.mark.parametrize("side", SIDES)
def test_what_the_kernel_does_not_grant_is_told_and_the_address_is_served(side: str, site: Site) -> None:
    port = free_port()
    program = site.start(side, section(port, "mss 40"))
    line = next(line for line in program.text().splitlines() if "MSS" in line)
    assert line.startswith("[WARNING]") and "for proxy l: cannot set MSS to 40" in line and f"for [127.0.0.1:{port}]" in line
    assert is_serving(port)


def test_acknowledgements_are_as_the_file_says_after_a_pause(site: Site) -> None:
    port = free_port()
    site.start("balancer", section(port).replace("listen", "frontend").replace(SERVER, ""))
    site.command("disable frontend l")
    site.command("enable frontend l")
    assert readings(site.socket_on(port)) == of_system()


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_frontend_that_was_shut_down_hinders_no_successor(old: str, new: str, site: Site) -> None:
    shut, other = free_port(), free_port()
    body = section(shut) + section(other).replace("listen l", "listen m")
    site.start(old, body)
    site.command("shutdown frontend l")
    site.follow(new, body)
    assert is_serving(shut) and is_serving(other)


@pytest.mark.parametrize("side", SIDES)
def test_an_inherited_socket_loses_what_the_file_does_not_ask_for(side: str, site: Site) -> None:
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        for name, value in (("TCP_MAXSEG", 900), ("TCP_USER_TIMEOUT", 777), ("TCP_DEFER_ACCEPT", 3), ("TCP_FASTOPEN", 9)):
            inherited.setsockopt(*READ[name], value)
        body = f"listen l\n    bind fd@{inherited.fileno()}\n{SERVER}"
        program = site.start(side, body, pass_fds=(inherited.fileno(),))
        wait_until(lambda: readings(inherited) == of_system(), "a socket as new", tells=program.text)


BIND_FILE: Final = "listen l\n    bind unix@{{folder}}/site.sock {words}\n" + SERVER


def rights(path: Path) -> tuple[int, int]:
    """Mode and owner."""
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(("words", "mode"), [("mode 600", 0o600), ("mode 0", 0o750), ("", 0o750)])
def test_a_mode_of_zero_is_as_none(side: str, words: str, mode: int, site: Site) -> None:
    mask = os.umask(0o027)
    try:
        site.start(side, BIND_FILE.format(words=words))
    finally:
        os.umask(mask)
    wait_until((site.folder / "site.sock").exists, "the socket's file")
    assert rights(site.folder / "site.sock")[0] == mode


@pytest.mark.parametrize(("old", "new"), TO_US)
def test_the_file_of_a_socket_that_is_taken_over_gets_the_rights_of_its_line(old: str, new: str, site: Site) -> None:
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    path = site.folder / "site.sock"
    site.start(old, BIND_FILE.format(words="mode 666"))
    wait_until(path.exists, "the socket's file")
    inode = path.stat().st_ino
    site.follow(new, BIND_FILE.format(words=f"mode 600 uid {owner}"))
    assert rights(path) == (0o600, owner) and path.stat().st_ino == inode
    site.follow(new, BIND_FILE.format(words=""))
    assert rights(path) == (0o600, owner), "where the line says nothing it stays as it was"


@pytest.mark.parametrize(("old", "new"), TO_US)
def test_a_socket_whose_file_is_gone_is_bound_anew(old: str, new: str, site: Site) -> None:
    path = site.folder / "site.sock"
    site.start(old, BIND_FILE.format(words=""))
    wait_until(path.exists, "the socket's file")
    path.unlink()
    site.follow(new, BIND_FILE.format(words=""))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("side", SIDES)
def test_the_files_of_sockets_stay_when_the_program_ends(side: str, site: Site) -> None:
    program = site.start(side, BIND_FILE.format(words=""))
    wait_until((site.folder / "site.sock").exists, "the socket's file")
    program.process.send_signal(signal.SIGUSR1)
    wait_until(program.has_ended, "the end", tells=program.text)
    assert sorted(path.name for path in site.folder.glob("*.sock*")) == ["admin.sock", "site.sock"]
