"""The pages that the balancer itself answers with, octet for octet as HAProxy 2.6 sends them.

`errorfile` replaces a whole page, start line and fields included. 400 and 408 always close and spell their fields the old
way; the others keep a keep-alive client's connection.
"""

from typing import Final

_REASONS: Final = {
    400: (b"Bad request", b"400 Bad request", b"Your browser sent an invalid request."),
    401: (b"Unauthorized", b"401 Unauthorized", b"You need a valid user and password to access this content."),
    403: (b"Forbidden", b"403 Forbidden", b"Request forbidden by administrative rules."),
    404: (b"Not Found", b"404 Not Found", b"The resource could not be found."),
    405: (
        b"Method Not Allowed",
        b"405 Method Not Allowed",
        b"A request was made of a resource using a request method not supported by that resource",
    ),
    407: (b"Unauthorized", b"407 Unauthorized", b"You need a valid user and password to access this content."),
    408: (b"Request Time-out", b"408 Request Time-out", b"Your browser didn't send a complete request in time."),
    410: (b"Gone", b"410 Gone", b"The resource is no longer available and will not be available again."),
    413: (b"Payload Too Large", b"413 Payload Too Large", b"The request entity exceeds the maximum allowed."),
    421: (b"Misdirected Request", b"421 Misdirected Request", b"Request sent to a non-authoritative server."),
    422: (b"Unprocessable Content", b"422 Unprocessable Content", b"The server cannot process the contained instructions."),
    425: (b"Too Early", b"425 Too Early", b"Your browser sent early data."),
    429: (b"Too Many Requests", b"429 Too Many Requests", b"You have sent too many requests in a given amount of time."),
    500: (b"Internal Server Error", b"500 Internal Server Error", b"An internal server error occurred."),
    501: (
        b"Not Implemented",
        b"501 Not Implemented",
        b".The server does not support the functionality required to fulfill the request.",
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


# What is answered before there is an exchange, too: HAProxy closes after it then, and logs no octet of it.
_CLOSING: Final = (400, 408)
_EARLY: Final = (*_CLOSING, 501)


def _logged_octets(version: bytes, reason: bytes, fields: list[bytes], body: bytes) -> int:
    """What HAProxy logs as bytes read, `fields` being names and values; no octet where it answers before there is a request."""
    return 20 + len(version) + 3 + len(reason) + sum([len(part) for part in fields]) + 1 + len(body)


def _built_in(status: int) -> ErrorPage:
    reason, heading, text = _REASONS[status]
    body = b"<html><body><h1>%s</h1>\n%s\n</body></html>\n" % (heading, text)
    line = b"HTTP/1.1 %d %s\r\n" % (status, reason)
    length = b"%d" % len(body)
    fields = b"content-length: %s\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n" % length
    counted = [b"content-length", length, b"cache-control", b"no-cache", b"content-type", b"text/html"]
    keeps, closes = line + fields + b"\r\n", line + fields + b"connection: close\r\n\r\n"
    if status in _EARLY:
        closes = line + (
            b"Content-length: %s\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" % length
        )
    if status in _CLOSING:
        keeps = closes
        counted += [b"connection", b"close"]
    logged = _logged_octets(b"HTTP/1.1", reason, counted, body)
    return ErrorPage(status, keeps, closes, body, logged, status in _CLOSING)


PAGES: Final = {status: _built_in(status) for status in _REASONS}


def ready_page() -> ErrorPage:
    """What `monitor-uri` answers while the section serves."""
    body = b"<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n" % len(body)
    return ErrorPage(200, head + b"\r\n", head + b"connection: close\r\n\r\n", body, 0, False)


READY: Final = ready_page()


def page_from_file(status: int, raw: bytes) -> ErrorPage:
    """The page of an `errorfile`: sent as it is; the connection closes if the file says so or gives no length.

    Lines may end in LF alone, as editors write them. What is logged counts the file's own fields.
    """
    ends = [end for end in (raw.find(b"\n\r\n") + 3, raw.find(b"\n\n") + 2) if end > 2]
    split = min(ends) if ends else len(raw)
    head, body = raw[:split], raw[split:]
    version, _, rest = head.partition(b"\n")[0].rstrip(b"\r").partition(b" ")
    counted: list[bytes] = []
    says_close = False
    has_length = False
    for line in head.split(b"\n")[1:]:
        name, colon, value = line.rstrip(b"\r").partition(b":")
        if colon:
            value = value.strip(b" \t")
            counted += [name, value]
            says_close = says_close or (name.lower() == b"connection" and value.lower() == b"close")
            has_length = has_length or name.lower() == b"content-length"
    closes = says_close or not has_length or version.upper() == b"HTTP/1.0"
    logged = _logged_octets(version, rest[4:], counted, body)
    is_silent = not says_close and version.upper() != b"HTTP/1.0" and head.endswith(b"\r\n\r\n")
    closing = head[:-2] + b"connection: close\r\n\r\n" if is_silent else head
    return ErrorPage(status, head, closing, body, logged, closes)
