"""Sessions on the stats sockets: lines in, answers out, byte for byte as HAProxy talks.

A line is a list of commands parted by `;` (`\\;` is literal), ended by LF or CRLF; `#` begins a comment. Without `prompt` the
session ends after the answers to what has come; with it each answer is followed by `> `. A silent session ends after `stats
timeout`. Bounds: the octets of a line, the sessions of a socket, and the answer that a slow reader may leave lying.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Final, cast

from balancer import model
from balancer.admin.commands import execute
from balancer.observe.info import ProcessInfo

LINE_OCTETS_MAX: Final = 16384
SESSIONS_MAX: Final = 10  # HAProxy's default of `stats maxconn`


def split_commands(line: str) -> list[list[str]]:
    """The commands of one line, each as its words; an empty line is one command without words."""
    commands: list[list[str]] = []
    words: list[str] = []
    word = ""
    i = 0
    while i < len(line):
        octet = line[i]
        if octet == "\\" and line[i + 1 : i + 2] in (";", "\\", " ", "#"):
            word += line[i + 1]
            i += 1
        elif octet == "#" and not word:
            break
        elif octet in ("; \t"):
            if word:
                words.append(word)
                word = ""
            if octet == ";":
                commands.append(words)
                words = []
        else:
            word += octet
        i += 1
    if word:
        words.append(word)
    if words or not commands:
        commands.append(words)
    return commands


class Session(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: "StatsSocketServer", config: model.StatsSocket) -> None:
        self.server = server
        self.level = config.level
        self.has_prompt = False
        self.is_over = False
        self.is_blocked = False
        self.timeout_s = server.timeout_s
        self.pending = b""
        self.timer: asyncio.TimerHandle | None = None
        self.transport: asyncio.Transport | None = None

    def __repr__(self) -> str:
        return f"<Session level={self.level} prompt={self.has_prompt} pending={len(self.pending)}>"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A tool has connected."""
        self.transport = cast(asyncio.Transport, transport)  # uvloop's transports derive from no class of asyncio's
        self.server.sessions.add(self)
        if len(self.server.sessions) > SESSIONS_MAX:
            self.transport.abort()
            return
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Octets of lines."""
        self._arm()
        self.pending += data
        self._advance()
        if len(self.pending) > LINE_OCTETS_MAX and self.transport is not None:
            self.transport.abort()

    def eof_received(self) -> bool:
        """The tool sends no more; an unterminated line is dropped, answers under way still go out."""
        self.is_over = True
        if not self.is_blocked and self.transport is not None:
            self.transport.close()
        return True

    def pause_writing(self) -> None:
        """The tool does not read: nothing more is done for it until it does."""
        self.is_blocked = True
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The tool reads on."""
        self.is_blocked = False
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
            self._arm()
            self._advance()

    def connection_lost(self, error: Exception | None) -> None:
        """The session is over."""
        self.transport = None
        self.server.sessions.discard(self)
        if self.timer is not None:
            self.timer.cancel()

    def set_timeout(self, timeout_s: float) -> None:
        """`set timeout cli`: for this session only."""
        self.timeout_s = timeout_s
        self._arm()

    def _advance(self) -> None:
        """Answers every complete line, as long as the tool reads."""
        answered = False
        while not self.is_blocked and not self.is_over:
            end = self.pending.find(b"\n")
            if end < 0:
                break
            line = self.pending[:end].removesuffix(b"\r")
            self.pending = self.pending[end + 1 :]
            answered = True
            self._answer(split_commands(line.decode("utf-8", "replace")))
        if answered and not self.is_blocked and not self.has_prompt:
            self.is_over = True
        if self.is_over and not self.is_blocked and self.transport is not None:
            self.transport.close()

    def _answer(self, commands: list[list[str]]) -> None:
        """Answers the commands of one line."""
        for words in commands:
            text = execute(self, self.server.info, words)
            if self.is_over or self.transport is None:
                return
            self.transport.write(text.encode() + (b"\n> " if self.has_prompt else b"\n"))

    def _arm(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.server.loop.call_later(self.timeout_s, self._late) if self.timeout_s else None

    def _late(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class StatsSocketServer:
    """All stats sockets of a process."""

    def __init__(self, info: ProcessInfo, loop: asyncio.AbstractEventLoop) -> None:
        self.info = info
        self.loop = loop
        self.timeout_s = info.config.process.stats_timeout_s
        self.sessions: set[Session] = set()
        self.servers: list[asyncio.AbstractServer] = []

    async def start(self, listening: list[tuple[model.StatsSocket, socket.socket]]) -> None:
        """Begins to answer on sockets that already listen."""
        for config, sock in listening:
            self.servers.append(await self.loop.create_unix_server(self._factory(config), sock=sock))

    def _factory(self, config: model.StatsSocket) -> Callable[[], Session]:
        return lambda: Session(self, config)

    def close(self) -> None:
        """Ends all sessions and stops listening."""
        for server in self.servers:
            server.close()
        for session in list(self.sessions):
            if session.transport is not None:
                session.transport.abort()
