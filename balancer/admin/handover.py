"""`_getsocks`: hands this process's listening sockets to a successor, in the exchange that HAProxy's `-x` speaks.

First the number of sockets, then messages of up to 253 of them with a record each; who asked says after each message how many
it has. Numbers are 4 octets in the machine's order.
"""

import array
import socket
import struct
from typing import Final

GETSOCKS: Final = b"_getsocks\n"
# How long the other side may be silent while sockets go over.
PATIENCE_S: Final = 2.0
COUNT: Final = struct.Struct("=i")
# The record of a socket: name space and interface, each behind its length, and options. Ours have none.
PLAIN_RECORD: Final = bytes(2) + COUNT.pack(0)
# What one message carries: the kernel's SCM_MAX_FD.
SOCKETS_PER_MESSAGE: Final = 253


def give(talk: socket.socket, listening: list[socket.socket]) -> None:
    """Sends the sockets on `talk`, which blocks for at most PATIENCE_S a step. Raises OSError."""
    talk.settimeout(PATIENCE_S)
    talk.sendall(COUNT.pack(len(listening)))
    for begin in range(0, len(listening), SOCKETS_PER_MESSAGE):
        part = listening[begin : begin + SOCKETS_PER_MESSAGE]
        descriptors = array.array("i", [each.fileno() for each in part])
        talk.sendmsg([PLAIN_RECORD * len(part)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        if len(talk.recv(COUNT.size, socket.MSG_WAITALL)) < COUNT.size:
            return  # it has what it wanted, or is gone
