"""What bounds a connection: the size of heads, lines, trailers and interim answers, what waits behind a request, and the work.

The client's side is the real one, on a transport that keeps what it is told. Work is counted in octets, never in seconds.
"""

import asyncio
from pathlib import Path
from typing import cast

import pytest
from fakes import World
from records import backend_record, images

from balancer.http.framing import (
    CHUNKED,
    EXTENSION_LINE_MAX,
    EXTENSION_OCTETS_MAX,
    SIZE_DIGITS_MAX,
    TRAILER_OCTETS_MAX,
    Body,
)
from balancer.http.gather import Gathered
from balancer.http.message import LEADING_EMPTY_LINES_MAX
from balancer.proxy.answer import INTERIM_COUNT_MAX
from balancer.proxy.channels import Limits
from balancer.proxy.client import IDLE, ClientSide
from balancer.proxy.gate import Gate

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Wire:
    """A transport that keeps what is written and knows whether it is read."""

    def __init__(self) -> None:
        self.got = b""
        self.is_reading = True
        self.has_closed = False

    def get_extra_info(self, name: str) -> tuple[str, int] | None:
        """Addresses; there is no socket."""
        return None if name == "socket" else ("127.0.0.1", 1)

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        """Writes never block here."""

    def write(self, data: bytes) -> None:
        """Keeps it."""
        self.got += data

    def writelines(self, pieces: list[bytes]) -> None:
        """Keeps them."""
        self.got += b"".join(pieces)

    def write_eof(self) -> None:
        """A lingering close begins."""
        self.has_closed = True

    def close(self) -> None:
        """Notes it."""
        self.has_closed = True

    def is_closing(self) -> bool:
        """As said."""
        return False

    def pause_reading(self) -> None:
        """Notes it."""
        self.is_reading = False

    def resume_reading(self) -> None:
        """Notes it."""
        self.is_reading = True


class Open(Gate):
    """Lets everybody in."""

    def admit(self, client: ClientSide) -> bool:
        """Room for all."""
        return True

    def leave(self, client: ClientSide) -> None:
        """Nothing is counted."""


class Line:
    """One client's connection to a world of one server."""

    def __init__(self, limits: Limits | None = None, world: World | None = None) -> None:
        self.world = world or World(backend_record(*images(1)))
        if limits is not None:
            self.world.services.limits = limits
        self.wire = Wire()
        self.side = ClientSide(self.world.route, self.world.services, Open())
        self.side.connection_made(cast(asyncio.Transport, self.wire))

    def sends(self, data: bytes, piece_octets: int = 0) -> None:
        """Octets from the client, in pieces of that size, as long as the connection is read."""
        step = piece_octets or len(data)
        for begin in range(0, len(data), step):
            if self.wire.is_reading and not self.wire.has_closed:
                self.side.data_received(data[begin : begin + step])

    def answers(self, data: bytes = OK) -> None:
        """The one server answers the request that it has."""
        if self.world.pending():
            self.world.connects()
        exchange = self.side.exchange
        assert exchange is not None and exchange.answer is not None
        exchange.answer.arrive(data, self.world.services.time_s)

    def verdict(self, status_of_taken: int = 0) -> int:
        """The status that refused it; 0 when a request began."""
        if self.side.exchange is not None:
            return status_of_taken
        return int(self.wire.got[9:12])


def head_of(octets: int) -> bytes:
    """A request whose head has that many octets."""
    front = b"GET / HTTP/1.1\r\nHost: a\r\nx: "
    return front + b"a" * (octets - len(front) - 4) + b"\r\n\r\n"


# --- what the words of the configuration bound -----------------------------------------------------------------------


@pytest.mark.parametrize("piece_octets", [0, 1, 7, 1000])
@pytest.mark.parametrize(("bufsize", "maxrewrite"), [(16384, 1024), (8192, 4096), (2048, 0)])
def test_a_head_may_have_bufsize_less_maxrewrite_octets(bufsize: int, maxrewrite: int, piece_octets: int) -> None:
    for octets, status in ((bufsize - maxrewrite, 0), (bufsize - maxrewrite + 1, 400)):
        line = Line(Limits(bufsize, maxrewrite, 101))
        line.sends(head_of(octets), piece_octets)
        assert line.verdict() == status


@pytest.mark.parametrize("maxhdr", [2, 101, 200])
def test_a_head_may_have_maxhdr_lines_the_first_counted(maxhdr: int) -> None:
    for others, status in ((maxhdr - 2, 0), (maxhdr - 1, 400)):
        line = Line(Limits(16384, 1024, maxhdr))
        line.sends(b"GET / HTTP/1.1\r\nHost: a\r\n" + b"x: y\r\n" * others + b"\r\n")
        assert line.verdict() == status


@pytest.mark.parametrize("piece_octets", [0, 1, 100])
def test_an_answers_head_is_bounded_as_a_requests(piece_octets: int) -> None:
    for octets, status in ((15360, b"200"), (15361, b"502")):
        line = Line()
        line.sends(GET)
        front = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nx: "
        answer = front + b"a" * (octets - len(front) - 4) + b"\r\n\r\n"
        for begin in range(0, octets, piece_octets or octets):
            if line.side.exchange is not None:
                line.answers(answer[begin : begin + (piece_octets or octets)])
        assert line.wire.got[9:12] == status


def test_an_answer_may_have_maxhdr_lines() -> None:
    for count, status in ((100, b"200"), (101, b"502")):
        line = Line()
        line.sends(GET)
        line.answers(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * (count - 1) + b"Content-Length: 0\r\n\r\n")
        assert line.wire.got[9:12] == status


def test_a_head_without_end_is_refused_as_soon_as_it_is_too_long() -> None:
    line = Line()
    line.sends(b"GET /" + b"a" * 20000, 1)
    assert line.verdict() == 400
    line = Line()
    line.sends(GET)
    line.answers(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 15360)
    assert line.wire.got[9:12] == b"502"


# --- what no word of HAProxy's bounds --------------------------------------------------------------------------------


@pytest.mark.parametrize("piece_octets", [0, 1, 2, 3])
def test_some_empty_lines_may_come_before_a_request(piece_octets: int) -> None:
    for count, status in ((LEADING_EMPTY_LINES_MAX, 0), (LEADING_EMPTY_LINES_MAX + 1, 400)):
        line = Line()
        line.sends(b"\r\n" * count + GET, piece_octets)
        assert line.verdict() == status


def test_a_train_of_interim_answers_has_an_end() -> None:
    line = Line()
    line.sends(GET)
    line.answers(b"HTTP/1.1 102 Processing\r\n\r\n" * INTERIM_COUNT_MAX)
    assert line.side.exchange is not None
    line.answers(OK)
    assert line.wire.got.endswith(OK)
    line = Line()
    line.sends(GET)
    for _ in range(INTERIM_COUNT_MAX + 1):
        line.answers(b"HTTP/1.1 102 Processing\r\n\r\n")
    assert line.wire.got.count(b"HTTP/1.1 102 ") == INTERIM_COUNT_MAX
    assert b"\r\nHTTP/1.1 502 " in line.wire.got


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.parametrize(
    ("taken", "refused"),
    [
        (b"0" * (SIZE_DIGITS_MAX - 1) + b"1\r\n", b"0" * SIZE_DIGITS_MAX + b"1\r\n"),
        (b"1;" + b"x" * (EXTENSION_LINE_MAX - 1) + b"\r\n", b"1;" + b"x" * EXTENSION_LINE_MAX + b"\r\n"),
        (b"0\r\nx:" + b"a" * (TRAILER_OCTETS_MAX - 8) + b"\r\n", b"0\r\nx:" + b"a" * TRAILER_OCTETS_MAX),
    ],
    ids=["size", "extension", "trailer"],
)
def test_what_frames_chunks_is_bounded(taken: bytes, refused: bytes, is_whole: bool) -> None:
    for data, is_bad in ((taken, False), (refused, True)):
        body = Body(CHUNKED, 0, True)
        for begin in range(0, len(data), len(data) if is_whole else 1):
            if not body.is_bad:
                body.feed(data if is_whole else data[begin : begin + 1], 0)
        assert body.is_bad is is_bad


# --- pipelining ------------------------------------------------------------------------------------------------------


def test_pipelined_requests_beyond_one_buffer_hold_the_client_up() -> None:
    line = Line()
    line.sends(GET)
    line.sends(GET * 2000, len(GET))
    assert not line.wire.is_reading
    waiting = len(line.side.pending) - line.side.begin
    assert waiting <= line.world.services.limits.head_octets_max + len(GET)
    count = 1 + waiting // len(GET)
    for number in range(count):
        line.answers()
        assert line.wire.got.count(OK) == number + 1
    assert (line.wire.is_reading, line.side.state, line.side.pending) == (True, IDLE, b"")


@pytest.mark.parametrize("behind", [GET, GET[:9]])
def test_what_comes_behind_a_body_that_was_waited_for_is_read_although_its_request_had_no_server(behind: bytes) -> None:
    line = Line(world=World(backend_record(*images(1, disabled=True), buffers_requests=True)))
    line.sends(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    line.sends(b"cd" + behind)
    line.sends(GET[len(behind) :] or GET)
    assert line.wire.got.count(b"HTTP/1.1 503 ") == line.wire.got.count(b"HTTP/1.1") == (3 if behind == GET else 2)
    assert line.side.state == IDLE and line.side.pending == b""


@pytest.mark.parametrize("tail", [b"", b"GET /last HT", b"\r\n", b"\r\n\r"])
def test_requests_that_come_in_one_read_are_answered_in_order_and_the_rest_is_kept(tail: bytes) -> None:
    line = Line()
    post = b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    line.sends((GET + post) * 50 + tail)
    for number in range(100):
        exchange = line.side.exchange
        assert exchange is not None
        assert exchange.head.method == (b"POST" if number % 2 else b"GET")
        line.answers()
    assert line.side.pending[line.side.begin :] == tail
    rest = b"GET /last HTTP/1.1\r\nHost: a\r\n\r\n"
    line.sends(rest[len(tail) :] if tail.startswith(b"G") else b"\n" + rest if tail.endswith(b"\r") else rest, 1)
    exchange = line.side.exchange
    assert exchange is not None
    assert exchange.head.target == b"/last"


def test_what_a_client_says_before_its_tunnel_stands_reaches_the_server_from_where_the_head_ended() -> None:
    line = Line()
    upgrade = b"GET /t HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    line.sends(upgrade + b"early")
    server = line.world.connects()
    line.answers(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
    assert server.got.endswith(b"\r\n\r\nearly")


# --- work ------------------------------------------------------------------------------------------------------------


def work(octets: int) -> int:
    """How many octets are looked at, or copied when they are joined, for a head of that size in one-octet segments."""
    line = Line(Limits(octets + 2048, 1024, 101))
    data = head_of(octets)
    done = 0
    for begin in range(octets):
        before = line.side.gathered
        line.side.data_received(data[begin : begin + 1])
        if before is not None and line.side.gathered is not before:
            done += before.looked_octets + len(data[: begin + 1])
    assert line.verdict() == 0
    return done


def test_the_work_for_a_head_in_one_octet_segments_grows_with_its_size_not_with_the_square() -> None:
    for octets in (1000, 4000):
        assert work(octets) <= 8 * octets
        assert work(2 * octets) <= 2.1 * work(octets)


def test_a_gathered_head_is_due_when_its_end_or_an_ill_octet_has_come() -> None:
    gathered = Gathered(b"GET / HTTP/1.1\r")
    assert not gathered.add(b"\n")
    assert not gathered.add(b"\r")
    assert gathered.add(b"\n")
    assert gathered.joined(b"GET / HTTP/1.1\r") == b"GET / HTTP/1.1\r\n\r\n"
    assert Gathered(b"GET").add(b"\0")


def test_each_line_of_a_trailer_is_read_once_in_however_many_pieces_it_comes() -> None:
    body = Body(CHUNKED, 0, True)
    body.feed(b"0\r\n", 0)
    read: list[int] = []
    for octet in b"a: b\r\nc: d\r\n":
        body.feed(bytes([octet]), 0)
        read.append(body.trailer_read)
    assert read == [0] * 5 + [6] * 6 + [12]
    assert not body.is_bad
    body.feed(b"e f: g\r\n", 0)
    assert body.is_bad


def test_the_page_of_limits_has_the_figures_of_the_source() -> None:
    page = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
    figures = {
        "LEADING_EMPTY_LINES_MAX": LEADING_EMPTY_LINES_MAX,
        "INTERIM_COUNT_MAX": INTERIM_COUNT_MAX,
        "SIZE_DIGITS_MAX": SIZE_DIGITS_MAX,
        "EXTENSION_LINE_MAX": EXTENSION_LINE_MAX,
        "EXTENSION_OCTETS_MAX": EXTENSION_OCTETS_MAX,
        "TRAILER_OCTETS_MAX": TRAILER_OCTETS_MAX,
    }
    for name, figure in figures.items():
        assert f"| `{name}` | {figure} |" in page
