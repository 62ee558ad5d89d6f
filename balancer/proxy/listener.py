"""One listening socket and who may come in through it.

The listening socket itself stays open for the life of the process; what accepts is a uvloop server on a dup of it. At maxconn
that server is closed: new connections wait in the kernel's backlog, whole, and are accepted as soon as there is room. What
the loop had accepted in the same turn waits unread, in order.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from typing import Final

from balancer.backend.frontend import Listening
from balancer.model import Bind
from balancer.proxy.kernel import backlog_of, settle_acknowledgement
from balancer.proxy.route import Route

RETRY_S: Final = 0.1


def one_address(sock: socket.socket) -> tuple[str, int] | None:
    """The address and port to which a listening socket is bound; None where clients may connect to any, or to a path."""
    try:
        name = sock.getsockname()
    except OSError:
        return None
    is_one = isinstance(name, tuple) and name[0] not in ("0.0.0.0", "::")
    return (name[0], name[1]) if is_one else None


class Listener:
    """A bound socket of a frontend. States: closed, opening, open; while it is paused it can only be closed."""

    def __init__(
        self,
        route: Route,
        bind: Bind,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        make_client: Callable[["Listener"], asyncio.Protocol],
        complain: Callable[[str], None],
        number: int,
    ) -> None:
        self.route = route
        self.bind = bind
        self.sock = sock
        self.loop = loop
        self.make_client = make_client
        self.complain = complain
        self.wants_open: bool = False
        self.is_paused: bool = False
        self.opening: asyncio.Task[None] | None = None
        self.server: asyncio.AbstractServer | None = None
        self.connections_cur: int = 0
        self.number = number
        self.listening: Listening | None = None  # what it counts for itself
        if route.frontend.config.socket_stats:
            self.listening = Listening(bind.name or f"sock-{number}", number, bind.maxconn, bind.address())
            route.frontend.listening.append(self.listening)
        # What clients connect to, where it is one address: nobody need ask the kernel for each of them.
        self.address: tuple[str, int] | None = one_address(sock)

    def __repr__(self) -> str:
        return f"<Listener {self.bind.address()} {'open' if self.server else 'closed'}>"

    def open(self) -> None:
        """Begins to accept, unless it is paused."""
        if self.is_paused:
            return
        self.wants_open = True
        if self.server is None and self.opening is None:
            self.opening = self.loop.create_task(self._open())

    def close(self) -> None:
        """Accepts no more; what waits stays in the backlog."""
        self.wants_open = False
        if self.server is not None:
            self.server.close()
            self.server = None

    def pause(self) -> None:
        """Refuses whoever connects, until `resume`; a connection that waits unaccepted is reset (Linux, as HAProxy does it)."""
        self.close()
        self.is_paused = True
        with contextlib.suppress(OSError):  # not listening any more: then it is refused as it is
            self.sock.shutdown(socket.SHUT_RD)

    def resume(self) -> None:
        """Listens and accepts again. Raises OSError."""
        self.sock.listen(self.backlog())
        settle_acknowledgement(self.sock, self.route.frontend.config)
        self.is_paused = False
        self.open()

    def shut(self) -> None:
        """Ends for good: the kernel refuses from now on."""
        self.close()
        self.sock.close()

    def drain(self) -> list[socket.socket]:
        """Takes whoever still waits in the backlog, then shuts: a soft stop resets nobody."""
        self.close()
        waiting: list[socket.socket] = []
        self.sock.setblocking(False)
        while True:
            try:
                accepted = self.sock.accept()[0]
            except OSError:  # nobody waits; or no descriptor is left, and the rest cannot be had
                break
            accepted.setblocking(False)
            waiting.append(accepted)
        self.sock.close()
        return waiting

    async def opened(self) -> None:
        """Returns when the first `open` has come through."""
        if self.opening is not None:
            await self.opening

    async def _open(self) -> None:
        has_complained = False
        try:
            while self.wants_open and self.server is None:
                try:
                    await self._serve()
                except OSError as error:
                    # Want of descriptors: once a pause, one line for the whole of it.
                    if not has_complained:
                        has_complained = True
                        self.complain(f"Proxy {self.route.frontend.name} cannot accept: {error.strerror}. Waiting.")
                    if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                        raise
                    await asyncio.sleep(RETRY_S)
        finally:
            self.opening = None

    async def _serve(self) -> None:
        twin = self.sock.dup()
        try:
            create = self.loop.create_unix_server if twin.family == socket.AF_UNIX else self.loop.create_server
            server = await create(lambda: self.make_client(self), sock=twin, backlog=self.backlog())
        except BaseException:
            twin.close()
            raise
        if self.wants_open:
            self.server = server
        else:
            server.close()

    def backlog(self) -> int:
        """As `maxconn` is now."""
        frontend = self.route.frontend
        return backlog_of(self.bind, frontend.config, frontend.maxconn)

    def is_full(self) -> bool:
        """Whether `maxconn` of the bind line is reached."""
        return 0 < self.bind.maxconn <= self.connections_cur
