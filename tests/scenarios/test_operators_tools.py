"""Tools that operators have, unchanged, on our stats sockets: each does its work and reports what is so."""

import os
import pty
import select
import subprocess
import termios
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from operators import Lab, laboratory, run, script
from peers import require_module
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


def test_hatop_takes_a_server_out_and_in(lab: Lab, require_peer: Callable[[str], str]) -> None:
    hatop = require_peer("hatop")
    terminal, inner = pty.openpty()
    termios.tcsetwinsize(terminal, (50, 180))
    shown = b""

    def shows(*words: bytes) -> bool:
        nonlocal shown
        while select.select([terminal], [], [], 0)[0]:
            shown += os.read(terminal, 65536)
        return all(word in shown for word in words)

    environ = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [hatop, "-s", lab.path], stdin=inner, stdout=inner, stderr=inner, env=environ, start_new_session=True
    ) as program:
        try:
            wait_until(lambda: shows(b"app1", b"app2", b"BACKEND"), "rows in hatop", tells=lambda: repr(shown[-2000:]))
            for _ in range(3):  # from the top down to app1
                os.write(terminal, b"\x1bOB")
            os.write(terminal, b"\x1b[21~")  # F10: disable
            wait_until(
                lambda: shows() and "MAINT" in (lab.status("app1"), lab.status("app2")),
                "a server in maintenance",
                tells=lambda: repr(shown[-2000:]),
            )
            os.write(terminal, b"\x1b[20~")  # F9: enable
            wait_until(lambda: shows() and lab.is_up(), "it to be back", tells=lambda: repr(shown[-2000:]))
            os.write(terminal, b"q")
            assert program.wait(10.0) == 0
        finally:
            program.kill()
    os.close(terminal)
    os.close(inner)


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
