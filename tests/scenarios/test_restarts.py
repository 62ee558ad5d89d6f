"""A new process takes over from the old one under load: no request fails, no session is lost, nobody waits long.

As the init script of 2006 does it (`-D -f F -p P -sf $(cat P)`), and with the listening sockets handed over on the stats socket
(`-x`), between two of ours and from and to Debian's haproxy.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from apache import apache_file, readable_folder
from peers import require_peer
from program import SyslogReceiver
from running import BALANCER, free_port, running, wait_until

from balancer.demo import Image
from balancer.takeover import TakeoverError, take

ROOT: Final = Path(__file__).resolve().parents[2]
RESTARTS: Final = 10
USERS: Final = 50
# Each is two requests: the form, and the page that it leads to.
CLICKS_PER_S: Final = 500
PATH: Final = "/seaside/examples/counter"


def configuration(port: int, images: Sequence[Image], log: int, stats: Path) -> str:
    """A farm that both programs understand."""
    servers = "".join(
        f"    server app{n} 127.0.0.1:{image.port} cookie app1inst{n} check inter 1s\n" for n, image in enumerate(images, 1)
    )
    return (
        f"global\n    log 127.0.0.1:{log} local0\n    maxconn 1000\n"
        f"    stats socket {stats} level admin mode 600 expose-fd listeners\n    stats timeout 1m\n"
        "defaults\n    log global\n    mode http\n    option httplog\n    option dontlognull\n"
        "    option redispatch\n    retries 3\n    timeout connect 5s\n    timeout client 20s\n    timeout server 20s\n"
        f"listen smalltalk\n    bind 127.0.0.1:{port}\n    cookie SEASIDE insert nocache\n    balance roundrobin\n{servers}"
    )


@dataclass
class Site:
    """The files of one daemon that is replaced again and again."""

    folder: Path
    url: str

    @property
    def pid_file(self) -> Path:
        """Where the newest process writes its number."""
        return self.folder / "balancer.pid"

    def pids(self) -> list[str]:
        """The newest process's number, as `cat` would put it on the command line."""
        return self.pid_file.read_text().split()

    def start(self, program: Sequence[str], *words: str) -> None:
        """Starts a daemon; returns when it serves."""
        command = [*program, "-D", "-f", str(self.folder / "balancer.cfg"), "-p", str(self.pid_file), *words]
        with open(self.folder / "start.out", "ab") as out:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, timeout=60, check=False)
        assert status.returncode == 0, (self.folder / "start.out").read_text()

    async def load(self, seconds: float, clicks_per_s: int) -> dict[str, Any]:
        """Lets the users click, so often whatever comes back; their report."""
        report = self.folder / "report.json"
        words = ["--users", str(USERS), "--seconds", str(seconds), "--rate", str(clicks_per_s), "--json", str(report)]
        command = [sys.executable, "-m", "benchmarks", "load", self.url, *words]
        done = await asyncio.to_thread(
            subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
        )
        assert report.exists(), done.stdout + done.stderr
        found: dict[str, Any] = json.loads(report.read_text())
        return found


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """Apache before ten images; whoever balances between them is the test's to start, and is ended with it."""
    apache = require_peer("apache2")
    port, balancer_port = free_port(), free_port()
    with ExitStack() as stack:
        folder = stack.enter_context(readable_folder())
        log = stack.enter_context(SyslogReceiver())
        async with AsyncExitStack() as images_stack:
            images = [await images_stack.enter_async_context(Image(f"app{n}", port=0, number=n)) for n in range(1, 11)]
            (folder / "www").mkdir()
            (folder / "balancer.cfg").write_text(configuration(balancer_port, images, log.port, folder / "stats.sock"))
            (folder / "apache.conf").write_text(apache_file(folder, port, balancer_port).replace("Child 25", "Child 100"))
            server = stack.enter_context(running([apache, "-X", "-f", str(folder / "apache.conf")], folder / "apache.out"))
            await asyncio.to_thread(server.wait_for_port, port)
            found = Site(folder, f"http://127.0.0.1:{port}{PATH}")
            with ended(found):
                yield found


@contextmanager
def ended(found: Site) -> Iterator[None]:
    """Ends the daemon whose number is in the file, whatever happens in between."""
    try:
        yield
    finally:
        if found.pid_file.exists():
            for pid in found.pids():
                if is_running(int(pid)):
                    os.kill(int(pid), signal.SIGTERM)


async def replaced_under_load(found: Site, programs: Sequence[Sequence[str]], *, hands_over: bool) -> dict[str, Any]:
    """Starts the first program, then one after the other takes over while the users click; the users' report."""
    first, *others = programs
    await asyncio.to_thread(found.start, first)
    seen = [*found.pids()]

    async def restarts() -> None:
        for program in others:
            await asyncio.sleep(0.3)  # part of what is done: so long each of them serves
            words = ["-x", str(found.folder / "stats.sock")] if hands_over else []
            await asyncio.to_thread(found.start, program, *words, "-sf", *found.pids())
            seen.extend(found.pids())

    happening = asyncio.ensure_future(restarts())
    report = await found.load(0.8 * len(programs), CLICKS_PER_S)
    await happening
    assert len(set(seen)) == len(programs)
    *old, newest = [int(pid) for pid in seen]
    await asyncio.to_thread(wait_until, lambda: not any(is_running(pid) for pid in old), "the old processes have ended")
    assert is_running(newest)
    return report


@pytest.mark.parametrize("hands_over", [False, True], ids=["bound beside", "handed over"])
async def test_ten_restarts_under_load_lose_nothing(hands_over: bool) -> None:
    async with site() as found:
        report = await replaced_under_load(found, [BALANCER] * (RESTARTS + 1), hands_over=hands_over)
        assert (report["errors"], report["lost"], report["moved"]) == ({}, [], [])
        assert report["clicks"] > CLICKS_PER_S // 5 * RESTARTS


@pytest.mark.parametrize("hands_over", [False, True], ids=["bound beside", "handed over"])
async def test_haproxy_and_ours_take_over_from_each_other(hands_over: bool) -> None:
    haproxy = [require_peer("haproxy")]
    async with site() as found:
        report = await replaced_under_load(found, [haproxy, BALANCER, haproxy, BALANCER], hands_over=hands_over)
        # HAProxy drops what it has accepted but not yet read when it is told to go: then Apache says 502. No session is lost.
        assert (report["lost"], report["moved"]) == ([], [])
        assert sum(report["errors"].values()) <= 5, report["errors"]


async def test_who_hands_nothing_over_is_told_so() -> None:
    async with site() as found:
        config = found.folder / "balancer.cfg"
        config.write_text(config.read_text().replace(" expose-fd listeners", ""))
        await asyncio.to_thread(found.start, BALANCER)
        words = ["-f", str(config), "-x", str(found.folder / "stats.sock"), "-db"]
        done = await asyncio.to_thread(
            subprocess.run, [*BALANCER, *words], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "Failed to get the sockets from the old process! (" in done.stderr
        assert "expose-fd listeners" in done.stderr


GARBAGE: Final = {
    "nothing": (b"", "hands no sockets over"),
    "half a number": (b"\1\0", "hands no sockets over"),
    "a negative number": (b"\xff\xff\xff\xff", "-1 sockets are announced"),
    "too large a number": (b"\xff\xff\xff\x7f", "sockets are announced"),
    "a number and no socket": (b"\1\0\0\0", "0 of 1 sockets came"),
    "a record without a socket": (b"\1\0\0\0" + bytes(6), "0 of 1 sockets came"),
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_in_place_of_sockets_is_refused(name: str, tmp_path: Path) -> None:
    said, reason = GARBAGE[name]
    path = str(tmp_path / "old.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as old:
        old.bind(path)
        old.listen()

        def answer() -> None:
            with old.accept()[0] as talk:
                assert talk.recv(100) == b"_getsocks\n"
                talk.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(TakeoverError, match=reason):
            take(path)
        thread.join()


def test_an_old_process_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TakeoverError, match="No such file"):
        take(str(tmp_path / "old.sock"))
