"""Looks, before anything is measured, whether a proxy does what all are to do alike: a proxy that does less would win.

A first visit gets the cookie of a server; a visit with that cookie gets no other. Each is logged where the site logs, and
nothing is where it does not.
"""

import re
import socket
import time
from typing import Final

from benchmarks.contestants import Running, Site
from benchmarks.origins import Sink
from benchmarks.traffic import COOKIE_NAME, Traffic, cookie_value, head

PATIENCE_S: Final = 5.0
PAUSE_S: Final = 0.01
SET_COOKIE: Final = re.compile(rf"^set-cookie: *{COOKIE_NAME}=([^;\r\n]*)", re.IGNORECASE | re.MULTILINE)


def check(started: Running, site: Site, sink: Sink) -> None:
    """Fails with what the proxy does otherwise."""
    name = started.contestant.name
    before = sink.count()
    servers = len(site.addresses)
    first = _answer(started.port, Traffic(closes=True), 1)
    given = SET_COOKIE.search(first)
    if given is None or given[1] not in {cookie_value(number) for number in range(1, servers + 1)}:
        raise RuntimeError(f"{name} gives a first visit no cookie of a server: {first}")
    second = _answer(started.port, Traffic(is_sticky=True, closes=True), servers)
    if SET_COOKIE.search(second):
        raise RuntimeError(f"{name} gives another cookie to a user who has one: {second}")
    wanted = 2 if site.is_logged else 0
    deadline_s = time.monotonic() + PATIENCE_S
    while (logged := sink.count() - before) < wanted and time.monotonic() < deadline_s:
        time.sleep(PAUSE_S)
    if logged < wanted or (logged and not wanted):
        raise RuntimeError(f"{name} wrote {logged} log lines for 2 requests, and {wanted} were expected")


def _answer(port: int, traffic: Traffic, server: int) -> str:
    """The head of the answer to one request."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE_S) as sock:
        sock.sendall(head(traffic, server))
        received = b""
        while piece := sock.recv(65536):
            received += piece
    text = received.partition(b"\r\n\r\n")[0].decode("latin-1")
    if not text.startswith("HTTP/1.1 200"):
        raise RuntimeError(f"port {port} answers {text!r}")
    return text
