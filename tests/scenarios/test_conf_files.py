"""The delivered files of configuration are taken by their readers: HAProxy, this balancer, rsyslog, Prometheus, a container."""

import os
import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from running import BALANCER, free_port, running, wait_until

ROOT: Final = Path(__file__).resolve().parents[2]
CONF: Final = ROOT / "conf"
FILES: Final = ("haproxy.cfg", "haproxy-modern.cfg", "behind-apache.cfg", "demo.cfg", "container.cfg")
NEEDS_ROOT: Final = ("chroot", "uid", "gid", "user", "group", "pidfile", "daemon", "maxconn 32000")

# The words of 2006 in the original file and what says the same today.
MODERN: Final[dict[str, str]] = {
    "contimeout 5000": "timeout connect 5000",
    "clitimeout 50000": "timeout client 50000",
    "srvtimeout 50000": "timeout server 50000",
}


def lines_of(name: str) -> list[str]:
    """The lines that mean something, without indentation."""
    stripped = [line.strip() for line in (CONF / name).read_text().splitlines()]
    return [line for line in stripped if line and not line.startswith("#")]


def check(words: list[str], name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Asks a balancer whether it takes that file."""
    return subprocess.run([*words, "-c", "-f", str(CONF / name)], capture_output=True, text=True, cwd=folder, check=False)


@pytest.mark.parametrize("name", FILES)
def test_the_balancer_takes_every_delivered_file(name: str, tmp_path: Path) -> None:
    checked = check(list(BALANCER), name, tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "Configuration file is valid" in checked.stdout


@pytest.mark.parametrize("name", FILES[1:])
def test_haproxy_takes_every_delivered_file_in_the_words_of_today(
    name: str, tmp_path: Path, require_peer: Callable[[str], str]
) -> None:
    checked = check([require_peer("haproxy"), "-dW"], name, tmp_path)
    assert checked.returncode == 0, checked.stderr


def test_haproxy_takes_the_original_no_longer(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    checked = check([require_peer("haproxy")], "haproxy.cfg", tmp_path)
    assert checked.returncode == 1
    for word in MODERN:
        assert f"the '{word.split()[0]}' directive is not supported anymore" in checked.stderr


def test_the_modern_file_says_what_the_original_says() -> None:
    said = [MODERN.get(line, line) for line in lines_of("haproxy.cfg")]
    place = said.index("listen smalltalk 127.0.0.1:8080")
    said[place : place + 1] = ["listen smalltalk", "bind 127.0.0.1:8080"]
    assert lines_of("haproxy-modern.cfg") == said


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_the_ten_images_with_their_cookies(name: str) -> None:
    expected = [f"server app{n} 127.0.0.1:{3000 + n} cookie app1inst{n} check" for n in range(1, 11)]
    assert [line for line in lines_of(name) if line.startswith("server ")] == expected


@pytest.mark.parametrize("name", ["demo.cfg", "container.cfg"])
def test_a_file_for_ordinary_users_asks_for_nothing_that_wants_root(name: str) -> None:
    wanting = [line for line in lines_of(name) if any(line == word or line.startswith(f"{word} ") for word in NEEDS_ROOT)]
    assert wanting == []


def test_rsyslog_takes_the_snippet(require_peer: Callable[[str], str]) -> None:
    words = [require_peer("rsyslogd"), "-N1", "-f", str(CONF / "rsyslog-balancer.conf")]
    checked = subprocess.run(words, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr.lower()


def test_rsyslog_files_the_lines_of_the_balancer_and_no_others(tmp_path: Path, require_peer: Callable[[str], str]) -> None:
    port = free_port()
    text = (CONF / "rsyslog-balancer.conf").read_text()
    text = text.replace('port="514"', f'port="{port}"').replace("/var/log/haproxy.log", str(tmp_path / "haproxy.log"))
    (tmp_path / "rsyslog.conf").write_text(
        f'global(workDirectory="{tmp_path}")\n{text}\naction(type="omfile" file="{tmp_path}/other.log")\n'
    )
    words = [require_peer("rsyslogd"), "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "rsyslog.pid")]
    line = '127.0.0.1:40000 [23/Nov/2026:10:00:00.000] smalltalk smalltalk/app1 0/0/0/1/1 200 99 - - --NI 1/1/0/0/0 0/0 "GET /"'
    with running(words, tmp_path / "rsyslog.out") as rsyslog, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:

        def is_filed() -> bool:
            assert rsyslog.process.poll() is None, rsyslog.text()
            sender.sendto(b"<134>Nov 23 10:00:00 haproxy[123]: " + line.encode(), ("127.0.0.1", port))
            sender.sendto(b"<134>Nov 23 10:00:00 other[7]: something else", ("127.0.0.1", port))
            return (tmp_path / "haproxy.log").exists() and (tmp_path / "other.log").exists()

        wait_until(is_filed, "rsyslog files a line", tells=rsyslog.text)
        assert line in (tmp_path / "haproxy.log").read_text()
        assert "something else" not in (tmp_path / "haproxy.log").read_text()
        assert "smalltalk" not in (tmp_path / "other.log").read_text()


def test_prometheus_takes_the_scrape_file_which_names_the_exporters_port(require_peer: Callable[[str], str]) -> None:
    checked = subprocess.run(
        [require_peer("promtool"), "check", "config", str(CONF / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    target = re.search(r'targets: \["127\.0\.0\.1:(\d+)"\]', (CONF / "prometheus.yml").read_text())
    assert target is not None
    for name, section in (("demo.cfg", "metrics"), ("container.cfg", "metrics"), ("behind-apache.cfg", "statistics")):
        lines = lines_of(name)
        place = lines.index("http-request use-service prometheus-exporter if { path /metrics }")
        binds = [line for line in lines[lines.index(f"frontend {section}") : place] if line.startswith("bind ")]
        assert [bind.rpartition(":")[2] for bind in binds] == [target.group(1)]


DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()


def stages() -> list[str]:
    """The stages of the Dockerfile, each from its FROM on."""
    return re.split(r"(?m)^(?=FROM )", DOCKERFILE)[1:]


def test_the_container_is_compiled_in_the_first_stage_and_runs_without_a_compiler() -> None:
    first, second = stages()
    assert "BALANCER_COMPILE=require" in first
    assert "gcc" in first
    assert "gcc" not in second
    assert "COPY --from=build /opt/balancer /opt/balancer" in second


def test_the_container_runs_as_nobody_special_and_logs_to_its_output() -> None:
    _, second = stages()
    user = re.search(r"(?m)^USER (\d+):(\d+)$", second)
    assert user is not None
    assert int(user.group(1)) > 0
    assert second.index("USER ") < second.index("ENTRYPOINT")
    assert "bind :8080" in lines_of("container.cfg")
    assert any(line.startswith("log stdout ") for line in lines_of("container.cfg"))


def test_the_container_is_made_of_files_that_exist_and_are_sent_to_the_engine() -> None:
    sent = [line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [word for line in re.findall(r"(?m)^COPY (?!--from)(.*)$", DOCKERFILE) for word in line.split()[:-1]]
    assert copied
    for name in copied:
        assert os.path.exists(ROOT / name), name
        assert any(name == kept or name.startswith(f"{kept}/") for kept in sent), f"{name} is not sent: .dockerignore"


def test_the_check_of_the_container_asks_its_file_for_health(tmp_path: Path) -> None:
    found = re.search(r'CMD \["/opt/balancer/bin/balancerctl", (".*")\]', DOCKERFILE)
    assert found is not None
    ports = {"8080": str(free_port()), "8081": str(free_port())}
    path = tmp_path / "haproxy.cfg"
    path.write_text(re.sub("|".join(ports), lambda port: ports[port[0]], (CONF / "container.cfg").read_text()))
    words = [re.sub("|".join(ports), lambda port: ports[port[0]], word) for word in re.findall(r'"([^"]*)"', found.group(1))]
    command = [BALANCER[0], "-P", "-m", "balancer.ctl", *words]
    with running([*BALANCER, "-db", "-f", str(path)], tmp_path / "out") as container:
        container.wait_for_port(int(ports["8080"]))
        assert subprocess.run(command, capture_output=True, check=False).returncode == 0
        assert "/health" not in container.text(), "a check leaves no line in the log"
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0
