"""Readers of the statistics that do not read: memory stays, others are served, and what is over is free again."""

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from program import Balancer, ask
from running import free_port, wait_until

SERVERS: Final = 300
# As many answers as are under way at most (`admin.streaming`), and some more.
ANSWERS_MAX: Final = 64
READERS: Final = 70
# What the kernel may take of an answer; left alone, it may grow to megabytes, and a reader who does not read is not noticed.
SEND_BUFFER_OCTETS: Final = 65536
# What a reader who does not read may cost, kernel's buffers aside.
OCTETS_PER_READER: Final = 1 << 20


def config(port: int) -> str:
    servers = "".join(f"    server s{number} 127.0.0.1:9 cookie c{number}\n" for number in range(SERVERS))
    return (
        f"global\n    tune.sndbuf.client {SEND_BUFFER_OCTETS}\n"
        "defaults\n    mode http\n    timeout connect 1s\n    timeout client 20s\n    timeout server 20s\n"
        f"listen a\n    bind 127.0.0.1:{port}\n    monitor-uri /alive\n    stats uri /stats\n{servers}"
    )


def resident(pid: int) -> int:
    """Octets of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_readers_that_do_not_read_cost_little_and_are_counted(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, port=port) as balancer, ExitStack() as stack:
        whole = ask(port, "/stats;json")
        assert whole.startswith(b"HTTP/1.1 200 ") and len(whole) > 2 << 20
        before = resident(balancer.process.pid)
        readers = []
        for _ in range(READERS):
            reader = stack.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", port))
            reader.sendall(b"GET /stats;json HTTP/1.1\r\nHost: a\r\n\r\n")
            readers.append(reader)
        starts = [reader.recv(12) for reader in readers]
        assert starts.count(b"HTTP/1.1 200") == ANSWERS_MAX
        assert starts.count(b"HTTP/1.1 503") == READERS - ANSWERS_MAX
        assert ask(port, "/alive").startswith(b"HTTP/1.1 200 ")
        assert ask(port, "/stats").startswith(b"HTTP/1.1 503 ")
        assert resident(balancer.process.pid) - before < READERS * OCTETS_PER_READER
        stack.close()
        wait_until(lambda: ask(port, "/stats;csv").startswith(b"HTTP/1.1 200 "), "room for others")
        assert "Traceback" not in balancer.said() and "ALERT" not in balancer.said()
