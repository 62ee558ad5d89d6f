"""One request and its answer without a socket: failures, retries, time, queues, and what is left when it is over."""

import pytest
from fakes import Talk, World
from records import backend_record, cookie_record, images, server_record

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
STICKY = b"Cookie: SEASIDE=app1inst1"


def farm(count: int = 3, **words: object) -> World:
    """The original's backend with some of its images."""
    words = {"cookie": cookie_record(nocache=True), **words}
    return World(backend_record(*images(count), **words))


# --- an answer ---------------------------------------------------------------------------------------------------------


def test_a_visit_gets_its_answer_with_the_cookie() -> None:
    world = farm()
    talk = world.get(b"/seaside?_s=a&_k=b&1")
    channel = world.connects()
    assert channel.got == b"GET /seaside?_s=a&_k=b&1 HTTP/1.1\r\nHost: ex.org\r\n\r\n"
    talk.answers(OK)
    assert talk.client.got == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nset-cookie: SEASIDE=app1inst1; path=/\r\ncache-control: private\r\n\r\nok"
    )
    assert (talk.client.end, channel.end_mark) == ("keep", "keep")
    assert (talk.flags(), talk.timers()) == ("--NI", "0/0/0/0/0")
    assert world.is_at_rest()


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified", b"302 Found", b"404 Not Found", b"500 Oops"])
def test_every_status_carries_the_cookie(status: bytes) -> None:
    world = farm()
    talk = world.get()
    world.connects()
    talk.answers(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nset-cookie: SEASIDE=app1inst1; path=/\r\n" in talk.client.got
    assert talk.client.end == "keep"


def test_a_sticky_answer_carries_none() -> None:
    world = farm()
    talk = world.get(b"/", STICKY)
    world.connects()
    talk.answers(OK)
    assert talk.client.got == OK
    assert talk.flags() == "--VN"


def test_interim_answers_pass_without_cookie() -> None:
    world = farm()
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
    channel = world.connects()
    talk.answers(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert talk.client.got == b"HTTP/1.1 100 Continue\r\n\r\n"
    talk.sends(b"abc")
    assert channel.got.endswith(b"\r\n\r\nabc")
    talk.answers(OK)
    assert talk.client.got.count(b"set-cookie") == 1
    assert talk.client.end == "keep"


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_the_answer_is_the_same_in_every_split(step: int) -> None:
    raw = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    raw += b"3\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n"
    world = farm()
    talk = world.get()
    world.connects()
    for at in range(0, len(raw), step):
        talk.answers(raw[at : at + step])
    assert talk.client.got.startswith(b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n")
    body = talk.client.got.partition(b"cache-control: private\r\n\r\n")[2]
    assert body.endswith(b"0\r\nA: b\r\n\r\n")
    assert b"".join(line for line in body.split(b"\r\n")[1:-4:2]) == b"abcde"
    assert (talk.client.end, talk.flags()) == ("keep", "--NI")


def test_pages_of_our_own_carry_no_cookie_and_keep_the_connection() -> None:
    world = World(backend_record(server_record("a", disabled=True), cookie=cookie_record()))
    talk = world.get()
    assert talk.client.got.startswith(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\n")
    assert b"ookie" not in talk.client.got
    assert (talk.client.end, talk.flags(), talk.timers()) == ("keep", "SCNN", "0/-1/-1/-1/0")
    assert talk.record().server_name == "<NOSRV>"
    assert world.get(b"/c", b"Connection: close").client.end == "close"
    assert world.is_at_rest()


# --- time --------------------------------------------------------------------------------------------------------------


def test_a_server_that_thinks_too_long_is_a_504() -> None:
    world = farm(server_timeout_s=2.0)
    talk = world.get()
    channel = world.connects()
    world.passes(1.9)
    assert talk.client.end == ""
    world.passes(0.2)
    assert talk.client.got.startswith(b"HTTP/1.1 504 Gateway Time-out\r\n")
    assert (talk.flags(), channel.end_mark) == ("sHNN", "close")
    assert world.is_at_rest()


def test_a_server_that_stalls_in_the_body_is_cut() -> None:
    world = farm(server_timeout_s=2.0)
    talk = world.get()
    world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    for _ in range(3):
        world.passes(1.5)
        talk.answers(b"a")
    world.passes(2.1)
    assert (talk.client.end, talk.flags()) == ("abort", "sDNI")


def test_a_client_that_stops_reading_is_cut() -> None:
    world = World(backend_record(*images(2), server_timeout_s=50.0), client_timeout_s=2.0)
    talk = world.get()
    channel = world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    talk.client.is_blocked = True
    talk.exchange.client_blocked()
    assert channel.is_reading_paused
    world.passes(2.1)
    assert (talk.client.end, talk.flags()[:2]) == ("abort", "cD")


def test_a_client_that_stalls_in_its_body_is_a_408() -> None:
    world = World(backend_record(*images(2), server_timeout_s=50.0), client_timeout_s=2.0)
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    world.connects()
    world.passes(1.5)
    talk.sends(b"d")
    world.passes(1.5)
    assert talk.client.end == ""
    world.passes(0.7)
    assert talk.client.got.startswith(b"HTTP/1.1 408 ")
    assert (talk.flags()[:2], talk.client.end) == ("cH", "close")


# --- queues ------------------------------------------------------------------------------------------------------------


def full() -> World:
    """One image that serves one request at a time."""
    return World(backend_record(*images(1, maxconn=1), cookie=cookie_record(), queue_timeout_s=0.4, connect_timeout_s=5.0))


def test_who_waits_gets_the_slot_when_it_is_free() -> None:
    world = full()
    first = world.get(b"/1")
    world.connects()
    second = world.get(b"/2")
    assert world.pending() == []
    world.passes(0.2)
    first.answers(OK)
    assert second.channel().use_count == 2, "the connection that became free serves the next"
    second.answers(OK)
    record = second.record()
    assert (record.be_queue, record.srv_queue) == (1, 0)
    assert 180 <= record.tw_ms <= 260
    assert world.is_at_rest()


def test_who_waits_too_long_is_told_so() -> None:
    world = full()
    world.get(b"/1")
    world.connects()
    second = world.get(b"/2")
    world.passes(0.5)
    record = second.record()
    assert (second.flags(), record.status, record.server_name, record.be_queue) == ("sQNN", 503, "<NOSRV>", 1)
    assert 400 <= record.tw_ms <= 450
    assert (record.tc_ms, record.resp_ms) == (-1, -1)
    assert world.backend.queue.length == 0


def test_who_waits_for_his_own_server_in_vain_names_it() -> None:
    world = full()
    world.get(b"/1")
    world.connects()
    second = world.get(b"/2", STICKY)
    world.passes(0.5)
    record = second.record()
    assert (second.flags(), record.status, record.server_name, record.srv_queue) == ("sQVN", 503, "app1", 1)
    assert (world.server("app1").counters.connect_errors, world.backend.counters.connect_errors) == (1, 1)


def test_who_finds_the_queue_of_his_hash_full_names_its_server() -> None:
    world = World(backend_record(*images(1, maxconn=1, maxqueue=1), balance="uri", queue_timeout_s=3.0))
    world.get(b"/1")
    world.get(b"/2")
    third = world.get(b"/3")
    record = third.record()
    assert (third.flags(), record.status, record.server_name) == ("SQ--", 503, "app1")
    assert (world.server("app1").counters.connect_errors, world.backend.counters.connect_errors) == (1, 1)


def test_many_in_a_row_are_served_in_their_order() -> None:
    world = full()
    talks = [world.get(b"/%d" % n) for n in range(6)]
    world.connects()
    for n, talk in enumerate(talks):
        assert [each.exchange.channel is not None for each in talks[n:]] == [True] + [False] * (5 - n)
        talk.answers(OK)
    assert [record.request_line for record in world.log.records] == [b"GET /%d HTTP/1.1" % n for n in range(6)]
    assert world.is_at_rest()
    assert world.server("app1").counters.connections_total == 1


# --- the client leaves -------------------------------------------------------------------------------------------------


def test_a_client_that_leaves_while_the_server_thinks_does_not_stop_it() -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    talk.client.has_ended = True
    talk.exchange.client_ended(False, world.services.time_s)
    assert talk.client.end == ""
    talk.answers(OK)
    assert (talk.flags(), channel.end_mark) == ("--NI", "keep")


def test_a_client_that_leaves_in_its_body_ends_the_request() -> None:
    world = farm()
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
    channel = world.connects()
    talk.exchange.client_ended(False, world.services.time_s)
    assert (talk.flags()[0], channel.end_mark) == ("C", "close")
    assert world.is_at_rest()


def test_a_reset_in_the_answer_ends_the_request() -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    talk.answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    talk.client.is_gone = True
    talk.exchange.client_ended(True, world.services.time_s)
    assert (talk.flags(), channel.end_mark) == ("CDNI", "close")
    assert world.is_at_rest()


def asked_and_left() -> tuple[World, Talk]:
    """`option abortonclose`, and a client that half-closes while the connect is under way."""
    world = farm(abortonclose=True)
    talk = world.get()
    talk.client.has_ended = True
    talk.exchange.client_ended(False, world.services.time_s)
    assert talk.client.end == ""
    return world, talk


def test_who_asks_and_half_closes_at_once_is_told_and_no_server_is_asked() -> None:
    world, talk = asked_and_left()
    channel = world.connects()
    record = talk.record()
    assert (talk.flags(), record.status, record.bytes_read, channel.got, channel.end_mark) == ("CHNN", 400, 206, b"", "close")
    assert talk.client.got.startswith(b"HTTP/1.1 400 ")
    assert world.is_at_rest()


def test_who_leaves_a_connect_that_does_not_come_is_told_nothing() -> None:
    world, talk = asked_and_left()
    world.passes(0.3)
    assert (talk.flags(), talk.record().status, talk.client.got, talk.client.end) == ("CCNN", -1, b"", "abort")
    assert world.is_at_rest()


def test_who_resets_while_a_connect_or_a_server_is_waited_for_is_told_nothing() -> None:
    for is_connected, flags in ((False, "CCNN"), (True, "CDNN")):
        world = farm(abortonclose=True)
        talk = world.get()
        if is_connected:
            world.connects()
        talk.client.is_gone = talk.client.has_ended = True
        talk.exchange.client_ended(True, world.services.time_s)
        assert (talk.flags(), talk.record().status, talk.record().bytes_read) == (flags, -1, 0)
        assert world.is_at_rest()


# --- back-pressure, faults of ours -------------------------------------------------------------------------------------


def test_a_slow_server_pauses_the_upload_and_a_slow_client_the_answer() -> None:
    world = farm()
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    world.connects()
    talk.exchange.server_blocked()
    assert (talk.is_upload_paused(), talk.is_answer_paused()) == (True, False)
    talk.exchange.server_resumed()
    assert (talk.is_upload_paused(), talk.is_answer_paused()) == (False, False)
    talk.exchange.client_blocked()
    assert (talk.is_upload_paused(), talk.is_answer_paused()) == (False, True)
    talk.exchange.client_resumed()
    assert (talk.is_upload_paused(), talk.is_answer_paused()) == (False, False)


def test_an_upload_without_a_server_is_held_within_bounds() -> None:
    world = farm()
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(10):
        if talk.is_upload_paused():
            break
        talk.sends(b"x" * 4096)
    assert talk.is_upload_paused()
    assert 16384 < talk.exchange.held_octets <= 16384 + 4096
    channel = world.connects()
    assert not talk.is_upload_paused()
    assert channel.got.endswith(b"x" * 16384)
    assert talk.exchange.held_octets == 0


def test_an_early_answer_closes_the_connection_of_an_unfinished_upload() -> None:
    world = farm()
    talk = world.request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
    channel = world.connects()
    talk.answers(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    assert (talk.client.end, channel.end_mark) == ("close", "close")


def test_a_fault_of_ours_ends_one_exchange_with_a_line() -> None:
    world = farm()
    talk = world.get()
    channel = world.connects()
    talk.exchange.crash(RuntimeError("oops"))
    assert talk.client.got.startswith(b"HTTP/1.1 500 ")
    assert (talk.flags(), talk.client.end_count, channel.end_mark) == ("IHNN", 1, "close")
    assert "oops" in world.services.complaints[0]
    assert "GET / HTTP/1.1 HEADERS smalltalk/app1 try=1" in world.services.complaints[0]
    assert world.is_at_rest()


def test_an_end_is_final() -> None:
    world = farm()
    talk = world.get()
    world.connects()
    talk.answers(OK)
    talk.exchange.finish(ord("S"), world.services.time_s)
    assert (talk.client.end_count, len(world.log.records)) == (1, 1)
