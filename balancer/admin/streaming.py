"""Answers of the admin side, sent in slices: however large a page is, the traffic waits for one slice of it at most.

A slice is what is made in SLICE_S; then the loop has its turn. A reader that is slow stops the making, since a slice is sent
before the next is made. As many answers as ANSWERS_MAX are under way at once; whoever comes later is told to come again.
"""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from aiohttp import web

SLICE_S: Final = 0.0005
# What is gathered before it is written.
WRITE_OCTETS: Final = 16384
ANSWERS_MAX: Final = 64


class Sender:
    """Sends answers for all services of a process and counts them."""

    def __init__(self) -> None:
        self.under_way = 0

    def __repr__(self) -> str:
        return f"<Sender under_way={self.under_way}>"

    async def send(self, request: web.Request, headers: dict[str, str], pieces: Iterable[str]) -> web.StreamResponse:
        """Answers with the pieces, made as they are sent; HEAD makes none."""
        if self.under_way >= ANSWERS_MAX:
            return web.Response(status=503, text="too many answers are under way\n", headers={"Retry-After": "1"})
        self.under_way += 1
        try:
            return await self._send(request, headers, pieces)
        finally:
            self.under_way -= 1

    async def _send(self, request: web.Request, headers: dict[str, str], pieces: Iterable[str]) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        try:
            await self._write(request, response, pieces)
        except ConnectionError:
            pass  # the reader has left: nobody is to be told
        return response

    async def _write(self, request: web.Request, response: web.StreamResponse, pieces: Iterable[str]) -> None:
        await response.prepare(request)
        if request.method == "HEAD":
            await response.write_eof()
            return
        gathered: list[str] = []
        length = 0
        since = time.perf_counter()
        for piece in pieces:
            gathered.append(piece)
            length += len(piece)
            is_due = time.perf_counter() - since >= SLICE_S
            if length >= WRITE_OCTETS or (is_due and length):
                await response.write("".join(gathered).encode("utf-8", "surrogateescape"))
                gathered, length = [], 0
            if is_due:
                await asyncio.sleep(0)
                since = time.perf_counter()
        await response.write("".join(gathered).encode("utf-8", "surrogateescape"))
        await response.write_eof()
