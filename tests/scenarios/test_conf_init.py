"""The files for init systems: systemd's unit under a real systemd, the init script under a real shell, monit, keepalived,
logrotate and tmpfiles under the programs that read them. The files are taken as they lie there; only the paths in them change.
"""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
import systemd
from program import ask
from running import BALANCER, free_port, is_serving, running, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
CONF: Final = ROOT / "conf"
INTERFACES: Final = Path("/sys/class/net")

FILE: Final = """
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 1s
    timeout client 5s
    timeout server 5s
frontend site
    bind 127.0.0.1:{port}
    monitor-uri /alive
    default_backend images
backend images
    server one 127.0.0.1:{port}
"""


@dataclass(frozen=True)
class Place:
    """A machine's paths, in a folder of the test's."""

    folder: Path
    port: int

    @property
    def pidfile(self) -> Path:
        """Where the pid stands."""
        return self.folder / "balancer.pid"

    @property
    def config(self) -> Path:
        """haproxy.cfg."""
        return self.folder / "haproxy.cfg"

    @property
    def defaults(self) -> Path:
        """/etc/default/haproxy."""
        return self.folder / "default"

    def pid(self) -> int:
        """What the pid file says; 0 without one."""
        try:
            return int(self.pidfile.read_text())
        except (FileNotFoundError, ValueError):
            return 0

    def serves(self) -> bool:
        """Whether a request is answered."""
        return ask(self.port, "/alive").startswith(b"HTTP/1.1 200")

    def take(self, name: str) -> str:
        """A delivered file with this place's paths for the machine's."""
        text = (CONF / name).read_text()
        for old, new in (
            ("/opt/balancer/bin/balancerctl", self.folder / "balancerctl"),
            ("/opt/balancer/bin/balancer", self.folder / "balancer"),
            ("/etc/init.d/balancer", self.folder / "init"),
            ("/etc/default/haproxy", self.defaults),
            ("/etc/haproxy/haproxy.cfg", self.config),
            ("/run/haproxy/admin.sock", self.folder / "admin.sock"),
            ("/run/haproxy.pid", self.pidfile),
            ("/var/log/haproxy.log", self.folder / "haproxy.log"),
            ("=/run/haproxy\n", f"={self.folder / 'run'}\n"),
            ("haproxy:haproxy", "root:root" if os.geteuid() == 0 else f"{os.getuid()}:{os.getgid()}"),
            ("port 8080", f"port {self.port}"),
        ):
            text = text.replace(old, str(new))
        return text


def launcher(path: Path, words: tuple[str, ...]) -> None:
    """An executable that becomes the program under test."""
    path.write_text(f'#!/bin/sh\nexec {" ".join(words)} "$@"\n')
    path.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, free_port())
    made.config.write_text(FILE.format(folder=tmp_path, port=made.port))
    made.defaults.write_text((CONF / "sysv" / "default").read_text())
    launcher(tmp_path / "balancer", BALANCER)
    launcher(tmp_path / "balancerctl", (sys.executable, "-P", "-m", "balancer.ctl"))
    yield made
    if is_serving(made.port) and made.pid():
        os.kill(made.pid(), signal.SIGTERM)
        wait_until(lambda: not is_serving(made.port), "the end of what the test left")


def has_ended(pid: int) -> bool:
    """Whether no such process is left, or only its remains."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


class Visitor:
    """One that asks again and again while something happens, and counts what was not answered."""

    def __init__(self, place: Place) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", VISITS, str(place.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def end(self) -> tuple[int, int]:
        """Answered and not answered."""
        told, _ = self.process.communicate("\n", timeout=30)
        answered, failed = told.split()
        return int(answered), int(failed)


VISITS: Final = """
import select, socket, sys
counts = [0, 0]
while not select.select([sys.stdin], [], [], 0.002)[0]:
    try:
        with socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5) as visitor:
            visitor.sendall(b"GET /alive HTTP/1.1\\r\\nHost: t\\r\\nConnection: close\\r\\n\\r\\n")
            counts[not visitor.recv(65536).startswith(b"HTTP/1.1 200")] += 1
    except OSError:
        counts[1] += 1
print(*counts)
"""


@contextmanager
def visitor(place: Place) -> Iterator[Visitor]:
    """A visitor for the length of a `with`."""
    one = Visitor(place)
    try:
        yield one
    finally:
        one.process.kill()
        one.process.wait()


def unit(place: Place) -> str:
    """The unit for a user manager: without the line that only the system's may have."""
    lines = place.take("systemd/balancer.service").splitlines()
    return "\n".join(line for line in lines if not line.startswith(("BindReadOnlyPaths", "Conflicts")))


def test_systemd_understands_every_line_of_the_unit(place: Place, require_peer: Callable[[str], str]) -> None:
    path = place.folder / "balancer.service"
    path.write_text(place.take("systemd/balancer.service"))
    ran = subprocess.run([require_peer("systemd-analyze"), "verify", str(path)], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")


if systemd.CAN_RUN:

    def test_under_systemd_a_reload_loses_nobody_and_the_main_process_is_the_new_one(place: Place, tmp_path: Path) -> None:
        units = tmp_path / "units"
        units.mkdir()
        (units / "balancer.service").write_text(unit(place))
        with systemd.systemd(units, tmp_path / "systemd.out") as manager:
            started = manager.control("start", "balancer.service")
            assert started.returncode == 0, started.stderr + manager.control("status", "balancer.service").stdout
            assert place.serves(), "systemd waits for READY=1, and that is said when it serves"
            first = int(manager.shown("balancer.service", "MainPID"))
            assert first == place.pid()

            with visitor(place) as one:
                for _ in range(3):
                    before = int(manager.shown("balancer.service", "MainPID"))
                    reloaded = manager.control("reload", "balancer.service")
                    assert reloaded.returncode == 0, reloaded.stderr
                    assert int(manager.shown("balancer.service", "MainPID")) == place.pid() != before
                    wait_until(lambda pid=before: has_ended(pid), "the end of the process that was replaced")  # type: ignore[misc]
                    assert manager.shown("balancer.service", "ActiveState") == "active"
                answered, failed = one.end()
            assert failed == 0 and answered > 0

            serving = place.pid()
            good = place.config.read_text()
            place.config.write_text(good + "    servr x\n")
            assert manager.control("reload", "balancer.service").returncode != 0
            assert place.pid() == serving and place.serves(), "a file with mistakes changes nothing"
            place.config.write_text(good)

            os.kill(serving, signal.SIGKILL)
            wait_until(lambda: place.pid() != serving and place.serves(), "Restart=always")
            assert manager.control("stop", "balancer.service").returncode == 0
            assert manager.shown("balancer.service", "Result") == "success"
            wait_until(lambda: not is_serving(place.port), "the end of the service")

    def test_systemd_replaces_a_process_whose_loop_stands_still(place: Place, tmp_path: Path) -> None:
        units = tmp_path / "units"
        units.mkdir()
        (units / "balancer.service").write_text(unit(place).replace("WatchdogSec=10s", "WatchdogSec=1s"))
        with systemd.systemd(units, tmp_path / "systemd.out") as manager:
            assert manager.control("start", "balancer.service").returncode == 0
            first = place.pid()
            os.kill(first, signal.SIGSTOP)
            wait_until(lambda: place.pid() != first and place.serves(), "another process than the one that stands still")
            assert manager.shown("balancer.service", "NRestarts") == "1"


def init(place: Place, word: str) -> subprocess.CompletedProcess[str]:
    """The init script with one word."""
    path = place.folder / "init"
    if not path.exists():
        path.write_text(place.take("sysv/balancer"))
        path.chmod(0o755)
    return subprocess.run([str(path), word], capture_output=True, text=True, timeout=60, check=False)


def test_the_init_script_goes_through_its_words(place: Place) -> None:
    assert init(place, "status").returncode == 3
    place.defaults.write_text("ENABLED=0\n")
    refused = init(place, "start")
    assert refused.returncode == 0 and "ENABLED=1" in refused.stdout + refused.stderr and not is_serving(place.port)
    place.defaults.write_text((CONF / "sysv" / "default").read_text())

    started = init(place, "start")
    assert started.returncode == 0, started.stdout + started.stderr
    first = place.pid()
    assert place.serves() and init(place, "status").returncode == 0
    assert init(place, "start").returncode == 0 and place.pid() == first, "it runs already"

    with visitor(place) as one:
        for _ in range(2):
            before = place.pid()
            reloaded = init(place, "reload")
            assert reloaded.returncode == 0 and place.pid() != before, reloaded.stdout + reloaded.stderr
            wait_until(lambda pid=before: has_ended(pid), "the end of the process that was replaced")  # type: ignore[misc]
        answered, failed = one.end()
    assert failed == 0 and answered > 0

    good = place.config.read_text()
    place.config.write_text(good + "    servr x\n")
    second = place.pid()
    assert init(place, "reload").returncode != 0 and init(place, "restart").returncode != 0
    assert place.pid() == second and place.serves(), "a file with mistakes changes nothing"
    place.config.write_text(good)
    assert init(place, "restart").returncode == 0 and place.pid() != second and place.serves()

    assert init(place, "stop").returncode == 0
    assert not is_serving(place.port) and init(place, "status").returncode == 3 and init(place, "stop").returncode == 0
    assert init(place, "nonsense").returncode == 2


def test_a_server_that_is_drained_stays_drained_over_a_reload_and_a_restart(place: Place) -> None:
    states = place.folder / "states"
    text = place.config.read_text()
    text = text.replace("global\n", f"global\n    server-state-file {states}\n")
    place.config.write_text(text.replace("defaults\n", "defaults\n    load-server-state-from-file global\n"))
    sockets = f"STATE_SOCKET={place.folder / 'admin.sock'}\nSTATE_FILE={states}\n"
    place.defaults.write_text((CONF / "sysv" / "default").read_text() + sockets)
    assert init(place, "start").returncode == 0 and place.serves()
    control = [str(place.folder / "balancerctl"), "-s", str(place.folder / "admin.sock")]
    subprocess.run([*control, "drain", "one"], timeout=60, check=True)
    for word in ("reload", "restart"):
        before = place.pid()
        assert init(place, word).returncode == 0 and place.pid() != before
        wait_until(lambda pid=before: has_ended(pid), "the end of the process that was replaced")  # type: ignore[misc]
        told = subprocess.run([*control, "servers"], capture_output=True, text=True, timeout=60, check=False)
        assert "DRAIN" in told.stdout, told.stdout + told.stderr
    states.unlink()
    states.mkdir()  # what cannot be written keeps nobody from reloading
    assert init(place, "reload").returncode == 0 and place.serves()


def test_the_init_script_ends_nobody_elses_process(place: Place) -> None:
    with running(["sleep", "60"], place.folder / "sleep.out") as other:
        place.pidfile.write_text(f"{other.process.pid}\n")
        assert init(place, "status").returncode == 1 and init(place, "reload").returncode == 7
        assert init(place, "stop").returncode == 0 and not other.has_ended()


def test_shellcheck_finds_nothing_in_the_init_script(require_peer: Callable[[str], str]) -> None:
    ran = subprocess.run(
        [require_peer("shellcheck"), str(CONF / "sysv" / "balancer")], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_monit_starts_what_is_gone_and_alerts_of_what_does_not_serve(place: Place, require_peer: Callable[[str], str]) -> None:
    init(place, "status")  # writes the script
    rules = place.folder / "monitrc"
    rules.write_text(
        f"set daemon 1\nset pidfile {place.folder}/monit.pid\nset statefile {place.folder}/monit.state\n"
        f"set idfile {place.folder}/monit.id\nset log {place.folder}/monit.log\n" + place.take("monit/balancer")
    )
    rules.chmod(0o600)
    program = require_peer("monit")
    tried = subprocess.run([program, "-t", "-c", str(rules)], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    with running([program, "-I", "-c", str(rules)], place.folder / "monit.out") as monit:
        wait_until(lambda: place.pid() > 0 and place.serves(), "monit's start of the balancer", 30.0, monit.text)
        first = place.pid()
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: place.pid() != first and place.serves(), "monit's start of the next", 30.0, monit.text)
    assert init(place, "stop").returncode == 0


def can_multicast(interface: str) -> bool:
    """Whether the kernel says so of that interface (IFF_MULTICAST of netdevice(7))."""
    flags = INTERFACES / interface / "flags"
    return flags.exists() and bool(int(flags.read_text(), 16) & 0x1000)


def test_keepaliveds_check_is_the_balancers_health(place: Place, require_peer: Callable[[str], str]) -> None:
    text = place.take("keepalived/keepalived.conf")
    path = place.folder / "keepalived.conf"
    # On a machine with nothing but a loopback, keepalived has that to say and no more.
    path.write_text(text.replace("eth0", next(filter(can_multicast, sorted(os.listdir(INTERFACES))), "lo")))
    tried = subprocess.run([require_peer("keepalived"), "-t", "-f", str(path)], capture_output=True, text=True, check=False)
    said = (tried.stdout + tried.stderr).splitlines()
    assert [line for line in said if not line.endswith("loopback interface!")] == []
    check = re.search(r'script "(.+)"', text)
    assert check is not None

    def status() -> int:
        return subprocess.run(check.group(1).split(), capture_output=True, check=False).returncode

    assert status() == 3, "nobody answers"
    assert init(place, "start").returncode == 0
    assert status() == 0
    init(place, "stop")
    assert status() == 3


def test_logrotate_rotates_the_file_that_rsyslog_writes(place: Place, require_peer: Callable[[str], str]) -> None:
    log = place.folder / "haproxy.log"
    log.write_text("a line\n")
    log.chmod(0o640)
    path = place.folder / "logrotate"
    path.write_text(place.take("logrotate/balancer").replace("/usr/lib/rsyslog/rsyslog-rotate", str(place.folder / "none")))
    path.chmod(0o644)
    place.folder.chmod(0o755)
    words = [require_peer("logrotate"), "-f", "-s", str(place.folder / "state"), str(path)]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (place.folder / "haproxy.log.1").read_text() == "a line\n"


def test_tmpfiles_makes_the_folder_of_the_stats_socket(place: Place, require_peer: Callable[[str], str]) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: the folder gets an owner")
    root = place.folder / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("haproxy:x:990:990::/:/bin/false\n")
    (root / "etc" / "group").write_text("haproxy:x:990:\n")
    lines = root / "usr" / "lib" / "tmpfiles.d"
    lines.mkdir(parents=True)
    shutil.copy(CONF / "tmpfiles" / "balancer.conf", lines)
    words = [require_peer("systemd-tmpfiles"), "--create", f"--root={root}", "balancer.conf"]
    ran = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    made = (root / "run" / "haproxy").stat()
    assert (stat.S_IMODE(made.st_mode), made.st_uid, made.st_gid) == (0o2775, 990, 990)
