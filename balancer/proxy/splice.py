"""Large bodies, kernel to kernel: splice(2) from one socket into a pipe and from the pipe into the other socket.

While a `Splice` runs, one direction of an exchange is its own: the transport that would read is paused, that which would write
has nothing left to write, and both descriptors are dup'ed, since a loop refuses to watch a transport's own. A paused transport
sees neither an end nor a reset; the dup's readiness does. It reads only into an empty pipe, so an end is never seen before what
came before it has left. It takes exactly what belongs to the body, so what is pipelined behind stays in the kernel.

It ends in one of four ways (`over`), or is stopped by the end of its exchange. The dups are closed before anybody closes a
transport: while one lives, a close sends no FIN and no reset. A pipe with octets left in it is closed and never used again: no
octet may reach another visitor. Whatever cannot be had, a pipe or a descriptor, leaves the body on the copying path.
"""

import fcntl
import os
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from balancer.backend.farm import Farm
from balancer.backend.outgoing import narrow
from balancer.http.framing import LENGTH, UNTIL_CLOSE, Body

if TYPE_CHECKING:
    from balancer.proxy.exchange import Exchange

# Below this the two system calls, the dups and the watch cost more than the copies that they save (docs/benchmarks.md).
SPLICED_OCTETS_MIN: Final = 65536
# Never reached: nothing is spliced.
NOTHING_IS_SPLICED: Final = 1 << 62
NO_END: Final = -1
# fcntl(2): the size of a pipe.
SET_PIPE_SIZE: Final = 1031
PIPE_OCTETS_WANTED: Final = 1 << 20
# A smaller one, unless it is asked for, costs more calls than the copies.
PIPE_OCTETS_MIN: Final = 65536
PAGE_OCTETS: Final = 4096
IDLE_PIPES_MAX: Final = 32
# Pipes full that are moved in one turn of the loop.
ROUNDS_MAX: Final = 2
# The kernel makes a receive buffer the larger the more of it is taken at once: behind a client that stops reading, 5 to 20 MiB
# were found in it. So large buffers are for few: where more bodies than these are under way, those of the others are bounded.
CROWD: Final = 16
CROWDED_OCTETS: Final = 131072
FLAGS: Final = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE

WAITING: Final = 0  # for the destination to have nothing left to write
RUNNING: Final = 1
OVER: Final = 2

# How it ends.
ALL_MOVED: Final = 0
SOURCE_ENDED: Final = 1
SOURCE_LOST: Final = 2
DESTINATION_LOST: Final = 3


class Pipe:
    """Two descriptors and how many octets they hold between them."""

    def __init__(self, reader: int, writer: int, capacity: int) -> None:
        self.reader = reader
        self.writer = writer
        self.capacity = capacity

    def close(self) -> None:
        """Gives the descriptors back, and whatever is in it."""
        os.close(self.reader)
        os.close(self.writer)


class Pipes:
    """The pipes of a worker: at most `count_max` at a time, a few of them kept between two bodies."""

    def __init__(self, farm: Farm, count_max: int, octets_wanted: int) -> None:
        self.farm = farm
        self.count_max = count_max
        self.octets_wanted = octets_wanted or PIPE_OCTETS_WANTED
        self.idle: list[Pipe] = []
        self.spare: int = 0  # how few there were at least since the last `purge`

    def take(self) -> Pipe | None:
        """An empty pipe; None where there are enough already or the kernel gives none."""
        farm = self.farm
        if farm.pipes_used >= self.count_max:
            return None
        pipe = self.idle.pop() if self.idle else self._open()
        if pipe is not None:
            farm.pipes_used += 1
            farm.pipes_free = len(self.idle)
            self.spare = min(self.spare, len(self.idle))
        return pipe

    def give(self, pipe: Pipe, is_empty: bool) -> None:
        """Takes one back."""
        self.farm.pipes_used -= 1
        if is_empty and len(self.idle) < IDLE_PIPES_MAX:
            self.idle.append(pipe)
            self.farm.pipes_free = len(self.idle)
        else:
            pipe.close()

    def purge(self) -> None:
        """Closes what has not been wanted since the last time."""
        for pipe in self.idle[: self.spare]:
            pipe.close()
        del self.idle[: self.spare]
        self.farm.pipes_free = self.spare = len(self.idle)

    def _open(self) -> Pipe | None:
        try:
            reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        # An ordinary user's pages are bounded (/proc/sys/fs/pipe-user-pages-soft): then it is a smaller one, or none worth it.
        wanted = self.octets_wanted
        capacity = 0
        while not capacity and wanted >= PAGE_OCTETS:
            try:
                capacity = int(fcntl.fcntl(writer, SET_PIPE_SIZE, wanted))
            except OSError:
                wanted //= 2
        pipe = Pipe(reader, writer, capacity)
        if capacity >= min(self.octets_wanted, PIPE_OCTETS_MIN):
            return pipe
        pipe.close()
        return None


@mypyc_attr(allow_interpreted_subclasses=True)
class Splice:
    """One direction of an exchange; see the module."""

    def __init__(self, exchange: "Exchange", pipes: Pipes, body: Body) -> None:
        self.exchange = exchange
        self.pipes = pipes
        self.body = body
        self.state: int = WAITING
        self.pipe: Pipe | None = None
        self.held: int = 0  # octets in the pipe
        self.source: int = -1
        self.destination: int = -1
        self.is_watched: bool = False  # the loop tells when the source has more
        self.is_continued: bool = False  # it goes on in the next turn of the loop
        self.is_blocked: bool = False  # the destination takes no more for now: the loop tells when it does

    # --- what the two directions differ in ---------------------------------------------------------------------------

    def can_begin(self) -> bool:
        """Whether the destination has nothing left to write; if not, its `resume_writing` leads here again."""
        raise AssertionError("a direction knows its destination")

    def lend(self) -> None:
        """Sets `source` and `destination` to dups. Raises OSError where there are none."""
        raise AssertionError("a direction knows its sockets")

    def give_up(self) -> None:
        """Back to the copying path."""
        raise AssertionError("a direction knows its source")

    def tell_blocked(self) -> None:
        """Tells the destination's side whether it reads slower than the source sends."""
        raise AssertionError("a direction knows its destination")

    def count(self, octets: int) -> None:
        """So many octets more have come."""
        self.body.data_octets += octets

    def over(self, how: int, now: float) -> None:
        """It has ended by itself."""
        raise AssertionError("a direction knows what follows")

    # --- the same for both -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Starts as soon as the destination has nothing left to write."""
        if self.state != WAITING:
            return
        try:
            if self.can_begin() and self.state == WAITING:
                self._begin()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one exchange
            self.exchange.crash(error)

    def _begin(self) -> None:
        pipe = self.pipes.take()
        if pipe is None:
            self.state = OVER
            self.give_up()
            return
        self.pipe = pipe
        try:
            self.lend()
            if self.pipes.farm.pipes_used > CROWD:
                narrow(self.source, CROWDED_OCTETS)
        except OSError:
            self.stop()
            self.give_up()
            return
        self.state = RUNNING
        self._take()

    def stop(self) -> None:
        """Lets go of everything; the exchange goes on or ends without it."""
        was_running = self.state == RUNNING
        self.state = OVER
        if was_running:
            self._watch_source(False)
            if self.is_blocked:
                self.exchange.services.loop.remove_writer(self.destination)
                self.is_blocked = False
                self.tell_blocked()
        for descriptor in (self.source, self.destination):
            if descriptor >= 0:
                os.close(descriptor)
        self.source = self.destination = -1
        if self.pipe is not None:
            self.pipes.give(self.pipe, self.held == 0)
            self.pipe = None

    def _watch_source(self, is_wanted: bool) -> None:
        """Asks the loop to tell of the source only when there is something to wait for: a watch is six system calls."""
        if is_wanted == self.is_watched:
            return
        self.is_watched = is_wanted
        loop = self.exchange.services.loop
        if is_wanted:
            loop.add_reader(self.source, self._readable)
        else:
            loop.remove_reader(self.source)

    def _end(self, how: int) -> None:
        self.stop()
        self.over(how, self.exchange.services.now())

    def _readable(self) -> None:
        try:
            if self.state == RUNNING and not self.is_blocked and not self.is_continued:
                self._take()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one exchange
            self.exchange.crash(error)

    def _writable(self) -> None:
        try:
            if self.state == RUNNING and self._pass_on():
                self._take()
        except Exception as error:  # noqa: BLE001 - an edge: one fault ends one exchange
            self.exchange.crash(error)

    def _take(self) -> None:
        """Moves what is there, a few pipes full at most, so that no body holds the loop.

        It reads on until there is nothing: with an error on the socket the loop tells once that it is readable and then watches
        it no more, so octets that were left behind would never be heard of again.
        """
        for _ in range(ROUNDS_MAX):
            if not self._take_once():
                return
        if not self.is_continued:
            self.is_continued = True
            self.exchange.services.loop.call_soon(self._continue)

    def _continue(self) -> None:
        self.is_continued = False
        self._readable()

    def _take_once(self) -> bool:
        """One pipe full; False where it has ended, or somebody has to be waited for."""
        pipe = self.pipe
        assert pipe is not None and self.held == 0
        body = self.body
        wanted = pipe.capacity
        if body.kind == LENGTH and body.left < wanted:
            wanted = int(body.left)
        try:
            taken = os.splice(self.source, pipe.writer, wanted, flags=FLAGS)
        except BlockingIOError:
            self._watch_source(True)
            return False
        except OSError:
            self._end(SOURCE_LOST)
            return False
        if taken == 0:
            self._end(SOURCE_ENDED)
            return False
        self.held = taken
        if body.kind == LENGTH:
            body.left -= taken
        self.pipes.farm.spliced_octets += taken
        self.count(taken)
        return self._pass_on()

    def _pass_on(self) -> bool:
        """Empties the pipe; False where it has ended, or the destination has to be waited for."""
        pipe = self.pipe
        assert pipe is not None
        exchange = self.exchange
        loop = exchange.services.loop
        while self.held:
            try:
                self.held -= os.splice(pipe.reader, self.destination, self.held, flags=FLAGS)
            except BlockingIOError:
                if not self.is_blocked:
                    self._watch_source(False)
                    loop.add_writer(self.destination, self._writable)
                    self.is_blocked = True
                    self.tell_blocked()
                exchange.arm(exchange.services.now())
                return False
            except OSError:
                self._end(DESTINATION_LOST)
                return False
        if self.is_blocked:
            loop.remove_writer(self.destination)
            self.is_blocked = False
            self.tell_blocked()
        if self.body.kind == LENGTH and self.body.left == 0:
            self._end(ALL_MOVED)
            return False
        exchange.arm(exchange.services.now())
        return True


class AnswerSplice(Splice):
    """From the server to the client."""

    def can_begin(self) -> bool:
        """Whether the client has nothing left to be written."""
        client = self.exchange.client
        return not client.is_gone and client.is_rid_of_all()

    def lend(self) -> None:
        """See `Splice`."""
        channel = self.exchange.channel
        assert channel is not None
        self.source = channel.lend()
        self.destination = self.exchange.client.lend()

    def give_up(self) -> None:
        """The server is read again."""
        if self.exchange.channel is not None:
            self.exchange.channel.resume_reading()

    def tell_blocked(self) -> None:
        """See `Splice`."""
        self.exchange.client.is_blocked = self.is_blocked

    def over(self, how: int, now: float) -> None:
        """See `Splice`."""
        exchange = self.exchange
        answer = exchange.answer
        assert answer is not None
        if how == ALL_MOVED:
            self.body.is_done = True
            answer.complete(now)
        elif how == DESTINATION_LOST:
            exchange.client_ended(True, now)
        else:
            exchange.server_ended(how == SOURCE_ENDED, now)


class UploadSplice(Splice):
    """From the client to the server."""

    def can_begin(self) -> bool:
        """Whether the server has nothing left to be written."""
        channel = self.exchange.channel
        return channel is not None and not channel.is_lost and channel.is_rid_of_all()

    def lend(self) -> None:
        """See `Splice`."""
        channel = self.exchange.channel
        assert channel is not None
        self.source = self.exchange.client.lend()
        self.destination = channel.lend()

    def give_up(self) -> None:
        """The client is read again."""
        self.exchange.client.resume_upload()

    def tell_blocked(self) -> None:
        """See `Splice`."""
        if self.exchange.channel is not None:
            self.exchange.channel.is_blocked = self.is_blocked

    def count(self, octets: int) -> None:
        """See `Splice`."""
        self.body.data_octets += octets
        if self.exchange.channel is not None:
            self.exchange.channel.written_octets += octets

    def over(self, how: int, now: float) -> None:
        """See `Splice`. A server that takes no more has said or will say why: its own side tells."""
        exchange = self.exchange
        if how == ALL_MOVED:
            self.body.is_done = True
            exchange.client.resume_upload()
            exchange.arm(now)
        elif how == DESTINATION_LOST:
            exchange.arm(now)
        else:
            if how == SOURCE_ENDED:
                exchange.client.has_ended = True
            exchange.client_ended(how == SOURCE_LOST, now)


class Splices:
    """The two directions of one exchange."""

    def __init__(self) -> None:
        self.answer: AnswerSplice | None = None
        self.upload: UploadSplice | None = None

    def stop(self) -> None:
        """The exchange is over."""
        if self.answer is not None:
            self.answer.stop()
        if self.upload is not None:
            self.upload.stop()

    def holds_answer(self) -> bool:
        """Whether the answer is on its way here; one that waits for the client to be rid of all begins."""
        if self.answer is None or self.answer.state == OVER:
            return False
        self.answer.begin()
        return True

    def holds_upload(self) -> bool:
        """Whether the request's body is on its way here; one that waits for the server to be rid of all begins."""
        if self.upload is None or self.upload.state == OVER:
            return False
        self.upload.begin()
        return True


def splices_of(exchange: "Exchange") -> Splices:
    """Those of the exchange, made when first asked for."""
    splices = exchange.splices
    if splices is None:
        splices = exchange.splices = Splices()
    return splices


def consider_answer(exchange: "Exchange", body: Body) -> None:
    """Takes the rest of an answer's body over where that may be and is worth it."""
    pipes = exchange.services.pipes
    channel = exchange.channel
    if pipes is None or channel is None or not exchange.route.splices_answers or exchange.is_local:
        return
    if not (body.kind == LENGTH or (body.kind == UNTIL_CLOSE and not body.writes_chunks)):
        return
    splices = splices_of(exchange)
    if splices.answer is not None:
        return
    splices.answer = AnswerSplice(exchange, pipes, body)
    channel.pause_reading()
    # What was written in this turn of the loop leaves at its end.
    exchange.services.loop.call_soon(splices.answer.begin)


def consider_upload(exchange: "Exchange") -> None:
    """Takes the rest of a request's body over where that may be and is worth it."""
    pipes = exchange.services.pipes
    upload = exchange.upload
    if pipes is None or upload.kind != LENGTH or not exchange.route.splices_requests or exchange.is_local:
        return
    splices = splices_of(exchange)
    if splices.upload is not None:
        return
    splices.upload = UploadSplice(exchange, pipes, upload)
    exchange.release_held()
    exchange.client.pause_upload()
    exchange.services.loop.call_soon(splices.upload.begin)
