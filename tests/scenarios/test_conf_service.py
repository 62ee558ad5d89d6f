"""The eleven service folders of conf/service under the real `supervise` and the real `runsv`: ten images and the balancer.

The folders are copied, because a supervisor writes into them, and their ports are put elsewhere. What is promised: every `run`
is started as it lies there, stays the process that is supervised, comes back when it is killed or asked to restart, and goes
down when it is told to.
"""

import http.client
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import subject
from running import free_port, is_serving, running, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ROOT / "conf" / "service"
IMAGES: Final[dict[str, int]] = {f"squeak{n}": 3000 + n for n in range(1, 11)}
START_S: Final = 60.0  # eleven interpreters start at once, on two cores that also run the tests


@dataclass(frozen=True)
class Supervisor:
    """How one family of supervisors is started, asked and told."""

    program: str
    package: str
    ask: tuple[str, ...]
    is_up: re.Pattern[str]
    restart: tuple[str, ...]
    down: tuple[str, ...]
    leave: tuple[str, ...]


SUPERVISORS: Final[tuple[Supervisor, ...]] = (
    Supervisor(
        "supervise", "daemontools", ("svstat",), re.compile(r"up \(pid (\d+)\)"), ("svc", "-t"), ("svc", "-d"), ("svc", "-dx")
    ),
    Supervisor(
        "runsv", "runit", ("sv", "status"), re.compile(r"^run: .*\(pid (\d+)\)"), ("sv", "term"), ("sv", "down"), ("sv", "exit")
    ),
)


@dataclass
class Services:
    """The copied folders under one supervisor, with the port of each."""

    supervisor: Supervisor
    folder: Path
    ports: dict[str, int]

    def tell(self, words: tuple[str, ...], name: str) -> str:
        """Runs the supervisor's own command on one folder."""
        ran = subprocess.run([*words, str(self.folder / name)], capture_output=True, text=True, check=False)
        return ran.stdout + ran.stderr

    def pid(self, name: str) -> int:
        """The supervised process, 0 while it is down."""
        found = self.supervisor.is_up.search(self.tell(self.supervisor.ask, name).removeprefix(f"{self.folder / name}: "))
        return int(found.group(1)) if found else 0

    def is_serving(self, name: str) -> bool:
        """Whether it is up and its port is taken."""
        return self.pid(name) > 0 and is_serving(self.ports[name])

    def is_anew(self, name: str, before: int) -> bool:
        """Whether another process than `before` serves."""
        # Asked in this order: the port may still be the old one's.
        return self.pid(name) not in (0, before) and is_serving(self.ports[name])


def make_home(folder: Path) -> Path:
    """Where the run files find `bin/python` and `bin/balancer`: what is installed, or stand-ins that run the checkout."""
    if not subject.is_source():
        return Path(sys.prefix)
    binaries = folder / "home" / "bin"
    binaries.mkdir(parents=True)
    for name, words in (("python", ""), ("balancer", " -P -m balancer")):
        (binaries / name).write_text(f'#!/bin/sh\nexec {sys.executable}{words} "$@"\n')
        (binaries / name).chmod(0o755)
    return binaries.parent


def copy_folders(folder: Path, ports: dict[str, int]) -> None:
    """Copies the folders as they are delivered, with other ports."""
    for name in ports:
        shutil.copytree(FOLDERS / name, folder / name)
        run = folder / name / "run"
        if name in IMAGES:
            text = run.read_text()
            assert f"--ports {IMAGES[name]}\n" in text
            run.write_text(text.replace(f"--ports {IMAGES[name]}\n", f"--ports {ports[name]}\n"))


@pytest.fixture(params=SUPERVISORS, ids=lambda supervisor: supervisor.program)
def services(request: pytest.FixtureRequest, tmp_path: Path, require_peer: Callable[[str], str]) -> Iterator[Services]:
    """All eleven services, up and serving."""
    supervisor: Supervisor = request.param
    program = require_peer(supervisor.package)
    ports = {name: free_port() for name in (*IMAGES, "balancer")}
    folder = tmp_path / "service"
    copy_folders(folder, ports)
    text = (ROOT / "conf" / "haproxy-modern.cfg").read_text()
    for line in ("    chroot /usr/share/haproxy\n", "    uid 33\n", "    gid 33\n", "    maxconn 32000\n"):
        assert line in text
        text = text.replace(line, "")
    for name, port in ports.items():
        text = text.replace(f"127.0.0.1:{IMAGES.get(name, 8080)}", f"127.0.0.1:{port}")
    (tmp_path / "haproxy.cfg").write_text(text)
    environ = {"BALANCER_HOME": str(make_home(tmp_path)), "BALANCER_CFG": str(tmp_path / "haproxy.cfg")}
    found = Services(supervisor, folder, ports)
    with ExitStack() as stack:
        programs = {
            name: stack.enter_context(running([program, str(folder / name)], tmp_path / f"{name}.out", environ))
            for name in ports
        }
        for name, started in programs.items():
            wait_until(partial(found.is_serving, name), f"{name} is up", START_S, started.text)
        yield found
        for name in ports:
            found.tell(supervisor.leave, name)
        for name, started in programs.items():
            wait_until(started.has_ended, f"{name} has left")


def ask(port: int) -> tuple[int, str]:
    """One GET of the counter: its status and the cookie that came with it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", "/seaside/examples/counter", headers={"Host": "localhost"})
    response = connection.getresponse()
    response.read()
    connection.close()
    cookies = [value for name, value in response.getheaders() if name.lower() == "set-cookie"]
    return response.status, next((cookie.split(";")[0] for cookie in cookies if cookie.startswith("SEASIDE=")), "")


def test_the_delivered_services_run_restart_and_stop(services: Services) -> None:
    answers = [ask(services.ports["balancer"]) for _ in IMAGES]
    assert {status for status, _ in answers} <= {200, 302}
    assert [cookie for _, cookie in answers] == [f"SEASIDE=app1inst{n}" for n in range(1, 11)]

    before = services.pid("balancer")
    services.tell(services.supervisor.restart, "balancer")
    wait_until(lambda: services.is_anew("balancer", before), "the balancer serves again after a restart")
    assert ask(services.ports["balancer"])[1] == "SEASIDE=app1inst1"

    image = services.pid("squeak4")
    os.kill(image, signal.SIGKILL)
    wait_until(lambda: services.is_anew("squeak4", image), "a killed image serves again")

    services.tell(services.supervisor.down, "squeak7")
    wait_until(lambda: services.pid("squeak7") == 0, "an image goes down when it is told to")
    wait_until(lambda: not is_serving(services.ports["squeak7"]), "and its port is free")


@pytest.mark.parametrize("name", [*IMAGES, "balancer"])
def test_a_run_file_can_be_started_by_a_supervisor(name: str) -> None:
    run = FOLDERS / name / "run"
    lines = run.read_text().splitlines()
    assert run.stat().st_mode & stat.S_IXUSR, "supervise: access denied, once a second"
    assert lines[0] == "#!/bin/sh", "supervise: exec format error, once a second"
    assert lines[-1].startswith("exec "), "the shell would be supervised in place of the program"
    assert sorted(os.listdir(FOLDERS / name)) == ["run"]


def test_the_ten_images_differ_in_their_number_only() -> None:
    template = (FOLDERS / "squeak1" / "run").read_text()
    for number, (name, port) in enumerate(IMAGES.items(), 1):
        expected = template.replace("3001", str(port)).replace("Image 1 ", f"Image {number} ").replace("squeak1.", f"{name}.")
        assert (FOLDERS / name / "run").read_text() == expected
    assert sorted(path.name for path in FOLDERS.iterdir()) == sorted([*IMAGES, "balancer"])
