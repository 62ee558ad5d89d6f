"""Sessions on the stats sockets: a `Conversation` each, with bounds on time, number and what a slow reader leaves lying.

One command is run per turn of the loop, so a long list of them does not hold up the traffic; none is run while the answers
before it have not been read. A session that is silent for `stats timeout` is closed. As many sessions as `stats maxconn` has
room for are served; later ones wait, their first words unread, for one of them to end.
"""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import balancer.admin.every  # noqa: F401 - every command, in the table
from balancer import model
from balancer.admin.conversation import Conversation
from balancer.admin.handover import GETSOCKS, give
from balancer.observe.info import ProcessInfo
from balancer.observe.ring import Ring

WAITING_MAX: Final = 128


class Session(asyncio.Protocol):
    """One connection. It waits for its turn, talks, and is closed by either side."""

    def __init__(self, server: "StatsSocketServer", config: model.StatsSocket) -> None:
        self.server = server
        self.config = config
        self.hands_over = config.exposes_listeners and config.level == "admin"
        self.conversation = Conversation(server.info, config.level, server.timeout_s)
        self.conversation.talk.severity_form = config.severity_form
        self.transport: asyncio.Transport | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_blocked = False
        self.is_due = False
        self.has_turn = False
        self.ring: Ring | None = None  # whose lines it waits for
        self.giving: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Session {self.conversation!r} blocked={self.is_blocked}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A tool has connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports derive from no class of asyncio's
        self.server.enter(self)

    def begin(self) -> None:
        """Its turn has come."""
        assert self.transport is not None
        self.has_turn = True
        self.transport.resume_reading()
        self._arm()
        self._proceed()

    def data_received(self, data: bytes) -> None:
        """Octets of lines."""
        transport = self.transport
        if transport is None:
            return
        if data == GETSOCKS:
            # As HAProxy: who may not have them is left without a word.
            transport.pause_reading()
            if self.hands_over:
                self.giving = self.server.loop.create_task(self._give())
            else:
                transport.close()
        elif not self.conversation.hear(data):
            transport.abort()
        elif self.has_turn:
            self._arm()
            self._proceed()
        else:
            transport.pause_reading()

    async def _give(self) -> None:
        """Hands the listening sockets over, in a thread of its own: the exchange waits for the other side."""
        assert self.transport is not None
        with self.transport.get_extra_info("socket").dup() as twin:
            with contextlib.suppress(OSError):
                await asyncio.to_thread(give, twin, self.server.listening)
        if self.transport is not None:
            self.transport.close()

    def eof_received(self) -> bool:
        """The tool sends no more; what it has asked is still answered."""
        self.conversation.end()
        self._proceed()
        return True

    def pause_writing(self) -> None:
        """The tool does not read: nothing more is done for it until it does."""
        self.is_blocked = True
        self._arm()
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The tool reads on."""
        self.is_blocked = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            self._arm()
            self._proceed()

    def connection_lost(self, error: Exception | None) -> None:
        """The session is over."""
        self.transport = None
        self._watch(None)
        if self.timer is not None:
            self.timer.cancel()
        self.server.leave(self)

    def _proceed(self) -> None:
        if not self.is_due:
            self.is_due = True
            self.server.loop.call_soon(self._advance)

    def _advance(self) -> None:
        """Gives one answer, and comes back for the next one in the next turn of the loop."""
        self.is_due = False
        transport = self.transport
        if transport is None or transport.is_closing() or self.is_blocked or not self.has_turn:
            return
        answer = self.conversation.answer()
        following = self.conversation.following
        self._watch(None if following is None else following.ring)
        if answer is not None:
            transport.write(answer)
        if answer is not None or following is not None:
            self._arm()
        if self.conversation.is_over:
            transport.close()
        elif answer is not None:
            self._proceed()

    def _watch(self, ring: Ring | None) -> None:
        """Is woken by the lines of that ring, and by no other's."""
        if self.ring is not None:
            self.ring.watchers.discard(self._proceed)
        self.ring = ring
        if ring is not None:
            ring.watchers.add(self._proceed)

    def _arm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        # Who follows a ring may be silent for as long as it reads.
        is_patient = self.conversation.following is not None and not self.is_blocked
        limit_s = 0.0 if is_patient else self.conversation.talk.timeout_s
        self.timer = self.server.loop.call_later(limit_s, self._late) if limit_s else None

    def _late(self) -> None:
        transport = self.transport
        if transport is None:
            return
        if self.is_blocked or transport.is_closing():
            transport.abort()
        else:
            transport.close()


class StatsSocketServer:
    """All stats sockets of a process."""

    def __init__(self, info: ProcessInfo, loop: asyncio.AbstractEventLoop, listening: list[socket.socket]) -> None:
        self.info = info
        self.loop = loop
        self.listening = listening  # the traffic's sockets, for a successor
        self.timeout_s = info.config.process.stats_timeout_s
        self.sessions_max = info.config.process.stats_maxconn
        self.sessions: set[Session] = set()
        self.waiting: deque[Session] = deque()
        self.servers: list[asyncio.AbstractServer] = []

    def __repr__(self) -> str:
        return f"<StatsSocketServer sessions={len(self.sessions)} waiting={len(self.waiting)}>"

    async def start(self, listening: list[tuple[model.StatsSocket, socket.socket]]) -> None:
        """Begins to answer on sockets that already listen."""
        for config, sock in listening:
            if sock.family == socket.AF_UNIX:
                self.servers.append(await self.loop.create_unix_server(self._maker(config), sock=sock))
            else:
                self.servers.append(await self.loop.create_server(self._maker(config), sock=sock))

    def close(self) -> None:
        """Ends all sessions and stops listening."""
        for server in self.servers:
            server.close()
        for session in [*self.waiting, *self.sessions]:
            if session.transport is not None:
                session.transport.abort()

    def enter(self, session: Session) -> None:
        """Takes a new session in, or lets it wait; beyond the bound it is turned away."""
        assert session.transport is not None
        if self._has_room(session):
            self.sessions.add(session)
            session.begin()
            return
        if len(self.waiting) < WAITING_MAX:
            self.waiting.append(session)
        else:
            session.transport.abort()

    def leave(self, session: Session) -> None:
        """A session has ended: who has waited longest comes in."""
        if session in self.waiting:
            self.waiting.remove(session)
            return
        self.sessions.discard(session)
        for following in list(self.waiting):
            if following.transport is None or following.transport.is_closing():
                self.waiting.remove(following)
            elif self._has_room(following):
                self.waiting.remove(following)
                self.sessions.add(following)
                following.begin()

    def _has_room(self, session: Session) -> bool:
        own_max = session.config.maxconn
        if own_max and sum(1 for each in self.sessions if each.config is session.config) >= own_max:
            return False
        return len(self.sessions) < self.sessions_max

    def _maker(self, config: model.StatsSocket) -> Callable[[], Session]:
        return lambda: Session(self, config)
