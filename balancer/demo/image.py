"""One embedded image: a listener of its own, the site behind it, and faults on request.

An image is UP, FROZEN (as by SIGSTOP: the kernel goes on accepting, nothing is read, nothing is sent), REFUSING (no listener,
each connection closed with its next answer, sessions kept) or DOWN (no listener, connections cut, sessions lost); `_enter` is
the only move. An UP image may besides be slow, or cut its next answers off in the middle by a reset. Each request is carried
out once, at the moment it is complete, whatever happens to its answer. Connections and what each may keep in memory are
bounded.
"""

import asyncio
import contextlib
import enum
import random
import socket
import struct
import time
from collections.abc import Callable
from typing import Final, Self

from balancer.demo.site import Counters, Site
from balancer.demo.wire import SWAZOO, Reply, RequestReader, Stage, WebServer

CONNECTIONS_MAX: Final = 1000
SWEEP_INTERVAL_S: Final = 1.0
RESET_DELAY_S: Final = 0.02  # the first half of an aborted answer must have left before the reset overtakes it
LINGER_NONE: Final = struct.pack("ii", 1, 0)  # closing then resets


class ImageState(enum.Enum):
    """Whether an image can be reached and answers."""

    UP = "up"
    FROZEN = "frozen"
    REFUSING = "refusing"
    DOWN = "down"


class Image:
    """A stand-in for one Seaside image.

    With port 0 the system gives one, which is kept through every restart. The wall clock dates the answers, `clock` ages
    sessions and connections. As an asynchronous context manager it is UP inside and DOWN afterwards.
    """

    def __init__(
        self,
        name: str = "app1",
        port: int = 0,
        host: str = "127.0.0.1",
        *,
        number: int = 1,
        web_server: WebServer = SWAZOO,
        seed: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        keys = random.SystemRandom() if seed is None else random.Random(f"{seed} {name}")
        self.name = name
        self.host = host
        self.port = port
        self.web_server = web_server
        self.site = Site(name, number, keys, clock)
        self.state = ImageState.DOWN
        self.delay_s = 0.0
        self.aborts_left = 0
        self.clock = clock
        self.wall_clock = wall_clock
        self._connections_max = connections_max
        self._connections: set[Connection] = set()
        self._accepting: set[asyncio.Task[None]] = set()
        self._listener: socket.socket | None = None
        self._is_accepting = False
        self._sweep_timer: asyncio.TimerHandle | None = None

    def __repr__(self) -> str:
        return f"<Image {self.name} {self.address} {self.condition()} connections={len(self._connections)}>"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.die()

    @property
    def address(self) -> str:
        """Host and port as a URL has them."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def counters(self) -> Counters:
        """What happened since the image was made; no fault sets it back."""
        return self.site.counters

    def live_session_count(self) -> int:
        """How many sessions would still be found."""
        return self.site.live_session_count()

    def connection_count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def condition(self) -> str:
        """The state and the faults, for people."""
        faults = [f"slow {self.delay_s * 1000:.0f} ms"] if self.delay_s else []
        faults += [f"aborts the next {self.aborts_left}"] if self.aborts_left else []
        return ", ".join([self.state.value, *faults])

    # Faults and their ends.

    async def start(self) -> None:
        """Opens the listener if there is none; raises OSError when the port is taken. A frozen image stays frozen."""
        if self._listener is None:
            self._enter(ImageState.UP)

    async def freeze(self) -> None:
        """Stops as SIGSTOP stops a process: connections are still accepted by the kernel, nothing is answered."""
        await self.start()
        self._enter(ImageState.FROZEN)

    async def thaw(self) -> None:
        """Goes on where `freeze` stopped; what came meanwhile is answered."""
        if self.state is ImageState.FROZEN:
            self._enter(ImageState.UP)

    async def refuse(self) -> None:
        """Takes what the kernel has accepted, then closes the listener, and each connection with its next answer.

        So a request that crosses the refusal is still answered; sessions wait for `start`.
        """
        await self.thaw()
        self._enter(ImageState.REFUSING)

    async def die(self) -> None:
        """Ends as a killed process does: listener and connections closed, sessions lost."""
        self._enter(ImageState.DOWN)

    async def restart(self) -> None:
        """Dies and is back at once, healthy and without sessions."""
        await self.die()
        await self.heal()

    async def slow(self, delay_ms: float) -> None:
        """Lets every answer wait; 0 ends it."""
        self.delay_s = delay_ms / 1000.0

    async def abort(self, count: int = 1) -> None:
        """Cuts the next answers off in the middle by a reset; 0 ends it."""
        self.aborts_left = count

    async def heal(self) -> None:
        """Ends every fault."""
        self.delay_s = 0.0
        self.aborts_left = 0
        await self.start()
        await self.thaw()

    # The state and what follows from it.

    def _enter(self, state: ImageState) -> None:
        if state in (ImageState.UP, ImageState.FROZEN) and self._listener is None:
            self._open_listener()
        if state is ImageState.REFUSING:
            while self._is_accepting and self._accept():
                pass
        self.state = state
        if state in (ImageState.REFUSING, ImageState.DOWN):
            self._close_listener()
        if state is ImageState.DOWN:
            self.site.forget_sessions()
        self._set_accepting()
        for connection in list(self._connections):
            connection.image_changed()

    def _open_listener(self) -> None:
        listener = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self.host, self.port))
            listener.listen(self.web_server.backlog)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        self._listener = listener
        self.port = listener.getsockname()[1]
        self.site.address = self.address
        self._sweep()

    def _close_listener(self) -> None:
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
        if self._listener is not None:
            self._stop_accepting()
            self._listener.close()
            self._listener = None

    def _set_accepting(self) -> None:
        has_room = len(self._connections) + len(self._accepting) < self._connections_max
        if self.state is not ImageState.UP or not has_room:
            self._stop_accepting()
        elif not self._is_accepting and self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
            self._is_accepting = True

    def _stop_accepting(self) -> None:
        if self._is_accepting and self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._is_accepting = False

    def _accept(self) -> bool:
        """Takes one connection from the kernel; whether there was one."""
        assert self._listener is not None
        try:
            accepted = self._listener.accept()[0]
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return False
        except OSError:  # no descriptor left: the next sweep tries again
            self._stop_accepting()
            return False
        accepted.setblocking(False)
        task = asyncio.get_running_loop().create_task(self._connect(accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepting.discard)
        self._set_accepting()
        return True

    async def _connect(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has already left
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), accepted)

    def _sweep(self) -> None:
        """Closes connections that have been idle for too long, and accepts again after a want of descriptors."""
        if self.state is not ImageState.FROZEN:
            idle_since_s = self.clock() - self.web_server.idle_s_max
            for connection in list(self._connections):
                connection.close_if_idle(idle_since_s)
            self._set_accepting()
        self._sweep_timer = asyncio.get_running_loop().call_later(SWEEP_INTERVAL_S, self._sweep)

    def connection_opened(self, connection: "Connection") -> None:
        """Counts a connection in."""
        self.counters.connections += 1
        self._connections.add(connection)

    def connection_closed(self, connection: "Connection") -> None:
        """Counts a connection out; one that waits in the backlog may come in."""
        self._connections.discard(connection)
        if self._listener is not None:
            self._set_accepting()


class Phase(enum.Enum):
    """What a connection does: it reads the next request, or an answer waits to be sent, or it is over."""

    READING = "reading"
    ANSWERING = "answering"
    OVER = "over"


class Connection(asyncio.Protocol):
    """One client's connection; its requests are answered one at a time, in order."""

    def __init__(self, image: Image) -> None:
        self._image = image
        self._reader = RequestReader()
        self._phase = Phase.READING
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._held: Reply | None = None  # an answer that is ready while the image is frozen
        self._is_paused = False
        self._is_choked = False  # the client does not read what is written to it
        self._has_client_finished = False  # it will send nothing more, and may still read
        self._heard_at_s = image.clock()

    def __repr__(self) -> str:
        return f"<Connection to {self._image.name} {self._phase.value} {self._reader!r}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The kernel's connection has become ours; the image may have changed since."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._image.connection_opened(self)
        self.image_changed()

    def connection_lost(self, exc: Exception | None) -> None:
        """Either side ended it; an answer that still waits is dropped."""
        self._end()
        self._image.connection_closed(self)

    def data_received(self, data: bytes) -> None:
        """Takes what came and answers what is complete."""
        self._heard_at_s = self._image.clock()
        self._reader.feed(data)
        self._advance()

    def eof_received(self) -> bool:
        """The client has said all; what it asked for is still answered, then the connection ends."""
        self._has_client_finished = True
        self._advance()
        return True

    def pause_writing(self) -> None:
        """The client does not read: no further request is looked at."""
        self._is_choked = True

    def resume_writing(self) -> None:
        """The client reads again."""
        self._is_choked = False
        self._advance()

    def image_changed(self) -> None:
        """Follows the image into its state."""
        if self._image.state is ImageState.DOWN:
            self._cut()
        else:
            if self._held is not None and self._image.state is not ImageState.FROZEN:
                reply, self._held = self._held, None
                self._send(reply)
            self._advance()

    def close_if_idle(self, since_s: float) -> None:
        """Closes a connection on which nothing was heard since then and nothing is under way."""
        if self._phase is Phase.READING and self._heard_at_s < since_s:
            self._close()

    def _advance(self) -> None:
        while self._phase is Phase.READING and not self._is_choked and self._image.state is not ImageState.FROZEN:
            request = self._reader.next_request()
            if request is None:
                break
            image = self._image
            if image.state is ImageState.REFUSING:
                request = request.as_last()
            reply = image.web_server.reply(image.site.answer(request), request, image.wall_clock())
            self._phase = Phase.ANSWERING
            if image.delay_s:
                self._timer = asyncio.get_running_loop().call_later(image.delay_s, self._delay_is_over, reply)
            else:
                self._send(reply)
        if self._reader.stage is Stage.DEAF and self._image.web_server.closes_on_nonsense:
            self._close()
        if self._has_client_finished and self._phase is Phase.READING and not self._is_choked:
            self._close()
        self._pace()

    def _pace(self) -> None:
        """Reads from the client only while there is room for what it says."""
        if self._transport is None or self._phase is Phase.OVER:
            return
        must_pause = self._image.state is ImageState.FROZEN or self._reader.is_full()
        if must_pause and not self._is_paused:
            self._transport.pause_reading()
        elif self._is_paused and not must_pause:
            self._transport.resume_reading()
        self._is_paused = must_pause

    def _delay_is_over(self, reply: Reply) -> None:
        self._timer = None
        if self._image.state is ImageState.FROZEN:
            self._held = reply
        else:
            self._send(reply)
            self._advance()

    def _send(self, reply: Reply) -> None:
        assert self._transport is not None and self._phase is Phase.ANSWERING, repr(self)
        if self._image.aborts_left:
            self._image.aborts_left -= 1
            self._send_half(reply)
            return
        for piece in reply.pieces:
            self._transport.write(piece)
        self._phase = Phase.READING
        if reply.closes:
            self._close()

    def _send_half(self, reply: Reply) -> None:
        assert self._transport is not None
        octets = b"".join(reply.pieces)
        self._transport.write(octets[: len(octets) // 2])
        self._timer = asyncio.get_running_loop().call_later(RESET_DELAY_S, self._reset)

    def _reset(self) -> None:
        assert self._transport is not None
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        self._cut()

    def _close(self) -> None:
        if self._phase is not Phase.OVER:
            self._end()
            assert self._transport is not None
            self._transport.close()

    def _cut(self) -> None:
        if self._phase is not Phase.OVER:
            self._end()
            assert self._transport is not None
            self._transport.abort()

    def _end(self) -> None:
        self._phase = Phase.OVER
        self._held = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
