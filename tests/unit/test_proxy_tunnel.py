"""Interim answers, bodiless answers and tunnels: what may follow a head that is not an ordinary one."""

from base64 import b64encode
from hashlib import sha1

import pytest
from fakes import Talk, World
from records import backend_record, cookie_record, images

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PROOF = b64encode(sha1(KEY + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
ASKED = [b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: " + KEY]
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + PROOF
    + b"\r\n\r\n"
)


def world(**words: object) -> World:
    """Two images with the original's cookie."""
    return World(backend_record(*images(2), cookie=cookie_record(), **words), client_timeout_s=30.0)


def tunnel(subject: World) -> Talk:
    """A WebSocket that stands."""
    talk = subject.get(b"/ws", *ASKED)
    subject.connects()
    talk.answers(SWITCH)
    return talk


# --- interim and bodiless answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_an_interim_head_announces_no_body(field: bytes) -> None:
    subject = world()
    talk = subject.get()
    subject.connects()
    talk.answers(b"HTTP/1.1 103 Early\r\nA: b\r\n" + field + b"\r\n\r\n")
    assert talk.client.got == b"HTTP/1.1 103 Early\r\nA: b\r\n\r\n"


def test_http_1_0_clients_get_no_interim_answers() -> None:
    subject = world()
    talk = subject.request(b"GET / HTTP/1.0\r\n\r\n")
    channel = subject.connects()
    assert channel.got == b"GET / HTTP/1.1\r\nhost: 127.0.0.1:8080\r\n\r\n"
    talk.answers(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n"
    )
    assert talk.client.got == b"HTTP/1.1 200 OK\r\nset-cookie: SEASIDE=app1inst1; path=/\r\nconnection: close\r\n\r\na"
    assert talk.client.end == "close"


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_an_answer_without_body_ends_with_its_head(status: bytes, field: bytes) -> None:
    subject = world()
    talk = subject.get()
    channel = subject.connects()
    talk.answers(
        b"HTTP/1.1 " + status + b"\r\n" + field + b"\r\n\r\n",
    )
    assert talk.client.end == "keep"
    assert channel.end_mark == "keep"
    assert b"ransfer-" not in talk.client.got
    assert (b"Content-Length" in talk.client.got) == (status[:3] == b"304" and b"Length" in field)


@pytest.mark.parametrize("field", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"A: b"])
def test_an_answer_to_head_has_no_body_and_what_follows_it_reaches_nobody(field: bytes) -> None:
    for surplus in (b"", b"abcde", b"5\r\nabcde\r\n0\r\n\r\n"):
        subject = world()
        talk = subject.request(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
        channel = subject.connects()
        talk.answers(b"HTTP/1.1 200 OK\r\n" + field + b"\r\n\r\n" + surplus)
        assert talk.client.got.endswith(b"path=/\r\n\r\n")
        assert (talk.client.end, channel.end_mark) == ("keep", "close" if surplus else "keep")


# --- tunnels -----------------------------------------------------------------------------------------------------------


def test_a_101_carries_the_cookie_and_opens_a_tunnel() -> None:
    subject = world()
    talk = subject.get(b"/ws", *ASKED)
    channel = subject.connects()
    assert channel.got.endswith(b"upgrade: websocket\r\nconnection: Upgrade\r\n\r\n")
    talk.client.waiting = b"early"
    talk.answers(SWITCH + b"hello")
    head, _, rest = talk.client.got.partition(b"\r\n\r\n")
    assert b"set-cookie: SEASIDE=app1inst1; path=/" in head
    assert rest == b"hello"
    assert channel.got.endswith(b"\r\n\r\nearly")
    talk.answers(b"\x00\xff")
    talk.exchange.tunnel_from_client(b"\x01")
    assert talk.client.got.endswith(b"hello\x00\xff")
    assert channel.got.endswith(b"early\x01")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        ([], SWITCH),
        ([b"Upgrade: websocket", b"Sec-WebSocket-Key: " + KEY], SWITCH),
        (ASKED, SWITCH.replace(PROOF, PROOF.lower())),
        (ASKED, b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
        (ASKED, b"HTTP/1.1 101 x\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + PROOF + b"\r\n\r\n"),
    ],
)
def test_an_unasked_or_unproved_101_is_a_502(lines: list[bytes], answer: bytes) -> None:
    subject = world()
    talk = subject.get(b"/ws", *lines)
    channel = subject.connects()
    talk.answers(answer)
    assert talk.client.got.startswith(b"HTTP/1.1 502 ")
    assert (talk.flags(), channel.end_mark) == ("PHNN", "close")


def test_a_refused_upgrade_leaves_http_in_force() -> None:
    subject = world()
    talk = subject.get(b"/ws", *ASKED)
    channel = subject.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
    assert (talk.client.end, channel.end_mark) == ("keep", "keep")


def test_either_side_may_half_close() -> None:
    subject = world()
    talk = tunnel(subject)
    channel = talk.channel()
    talk.client.has_ended = True
    talk.exchange.client_ended(False, subject.services.time_s)
    assert channel.has_got_end
    talk.answers(b"last words")
    assert talk.client.got.endswith(b"last words")
    talk.server_ends()
    assert talk.flags() == "--NI"
    subject = world()
    talk = tunnel(subject)
    channel = talk.channel()
    talk.server_ends()
    assert talk.client.end == "half"
    talk.exchange.tunnel_from_client(b"bye")
    assert channel.got.endswith(b"bye")
    talk.client.has_ended = True
    talk.exchange.client_ended(False, subject.services.time_s)
    assert talk.flags() == "--NI"
    assert subject.is_at_rest()


@pytest.mark.parametrize(
    ("words", "limit_s", "letter"),
    [
        ({}, 30.0, "c"),
        ({"tunnel_timeout_s": 3.0}, 3.0, "c"),
        ({"tunnel_timeout_s": 3.0, "server_timeout_s": 1.0}, 3.0, "s"),
        ({"server_timeout_s": 7.0}, 7.0, "s"),
        ({"server_timeout_s": 40.0}, 30.0, "c"),
        ({"server_timeout_s": 0.0}, 30.0, "c"),
    ],
)
def test_an_idle_tunnel_ends_at_its_own_timeout_or_the_nearer_of_the_others(
    words: dict[str, object], limit_s: float, letter: str
) -> None:
    subject = world(**words)
    talk = tunnel(subject)
    subject.passes(limit_s - 0.5)
    talk.answers(b"x")
    subject.passes(limit_s - 0.1)
    assert talk.client.end == ""
    subject.passes(0.3)
    assert talk.flags()[:2] == letter + "D"
    assert subject.is_at_rest()


def test_an_idle_tunnel_of_a_server_with_a_timeout_and_a_client_without_ends_at_the_servers() -> None:
    subject = World(backend_record(*images(1), server_timeout_s=7.0), client_timeout_s=0.0)
    talk = tunnel(subject)
    subject.passes(6.9)
    assert talk.client.end == ""
    subject.passes(0.2)
    assert talk.flags()[:2] == "sD"


@pytest.mark.parametrize(("who", "limit_s", "letter"), [("client", 30.0, "c"), ("server", 7.0, "s")])
def test_a_side_that_does_not_read_has_its_own_timeout(who: str, limit_s: float, letter: str) -> None:
    subject = world(server_timeout_s=7.0)
    talk = tunnel(subject)
    if who == "client":
        talk.client.is_blocked = True
        talk.exchange.client_blocked()
    else:
        talk.channel().is_blocked = True
        talk.exchange.server_blocked()
    subject.passes(limit_s - 0.1)
    assert talk.client.end == ""
    subject.passes(0.2)
    assert talk.flags()[:2] == letter + "D"
    assert subject.is_at_rest()


@pytest.mark.parametrize(("who", "limit_s", "letter"), [("client", 7.0, "s"), ("server", 30.0, "c")])
def test_after_a_half_close_the_other_side_is_awaited(who: str, limit_s: float, letter: str) -> None:
    subject = world(server_timeout_s=7.0)
    talk = tunnel(subject)
    subject.passes(6.0)
    if who == "client":
        talk.client.has_ended = True
        talk.exchange.client_ended(False, subject.services.time_s)
    else:
        talk.server_ends()
    subject.passes(limit_s - 0.1)
    assert subject.log.records == []
    subject.passes(0.2)
    assert talk.flags()[:2] == letter + "D"


@pytest.mark.parametrize("first", ["client", "server"])
def test_last_words_leave_before_the_tunnel_ends(first: str) -> None:
    """Both have half-closed while neither side has read all of the other's octets: nothing is thrown away."""
    subject = world()
    talk = tunnel(subject)
    channel = talk.channel()
    talk.client.is_blocked = channel.is_blocked = True
    talk.client.has_ended = True
    if first == "client":
        talk.exchange.client_ended(False, subject.services.time_s)
        talk.server_ends()
    else:
        talk.server_ends()
        talk.exchange.client_ended(False, subject.services.time_s)
    assert (subject.log.records, channel.end_mark) == ([], "")
    talk.client.is_blocked = False
    talk.exchange.client_resumed()
    assert (subject.log.records, channel.end_mark) == ([], "")
    channel.is_blocked = False
    talk.exchange.server_resumed()
    assert (talk.flags(), channel.end_mark, talk.client.end) == ("--NI", "close", "close")
    assert subject.is_at_rest()


def test_last_words_that_nobody_reads_end_at_the_timeout() -> None:
    subject = world(server_timeout_s=7.0)
    talk = tunnel(subject)
    channel = talk.channel()
    channel.is_blocked = True
    talk.client.has_ended = True
    talk.exchange.client_ended(False, subject.services.time_s)
    talk.server_ends()
    subject.passes(6.9)
    assert subject.log.records == []
    subject.passes(0.2)
    assert talk.flags()[:2] == "sD"
    assert subject.is_at_rest()


def test_a_server_that_leaves_without_reading_the_last_words_takes_nothing_from_the_client() -> None:
    subject = world()
    talk = tunnel(subject)
    talk.channel().is_blocked = True
    talk.client.has_ended = True
    talk.exchange.client_ended(False, subject.services.time_s)
    talk.answers(b"bye")
    talk.server_ends()
    talk.server_ends(False)
    assert (talk.flags(), talk.client.end) == ("--NI", "close")
    assert talk.client.got.endswith(b"bye")


@pytest.mark.parametrize("who", ["client", "server"])
def test_a_reset_ends_the_tunnel(who: str) -> None:
    subject = world()
    talk = tunnel(subject)
    if who == "client":
        talk.exchange.client_ended(True, subject.services.time_s)
    else:
        talk.server_ends(False)
    assert talk.flags()[:2] == ("CD" if who == "client" else "SD")
    assert subject.is_at_rest()
