"""A server that answers checks as the path of the request says, and remembers what it was asked.

`/seq-200x3-503x2` answers (each `?query` is counted for itself) 200 three times and then 503 for ever; `/flip-NAME-200-503`
answers 200 until a request for `/held-NAME` is there, and 503 from then on. `/held-...` is never answered, `/half-...` only
begins its answer. Any other number is the status of the answer. A `FrozenServer` only has a listening socket: the kernel takes
the connections and nobody reads.
"""

import re
import socket
import threading
from collections import Counter
from contextlib import suppress
from typing import Final

NO_LINGER: Final = b"\1\0\0\0\0\0\0\0"
# A connection that is to hang hangs until its other side ends it, at most so long.
HANGING_S: Final = 20.0


def answer(status: str, body: bytes = b"hello world", reason: bytes = b"Reason") -> bytes:
    """An answer with a length."""
    return b"HTTP/1.1 %s %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), reason, len(body), body)


# Answers that are sent as they are, and then the connection is closed.
CANNED: Final[dict[str, bytes]] = {
    "close": b"",
    "garbage": b"this is no HTTP at all\r\n\r\n",
    "http09": b"hello\n",
    "half-head": b"HTTP/1.1 200 OK\r\nX-A",
    "half-body": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
    "no-reason": b"HTTP/1.1 503\r\nContent-Length: 0\r\n\r\n",
    "quotes": b'HTTP/1.1 503 He said "no" # x\r\nContent-Length: 0\r\n\r\n',
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "until-close": b"HTTP/1.1 200 OK\r\n\r\nhello world",
    "large": answer("200", b"x" * 40000 + b"hello"),
    "large-head": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20000 + b"\r\n\r\n",
    "hints": b"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + answer("200"),
    "switch": b"HTTP/1.1 101 Switch\r\nUpgrade: a\r\nConnection: upgrade\r\n\r\n",
    "bad-field": b"HTTP/1.1 200 OK\r\nX A: b\r\n\r\n",
    "two-lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "redirect": b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n",
    "two-writes": answer("200", b"first and second"),
}


class CheckPeer:
    """The scripted server of one program."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.socket.getsockname()[1]
        self.asked: set[str] = set()  # what it was asked, each once, the port that it names masked
        self.counts: Counter[str] = Counter()
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
        with client, suppress(OSError):
            client.settimeout(HANGING_S)
            request = b""
            while b"\r\n\r\n" not in request:
                data = client.recv(65536)
                if not data:
                    return
                request += data
            head, _, body = request.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            while length and len(body) < int(length[1]):
                body += client.recv(65536)
            asked = (head + b"\r\n\r\n" + body).decode("latin-1")
            self.asked.add(re.sub(r"port=\d+", "port=PORT", asked))
            target = head.split(b" ")[1].strip(b"/").decode()
            self.counts[target] += 1
            self._answer(client, target, target.split("?")[0])

    def _answer(self, client: socket.socket, target: str, name: str) -> None:
        kind, _, rest = name.partition("-")
        if name in CANNED:
            client.sendall(CANNED[name])
        elif kind == "seq":
            steps = [step.split("x") for step in rest.split("-")]
            statuses = [status for status, count in steps for _ in range(int(count))]
            client.sendall(answer(statuses[min(self.counts[target], len(statuses)) - 1]))
        elif kind == "flip":
            held, before, after = rest.split("-")
            client.sendall(answer(after if self.counts[f"held-{held}"] else before))
        elif kind in ("held", "half", "hang"):
            if kind == "half":
                client.sendall(CANNED["half-body"])
            client.recv(1)
        elif kind == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
        else:
            client.sendall(answer(name if name.isdigit() else "200"))


class FrozenServer:
    """The kernel accepts, nobody answers: an image that is stopped."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self.socket.getsockname()[1]

    def close(self) -> None:
        """Ends it."""
        self.socket.close()
