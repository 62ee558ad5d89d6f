"""One check from its first connect to its verdict: the I/O around `httpcheck`.

A check is a list of steps. It ends with the first step that fails, or with the last one. HAProxy's times: all of it within
`inter`; where `timeout check` is set, a connect within the shorter of `inter` and `timeout connect`, and what follows within
`timeout check`. The socket is a check's own and is closed at its end, whatever happens.
"""

import asyncio
import errno
import os
import socket
from typing import Final

from balancer import model
from balancer.backend.httpcheck import CheckAnswer, judge, request_octets, timed_out
from balancer.backend.outgoing import connect, open_socket
from balancer.backend.verdicts import Verdict

# What HAProxy tells of rules that end with a connect.
ENDS_WITH_CONNECT: Final = "(tcp-check)"
READ_OCTETS: Final = 16384
# Want of descriptors, ports or memory here.
RESOURCE_ERRORS: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)


class Probe:
    """One check of one server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        server: model.Server,
        backend: model.Backend,
        octets_max: int,
        state_value: bytes,
        accepts_404: bool,
    ) -> None:
        self.loop = loop
        self.server = server
        self.backend = backend
        self.octets_max = octets_max
        self.state_value = state_value
        self.accepts_404 = accepts_404
        self.sock: socket.socket | None = None
        self.answer: CheckAnswer | None = None
        self.late_at: float = 0.0

    async def run(self) -> Verdict:
        """Goes through the steps; never raises for what a server does."""
        self.late_at = self.loop.time() + self.server.inter_s
        steps = self.backend.check_steps
        verdict = Verdict("L4OK")
        try:
            for position, step in enumerate(steps):
                if isinstance(step, model.CheckConnect):
                    verdict = await self._connect(step)
                elif isinstance(step, model.CheckSend):
                    verdict = await self._send(step, steps[position + 1])
                else:
                    verdict = await self._expect(step)
                if verdict.ends_check:
                    return verdict
            if len(steps) > 1 and isinstance(steps[-1], model.CheckConnect):
                verdict.info = ENDS_WITH_CONNECT
            return verdict
        finally:
            self._close()

    def _close(self) -> None:
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    async def _connect(self, step: model.CheckConnect) -> Verdict:
        self._close()
        server, backend = self.server, self.backend
        host, is_ipv6 = server.host, server.is_ipv6
        if step.host:
            host, is_ipv6 = step.host, step.is_ipv6
        elif server.check_host:
            host, is_ipv6 = server.check_host, server.check_is_ipv6
        port = step.port or server.check_port or server.port
        limit_at = self.late_at
        if backend.check_timeout_s and backend.connect_timeout_s:
            limit_at = min(limit_at, self.loop.time() + backend.connect_timeout_s)
        try:
            sock = open_socket(server, is_ipv6)
            self.sock = sock
            async with asyncio.timeout_at(limit_at):
                await connect(self.loop, sock, (host, port))
        except TimeoutError:
            return Verdict("L4TOUT", 0, "", True)
        except OSError as error:
            name = "SOCKERR" if error.errno in RESOURCE_ERRORS else "L4CON"
            return Verdict(name, 0, os.strerror(error.errno) if error.errno else str(error), True)
        if backend.check_timeout_s:
            self.late_at = self.loop.time() + backend.check_timeout_s
        return Verdict("L4OK")

    async def _send(self, step: model.CheckSend, following: model.CheckStep) -> Verdict:
        assert self.sock is not None
        self.answer = CheckAnswer(step.method, self.octets_max)
        try:
            async with asyncio.timeout_at(self.late_at):
                await self.loop.sock_sendall(self.sock, request_octets(step, self.state_value))
        except TimeoutError:
            return timed_out(following if isinstance(following, model.CheckExpect) else None)
        except OSError as error:
            return _broken(error)
        return Verdict("L4OK")

    async def _expect(self, step: model.CheckExpect) -> Verdict:
        sock, answer = self.sock, self.answer
        assert sock is not None and answer is not None
        try:
            async with asyncio.timeout_at(self.late_at):
                while True:
                    verdict = judge(step, answer, self.accepts_404)
                    if verdict is not None:
                        return verdict
                    data = await self.loop.sock_recv(sock, READ_OCTETS)
                    if data:
                        answer.feed(data)
                    else:
                        answer.end()
        except TimeoutError:
            return timed_out(step)
        except OSError as error:
            return _broken(error)


def _broken(error: OSError) -> Verdict:
    return Verdict("SOCKERR", 0, os.strerror(error.errno) if error.errno else str(error), True)
