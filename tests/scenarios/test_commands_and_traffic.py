"""Commands of the stats socket and what visitors see of them: sessions, frontends, limits, drain, addresses."""

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from program import Balancer, ask
from running import free_port, wait_until
from sides import ScriptedServer

CONFIG: Final = """
global
    maxconn 100
    stats socket {folder}/admin.sock level admin
    stats socket ipv4@127.0.0.1:{remote} level user maxconn 1
    stats timeout 30s
    stats maxconn 3
defaults
    mode http
    timeout connect 2s
    timeout client 20s
    timeout server 20s
listen shop
    bind 127.0.0.1:{shop}
    cookie SRV insert indirect
    server s1 127.0.0.1:{first} cookie c1
    server s2 127.0.0.1:{second} cookie c2
listen other
    bind 127.0.0.1:{other}
    server s 127.0.0.1:{first}
"""


@dataclass
class Lab:
    """The running balancer before two scripted servers."""

    folder: Path
    ports: dict[str, int]
    first: ScriptedServer
    second: ScriptedServer

    def say(self, text: str) -> str:
        """The answer on a connection of its own."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(10.0)
            client.connect(str(self.folder / "admin.sock"))
            client.sendall(text.encode() + b"\n")
            return _to_end(client)

    def request(self, section: str, path: str, cookie: str = "") -> socket.socket:
        """A request whose answer nobody has read yet."""
        client = socket.create_connection(("127.0.0.1", self.ports[section]), 10.0)
        line = f"Cookie: SRV={cookie}\r\n" if cookie else ""
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n{line}Connection: close\r\n\r\n".encode())
        return client


def _to_end(client: socket.socket) -> str:
    said = b""
    while piece := client.recv(1 << 16):
        said += piece
    return said.decode("latin-1")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("commands")
    first, second = ScriptedServer(), ScriptedServer()
    ports = {name: free_port() for name in ("shop", "other", "remote")}
    config = CONFIG.format(folder=folder, first=first.port, second=second.port, **ports)
    with Balancer(config, folder, port=ports["shop"]) as balancer:
        yield Lab(folder, ports, first, second)
        assert balancer.process.poll() is None, balancer
    first.close()
    second.close()


def _steady(text: str) -> str:
    """Without seconds, which may have passed."""
    return re.sub(r"=\d+s", "=Ns", text)


def test_a_request_under_way_is_listed_and_can_be_ended(lab: Lab) -> None:
    with lab.request("shop", "/part", "c2") as client:
        wait_until(lambda: "srv=s2" in lab.say("show sess"), "the request in the list", tells=lambda: lab.say("show sess"))
        line = next(line for line in lab.say("show sess").splitlines() if "srv=s2" in line)
        assert re.fullmatch(
            r"0x[0-9a-f]+: proto=tcpv4 src=127\.0\.0\.1:\d+ fe=shop be=shop srv=s2 ts=00 epoch=0 age=\d+s calls=1 rate=0 cpu=0 "
            r"lat=0 rq\[f=0h,i=0,an=00h,rx=\d+s,wx=,ax=\] rp\[f=0h,i=0,an=00h,rx=,wx=,ax=\] scf=\[8,0h,fd=\d+\] "
            r"scb=\[8,1h,fd=-1\] exp=\d+s rc=0 c_exp=",
            line,
        )
        number = line.partition(":")[0]
        whole = lab.say(f"show sess {number}")
        assert f"  backend=shop (id=2 mode=http)\n  server=s2 (id=2) addr=127.0.0.1:{lab.second.port}\n" in whole
        assert _steady(whole) in _steady(lab.say("show sess all") + "\n")
        assert lab.say(f"shutdown session {number}") == "\n"
        assert _to_end(client).startswith("HTTP/1.1 502 ")
    assert lab.say(f"shutdown session {number}") == "No such session (use 'show sess').\n\n"
    assert lab.say(f"show sess {number}") == "Session not found.\n\n"


def test_all_requests_at_a_server_can_be_ended(lab: Lab) -> None:
    with lab.request("shop", "/part", "c1") as ended, lab.request("shop", "/part", "c2") as left:
        wait_until(lambda: lab.say("show sess").count("fe=shop") == 2, "two requests")
        assert lab.say("shutdown sessions server shop/s1") == "\n"
        assert _to_end(ended).startswith("HTTP/1.1 502 ")
        assert lab.say("show sess").count("srv=s2") == 1
        assert lab.say("shutdown sessions server shop/s2") == "\n"
        assert _to_end(left).startswith("HTTP/1.1 502 ")


def test_a_disabled_frontend_refuses_who_comes_and_keeps_who_is_there(lab: Lab) -> None:
    with lab.request("other", "/slow") as kept:
        wait_until(lambda: "fe=other" in lab.say("show sess"), "the request")
        assert lab.say("disable frontend other") == "\n"
        with pytest.raises(ConnectionRefusedError):
            lab.request("other", "/")
        assert _to_end(kept).startswith("HTTP/1.1 200 ")
    assert lab.say("enable frontend other") == "\n"
    assert ask(lab.ports["other"]).startswith(b"HTTP/1.1 200 ")


def test_a_frontends_limit_can_be_moved(lab: Lab) -> None:
    assert lab.say("set maxconn frontend other 1") == "\n"
    with lab.request("other", "/part"), lab.request("other", "/") as waiting:
        wait_until(lambda: "fe=other" in lab.say("show sess"), "the first request")
        assert lab.say("show sess").count("fe=other") == 1
        assert lab.say("set maxconn frontend other 50") == "\n"
        assert _to_end(waiting).startswith("HTTP/1.1 200 ")
        lab.say("shutdown sessions server other/s")


def test_new_connections_can_be_slowed_down(lab: Lab) -> None:
    assert lab.say("set rate-limit sessions global 1") == "\n"
    assert "\nSessRateLimit: 1\n" in lab.say("show info")
    assert [ask(lab.ports["other"])[:12] for _ in range(2)] == [b"HTTP/1.1 200"] * 2
    assert lab.say("set rate-limit sessions global 0") == "\n"


def test_the_processs_limit_is_bounded_by_what_was_settled(lab: Lab) -> None:
    assert lab.say("set maxconn global 101") == "Value out of range.\n\n"
    assert lab.say("set maxconn global 50") == "\n"
    assert "\nMaxconn: 50\nHard_maxconn: 100\n" in lab.say("show info")
    assert lab.say("set maxconn global 0") == "\n"
    assert "\nMaxconn: 100\n" in lab.say("show info")


def test_a_draining_server_keeps_its_visitors_and_gets_no_others(lab: Lab) -> None:
    assert lab.say("set server shop/s1 state drain") == "\n"
    before = len(lab.first.heads)
    for _ in range(4):
        assert b"SRV=c2" in ask(lab.ports["shop"])
    assert len(lab.first.heads) == before
    with lab.request("shop", "/", "c1") as client:
        assert _to_end(client).startswith("HTTP/1.1 200 ")
    assert len(lab.first.heads) == before + 1
    assert lab.say("set server shop/s1 state ready") == "\n"
    assert b"SRV=c1" in ask(lab.ports["shop"]) + ask(lab.ports["shop"])


def test_a_server_can_move_to_another_address(lab: Lab) -> None:
    said = lab.say(f"set server shop/s1 addr 127.0.0.1 port {lab.second.port}")
    assert said.startswith("no need to change the addr, port changed from ")
    before = len(lab.first.heads)
    with lab.request("shop", "/", "c1") as client:
        assert _to_end(client).startswith("HTTP/1.1 200 ")
    assert len(lab.first.heads) == before
    lab.say(f"set server shop/s1 addr 127.0.0.1 port {lab.first.port}")


def test_a_socket_of_ip_has_its_level_and_its_own_limit(lab: Lab) -> None:
    address = ("127.0.0.1", lab.ports["remote"])
    with socket.create_connection(address, 10.0) as first, socket.create_connection(address, 10.0) as second:
        first.sendall(b"prompt\n")
        assert first.recv(10) == b"\n> "
        second.sendall(b"show cli level\n")
        assert lab.say("show cli level") == "admin\n\n"  # its own limit, not the process's
        first.sendall(b"set weight shop/s1 0;quit\n")
        assert _to_end(first) == "Permission denied\n\n> "
        assert _to_end(second) == "user\n\n"
    assert lab.say("show cli sockets").splitlines()[1:3] == [
        f"unix@{lab.folder}/admin.sock admin all",
        f"ipv4@127.0.0.1:{lab.ports['remote']} user all",
    ]
