"""What an exchange tells of a server with `observe`, and how it ends when the server's state ends it."""

from typing import Final

import pytest
from fakes import Talk, World
from records import backend_record, cookie_record, server_record

from balancer.backend import analysis
from balancer.backend.server import Observer, Server
from balancer.proxy import phase as phases

ANSWER: Final = b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok"


class KeptSights(Observer):
    """Keeps what was met."""

    def __init__(self) -> None:
        self.sights: list[int] = []

    def saw(self, server: Server, sight: int) -> None:
        """Keeps it."""
        self.sights.append(sight)


def observed(**words: object) -> tuple[World, KeptSights]:
    """One server that is observed."""
    server = server_record("a", check=True, observe="layer7", cookie=b"a", **words)
    world = World(backend_record(server, retries=0, server_timeout_s=1.0, cookie=cookie_record()))
    sights = KeptSights()
    world.server("a").observer = sights
    return world, sights


@pytest.mark.parametrize(
    ("octets", "sight"),
    [
        (ANSWER % 200, analysis.GOOD_ANSWER),
        (ANSWER % 404, analysis.GOOD_ANSWER),
        (ANSWER % 501, analysis.GOOD_ANSWER),
        (ANSWER % 503, analysis.WRONG_STATUS),
        (b"HTTP/1.1 103 X\r\n\r\n" + ANSWER % 200, analysis.GOOD_ANSWER),
        (b"this is none\r\n\r\n", analysis.BAD_HEAD),
        (b"HTTP/1.1 200 X\r\nA B: c\r\n\r\n", analysis.BAD_HEAD),
    ],
)
def test_an_answer_is_told(octets: bytes, sight: int) -> None:
    world, sights = observed()
    talk = world.get()
    world.connects()
    talk.answers(octets)
    assert sights.sights == [analysis.CONNECTED, sight]


def test_refusals_ends_and_silence_are_told() -> None:
    world, sights = observed()
    world.services.refusing.add("a")
    world.get()
    world.refuse_while_pending()
    assert sights.sights == [analysis.NOT_CONNECTED]
    world.services.refusing.clear()
    for orderly, sight in ((True, analysis.CLOSED), (False, analysis.READ_ERROR)):
        for octets in (b"", b"HTTP/1.1 2"):
            sights.sights.clear()
            talk = world.get()
            world.connects()
            if octets:
                talk.answers(octets)
            talk.server_ends(orderly)
            assert sights.sights == [analysis.CONNECTED, sight]
    sights.sights.clear()
    world.get()
    world.connects()
    world.passes(1.1)
    assert sights.sights == [analysis.CONNECTED, analysis.READ_TIMEOUT]


def test_a_silence_inside_a_body_is_not_told() -> None:
    world, sights = observed()
    talk = world.get()
    world.connects()
    talk.answers(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n12")
    world.passes(1.1)
    assert sights.sights == [analysis.CONNECTED, analysis.GOOD_ANSWER]


def ended(cause: int, octets: bytes) -> tuple[str, int, Talk]:
    """A request that is under way when its server's state ends it; flags, status, and all of it."""
    world, _ = observed()
    talk = world.get()
    world.connects()
    if octets:
        talk.answers(octets)
    talk.exchange.finish(cause, world.services.time_s)
    assert world.is_at_rest()
    return talk.flags(), talk.record().status, talk


@pytest.mark.parametrize(("cause", "letter"), [(phases.SERVER_DOWN, "D"), (phases.SERVER_UP, "U")])
def test_a_request_that_its_servers_state_ends(cause: int, letter: str) -> None:
    flags, status, talk = ended(cause, b"")
    assert (flags, status) == (f"{letter}HNN", 502)
    assert talk.client.got.startswith(b"HTTP/1.1 502 ")
    flags, status, talk = ended(cause, b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n12")
    assert (flags, status, talk.client.end) == (f"{letter}DNI", 200, "abort")


def test_an_error_that_ends_its_own_request_ends_it_once() -> None:
    """mark-down with shutdown-sessions: the request that shows the last error is one of those that are cut."""
    world, _ = observed()
    talk = world.get()

    class Cutting(Observer):
        def saw(self, server: Server, sight: int) -> None:
            if sight != analysis.CONNECTED:
                talk.exchange.finish(phases.SERVER_DOWN, world.services.time_s)

    world.server("a").observer = Cutting()
    world.connects()
    talk.answers(ANSWER % 503)
    assert (talk.flags(), talk.record().status, talk.client.end_count) == ("DHNN", 502, 1)
    assert world.is_at_rest()
