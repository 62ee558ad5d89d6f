"""The syslog of a benchmark: takes log lines on UDP and counts them.

    python -m benchmarks.sink

Prints its port, tells how many lines have come whenever a line comes on its standard input, and serves until that ends. It
reads each datagram as it comes, as a syslog does.
"""

import os
import select
import socket
import sys
from typing import Final

RECEIVE_BUFFER_OCTETS: Final = 1 << 22
LINE_OCTETS: Final = 65536


def main() -> None:
    """Serves."""
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_OCTETS)
    sink.bind(("127.0.0.1", 0))
    sink.setblocking(False)
    print(sink.getsockname()[1], flush=True)
    buffer = bytearray(LINE_OCTETS)
    poller = select.epoll()
    poller.register(sink, select.EPOLLIN)
    poller.register(sys.stdin, select.EPOLLIN)
    count = 0
    while True:
        for fileno, _events in poller.poll():
            if fileno != sink.fileno():
                if not os.read(fileno, LINE_OCTETS):
                    return
                print(count, flush=True)
                continue
            try:
                while True:
                    sink.recv_into(buffer)
                    count += 1
            except BlockingIOError:
                continue


if __name__ == "__main__":
    main()
