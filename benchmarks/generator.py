"""Load: as many requests as a proxy takes, for a time, from a number of connections at once.

Plain sockets and epoll, so that the load costs little beside what it measures. `closes` opens a connection for each request and
says `Connection: close`, the way Apache's rewrite comes.
"""

import errno
import select
import socket
import time
from dataclasses import dataclass
from typing import Final

BROWSER: Final = (
    b"Host: linuxweb1\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://linuxweb1/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m\r\n"
    b"DNT: 1\r\n"
    b"Cookie: theme=light; SEASIDE=app1inst%d; lang=en\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Sec-Fetch-Site: same-origin\r\n"
    b"Sec-Fetch-User: ?1\r\n"
    b"Priority: u=0, i\r\n"
)
TARGET: Final = b"/seaside/examples/counter?_s=lzMYYqrsKjceDHv3&_k=qvzt-z7m&1"


@dataclass
class Result:
    """What one round gave. Latencies are seconds, unsorted."""

    completed: int
    failed: int
    seconds: float
    latencies_s: list[float]


def request(number: int, closes: bool) -> bytes:
    """The head that user `number` sends."""
    end = b"Connection: close\r\n\r\n" if closes else b"\r\n"
    return b"GET " + TARGET + b" HTTP/1.1\r\n" + BROWSER % (number % 10 + 1) + end


class _User:
    """One connection at a time."""

    def __init__(self, number: int, port: int, closes: bool) -> None:
        self.port = port
        self.closes = closes
        self.head = request(number, closes)
        self.sock: socket.socket | None = None
        self.received = b""
        self.begun_at = 0.0

    def begin(self, poller: select.epoll, users: dict[int, "_User"]) -> None:
        """Sends the next request, on a new connection where there is none."""
        self.begun_at = time.perf_counter()
        self.received = b""
        if self.sock is None:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.sock.setblocking(False)
            code = self.sock.connect_ex(("127.0.0.1", self.port))
            if code not in (0, errno.EINPROGRESS):
                raise OSError(code, "connect")
            users[self.sock.fileno()] = self
            poller.register(self.sock.fileno(), select.EPOLLOUT if code else select.EPOLLIN)
            if code:
                return
        self.sock.sendall(self.head)

    def writable(self, poller: select.epoll) -> None:
        """The connection stands."""
        assert self.sock is not None
        poller.modify(self.sock.fileno(), select.EPOLLIN)
        self.sock.sendall(self.head)

    def readable(self) -> bool | None:
        """True when the answer is complete, False when it broke off, None when more is to come."""
        assert self.sock is not None
        data = self.sock.recv(65536)
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        is_whole = end >= 0 and len(self.received) >= end + 4 + 512
        if self.closes:
            # A whole answer and the proxy's close behind it.
            return None if data else is_whole
        return True if is_whole else None if data else False

    def drop(self, poller: select.epoll, users: dict[int, "_User"]) -> None:
        """Closes the connection."""
        if self.sock is not None:
            users.pop(self.sock.fileno(), None)
            self.sock.close()
            self.sock = None


def drive(port: int, connections: int, seconds: float, closes: bool) -> Result:
    """Runs one round."""
    poller = select.epoll()
    users: dict[int, _User] = {}
    everyone = [_User(number, port, closes) for number in range(connections)]
    result = Result(0, 0, 0.0, [])
    started_at = time.perf_counter()
    ends_at = started_at + seconds
    for user in everyone:
        user.begin(poller, users)
    while (now := time.perf_counter()) < ends_at:
        for fileno, events in poller.poll(0.2):
            user = users[fileno]
            try:
                if events & select.EPOLLOUT:
                    user.writable(poller)
                    continue
                done = user.readable()
            except OSError:
                done = False
            if done is None:
                continue
            if done:
                result.completed += 1
                result.latencies_s.append(time.perf_counter() - user.begun_at)
            else:
                result.failed += 1
            if user.closes or not done:
                user.drop(poller, users)
            user.begin(poller, users)
    result.seconds = now - started_at
    for user in everyone:
        user.drop(poller, users)
    poller.close()
    return result
