"""`log`: where log lines go, in which form, and which of them.

    log ADDRESS [len N] [format F] FACILITY [MAX_LEVEL [MIN_LEVEL]]

An address is `host[:port]` (UDP, port 514), a path (a datagram socket, sent to by path at each line, so that it survives a
restart of its reader), `stdout` or `stderr`. The facility must be named, as HAProxy demands.
"""

import re
from typing import Final

from balancer import model
from balancer.config.addresses import parse_address
from balancer.config.findings import Refusal
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
# As written, and as the model has it: "local" (HAProxy's default) is RFC 3164 without the name of the host.
FORMATS: Final[dict[str, str]] = {"local": "rfc3164", "rfc3164": "rfc3164", "raw": "raw", "short": "short"}
FORMATS_KNOWN: Final[tuple[str, ...]] = ("rfc5424", "priority", "timed", "iso")
STANDARD_STREAMS: Final[tuple[str, ...]] = ("stdout", "stderr")


def parse_log(statement: Statement) -> LogTarget:
    """Reads the words after `log` (other than `global`). Refuses what is misspelt and what is not supported yet."""
    words = list(statement.arguments)
    if len(words) < 2 or "" in words[:2]:
        raise Refusal(f"'log' expects <address> and <facility>, or 'global', as arguments (got '{' '.join(words)}')")
    address = words.pop(0)
    length_max, form = LENGTH_DEFAULT, ""
    while len(words) > 1 and words[0] in ("len", "format", "sample"):
        option, value = words.pop(0), words.pop(0)
        if option == "len":
            length_max = integer_of("log len", value, LENGTH_MIN, LENGTH_MAX)
        elif option == "format":
            form = _format(value)
            if value == "rfc3164":
                statement.warn("'log' : format 'rfc3164' is written without the name of the host, as format 'local'")
        else:
            raise Refusal("'log' : 'sample' is known to HAProxy and not supported yet; without it every line is sent")
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
        format=form or "rfc3164",
        length_max=length_max,
        origin=statement.origin,
    )


def _where(address: str, resolves: bool) -> tuple[str, str, int, str]:
    if address in STANDARD_STREAMS:
        return address, "", 0, ""
    if address in ("fd@1", "fd@2"):
        return STANDARD_STREAMS[int(address[-1]) - 1], "", 0, ""
    plain = re.sub(r"^(udp|dgram\+ipv)([46])@", r"ipv\2@", address)
    plain = plain.removeprefix("udp@").removeprefix("dgram+").removeprefix("unix@")
    if plain.startswith("/"):
        return "unix", "", 0, plain
    try:
        target = parse_address(plain, resolves)
    except Refusal as refusal:
        raise Refusal(f"'log' : {refusal}") from refusal
    if target.host.address == "":
        return "udp", "127.0.0.1", target.port_first or SYSLOG_PORT, ""
    return "udp", target.host.address, target.port_first or SYSLOG_PORT, ""


def _format(word: str) -> str:
    if word in FORMATS_KNOWN:
        raise Refusal(f"'log' : format '{word}' is known to HAProxy and not supported yet; use one of {', '.join(FORMATS)}")
    if word not in FORMATS:
        raise Refusal(f"'log' : unknown log format '{word}', expects one of {', '.join(FORMATS)}")
    return FORMATS[word]


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
