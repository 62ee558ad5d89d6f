"""conf/behind-apache.cfg and conf/apache-vhost.conf together, as delivered but for ports and places: who the visitor is.

The same with HAProxy in the balancer's place.
"""

import http.client
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from apache import ROOT, apache_file, readable_folder
from program import SyslogReceiver
from running import BALANCER, free_port, running, wait_until
from sides import ScriptedServer

FILE: Final = (ROOT / "conf" / "behind-apache.cfg").read_text()
STRANGER: Final = "127.0.0.2"


@dataclass
class Place:
    """The two programs: where Apache and the balancer are reached."""

    apache: int
    port: int
    statistics: int
    images: ScriptedServer
    log: SyslogReceiver

    def ask(self, port: int, path: str, fields: tuple[tuple[str, str], ...] = (), source: str = "127.0.0.1") -> int:
        """The status of one GET."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
        connection.putrequest("GET", path)
        for name, value in fields:
            connection.putheader(name, value)
        connection.endheaders()
        status = connection.getresponse().status
        connection.close()
        return status

    def forwarded(self) -> list[str]:
        """The values of X-Forwarded-For in the last request that reached an image, line by line."""
        lines = self.images.heads[-1].decode().split("\r\n")
        return [line.partition(":")[2].strip() for line in lines if line.lower().startswith("x-forwarded-for:")]


def laid_out(folder: Path, ports: dict[str, int], images: int, log: int) -> str:
    """The delivered file on other ports, without what wants root."""
    text = FILE.replace("log /dev/log local0", f"log 127.0.0.1:{log} local0")
    text = text.replace("/var/run/balancer.sock", str(folder / "balancer.sock"))
    for there, here in ((":8080", f":{ports['port']}"), (":8081", f":{ports['statistics']}")):
        text = text.replace(there, here)
    for number in range(3001, 3011):
        text = text.replace(f"127.0.0.1:{number} ", f"127.0.0.1:{images} ")
    rooted = ("chroot", "pidfile", "uid", "gid", "maxconn 8000")
    return "".join(f"{line}\n" for line in text.splitlines() if not line.strip().startswith(rooted))


@pytest.fixture(params=["haproxy", "balancer"])
def place(request: pytest.FixtureRequest, require_peer: Callable[[str], str]) -> Iterator[Place]:
    apache = require_peer("apache2")
    words = [require_peer("haproxy")] if request.param == "haproxy" else list(BALANCER)
    ports = {name: free_port() for name in ("apache", "port", "statistics")}
    images = ScriptedServer()
    with readable_folder() as folder, SyslogReceiver() as log:
        (folder / "www").mkdir()
        (folder / "balancer.cfg").write_text(laid_out(folder, ports, images.port, log.port))
        (folder / "apache.conf").write_text(apache_file(folder, ports["apache"], ports["port"]))
        with (
            running([*words, "-db", "-f", str(folder / "balancer.cfg")], folder / "balancer.out") as balancer,
            running([apache, "-X", "-f", str(folder / "apache.conf")], folder / "apache.out") as server,
        ):
            balancer.wait_for_port(ports["port"])
            server.wait_for_port(ports["apache"])
            yield Place(ports["apache"], ports["port"], ports["statistics"], images, log)
    images.close()


def test_an_image_is_told_one_address_and_it_is_the_one_that_apache_saw(place: Place) -> None:
    assert place.ask(place.apache, "/page", (("X-Forwarded-For", "203.0.113.9"), ("X-Forwarded-For", "198.51.100.1"))) == 200
    assert place.forwarded() == ["127.0.0.1"]


def test_whoever_comes_without_apache_is_named_in_the_last_line(place: Place) -> None:
    assert place.ask(place.port, "/page", (("X-Forwarded-For", "203.0.113.9"),), STRANGER) == 200
    assert place.forwarded() == ["203.0.113.9", STRANGER]
    assert place.ask(place.port, "/page", (("X-Forwarded-For", "203.0.113.9"),)) == 200
    assert place.forwarded() == ["203.0.113.9"]


def test_statistics_are_on_loopback_alone_and_apache_sends_nobody_there(place: Place) -> None:
    assert place.ask(place.statistics, "/stats") == place.ask(place.statistics, "/metrics") == 200
    assert place.ask(place.apache, "/stats") == place.ask(place.apache, "/metrics") == 403
    # Without Apache's word on it, the path is an image's like any other.
    place.ask(place.port, "/stats")
    assert place.images.heads[-1].startswith(b"GET /stats ")


def test_the_log_shows_the_visitor(place: Place) -> None:
    place.ask(place.apache, "/seen")
    wait_until(lambda: any("/seen" in line for line in place.log.datagrams), "a line in the log")
    (line,) = [line for line in place.log.datagrams if "/seen" in line]
    assert ' {127.0.0.1} "GET /seen HTTP/1.1"' in line
