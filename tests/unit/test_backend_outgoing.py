"""What the kernel is asked for on connections to servers, and takes back."""

import socket
from pathlib import Path

from config_files import DEFAULTS, model_of

from balancer import model
from balancer.backend.outgoing import bound_buffers, narrow, open_socket, unbound_buffers


def test_the_patience_with_a_server_that_acknowledges_nothing_is_the_files(tmp_path: Path) -> None:
    text = DEFAULTS + "listen l\n    bind :1\n    server a 127.0.0.1:1\n    server b 127.0.0.1:1 tcp-ut 5s\n"
    patience = []
    for server in model_of(tmp_path, text).backends[0].servers:
        with open_socket(server, is_ipv6=False) as sock:
            patience.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
    assert patience == [0, 5000]


def received(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_a_buffer_is_narrowed_unless_somebody_has_chosen_its_size() -> None:
    with socket.socket() as plain, socket.socket() as chosen:
        bound_buffers(chosen, model.KernelBuffers(receive_octets=10000))
        for sock in (plain, chosen):
            narrow(sock.fileno(), 40000)
        assert (received(plain), received(chosen)) == (80000, 20000)


def test_what_was_chosen_can_be_taken_back() -> None:
    with socket.socket() as plain, socket.socket() as sock:
        bound_buffers(sock, model.KernelBuffers(receive_octets=10000))
        unbound_buffers(sock)
        assert received(sock) == received(plain)
        narrow(sock.fileno(), 40000)
        assert received(sock) == 80000
