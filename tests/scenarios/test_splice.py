"""Large bodies, kernel to kernel and copied: whichever way they go, octets, ends, log lines and counters are the same.

Each conversation is held with a balancer that splices, with one that must not (`-dS`), and with HAProxy where it says
the same. The server is a script on a real socket; what it saw of a request is compared as well.
"""

import hashlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from bodies import FILE, LARGE, MEBI, NO_LINGER, PART, PATIENCE_S, Server, Stage, digest, octets, read_body, read_head, request
from program import SyslogReceiver
from running import BALANCER, free_port, running, wait_until

WORDS: Final[dict[str, tuple[str, ...]]] = {"spliced": BALANCER, "copied": (*BALANCER, "-dS"), "haproxy": ("haproxy",)}
# More than may have large buffers of the kernel's at once.
STALLED: Final = 40


@pytest.fixture
def stage(tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Callable[[str, str], Stage]]:
    """Makes a stage of a name and of a timeout."""
    with ExitStack() as stack:

        def make(name: str, timeout: str = "20s") -> Stage:
            words = (require_peer("haproxy"),) if name == "haproxy" else WORDS[name]
            server = stack.enter_context(Server())
            syslog = stack.enter_context(SyslogReceiver())
            port = free_port()
            path = tmp_path / f"{name}.cfg"
            path.write_text(
                FILE.format(syslog=syslog.port, folder=tmp_path, name=name, port=port, server=server.port, timeout=timeout)
            )
            program = stack.enter_context(running([*words, "-db", "-f", str(path)], tmp_path / f"{name}.out"))
            program.wait_for_port(port)
            return Stage(name, program, port, server, syslog, tmp_path)

        yield make


def down(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/large"))
        _, _, rest = read_head(client)
        got = read_body(client, LARGE, rest)
        client.sendall(request("/next"))
        status, _, rest = read_head(client)
        assert (got, status, read_body(client, 2, rest)[2]) == ((LARGE, digest(LARGE), "whole"), 200, "whole")
    return got


def until_close(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/close-delimited"))
        _, _, rest = read_head(client)
        got = read_body(client, -1, rest)
    assert got == (LARGE, digest(LARGE), "fin")
    return got


def up(one: Stage) -> object:
    """Behind the body, in the same breath, the next request: it is no part of the body."""
    with one.connect() as client:
        client.sendall(request("/up", LARGE))
        for block in octets(LARGE):
            client.sendall(block)
        client.sendall(request("/next"))
        answers: list[bytes] = []
        rest = b""
        for _ in range(2):
            while rest.count(b"\r\n\r\nok") < len(answers) + 1:
                part = client.recv(65536)
                assert part
                rest += part
            answers.append(rest)
    assert one.server.seen == [("/up", LARGE, digest(LARGE), "whole")]
    return rest.count(b" 200 OK")


def both(one: Stage) -> object:
    """A large body each way, one after the other on one connection, twice."""
    got = []
    with one.connect() as client:
        for _ in range(2):
            client.sendall(request("/large", PART))
            for block in octets(PART):
                client.sendall(block)
            _, _, rest = read_head(client)
            got.append(read_body(client, LARGE, rest))
    assert got == [(LARGE, digest(LARGE), "whole")] * 2
    assert one.server.seen == [("/large", PART, digest(PART), "whole")] * 2
    return got


def slow_reader(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/large"))
        _, _, rest = read_head(client)
        made, count = hashlib.sha256(rest), len(rest)
        # Longer in small sips than what all the buffers on the way hold would last in gulps.
        while count < PART // 4:
            part = client.recv(500)
            made.update(part)
            count += len(part)
        while count < LARGE:
            part = client.recv(65536)
            made.update(part)
            count += len(part)
    assert made.hexdigest() == digest(LARGE)
    return count


def truncated(path: str) -> Callable[[Stage], object]:
    """The server stops in the middle: the client must be able to tell."""

    def act(one: Stage) -> object:
        with one.connect() as client:
            client.sendall(request(path))
            _, _, rest = read_head(client)
            count, _, end = read_body(client, PART // 2, rest)
            one.server.go.set()
            if end == "whole":
                more, _, end = read_body(client, LARGE)
                count += more
        assert count < LARGE
        return end

    return act


def client_leaves(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/large"))
        _, _, rest = read_head(client)
        read_body(client, PART, rest)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    return "left"


def upload_breaks_off(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/up", LARGE))
        for block in octets(PART):
            client.sendall(block)
    wait_until(lambda: one.server.seen != [], "the server's view")
    return one.server.seen


def refused(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/refuse", LARGE))
        answer = b""
        sending = threading.Thread(target=_send_all, args=(client,), daemon=True)
        sending.start()
        while not answer.endswith(b"no!"):
            part = client.recv(65536)
            assert part, answer
            answer += part
        sending.join(PATIENCE_S)
    return answer.split(b"\r\n")[0]


def _send_all(client: socket.socket) -> None:
    try:
        for block in octets(LARGE):
            client.sendall(block)
    except OSError:
        pass


def head_only(one: Stage) -> object:
    with one.connect() as client:
        client.sendall(request("/head", method="HEAD"))
        status, _, rest = read_head(client)
        client.sendall(request("/next"))
        second, _, _ = read_head(client)
    return status, rest, second


@dataclass(frozen=True)
class Conversation:
    """What is said, the path of its line, and what of it is the same beside whom."""

    act: Callable[[Stage], object]
    path: str
    has_equal_octets: bool = True  # the log's octets do not depend on how far it came
    is_like_haproxy: bool = True  # the client sees the same end (docs/differences.md)


CONVERSATIONS: Final[dict[str, Conversation]] = {
    "down": Conversation(down, "/large"),
    "until-close": Conversation(until_close, "/close-delimited"),
    "up": Conversation(up, "/up"),
    "slow-reader": Conversation(slow_reader, "/large"),
    "server-ends": Conversation(truncated("/fin"), "/fin", False, False),
    "server-resets": Conversation(truncated("/reset"), "/reset", False, False),
    "client-leaves": Conversation(client_leaves, "/large", False),
    "upload-breaks-off": Conversation(upload_breaks_off, "/up"),
    "refused": Conversation(refused, "/refuse", False, False),
    "head": Conversation(head_only, "/head"),
}


def hold(one: Stage, talk: Conversation) -> tuple[object, ...]:
    """The conversation's outcome, and its line."""
    outcome = talk.act(one)
    status, logged, *rest = one.line(talk.path)
    return (outcome, status, logged if talk.has_equal_octets else "", *rest)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_spliced_and_the_copied_path_cannot_be_told_apart(name: str, stage: Callable[[str], Stage]) -> None:
    talk = CONVERSATIONS[name]
    spliced, copied = stage("spliced"), stage("copied")
    before = spliced.descriptors()
    outcome = hold(spliced, talk)
    assert outcome == hold(copied, talk)
    if talk.has_equal_octets:
        assert spliced.counters() == copied.counters()
    wait_until(lambda: spliced.figure("PipesUsed") == 0, "no pipe in use")
    assert copied.figure("TotalSplicdedBytesOut") == 0
    assert spliced.figure("TotalSplicdedBytesOut") > 0 or name in ("head", "refused"), "nothing was spliced"
    room = before + 2 * spliced.figure("PipesFree") + 1  # the asking connection itself
    wait_until(lambda: spliced.descriptors() <= room, "all descriptors but those of free pipes are back")
    if talk.is_like_haproxy:
        assert outcome == hold(stage("haproxy"), talk)


def test_bodies_both_ways_on_one_connection(stage: Callable[[str], Stage]) -> None:
    one = stage("spliced")
    both(one)
    assert one.figure("TotalSplicdedBytesOut") > 2 * (LARGE + PART) * 8 // 10


@pytest.mark.parametrize(("path", "flags"), [("/stalls", "sDVN"), ("/still", "sHVN")])
def test_a_server_that_stands_still_is_given_up_in_time(path: str, flags: str, stage: Callable[..., Stage]) -> None:
    for side in ("spliced", "copied"):
        one = stage(side, "1s")
        with one.connect() as client:
            if path == "/still":
                client.sendall(request(path, LARGE))
                threading.Thread(target=_send_all, args=(client,), daemon=True).start()
                assert read_head(client)[0] == 504
            else:
                client.sendall(request(path))
                _, _, rest = read_head(client)
                assert read_body(client, LARGE, rest)[2] == "reset"
        assert one.line(path)[2] == flags, side


def test_a_client_that_stands_still_is_given_up_in_time(stage: Callable[..., Stage]) -> None:
    for side in ("spliced", "copied"):
        one = stage(side, "1s")
        with one.connect() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(request("/large"))
            assert one.line("/large")[2] == "cDVN", side


def test_a_hard_stop_cuts_a_spliced_body_with_its_line(stage: Callable[[str], Stage]) -> None:
    one = stage("spliced")
    with one.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(request("/large"))
        _, _, rest = read_head(client)
        wait_until(lambda: one.figure("PipesUsed") == 1, "a pipe in use")
        one.program.process.send_signal(signal.SIGUSR1)
        assert read_body(client, LARGE, rest)[2] == "reset"
    assert one.line("/large")[2] == "KDVN"


def test_no_pipe_left_means_a_copied_body(stage: Callable[[str], Stage], tmp_path: Path) -> None:
    path = tmp_path / "few.cfg"
    with Server() as server, SyslogReceiver() as syslog:
        port = free_port()
        text = FILE.format(syslog=syslog.port, folder=tmp_path, name="few", port=port, server=server.port, timeout="20s")
        path.write_text(text.replace("\nglobal\n", "\nglobal\n    maxpipes 1\n    tune.pipesize 65536\n"))
        with running([*BALANCER, "-db", "-f", str(path)], tmp_path / "few.out") as program:
            program.wait_for_port(port)
            one = Stage("few", program, port, server, syslog, tmp_path)
            with one.connect() as holder:
                holder.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                holder.sendall(request("/large"))
                wait_until(lambda: one.figure("PipesUsed") == 1, "the only pipe is in use")
                spliced = one.figure("TotalSplicdedBytesOut")
                with one.connect() as client:
                    client.sendall(request("/large"))
                    _, _, rest = read_head(client)
                    assert read_body(client, LARGE, rest) == (LARGE, digest(LARGE), "whole")
                assert one.figure("TotalSplicdedBytesOut") - spliced < LARGE // 2


def waiting_octets(port: int) -> list[int]:
    """What lies in the receive buffers of connections to that port, least first (proc(5), /proc/net/tcp)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sorted(int(row[4].partition(":")[2], 16) for row in rows if row[2] == f"0100007F:{port:04X}")


@pytest.mark.parametrize("name", ["spliced", "copied"])
def test_clients_that_read_nothing_leave_little_in_the_kernel(name: str, stage: Callable[[str], Stage]) -> None:
    one = stage(name)
    with ExitStack() as stack:
        for _ in range(STALLED):
            client = stack.enter_context(one.connect())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(request("/large"))
        seen: list[list[int]] = [[]]

        def stands_still() -> bool:
            seen.append(waiting_octets(one.server.port))
            return len(seen[-1]) == STALLED and seen[-1][0] > 0 and seen[-1] == seen[-5 if len(seen) > 5 else 0]

        wait_until(stands_still, "nothing moves", tells=lambda: str(seen[-1]))
    assert seen[-1][STALLED // 2] < MEBI, "half of them"
