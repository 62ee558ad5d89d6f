"""`show errors`: what was no HTTP, as HAProxy 2.6.12 was recorded to show it."""

from dataclasses import replace

import pytest
from observed import observed
from spoken import ask

from balancer.admin.errors import REQUEST, RESPONSE, dump, position

BAD_REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n"
BAD_ANSWER = b"\x00\x01 not http at all\r\n\r\n"


def test_octets_are_dumped_as_haproxy_dumps_them() -> None:
    assert dump(BAD_REQUEST) == (
        "  00000  GET / HTTP/1.1\\r\\n\n  00016  Host: a\\r\\n\n  00025  bad header: x\\r\\n\n  00040  \\r\\n\n"
    )
    assert dump(BAD_ANSWER) == "  00000  \\x00\\x01 not http at all\\r\\n\n  00020  \\r\\n\n"
    assert dump(b"") == ""
    assert dump(b"a\\b\t\x1b\xff\x7f") == "  00000  a\\\\b\\t\\e\\xff\\x7f\n"


def test_long_lines_go_on_with_a_plus() -> None:
    lines = dump(b"x" * 200 + b"\n" + b"y").splitlines()
    assert [line[:9] for line in lines] == ["  00000  ", "  00070+ ", "  00140+ ", "  00201  "]
    assert all(len(line) < 80 for line in lines)


@pytest.mark.parametrize(
    ("octets", "kind", "place"),
    [
        (BAD_REQUEST, REQUEST, 28),
        (BAD_ANSWER, RESPONSE, 0),
        (b"hello\r\n\r\n", RESPONSE, 0),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", REQUEST, 29),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", REQUEST, 25),
        (b"G\x01T / HTTP/1.1\r\n\r\n", REQUEST, 1),
        (b"HTTP/1.1 200 OK\r\nX Y: a\r\n\r\n", RESPONSE, 18),
        (b"", REQUEST, 0),
        (b"\r\n", REQUEST, 0),
    ],
)
def test_the_place_is_where_the_parser_stops(octets: bytes, kind: str, place: int) -> None:
    assert position(octets, kind) == place


def test_the_last_of_each_proxy_is_told() -> None:
    info = observed()
    frontend, backend = info.farm.frontends[0], info.farm.backends[0]
    assert ask(b"show errors\n", info).endswith(b"] : 0\n\n")
    info.farm.capture(b"older", "192.0.2.1", 5)
    frontend.bad_request = info.farm.capture(BAD_REQUEST, "192.0.2.1", 43286)
    backend.bad_answer = info.farm.capture(BAD_ANSWER, "192.0.2.1", 43262)
    backend.bad_answer.frontend_name, backend.bad_answer.frontend_number = "smalltalk", 2
    backend.bad_answer.server_name, backend.bad_answer.server_number = "app2", 2
    said = ask(b"show errors\n", info).decode()
    head, request, answer = said.split("\n \n")
    assert head.startswith("Total events captured on [") and head.endswith("] : 3")
    assert "] frontend smalltalk (#2): invalid request\n" in request
    assert "  backend <NONE> (#-1), server <NONE> (#-1), event #1, src 192.0.2.1:43286\n" in request
    assert "  buffer starts at 0 (including 0 out), 16342 free,\n  len 42, wraps at 16384, error at position 28\n" in request
    assert "  H1 msg state MSG_HDR_NAME(17)," in request
    assert request.endswith("bytes :\n  \n" + dump(BAD_REQUEST).rstrip("\n"))
    assert "] backend smalltalk (#2): invalid response\n" in answer
    assert "  frontend smalltalk (#2), server app2 (#2), event #2, src 192.0.2.1:43262\n" in answer
    assert ask(b"show errors smalltalk request\n", info).decode().count("invalid") == 1
    assert ask(b"show errors -1 response\n", info).decode().count("invalid response") == 1
    assert ask(b"show errors 99\n", info).decode().count("invalid") == 0
    assert ask(b"show errors nosuch\n", info) == b"No such proxy.\n\n"


def test_a_capture_is_bounded_by_the_buffer() -> None:
    info = observed(bufsize=1024)
    capture = replace(info).farm.capture(b"x" * 5000, "192.0.2.1", 1)
    assert len(capture.octets) == 1024


@pytest.mark.parametrize("level", ["user", "operator"])
def test_only_an_administrator_sees_what_visitors_sent(level: str) -> None:
    assert ask(b"show errors\n", level=level) == b"Permission denied\n\n"
    assert ask(b"show env\n", level=level) == b"Permission denied\n\n"
