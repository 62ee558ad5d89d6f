"""`balancerctl` at a running balancer and at a running HAProxy: the same words, the same effect."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from program import ask
from running import BALANCER, free_port, running, wait_until

CTL: Final = (sys.executable, "-P", "-m", "balancer.ctl")

FILE: Final = """
global
    stats socket {folder}/s level admin
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend site
    bind 127.0.0.1:{port}
    default_backend images
frontend images-own
    bind 127.0.0.1:{own}
    monitor-uri /
backend images
    cookie SEASIDE insert
    server one 127.0.0.1:{own} cookie one check inter 100ms
    server two 127.0.0.1:{own} cookie two check inter 100ms
"""


@dataclass(frozen=True)
class Site:
    """A running program with its socket."""

    address: str
    port: int

    def ctl(self, *words: str, status: int = 0, address: str = "") -> str:
        """What `balancerctl` prints; its exit status must be `status`."""
        words = (*CTL, "-s", address or self.address, *words)
        ran = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
        assert ran.returncode == status, f"{words}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout + ran.stderr

    def server(self, name: str) -> dict[str, object]:
        """A server's columns."""
        rows = json.loads(self.ctl("servers", "images", "--json"))
        return next(row for row in rows if row["svname"] == name)

    def visits(self) -> set[bytes]:
        """To which servers a handful of first visits go."""
        answers = [ask(self.port, "/") for _ in range(6)]
        return {answer.partition(b"SEASIDE=")[2].partition(b";")[0] for answer in answers}


@pytest.fixture(params=["balancer", "haproxy"])
def site(request: pytest.FixtureRequest, tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Site]:
    port = free_port()
    path = tmp_path / "haproxy.cfg"
    path.write_text(FILE.format(folder=tmp_path, port=port, own=free_port()))
    words = BALANCER if request.param == "balancer" else (require_peer("haproxy"),)
    with running([*words, "-db", "-f", str(path)], tmp_path / "out") as program:
        program.wait_for_port(port)
        made = Site(str(tmp_path / "s"), port)
        wait_until(lambda: made.server("two")["check_status"] == "L4OK", "a first check of both servers", tells=program.text)
        yield made


def test_a_server_is_drained_taken_out_and_brought_back(site: Site) -> None:
    assert site.visits() == {b"one", b"two"}
    assert "images/one: drain" in site.ctl("drain", "one", "--wait", "5")
    assert str(site.server("one")["status"]).startswith("DRAIN") and site.visits() == {b"two"}
    site.ctl("maint", "images/two")
    assert site.server("two")["status"] == "MAINT"
    site.ctl("ready", "one", "two", "--wait", "5")
    assert site.visits() == {b"one", b"two"} and site.ctl("health") == "serving\n"


def test_a_weight_is_told_and_set(site: Site) -> None:
    assert site.ctl("weight", "one") == "images/one: 1 (initial 1)\n"
    assert site.ctl("weight", "one", "5") == "images/one: 5 (initial 1)\n"


def test_everything_that_is_shown_is_there(site: Site) -> None:
    shown = site.ctl("status")
    assert "HAProxy 2." in shown and "images" in shown and "2 of 2" in shown
    assert "images/two" in site.ctl("servers") and "hrsp_2xx" in site.ctl("metrics", "hrsp_*")
    watched = site.ctl("watch", "--count", "2", "--interval", "0.1")
    assert "images/one" in watched and "\x1b" not in watched, "a pipe gets no escapes"


def test_the_exit_status_tells_what_was_wrong(site: Site) -> None:
    assert "no server is called 'nope'" in site.ctl("drain", "nope", status=2)
    assert "No such command" in site.ctl("nope", status=2)
    assert "No such file" in site.ctl("status", status=3, address="/nonexistent/s")
    site.ctl("maint", "one", "two")
    assert "images/BACKEND is DOWN" in site.ctl("health", status=1)
    site.ctl("status", status=1)


def test_completion_offers_the_servers(site: Site) -> None:
    environ = os.environ | {
        "_BALANCERCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": f"balancerctl -s {site.address} drain images/t",
        "COMP_CWORD": "4",
    }
    ran = subprocess.run(CTL, capture_output=True, text=True, env=environ, timeout=30, check=False)
    assert ran.stdout == "plain,images/two\n"


def test_health_of_a_url_is_its_status(site: Site) -> None:
    assert site.ctl("health", f"http://127.0.0.1:{site.port}/") == "200 OK\n"
    site.ctl("maint", "one", "two")
    assert "503" in site.ctl("health", f"http://127.0.0.1:{site.port}/", status=1)
    assert "refused" in site.ctl("health", f"http://127.0.0.1:{free_port()}/", status=3)
