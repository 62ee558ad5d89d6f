"""Reads a page, or asks a stats socket, each time that a line comes; answers with its seconds and octets: the reader of
`benchmarks scrapes`.
"""

import socket
import sys
import time
import urllib.request
from typing import Final

PATIENCE_S: Final = 60.0
READ_OCTETS: Final = 65536


def main(place: str, command: str) -> None:
    """Serves standard input to its end; with a command `place` is the path of a socket, else a URL."""
    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        octets = asked(place, command) if command else fetched(place)
        print(time.perf_counter() - began, octets, flush=True)


def fetched(url: str) -> int:
    """The octets of a page."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return len(answer.read())


def asked(path: str, command: str) -> int:
    """The octets of an answer."""
    octets = 0
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE_S)
        client.connect(path)
        client.sendall(command.encode() + b"\n")
        while piece := client.recv(READ_OCTETS):
            octets += len(piece)
    return octets


if __name__ == "__main__":
    main(*sys.argv[1:])
