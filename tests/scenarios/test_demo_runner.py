"""`python -m balancer.demo` as people start it: what it says, what it leaves behind, and with which status it ends.

The balancer's place is taken by a few lines of Python here, so that each way in which a balancer can end is at hand.
"""

import contextlib
import fcntl
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest
from running import free_port, is_serving

EDGE_S = 15.0

LISTENING = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", os.getpid(), flush=True)
while True:
    listener.accept()[0].close()
"""
DYING = "import sys; print('[ALERT] cannot go on', file=sys.stderr); sys.exit(3)"
DEAF = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + LISTENING

DRIVER = """
import asyncio, sys
from balancer.demo import arguments, main
parsed = arguments.parse(["run", *sys.argv[2:]])
sys.exit(asyncio.run(main.run_demonstration(parsed, [sys.executable, *sys.argv[1].split("|")])))
"""


HEAD = """
global
    log stdout format raw local0
defaults
    log global
    mode http
    option httplog
    timeout connect 5000
    timeout client 50000
    timeout server 50000
listen smalltalk
    bind 127.0.0.1:{site}
    cookie SEASIDE insert nocache
    balance roundrobin"""


class Browser:
    """A visitor with a jar for cookies, who follows redirects."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/seaside/examples/counter"
        self._opener = build_opener(HTTPCookieProcessor())
        self.count = 0
        self.image = ""

    def load(self) -> "Browser":
        with self._opener.open(self._url, timeout=EDGE_S) as answer:
            page = answer.read().decode()
        self.count = int(re.findall(r"<h1>(-?\d+)</h1>", page)[0])
        self.image = re.findall(r"<dd>(\w+) on ", page)[0]
        self._url = unescape(re.findall(r'<a href="([^"]*)">\+\+</a>', page)[0])
        return self

    click = load


def is_running(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(question: Callable[[], bool], message: str) -> None:
    deadline_s = time.monotonic() + EDGE_S
    while not question():
        assert time.monotonic() < deadline_s, message
        time.sleep(0.02)


@dataclass
class Stage:
    """A configuration with three images, and the runs of it that a test has started."""

    folder: Path
    site: int
    images: list[int]
    runs: list["subprocess.Popen[bytes]"]

    @property
    def config(self) -> Path:
        return self.folder / "demo.cfg"

    @property
    def control(self) -> Path:
        return self.folder / "control.sock"

    def start(self, balancer: str, **options: object) -> "subprocess.Popen[bytes]":
        (self.folder / "balancer.py").write_text(balancer)
        (self.folder / "driver.py").write_text(DRIVER)
        command = [sys.executable, "-P", str(self.folder / "driver.py"), f"{self.folder / 'balancer.py'}|{self.site}"]
        command += ["-f", str(self.config), "--control", str(self.control)]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
        run: subprocess.Popen[bytes] = subprocess.Popen(command, **given)  # type: ignore[call-overload]
        self.runs.append(run)
        return run

    def tell(self, *words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-P", "-m", "balancer.demo", "tell", "--control", str(self.control), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=EDGE_S)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, free_port(), [free_port() for _ in range(3)], [])
    servers = [f"    server app{n} 127.0.0.1:{port} cookie app1inst{n}" for n, port in enumerate(made.images, 1)]
    made.config.write_text("\n".join(["listen smalltalk", f"    bind 127.0.0.1:{made.site}", "    cookie SEASIDE", *servers]))
    yield made
    for run in made.runs:
        run.kill()
        run.wait()


def read_until(run: "subprocess.Popen[bytes]", word: str) -> str:
    """The output up to a line with the word."""
    assert run.stdout is not None
    text = ""
    for line in run.stdout:
        text += line.decode()
        if word in text:
            return text
    raise AssertionError(f"{word!r} was never said:\n{text}")


def balancer_of(text: str) -> int:
    return int(next(line for line in text.splitlines() if line.startswith("ready")).split()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_balancer_and_images_with_status_0(stage: Stage, number: signal.Signals) -> None:
    run = stage.start(LISTENING)
    text = read_until(run, "Ctrl-C")
    assert f"http://127.0.0.1:{stage.site}/seaside/examples/counter" in text
    assert "-b SEASIDE=app1inst3 " in text
    assert all(is_serving(port) for port in stage.images)
    run.send_signal(number)
    rest, _ = run.communicate(timeout=EDGE_S)
    assert run.returncode == 0
    assert rest.decode().endswith("The balancer and all images are stopped.\n") and b"Traceback" not in rest
    assert not is_running(balancer_of(text))
    assert not any(is_serving(port) for port in [stage.site, *stage.images])
    assert not stage.control.exists()


def test_signal_ignored_by_the_shell_is_heard_all_the_same(stage: Stage) -> None:
    run = stage.start(LISTENING, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    read_until(run, "Ctrl-C")
    run.send_signal(signal.SIGINT)
    assert run.wait(EDGE_S) == 0


def test_balancer_that_will_not_end_is_killed(stage: Stage) -> None:
    run = stage.start(DEAF)
    text = read_until(run, "Ctrl-C")
    run.send_signal(signal.SIGINT)
    assert run.wait(EDGE_S) == 0
    assert not is_running(balancer_of(text))


def test_balancer_that_dies_ends_the_demonstration_with_status_1(stage: Stage) -> None:
    run = stage.start(DYING)
    said, _ = run.communicate(timeout=EDGE_S)
    assert run.returncode == 1
    assert said.decode().splitlines() == [
        "[ALERT] cannot go on",
        "The balancer ended with status 3; its last words are above. All images are stopped.",
    ]
    assert not any(is_serving(port) for port in stage.images)


def test_balancer_that_is_killed_is_told_by_the_name_of_the_signal(stage: Stage) -> None:
    run = stage.start(LISTENING)
    os.kill(balancer_of(read_until(run, "Ctrl-C")), signal.SIGKILL)
    said, _ = run.communicate(timeout=EDGE_S)
    assert run.returncode == 1
    assert b"The balancer was ended by SIGKILL" in said


def test_runner_that_is_killed_leaves_no_orphan(stage: Stage) -> None:
    run = stage.start(LISTENING)
    balancer = balancer_of(read_until(run, "Ctrl-C"))
    run.kill()
    wait_for(lambda: not is_running(balancer), "the balancer lives on")


def test_reader_that_leaves_ends_the_demonstration(stage: Stage) -> None:
    run = stage.start(LISTENING)
    balancer = balancer_of(read_until(run, "Ctrl-C"))
    assert run.stdout is not None
    run.stdout.close()
    stage.tell("freeze", "app1")  # something that is told
    assert run.wait(EDGE_S) == 1
    assert not is_running(balancer)


def test_taken_ports_are_all_told_with_the_command_that_names_the_holder(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", stage.images[1])), socket.create_server(("127.0.0.1", stage.site)):
        run = stage.start(LISTENING)
        said, _ = run.communicate(timeout=EDGE_S)
    assert run.returncode == 1
    text = said.decode()
    assert f"Cannot listen on 127.0.0.1:{stage.images[1]} (image app2): Address already in use." in text
    assert f"Cannot listen on 127.0.0.1:{stage.site} (the balancer): Address already in use." in text
    assert f"ss -ltnp 'sport = :{stage.site}'" in text
    assert "\nready" not in text and not is_serving(stage.images[0])


def test_fault_is_told_to_the_image_and_said_in_the_log(stage: Stage) -> None:
    run = stage.start(LISTENING)
    read_until(run, "Ctrl-C")
    assert stage.tell("die", "app2").stdout == "app2 down\n"
    read_until(run, "app2 is down.")
    assert not is_serving(stage.images[1])
    assert stage.tell("start", "app2").stdout == "app2 up\n"
    read_until(run, "app2 is up.")
    refused = stage.tell("die", "app9")
    assert (refused.returncode, refused.stderr) == (1, "error: no image 'app9' (app1, app2, app3)\n")


def test_control_socket_is_for_its_owner_only(stage: Stage) -> None:
    read_until(stage.start(LISTENING), "Ctrl-C")
    assert stage.control.stat().st_mode & 0o777 == 0o600


def test_second_demonstration_does_not_take_the_control_socket(stage: Stage) -> None:
    read_until(stage.start(LISTENING), "Ctrl-C")
    other = Stage(stage.folder, free_port(), [free_port()], stage.runs)
    other.config.write_text(f"listen a\n bind 127.0.0.1:{other.site}\n server app1 127.0.0.1:{other.images[0]}\n")
    said, _ = other.start(LISTENING).communicate(timeout=EDGE_S)
    assert b"another demonstration listens at" in said
    assert stage.tell("status").returncode == 0


def test_tell_without_a_demonstration_says_so(stage: Stage) -> None:
    refused = stage.tell("status")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"no demonstration answers at {stage.control} (No such file or directory)")


def test_configuration_without_images_is_refused(stage: Stage) -> None:
    stage.config.write_text("listen empty\n    bind 127.0.0.1:1\n")
    said, _ = stage.start(LISTENING).communicate(timeout=EDGE_S)
    assert b"expects 'bind HOST:PORT' and 'server NAME HOST:PORT' lines" in said


def test_terminal_shows_a_line_for_each_image_and_ctrl_c_ends_it(stage: Stage) -> None:
    pytest.importorskip("rich")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, (40).to_bytes(2, sys.byteorder) + (120).to_bytes(2, sys.byteorder) + bytes(4))
    run = stage.start(
        LISTENING,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(theirs)
    os.set_blocking(ours, False)
    screen = b""

    def shows(*words: str) -> bool:
        nonlocal screen
        with contextlib.suppress(BlockingIOError, OSError):
            screen += os.read(ours, 65536)
        return all(word.encode() in screen for word in words)

    wait_for(lambda: shows("Sessions", "app1", "app3", "Ctrl-C"), "no panel")
    with urlopen(f"http://127.0.0.1:{stage.images[0]}/seaside/examples/counter", timeout=EDGE_S):
        pass
    screen = b""
    wait_for(lambda: shows("app1", str(stage.images[0]), "●"), "the visit is not shown")
    os.write(ours, b"\x03")
    wait_for(lambda: shows("all images are stopped"), "Ctrl-C was not heard")
    assert run.wait(EDGE_S) == 0
    assert screen.count(b"\x1b[?25h") == 1, "the cursor stays hidden"
    os.close(ours)


def test_fifty_clicks_through_the_balancer_count_fifty_and_ten_visitors_meet_ten_images(tmp_path: Path) -> None:
    ports = [free_port() for _ in range(11)]
    servers = [f"    server app{n} 127.0.0.1:{port} cookie app1inst{n} check" for n, port in enumerate(ports[1:], 1)]
    head = HEAD.format(site=ports[0])
    (tmp_path / "demo.cfg").write_text("\n".join([head, *servers, ""]))
    command = [sys.executable, "-P", "-m", "balancer.demo", "run", "-f", "demo.cfg", "--control", "control.sock"]
    run = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        read_until(run, "Ctrl-C")
        visitors = [Browser(ports[0]) for _ in range(10)]
        assert [visitor.load().image for visitor in visitors] == [f"app{n}" for n in range(1, 11)]
        for _ in range(50):
            visitors[3].click()
        assert (visitors[3].count, visitors[3].image) == (50, "app4")
        run.send_signal(signal.SIGINT)
        rest, _ = run.communicate(timeout=EDGE_S)
    finally:
        run.kill()
        run.wait()
    assert run.returncode == 0
    assert rest.count(b"smalltalk smalltalk/app4 ") == 101
    assert rest.count(b" --VN ") == 100 and rest.count(b" --NI ") == 10


def test_images_alone_open_nothing_that_was_not_asked_for(stage: Stage) -> None:
    run = subprocess.Popen(
        [sys.executable, "-P", "-m", "balancer.demo", "--ports", "0,0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    stage.runs.append(run)
    text = read_until(run, "app2 listens on ")
    told = {line.rpartition(":")[2] for line in text.splitlines()}
    held = {os.readlink(link) for link in Path(f"/proc/{run.pid}/fd").iterdir()}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    opened = {str(int(row[1].partition(":")[2], 16)) for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in held}
    assert opened == told
    run.send_signal(signal.SIGINT)
    assert run.wait(EDGE_S) == 0
