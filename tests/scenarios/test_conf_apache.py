"""A browser's requests through the real Apache with conf/apache-vhost.conf, a load balancer, and images behind it.

The virtual host is the delivered file; only its ports and folders are put elsewhere. Each promise is kept with HAProxy in the
balancer's place, too.
"""

import gzip
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
from apache import apache_file, readable_folder
from program import SyslogReceiver
from running import BALANCER, free_port, running

HOST: Final = "www.example.org"
PAGE: Final = b"<html><body>" + b"counter " * 200 + b"</body></html>"


@dataclass
class Images:
    """Images that answer every request with a page and keep what they were asked."""

    ports: list[int] = field(default_factory=list)
    asked: list[tuple[int, str, dict[str, str]]] = field(default_factory=list)

    def note(self, address: Any, path: str, fields: list[tuple[str, str]]) -> None:
        """Keeps the port of the image, the target and the fields by their names in lower case."""
        self.asked.append((address[1], path, {name.lower(): value for name, value in fields}))

    def handler(self) -> type[BaseHTTPRequestHandler]:
        """A handler class that writes down each request."""
        images = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                images.note(self.server.server_address, self.path, self.headers.items())
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Content-Length", str(len(PAGE)))
                self.end_headers()
                self.wfile.write(PAGE)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name is the base class's)
                pass

        return Handler


class ImageServer(ThreadingHTTPServer):
    """One image; health checks that connect and reset are no news."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing: a fault in an answer is seen by the one who asked."""


@pytest.fixture
def images() -> Iterator[Images]:
    """Three images on ports of the system's choice."""
    found = Images()
    servers = [ImageServer(("127.0.0.1", 0), found.handler()) for _ in range(3)]
    threads = [threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}) for server in servers]
    for server, thread in zip(servers, threads, strict=True):
        found.ports.append(server.server_address[1])
        thread.start()
    yield found
    for server, thread in zip(servers, threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one Apache."""
    with readable_folder() as made:
        yield made


def balancer_file(port: int, images: Images, log_port: int) -> str:
    """The original's proxy in the words of 2.x, on other ports, with a page for Prometheus that visitors must not see."""
    servers = "".join(f"    server app{n} 127.0.0.1:{p} cookie app1inst{n} check\n" for n, p in enumerate(images.ports, 1))
    return (
        f"global\n    log 127.0.0.1:{log_port} local0\ndefaults\n    log global\n    option httplog\n    mode http\n"
        "    option forwardfor except 127.0.0.1\n    timeout connect 5000\n    timeout client 50000\n    timeout server 50000\n"
        f"listen smalltalk\n    bind 127.0.0.1:{port}\n    capture request header X-Forwarded-For len 64\n"
        "    cookie SEASIDE insert nocache\n    balance roundrobin\n"
        "    http-request use-service prometheus-exporter if { path /metrics }\n" + servers
    )


@pytest.fixture
def log() -> Iterator[SyslogReceiver]:
    """What the load balancer logs."""
    with SyslogReceiver() as receiver:
        yield receiver


@pytest.fixture(params=["haproxy", "balancer"])
def apache_port(
    request: pytest.FixtureRequest, folder: Path, images: Images, log: SyslogReceiver, require_peer: Callable[[str], str]
) -> Iterator[int]:
    """The port of Apache before a load balancer before the images."""
    apache = require_peer("apache2")
    words = [require_peer("haproxy")] if request.param == "haproxy" else list(BALANCER)
    port, balancer_port = free_port(), free_port()
    (folder / "www").mkdir()
    (folder / "www" / "style.css").write_text("h1 { color: green }\n")
    (folder / "balancer.cfg").write_text(balancer_file(balancer_port, images, log.port))
    (folder / "apache.conf").write_text(apache_file(folder, port, balancer_port))
    with (
        running([*words, "-db", "-f", str(folder / "balancer.cfg")], folder / "balancer.out") as balancer,
        running([apache, "-X", "-f", str(folder / "apache.conf")], folder / "apache.out") as server,
    ):
        balancer.wait_for_port(balancer_port)
        server.wait_for_port(port)
        yield port


def ask(port: int, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """One GET as a browser sends it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers={"Host": HOST, **fields})
    response = connection.getresponse()
    body = response.read()
    connection.close()
    return response, body


def test_a_session_stays_on_its_image_through_the_real_apache(apache_port: int, images: Images) -> None:
    first, _ = ask(apache_port, "/seaside/examples/counter")
    assert first.status == 200
    cookie = first.getheader("Set-Cookie", "").split(";")[0]
    assert cookie.startswith("SEASIDE=app1inst")
    image = images.asked[-1][0]
    for _ in range(10):
        again, _ = ask(apache_port, "/seaside/examples/counter?_s=abc&_k=def&1", Cookie=cookie)
        assert again.getheader("Set-Cookie") is None
        assert images.asked[-1][0] == image
        assert images.asked[-1][1] == "/seaside/examples/counter?_s=abc&_k=def&1"
    for _ in range(3):
        ask(apache_port, "/seaside/examples/counter")
    assert {port for port, _, _ in images.asked} == set(images.ports)


@pytest.mark.parametrize("target", ["/seaside/go/x?_s=AbC-_.~&_k=%C3%A9%20%2B+%2F%3F&1", "/x?", "/a%20b/%C3%A9?c=%25", "/a;b"])
def test_targets_and_queries_come_through_as_they_were_sent(apache_port: int, images: Images, target: str) -> None:
    answer, _ = ask(apache_port, target)
    assert answer.status == 200
    assert images.asked[-1][1] == target


def test_an_image_sees_the_visitors_host_and_address(apache_port: int, images: Images) -> None:
    ask(apache_port, "/seaside/examples/counter", Cookie="other=1; SEASIDE=app1inst2")
    port, _, headers = images.asked[-1]
    assert port == images.ports[1]
    assert headers["host"] == HOST
    assert headers["cookie"] == "other=1; SEASIDE=app1inst2"
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-host"] == HOST
    assert headers["x-forwarded-server"] == "linuxweb1"
    assert headers["via"].startswith("1.1 linuxweb1")


def test_the_log_and_the_image_see_what_apache_says_of_the_visitor_and_not_what_he_says(
    apache_port: int, images: Images, log: SyslogReceiver
) -> None:
    ask(apache_port, "/seaside/examples/counter", X_Forwarded_For="203.0.113.9")
    log.wait_for('{127.0.0.1} "GET /seaside/examples/counter HTTP/1.1"')
    assert images.asked[-1][2]["x-forwarded-for"] == "127.0.0.1"


def test_apache_compresses_pages_and_serves_its_own_files(apache_port: int, images: Images) -> None:
    page, body = ask(apache_port, "/seaside/examples/counter", Accept_Encoding="gzip")
    assert page.getheader("Content-Encoding") == "gzip"
    assert gzip.decompress(body) == PAGE
    count = len(images.asked)
    style, text = ask(apache_port, "/style.css")
    assert (style.status, text) == (200, b"h1 { color: green }\n")
    assert len(images.asked) == count


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "//metrics", "/./metrics", "/x/../metrics", "/%6detrics", "/metrics?scope=global", "/metrics/",
        "/haproxy?stats", "/haproxy?stats;csv", "/haproxy;csv", "/stats", "/stats;up",
    ],
)  # fmt: skip
def test_visitors_see_neither_statistics_nor_metrics(apache_port: int, images: Images, path: str) -> None:
    refused, body = ask(apache_port, path)
    assert refused.status == 403
    assert b"haproxy_process" not in body
    assert images.asked == []
