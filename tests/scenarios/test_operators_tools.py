"""Tools that operators have, unchanged, on our stats sockets: each does its work and reports what is so."""

import os
import pty
import select
import subprocess
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest
from operators import Lab, laboratory, run, script
from peers import require_module, require_peer
from running import wait_until


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("tools")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def both_up(lab: Lab) -> Iterator[None]:
    yield
    lab.restore()


def test_haproxyadmin_reads_and_commands(lab: Lab) -> None:
    haproxy = require_module("haproxyadmin", "haproxyadmin").haproxy
    balancer = haproxy.HAProxy(socket_file=lab.path)
    assert balancer.version.startswith("2.6.") and balancer.maxconn == 4000
    assert [each.name for each in balancer.servers(backend="smalltalk")] == ["app1", "app2"]
    server = balancer.server("app2", backend="smalltalk")[0]
    for state, status in (("disable", "MAINT"), ("ready", "UP 1/3"), ("drain", "DRAIN"), ("enable", "UP")):
        assert server.setstate(state)
        assert server.status.startswith(status)
    assert server.setweight(50) and int(server.weight) == 50
    assert server.setweight("100%") and int(server.weight) == 1
    port = server.port
    server.address = "127.0.0.1"
    server.port = 5
    assert int(server.port) == 5
    server.port = port
    assert (server.address, int(server.port)) == ("127.0.0.1", int(port))
    assert server.shutdown()
    assert balancer.backend("smalltalk").status == "UP"
    frontend = balancer.frontend("other")
    assert frontend.disable() and frontend.status == "PAUSED"
    assert frontend.enable() and frontend.status == "OPEN"
    assert frontend.setmaxconn(70) and frontend.maxconn == 70
    assert balancer.setmaxconn(3000) and balancer.setmaxconn(4000)
    for limit in (balancer.setratelimitconn, balancer.setratelimitsess, balancer.setratelimitsslsess):
        assert limit(10) and limit(0)
    assert balancer.clearcounters() and balancer.clearcounters(all=True)
    assert balancer.show_acl() and balancer.show_map() == ["# id (file) description"]
    assert balancer.errors()[0][1][0].startswith("Total events captured on [")


def test_haproxytool_lists_and_commands(lab: Lab) -> None:
    require_module("haproxytool", "haproxytool")
    tool = script("haproxytool")
    shown = run(tool, "server", "-F", lab.path, "-s")
    assert "smalltalk" in shown and "app2" in shown and "UP" in shown
    for option, status in (("-t", "MAINT"), ("-R", "UP"), ("-n", "DRAIN"), ("-R", "UP")):
        run(tool, "server", "-F", lab.path, option, "--backend=smalltalk", "app2")
        assert lab.status("app2").startswith(status)
    run(tool, "server", "-F", lab.path, "-w", "20", "--backend=smalltalk", "app2")
    assert lab.say("get weight smalltalk/app2").startswith("20 ")
    assert "smalltalk" in run(tool, "backend", "-F", lab.path, "-S")
    assert "other" in run(tool, "frontend", "-F", lab.path, "-s")
    assert "Maxconn" in run(tool, "haproxy", "-F", lab.path, "-i")


def test_haproxy_cli_lists_and_commands(lab: Lab) -> None:
    require_module("haproxy", "haproxy-cli")
    tool = script("haproxy-cli")

    def ask(*words: str) -> str:
        return run(tool, "-k", lab.path, "-c", *words)

    assert "Name: HAProxy" in ask("info")
    assert "smalltalk" in ask("frontends") and "smalltalk" in ask("backends")
    assert "app2" in ask("servers", "-b", "smalltalk")
    assert "1" in ask("get-weight", "-b", "smalltalk", "-s", "app2")
    ask("set-weight", "-b", "smalltalk", "-s", "app2", "-w", "7")
    assert lab.say("get weight smalltalk/app2").startswith("7 ")
    ask("disable", "-b", "smalltalk", "-s", "app2")
    assert lab.status("app2") == "MAINT"
    ask("enable", "-b", "smalltalk", "-s", "app2")
    assert lab.status("app2").startswith("UP")
    assert "proto=unix_stream" in ask("sessions")


def test_haprapi_asks_over_tcp(lab: Lab) -> None:
    client = require_module("haprapi", "haprapi").HAPRapi("127.0.0.1", lab.ports["remote"])
    told: Any = client.get_info()
    assert told
    backend = client.parse_backend_data(client.get_backend("smalltalk"))
    assert [each.name for each in backend.servers] == ["app1", "app2"]
    assert client.get_schema().startswith('{"$schema":"http://json-schema.org/')
    assert len(client.get_server_connections("smalltalk")) == 2
    client.disable_server("smalltalk", "app2")
    assert lab.status("app2") == "MAINT"


def test_collectd_haproxy_reads_every_figure(lab: Lab) -> None:
    connection = require_module("collectd_haproxy.connection", "collectd-haproxy")

    class Collectd:
        """What the plugin needs of its host."""

        def debug(self, *_: object) -> None:
            """Nobody listens."""

        def error(self, text: str) -> None:
            """What the plugin cannot do."""
            raise AssertionError(text)

    asked = connection.HAProxySocket(Collectd(), lab.path)
    assert dict(asked.gen_info())["Maxconn"] == "4000"
    rows = list(asked.gen_stats(True, True, True))
    assert len(rows) == 11 and all(len(figures) > 100 for _, figures in rows)


class Terminal:
    """hatop on a terminal of 180 by 50."""

    def __init__(self, program: "subprocess.Popen[bytes]", terminal: int) -> None:
        self.program = program
        self.terminal = terminal
        self.shown = b""

    def type(self, keys: bytes) -> None:
        """What a person types."""
        os.write(self.terminal, keys)

    def read(self) -> None:
        """Takes what is drawn: a terminal that nobody reads stops its program."""
        while select.select([self.terminal], [], [], 0)[0]:
            self.shown += os.read(self.terminal, 65536)

    def wait_for(self, *words: bytes, holds: Callable[[], bool] = lambda: True) -> None:
        """Returns when all these words have been drawn since the last call, and something holds."""

        def is_there() -> bool:
            self.read()
            return all(word in self.shown for word in words) and holds()

        wait_until(is_there, f"{words} in hatop", tells=lambda: repr(self.shown[-2000:]))
        self.shown = b""


@contextmanager
def hatop(lab: Lab, *words: str) -> Iterator[Terminal]:
    """The program for the length of a `with`; at its end it is told to quit, and has to."""
    path = require_peer("hatop")
    terminal, inner = pty.openpty()
    termios.tcsetwinsize(terminal, (50, 180))
    environ = {**os.environ, "TERM": "xterm"}
    started = [path, "-s", lab.path, *words]
    with subprocess.Popen(started, stdin=inner, stdout=inner, stderr=inner, env=environ, start_new_session=True) as program:
        try:
            seen = Terminal(program, terminal)
            yield seen
            seen.type(b"q")
            wait_until(lambda: program.poll() is not None, "hatop to quit")
            assert program.returncode == 0
        finally:
            program.kill()
    os.close(terminal)
    os.close(inner)


ARROW_DOWN: Final = b"\x1bOB"
KEYS: Final = {"F8": b"\x1b[19~", "F4": b"\x1bOS", "F9": b"\x1b[20~", "F10": b"\x1b[21~"}


def test_hatop_takes_a_server_out_and_in(lab: Lab) -> None:
    with hatop(lab) as seen:
        seen.wait_for(b"app1", b"app2", b"gone", b"DOWN", b"BACKEND")
        seen.type(ARROW_DOWN * 3)  # from the top down to app2
        seen.type(KEYS["F10"])
        seen.wait_for(holds=lambda: lab.status("app2") == "MAINT")
        seen.type(KEYS["F9"])
        seen.wait_for(holds=lambda: lab.status("app2") == "UP")
        seen.type(KEYS["F8"])
        seen.wait_for(holds=lambda: lab.say("get weight smalltalk/app2").startswith("11 "))
        seen.type(KEYS["F4"])
        seen.wait_for(holds=lambda: lab.say("get weight smalltalk/app2").startswith("1 "))


def test_hatop_has_something_to_show_in_each_view(lab: Lab) -> None:
    with hatop(lab, "-p", "smalltalk") as seen:
        seen.wait_for(b"here", b"smalltalk", b"app1")
        for view, heading in ((b"2", b"RATE"), (b"3", b"5xx"), (b"4", b"ECONN"), (b"1", b"QCUR")):
            seen.type(view)
            seen.wait_for(heading)
        seen.type(b"5")
        seen.wait_for(b"embedded interactive HAProxy shell")
        seen.type(b"show cli level\r")
        seen.wait_for(b"admin")
        seen.type(b"\x1b1")
        seen.wait_for(b"QCUR")


def test_check_haproxy_stats_of_nagios_tells_states(lab: Lab, require_peer: Callable[[str], str]) -> None:
    words = [require_peer("check_haproxy_stats"), "-s", lab.path, "-p", "smalltalk"]
    for state, status, told in (
        ("ready", 0, "Check haproxy OK - checked proxies: smalltalk|"),
        ("maint", 2, "Check haproxy CRITICAL - server: smalltalk:app2 is MAINT; |"),
        ("drain", 2, "Check haproxy CRITICAL - server: smalltalk:app2 is DRAIN"),
    ):
        lab.say(f"set server smalltalk/app2 state {state}")
        wait_until(lambda: "/" not in lab.status("app2"), "its check")
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout[: len(told)]) == (status, told)


def test_a_list_of_commands_as_ansible_sends_it(lab: Lab) -> None:
    said = lab.say("get weight smalltalk/app2; disable server smalltalk/app2; shutdown sessions server smalltalk/app2")
    assert said == "1 (initial 1)\n\n\n\n"
    assert lab.status("app2") == "MAINT"
    said = lab.say("get weight smalltalk/app2; enable server smalltalk/app2; enable health smalltalk/app2")
    assert said == "1 (initial 1)\n\n\n\n"
