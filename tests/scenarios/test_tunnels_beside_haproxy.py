"""Tunnels with both ends in the test's hands, through the balancer and through Debian's haproxy on the same text.

What is expected is written once and is HAProxy's; where ours differs on purpose the test says so by `is_ours`, and
docs/differences.md says why.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from running import wait_until
from tunnels import ASKS, PATIENCE_S, SWITCH, Stage, line_of, read_end, read_exactly, read_head, reset, stage

LARGE: Final = 8 << 20
HEAD_OCTETS: Final = 132  # of the 101 as HAProxy counts it
COUNTED_HEADS_OCTETS: Final = 592  # of the four requests of the test of the statistics, as HAProxy counts them


@pytest.fixture(scope="module", params=["balancer", "haproxy"])
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Either program, for all tests that leave it running."""
    with stage(request.param, tmp_path_factory.mktemp("tunnels")) as running:
        yield running


@pytest.fixture(params=["balancer", "haproxy"])
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """Either program, for a test that ends it."""
    with stage(request.param, tmp_path) as running:
        yield running


# --- the head --------------------------------------------------------------------------------------------------------


def test_octets_right_behind_the_request_and_the_101_arrive_and_are_counted(one: Stage) -> None:
    with one.ends("patient", "/behind") as ends:
        head = ends.open(b"early" * 3, b"hello" * 3)
        assert b"\r\nset-cookie: seaside=app1inst1; path=/\r\n" in head
        assert (read_exactly(ends.server, 15), read_exactly(ends.client, 15)) == (b"early" * 3, b"hello" * 3)
        ends.client.close()
        assert read_end(ends.server) == (0, "closed")
        ends.server.close()
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "--NI", HEAD_OCTETS + 15)


@pytest.mark.parametrize("number", [1, 2])
def test_the_cookie_of_a_101_leads_the_next_one_to_the_same_server(one: Stage, number: int) -> None:
    with one.ends("two", f"/sticky{number}", (one.first, one.second)[number - 1]) as ends:
        head = ends.open(lines=ASKS + b"Cookie: SEASIDE=app1inst%d\r\n" % number)
        assert b"set-cookie" not in head
        ends.server.close()
        assert read_end(ends.client) == (0, "closed")
        ends.client.close()
        line = ends.line()
        assert (line.server, line.flags) == (f"app{number}", "--VN")


@pytest.mark.parametrize("status", [b"200 OK", b"426 Upgrade Required", b"403 Forbidden"])
def test_after_a_refusal_both_connections_stay_http(one: Stage, status: bytes) -> None:
    path = f"/refused-{status[:3].decode()}"
    with one.ends("patient", path) as ends:
        ends.ask(behind=b"GET %s-next HTTP/1.1\r\nHost: a\r\n\r\n" % path.encode())
        ends.server.sendall(b"HTTP/1.1 %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nno" % status)
        assert read_head(ends.client).startswith(b"http/1.1 " + status.lower() + b"\r\n")
        assert read_exactly(ends.client, 2) == b"no"
        assert read_head(ends.server).startswith(b"get " + path.encode() + b"-next http/1.1\r\n")
        ends.server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes")
        assert read_head(ends.client).startswith(b"http/1.1 200 ")
        assert read_exactly(ends.client, 3) == b"yes"
        line, behind = ends.line(), line_of(one.side, path.encode() + b"-next")
        assert (line.status, line.flags, behind.status, behind.flags) == (int(status[:3]), "--NI", 200, "--NI")


@pytest.mark.parametrize("protocol", [b"websocket", b"echo"])
def test_a_101_that_nobody_asked_for_is_502(one: Stage, protocol: bytes) -> None:
    with one.ends("patient", f"/unasked-{protocol.decode()}") as ends:
        ends.ask(b"")
        ends.server.sendall(SWITCH.replace(b"websocket", protocol) + b"spoken to nobody")
        assert read_head(ends.client).startswith(b"http/1.1 502 ")
        count, _ = read_end(ends.server)
        assert count == 0
        line = ends.line()
        assert (line.status, line.flags) == (502, "PHNN")


def test_h2c_never_reaches_the_server(one: Stage) -> None:
    with one.ends("patient", "/another-protocol") as ends:
        asks = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
        head = ends.ask(asks)
        assert (b"h2c" in head, b"http2-settings" in head, b"upgrade" in head) == ((not one.is_ours,) * 3)
        ends.server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        assert read_head(ends.client).startswith(b"http/1.1 200 ")


# --- orderly ends ----------------------------------------------------------------------------------------------------


def test_a_client_may_half_close(one: Stage) -> None:
    with one.ends("patient", "/half-client") as ends:
        ends.open()
        ends.client.sendall(b"question")
        ends.client.shutdown(socket.SHUT_WR)
        assert (read_exactly(ends.server, 8), read_end(ends.server)) == (b"question", (0, "closed"))
        ends.server.sendall(b"last words")
        ends.server.close()
        assert (read_exactly(ends.client, 10), read_end(ends.client)) == (b"last words", (0, "closed"))
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "--NI", HEAD_OCTETS + 10)


def test_a_server_may_half_close(one: Stage) -> None:
    """HAProxy takes a server's end for the end of both, and what the client still says is lost."""
    with one.ends("patient", "/half-server") as ends:
        ends.open()
        ends.server.sendall(b"question")
        ends.server.shutdown(socket.SHUT_WR)
        assert (read_exactly(ends.client, 8), read_end(ends.client)) == (b"question", (0, "closed"))
        if one.is_ours:
            ends.client.sendall(b"last words")
            ends.client.close()
            assert read_exactly(ends.server, 10) == b"last words"
        assert read_end(ends.server) == (0, "closed")
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "--NI", HEAD_OCTETS + 8)


def say(speaker: socket.socket, octets: bytes) -> threading.Thread:
    """Says it and half-closes, beside the test."""

    def speak() -> None:
        speaker.sendall(octets)
        speaker.shutdown(socket.SHUT_WR)

    speaking = threading.Thread(target=speak, daemon=True)
    speaking.start()
    return speaking


def test_last_words_of_a_server_arrive_whole_however_many(one: Stage) -> None:
    with one.ends("patient", "/large-server") as ends:
        ends.open()
        ends.client.shutdown(socket.SHUT_WR)
        assert read_end(ends.server) == (0, "closed")
        speaking = say(ends.server, bytes(LARGE))
        assert read_end(ends.client) == (LARGE, "closed")
        speaking.join()
        line = ends.line()
        assert (line.flags, line.octets) == ("--NI", HEAD_OCTETS + LARGE)


def test_last_words_of_a_client_arrive_whole_however_many(one: Stage) -> None:
    with one.ends("patient", "/large-client") as ends:
        ends.open()
        if one.is_ours:
            ends.server.shutdown(socket.SHUT_WR)
            assert read_end(ends.client) == (0, "closed")
        speaking = say(ends.client, bytes(LARGE))
        assert read_end(ends.server) == (LARGE, "closed")
        speaking.join()
        ends.server.close()
        line = ends.line()
        assert (line.flags, line.octets) == ("--NI", HEAD_OCTETS)


def test_both_speak_at_once(one: Stage) -> None:
    """Each says more than all buffers hold before it reads a word: a program that lets one side wait for the other hangs."""
    with one.ends("patient", "/both") as ends:
        ends.open()
        heard: dict[str, bytes] = {}
        words = {"client": os.urandom(LARGE), "server": os.urandom(LARGE)}

        def listen(who: str, listener: socket.socket) -> None:
            heard[who] = read_exactly(listener, LARGE)

        threads = [threading.Thread(target=ends.client.sendall, args=(words["client"],), daemon=True)]
        threads.append(threading.Thread(target=ends.server.sendall, args=(words["server"],), daemon=True))
        threads.append(threading.Thread(target=listen, args=("client", ends.server), daemon=True))
        threads.append(threading.Thread(target=listen, args=("server", ends.client), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert heard == words
        ends.client.close()
        assert read_end(ends.server) == (0, "closed")
        ends.server.close()
        line = ends.line()
        assert (line.flags, line.octets) == ("--NI", HEAD_OCTETS + LARGE)


def test_a_tunnel_holds_its_slot_until_it_ends(one: Stage) -> None:
    with one.ends("single", "/holds") as holder, one.ends("single", "/waits") as waiter:
        holder.open()
        waiter.client.sendall(b"GET /waits HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: one.counters("single", "BACKEND")["qcur"] == 1, "the second waits")
        holder.client.close()
        assert read_end(holder.server) == (0, "closed")
        holder.server.close()
        with one.first.accept() as server:
            assert read_head(server).startswith(b"get /waits ")
            server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert read_head(waiter.client).startswith(b"http/1.1 200 ")
        assert (waiter.line().status, waiter.line().queues) == (200, "0/1")


# --- ends that are none ----------------------------------------------------------------------------------------------


def test_the_death_of_a_client_reaches_the_server(one: Stage) -> None:
    with one.ends("patient", "/reset-client") as ends:
        ends.open()
        reset(ends.client)
        assert read_end(ends.server) == (0, "reset")
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "CDNI", HEAD_OCTETS)


def test_the_death_of_a_server_reaches_the_client(one: Stage) -> None:
    """As a reset: a protocol without a last word of its own would take HAProxy's close for the end."""
    with one.ends("patient", "/reset-server") as ends:
        ends.open(behind_answer=b"half a sen")
        assert read_exactly(ends.client, 10) == b"half a sen"
        reset(ends.server)
        assert read_end(ends.client) == (0, "reset" if one.is_ours else "closed")
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "SDNI", HEAD_OCTETS + 10)


def test_a_client_that_leaves_while_the_server_talks_is_cd(one: Stage) -> None:
    with one.ends("patient", "/leaves") as ends:
        ends.open()
        ends.client.close()

        def is_refused() -> bool:
            try:
                ends.server.sendall(b"is anybody there?")
            except ConnectionError:
                return True
            return False

        wait_until(is_refused, "the server learns it")
        line = ends.line()
        assert (line.status, line.flags) == (101, "CDNI")


# --- time ------------------------------------------------------------------------------------------------------------

IDLE: Final = [("tunnel", "cD--"), ("client", "cD--"), ("server", "sD--"), ("client_only", "cD--"), ("server_only", "sD--")]


@pytest.mark.parametrize(("section", "flags"), IDLE)
def test_an_idle_tunnel_ends_at_the_timeout_that_passes_first(one: Stage, section: str, flags: str) -> None:
    """HAProxy only half-closes towards the server when the client's timeout passes; ours cuts both."""
    with one.ends(section, f"/idle-{section}") as ends:
        ends.open()
        _, server_end = read_end(ends.server)
        assert server_end == "reset" or not one.is_ours
        ends.server.close()
        assert read_end(ends.client) == (0, "reset" if one.is_ours else "closed")
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, flags, HEAD_OCTETS)
        assert 390 <= line.timers[4] < 5000


def test_octets_of_one_side_alone_keep_a_tunnel_alive(one: Stage) -> None:
    with one.ends("busy", "/busy-client") as first, one.ends("busy", "/busy-server") as second:
        first.open()
        second.open()
        begun_at = time.monotonic()
        while time.monotonic() - begun_at < 2.0:
            for speaker, listener in ((first.client, first.server), (second.server, second.client)):
                speaker.sendall(b".")
                assert listener.recv(1) == b"."
            time.sleep(0.05)  # the pace of the speakers
        for ends in (first, second):
            ends.client.close()
            ends.server.close()
            assert ends.line().flags == "----"
            assert ends.line().timers[4] >= 2000


@pytest.mark.parametrize(("who", "flags"), [("client", "cD--"), ("server", "sD--")])
def test_who_does_not_read_is_named_when_the_timeout_passes(one: Stage, who: str, flags: str) -> None:
    with one.ends("tunnel", f"/deaf-{who}") as ends:
        ends.open()
        speaker = ends.server if who == "client" else ends.client
        with pytest.raises(ConnectionError):
            while True:
                speaker.sendall(bytes(1 << 16))
        assert ends.line().flags == flags


@pytest.mark.parametrize("who", ["client", "server"])
def test_who_reads_slowly_has_as_long_as_he_likes_where_only_the_other_has_a_timeout(one: Stage, who: str) -> None:
    """While one side does not read, the other cannot speak: its own timeout must not count."""
    section = "server_only" if who == "client" else "client_only"
    with one.ends(section, f"/slow-{who}") as ends:
        ends.open()
        speaker, listener = (ends.server, ends.client) if who == "client" else (ends.client, ends.server)
        speaking = say(speaker, bytes(32 << 20))
        begun_at = time.monotonic()
        wait_until(lambda: time.monotonic() - begun_at > 1.0, "twice the other's timeout has passed")
        assert read_end(listener) == (32 << 20, "closed")
        speaking.join()
        listener.close()
        assert ends.line().flags == "----"


@pytest.mark.parametrize("section", ["server", "tunnel"])
def test_a_half_closed_tunnel_waits_for_the_side_that_may_still_speak(one: Stage, section: str) -> None:
    with one.ends(section, f"/half-idle-{section}") as ends:
        ends.open()
        ends.client.shutdown(socket.SHUT_WR)
        assert read_end(ends.server) == (0, "closed")
        assert read_end(ends.client) == (0, "reset" if one.is_ours else "closed")
        line = ends.line()
        assert (line.flags, line.octets) == ("sD--", HEAD_OCTETS)
        assert 390 <= line.timers[4] < 5000


# --- what an operator does -------------------------------------------------------------------------------------------


def test_a_server_that_is_marked_down_loses_its_tunnels_where_that_is_configured(one: Stage) -> None:
    with one.ends("marked", "/marked") as ends:
        ends.open()
        assert one.command("set server marked/app1 state maint") == "\n"
        assert read_end(ends.client) == (0, "reset" if one.is_ours else "closed")
        line = ends.line()
        assert (line.status, line.flags, line.octets) == (101, "D-NI", HEAD_OCTETS)
        one.command("set server marked/app1 state ready")


def test_the_statistics_count_each_end(one: Stage) -> None:
    with one.ends("counted", "/counted-client") as ends:
        ends.open(b"12345")
        reset(ends.client)
        ends.line()
    with one.ends("counted", "/counted-server") as ends:
        ends.open(behind_answer=b"123")
        assert read_exactly(ends.client, 3) == b"123"
        reset(ends.server)
        ends.line()
    with one.ends("counted", "/counted-idle") as ends:
        ends.open()
        ends.line()
    with one.ends("counted", "/counted-half") as ends:
        ends.open()
        ends.client.shutdown(socket.SHUT_WR)
        ends.line()
    wanted = {"bin": COUNTED_HEADS_OCTETS + 5, "bout": 4 * HEAD_OCTETS + 3, "econ": 0, "eresp": 1, "cli_abrt": 2, "srv_abrt": 2}
    wanted |= {"scur": 0, "stot": 4, "hrsp_1xx": 4, "hrsp_2xx": 0, "hrsp_5xx": 0}
    for row in ("app1", "BACKEND"):
        found = one.counters("counted", row)
        assert {name: found[name] for name in wanted} == wanted


def test_a_hard_stop_tells_each_request_that_it_ends(fresh: Stage) -> None:
    with (
        fresh.ends("patient", "/waits") as waits,
        fresh.ends("patient", "/answer") as answer,
        fresh.ends("patient", "/upload") as upload,
        fresh.ends("patient", "/tunnel") as tunnel,
    ):
        waits.ask(b"")
        answer.ask(b"")
        answer.server.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01")
        read_head(answer.client)
        upload.ask(b"Content-Length: 10\r\n", b"012")
        tunnel.open()
        os.kill(fresh.side.pid, signal.SIGUSR1)
        fresh.side.log.wait_for("Proxy patient stopped")
        for speaker, listener in ((tunnel.client, tunnel.server), (tunnel.server, tunnel.client)):
            speaker.sendall(b"still here")
            assert read_exactly(listener, 10) == b"still here"
        cut = "reset" if fresh.is_ours else "closed"
        assert read_end(tunnel.client) == (0, cut)
        assert read_head(waits.client).startswith(b"http/1.1 502 ")
        assert (read_end(upload.client), read_end(answer.client)) == ((0, cut), (2, cut))
        lines = [(each.line().status, each.line().flags) for each in (waits, answer, upload, tunnel)]
        assert lines == [(502, "KHNN"), (200, "KDNI"), (-1, "K-NN"), (101, "K-NI")]
        assert tunnel.line().octets == HEAD_OCTETS + 10
        fresh.side.log.wait_for("soft-stop running for too long, performing a hard-stop.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_cut_tunnels_without_a_line(fresh: Stage, number: signal.Signals) -> None:
    with fresh.ends("patient", "/cut") as ends:
        ends.open(behind_answer=b"half a sen")
        assert read_exactly(ends.client, 10) == b"half a sen"
        os.kill(fresh.side.pid, number)
        assert read_end(ends.client) == (0, "reset" if fresh.is_ours else "closed")
        assert read_end(ends.server)[0] == 0
        wait_until(lambda: not Path(f"/proc/{fresh.side.pid}/fd/0").exists(), "the program has ended")
        assert fresh.side.log.lines() == []
