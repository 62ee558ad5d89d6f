"""A fault of ours on a server's connection, or in opening one, on real sockets: that exchange ends, and says so.

The client's half is in tests/unit/test_proxy_isolation.py.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

import pytest
import uvloop
from fakes import Talk, World
from records import backend_record, images

from balancer.proxy.connector import Attempt
from balancer.proxy.record import AccessLog, Record
from balancer.proxy.server_side import ServerSide
from balancer.proxy.services import Service

PATIENCE_S: Final = 5.0
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class FailingService(Service):
    """Fails in a way that no connector expects."""

    async def serve(self, sock: socket.socket) -> None:
        """Fails."""
        raise LookupError("no service")


class FailingLog(AccessLog):
    """Fails for each request."""

    def write(self, record: Record) -> None:
        """Fails."""
        raise LookupError("no log")


async def until(holds: Callable[[], bool]) -> None:
    """Lets the loop turn until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.001)


async def _opened_by_a_failing_service() -> tuple[World, Talk]:
    world = World(backend_record(*images(1)))
    talk = world.get(b"/bad")
    server = world.server("app1")
    attempt = Attempt(asyncio.get_running_loop(), talk.exchange, server, FailingService(server))
    talk.exchange.connecting = attempt
    await until(attempt.task.done)
    assert attempt.task.exception() is None, "the task has died"
    return world, talk


@pytest.mark.pure
def test_a_fault_in_opening_a_connection_is_a_500_with_a_line() -> None:
    world, talk = uvloop.run(_opened_by_a_failing_service())
    assert talk.client.got.startswith(b"HTTP/1.1 500 ")
    assert talk.flags().startswith("IC")
    (complaint,) = world.services.complaints
    assert "GET /bad HTTP/1.1" in complaint and "no service" in complaint
    assert world.is_at_rest()


async def _answered(octets: bytes, ends: bool) -> tuple[World, Talk, ServerSide]:
    world = World(backend_record(*images(1)))
    world.route.access_log = FailingLog()
    talk = world.get(b"/bad")
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        channel = ServerSide(world.server("app1"), ours, asyncio.get_running_loop())
        await asyncio.get_running_loop().create_connection(lambda: cast(asyncio.Protocol, channel), sock=ours)
        talk.exchange.connecting = None
        talk.exchange.connected(channel)
        theirs.sendall(octets)
        if ends:
            theirs.shutdown(socket.SHUT_WR)
        await until(lambda: talk.client.end_count == 1)
        channel.close()
        await until(lambda: channel.is_lost)
    return world, talk, channel


@pytest.mark.pure
@pytest.mark.parametrize(("octets", "ends"), [(OK, False), (OK[:10], True), (b"", True)])
def test_a_fault_in_reading_an_answer_ends_that_exchange(octets: bytes, ends: bool) -> None:
    world, talk, channel = uvloop.run(_answered(octets, ends))
    assert talk.client.end == "abort"
    assert channel.exchange is None
    (complaint,) = world.services.complaints
    assert "GET /bad HTTP/1.1" in complaint and "no log" in complaint
    server = world.server("app1")
    assert (server.served, server.counters.sessions_cur, world.backend.counters.sessions_cur) == (0, 0, 0)
