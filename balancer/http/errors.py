"""The pages that the balancer itself answers with, octet for octet as HAProxy 2.6 sends them.

`errorfile` replaces a whole page, start line and fields included. 400 and 408 always close and spell their fields the old
way; the others keep a keep-alive client's connection.
"""

from typing import Final

_REASONS: Final = {
    400: (b"Bad request", b"400 Bad request", b"Your browser sent an invalid request."),
    403: (b"Forbidden", b"403 Forbidden", b"Request forbidden by administrative rules."),
    408: (b"Request Time-out", b"408 Request Time-out", b"Your browser didn't send a complete request in time."),
    500: (b"Internal Server Error", b"500 Internal Server Error", b"An internal server error occurred."),
    501: (
        b"Not Implemented",
        b"501 Not Implemented",
        b".\nThe server does not support the functionality required to fulfill the request.",
    ),
    502: (b"Bad Gateway", b"502 Bad Gateway", b"The server returned an invalid or incomplete response."),
    503: (b"Service Unavailable", b"503 Service Unavailable", b"No server is available to handle this request."),
    504: (b"Gateway Time-out", b"504 Gateway Time-out", b"The server didn't respond in time."),
}
"""Status: reason phrase, heading, text."""


class ErrorPage:
    """One page: the head for a connection that goes on, the head for one that closes, and the size HAProxy would log."""

    def __init__(self, status: int, keeps: bytes, closes: bytes, body: bytes, logged_octets: int, always_closes: bool) -> None:
        self.status = status
        self.keeps = keeps
        self.closes = closes
        self.body = body
        self.logged_octets = logged_octets
        self.always_closes = always_closes


def _built_in(status: int) -> ErrorPage:
    reason, heading, text = _REASONS[status]
    body = b"<html><body><h1>%s</h1>\n%s\n</body></html>\n" % (heading, text)
    line = b"HTTP/1.1 %d %s\r\n" % (status, reason)
    if status in (400, 408, 501):
        head = line + (
            b"Content-length: %d\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" % len(body)
        )
        return ErrorPage(status, head, head, body, 0, True)
    fields = b"content-length: %d\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n" % len(body)
    lengths = len(b"content-lengthcache-controlno-cachecontent-typetext/html") + len(b"%d" % len(body))
    logged = 20 + 8 + 3 + len(reason) + lengths + 1 + len(body)
    return ErrorPage(status, line + fields + b"\r\n", line + fields + b"connection: close\r\n\r\n", body, logged, False)


PAGES: Final = {status: _built_in(status) for status in _REASONS}


def page_from_file(status: int, raw: bytes) -> ErrorPage:
    """The page of an `errorfile`: sent as it is; the connection closes if the file says so or gives no length."""
    split = raw.find(b"\r\n\r\n")
    head, body = (raw, b"") if split < 0 else (raw[: split + 4], raw[split + 4 :])
    fields = head.lower()
    closes = b"\nconnection: close" in fields or b"\ncontent-length:" not in fields or fields.startswith(b"http/1.0")
    return ErrorPage(status, head, head, body, len(raw), closes)
