"""`dispatch`: whom no cookie binds goes to one address that is no server, as in Debian's haproxy."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from peers import require_peer
from sides import ScriptedServer, Side, side

from balancer.config.loader import load

SECTIONS = ["bound", "refusing", "balanced"]
TEMPLATE = """
global
    log 127.0.0.1:{{log}} local0
    maxconn 100
defaults
    log global
    mode http
    option httplog
    retries 2
    timeout connect 200
    timeout client 2s
    timeout server 2s
listen bound
    bind 127.0.0.1:{{bound}}
    dispatch 127.0.0.1:{alive}
    cookie SEASIDE insert
    server app1 127.0.0.1:{other} cookie app1inst1
listen refusing
    bind 127.0.0.1:{{refusing}}
    dispatch 127.0.0.1:{dead}
    option redispatch
listen balanced
    bind 127.0.0.1:{{balanced}}
    balance roundrobin
    dispatch 127.0.0.1:{dead}
    server app1 127.0.0.1:{alive}
"""


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """The balancer and haproxy before the same servers."""
    folder = tmp_path_factory.mktemp("dispatch")
    alive, other = ScriptedServer(), ScriptedServer()
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        text = TEMPLATE.format(alive=alive.port, other=other.port, dead=dead.getsockname()[1])
        with side("balancer", "", text, SECTIONS, folder) as ours:
            with side("haproxy", require_peer("haproxy"), text, SECTIONS, folder) as theirs:
                yield ours, theirs
    alive.close()
    other.close()


@pytest.mark.parametrize(
    ("section", "cookie"),
    [("bound", ""), ("bound", "SEASIDE=app1inst1"), ("bound", "SEASIDE=none"), ("refusing", ""), ("balanced", "")],
)
def test_everybody_whom_no_cookie_binds_goes_there(section: str, cookie: str, both: tuple[Side, Side]) -> None:
    lines = ["GET / HTTP/1.1", "Host: a", "Connection: close", *([f"Cookie: {cookie}"] if cookie else []), "", ""]
    ours, theirs = (each.talk(section, "\r\n".join(lines).encode()) for each in both)
    assert (ours.status, ours.cookies, ours.body) == (theirs.status, theirs.cookies, theirs.body)
    assert ours.line is not None
    assert theirs.line is not None
    for name in ("backend", "server", "status", "flags", "retries", "queues"):
        assert getattr(ours.line, name) == getattr(theirs.line, name), name


def test_a_dispatch_address_beside_an_algorithm_is_ignored_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text(
        "defaults\n mode http\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        "listen a\n bind 127.0.0.1:1\n balance roundrobin\n dispatch 127.0.0.1:2\n server s 127.0.0.1:3\n"
    )
    outcome = load([str(path)])
    assert outcome.model is not None
    assert outcome.model.backends[0].dispatch is None
    assert any("dispatch address of" in str(finding) for finding in outcome.findings)
