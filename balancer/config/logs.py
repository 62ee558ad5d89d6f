"""`log`: where log lines go, in which form, and which of them.

    log ADDRESS [len N] [format F] [sample RANGES:SIZE] FACILITY [MAX_LEVEL [MIN_LEVEL]]

An address is `host[:port]` (UDP, port 514), a path or `abns@NAME` (a datagram socket, sent to by its name at each line, so
that it survives a restart of its reader), `stdout`, `stderr`, `fd@N` or `ring@NAME`. The facility must be named, as HAProxy
demands. What the process adds to a line of a proxy (tag, host, its sections of rings) is known when all is read: `finished`.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Final

from balancer import model
from balancer.config.addresses import parse_address
from balancer.config.binds import DESCRIPTOR_MAX, abstract_name, unix_path
from balancer.config.drafts import GlobalDraft
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import nearest, suggestion
from balancer.config.statement import Statement, integer_of
from balancer.model import LogTarget

SYSLOG_PORT: Final = 514
LENGTH_DEFAULT: Final = 1024
LENGTH_MIN: Final = 80
LENGTH_MAX: Final = 65535

# RFC 5424 6.2.1, in HAProxy's spelling.
FACILITIES: Final[tuple[str, ...]] = (
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "auth2", "ftp", "ntp", "audit",
    "alert", "cron2", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
)  # fmt: skip
LEVELS: Final[dict[str, int]] = {
    "emerg": model.EMERG,
    "alert": model.ALERT,
    "crit": model.CRIT,
    "err": model.ERR,
    "warning": model.WARNING,
    "notice": model.NOTICE,
    "info": model.INFO,
    "debug": model.DEBUG,
}
FORMATS: Final[tuple[str, ...]] = ("local", "rfc3164", "rfc5424", "priority", "short", "timed", "iso", "raw")
# As HAProxy wants them, in this order.
OPTIONS: Final[tuple[str, ...]] = ("len", "format", "sample")
SAMPLE_MAX: Final = 2**31 - 1
# What stands for the host in RFC 3164, where nothing names it.
NAMELESS: Final = "localhost"
BUILT_IN_RING: Final = "buf0"
BUILT_IN_FORMAT: Final = "timed"
# Sinks of HAProxy that are no rings.
NO_RINGS: Final[tuple[str, ...]] = ("stdout", "stderr")
STANDARD_STREAMS: Final[tuple[str, ...]] = ("stdout", "stderr")


def parse_log(statement: Statement) -> LogTarget:
    """Reads the words after `log` (other than `global`). Refuses what is misspelt and what is not supported yet."""
    words = list(statement.arguments)
    if len(words) < 2 or "" in words[:2]:
        raise Refusal(f"'log' expects <address> and <facility>, or 'global', as arguments (got '{' '.join(words)}')")
    address = words.pop(0)
    options: dict[str, str] = {}
    for option in OPTIONS:
        if len(words) > 1 and words[0] == option:
            options[option] = words[1]
            del words[:2]
    length_max, form, sample_size = LENGTH_DEFAULT, "", 0
    sample: tuple[tuple[int, int], ...] = ()
    if "len" in options:
        length_max = integer_of("log len", options["len"], LENGTH_MIN, LENGTH_MAX)
    if "format" in options:
        form = log_format("log", options["format"])
    if "sample" in options:
        sample, sample_size = _sample(options["sample"])
    if words and words[0] in OPTIONS:
        raise Refusal(f"'log' expects {', '.join(OPTIONS)} in this order, each once, and then a facility (got '{words[0]}')")
    facility = _facility(words.pop(0) if words else "")
    severity_max = _severity(words.pop(0), "maximum") if words else model.DEBUG
    severity_min = _severity(words.pop(0), "minimum") if words else model.EMERG
    if words:
        raise Refusal(f"'log' cannot handle unexpected argument '{words[0]}'")
    kind, host, port, path = _where(address, statement.resolves)
    return LogTarget(
        kind=kind,
        host=host,
        port=port,
        path=path,
        facility=facility,
        severity_max=severity_max,
        severity_min=severity_min,
        format=form,
        length_max=length_max,
        origin=statement.origin,
        sample=sample,
        sample_size=sample_size,
    )


def finished(process: GlobalDraft, targets: Iterable[LogTarget], tag: str, owner: str) -> tuple[LogTarget, ...]:
    """The targets of one proxy (or of the process, tag and owner "") with all that other lines say about them.

    `log-send-hostname` names the host, and makes RFC 3164 the format of lines without one; else this is "localhost" there.
    For a ring its own format counts.
    """
    found: list[LogTarget] = []
    forms = {BUILT_IN_RING: BUILT_IN_FORMAT, **{ring.name: ring.format for ring in process.rings}}
    for target in targets:
        form = forms.get(target.path, "raw") if target.kind == "ring" else target.format
        form = form or ("rfc3164" if process.log_hostname else "local")
        hostname = process.log_hostname or (NAMELESS if form == "rfc3164" else "")
        owner_of_sample = owner if target.sample else ""
        found.append(replace(target, format=form, hostname=hostname, tag=tag, owner=owner_of_sample))
    return tuple(found)


def check_rings(process: GlobalDraft, targets: Iterable[LogTarget], where: str, report: Report) -> None:
    """Reports rings that nobody has written; `where` says whose lines these are."""
    names = [BUILT_IN_RING, *(ring.name for ring in process.rings)]
    for target in targets:
        if target.kind == "ring" and target.path in NO_RINGS:
            report.alert(target.origin, f"log server declared in {where} uses incompatible ring '{target.path}'.")
        elif target.kind == "ring" and target.path not in names:
            near = suggestion(nearest(target.path, names))
            report.alert(target.origin, f"log server declared in {where} uses unknown ring named '{target.path}'{near or '.'}")


def log_format(keyword: str, word: str) -> str:
    """A format of log lines."""
    if word not in FORMATS:
        raise Refusal(
            f"'{keyword}' : unknown log format '{word}', expects one of {', '.join(FORMATS)}"
            + suggestion(nearest(word, FORMATS))
        )
    return word


def _where(address: str, resolves: bool) -> tuple[str, str, int, str]:
    if address in STANDARD_STREAMS:
        return address, "", 0, ""
    family, separator, rest = address.rpartition("@")
    if separator and family == "fd":
        descriptor = integer_of("log' : 'fd@", rest, 0, DESCRIPTOR_MAX)
        return ("fd", "", descriptor, "") if descriptor not in (1, 2) else (STANDARD_STREAMS[descriptor - 1], "", 0, "")
    if separator and family == "ring":
        return "ring", "", 0, rest
    if separator and family == "abns":
        return "unix", "", 0, abstract_name("log", rest)
    if separator and family in ("unix", "uxdg", "dgram+unix"):
        return "unix", "", 0, unix_path("log", rest)
    if separator and family in ("tcp", "tcp4", "tcp6", "stream+ipv4", "stream+ipv6", "stream+unix", "uxst"):
        raise Refusal(f"'log' : lines are sent as datagrams, expects UDP or a datagram socket (got '{address}')")
    plain = re.sub(r"^(udp|dgram\+ipv)([46])@", r"ipv\2@", address).removeprefix("udp@")
    if plain.startswith("/"):
        return "unix", "", 0, unix_path("log", plain)
    try:
        target = parse_address(plain, resolves)
    except Refusal as refusal:
        raise Refusal(f"'log' : {refusal}") from refusal
    return "udp", target.host.address or "127.0.0.1", target.port_first or SYSLOG_PORT, ""


def _sample(word: str) -> tuple[tuple[tuple[int, int], ...], int]:
    """`RANGES:SIZE`, the ranges in order."""
    ranges_text, colon, size_text = word.partition(":")
    if not colon:
        raise Refusal(f"'log' : Missing sample size, 'sample' expects <ranges>:<size> (got '{word}')")
    ranges: list[tuple[int, int]] = []
    for text in ranges_text.split(","):
        low, dash, high = text.partition("-")
        first = integer_of("log sample", low, 1, SAMPLE_MAX)
        last = integer_of("log sample", high, 1, SAMPLE_MAX) if dash else first
        if last < first:
            raise Refusal(f"'log' : wrong sample range '{text}', expects <low>-<high>")
        ranges.append((first, last))
    ranges.sort()
    for (_, last), (following, _) in pairwise(ranges):
        if following <= last:
            raise Refusal(f"'log' : sample ranges are overlapping (got '{ranges_text}')")
    size = integer_of("log sample size", size_text, 1, SAMPLE_MAX)
    if size < ranges[-1][1]:
        raise Refusal(
            f"'log' : sample size {size} should be greater or equal to {ranges[-1][1]} the maximum of the high ranges limits"
        )
    return tuple(ranges), size


def _facility(word: str) -> int:
    if word not in FACILITIES:
        raise Refusal(
            f"'log' : unknown log facility '{word}', expects one of {', '.join(FACILITIES)}"
            + suggestion(nearest(word, FACILITIES))
        )
    return FACILITIES.index(word)


def _severity(word: str, which: str) -> int:
    if word not in LEVELS:
        raise Refusal(
            f"'log' : unknown {which} log level '{word}', expects one of {', '.join(LEVELS)}"
            + suggestion(nearest(word, LEVELS))
        )
    return LEVELS[word]
