"""`cookie` beside `insert`: what the application's own cookie becomes, and the dates of `maxidle` and `maxlife`."""

from typing import Any, Final

import pytest
from fakes import World
from hypothesis import given
from hypothesis import strategies as st
from records import backend_record, cookie_record, images, living_servers, server_record

from balancer.backend.cookiedates import Dates, dates_in, decoded, encoded
from balancer.backend.persistence import DOWN, EXPIRED, INVALID, NONE, OLD, VALID, Persistence

NOW_S: Final = 1_700_000_001
"""No whole number of four seconds, so that rounding shows."""
NEW: Final = encoded(NOW_S + 3)


def dated(last_s: int, first_s: int | None = None, value: bytes = b"app1inst1") -> bytes:
    """A Cookie field value that was written so long ago."""
    first = b"" if first_s is None else b"|" + encoded(NOW_S - first_s)
    return b"SEASIDE=" + value + b"|" + encoded(NOW_S - last_s) + first


# --- dates -------------------------------------------------------------------------------------------------------------


def test_a_date_is_five_characters_of_base64_that_count_fours_of_seconds() -> None:
    assert encoded(0) == b"AAAAA"
    assert encoded(4 * 63) == b"AAAA/"
    assert encoded(4 * 64) == b"AAABA"
    assert decoded(b"AAABA") == 256
    assert decoded(b"AAABAxyz") == 256


@given(st.integers(0, (1 << 31) - 1))
def test_what_is_written_is_read_again(seconds: int) -> None:
    assert decoded(encoded(seconds)) == seconds - seconds % 4


@given(st.binary())
def test_any_octets_are_a_date_or_none(octets: bytes) -> None:
    assert decoded(octets) % 4 == 0
    assert dates_in(octets).last_s % 4 == 0


@pytest.mark.parametrize("digits", [b"", b"AAAA", b"AAA-A", b"\xff\xff\xff\xff\xff", b"AAAA|"])
def test_what_cannot_be_read_is_no_date(digits: bytes) -> None:
    assert decoded(digits) == 0


# (words of the rule, Cookie, letter, is the server found, what goes back after `SEASIDE=app1inst1`, None for no line)
IDLE: Final[dict[str, Any]] = {"maxidle_s": 60}
LIFE: Final[dict[str, Any]] = {"maxlife_s": 3600}
BOTH: Final[dict[str, Any]] = {"maxidle_s": 60, "maxlife_s": 3600}
AHEAD_S: Final = -86404
DATED: Final = [
    ({}, b"SEASIDE=app1inst1", VALID, None),
    ({}, dated(10), VALID, b""),
    ({}, dated(10, 20), VALID, b""),
    (IDLE, b"", NONE, b"|" + NEW),
    (IDLE, b"SEASIDE=app1inst1", VALID, b"|" + NEW),
    (IDLE, dated(-3), VALID, None),
    (IDLE, dated(10), VALID, b"|" + NEW),
    (IDLE, dated(55), VALID, b"|" + NEW),
    (IDLE, dated(65), EXPIRED, b"|" + NEW),
    (IDLE, dated(AHEAD_S), EXPIRED, b"|" + NEW),
    (IDLE, b"SEASIDE=app1inst1|short", EXPIRED, b"|" + NEW),
    (IDLE, b"SEASIDE=app1inst1|x", VALID, b"|" + NEW),
    (LIFE, dated(10), VALID, b"|" + NEW + b"|" + NEW),
    (LIFE, dated(-3, 100), VALID, None),
    (LIFE, dated(10, 100), VALID, b"|" + NEW + b"|" + encoded(NOW_S - 100)),
    (LIFE, dated(10, 3605), OLD, b"|" + NEW + b"|" + NEW),
    (BOTH, dated(65, 3605), OLD, b"|" + NEW + b"|" + NEW),
    (BOTH, dated(65, 100), EXPIRED, b"|" + NEW + b"|" + NEW),
    (BOTH, dated(10, 100, b"nobody"), INVALID, b"|" + NEW + b"|" + encoded(NOW_S - 100)),
    (IDLE, dated(65) + b"; SEASIDE=app1inst1", VALID, b"|" + NEW),
    (IDLE, dated(65) + b"; SEASIDE=nobody", EXPIRED, b"|" + NEW),
]


@pytest.mark.parametrize(("words", "line", "letter", "suffix"), DATED)
def test_dates_bind_and_part(words: dict[str, Any], line: bytes, letter: int, suffix: bytes | None) -> None:
    servers = living_servers(*images(2))
    persistence = Persistence(cookie_record(**words), servers)
    verdict = persistence.judge([line], float(NOW_S))
    assert verdict.letter == letter
    assert verdict.server is (servers[0] if letter == VALID else None)
    told = persistence.insertion(servers[0], b"GET", verdict.server, verdict.dates, float(NOW_S))
    assert told == (b"" if suffix is None else b"set-cookie: SEASIDE=app1inst1" + suffix + b"; path=/\r\n")


def test_postonly_writes_no_dates_on_a_get() -> None:
    servers = living_servers(*images(1))
    persistence = Persistence(cookie_record(postonly=True, **IDLE), servers)
    assert persistence.insertion(servers[0], b"GET", servers[0], Dates(0, 0), float(NOW_S)) == b""
    assert persistence.insertion(servers[0], b"POST", servers[0], Dates(0, 0), float(NOW_S)) != b""


# --- the application's own cookie ----------------------------------------------------------------------------------------

# (words of the rule, Cookie of the request, Set-Cookie of the server, what reaches the server, what reaches the client, flags)
KEEPS: Final[dict[str, Any]] = {"mode": "", "indirect": True, "preserve": True}
MODES: Final = [
    ({"mode": "rewrite"}, b"", b"SEASIDE=own; Path=/", b"", b"SEASIDE=app1inst1; Path=/", "--NR"),
    ({"mode": "rewrite"}, b"SEASIDE=app1inst1", b"SEASIDE=own", b"SEASIDE=app1inst1", b"SEASIDE=app1inst1", "--VR"),
    ({"mode": "rewrite"}, b"SEASIDE=app1inst1", b"a=b", b"SEASIDE=app1inst1", b"a=b", "--VN"),
    ({"mode": "rewrite"}, b"SEASIDE=no", b'SEASIDE = "x;y" ; Secure', b"SEASIDE=no", b"SEASIDE = app1inst1 ; Secure", "--IR"),
    ({"mode": "prefix"}, b"", b"SEASIDE=own; Path=/", b"", b"SEASIDE=app1inst1~own; Path=/", "--NR"),
    ({"mode": "prefix"}, b"a=b; SEASIDE=app1inst1~own; c=d", b"a=b", b"a=b; SEASIDE=own; c=d", b"a=b", "--VN"),
    ({"mode": "prefix"}, b"SEASIDE=nobody~x~y", b"a=b", b"SEASIDE=x~y", b"a=b", "--IN"),
    ({"mode": "prefix"}, b"SEASIDE=app1inst1", b"a=b", b"SEASIDE=app1inst1", b"a=b", "--VN"),
    ({"mode": "prefix"}, b"SEASIDE=x~1; SEASIDE=app1inst1~2", b"a=b", b"SEASIDE=1; SEASIDE=2", b"a=b", "--VN"),
    ({"mode": ""}, b"SEASIDE=app1inst1", b"SEASIDE=own", b"SEASIDE=app1inst1", b"SEASIDE=own", "----"),
    ({"mode": "", "indirect": True}, b"SEASIDE=app1inst1", b"SEASIDE=own", b"SEASIDE=app1inst1", b"", "--VD"),
    ({"mode": "", "indirect": True}, b"", b"SEASIDE=own", b"", b"SEASIDE=own", "--NP"),
    (KEEPS, b"SEASIDE=app1inst1", b"SEASIDE=own", b"SEASIDE=app1inst1", b"SEASIDE=own", "--VP"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "cookie", "sets", "forwarded", "told", "flags"), MODES)
def test_what_becomes_of_the_applications_cookie(
    words: dict[str, Any], cookie: bytes, sets: bytes, forwarded: bytes, told: bytes, flags: str
) -> None:
    world = World(backend_record(*images(1, check=False), cookie=cookie_record(**words)))
    talk = world.get(b"/", *([b"Cookie: " + cookie] if cookie else []))
    channel = world.connects()
    lines = channel.got.split(b"\r\n")
    assert [line.partition(b": ")[2] for line in lines if line.startswith(b"Cookie:")] == ([forwarded] if forwarded else [])
    talk.answers(b"HTTP/1.1 200 OK\r\nX: y\r\nSet-Cookie: " + sets + b"\r\nContent-Length: 0\r\n\r\n")
    answered = talk.client.got.lower().split(b"\r\n")
    assert [line for line in answered if line.startswith(b"set-cookie:")] == ([b"set-cookie: " + told.lower()] if told else [])
    assert b"x: y" in answered
    assert talk.flags() == flags


def test_a_server_without_a_value_leaves_the_applications_cookie_alone() -> None:
    world = World(backend_record(server_record("app1"), cookie=cookie_record(mode="rewrite")))
    talk = world.get()
    world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nSet-Cookie: SEASIDE=own\r\nContent-Length: 0\r\n\r\n")
    assert b"Set-Cookie: SEASIDE=own\r\n" in talk.client.got
    assert talk.flags() == "--NP"


def test_in_prefix_mode_a_bar_is_part_of_the_value() -> None:
    servers = living_servers(*images(1))
    persistence = Persistence(cookie_record(mode="prefix"), servers)
    assert persistence.judge([b"SEASIDE=app1inst1|x~y"]).letter == INVALID
    assert persistence.judge([b"SEASIDE=app1inst1~y|x"]).letter == VALID


# --- a full queue ------------------------------------------------------------------------------------------------------


def test_a_full_queue_ends_its_user_with_503_or_moves_it_with_redispatch() -> None:
    for interval, flags in ((0, "SQVN"), (-1, "--DI")):
        servers = images(2, check=False, maxconn=1, maxqueue=1)
        world = World(backend_record(*servers, cookie=cookie_record(), redispatch_interval=interval))
        held, waiting, talk = (world.get(b"/%d" % n, b"Cookie: SEASIDE=app1inst1") for n in range(3))
        assert held.exchange.server is world.server("app1")
        assert waiting.exchange.waits_for is world.server("app1")
        if interval:
            assert talk.exchange.server is world.server("app2")
            assert talk.exchange.cookie_letter == DOWN
            assert talk.exchange.is_redispatched
        else:
            assert talk.flags() == flags
            assert talk.client.got.startswith(b"HTTP/1.1 503 ")
