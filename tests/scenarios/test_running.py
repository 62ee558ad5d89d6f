"""Whether a program is there is asked without being its client."""

import select
import socket

import pytest
from running import free_port, is_serving


@pytest.mark.parametrize(
    ("family", "address"),
    [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")],
)
def test_who_looks_for_a_listener_does_not_connect_to_it(family: socket.AddressFamily, address: str) -> None:
    port = free_port()
    assert not is_serving(port)
    with socket.socket(family) as listener:
        listener.bind((address, port))
        assert not is_serving(port), "bound is not listening"
        listener.listen()
        assert is_serving(port)
        assert select.select([listener], [], [], 0)[0] == [], "nobody came"
    assert not is_serving(port)


def test_a_listener_that_127_0_0_1_does_not_reach_is_none() -> None:
    port = free_port()
    with socket.socket() as held:
        held.bind(("127.0.0.1", port))  # not listening: nobody else can listen there either
        with socket.create_server(("127.0.0.2", port)):
            assert not is_serving(port)
