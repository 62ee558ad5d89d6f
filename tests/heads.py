"""Request heads from raw octets, the way the client's side reads them."""

from balancer.http.head import RequestHead, find_end, skip_empty_lines

FIELD_COUNT_MAX = 100


def parse(raw: bytes, field_count_max: int = FIELD_COUNT_MAX) -> RequestHead:
    """The head at the front of `raw`."""
    start = skip_empty_lines(raw, 0)
    end = find_end(raw, start)
    assert end > 0, raw
    return RequestHead(raw, start, end, field_count_max)


def get(*lines: bytes, target: bytes = b"/", host: bytes | None = b"ex.org") -> RequestHead:
    """A GET with these field lines behind its Host."""
    fields = ([] if host is None else [b"Host: " + host]) + list(lines)
    return parse(b"\r\n".join([b"GET " + target + b" HTTP/1.1", *fields, b"", b""]))


def post(*lines: bytes) -> RequestHead:
    """A POST with these field lines behind its Host."""
    return parse(b"\r\n".join([b"POST / HTTP/1.1", b"Host: ex.org", *lines, b"", b""]))


def verdict(raw: bytes) -> int:
    """The status that refuses `raw`, 0 when it is taken, FORBIDDEN when its octets already are."""
    start = skip_empty_lines(raw, 0)
    end = find_end(raw, start)
    return end if end < 0 else RequestHead(raw, start, end, FIELD_COUNT_MAX).error
