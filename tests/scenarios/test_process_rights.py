"""Rights: what is left of root, what an ordinary user is spared, and that a jailed process looks for nothing outside."""

import os
import pwd
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Balancer, HeldServer, ask, run, write_config
from running import BALANCER, free_port, wait_until

import balancer

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NOBODY = pwd.getpwnam("nobody").pw_uid
WWW_DATA = 33

CONFIG = """
global
    {process}
defaults
    mode http
    retries 0
    timeout connect 1s
    timeout client 5s
    timeout server 5s
listen site
    bind 127.0.0.1:{port}
    server none 127.0.0.1:1
"""

JAILED = """
global
    {process}
defaults
    mode http
    log global
    option httplog
    timeout connect 1s
    timeout client 5s
    timeout server 5s
listen site
    bind 127.0.0.1:{port}
    cookie WHERE insert
    server one 127.0.0.1:{server} cookie one check inter 100ms
    server two 127.0.0.1:1 cookie two check inter 100ms
"""

# Runs the program and tells, from the moment its rights are dropped, whatever is imported or opened.
WATCHED = """
import os, sys
from balancer import main, privileges
drop, armed = privileges.drop, []
def watch(event, words):
    if armed and event in ("import", "open", "os.listdir", "os.scandir", "socket.getaddrinfo", "subprocess.Popen"):
        os.write(2, f"AUDIT {event} {words!r}\\n".encode())
def drop_and_watch(*words):
    passed_over = drop(*words)
    armed.append(True)
    return passed_over
privileges.drop = drop_and_watch
sys.addaudithook(watch)
status = main.main(sys.argv[1:], sys.stdout, sys.stderr)
armed.clear()
sys.exit(status)
"""

# Runs the program as nobody. What it needs is imported before, since the interpreter may lie where only root can read.
AS_NOBODY = """
import importlib, os, pwd, sys
from balancer import main, process
for name in process.LATE_IMPORTS:
    importlib.import_module(name)
main.build_text()
nobody = pwd.getpwnam("nobody")
os.setgroups([])
os.setresgid(nobody.pw_gid, nobody.pw_gid, nobody.pw_gid)
os.setresuid(nobody.pw_uid, nobody.pw_uid, nobody.pw_uid)
main.entry()
"""


def config(port: int, *process: str) -> str:
    return CONFIG.format(port=port, process="\n    ".join(process))


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that every user may enter and write to; pytest's own are closed to others."""
    path = Path(tempfile.mkdtemp(prefix="balancer-"))
    path.chmod(0o777)
    yield path
    shutil.rmtree(path)


def status_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {name: words.split() for name, words in (line.split(":", 1) for line in lines)}


@as_root
def test_root_ends_as_the_user_of_the_file_in_the_root_of_the_file(shared: Path) -> None:
    port, jail = free_port(), shared / "jail"
    jail.mkdir()
    made = config(port, f"chroot {jail}", f"uid {WWW_DATA}", f"gid {WWW_DATA}", f"pidfile {shared}/x.pid")
    path = write_config(shared, made)
    started = run("-D", "-f", str(path))
    assert started.returncode == 0, started.stderr
    assert "running as root" not in started.stderr
    pid = int((shared / "x.pid").read_text(encoding="ascii"))
    try:
        status = status_of(pid)
        assert status["Uid"] == status["Gid"] == [str(WWW_DATA)] * 4
        assert status["Groups"] == []
        assert status["NoNewPrivs"] == ["1"]
        assert int(status["CapEff"][0], 16) == int(status["CapPrm"][0], 16) == 0
        assert os.readlink(f"/proc/{pid}/root") == os.readlink(f"/proc/{pid}/cwd") == str(jail)
        assert ask(port).startswith(b"HTTP/1.1 503 ")
    finally:
        os.kill(pid, signal.SIGKILL)


def jailed(directory: Path, config: str, port: int, *process: str) -> Balancer:
    """The program in a jail of its own, with every import and open told once its rights are dropped."""
    jail = directory / "jail"
    (jail / "dev").mkdir(parents=True, exist_ok=True)
    script = directory / "watched.py"
    script.write_text(WATCHED, encoding="ascii")
    words = (f"chroot {jail}", f"uid {WWW_DATA}", f"gid {WWW_DATA}", *process)
    command = [sys.executable, "-P", str(script)]
    return Balancer(config.format(process="\n    ".join(words)), directory, "-db", port=port, command=command)


@as_root
def test_a_jailed_process_imports_and_opens_nothing(shared: Path) -> None:
    port = free_port()
    (shared / "jail" / "dev").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog, HeldServer() as server:
        syslog.bind(str(shared / "jail" / "dev" / "log"))
        (shared / "jail" / "dev" / "log").chmod(0o666)
        syslog.settimeout(15.0)
        made = JAILED.format(process="{process}", port=port, server=server.port)
        with jailed(shared, made, port, "log /dev/log local0") as watched:
            said = b""
            while b"Server site/two is DOWN" not in said or b" 200 " not in said:
                said += syslog.recv(65536)
            assert b"set-cookie: WHERE=one" in ask(port)
            assert ask(port, "/\x7f").startswith(b"HTTP/1.1 400 ")
            watched.signal(signal.SIGHUP)
            watched.signal(signal.SIGUSR1)
            assert watched.ended() == 0
            while b"Proxy site stopped" not in said:
                said += syslog.recv(65536)
            assert "AUDIT" not in watched.said(), watched.said()


@as_root
def test_metrics_and_stats_sockets_need_nothing_outside_the_jail(shared: Path) -> None:
    port, metrics, admin = free_port(), free_port(), shared / "admin.sock"
    made = CONFIG.format(process="{process}", port=port) + (
        f"frontend metrics\n    bind 127.0.0.1:{metrics}\n"
        "    http-request use-service prometheus-exporter if {{ path /metrics }}\n"
    )
    with jailed(shared, made, port, f"stats socket {admin} level admin") as watched:
        for _time in range(2):
            assert ask(metrics, "/metrics").startswith(b"HTTP/1.1 200 ")
            assert ask(metrics, "/other").startswith(b"HTTP/1.1 503 ")
            for question in (b"show info\n", b"show stat\n", b"help\n"):
                with socket.socket(socket.AF_UNIX) as operator:
                    operator.settimeout(15.0)
                    operator.connect(str(admin))
                    operator.sendall(question)
                    assert operator.recv(65536)
        watched.signal(signal.SIGUSR1)
        assert watched.ended() == 0
        assert "AUDIT" not in watched.said(), watched.said()


@as_root
def test_root_without_a_user_is_warned(shared: Path) -> None:
    port = free_port()
    with Balancer(config(port), shared, port=port) as running_as_root:
        assert "running as root: neither 'user' nor 'uid' is set in 'global'" in running_as_root.said()
    refused = run("-db", "-dW", "-f", str(shared / "test.cfg"))
    assert refused.returncode == 1 and "'zero-warning' is set. Aborting." in refused.stderr


@as_root
def test_a_missing_jail_stops_root(shared: Path) -> None:
    port = free_port()
    refused = run("-db", "-f", str(write_config(shared, config(port, f"chroot {shared}/missing", "uid 33", "gid 33"))))
    assert refused.returncode == 1
    assert f"Cannot chroot({shared}/missing): No such file or directory." in refused.stderr


def as_ordinary_user(directory: Path) -> list[str]:
    """The command that runs the program without root's rights."""
    if os.geteuid() != 0:
        return list(BALANCER)
    script = directory / "as_nobody.py"
    script.write_text(AS_NOBODY, encoding="ascii")
    return [sys.executable, "-P", str(script)]


def test_an_ordinary_user_passes_over_what_only_root_may_do(shared: Path) -> None:
    command = as_ordinary_user(shared)
    port = free_port()
    made = config(port, f"chroot {shared}", f"uid {WWW_DATA}", f"gid {WWW_DATA}")
    with Balancer(made, shared, "-db", port=port, command=command) as spared:
        said = spared.said()
        assert f"not root: passed over for want of privilege: chroot({shared}), set gid 33, set uid 33." in said
        assert status_of(spared.process.pid)["NoNewPrivs"] == ["1"]
        assert os.readlink(f"/proc/{spared.process.pid}/root") == "/"
    with Balancer(made, shared, "-db", "-dW", command=command) as strict:
        assert strict.ended() == 1
        assert f"Cannot chroot({shared}): Operation not permitted." in strict.said()


@as_root
def test_the_console_script_runs_isolated_as_root_only(shared: Path) -> None:
    script = shared / "script"
    home = Path(balancer.__file__).parent.parent
    source = f"import sys\nsys.path.insert(0, {str(home)!r})\nfrom balancer.main import entry\nentry()\n"
    script.write_text(source, encoding="utf-8")
    script.chmod(0o644)
    command = [sys.executable, "-P", str(script)]
    assert "\nRunning as: uid 0, isolated: " in run("-vv", command=command).stdout
    spared = run("-vv", command=as_ordinary_user(shared)).stdout
    assert f"\nRunning as: uid {NOBODY}, not isolated: " in spared and "what only root may do is passed over and said" in spared
    assert "\nRunning as: uid 0, not isolated: " in run("-vv", command=BALANCER).stdout


@as_root
def test_a_stats_socket_belongs_to_whom_the_file_says(shared: Path) -> None:
    port, path = free_port(), shared / "admin.sock"
    made = config(port, f"stats socket {path} mode 660 uid {NOBODY} gid {WWW_DATA}", "uid 33", "gid 33")
    with Balancer(made, shared, port=port):
        wait_until(path.exists, "the socket is there")
        assert (path.stat().st_uid, path.stat().st_gid) == (NOBODY, WWW_DATA)
