"""One configuration, two programs: the balancer and Debian's haproxy on the same text, before the same scripted server.

The path of a request tells the scripted server what to do with it. What is compared is what a client and a reader of the log
see, with ports, dates and timers masked.
"""

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from program import SyslogReceiver
from running import BALANCER, free_port, running, wait_until

# How long the server of /slow takes, and that of /slow?N N seconds: part of what it is asked to do, not a wait of a test.
THINKING_S: Final = 0.3
# How long after its request a client half-closes "later": part of what it does, and well within that.
LEAVING_S: Final = 0.1
NO_LINGER: Final = b"\1\0\0\0\0\0\0\0"


class ScriptedServer:
    """Does what the path says; counts what it was asked."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.heads: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb") as inbox, suppress(OSError):
            while head := _head(inbox):
                self.heads.append(head)
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                body = inbox.read(int(length[1])) if length else b""
                if re.search(rb"(?i)\r\ntransfer-encoding: *chunked", head):
                    _head(inbox)  # small chunks without an empty line inside read like one
                name = head.split(b" ")[1].split(b"?")[0].strip(b"/").decode()
                if not SCRIPT.get(name, _ok)(client, head, body):
                    return


def _head(inbox: BinaryIO) -> bytes:
    """What comes before the next empty line; empty at the end."""
    lines: list[bytes] = []
    while (line := inbox.readline()).strip(b"\r\n"):
        lines.append(line)
    return b"".join(lines).rstrip(b"\r\n") if line else b""


Step = Callable[[socket.socket, bytes, bytes], bool]


def _sends(octets: bytes, keeps: bool = True) -> Step:
    def step(client: socket.socket, _head: bytes, _body: bytes) -> bool:
        client.sendall(octets)
        return keeps

    return step


def _ok(client: socket.socket, head: bytes, body: bytes) -> bool:
    answer = b"" if head.startswith(b"HEAD") else body or b"hello"
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body or b"hello"), answer))
    return True


def _cookies(client: socket.socket, head: bytes, _body: bytes) -> bool:
    """Sets the cookies that the request's X-Set lines name; the body holds the Cookie lines that came."""
    lines = head.split(b"\r\n")
    came = b"\n".join(line.partition(b":")[2].strip() for line in lines if line.lower().startswith(b"cookie:"))
    told = b"".join(b"Set-Cookie:%s\r\n" % line[6:] for line in lines if line.lower().startswith(b"x-set:"))
    client.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (told, len(came), came))
    return True


def _closes(_client: socket.socket, _head: bytes, _body: bytes) -> bool:
    return False


def _resets(client: socket.socket, _head: bytes, _body: bytes) -> bool:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    return False


def _hangs(client: socket.socket, _head: bytes, _body: bytes) -> bool:
    client.settimeout(5.0)
    client.recv(1)
    return False


def _stalls(client: socket.socket, head: bytes, body: bytes) -> bool:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
    return _hangs(client, head, body)


def _slow(client: socket.socket, head: bytes, body: bytes) -> bool:
    told = re.match(rb"\S+ \S+\?(\d+) ", head)
    time.sleep(int(told[1]) if told else THINKING_S)
    return _ok(client, head, body)


def _large(client: socket.socket, _head: bytes, _body: bytes) -> bool:
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
    client.sendall(bytes(64 << 20))
    return True


def _tunnel(client: socket.socket, _head: bytes, _body: bytes) -> bool:
    client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")
    while data := client.recv(4096):
        client.sendall(data.upper())
    return False


SCRIPT: Final[dict[str, Step]] = {
    "slow": _slow,
    "large": _large,
    "part": _hangs,
    "unproved": _sends(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: no\r\n\r\n"
    ),
    "": _ok,
    "missing": _sends(b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nlost"),
    "redirect": _sends(b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"),
    "fault": _sends(b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno"),
    "unchanged": _sends(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'),
    "empty": _sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "chunked": _sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nyou\r\n0\r\n\r\n"),
    "trailers": _sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\nY:z\r\n\r\n"),
    "until-close": _sends(b"HTTP/1.1 200 OK\r\n\r\nhello", keeps=False),
    "hints": _sends(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    "own": _sends(b"HTTP/1.1 200 OK\r\nSet-Cookie: SEASIDE=own\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok"),
    "cookies": _cookies,
    "cacheable": _sends(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok"),
    "private": _sends(b"HTTP/1.1 200 OK\r\nCache-Control: private, max-age=60\r\nContent-Length: 2\r\n\r\nok"),
    "close": _closes,
    "reset": _resets,
    "half-head": _sends(b"HTTP/1.1 200 OK\r\nX-A", keeps=False),
    "garbage": _sends(b"this is no HTTP at all\r\n\r\n", keeps=False),
    "bad-name": _sends(b"HTTP/1.1 200 OK\r\nX A: b\r\nContent-Length: 0\r\n\r\n"),
    "two-lengths": _sends(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "truncated": _sends(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789", keeps=False),
    "truncated-chunks": _sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", keeps=False),
    "hang": _hangs,
    "stall": _stalls,
    "tunnel": _tunnel,
}


@dataclass(frozen=True)
class Line:
    """One line of the log, parsed."""

    backend: str
    server: str
    timers: tuple[int, ...]
    status: int
    octets: int
    flags: str
    retries: str
    queues: str
    request: str


LINE: Final = re.compile(
    r"\S+ \[[^]]+\] \S+ ([^/ ]+)/(\S+) (-?\d+)/(-?\d+)/(-?\d+)/(-?\d+)/(\d+) (-?\d+) (\d+) - - (\S{4}) "
    r'\d+/\d+/\d+/\d+/(\+?\d+) (\d+/\d+) "(.*)"'
)


def parse_line(text: str) -> Line | None:
    """A line of traffic; None for an event."""
    found = LINE.fullmatch(text)
    if found is None:
        return None
    timers = tuple(int(found[number]) for number in range(3, 8))
    return Line(found[1], found[2], timers, int(found[8]), int(found[9]), found[10], found[11], found[12], found[13])


@dataclass(frozen=True)
class Seen:
    """What one conversation showed: the answer's status, cookies and body, how it ended, and its line."""

    status: int
    cookies: tuple[str, ...]
    body: bytes
    end: str
    line: Line | None
    seconds: float


class Side:
    """One running program."""

    def __init__(self, name: str, ports: dict[str, int], log: SyslogReceiver, pid: int) -> None:
        self.name = name
        self.pid = pid
        self.ports = ports
        self.log = log

    def descriptor_count(self) -> int:
        """How many descriptors it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    def talk(self, section: str, octets: bytes, end: str = "", logs: bool = True) -> Seen:
        """Sends octets on a new connection, half-closes for `end` "fin" or "later", and reads until nothing more comes."""
        before = len(self.log.datagrams)
        begun_at = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.ports[section]), 5.0) as client:
            port: int = client.getsockname()[1]
            client.sendall(octets)
            if end == "later":
                time.sleep(LEAVING_S)
            if end in ("fin", "later"):
                client.shutdown(socket.SHUT_WR)
            raw, how = _read(client, is_head=octets.startswith(b"HEAD"))
        seconds = time.monotonic() - begun_at
        line = self._line_after(before, port) if logs else None
        status, cookies, body = _parse(raw)
        return Seen(status, cookies, body, how, line, seconds)

    def _line_after(self, before: int, port: int) -> Line:
        """The first line of that very client: that of another, who only looked whether the port is open, may come late."""

        def lines() -> list[Line]:
            texts = [text for _, text in self.log.lines()[before:] if f"127.0.0.1:{port} [" in text]
            return [line for text in texts if (line := parse_line(text)) is not None]

        wait_until(lambda: bool(lines()), f"a line of {self.name}", tells=lambda: str(self.log.lines()[before:]))
        return lines()[0]


def _read(client: socket.socket, is_head: bool) -> tuple[bytes, str]:
    """The answer's octets, and "closed", "reset" or "open"."""
    raw = b""
    client.settimeout(5.0)
    while True:
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            return raw, "reset"
        except TimeoutError:
            return raw, "open"
        if not data:
            return raw, "closed"
        raw += data
        if _is_whole(raw, is_head):
            client.settimeout(0.15)


def _is_whole(raw: bytes, is_head: bool) -> bool:
    """Whether a final answer with a length, or chunks, has come to its end."""
    rest = raw
    while rest.startswith(b"HTTP/1.1 1") and not rest.startswith(b"HTTP/1.1 101"):
        _, split, rest = rest.partition(b"\r\n\r\n")
        if not split:
            return False
    head, split, body = rest.partition(b"\r\n\r\n")
    if not split:
        return False
    lowered = head.lower()
    if is_head or lowered.startswith((b"http/1.1 204", b"http/1.1 304", b"http/1.1 101")):
        return True
    length = re.search(rb"\r\ncontent-length: *(\d+)", lowered)
    if length:
        return len(body) >= int(length[1])
    return b"chunked" in lowered and body.endswith(b"0\r\n\r\n")


def _parse(raw: bytes) -> tuple[int, tuple[str, ...], bytes]:
    rest = raw
    while rest.startswith(b"HTTP/1.1 1") and not rest.startswith(b"HTTP/1.1 101"):
        rest = rest.partition(b"\r\n\r\n")[2]
    head, _, body = rest.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ")[1]) if lines[0].startswith(b"HTTP/") else 0
    cookies = tuple(line.partition(b":")[2].strip().decode() for line in lines[1:] if line.lower().startswith(b"set-cookie:"))
    if b"\r\ntransfer-encoding: chunked" in head.lower():
        body = b"".join(re.findall(rb"[0-9a-fA-F]+\r\n(.*?)\r\n", body))
    return status, cookies, body


@contextmanager
def side(name: str, program: str, template: str, sections: list[str], folder: Path) -> Iterator[Side]:
    """Runs `balancer` or a path to haproxy on the template; `{NAME}` in it is a section's port, `{log}` the log's."""
    ports = {section: free_port() for section in sections}
    with SyslogReceiver() as log:
        file = folder / f"{name}.cfg"
        file.write_text(template.format(log=log.port, **ports), encoding="ascii")
        words = list(BALANCER) if name == "balancer" else [program]
        with running([*words, "-db", "-f", str(file)], folder / f"{name}.out") as process:
            process.wait_for_port(ports[sections[-1]])
            yield Side(name, ports, log, process.process.pid)
