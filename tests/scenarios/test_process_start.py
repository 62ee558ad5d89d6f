"""The start: ports that are taken, descriptors, daemon and pid file, stats sockets, takeover."""

import os
import resource
import signal
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from program import Balancer, ask, run, write_config
from running import free_port, running, wait_until

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


def config(port: int, *process: str) -> str:
    return CONFIG.format(port=port, process="\n    ".join(process))


def is_running(pid: int) -> bool:
    """Whether the process is there and not a mere entry that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@contextmanager
def ended(pid: int) -> Iterator[None]:
    """Ends a daemon with the test, whatever comes of the test."""
    try:
        yield
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


@pytest.mark.pure
def test_two_balancers_never_share_a_port(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, port=port):
        refused = run("-db", "-f", str(tmp_path / "test.cfg"))
        assert refused.returncode == 1
        place = f"[{tmp_path}/test.cfg:11]"
        text = f"Binding {place} for proxy site: cannot bind socket (Address already in use) for [127.0.0.1:{port}]"
        assert text in refused.stderr
        assert refused.stderr.endswith("Some protocols failed to start their listeners! Exiting.\n")


def test_a_port_of_a_running_haproxy_is_refused(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    port = free_port()
    path = write_config(tmp_path, config(port))
    with running([require_peer("haproxy"), "-db", "-f", str(path)], tmp_path / "haproxy.log") as haproxy:
        haproxy.wait_for_port(port)
        refused = run("-db", "-f", str(path))
        assert refused.returncode == 1
        assert f"cannot bind socket (Address already in use) for [127.0.0.1:{port}]" in refused.stderr


def test_a_successor_takes_the_port_over_without_a_refused_connection(tmp_path: Path) -> None:
    port = free_port()
    for flag, status in (("-sf", 0), ("-st", -signal.SIGTERM)):
        with Balancer(config(port), tmp_path, port=port) as old:
            with Balancer(config(port), tmp_path, "-db", flag, str(old.process.pid)) as new:
                assert old.ended() == status
                assert ask(port).startswith(b"HTTP/1.1 503 ")
                new.signal(signal.SIGTERM)
                assert new.ended() == -signal.SIGTERM


def test_a_taken_port_among_several_stops_the_whole_start(tmp_path: Path) -> None:
    free, other = free_port(), free_port()
    made = config(free) + f"listen more\n    bind 127.0.0.1:{other}\n    server none 127.0.0.1:1\n"
    with closing(socket.create_server(("127.0.0.1", other))):
        refused = run("-db", "-f", str(write_config(tmp_path, made)))
    assert refused.returncode == 1 and f"[127.0.0.1:{other}]" in refused.stderr
    assert ask(free) == b""


@pytest.mark.pure
def test_a_daemon_serves_when_its_starter_returns(tmp_path: Path) -> None:
    port, pidfile = free_port(), tmp_path / "balancer.pid"
    pidfile.write_text("an old one\n", encoding="ascii")
    path = write_config(tmp_path, config(port, "daemon", f"pidfile {tmp_path}/other.pid"))
    started = run("-f", str(path), "-p", str(pidfile))
    assert started.returncode == 0, started.stderr
    pid = int(pidfile.read_text(encoding="ascii"))
    with ended(pid):
        assert ask(port).startswith(b"HTTP/1.1 503 ")
        assert stat.S_IMODE(pidfile.stat().st_mode) == 0o644
        assert not (tmp_path / "other.pid").exists()
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        session, terminal = int(fields[3]), int(fields[4])
        assert session not in (pid, os.getsid(0)) and terminal == 0
        assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1, 2)} == {"/dev/null"}
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_running(pid), "the daemon ends")
    assert pidfile.exists()


def test_a_daemon_that_cannot_start_says_so_and_its_starter_fails(tmp_path: Path) -> None:
    port = free_port()
    path = write_config(tmp_path, config(port, f"chroot {tmp_path}/missing"))
    failed = run("-D", "-f", str(path))
    assert failed.returncode == 1
    assert f"Cannot chroot({tmp_path}/missing): No such file or directory." in failed.stderr
    assert ask(port) == b""


def test_a_pid_file_that_cannot_be_made_stops_a_daemon_only(tmp_path: Path) -> None:
    port = free_port()
    made = config(port, f"pidfile {tmp_path}/missing/x.pid")
    path = write_config(tmp_path, made)
    failed = run("-D", "-f", str(path))
    assert failed.returncode == 1
    assert f"Cannot create pidfile {tmp_path}/missing/x.pid" in failed.stderr
    with Balancer(made, tmp_path, port=port):
        pass  # in the foreground there is none


def test_db_keeps_a_daemon_in_the_foreground(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port, "daemon"), tmp_path, "-D", "-db", port=port) as balancer:
        balancer.signal(signal.SIGTERM)
        assert balancer.ended() == -signal.SIGTERM


def test_a_descriptor_limit_too_low_lowers_maxconn_or_stops_the_start(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 400))

    port = free_port()
    with Balancer(config(port, "maxconn 1000000"), tmp_path, port=port, prepare=limit) as balancer:
        if "FD limit" not in balancer.said():
            pytest.skip("this user may raise the limit without bound")
        assert "[WARNING]  (" in balancer.said() and "too low for maxconn=1000000/maxsock=2000" in balancer.said()
        limits = Path(f"/proc/{balancer.process.pid}/limits").read_text(encoding="ascii")
        assert [line.split()[3:5] for line in limits.splitlines() if "open files" in line] == [["400", "400"]]
    with Balancer(config(port, "maxconn 1000000", "strict-limits"), tmp_path, prepare=limit) as balancer:
        assert balancer.ended() == 1
        assert "Cannot raise FD limit to 2000" in balancer.said() and "limit is 400." in balancer.said()
    with Balancer(config(port, "maxconn 1000000"), tmp_path, "-db", "-dW", prepare=limit) as balancer:
        assert balancer.ended() == 1
        assert "'zero-warning' is set. Aborting." in balancer.said()


def test_n_overrides_the_files_maxconn(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port, "maxconn 1000000"), tmp_path, "-db", "-n", "10", port=port) as balancer:
        assert "FD limit" not in balancer.said()


def test_quiet_says_nothing_at_all(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, "-db", "-q", port=port) as balancer:
        refused = run("-q", "-db", "-f", str(tmp_path / "test.cfg"))
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "")
        assert balancer.said() == ""


def test_the_start_says_which_form_runs(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, port=port) as balancer:
        lines = [line for line in balancer.said().splitlines() if "balancer version is" in line]
    assert len(lines) == 1 and lines[0].startswith("[NOTICE]   (")
    assert lines[0].endswith((" compiled form.", " pure form."))


def test_a_stats_socket_is_there_with_its_mode_and_replaces_a_stale_one(tmp_path: Path) -> None:
    port, path = free_port(), tmp_path / "admin.sock"
    made = config(port, f"stats socket {path} mode 660 level admin")
    for _start in range(2):
        with Balancer(made, tmp_path, port=port) as balancer:
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            with socket.socket(socket.AF_UNIX) as operator:
                operator.settimeout(10.0)
                operator.connect(str(path))
                operator.sendall(b"show info\n")
                assert operator.recv(65536).startswith(b"Name:")
            balancer.signal(signal.SIGTERM)
            assert balancer.ended() == -signal.SIGTERM
        assert path.exists()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".tmp")] == []


def test_flags_that_change_nothing_yet_are_told(tmp_path: Path) -> None:
    port = free_port()
    words = ("-W", "-db", "-S", "/nowhere/master.sock", "-dr")
    with Balancer(config(port), tmp_path, *words, port=port) as balancer:
        assert "'-W': there is no master process yet" in balancer.said()
        assert "'-S': the master's socket is not supported yet" in balancer.said()
        assert "-dr" not in balancer.said()


def test_systemd_hears_when_it_serves_and_when_it_stops(tmp_path: Path) -> None:
    port = free_port()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(15.0)
        systemd.bind(str(tmp_path / "notify"))
        environ = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        with Balancer(config(port), tmp_path, "-Ws", environ=environ) as balancer:
            assert systemd.recv(200) == f"READY=1\nMAINPID={balancer.process.pid}".encode("ascii")
            assert ask(port).startswith(b"HTTP/1.1 503 ")
            balancer.signal(signal.SIGUSR1)
            assert systemd.recv(200) == b"STOPPING=1"
            assert balancer.ended() == 0


def test_memory_is_limited_where_m_says_so(tmp_path: Path) -> None:
    port = free_port()
    with Balancer(config(port), tmp_path, "-db", "-m", "900", port=port) as balancer:
        limits = Path(f"/proc/{balancer.process.pid}/limits").read_text(encoding="ascii")
    assert [line.split()[3] for line in limits.splitlines() if "address space" in line] == [str(900 * 1024 * 1024)]
