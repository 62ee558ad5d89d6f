"""`balance url_param` and forms: a POST waits for its body where the parameter may be in it, and for nothing longer."""

from typing import Final

import pytest
from fakes import Talk, World
from records import backend_record, cookie_record, images

from balancer.model import Balance

FORM: Final = b"name=Luca&user=alpha"


@pytest.fixture
def world() -> World:
    """Ten servers by the parameter `user`."""
    return World(backend_record(*images(10), balance=Balance("url_param", name=b"user"), cookie=cookie_record()))


def chosen_by(world: World, talk: Talk) -> str:
    """The server that answered."""
    server = talk.exchange.target
    assert server is not None
    if world.pending():  # otherwise a kept connection serves
        world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    return server.name


def post(*lines: bytes, target: bytes = b"/") -> bytes:
    """The head of a form."""
    return b"\r\n".join([b"POST " + target + b" HTTP/1.1", b"Host: a", *lines, b"", b""])


def test_a_form_is_awaited_and_its_user_reaches_the_server_of_the_query(world: World) -> None:
    keyed = chosen_by(world, world.get(b"/?user=alpha"))
    length = b"Content-Length: %d" % len(FORM)
    talk = world.request(post(length))
    talk.sends(FORM[:5])
    talk.sends(FORM[5:-1])
    assert talk.exchange.target is None
    talk.sends(FORM[-1:])
    assert chosen_by(world, talk) == keyed
    assert chosen_by(world, world.request(post(length) + FORM)) == keyed
    chunked = world.request(post(b"Transfer-Encoding: chunked"))
    chunked.sends(b"7\r\n%s\r\n" % FORM[:7], b"%x\r\n%s\r\n" % (len(FORM) - 7, FORM[7:]), b"0\r\n\r\n")
    assert chosen_by(world, chunked) == keyed
    assert world.is_at_rest()


def test_nobody_else_waits(world: World) -> None:
    length = b"Content-Length: %d" % len(FORM)
    for raw in (
        post(length, target=b"/?user=alpha"),
        post(length, b"Cookie: SEASIDE=app1inst1"),
        post(length).replace(b"POST", b"PUT"),
        post(b"Content-Length: 0"),
    ):
        talk = world.request(raw)
        assert talk.exchange.target is not None


def test_a_form_that_does_not_come_is_given_up(world: World) -> None:
    talk = world.request(post(b"Content-Length: 9"))
    world.passes(41.0)
    assert (talk.record().status, talk.flags()[:2]) == (408, "cR")
    assert world.is_at_rest()


def test_a_form_larger_than_the_buffer_goes_by_what_has_come(world: World) -> None:
    talk = world.request(post(b"Content-Length: 100000"))
    talk.sends(b"user=alpha&x=" + b"y" * 15000)
    assert talk.exchange.target is None
    talk.sends(b"y" * 2000)
    assert chosen_by(world, talk) == chosen_by(world, world.get(b"/?user=alpha"))


def test_a_client_that_asks_first_is_told_to_go_on(world: World) -> None:
    talk = world.request(post(b"Content-Length: 10", b"Expect: 100-continue"))
    assert talk.client.got == b"HTTP/1.1 100 Continue\r\n\r\n"
    talk.sends(b"user=alpha")
    assert talk.exchange.target is not None
