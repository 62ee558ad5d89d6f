"""How a connection that carries much is read where it is copied: in portions that leave the kernel's receive buffer small.

A transport reads up to 256000 octets at once. The more is taken at once, the larger the kernel makes the buffer of that
connection, and what it then holds is lost memory once the other side stops reading: 3 MiB a connection were measured, 0.1 with
HAProxy. Reading into a buffer of ours bounds both, but costs every read two calls more, 3 % of a small request's own
instructions. So a connection is read that way only from the first time on that it brings more than a portion, and not where
a splice follows, which has bounds of its own (`splice.CROWD`). One that goes on to bring full portions gets a small buffer of
the kernel's as well: a larger one would save nothing.
"""

import asyncio
from typing import Final, Protocol

from balancer.backend.outgoing import narrow

# Larger than an answer of 64 KiB with its head.
PORTION_OCTETS: Final = 69632
# One for all connections: each takes its octets out before the next is read.
ROOM: Final = memoryview(bytearray(PORTION_OCTETS))
# So many full ones behind each other are no body that is spliced: of that one comes this way, or a few.
FULL_PORTIONS: Final = 3
# What the kernel holds of such a body.
COPIED_OCTETS: Final = 131072


class Reader(Protocol):
    """A connection's own protocol (asyncio.Protocol), from before."""

    def data_received(self, data: bytes) -> None:
        """Octets."""

    def eof_received(self) -> bool:
        """An end; True keeps the transport open."""

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""

    def pause_writing(self) -> None:
        """The write buffer is full."""

    def resume_writing(self) -> None:
        """The write buffer has room."""


class Portions:
    """The protocol (asyncio.BufferedProtocol) in its place.

    `descriptor` is that of a connection whose buffer may be bounded in the end, else -1.
    """

    def __init__(self, reader: Reader, descriptor: int) -> None:
        self.reader = reader
        self.descriptor = descriptor
        self.full_count: int = 0  # portions behind each other, of one body

    def get_buffer(self, _wanted: int) -> memoryview:
        """Where the transport reads into."""
        return ROOM

    def buffer_updated(self, count: int) -> None:
        """So many octets have been read."""
        self.full_count = self.full_count + 1 if count == PORTION_OCTETS else 0
        if self.full_count == FULL_PORTIONS and self.descriptor >= 0:
            narrow(self.descriptor, COPIED_OCTETS)
            self.descriptor = -1
        self.reader.data_received(ROOM[:count].tobytes())

    def eof_received(self) -> bool:
        """See `Reader`."""
        return self.reader.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """See `Reader`."""
        self.reader.connection_lost(error)

    def pause_writing(self) -> None:
        """See `Reader`."""
        self.reader.pause_writing()

    def resume_writing(self) -> None:
        """See `Reader`."""
        self.reader.resume_writing()


def read_in_portions(transport: asyncio.Transport, reader: Reader, is_paused: bool, descriptor: int = -1) -> Portions:
    """Lets the transport read in portions from now on; one that reads begins afresh for it. `descriptor`: see `Portions`."""
    portions = Portions(reader, descriptor)
    transport.set_protocol(portions)  # type: ignore[arg-type]
    if not is_paused and not transport.is_closing():
        transport.pause_reading()
        transport.resume_reading()
    return portions
