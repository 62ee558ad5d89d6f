"""The pages of our own, octet for octet and by the sizes that HAProxy logs (original-setup 2.6)."""

import pytest

from balancer.http.errors import PAGES, page_from_file

BODIES = {
    400: b"<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n",
    403: b"<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n",
    408: b"<html><body><h1>408 Request Time-out</h1>\nYour browser didn't send a complete request in time.\n</body></html>\n",
    500: b"<html><body><h1>500 Internal Server Error</h1>\nAn internal server error occurred.\n</body></html>\n",
    501: b"<html><body><h1>501 Not Implemented</h1>\n.The server does not support the functionality required to fulfill"
    b" the request.\n</body></html>\n",
    502: b"<html><body><h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.\n</body></html>\n",
    503: b"<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n",
    504: b"<html><body><h1>504 Gateway Time-out</h1>\nThe server didn't respond in time.\n</body></html>\n",
}


@pytest.mark.parametrize("status", BODIES)
def test_the_bodies_of_2005(status: int) -> None:
    assert PAGES[status].body == BODIES[status]
    assert PAGES[status].status == status


# For the statuses that only a rule gives; their octets are compared in scenarios/test_rules_beside_haproxy.py.
OF_RULES = frozenset((401, 404, 405, 407, 410, 413, 421, 422, 425, 429))


def test_no_other_page_is_built_in() -> None:
    assert set(PAGES) == set(BODIES) | OF_RULES


def test_a_page_on_a_connection_that_goes_on() -> None:
    page = PAGES[503]
    assert not page.always_closes
    assert page.keeps == (
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n"
    )
    assert page.closes == page.keeps[:-2] + b"connection: close\r\n\r\n"


@pytest.mark.parametrize(("status", "reason"), [(400, b"Bad request"), (408, b"Request Time-out"), (501, b"Not Implemented")])
def test_pages_for_what_never_was_a_request_spell_their_fields_the_old_way(status: int, reason: bytes) -> None:
    page = PAGES[status]
    assert page.always_closes == (status != 501)
    assert (page.keeps == page.closes) == page.always_closes
    assert page.closes == (
        b"HTTP/1.1 %d %s\r\nContent-length: %d\r\nCache-Control: no-cache\r\n"
        b"Connection: close\r\nContent-Type: text/html\r\n\r\n" % (status, reason, len(BODIES[status]))
    )


@pytest.mark.parametrize(("status", "octets"), [(503, 217), (502, 209), (504, 198), (400, 206), (408, 232), (501, 242)])
def test_the_logged_sizes_that_haproxy_logs(status: int, octets: int) -> None:
    assert PAGES[status].logged_octets == octets


@pytest.mark.parametrize("status", BODIES)
def test_the_length_that_a_page_declares_is_true(status: int) -> None:
    page = PAGES[status]
    for head in (page.keeps, page.closes):
        assert b"ontent-length: %d\r\n" % len(page.body) in head
        assert head.endswith(b"\r\n\r\n")


# HAProxy 2.6 logged 126 for this one.
OLD = (
    b"HTTP/1.0 503 Service Unavailable\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n"
    b"<html>gone</html>\n"
)


def test_an_errorfile_replaces_the_whole_page() -> None:
    page = page_from_file(503, OLD)
    assert page.keeps + page.body == OLD
    assert page.closes == page.keeps
    assert page.body == b"<html>gone</html>\n"
    assert page.always_closes
    assert page.logged_octets == 126


def test_an_errorfile_with_length_keeps_the_connection() -> None:
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\nX-A:  b \r\n\r\nbusy"
    page = page_from_file(503, raw)
    assert not page.always_closes
    assert page.logged_octets == 20 + 8 + 3 + 4 + len(b"Content-Length4X-Ab") + 1 + 4
    assert page_from_file(503, raw.replace(b"X-A:  b", b"connection:close")).always_closes
    assert page_from_file(503, raw.replace(b"HTTP/1.1", b"HTTP/1.0")).always_closes


def test_a_page_that_closes_says_so_unless_it_is_of_old() -> None:
    raw = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    assert page_from_file(503, raw).keeps == raw
    assert page_from_file(503, raw).closes == raw[:-2] + b"connection: close\r\n\r\n"
    for old in (raw.replace(b"1.1", b"1.0"), raw[:-2] + b"Connection: close\r\n\r\n"):
        assert page_from_file(503, old).closes == old


def test_an_errorfile_with_bare_line_feeds_has_its_body_apart() -> None:
    page = page_from_file(502, b"HTTP/1.1 502 Oops\nContent-Length: 3\n\na\n\n")
    assert page.body == b"a\n\n"
    assert page.keeps.endswith(b"3\n\n")
    assert not page.always_closes


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 500 x", b"HTTP/1.1 500 x\r\n\r\n", b"\n\n", b"nonsense"])
def test_any_file_makes_a_page_that_ends_by_closing(raw: bytes) -> None:
    page = page_from_file(500, raw)
    assert page.keeps + page.body == raw
    assert page.always_closes


def test_an_errorfile_counts_the_same_for_any_status() -> None:
    assert page_from_file(400, OLD).logged_octets == page_from_file(503, OLD).logged_octets
