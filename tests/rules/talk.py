"""One conversation: a raw client, the program, a raw server that answers what the row says."""

import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from program import SyslogReceiver

from rules.cases import Answered, Cut, Forwarded, Refused, Request, Response
from rules.wire import Message, Unreadable, read_answers, read_requests

PATIENCE_S: Final = 10.0
RESET: Final = b"\1\0\0\0\0\0\0\0"
HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
AGAIN: Final = b"GET /again HTTP/1.1\r\nHost: h\r\n\r\n"
AGAIN_ANSWER: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nagain"


@dataclass
class Script:
    """What the server does with the connections of one conversation, and what it saw."""

    answer: bytes
    ends: str = "stays"
    connections: list[bytes] = field(default_factory=list)


class RawServer:
    """Answers each complete request by the script of the conversation that runs; keeps every octet that it gets."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self.socket.getsockname()[1]
        self.script = Script(b"")
        self._open: set[socket.socket] = set()
        self._last: tuple[str, int] = ("", 0)  # the address of the newest peer
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listens no more."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            self._open.add(connection)
            self._last = peer
            threading.Thread(target=self._serve, args=(connection, self.script), daemon=True).start()

    def settle(self) -> None:
        """Returns when no octet of the conversation that is over can arrive any more: its connections are taken and ended."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as last:
            address = last.getsockname()
            _soon(lambda: self._last == address, "the backlog is empty")
            for connection in list(self._open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            _soon(lambda: not self._open, "the server's connections have ended")

    def _serve(self, connection: socket.socket, script: Script) -> None:
        try:
            self._converse(connection, script)
        finally:
            self._open.discard(connection)

    def _converse(self, connection: socket.socket, script: Script) -> None:
        with connection, suppress(OSError):
            answered, number = 0, len(script.connections)
            while data := connection.recv(65536):
                if not answered and number == len(script.connections):
                    script.connections.append(b"")
                script.connections[number] += data
                while answered < _complete(script.connections[number]):
                    is_again = script.connections[number].split(b"\r\n\r\n")[answered].lower().startswith(b"get /again ")
                    answered += 1
                    connection.sendall(AGAIN_ANSWER if is_again else script.answer)
                    if is_again or script.ends == "closes" or _says_close(script.answer):
                        return
                    if script.ends == "resets":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        return


def _soon(holds: Callable[[], bool], what: str) -> None:
    """As `wait_until`, but at a shorter pace: there are thousands of conversations."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.0005)


def _says_close(answer: bytes) -> bool:
    return b"\r\nconnection: close\r\n" in answer.lower()


def _complete(octets: bytes) -> int:
    """How many requests are complete. What is unreadable counts by its empty lines, so that a forwarded one is answered."""
    try:
        return sum(message.is_complete for message in read_requests(octets))
    except Unreadable:
        return len(HEAD_END.findall(octets))


@dataclass
class Heard:
    """What a client got: the octets, and how it ended (`open`, `closed`, `reset`)."""

    octets: bytes
    end: str


def listen(client: socket.socket, methods: list[str]) -> Heard:
    """Reads until as many final answers are whole, or the end."""
    octets = b""
    while True:
        with suppress(Unreadable):
            answers = read_answers(octets, methods, is_closed=False)
            if len([each for each in answers if each.is_complete and (each.status >= 200 or each.status == 101)]) == len(
                methods
            ):
                return Heard(octets, "open")
        try:
            data = client.recv(65536)
        except ConnectionResetError:
            return Heard(octets, "reset")
        except TimeoutError:
            return Heard(octets, "open")
        if not data:
            return Heard(octets, "closed")
        octets += data


def send(client: socket.socket, octets: bytes, by_octet: bool) -> None:
    """Sends all at once, or each octet in a segment of its own; a program that has refused may no longer listen."""
    with suppress(ConnectionError):
        if not by_octet:
            client.sendall(octets)
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in octets:
            client.sendall(bytes([octet]))


class Stage:
    """A program between a raw client and a raw server, and the program's log, which has a line for each request.

    Without a log, lines are not counted.
    """

    def __init__(self, port: int, server: RawServer, log: SyslogReceiver | None) -> None:
        self.port = port
        self.server = server
        self.log = log
        self.lines: list[str] = []  # of the last conversation

    def hold(self, row: Request | Response, by_octet: bool = False) -> list[str]:
        """Holds the conversation of one row; the list of what is wrong."""
        before = 0 if self.log is None else len(self.log.datagrams)
        self.server.script = Script(
            row.answer if isinstance(row, Request) else row.octets, "" if isinstance(row, Request) else row.ends
        )
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as client:
            wrong, requests = self._request(client, row, by_octet) if isinstance(row, Request) else self._response(client, row)
        log = self.log
        if log is None:
            self.server.settle()
            return wrong
        _soon(lambda: len(log.datagrams) >= before + requests, f"{requests} log lines of {row.rule!r}")
        self.server.settle()
        self.lines = [message for _, message in log.lines()[before:]]
        if len(self.lines) != requests:
            wrong.append(f"{requests} requests, and the log says {self.lines}")
        return wrong

    def _request(self, client: socket.socket, row: Request, by_octet: bool) -> tuple[list[str], int]:
        script, result = self.server.script, row.result
        send(client, row.octets, by_octet)
        if row.half_closes:
            client.shutdown(socket.SHUT_WR)
        if isinstance(result, Refused):
            return _judge_refusal(listen(client, ["GET", "GET"]), result, script), 1
        heard = listen(
            client, [row.octets.lstrip(b"\r\n").partition(b" ")[0].decode("latin-1")] + ["GET"] * (result.requests - 1)
        )
        wrong = _judge_forwarded(heard, result, script)
        is_open = _is_open(client, heard, row.half_closes)
        if is_open != result.keeps:
            wrong.append(f"the client's connection is {'closed' if result.keeps else 'still open'}")
        return wrong, result.requests + is_open

    def _response(self, client: socket.socket, row: Response) -> tuple[list[str], int]:
        script, result = self.server.script, row.result
        client.sendall(row.request)
        method = row.request.partition(b" ")[0].decode("latin-1")
        heard = listen(client, [method])
        try:
            answers = read_answers(heard.octets, [method], heard.end == "closed")
        except (Unreadable, IndexError) as error:
            return [f"the client cannot read {heard.octets[:300]!r}: {error}"], 1
        if isinstance(result, Cut):
            return _judge_cut(answers, heard, result), 1
        wrong = _judge_answer(answers, heard, result)
        is_open = _is_open(client, heard, False)
        if is_open != result.keeps:
            wrong.append(f"the client's connection is {'closed' if result.keeps else 'still open'}")
        if is_open and (len(script.connections) == 1) != result.keeps_server:
            wrong.append(
                f"the next request came on {'the same' if len(script.connections) == 1 else 'another'} connection to the server"
            )
        return wrong, 1 + is_open


def _judge_refusal(heard: Heard, result: Refused, script: Script) -> list[str]:
    wrong = []
    try:
        answers = [each for each in read_answers(heard.octets, ["GET", "GET"], heard.end == "closed") if each.status >= 200]
    except (Unreadable, IndexError) as error:
        return [f"unreadable answer {heard.octets[:200]!r}: {error}"]
    if [each.status for each in answers] != [result.status] * bool(result.status):
        wrong.append(f"answered by {[each.line for each in answers]}, not {result.status}")
    if heard.end == "open":
        wrong.append("the client's connection is still open")
    for octets in script.connections:
        try:
            if any(message.is_complete for message in read_requests(octets)):
                wrong.append(f"a server saw {octets!r}")
        except Unreadable:
            wrong.append(f"a server saw {octets!r}")
    return wrong


def _judge_forwarded(heard: Heard, result: Forwarded, script: Script) -> list[str]:
    if not heard.octets.startswith(b"HTTP/1.1 200 ") and b"\r\n\r\nHTTP/1.1 200 " not in heard.octets:
        return [f"the client got {heard.octets[:200]!r}, {heard.end}"]
    if not script.connections:
        return ["no server was asked"]
    try:
        seen = [message for octets in script.connections for message in read_requests(octets)]
    except Unreadable as error:
        return [f"the server cannot read {script.connections!r}: {error}"]
    first = seen[0]
    fields = sorted(f"{name}: {value}" for name, value in first.fields)
    trailers = [f"{name}: {value}" for name, value in first.trailers]
    got = (first.line, fields, first.body, trailers, first.is_complete, len(seen))
    expected = (result.line, sorted(result.fields), result.body, list(result.trailers), True, result.requests)
    return [] if got == expected else [f"the server saw {got}, not {expected}"]


def _is_open(client: socket.socket, heard: Heard, has_ended: bool) -> bool:
    """Whether another request on the same connection is answered."""
    if heard.end != "open" or has_ended:
        return False
    with suppress(ConnectionError):
        client.sendall(AGAIN)
        return listen(client, ["GET"]).octets.endswith(b"\r\n\r\nagain")
    return False


def _judge_answer(answers: list[Message], heard: Heard, result: Answered) -> list[str]:
    if not answers or not answers[-1].line:
        return [f"the client got {heard.octets[:200]!r}, {heard.end}"]
    *interim, final = answers
    wrong = []
    got = (final.status, final.body, final.is_complete, tuple(each.status for each in interim))
    expected = (result.status, result.body if result.status != 502 else final.body, True, result.interim)
    if got != expected:
        wrong.append(f"the client got {got}, not {expected}")
    lines = [f"{name}: {value}" for name, value in final.fields]
    wrong += [f"no line {line!r} in {lines}" for line in result.has if line not in lines]
    wrong += [f"a line of {name!r} in {lines}" for name in result.lacks if final.values(name)]
    trailers = tuple(f"{name}: {value}" for name, value in final.trailers)
    if trailers != result.trailers:
        wrong.append(f"trailers {trailers}, not {result.trailers}")
    return wrong


def _judge_cut(answers: list[Message], heard: Heard, result: Cut) -> list[str]:
    if not answers or not answers[-1].line:
        return [f"the client got {heard.octets[:200]!r}, {heard.end}"]
    final = answers[-1]
    if final.status != result.status:
        return [f"the client got {final.line}"]
    if not result.body.startswith(final.body):
        return [f"the client got the body {final.body!r}"]
    if (
        final.is_complete
        or heard.end == "open"
        or (not final.values("content-length") and not final.is_chunked and heard.end != "reset")
    ):
        return [f"the answer looks whole: {heard.octets!r}, {heard.end}"]
    return []
