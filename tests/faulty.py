"""A server that counts what it has read and does to each request what its path says: `/FAULT/NUMBER`.

A request counts as processed when its last octet was read, whatever the server does then; so a request that a proxy repeats is
seen twice. `SERVERS` are those that do not even read.
"""

import re
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO, Final

RESET: Final = b"\1\0\0\0\0\0\0\0"
PATIENCE_S: Final = 10.0


class Talk:
    """One request on one connection, as a fault sees it."""

    def __init__(self, connection: socket.socket, inbox: BinaryIO, target: str, unread: int) -> None:
        self.connection = connection
        self.inbox = inbox
        self.target = target
        self.unread = unread

    def body(self) -> bytes:
        """What its answer says: nobody else's does."""
        return f"answer to {self.target}".encode()

    def send(self, octets: bytes) -> None:
        """Sends."""
        self.connection.sendall(octets)

    def reset(self) -> None:
        """The connection will end with a reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def hang(self) -> None:
        """Does nothing until the other side ends."""
        self.connection.recv(1)


Fault = Callable[[Talk], bool]


def answer(talk: Talk) -> bytes:
    """A whole answer with a length."""
    return b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: %d\r\n\r\n%s" % (len(talk.body()), talk.body())


def chunks(talk: Talk) -> bytes:
    """The same in two chunks."""
    body = talk.body()
    start = b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
    return start + b"1\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (body[:1], len(body) - 1, body[1:])


def until_close(talk: Talk) -> bytes:
    """The same, ended by the end of the connection."""
    return b"HTTP/1.1 200 OK\r\n\r\n" + talk.body()


def keeps(make: Callable[[Talk], bytes]) -> Fault:
    """Sends it and reads on."""

    def act(talk: Talk) -> bool:
        talk.send(make(talk))
        return True

    return act


def closes(make: Callable[[Talk], bytes]) -> Fault:
    """Sends it and closes in order."""

    def act(talk: Talk) -> bool:
        talk.send(make(talk))
        return False

    return act


def resets(make: Callable[[Talk], bytes]) -> Fault:
    """Sends it, waits until the other side has it, and resets."""

    def act(talk: Talk) -> bool:
        talk.send(make(talk))
        _wait_for_acknowledgement(talk.connection)
        talk.reset()
        return False

    return act


def hangs(make: Callable[[Talk], bytes]) -> Fault:
    """Sends it and then nothing any more."""

    def act(talk: Talk) -> bool:
        talk.send(make(talk))
        talk.hang()
        return False

    return act


def _half_closes(talk: Talk) -> bool:
    talk.send(answer(talk))
    talk.connection.shutdown(socket.SHUT_WR)
    talk.hang()
    return False


def _half_closes_silently(talk: Talk) -> bool:
    talk.connection.shutdown(socket.SHUT_WR)
    talk.hang()
    return False


def _refuses_upload(talk: Talk) -> bool:
    talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    return False


def _resets_inside_the_request(talk: Talk) -> bool:
    talk.reset()
    return False


def _part(make: Callable[[Talk], bytes], end: int) -> Callable[[Talk], bytes]:
    return lambda talk: make(talk)[:end]


def _nothing(_talk: Talk) -> bytes:
    return b""


HEAD_PART: Final = 25
BEGINNINGS: Final[dict[str, Callable[[Talk], bytes]]] = {
    "before the head": _nothing,
    "inside the head": _part(answer, HEAD_PART),
    "inside the body": _part(answer, -2),
    "inside a chunk": _part(chunks, -9),
    "before the last chunk": _part(chunks, -5),
    "inside the last chunk": _part(chunks, -2),
}
ENDS: Final[dict[str, Callable[[Callable[[Talk], bytes]], Fault]]] = {"closes": closes, "resets": resets, "hangs": hangs}

FAULTS: Final[dict[str, Fault]] = {
    "none": keeps(answer),
    "none, chunked": keeps(chunks),
    **{f"{end} {where}": ENDS[end](BEGINNINGS[where]) for end in ENDS for where in BEGINNINGS},
    "closes behind the answer": closes(answer),
    "resets behind the answer": resets(answer),
    "half-closes behind the answer": _half_closes,
    "half-closes before the head": _half_closes_silently,
    "ends the body by closing": closes(until_close),
    "resets inside a body until close": resets(until_close),
    "garbage": closes(lambda _: b"\x16\x03\x01 this is no answer\r\n\r\n"),
    "garbage behind the answer": keeps(lambda talk: answer(talk) + b"\x16\x03\x01"),
    "a second answer": keeps(lambda talk: answer(talk) + answer(talk)),
    "bad chunk size": keeps(lambda talk: chunks(talk).replace(b"\r\n1\r\n", b"\r\n0x1\r\n")),
    "two lengths": keeps(lambda talk: answer(talk).replace(b"\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n", 1)),
    "closes behind 100": closes(lambda _: b"HTTP/1.1 100 Continue\r\n\r\n"),
}
# What a server may do with a request that it has not read to its end.
EARLY: Final[dict[str, Fault]] = {
    "refuses the upload": _refuses_upload,
    "resets inside the request": _resets_inside_the_request,
}


def _wait_for_acknowledgement(connection: socket.socket) -> None:
    """A reset overtakes what has not arrived: so all of it must have."""
    while int.from_bytes(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[24:28], "little"):
        pass  # tcpi_unacked counts segments; on loopback it is 0 at the first look


class FaultyServer:
    """Reads requests one after the other, counts each, and does what its path says."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.processed: Counter[str] = Counter()  # targets whose requests were read to the end
        self.begun: Counter[str] = Counter()  # targets whose heads were read
        self.connections: set[socket.socket] = set()
        self.over: set[str] = set()  # targets with which it is done: its connection is closed, or reads on
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def end_connections(self) -> None:
        """Closes what is kept for it."""
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        targets: list[str] = []
        with connection, connection.makefile("rb") as inbox, suppress(OSError):
            while self._request(connection, inbox, targets):
                self.over.update(targets)
        self.over.update(targets)
        self.connections.discard(connection)

    def _request(self, connection: socket.socket, inbox: BinaryIO, targets: list[str]) -> bool:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = inbox.readline()
            if not line:
                return False
            head += line
        target = head.split(b" ")[1].decode()
        name = target.split("/")[1].replace("_", " ")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        unread = int(length[1]) if length else 0
        targets.append(target)
        self.begun[target] += 1
        talk = Talk(connection, inbox, target, unread)
        if name in EARLY:
            return EARLY[name](talk)
        if len(inbox.read(unread)) < unread:
            return False
        self.processed[target] += 1
        return FAULTS[name](talk)


class AbruptServer:
    """Takes connections and ends them, or speaks, before it has read anything."""

    def __init__(self, act: Callable[[socket.socket], None]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self.socket.getsockname()[1]
        self.act = act
        self.accepted = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(PATIENCE_S)
        with connection, suppress(OSError):
            self.act(connection)


class FullServer:
    """Listens, but its backlog is full: connects to it hang."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen(0)
        self.port: int = self.socket.getsockname()[1]
        self.waiting: list[socket.socket] = []
        for _ in range(4):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", self.port))
            self.waiting.append(waiting)

    def close(self) -> None:
        """Listens no more."""
        for each in (self.socket, *self.waiting):
            each.close()


def refusing_port() -> socket.socket:
    """A bound socket that does not listen: whoever connects to it is refused, and nobody else gets its port."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound
