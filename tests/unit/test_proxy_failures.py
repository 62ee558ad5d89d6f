"""Servers that refuse, break off, talk nonsense, or close a kept connection in the very moment of its use."""

import pytest
from fakes import FakeServer, World
from records import backend_record, cookie_record, images

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STICKY = b"Cookie: SEASIDE=app1inst1"


def farm(count: int = 3, **words: object) -> World:
    """The original's backend with some of its images."""
    words = {"cookie": cookie_record(nocache=True), **words}
    return World(backend_record(*images(count), **words))


# --- refused: the table of original-setup 2.5 --------------------------------------------------------------------------


def test_a_sticky_user_is_refused_after_3_seconds() -> None:
    world = farm()
    world.services.refusing = {"app1"}
    talk = world.get(b"/", STICKY)
    world.passes(4.0)
    assert world.tried() == ["app1"] * 4
    assert world.tried_at() == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.15)
    assert talk.client.got.startswith(b"HTTP/1.1 503 ")
    record = talk.record()
    assert (talk.flags(), record.retries, record.is_redispatched, record.server_name) == ("SCVN", 3, False, "app1")
    assert (record.tw_ms >= 0, record.tc_ms, record.resp_ms) == (True, -1, -1)
    assert 3000 <= record.ta_ms <= 3150
    server = world.server("app1").counters
    assert (server.retries, server.redispatches, server.connect_errors) == (3, 0, 1)
    assert world.is_at_rest()


def test_with_redispatch_the_last_attempt_goes_elsewhere_after_2_seconds() -> None:
    world = farm(redispatch_interval=-1)
    world.services.refusing = {"app1"}
    talk = world.get(b"/", STICKY)
    world.passes(2.2)
    assert world.tried() == ["app1", "app1", "app1", "app2"]
    assert world.tried_at() == pytest.approx([0.0, 1.0, 2.0, 2.0], abs=0.15)
    world.connects()
    talk.answers(OK)
    record = talk.record()
    assert (talk.flags(), record.retries, record.is_redispatched) == ("--DI", 3, True)
    assert b"set-cookie: SEASIDE=" in talk.client.got
    assert world.server("app1").counters.redispatches == 1
    assert world.is_at_rest()


def test_with_redispatch_1_the_next_server_is_tried_at_once() -> None:
    world = farm(redispatch_interval=1)
    world.services.refusing = {"app1"}
    talk = world.get(b"/", STICKY)
    world.passes(0.02)
    assert world.tried() == ["app1", "app2"]
    world.connects()
    talk.answers(OK)
    assert (talk.flags(), talk.record().retries, talk.record().is_redispatched) == ("--DI", 1, True)


def test_a_user_who_was_moved_is_not_sent_back_to_the_server_that_refused_him() -> None:
    world = farm(4, redispatch_interval=1)
    world.services.refusing = {"app1", "app2", "app3"}
    talk = world.get(b"/", STICKY)
    world.passes(0.02)
    assert world.tried() == ["app1", "app2", "app3", "app4"]
    world.connects()
    talk.answers(OK)
    assert talk.flags() == "--DI"


@pytest.mark.parametrize("interval", [-1, 1])
def test_a_new_visitor_gets_another_server_at_once(interval: int) -> None:
    world = farm(redispatch_interval=interval)
    world.services.refusing = {"app1"}
    talk = world.get()
    world.passes(0.02)
    assert world.tried() == ["app1", "app2"]
    assert world.tried_at() == [0.0, 0.0]
    world.connects()
    talk.answers(OK)
    assert (talk.flags(), talk.record().retries, talk.record().is_redispatched) == ("--NI", 1, True)


def test_a_new_visitor_without_redispatch_stays() -> None:
    world = farm()
    world.services.refusing = {"app1"}
    talk = world.get()
    world.passes(3.5)
    assert world.tried() == ["app1"] * 4
    assert world.tried_at() == pytest.approx([0.0, 1.0, 2.0, 3.0], abs=0.15)
    assert talk.flags() == "SCNN"


def test_before_five_refusing_servers_a_visitor_is_told_at_once() -> None:
    world = farm(5, redispatch_interval=-1)
    world.services.refusing = {f"app{n}" for n in range(1, 6)}
    talk = world.get()
    world.passes(0.02)
    assert world.tried() == ["app1", "app2", "app3", "app4"]
    assert (talk.flags(), talk.record().retries, talk.record().is_redispatched) == ("SCNN", 3, True)
    assert world.is_at_rest()


def test_dropped_syns_are_followed_by_no_pause() -> None:
    world = farm(connect_timeout_s=0.4)
    talk = world.get(b"/", STICKY)
    world.passes(2.0)
    assert world.tried_at() == pytest.approx([0.0, 0.4, 0.8, 1.2], abs=0.15)
    assert talk.flags() == "sCVN"
    assert 1600 <= talk.record().ta_ms <= 1800
    assert all(attempt.is_cancelled for attempt in world.services.attempts)
    assert world.is_at_rest()


def test_no_retries() -> None:
    world = farm(retries=0)
    world.services.refusing = {"app1"}
    talk = world.get()
    world.passes(0.02)
    assert world.tried() == ["app1"]
    assert (talk.flags(), talk.record().retries) == ("SCNN", 0)


def test_want_of_descriptors_is_not_the_servers_fault() -> None:
    world = farm(retries=0)
    talk = world.get()
    (attempt,) = world.pending()
    attempt.exchange.connect_failed(False, True)
    assert world.services.shed_count == 1
    assert talk.flags().startswith("RC")
    assert talk.client.got.startswith(b"HTTP/1.1 503")


def test_a_post_that_was_never_sent_is_sent_whole_to_another_server() -> None:
    world = farm(redispatch_interval=1)
    world.services.refusing = {"app1"}
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    world.passes(0.02)
    talk.sends(b"def")
    channel = world.connects()
    assert channel.got == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabcdef"


# --- the server fails later --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("was_orderly", [True, False])
@pytest.mark.parametrize("piece", [b"", b"HTT", b"HTTP/1.1 200 OK\r\nA: b\r\n"])
def test_an_end_before_the_whole_head_is_a_502(piece: bytes, was_orderly: bool) -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    if piece:
        talk.answers(piece)
    talk.server_ends(was_orderly)
    assert talk.client.got.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert (talk.flags(), talk.client.end, channel.end_mark) == ("SHNN", "keep", "close")
    assert world.is_at_rest()


@pytest.mark.parametrize(
    "raw",
    [
        b"ICY 200 OK\r\n\r\n",
        b"nonsense",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: \x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * 20000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 100 x\r\n\r\n" * 101,
    ],
)
def test_junk_from_a_server_is_a_502_and_its_connection_goes(raw: bytes) -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    for at in range(0, len(raw), 900):
        if talk.client.end:
            break
        talk.answers(raw[at : at + 900])
    assert b"HTTP/1.1 502 Bad Gateway\r\n" in talk.client.got
    assert (talk.flags(), channel.end_mark) == ("PHNN", "close")
    assert world.is_at_rest()


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc"],
)
@pytest.mark.parametrize("was_orderly", [True, False])
def test_a_truncated_body_ends_in_an_abort(head: bytes, was_orderly: bool) -> None:
    world = farm()
    talk = world.get()
    world.connects()
    talk.answers(head)
    talk.server_ends(was_orderly)
    assert talk.client.end == "abort"
    assert b"\r\n0\r\n" not in talk.client.got
    assert talk.flags() == "SDNI"
    assert world.is_at_rest()


def test_a_body_until_close_ends_in_order_or_not() -> None:
    for was_orderly, end, flags in ((True, "close", "--NI"), (False, "abort", "SDNI")):
        world = farm()
        talk = world.get()
        world.connects()
        talk.answers(b"HTTP/1.1 200 OK\r\n\r\nabc")
        talk.server_ends(was_orderly)
        assert (talk.client.end, talk.flags()) == (end, flags)


def test_surplus_octets_reach_nobody_and_the_connection_is_not_kept() -> None:
    for surplus in (b"X", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"):
        world = farm()
        talk = world.get()
        channel = world.connects()
        talk.answers(OK + surplus)
        assert talk.client.got.endswith(b"\r\n\r\nok")
        assert (talk.client.end, channel.end_mark) == ("keep", "close")


def test_surplus_octets_while_the_client_is_slow_reach_nobody() -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    talk.client.is_blocked = True
    talk.answers(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n")
    before = talk.client.got
    assert talk.client.end == ""
    talk.answers(b"X: injected\r\n\r\n")
    assert talk.client.got == before
    talk.client.is_blocked = False
    talk.exchange.client_resumed()
    assert (talk.client.end, channel.end_mark) == ("keep", "close")


# --- kept connections --------------------------------------------------------------------------------------------------


def kept(world: World) -> None:
    """Leaves one idle connection in the pool of app1."""
    talk = world.get(b"/first", STICKY)
    world.connects()
    talk.answers(OK)


def test_a_kept_connection_is_used_again() -> None:
    world = farm()
    kept(world)
    talk = world.get(b"/", STICKY)
    assert world.pending() == []
    assert talk.channel().use_count == 2
    talk.answers(OK)
    assert (world.server("app1").counters.reuses, talk.flags()) == (1, "--VN")


def test_a_stale_one_is_passed_over() -> None:
    world = farm()
    kept(world)
    (channel,) = world.server("app1").pool.idle
    assert isinstance(channel, FakeServer)
    channel.would_be_fresh = False
    world.get(b"/", STICKY)
    assert len(world.pending()) == 1


@pytest.mark.parametrize(("grows", "was_orderly", "is_repeated"), [(0, True, True), (5, True, False), (0, False, False)])
def test_what_a_kept_connection_swallowed_is_repeated_only_where_nobody_saw_it(
    grows: int, was_orderly: bool, is_repeated: bool
) -> None:
    world = farm()
    kept(world)
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\n" + STICKY + b"\r\nContent-Length: 3\r\n\r\nabc")
    old = talk.channel()
    old.acked = talk.exchange.written_before + 1 + grows
    talk.server_ends(was_orderly)
    if not is_repeated:
        assert talk.client.got.startswith(b"HTTP/1.1 502")
        assert talk.flags() == "SHVN"
        return
    channel = world.connects()
    assert channel.got == old.got[-len(channel.got) :]
    assert channel.got.endswith(b"\r\n\r\nabc")
    talk.server_ends()
    assert talk.client.got.startswith(b"HTTP/1.1 502"), "what was written to a fresh connection is never repeated"
    assert world.is_at_rest()


def test_after_one_octet_of_answer_nothing_is_repeated() -> None:
    world = farm()
    kept(world)
    talk = world.get(b"/", STICKY)
    talk.answers(b"H")
    talk.server_ends()
    assert talk.client.got.startswith(b"HTTP/1.1 502")
    assert world.pending() == []
