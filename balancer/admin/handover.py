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
INTERFACE_SIZE: Final = 16  # IFNAMSIZ
# What one message carries: the kernel's SCM_MAX_FD.
SOCKETS_PER_MESSAGE: Final = 253


def give(talk: socket.socket, listening: list[socket.socket]) -> None:
    """Sends the sockets on `talk`, which blocks for at most PATIENCE_S a step; one that was closed is none. Raises OSError."""
    talk.settimeout(PATIENCE_S)
    listening = [each for each in listening if each.fileno() != -1]
    talk.sendall(COUNT.pack(len(listening)))
    for begin in range(0, len(listening), SOCKETS_PER_MESSAGE):
        part = listening[begin : begin + SOCKETS_PER_MESSAGE]
        descriptors = array.array("i", [each.fileno() for each in part])
        talk.sendmsg([b"".join(_record(each) for each in part)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        if len(talk.recv(COUNT.size, socket.MSG_WAITALL)) < COUNT.size:
            return  # it has what it wanted, or is gone


def _record(listening: socket.socket) -> bytes:
    """Name space and interface, each behind its length, and options. HAProxy takes none of an interface that its line lacks."""
    interface = b""
    if listening.family != socket.AF_UNIX:
        interface = listening.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, INTERFACE_SIZE).rstrip(b"\0")
    return bytes([0, len(interface)]) + interface + COUNT.pack(0)
