"""Load of our own making: plain sockets and epoll in a process of its own, so that it costs little beside what it measures.

    python -m benchmarks.generator JOB

JOB is a `Job` as JSON. It prints a line when its connections stand, waits for one on its standard input, and prints the
`Result` as JSON when the load is over. A closed loop sends the next request when the last is answered. A paced load sends at a
constant rate whatever comes back, on any free connection, and counts latency from the moment at which a request was due: what
waits because the proxy stalls counts as waiting (no coordinated omission). How late requests left is told beside.
"""

import ctypes
import errno
import json
import os
import re
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks import namespace
from benchmarks.traffic import FRAME_OCTETS, Traffic, head, spread

RECEIVE_OCTETS: Final = 1 << 18
PIECE: Final = memoryview(b"b" * (1 << 20))
PATIENCE_S: Final = 30.0
POLL_S: Final = 0.2
# How many connections of an idle load are opened at a time.
OPENED_AT_ONCE: Final = 64
# The loads whose connections are opened before they begin; a large body would take as long as the load itself.
OPENED_BEFORE: Final = ("request", "paced")
LARGE_OCTETS: Final = 1 << 16
LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
STAR: Final = b"*"
MASK: Final = b"mask"
FRAME: Final = bytes((0x82, 0x80 | FRAME_OCTETS)) + MASK + b"w" * FRAME_OCTETS
ECHO_OCTETS: Final = 2 + FRAME_OCTETS


@dataclass(frozen=True)
class Job:
    """One round for one proxy."""

    port: int
    seconds: float
    server_count: int
    congestion: str
    traffic: Traffic


@dataclass
class Result:
    """What one round gave. `done` counts requests, events or frames; latencies are milliseconds."""

    done: int = 0
    octets: int = 0
    failed: int = 0
    seconds: float = 0.0
    latency_ms: dict[str, float] = field(default_factory=dict)
    late_ms: dict[str, float] = field(default_factory=dict)


PERCENTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def percentiles(latencies_s: list[float]) -> dict[str, float]:
    """The percentiles in milliseconds; 0.0 each without values."""
    ordered = sorted(latencies_s)
    last = len(ordered) - 1
    return {
        name: round(ordered[min(last, int(share * len(ordered)))] * 1000.0, 4) if ordered else 0.0
        for name, share in PERCENTILES.items()
    }


class User:
    """One connection at a time, one request on it at a time."""

    def __init__(self, load: "Load", server: int) -> None:
        self.load = load
        self.head = head(load.job.traffic, server)
        self.sock: socket.socket | None = None
        self.is_connecting = False
        self.unsent: memoryview = memoryview(b"")
        self.body_left = 0
        self.pending = b""
        self.answer_left = -1  # octets of the answer's body still to come; below 0 while the head is not whole
        self.status_is_fine = False
        self.due_s = 0.0

    def begin(self, due_s: float) -> None:
        """Sends the next request, on a new connection where there is none."""
        self.due_s = due_s
        self.pending = b""
        self.answer_left = -1
        self.unsent = memoryview(self.head)
        self.body_left = self.load.job.traffic.body_octets
        if self.sock is None:
            self._connect()
        else:
            self.send()

    def _connect(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        namespace.choose(self.sock, self.load.job.congestion)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.sock.connect_ex(("127.0.0.1", self.load.job.port))
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self.load.users[self.sock.fileno()] = self
        self.is_connecting = True
        self.load.poller.register(self.sock.fileno(), select.EPOLLOUT)

    def send(self) -> None:
        """Sends what the socket takes; asks for more room where it does not take all."""
        assert self.sock is not None
        try:
            while self.unsent or self.body_left:
                if not self.unsent:
                    self.unsent = PIECE[: min(self.body_left, len(PIECE))]
                    self.body_left -= len(self.unsent)
                self.unsent = self.unsent[self.sock.send(self.unsent) :]
        except BlockingIOError:
            self.is_connecting = True
            self.load.poller.modify(self.sock.fileno(), select.EPOLLIN | select.EPOLLOUT)
            return
        if self.is_connecting:
            self.is_connecting = False
            self.load.poller.modify(self.sock.fileno(), select.EPOLLIN)

    def read(self) -> bool | None:
        """True when the answer is complete, False when it broke off, None when more is to come."""
        assert self.sock is not None
        count = self.sock.recv_into(self.load.buffer)
        self.load.result.octets += count
        if self.answer_left < 0 and count:
            self.pending += self.load.buffer[:count]
            end = self.pending.find(b"\r\n\r\n")
            if end < 0:
                return None
            length = LENGTH.search(self.pending, 0, end + 2)
            self.status_is_fine = self.pending.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")) and length is not None
            self.answer_left = (int(length[1]) if length else 0) - (len(self.pending) - end - 4)
        else:
            self.answer_left -= count
        is_whole = self.answer_left == 0 and self.status_is_fine
        if self.load.job.traffic.closes:
            # A whole answer and the proxy's close behind it.
            return None if count else is_whole
        return is_whole if self.answer_left <= 0 or not count else None

    def drop(self) -> None:
        """Closes the connection."""
        if self.sock is not None:
            self.load.users.pop(self.sock.fileno(), None)
            self.sock.close()
            self.sock = None
        self.is_connecting = False


class StreamUser(User):
    """Reads the events of one endless answer and counts them."""

    def read(self) -> bool | None:
        """Never complete."""
        assert self.sock is not None
        count = self.sock.recv_into(self.load.buffer)
        if not count:
            return False
        self.load.result.octets += count
        self.load.result.done += bytes(self.load.buffer[:count]).count(STAR)
        return None


class WebSocketUser(User):
    """Sends a frame, awaits its echo, sends the next."""

    def __init__(self, load: "Load", server: int) -> None:
        super().__init__(load, server)
        self.is_switched = False

    def begin(self, due_s: float) -> None:
        """Upgrades first, sends a frame afterwards."""
        if self.is_switched and self.sock is not None:
            self.due_s = due_s
            self.pending = b""
            self.unsent = memoryview(FRAME)
            self.send()
        else:
            self.is_switched = False
            super().begin(due_s)

    def read(self) -> bool | None:
        """True with each echo."""
        assert self.sock is not None
        data = self.sock.recv(RECEIVE_OCTETS)
        if not data:
            return False
        self.load.result.octets += len(data)
        self.pending += data
        if self.is_switched:
            return True if len(self.pending) >= ECHO_OCTETS else None
        if b"\r\n\r\n" not in self.pending:
            return None
        if not self.pending.startswith(b"HTTP/1.1 101"):
            return False
        self.is_switched = True
        self.begin(time.perf_counter())
        return None


USERS: Final[dict[str, type[User]]] = {
    "request": User,
    "paced": User,
    "idle": User,
    "stream": StreamUser,
    "websocket": WebSocketUser,
}


class Load:
    """One round."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.poller = select.epoll()
        self.users: dict[int, User] = {}
        self.buffer = memoryview(bytearray(RECEIVE_OCTETS))
        self.result = Result()
        self.latencies_s: list[float] = []
        self.kind = USERS[job.traffic.kind]
        servers = spread(job.traffic.connections, job.server_count)
        self.everyone = [self.kind(self, server) for server in servers]
        self.is_large = "octets" in job.traffic.path or job.traffic.body_octets > LARGE_OCTETS

    def run(self) -> Result:
        """Runs it."""
        if self.job.traffic.kind in OPENED_BEFORE and not self.is_large and not self.job.traffic.closes:
            self._open()
        print("ready", flush=True)
        sys.stdin.readline()
        started_s = time.perf_counter()
        if self.job.traffic.kind == "paced":
            Pacer(self).run()
        elif self.job.traffic.kind == "idle":
            self._idle()
        else:
            self._closed_loop()
        self.result.seconds = self.result.seconds or time.perf_counter() - started_s
        self.result.latency_ms = percentiles(self.latencies_s)
        for user in self.everyone:
            user.drop()
        self.poller.close()
        return self.result

    def answered(self, fileno: int, events: int) -> tuple[User, bool] | None:
        """Serves one event; the user and whether his request succeeded when it has ended, else None."""
        user = self.users.get(fileno)
        if user is None:
            return None
        try:
            if events & select.EPOLLOUT and user.is_connecting:
                user.send()
            if not events & ~select.EPOLLOUT:
                return None
            done = user.read()
        except BlockingIOError:
            return None
        except OSError:
            done = False
        if done is None:
            return None
        if done:
            self.latencies_s.append(time.perf_counter() - user.due_s)
            if not isinstance(user, StreamUser):
                self.result.done += 1
        else:
            self.result.failed += 1
        if self.job.traffic.closes or not done:
            user.drop()
        return user, done

    def _open(self) -> None:
        """One request on each connection, which nobody counts."""
        waiting = deque(self.everyone)
        busy = 0
        deadline_s = time.perf_counter() + PATIENCE_S
        while (waiting or busy) and time.perf_counter() < deadline_s:
            while waiting and busy < OPENED_AT_ONCE:
                waiting.popleft().begin(time.perf_counter())
                busy += 1
            for fileno, events in self.poller.poll(POLL_S):
                if self.answered(fileno, events) is not None:
                    busy -= 1
        failed = self.result.failed + busy + len(waiting)
        self.latencies_s.clear()
        self.result = Result(failed=failed)

    def _closed_loop(self) -> None:
        """Until the time is over. What is on its way then is finished and counted: it has cost something already."""
        ends_s = time.perf_counter() + self.job.seconds
        is_finishing = self.job.traffic.kind != "stream"
        for user in self.everyone:
            user.begin(time.perf_counter())
        busy = len(self.everyone)
        while busy and ((now_s := time.perf_counter()) < ends_s or (is_finishing and now_s < ends_s + PATIENCE_S)):
            for fileno, events in self.poller.poll(POLL_S):
                over = self.answered(fileno, events)
                if over is None:
                    continue
                now_s = time.perf_counter()
                if now_s < ends_s:
                    over[0].begin(now_s)
                else:
                    busy -= 1

    def _idle(self) -> None:
        """Opens all connections, one request on each; tells their number; holds them until standard input ends."""
        self._open()
        self.result.done = len(self.users)
        print(self.result.done, flush=True)
        sys.stdin.read()


class Pacer:
    """A constant rate from a timer of the kernel: no busy loop, which would take the servers' processor."""

    CLOCK_MONOTONIC: Final = 1
    NONBLOCKING: Final = os.O_NONBLOCK

    def __init__(self, load: Load) -> None:
        self.load = load
        self.period_s = 1.0 / load.job.traffic.rate
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.timer: int = self.libc.timerfd_create(self.CLOCK_MONOTONIC, self.NONBLOCKING)
        if self.timer < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self.late_s: list[float] = []

    def run(self) -> None:
        """Paces, then waits for the last answers."""
        load = self.load
        _go_first()
        load.poller.register(self.timer, select.EPOLLIN)
        self._arm()
        free = list(load.everyone)
        due: deque[float] = deque()
        start_s = time.perf_counter()
        ends_s = start_s + load.job.seconds
        number = 0
        busy = 0
        while (now_s := time.perf_counter()) < ends_s or ((busy or due) and now_s < ends_s + PATIENCE_S):
            while (next_s := start_s + number * self.period_s) <= min(now_s, ends_s):
                due.append(next_s)
                number += 1
            while due and free:
                due_s = due.popleft()
                self.late_s.append(time.perf_counter() - due_s)
                free.pop().begin(due_s)
                busy += 1
            for fileno, events in load.poller.poll(POLL_S):
                if fileno == self.timer:
                    os.read(self.timer, 8)
                elif (over := load.answered(fileno, events)) is not None:
                    free.append(over[0])
                    busy -= 1
        load.result.seconds = time.perf_counter() - start_s
        load.result.failed += busy + len(due)
        load.result.late_ms = percentiles(self.late_s)
        os.close(self.timer)

    def _arm(self) -> None:
        """From now on the timer fires when a request is due."""
        seconds, rest_ns = divmod(max(1, int(self.period_s * 1e9)), 1_000_000_000)
        if self.libc.timerfd_settime(self.timer, 0, struct.pack("qqqq", seconds, rest_ns, seconds, rest_ns), None) != 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")


def _go_first() -> None:
    """Runs before the servers with which it shares a processor, where that is allowed; else lateness tells how it went."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(os.sched_get_priority_min(os.SCHED_RR)))
    except PermissionError:
        return


def from_json(text: str) -> Job:
    """The job that an argument holds."""
    words: dict[str, Any] = json.loads(text)
    return Job(**{**words, "traffic": Traffic(**words["traffic"])})


if __name__ == "__main__":
    print(json.dumps(asdict(Load(from_json(sys.argv[1])).run())), flush=True)
