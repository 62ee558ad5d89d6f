"""Signals to a serving balancer: what ends it and how, what it tells, what changes nothing."""

import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from program import Balancer, HeldServer, SyslogReceiver, ask, write_config
from running import BALANCER, free_port, running, wait_until

STARTS: Final = 5
PATIENCE_S: Final = 15.0

CONFIG = """
global
    log 127.0.0.1:{syslog} local0
    {process}
defaults
    log global
    mode http
    retries 0
    timeout connect 1s
    timeout client 10s
    timeout server 10s
frontend site
    bind 127.0.0.1:{port}
    use_backend images
backend images
    server one 127.0.0.1:{server}
    server two 127.0.0.1:{server} disabled
"""


def config(port: int, syslog: int = 9, server: int = 1, process: str = "") -> str:
    return CONFIG.format(port=port, syslog=syslog, server=server, process=process)


def ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.pure
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_kill_at_once(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    with HeldServer() as server, Balancer(config(port, server=server.port), tmp_path, port=port) as balancer:
        answers: list[bytes] = []
        client = threading.Thread(target=lambda: answers.append(ask(port, "/held")))
        client.start()
        wait_until(lambda: server.held == 1, "the request reached the server")
        balancer.signal(number)
        assert balancer.ended() == -number
        client.join()
        assert answers == [b""]


def test_a_signal_right_behind_the_first_answer_counts(tmp_path: Path) -> None:
    for number in range(STARTS):
        port = free_port()
        path = write_config(tmp_path, config(port, process=f"stats socket {tmp_path}/admin.sock"))
        with running([*BALANCER, "-db", "-f", str(path)], tmp_path / f"{number}.out") as balancer:
            deadline_s = time.monotonic() + PATIENCE_S
            while not ask(port):  # without a pause: what may get lost does so within milliseconds
                assert time.monotonic() < deadline_s, balancer.text()
            balancer.process.send_signal(signal.SIGUSR1)
            assert balancer.process.wait(PATIENCE_S) == 0


def test_sigint_kills_where_a_shell_had_set_it_to_be_ignored(tmp_path: Path) -> None:
    port = free_port()
    with HeldServer() as server:
        with Balancer(config(port, server=server.port), tmp_path, port=port, prepare=ignore_sigint) as balancer:
            balancer.signal(signal.SIGINT)
            assert balancer.ended() == -signal.SIGINT


@pytest.mark.pure
def test_sigusr1_lets_requests_finish_and_takes_no_new_ones(tmp_path: Path) -> None:
    port = free_port()
    with SyslogReceiver() as syslog, HeldServer() as server:
        with Balancer(config(port, syslog.port, server.port), tmp_path, port=port) as balancer:
            answers: list[bytes] = []
            client = threading.Thread(target=lambda: answers.append(ask(port, "/held")))
            client.start()
            wait_until(lambda: server.held == 1, "the request reached the server")
            balancer.signal(signal.SIGUSR1)
            syslog.wait_for("Proxy images stopped")
            wait_until(lambda: ask(port) == b"", "new connections are refused")
            assert balancer.process.poll() is None
            server.release()
            client.join()
            assert answers[0].startswith(b"HTTP/1.1 200 ") and answers[0].endswith(b"held")
            assert balancer.ended() == 0
        assert ("132", "Proxy site stopped (cumulated conns: FE: 2, BE: 0).") in syslog.lines()
        assert ("132", "Proxy images stopped (cumulated conns: FE: 0, BE: 2).") in syslog.lines()
        assert "[WARNING]  (" in balancer.said()


def test_sigusr1_closes_idle_connections(tmp_path: Path) -> None:
    port = free_port()
    with HeldServer() as server, Balancer(config(port, server=server.port), tmp_path, port=port) as balancer:
        with socket.create_connection(("127.0.0.1", port), 10.0) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            answer = b""
            while not answer.endswith(b"held"):
                answer += client.recv(65536)
            started = time.monotonic()
            balancer.signal(signal.SIGUSR1)
            assert client.recv(1) == b""
            assert balancer.ended() == 0
            assert time.monotonic() - started < 5.0  # far below `timeout client`


def test_hard_stop_after_bounds_a_soft_stop(tmp_path: Path) -> None:
    port = free_port()
    with SyslogReceiver() as syslog, HeldServer() as server:
        made = config(port, syslog.port, server.port, "hard-stop-after 200ms")
        with Balancer(made, tmp_path, port=port) as balancer:
            answers: list[bytes] = []
            client = threading.Thread(target=lambda: answers.append(ask(port, "/held")))
            client.start()
            wait_until(lambda: server.held == 1, "the request reached the server")
            balancer.signal(signal.SIGUSR1)
            assert balancer.ended() == 0
            client.join()
            assert [answer.startswith(b"HTTP/1.1 502 ") for answer in answers] == [True]  # as HAProxy tells it
        syslog.wait_for("hard-stopped")
        assert ("132", "soft-stop running for too long, performing a hard-stop.") in syslog.lines()
        assert ("132", "Proxy site hard-stopped (1 remaining conns will be closed).") in syslog.lines()


def test_a_soft_stop_is_cut_short_by_sigterm(tmp_path: Path) -> None:
    port = free_port()
    with SyslogReceiver() as syslog, HeldServer() as server:
        with Balancer(config(port, syslog.port, server.port), tmp_path, port=port) as balancer:
            client = threading.Thread(target=ask, args=(port, "/held"))
            client.start()
            wait_until(lambda: server.held == 1, "the request reached the server")
            balancer.signal(signal.SIGUSR1)
            syslog.wait_for("stopped")
            balancer.signal(signal.SIGTERM)
            assert balancer.ended() == -signal.SIGTERM
            client.join()


@pytest.mark.pure
def test_sighup_sigusr2_and_sigquit_are_told_and_nothing_ends(tmp_path: Path) -> None:
    port = free_port()
    with SyslogReceiver() as syslog, HeldServer() as server:
        with Balancer(config(port, syslog.port, server.port), tmp_path, port=port) as balancer:
            for number in (signal.SIGHUP, signal.SIGUSR2, signal.SIGQUIT):
                balancer.signal(number)
                syslog.wait_for(number.name)
            for number in (signal.SIGTTOU, signal.SIGTTIN, signal.SIGPIPE):
                balancer.signal(number)
            assert b" 200 " in ask(port)
            balancer.signal(signal.SIGTERM)
            assert balancer.ended() == -signal.SIGTERM
        lines = syslog.lines()
        for told in (
            "SIGHUP received, dumping servers states for proxy site.",
            "SIGHUP received, dumping servers states for proxy images.",
            "SIGHUP: Server images/one is UP. Conn: 0 act, 0 pend, 1 tot.",
            "SIGHUP: Server images/two is DOWN. Conn: 0 act, 0 pend, 0 tot.",
        ):
            assert ("133", told) in lines
        assert any("SIGHUP: Proxy images has 1 active servers and 0 backup servers available." in text for _, text in lines)


def told_by(program: Callable[[int, int], None]) -> list[tuple[str, str]]:
    """What the log of a program says while `program(port, syslog_port)` runs, without requests and HAProxy's own proxies."""
    with SyslogReceiver() as syslog:
        program(free_port(), syslog.port)
    return [(priority, text) for priority, text in syslog.lines() if priority != "134" and "<HTTPCLIENT>" not in text]


def test_sighup_and_sigusr1_are_told_in_haproxys_lines(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    haproxy_path = require_peer("haproxy")
    with HeldServer() as server:

        def ours(port: int, syslog: int) -> None:
            with Balancer(config(port, syslog, server.port), tmp_path, port=port) as balancer:
                balancer.signal(signal.SIGHUP)
                wait_until(lambda: "SIGHUP: Proxy images" in balancer.said(), "the states are told")
                balancer.signal(signal.SIGUSR1)
                assert balancer.ended() == 0

        def theirs(port: int, syslog: int) -> None:
            path = write_config(tmp_path, config(port, syslog, server.port))
            with running([haproxy_path, "-db", "-f", str(path)], tmp_path / "haproxy.log") as haproxy:
                wait_until(lambda: ask(port) != b"", "HAProxy serves")
                haproxy.process.send_signal(signal.SIGHUP)
                wait_until(lambda: "SIGHUP: Proxy images" in haproxy.text(), "the states are told")
                haproxy.process.send_signal(signal.SIGUSR1)
                assert haproxy.process.wait(15.0) == 0

        assert told_by(ours) == told_by(theirs)
