"""Faults by a line of text: `freeze app3`, `slow all 200`, `status all`, on a socket of their own that nobody opens unasked.

One line in, one line for each image it concerned and an empty line out. Whoever says something that is no command is hung up
on at once: a page in a browser that posts to this port must not reach an image by the lines of its body.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from balancer.demo.image import Image

LINE_OCTETS_MAX: Final = 256
CLIENTS_MAX: Final = 16
CLIENT_IDLE_S: Final = 600.0
NUMBER_MAX: Final = 3_600_000


@dataclass(frozen=True)
class Command:
    """A word of the control language: what it does to one image, and its number if it takes one."""

    does: Callable[[Image, int], Awaitable[None]]
    help: str
    number: str = ""
    default: int | None = None


async def _nothing(image: Image, _: int) -> None:
    """`status` only asks."""


COMMANDS: Final[dict[str, Command]] = {
    "status": Command(_nothing, "says how the image is and what it has counted"),
    "freeze": Command(lambda image, _: image.freeze(), "stops it as SIGSTOP does: it is connected to and never answers"),
    "thaw": Command(lambda image, _: image.thaw(), "lets a frozen one go on"),
    "die": Command(lambda image, _: image.die(), "ends it: nobody listens, its sessions are lost"),
    "refuse": Command(lambda image, _: image.refuse(), "closes its port and keeps its sessions"),
    "start": Command(lambda image, _: image.start(), "opens the port of a dead or refusing one"),
    "restart": Command(lambda image, _: image.restart(), "ends it and starts it at once, without its sessions"),
    "slow": Command(lambda image, number: image.slow(number), "lets each answer wait; 0 ends it", "MILLISECONDS"),
    "abort": Command(lambda image, number: image.abort(number), "resets its next answers in the middle", "COUNT", 1),
    "heal": Command(lambda image, _: image.heal(), "ends every fault"),
}  # fmt: skip


def help_text() -> str:
    """The control language, a line for each command."""
    heads = {name: " ".join(filter(None, (name, "IMAGE|all", _shown_number(command)))) for name, command in COMMANDS.items()}
    width = max(map(len, heads.values()))
    return "\n".join(f"  {heads[name]:{width}}  {command.help}" for name, command in COMMANDS.items())


def _shown_number(command: Command) -> str:
    return f"[{command.number}]" if command.default is not None else command.number


class NoCommandError(ValueError):
    """A line whose first word is no command: whoever wrote it does not speak this language."""


class Control:
    """Carries commands out on its images. Leaving it as an asynchronous context manager closes its sockets."""

    def __init__(self, images: Sequence[Image]) -> None:
        self._images = {image.name: image for image in images}
        self._servers: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._clients: set[asyncio.StreamWriter] = set()

    def __repr__(self) -> str:
        return f"<Control of {len(self._images)} images, {len(self._clients)} clients>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for path in self._paths:
            path.unlink(missing_ok=True)
        for writer in list(self._clients):
            writer.close()

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listens on a port (0: the system gives one) and returns it; raises OSError when it is taken."""
        server = await asyncio.start_server(self._serve, host, port, limit=LINE_OCTETS_MAX)
        self._servers.append(server)
        opened: int = server.sockets[0].getsockname()[1]
        return opened

    async def listen_unix(self, path: Path) -> None:
        """Listens on a socket file that only this user may open; raises OSError where another one still listens there."""
        listener = _open_unix_listener(path)
        self._paths.append(path)
        self._servers.append(await asyncio.start_unix_server(self._serve, sock=listener, limit=LINE_OCTETS_MAX))

    async def carry_out(self, line: str) -> list[str]:
        """Does what the line says; returns a line for each image concerned. Raises ValueError for what cannot be done."""
        verb, *rest = line.split() or [""]
        command = COMMANDS.get(verb)
        if command is None:
            raise NoCommandError(f"no command {verb!r} ({', '.join(COMMANDS)})")
        images = self._named(rest[0] if rest else "all" if verb == "status" else "")
        number = _number(command, rest[1:])
        for image in images:
            await command.does(image, number)
        return [_status(image) if verb == "status" else f"{image.name} {image.condition()}" for image in images]

    def _named(self, name: str) -> list[Image]:
        if name == "all":
            return list(self._images.values())
        if name not in self._images:
            raise ValueError(f"no image {name!r} ({', '.join(self._images)})")
        return [self._images[name]]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients.add(writer)
        try:
            while await self._answer_one(reader, writer):
                pass
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client left, fell silent or talks without an end: each ends the conversation
        finally:
            self._clients.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(CLIENT_IDLE_S):
            line = (await reader.readuntil(b"\n")).decode("ascii", "replace")
        try:
            said = await self.carry_out(line)
            goes_on = True
        except (ValueError, OSError) as error:
            said = [f"error: {error}"]
            goes_on = not isinstance(error, NoCommandError)
        writer.write("".join(f"{one}\n" for one in [*said, ""]).encode())
        await writer.drain()
        return goes_on


def _open_unix_listener(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        if path.is_socket():
            _remove_abandoned(path)
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _remove_abandoned(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise FileExistsError(f"another demonstration listens at {path}; name another place with --control")


def _number(command: Command, words: list[str]) -> int:
    if not command.number:
        if words:
            raise ValueError(f"unexpected {words[0]!r}")
        return 0
    if not words and command.default is not None:
        return command.default
    if len(words) == 1 and words[0].isascii() and words[0].isdigit() and int(words[0]) <= NUMBER_MAX:
        return int(words[0])
    raise ValueError(f"{command.number} expects a whole number up to {NUMBER_MAX} (got {' '.join(words)!r})")


def _status(image: Image) -> str:
    counters = image.counters
    return (
        f"{image.name} {image.condition()} port={image.port} requests={counters.requests} clicks={counters.clicks}"
        f" sessions={image.live_session_count()} started={counters.sessions_started}"
        f" not_found={counters.sessions_not_found} connections={image.connection_count()}"
    )
