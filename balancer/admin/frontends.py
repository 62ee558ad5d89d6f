"""Commands that change frontends and the process's own limits while they serve."""

from typing import Final

from balancer.admin.reports import integer
from balancer.admin.table import ADMIN, Refusal, Talk, command
from balancer.backend import operate
from balancer.backend.frontend import OPEN, PAUSED, Frontend
from balancer.observe.info import ProcessInfo

NAME_EXPECTED: Final = "A frontend name is expected.\n"
NO_FRONTEND: Final = "No such frontend.\n"
OUT_OF_RANGE: Final = "Value out of range.\n"
INTEGER_EXPECTED: Final = "Integer value expected.\n"
AN_INTEGER_EXPECTED: Final = "Expects an integer value.\n"
RATES: Final = {
    "connections": "connection rate",
    "sessions": "session rate",
    "ssl-sessions": "SSL session rate",
    "http-compression": "compression speed in kB/s",
}
RATE_USAGE: Final = "'set rate-limit' only supports :\n" + "".join(
    f"   - '{setting} global' to set the per-process maximum {what}\n" for setting, what in RATES.items()
)


def frontend_named(info: ProcessInfo, words: list[str]) -> Frontend:
    """The frontend that the first word names, or numbers (`#2`). Raises Refusal."""
    if not words or not words[0]:
        raise Refusal(NAME_EXPECTED)
    for frontend in info.farm.frontends:
        if words[0] == frontend.name or (words[0].startswith("#") and integer(words[0][1:]) == frontend.number):
            return frontend
    raise Refusal(NO_FRONTEND)


@command("disable frontend", ADMIN, "disable frontend <frontend>", "temporarily disable specific frontend")
def _disable(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    frontend = frontend_named(info, words)
    if frontend.is_stopped:
        raise Refusal("Frontend was previously shut down, cannot disable.\n")
    if frontend.state == PAUSED:
        raise Refusal("All sockets are already disabled.\n")
    operate.pause(frontend, info.farm.events)
    return ""


@command("enable frontend", ADMIN, "enable frontend <frontend>", "re-enable specific frontend")
def _enable(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    frontend = frontend_named(info, words)
    if frontend.is_stopped:
        raise Refusal("Frontend was previously shut down, cannot enable.\n")
    if frontend.state == OPEN:
        raise Refusal("All sockets are already enabled.\n")
    try:
        operate.resume(frontend, info.farm.events)
    except OSError as error:
        raise Refusal("Failed to resume frontend, check logs for precise cause (port conflict?).\n") from error
    return ""


@command("shutdown frontend", ADMIN, "shutdown frontend <frontend>", "stop a specific frontend")
def _shutdown(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    frontend = frontend_named(info, words)
    if frontend.is_stopped:
        raise Refusal("Frontend was already shut down.\n")
    operate.stop(frontend, info.farm.backend_by_name.get(frontend.name), info.farm.events)
    return ""


@command("set maxconn frontend", ADMIN, "set maxconn frontend <frontend> <value>", "change a frontend's maxconn setting")
def _set_maxconn_frontend(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    frontend = frontend_named(info, words)
    if len(words) < 2:
        raise Refusal(INTEGER_EXPECTED)
    value = _number(words[1], INTEGER_EXPECTED)
    frontend.limit_sessions(value or info.farm.maxconn)
    return ""


@command("set maxconn global", ADMIN, "set maxconn global <value>", "change the per-process maxconn setting")
def _set_maxconn_global(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    if not words:
        raise Refusal(AN_INTEGER_EXPECTED)
    value = _number(words[0], AN_INTEGER_EXPECTED)
    if value > info.farm.maxconn_hard:
        raise Refusal(OUT_OF_RANGE)
    info.farm.limit_connections(value or info.farm.maxconn_hard)
    return ""


@command("set rate-limit", ADMIN, "set rate-limit <setting> <value>", "change a rate limiting value")
def _set_rate(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    if len(words) < 2 or words[0] not in RATES or words[1] != "global":
        raise Refusal(RATE_USAGE)
    if len(words) < 3:
        raise Refusal(AN_INTEGER_EXPECTED)
    value = _number(words[2], AN_INTEGER_EXPECTED)
    info.farm.limit_rate(words[0], value)
    return ""


def _number(word: str, otherwise: str) -> int:
    """A number of at most nine digits that is not negative. Raises Refusal."""
    if word.startswith("-") and word[1:].isdigit():
        raise Refusal(OUT_OF_RANGE)
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise Refusal(otherwise)
    return int(word)
