"""Chunks close behind each other leave together, one that comes alone leaves at once, and none is lost: on real sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from fakes import World
from program import Balancer
from records import backend_record, images
from running import free_port, is_serving, wait_until

from balancer.proxy.deadlines import GRAIN_S
from balancer.proxy.outlet import ClientOutlet

EVENTS = 500


class Transport:
    """What an outlet asks of a transport whose socket takes everything."""

    def is_closing(self) -> bool:
        """Never."""
        return False

    def write(self, octets: bytes) -> None:
        """Nothing is left to be written."""
        raise AssertionError(octets)


@contextmanager
def outlet() -> Iterator[tuple[ClientOutlet, socket.socket, World]]:
    """An outlet on one end of a TCP connection, and the other end."""
    world = World(backend_record(*images(1)))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    with client, accepted:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setblocking(False)
        side = ClientOutlet(world.route, world.services)
        side.transport = cast(Any, Transport())
        side.descriptor = accepted.fileno()
        yield side, client, world


def here(client: socket.socket) -> bytes:
    """What has arrived by now. On loopback that is all that the sender's kernel has let go."""
    try:
        return client.recv(65536)
    except BlockingIOError:
        return b""


def test_a_part_that_comes_alone_leaves_at_once() -> None:
    with outlet() as (side, client, world):
        for now in (10.0, 10.0 + 2 * GRAIN_S, 11.0):
            side.send_part(b"event", now)
            assert here(client) == b"event"
        assert world.services.held == []


def test_parts_close_behind_another_wait_for_the_sweep_and_no_longer() -> None:
    with outlet() as (side, client, world):
        side.send_part(b"1", 10.0)
        assert here(client) == b"1"
        side.send_part(b"2", 10.001)
        side.send_part(b"3", 10.002)
        assert here(client) == b""
        assert world.services.held == [side]
        side.push()
        assert here(client) == b"23"


def test_what_ends_a_body_takes_waiting_parts_with_it() -> None:
    with outlet() as (side, client, _):
        side.send_part(b"1", 10.0)
        side.send_part(b"2", 10.001)
        side.send_body([b"end"])
        assert here(client) == b"12end"


def serve_events(listening: socket.socket) -> None:
    """Answers with EVENTS chunks, one write each, as fast as it can."""
    connection, _ = listening.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for number in range(EVENTS):
            connection.sendall(b"8\r\n%08d\r\n" % number)
        connection.sendall(b"0\r\n\r\n")


@pytest.mark.parametrize("option", ["", "option http-no-delay"])
def test_every_event_of_a_stream_arrives_once_and_in_order(tmp_path: Path, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=serve_events, args=(listening,), daemon=True).start()
        port = free_port()
        text = (
            "defaults\n mode http\n timeout connect 5s\n timeout client 9s\n timeout server 9s\n"
            f"listen s\n bind 127.0.0.1:{port}\n {option}\n server s1 127.0.0.1:{listening.getsockname()[1]}\n"
        )
        with Balancer(text, tmp_path, port=0) as running:
            wait_until(lambda: is_serving(port), "the balancer listens", tells=running.said)
            with socket.create_connection(("127.0.0.1", port), 9) as client:
                client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
                with client.makefile("rb") as answer:
                    got = answer.read()
    body = got.partition(b"\r\n\r\n")[2]
    events = b""
    while (size := int(body.partition(b"\r\n")[0], 16)) > 0:
        rest = body.partition(b"\r\n")[2]
        events += rest[:size]
        body = rest[size + 2 :]
    assert events == b"".join(b"%08d" % number for number in range(EVENTS))
    assert body == b"0\r\n\r\n"
