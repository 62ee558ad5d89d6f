"""A socket to connect to a server with, as its `source` and its backend's words about the kernel want it."""

import asyncio
import contextlib
import errno
import os
import socket
import struct
from typing import Final

from balancer import model

# Linux: the port is chosen when the connection is made, so that one address serves more than 28,000 of them (ip(7)).
IP_BIND_ADDRESS_NO_PORT: Final = 24
# Linux 5.15: which of a socket's buffers somebody gave a size (asm-generic/socket.h); an older kernel knows no such option.
SO_BUF_LOCK: Final = 72
SOCK_RCVBUF_LOCK: Final = 2
# SO_LINGER: a close resets; a close does not wait and does not reset.
NO_LINGER: Final = struct.pack("ii", 1, 0)
LINGER: Final = struct.pack("ii", 0, 0)


def open_socket(config: model.Server, is_ipv6: bool) -> socket.socket:
    """A non-blocking TCP socket, not connected yet. Raises OSError where the source cannot be had."""
    family = socket.AF_INET6 if is_ipv6 else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if config.asks_kernel:
            _prepare(made, config, is_ipv6)
    except OSError:
        made.close()
        raise
    return made


async def connect(loop: asyncio.AbstractEventLoop, sock: socket.socket, address: tuple[str, int]) -> None:
    """Connects a socket of `open_socket` to an address of digits. Raises OSError.

    On loopback the handshake is over when connect(2) comes back and says that it is under way: a second call tells so, and
    nothing has to be waited for. (The loop's own `sock_connect` would ask a thread what the digits mean.)
    """
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        code = sock.connect_ex(address)
        if code == errno.EALREADY:
            await _writable(loop, sock.fileno())
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code and code != errno.EISCONN:
        raise OSError(code, os.strerror(code))


async def _writable(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_writer(descriptor, wake)
    try:
        await ready
    finally:
        loop.remove_writer(descriptor)


def reset_at_close(descriptor: int) -> None:
    """From now on the close of that socket cuts its connection; nothing happens where there is none."""
    if descriptor >= 0:
        with socket.socket(fileno=os.dup(descriptor)) as twin:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


def say_goodbye(transport: asyncio.Transport) -> None:
    """`option nolinger`: the end of what was said goes out before the close that resets, where all of it has left already."""
    if transport.get_write_buffer_size() == 0:
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as twin, contextlib.suppress(OSError):
            twin.shutdown(socket.SHUT_WR)


def keep_alive(connection: socket.socket, config: model.KeepAlive) -> None:
    """Probes of the kernel's on one TCP socket (tcp(7))."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for number, value in (
        (socket.TCP_KEEPCNT, config.count),
        (socket.TCP_KEEPIDLE, config.idle_s),
        (socket.TCP_KEEPINTVL, config.interval_s),
    ):
        if value:
            connection.setsockopt(socket.IPPROTO_TCP, number, value)


def bound_buffers(connection: socket.socket, buffers: model.KernelBuffers) -> None:
    """What the kernel may hold of a socket's octets. It counts its own costs, too, and doubles each figure (socket(7))."""
    if buffers.send_octets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers.send_octets)
    if buffers.receive_octets:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers.receive_octets)


def unbound_buffers(connection: socket.socket) -> None:
    """Takes back what `bound_buffers` did to a socket, perhaps in another process. Nothing happens before Linux 5.15."""
    with contextlib.suppress(OSError):
        if connection.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK):
            with socket.socket(connection.family) as plain:
                for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                    connection.setsockopt(socket.SOL_SOCKET, option, plain.getsockopt(socket.SOL_SOCKET, option) // 2)
            connection.setsockopt(socket.SOL_SOCKET, SO_BUF_LOCK, 0)


def narrow(descriptor: int, receive_octets: int) -> None:
    """From now on the kernel holds so much of what comes on that socket, unless somebody has chosen its size already."""
    with socket.socket(fileno=os.dup(descriptor)) as twin, contextlib.suppress(OSError):
        if not twin.getsockopt(socket.SOL_SOCKET, SO_BUF_LOCK) & SOCK_RCVBUF_LOCK:
            twin.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_octets)


def _prepare(made: socket.socket, config: model.Server, is_ipv6: bool) -> None:
    if config.keep_alive is not None:
        keep_alive(made, config.keep_alive)
    if config.buffers is not None:
        bound_buffers(made, config.buffers)
    if config.resets_at_close:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    if config.acknowledges_with_request:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    if config.user_timeout_ms:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, config.user_timeout_ms)
    source = config.source
    if source is None:
        return
    if source.interface:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.fsencode(source.interface) + b"\0")
    if source.is_ipv6 == is_ipv6 and (source.host or source.port):
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if not source.port:
            made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        made.bind((source.host, source.port))
