"""Words that change how an exchange waits, is counted and finds its server; without a socket."""

import pytest
from fakes import FakeClient, FakeServer, World
from records import backend_record, images, server_record

from balancer.backend.backend import Backend
from balancer.proxy import ledger
from balancer.proxy import phase as phases

HEAD = b"POST / HTTP/1.1\r\nHost: ex.org\r\nContent-Length: 5\r\n\r\n"


GET = b"GET / HTTP/1.1\r\nHost: ex.org\r\n\r\n"


def octets(backend: Backend) -> tuple[int, int]:
    return backend.counters.bytes_in, backend.counters.bytes_out


# --- contstats ---------------------------------------------------------------------------------------------------------


def test_octets_counted_on_the_way_are_counted_once() -> None:
    pieces = [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"01234", b"56789"]
    sums = []
    for looks in (False, True):
        world = World(backend_record(*images(1, check=False)))
        talk = world.request(HEAD + b"he")
        world.connects()
        talk.sends(b"llo")
        for piece in pieces:
            before = octets(world.backend)
            talk.answers(piece)
            if looks and talk.exchange.channel is not None:
                ledger.count_so_far(talk.exchange)
                assert octets(world.backend)[1] > before[1]
        server = world.server("app1").counters
        frontend = world.route.frontend.counters
        assert octets(world.backend) == (server.bytes_in, server.bytes_out) == (frontend.bytes_in, frontend.bytes_out)
        sums.append((octets(world.backend), world.farm.bytes_out, talk.record().bytes_read))
    assert sums[0] == sums[1]


def test_a_request_without_a_server_is_not_counted_on_the_way() -> None:
    world = World(backend_record(*images(1, check=False, maxconn=1)))
    world.get(b"/first")
    waiting = world.get(b"/second")
    ledger.count_so_far(waiting.exchange)
    assert octets(world.backend) == (0, 0)


# --- http-buffer-request -----------------------------------------------------------------------------------------------


def test_a_body_is_waited_for_and_sent_whole() -> None:
    world = World(backend_record(*images(1, check=False)), buffers_requests=True)
    talk = world.request(HEAD)
    assert not world.pending()
    talk.sends(b"he", b"l")
    assert not world.pending()
    talk.sends(b"lo")
    assert world.connects().got.endswith(b"\r\n\r\nhello")


def test_a_body_beyond_the_buffer_is_not_waited_for() -> None:
    world = World(backend_record(*images(1, check=False), buffers_requests=True))
    held_max = world.services.limits.held_octets_max
    talk = world.request(HEAD.replace(b"5", b"%d" % (2 * held_max)))
    talk.sends(bytes(held_max))
    assert not world.pending()
    talk.sends(b"x")
    assert world.pending()


def test_a_body_that_does_not_come_is_408_and_no_request_to_the_log() -> None:
    world = World(backend_record(*images(1, check=False), buffers_requests=True), http_request_timeout_s=3.0)
    talk = world.request(HEAD + b"he")
    world.passes(3.1)
    assert talk.client.got.startswith(b"HTTP/1.1 408 ")
    assert talk.flags() == "cR--"
    assert talk.record().tr_ms == -1


def test_a_client_that_asks_first_is_told_to_go_on() -> None:
    world = World(backend_record(*images(1, check=False), buffers_requests=True))
    talk = world.request(HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    assert talk.client.got == b"HTTP/1.1 100 Continue\r\n\r\n"


# --- whose connection --------------------------------------------------------------------------------------------------


def test_a_client_whose_connection_carries_its_identity_meets_its_server_again() -> None:
    world = World(backend_record(*images(3, check=False)))
    talk = world.get()
    own = world.connects()
    own.is_private = own.carries_identity = True
    talk.answers(b"HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 0\r\n\r\n")
    for carries, server in ((True, "app1"), (False, "app2")):
        own.carries_identity = carries
        assert world.request(GET, own).exchange.target is world.server(server)


def test_prefer_last_server_gives_way_to_a_long_queue() -> None:
    backend = backend_record(
        server_record("a", maxconn=1), server_record("b"), keep_alive_queue_max=2, prefers_last_server=True
    )
    world = World(backend)
    first, second = world.server("a"), world.server("b")
    assert world.get(b"/1").exchange.server is first
    found = []
    for _ in range(3):
        request = world.request(GET, FakeServer(first))
        found.append(request.exchange.server or request.exchange.waits_for)
    assert found == [first, second, second]


# --- http-ignore-probes ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ignores", [False, True])
def test_a_probe_that_is_ignored_is_neither_counted_nor_logged(ignores: bool) -> None:
    world = World(backend_record(*images(1, check=False)), ignores_probes=ignores, dontlognull=False)
    client = FakeClient(world.route)
    ledger.refused(client, world.services, b"", 0.0, 0.0, 408, phases.CLIENT_TIMEOUT, world.services.time_s)
    counters = world.route.frontend.counters
    expected = 0 if ignores else 1
    assert (counters.request_errors, counters.requests_total, len(world.log.records)) == (expected, expected, expected)
    ledger.refused(client, world.services, b"x", 0.0, 0.0, 408, phases.CLIENT_TIMEOUT, world.services.time_s)
    assert counters.request_errors == expected + 1
