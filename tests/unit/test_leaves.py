"""The native leaves and their specification in Python: the same answer to whatever octets come."""

import resource
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from balancer.backend import leaves as calls
from balancer.backend import syscalls
from balancer.form import COMPILED, form
from balancer.http import leaves, scan
from balancer.http.fields import SHADOW_FIELD
from balancer.http.octets import CLASS, FIELD, LOGGED, TARGET, TCHAR

NAMES: Final = b"""
te host cookie expect upgrade connection keep-alive set-cookie cache-control content-length http2-settings x-forwarded-for
proxy-connection www-authenticate x-forwarded-host x-forwarded-port transfer-encoding sec-websocket-key x-forwarded-proto
proxy-authenticate x-forwarded-server sec-websocket-accept accept a referer user-agent x-forwarded-forx hos
""".split()
ALL: Final = (1 << (SHADOW_FIELD + 2)) - 2
odd = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b":", b" ", b"\t", b"\0", b"\x7f", b"\xff", b'"', b";", b",", b"=", b"\\", b"_"]
)
octets = st.lists(odd | st.binary(max_size=20), max_size=12).map(b"".join)
name = st.builds(
    lambda text, upper, underscore: (text.upper() if upper else text).replace(b"-", b"_" if underscore else b"-"),
    st.sampled_from(NAMES),
    st.booleans(),
    st.booleans(),
)
line = st.builds(lambda n, blank, value: n + b":" + blank + value + b"\r\n", name, st.sampled_from([b"", b" ", b"\t "]), octets)
lines = st.lists(line | octets, max_size=8).map(b"".join)
kinds = st.integers(0, ALL)


def outcome(function: Callable[..., Any], *arguments: Any) -> Any:
    """What it returns, or how it refuses."""
    try:
        return function(*arguments)
    except (IndexError, OverflowError, TypeError, ValueError) as error:
        return type(error)


def test_the_compiled_form_has_native_leaves_and_the_other_has_none() -> None:
    assert leaves.IS_NATIVE is calls.IS_NATIVE is (form() == COMPILED)


@given(octets, st.integers(0, 40))
@example(b"A\r\n\r\n", 2)
def test_the_end_of_a_head_is_found_alike(data: bytes, start: int) -> None:
    start = min(start, len(data))
    assert leaves.find_end(data, start) == scan.find_end(data, start)


@given(octets, st.integers(0, 40), st.sampled_from([TCHAR, FIELD, TARGET, LOGGED]))
def test_a_run_ends_alike(data: bytes, start: int, flag: int) -> None:
    start = min(start, len(data))
    assert leaves.span(data, start, CLASS, flag) == scan.span(data, start, CLASS, flag)


@given(octets, lines, octets, st.integers(0, 9), kinds, kinds)
@example(b"", b"A:" + b"x" * 15 + b"\x7f\r\n", b"\r\n", 9, ALL, ALL)
@example(b"", b"content-length: 1\r\n" * 300, b"\r\n", 999, ALL, 0)
@example(b"", b"A: b", b"", 9, ALL, 0)
@example(b"", b"x: 1\r\nte: 1\r\nx: 2\r\n", b"", 9, 1, 1)
@example(b"", b"A: b", b"\n\n", 9, ALL, 0)
@example(b"", b"A", b"\n\n", 9, ALL, 0)
def test_fields_are_read_alike(before: bytes, text: bytes, behind: bytes, count_max: int, wanted: int, dropped: int) -> None:
    data = before + text + behind
    begin, end = len(before), len(before) + len(text)
    expected = scan.fields(data, begin, end, count_max, CLASS, wanted, dropped)
    assert leaves.fields(data, begin, end, count_max, CLASS, wanted, dropped) == expected


@pytest.mark.parametrize("text", NAMES)
def test_every_name_is_classified_alike(text: bytes) -> None:
    for given_name in (text, text.upper(), text.replace(b"-", b"_"), text[:-1] + b"_", text + b"-"):
        data = given_name + b": 1\r\n"
        arguments = (data, 0, len(data), 9, CLASS, ALL, 0)
        assert leaves.fields(*arguments) == scan.fields(*arguments)


@given(octets, st.sampled_from([b"SEASIDE", b"a", b"="]))
@example(b'SEASIDE="a;SEASIDE=b"; SEASIDE=c', b"SEASIDE")
@example(b'"\\', b"a")
@example(b"xSEASIDE=a; SEASIDE = b , SEASIDE=;SEASIDE", b"SEASIDE")
def test_cookies_are_found_alike(data: bytes, cookie: bytes) -> None:
    for text in (data, data.replace(b"a", cookie), cookie + b"=1;" + data, data + b"; " + cookie + b"=\t2 "):
        assert leaves.cookie_values(text, cookie) == scan.cookie_values(text, cookie)


# What the interpreter refuses by itself, where the functions are Python's.
NO_ARGUMENTS: Final[list[tuple[Callable[..., Any], tuple[Any, ...]]]] = [
    (leaves.find_end, (b"a", 2)),
    (leaves.find_end, (b"a", -1)),
    (leaves.find_end, ("a", 0)),
    (leaves.find_end, (b"a",)),
    (leaves.find_end, (b"a", sys.maxsize + 1)),
    (leaves.span, (b"a", 0, b"", 1)),
    (leaves.fields, (b"a", 0, 2, 9, CLASS, 0, 0)),
    (leaves.fields, (b"a", 0, 1, 9, b"x", 0, 0)),
    (leaves.fields, (b"a", 0, 1, None, CLASS, 0, 0)),
    (leaves.cookie_values, (b"a", bytearray(b"a"))),
    (calls.is_quiet, ("x",)),
    (calls.send_each, (1, (b"a",), b"")),
    (calls.send_each, (1, ["a"], b"")),
    (calls.send_each, (1, [b"a"], bytes(1000))),
    (calls.send_now, (1, "a", False)),
    (calls.send_now, (1, b"a")),
    (calls.send_pieces, (1, (b"a",))),
    (calls.send_pieces, (1, ["a"])),
    (calls.push, (None,)),
]

if leaves.IS_NATIVE:

    @pytest.mark.parametrize(("function", "arguments"), NO_ARGUMENTS)
    def test_what_is_no_argument_is_refused_before_an_octet_is_read(
        function: Callable[..., Any], arguments: tuple[Any, ...]
    ) -> None:
        assert outcome(function, *arguments) in (IndexError, OverflowError, TypeError, ValueError)


def test_the_limit_of_descriptors_is_the_soft_one_of_now() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert calls.descriptors_max() == syscalls.descriptors_max() == soft
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        assert calls.descriptors_max() == syscalls.descriptors_max() == soft - 1
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("is_quiet", [calls.is_quiet, syscalls.is_quiet])
def test_a_socket_is_quiet_until_octets_or_an_end_or_an_error_wait(is_quiet: Callable[[int], bool]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert is_quiet(ours.fileno())
        theirs.send(b"x")
        assert not is_quiet(ours.fileno())
        assert ours.recv(1) == b"x"
        assert is_quiet(ours.fileno())
        theirs.shutdown(socket.SHUT_WR)
        assert not is_quiet(ours.fileno())
    assert not is_quiet(-1)


@pytest.mark.parametrize("send_each", [calls.send_each, syscalls.send_each])
def test_datagrams_leave_in_order_until_one_cannot(send_each: Callable[[int, list[bytes], bytes], int]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sink, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as source:
        sink.bind(b"")  # the kernel gives an abstract name
        name = sink.getsockname().decode()
        address = syscalls.packed_address(socket.AF_UNIX, name)
        assert syscalls.unpacked_address(address) == name
        assert send_each(source.fileno(), [b"a", b"b"], address) == 2
        assert [sink.recv(9), sink.recv(9)] == [b"a", b"b"]
        assert send_each(source.fileno(), [b"c", bytes(1 << 23), b"d"], address) == 1
    assert send_each(-1, [b"a"], address) == 0


@pytest.mark.parametrize("send_each", [calls.send_each, syscalls.send_each])
def test_datagrams_on_a_connected_socket_need_no_address(send_each: Callable[[int, list[bytes], bytes], int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
        sink.bind(("127.0.0.1", 0))
        assert send_each(source.fileno(), [b"a"], b"") == 0
        source.connect(sink.getsockname())
        assert send_each(source.fileno(), [b"a", b"b"], b"") == 2
        assert [sink.recv(9), sink.recv(9)] == [b"a", b"b"]


@pytest.mark.parametrize(
    ("family", "address"),
    [
        (socket.AF_INET, ("127.0.0.1", 514)),
        (socket.AF_INET6, ("::1", 65535)),
        (socket.AF_UNIX, "/dev/log"),
        (socket.AF_UNIX, "\0name"),
    ],
)
def test_an_address_is_packed_as_the_kernel_reads_it(family: int, address: tuple[str, int] | str) -> None:
    assert syscalls.unpacked_address(syscalls.packed_address(family, address)) == address


@pytest.mark.parametrize("form_of", [calls, syscalls])
def test_what_the_kernel_does_not_take_at_once_is_left_to_the_caller(form_of: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert form_of.send_now(ours.fileno(), b"abc", False) == 3
        assert form_of.send_pieces(ours.fileno(), [b"de", b"", b"f"]) == 3
        assert form_of.send_pieces(ours.fileno(), [b"g"] * 65) == 64
        assert theirs.recv(99) == b"abcdef" + b"g" * 64
        sent = form_of.send_now(ours.fileno(), bytes(1 << 24), False)
        assert 0 < sent < 1 << 24
        assert form_of.send_now(ours.fileno(), b"x", True) == form_of.send_pieces(ours.fileno(), [b"x", b"y"]) == 0
        theirs.close()
        assert form_of.send_now(ours.fileno(), b"x", False) == form_of.send_pieces(ours.fileno(), [b"x"]) == 0
    assert form_of.send_now(-1, b"a", False) == form_of.send_pieces(-1, [b"a"]) == 0


@pytest.mark.parametrize("form_of", [calls, syscalls])
def test_a_push_of_what_is_no_connection_harms_nobody(form_of: Any) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        form_of.push(ours.fileno())
        form_of.push(-1)
        ours.send(b"a")
        assert theirs.recv(9) == b"a"
