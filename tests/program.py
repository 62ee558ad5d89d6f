"""Runs the balancer as an operator does: a configuration in a file, a process, its signals, its log.

`Balancer` is one running process; it counts as started when it has answered a request, which is after its signal handlers are
set. `SyslogReceiver` keeps the datagrams of `log 127.0.0.1:PORT`. `HeldServer` keeps a request waiting until the test says so.
Whatever is left running ends with the test.
"""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from running import BALANCER, wait_until

PATIENCE_S: Final = 15.0
# What may wait to be read while the machine is busy: datagrams that find no room are lost.
RECEIVED_OCTETS_MAX: Final = 4 << 20


def ask(port: int, path: str = "/", patience_s: float = PATIENCE_S) -> bytes:
    """One request on a connection of its own; everything that came back, b"" when refused or cut."""
    try:
        with socket.create_connection(("127.0.0.1", port), patience_s) as client:
            client.settimeout(patience_s)
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n".encode("ascii"))
            answer = b""
            while received := client.recv(65536):
                answer += received
            return answer
    except ConnectionError:
        return b""


def run(*words: str, command: Sequence[str] = BALANCER) -> subprocess.CompletedProcess[str]:
    """Runs the program to its end and keeps what it says."""
    return subprocess.run(
        [*command, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Balancer:
    """One balancer in the foreground, its standard error in a file."""

    def __init__(
        self,
        config: str,
        directory: Path,
        *words: str,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        command: Sequence[str] = BALANCER,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.path = write_config(directory, config)
        self.port = port
        self.stderr_path = directory / f"stderr-{time.monotonic_ns()}"
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [*command, "-f", str(self.path), *(words or ("-db",))],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                env={**os.environ, **(environ or {})},
                preexec_fn=prepare,
            )

    def __enter__(self) -> "Balancer":
        if self.port:
            wait_until(self._answers, f"a first answer of {self!r}")
        return self

    def __exit__(self, *_exception: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def __repr__(self) -> str:
        return f"<Balancer pid={self.process.pid} port={self.port} status={self.process.poll()} said {self.said()!r}>"

    def said(self) -> str:
        """Its standard error up to now."""
        return self.stderr_path.read_text(encoding="utf-8", errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; the exit status, or -N when signal N ended it."""
        return self.process.wait(PATIENCE_S)

    def _answers(self) -> bool:
        assert self.process.poll() is None, f"it ended: {self!r}"
        return ask(self.port).startswith(b"HTTP/1.")


class SyslogReceiver:
    """Keeps every datagram that it gets, without the part in front of the message."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_OCTETS_MAX)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.datagrams: list[str] = []
        self.thread = threading.Thread(target=self._receive, daemon=True)

    def __enter__(self) -> "SyslogReceiver":
        self.thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.socket.sendto(b"", ("127.0.0.1", self.port))  # an empty datagram ends the thread
        self.thread.join()
        self.socket.close()

    def lines(self) -> list[tuple[str, str]]:
        """(priority, message) of each datagram."""
        return [(line[1 : line.index(">")], line.split("]: ", 1)[-1]) for line in self.datagrams]

    def wait_for(self, text: str) -> None:
        """Returns when a message holds `text`."""
        wait_until(lambda: any(text in line for line in self.datagrams), f"the log says {text!r}; it says {self.datagrams}")

    def _receive(self) -> None:
        while data := self.socket.recv(65536):
            self.datagrams.append(data.decode("utf-8", "replace").rstrip("\n"))


class HeldServer:
    """Answers a request for /held only after `release`, every other one at once."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.held = 0
        self.released = threading.Event()

    def __enter__(self) -> "HeldServer":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.released.set()
        self.socket.close()

    def release(self) -> None:
        """What is held is answered now."""
        self.released.set()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                if connection.recv(65536).startswith(b"GET /held"):
                    self.held += 1
                    self.released.wait(PATIENCE_S)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nheld")
            except OSError:
                pass  # the balancer was told to leave


def write_config(directory: Path, config: str) -> Path:
    """The file that holds `config`, indented or not as a test likes it."""
    path = directory / "test.cfg"
    path.write_text(config, encoding="utf-8")
    path.chmod(0o644)
    return path
