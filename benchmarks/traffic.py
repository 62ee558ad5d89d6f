"""What is asked of a proxy: one record per kind of load, and the octets of its requests.

The record goes as JSON to the process that makes the load, so it holds plain values only.
"""

import base64
from dataclasses import dataclass
from typing import Final

# What Firefox sends with a click: with the Cookie line, 14 lines.
BROWSER: Final = (
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://linuxweb1/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m\r\n"
    b"DNT: 1\r\n"
    b"Cookie: %s\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-User: ?1\r\n"
    b"Priority: u=0, i\r\n"
)
HOST: Final = b"Host: linuxweb1\r\n"
CLICK: Final = "/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m&1"
OTHER_COOKIES: Final = (b"theme=light", b"lang=en")
COOKIE_NAME: Final = "SEASIDE"

# What the servers of a farm answer to a small request.
ANSWER_OCTETS: Final = 512

WEBSOCKET_KEY: Final = base64.b64encode(b"sixteen octets 1")
UPGRADE: Final = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + WEBSOCKET_KEY + b"\r\n"
)
FRAME_OCTETS: Final = 64


@dataclass(frozen=True)
class Traffic:
    """One load. `kind` is request (closed loop), paced (`rate` a second whatever comes back), stream, websocket or idle."""

    kind: str = "request"
    connections: int = 64
    path: str = CLICK
    has_browser: bool = False
    is_sticky: bool = False
    closes: bool = False
    body_octets: int = 0
    rate: float = 0.0


def cookie_value(number: int) -> str:
    """The cookie of server `number`, counted from 1."""
    return f"app1inst{number}"


def spread(user_count: int, server_count: int) -> list[int]:
    """The server of each user, evenly over all of them, counted from 1."""
    if user_count >= server_count:
        return [user % server_count + 1 for user in range(user_count)]
    return [user * server_count // user_count + 1 for user in range(user_count)]


def head(traffic: Traffic, server: int) -> bytes:
    """The head of the request of a user of that server."""
    method = b"POST " if traffic.body_octets else b"GET "
    lines = method + traffic.path.encode("ascii") + b" HTTP/1.1\r\n" + HOST
    own = (f"{COOKIE_NAME}={cookie_value(server)}".encode("ascii"),) if traffic.is_sticky else ()
    if traffic.has_browser:
        lines += BROWSER % b"; ".join((OTHER_COOKIES[0], *own, OTHER_COOKIES[1]))
    elif own:
        lines += b"Cookie: " + own[0] + b"\r\n"
    if traffic.body_octets:
        lines += b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n" % traffic.body_octets
    if traffic.kind == "websocket":
        lines += UPGRADE
    if traffic.closes:
        lines += b"Connection: close\r\n"
    return lines + b"\r\n"
