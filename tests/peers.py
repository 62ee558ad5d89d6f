"""Other people's programs that tests need: found, or a skip with the reason; with REQUIRE_PEERS=1 a failure instead.

A test that needs one calls `require_peer("apache2")` first. Debian's package of each is in the table, so that the reason tells
how to get it. A package from PyPI is `require_module`, or `require_folder` where it lies in the way of another one.
"""

import functools
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

# The name that a test asks for: the programs of which one is needed, and the Debian package that has it.
PEERS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "apache2": (("apache2",), "apache2"),
    "ansible": (("ansible",), "ansible"),
    "check_haproxy": (("check_haproxy",), "monitoring-plugins-contrib"),
    "check_haproxy_stats": (("check_haproxy_stats",), "monitoring-plugins-contrib"),
    "check_http": (("check_http",), "monitoring-plugins-basic"),
    "chromium": (("chromium",), "chromium"),
    "collectd": (("collectd",), "collectd-core"),
    "curl": (("curl",), "curl"),
    "daemontools": (("supervise",), "daemontools"),
    "gcc": (("gcc", "cc"), "gcc"),
    "goaccess": (("goaccess",), "goaccess"),
    "halog": (("halog",), "haproxy"),
    "haproxy": (("haproxy",), "haproxy"),
    "haproxy_": (("haproxy_",), "munin-plugins-core"),
    "haproxy_log_analysis": (("haproxy_log_analysis",), "haproxy-log-analysis"),
    "haproxy_ng": (("haproxy_ng",), "munin-plugins-extra"),
    "keepalived": (("keepalived",), "keepalived"),
    "lnav": (("lnav",), "lnav"),
    "logrotate": (("logrotate",), "logrotate"),
    "monit": (("monit",), "monit"),
    "nginx": (("nginx",), "nginx-light"),
    "prometheus": (("prometheus",), "prometheus"),
    "promtool": (("promtool",), "prometheus"),
    "python.d.plugin": (("python.d.plugin",), "netdata-plugins-python"),
    "rsyslogd": (("rsyslogd",), "rsyslog"),
    "runit": (("runsv",), "runit"),
    "runsv": (("runsv",), "runit"),
    "shellcheck": (("shellcheck",), "shellcheck"),
    "socat": (("socat",), "socat"),
    "ss": (("ss",), "iproute2"),
    "supervise": (("supervise",), "daemontools"),
    "systemd-analyze": (("systemd-analyze",), "systemd"),
    "systemd-tmpfiles": (("systemd-tmpfiles",), "systemd"),
    "wrk": (("wrk",), "wrk"),
}

# What a program asks for and its package does not bring: how to find out, and the Debian packages that have it.
WANTS: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "ansible": (("/usr/bin/python3", "-c", "import ansible_collections.community.general"), ("ansible",)),
    "check_haproxy": (
        ("perl", "-MLWP::UserAgent", "-MMonitoring::Plugin", "-e1"),
        ("libwww-perl", "libmonitoring-plugin-perl"),
    ),
    "haproxy_": (("perl", "-MLWP::UserAgent", "-e1"), ("libwww-perl",)),
    "haproxy_ng": (("perl", "-MLWP::UserAgent", "-e1"), ("libwww-perl",)),
    "python.d.plugin": (("/usr/bin/python3", "-c", "import urllib3"), ("python3-urllib3",)),
}

# Where Debian puts what only root is thought to run; an ordinary user's PATH may lack them.
SYSTEM_PATHS: Final = (
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/usr/lib/nagios/plugins",
    "/usr/share/munin/plugins",
    "/usr/lib/netdata/plugins.d",
)
PIP_PATIENCE_S: Final = 120.0


def find_peer(name: str) -> str | None:
    """The path of the program, None where it is not installed."""
    programs, _ = PEERS.get(name, ((name,), name))
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), *SYSTEM_PATHS))
    return next((found for program in programs if (found := shutil.which(program, path=path))), None)


def are_peers_required() -> bool:
    """Whether a missing program fails the test, as in CI, rather than skipping it."""
    return os.environ.get("REQUIRE_PEERS", "") not in ("", "0")


def require_peer(name: str) -> str:
    """The path of the program; without it the test is skipped, or fails where REQUIRE_PEERS=1."""
    found = find_peer(name)
    if found is None:
        _, package = PEERS.get(name, ((name,), name))
        lacking(f"needs {name} (apt-get install {package})")
    if name in WANTS:
        words, packages = WANTS[name]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            lacking(f"{name} needs more (apt-get install {' '.join(packages)})")
    return found


def require_module(name: str, package: str) -> Any:
    """A module of a package from PyPI that is among this project's extras."""
    try:
        found = importlib.import_module(name)
    except ImportError as error:
        lacking(f"needs {name} (pip install {package}): {error}")
    return found


def require_folder(package: str) -> Path:
    """A folder with the package from PyPI and nothing else, made once in a run; it goes with the run."""
    made = _folder_of(package)
    if isinstance(made, str):
        lacking(f"needs {package} (pip install --target FOLDER {package}): {made}")
    return Path(made.name)


@functools.cache
def _folder_of(package: str) -> "tempfile.TemporaryDirectory[str] | str":
    folder = tempfile.TemporaryDirectory(prefix="balancer-package-")
    words = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder.name, package]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=PIP_PATIENCE_S, check=False)
    except subprocess.TimeoutExpired:
        return f"not within {PIP_PATIENCE_S:.0f} s"
    return folder if done.returncode == 0 else done.stderr.strip()[-300:]


def lacking(reason: str) -> NoReturn:
    """Skips the test, or fails it where REQUIRE_PEERS=1."""
    if are_peers_required():
        pytest.fail(f"{reason}, and REQUIRE_PEERS=1 forbids to skip", pytrace=False)
    pytest.skip(reason)
