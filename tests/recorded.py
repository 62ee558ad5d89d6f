"""What HAProxy 2.6.12 was recorded to say (tests/recordings)."""

import re
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "recordings"

# A line of `option httplog` without captures, in its parts.
HTTPLOG: Final = re.compile(
    r"(?P<client_host>[\d.]+):(?P<client_port>\d+) \[(?P<date>[^]]+)\] (?P<frontend_name>\S+) (?P<backend_name>[^/ ]+)/"
    r"(?P<server_name>\S+) (?P<tr_ms>-?\d+)/(?P<tw_ms>-?\d+)/(?P<tc_ms>-?\d+)/(?P<resp_ms>-?\d+)/(?P<ta_ms>\d+) "
    r"(?P<status>-?\d+) (?P<bytes_read>\d+) - - (?P<flags>[^ ]{4}) (?P<act>\d+)/(?P<fe>\d+)/(?P<be>\d+)/(?P<srv>\d+)/"
    r"(?P<plus>\+?)(?P<retries>\d+) (?P<srv_queue>\d+)/(?P<be_queue>\d+) \"(?P<request>[^\"]*)\""
)


def http_log_lines() -> list[str]:
    """Every recorded line of httplog that is whole and has no captures, without its syslog header."""
    lines = (FOLDER / "haproxy-2.6-httplog.txt").read_text(encoding="ascii").splitlines()
    messages = [line.partition("]: ")[2] for line in lines if line.startswith("<")]
    return [message for message in messages if HTTPLOG.fullmatch(message)]


def stats_rows() -> list[dict[str, str]]:
    """The rows of `show stat`, each by column name."""
    header, *rows = (FOLDER / "haproxy-2.6-stats.csv").read_text(encoding="ascii").splitlines()
    names = header.removeprefix("# ").split(",")
    return [dict(zip(names, row.split(","), strict=True)) for row in rows]


def stats_header() -> str:
    """The first line of `show stat`."""
    return (FOLDER / "haproxy-2.6-stats.csv").read_text(encoding="ascii").splitlines()[0]


def metrics() -> list[tuple[str, str, str, str]]:
    """Name, type, labels and help of every series of the exporter."""
    lines = (FOLDER / "haproxy-2.6-metrics-list.txt").read_text(encoding="ascii").splitlines()
    found: list[tuple[str, str, str, str]] = []
    for line in lines:
        if not line.startswith("#"):
            name, kind, labels, text = line.split("\t")
            found.append((name, kind, labels, text))
    return found
