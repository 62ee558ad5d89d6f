"""Other people's programs that tests need: found, or a skip with the reason; with REQUIRE_PEERS=1 a failure instead.

A test that needs one calls `require_peer("apache2")` first. Debian's package of each is in the table, so that the reason tells
how to get it.
"""

import os
import shutil
from typing import Final

import pytest

# The name that a test asks for: the programs of which one is needed, and the Debian package that has it.
PEERS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "apache2": (("apache2",), "apache2"),
    "check_haproxy_stats": (("check_haproxy_stats",), "monitoring-plugins-contrib"),
    "chromium": (("chromium",), "chromium"),
    "curl": (("curl",), "curl"),
    "daemontools": (("supervise",), "daemontools"),
    "gcc": (("gcc", "cc"), "gcc"),
    "halog": (("halog",), "haproxy"),
    "haproxy": (("haproxy",), "haproxy"),
    "keepalived": (("keepalived",), "keepalived"),
    "logrotate": (("logrotate",), "logrotate"),
    "monit": (("monit",), "monit"),
    "nginx": (("nginx",), "nginx-light"),
    "prometheus": (("prometheus",), "prometheus"),
    "promtool": (("promtool",), "prometheus"),
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

# Where Debian puts what only root is thought to run; an ordinary user's PATH may lack them.
SYSTEM_PATHS: Final = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/nagios/plugins")


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
    if found is not None:
        return found
    _, package = PEERS.get(name, ((name,), name))
    reason = f"needs {name} (apt-get install {package})"
    if are_peers_required():
        pytest.fail(f"{reason}, and REQUIRE_PEERS=1 forbids to skip", pytrace=False)
    pytest.skip(reason)
