"""The stats socket from the client's side: a command out, its answer back, in the form that every HAProxy tool uses.

A connection carries one line of commands and ends with their answer. What cannot be reached, breaks off, takes too long or is
too long is a `NoAnswer` with the address and the reason; what the socket itself refuses is a `Refused` with its words.
"""

import os
import socket
import time
from collections.abc import Sequence
from typing import Final

# Where Debian's file and this project's files put the socket, in the order in which they are tried.
USUAL_PATHS: Final = ("/run/haproxy/admin.sock", "/run/balancer.sock", "/var/run/haproxy.sock", "demo.sock")
VARIABLE: Final = "BALANCER_SOCKET"

PATIENCE_S: Final = 10.0
# 1,000 servers are 400 kB of `show stat`.
ANSWER_OCTETS_MAX: Final = 64 << 20
RECEIVED_OCTETS: Final = 65536

# Answers that refuse, by how they begin; commands that change something answer nothing or a sentence that tells what changed.
REFUSALS: Final = (
    "Unknown command",
    "Permission denied",
    "No such ",
    "Require ",
    "Can't find",
    "'set ",
    "Invalid ",
    "usage:",
    "Empty weight",
    "Trailing garbage",
    "Backend is using",
    "Absolute weight",
    "Relative weight",
)


class NoAnswer(Exception):
    """Nobody answered at that address; the text says which and why."""


class Refused(Exception):
    """The balancer answered and would not do it; the text is its own."""


def default_address() -> str:
    """BALANCER_SOCKET where it is set, else the first usual path that exists, else the first of them."""
    told = os.environ.get(VARIABLE, "")
    if told:
        return told
    return next((path for path in USUAL_PATHS if os.path.exists(path)), USUAL_PATHS[0])


class Socket:
    """One stats socket by its address: a path, `abns@NAME`, or `HOST:PORT` as in `ipv4@127.0.0.1:9999`."""

    def __init__(self, address: str, patience_s: float = PATIENCE_S) -> None:
        self.address = address
        self.patience_s = patience_s

    def __repr__(self) -> str:
        return f"<Socket {self.address}>"

    def ask(self, command: str) -> str:
        """The answer to one command, without its closing empty line. Raises NoAnswer."""
        return self._converse(command).decode("utf-8", "replace").rstrip("\n")

    def tell(self, command: str) -> str:
        """As `ask`, for a command that changes something. Raises Refused for an answer that refuses, NoAnswer."""
        answer = self.ask(command)
        if answer.startswith(REFUSALS):
            raise Refused(answer.splitlines()[0])
        return answer

    def _converse(self, command: str) -> bytes:
        deadline_s = time.monotonic() + self.patience_s
        try:
            with self._connect() as connection:
                connection.sendall(command.encode("utf-8") + b"\n")
                return self._read(connection, deadline_s)
        except TimeoutError as error:
            raise NoAnswer(f"{self.address}: no answer within {self.patience_s:g} s") from error
        except OSError as error:
            raise NoAnswer(f"{self.address}: {error.strerror or error}") from error

    def _read(self, connection: socket.socket, deadline_s: float) -> bytes:
        parts: list[bytes] = []
        octets = 0
        while True:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(left_s)
            part = connection.recv(RECEIVED_OCTETS)
            if not part:
                return b"".join(parts)
            octets += len(part)
            if octets > ANSWER_OCTETS_MAX:
                raise NoAnswer(f"{self.address}: an answer of more than {ANSWER_OCTETS_MAX >> 20} MiB")
            parts.append(part)

    def _connect(self) -> socket.socket:
        family, place = resolve(self.address)
        if family == "unix":
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.settimeout(self.patience_s)
                connection.connect(place)
            except BaseException:
                connection.close()
                raise
            return connection
        host, _, port = place.rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), self.patience_s)


def resolve(address: str) -> tuple[str, str]:
    """Whether an address is `unix` or `tcp`, and what is left of it. Raises NoAnswer for one that is neither."""
    for prefix in ("unix@", "ipv4@", "ipv6@", "tcp@"):
        if address.startswith(prefix):
            rest = address.removeprefix(prefix)
            return ("unix", rest) if prefix == "unix@" else ("tcp", _with_port(address, rest))
    if address.startswith("abns@"):
        # HAProxy's abstract names fill the whole field with zeros; so do ours.
        return "unix", "\0" + address.removeprefix("abns@").ljust(107, "\0")
    if "/" in address or not _has_port(address):
        return "unix", address
    return "tcp", address


def _has_port(address: str) -> bool:
    host, colon, port = address.rpartition(":")
    return bool(host and colon and port.isascii() and port.isdigit() and int(port) < 65536)


def _with_port(address: str, rest: str) -> str:
    if not _has_port(rest):
        raise NoAnswer(f"{address}: expects HOST:PORT behind the '@'")
    return rest


def quoted(words: Sequence[str]) -> str:
    """Words as one command line: what the socket would read as a separator is escaped. Refuses control characters."""
    for word in words:
        if any(ord(character) < 32 or ord(character) == 127 for character in word):
            raise Refused(f"a name without control characters is expected (got {word!r})")
    return " ".join("".join("\\" + each if each in "\\; " else each for each in word) for word in words)
