"""Commands that change servers while they serve. They call `backend.operate` and never touch a field."""

from typing import Final

from balancer.admin.commands import backend_named
from balancer.admin.table import ADMIN, USER, Talk, command
from balancer.backend import operate
from balancer.backend.backend import Backend
from balancer.backend.server import Server
from balancer.observe.info import ProcessInfo

WEIGHT_MAX: Final = 256

NO_NAME: Final = "Require 'backend/server'.\n"
NO_BACKEND: Final = "No such backend.\n"
NO_SERVER: Final = "No such server.\n"
NO_WEIGHT: Final = "Require <weight> or <weight%>.\n"
STATIC: Final = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n"
SET_SERVER_USAGE: Final = "usage: set server <backend>/<server> state | weight\n"
STATE_EXPECTED: Final = (
    "'set server <srv> state' expects 'ready' and 'maint' ('drain' is not supported yet: 'set weight <bk>/<srv> 0').\n"
)


class Refusal(Exception):
    """The text that answers a command that cannot be done."""


@command("get weight", USER, "get weight <bk>/<srv>", "report a server's current weight")
def _get_weight(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    try:
        _, server = server_named(info, words)
    except Refusal as refusal:
        return str(refusal)
    return f"{server.weight} (initial {server.config.weight})\n"


@command("set weight", ADMIN, "set weight <bk>/<srv>  (DEPRECATED)", "change a server's weight (use 'set server' instead)")
def _set_weight(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    try:
        backend, server = server_named(info, words)
        weight = weight_of(words[1] if len(words) > 1 else "", server.config.weight)
    except Refusal as refusal:
        return str(refusal)
    if backend.algorithm.is_static and weight not in (0, server.config.weight):
        return STATIC
    operate.set_weight(backend, server, weight, backend.events, info.clock())
    return ""


@command("disable server", ADMIN, "disable server (DEPRECATED)", "disable a server for maintenance (use 'set server' instead)")
def _disable_server(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    return _set_state(info, [*words[:1], "state", "maint"])


@command("enable server", ADMIN, "enable server  (DEPRECATED)", "enable a disabled server (use 'set server' instead)")
def _enable_server(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    return _set_state(info, [*words[:1], "state", "ready"])


@command("set server", ADMIN, "set server <bk>/<srv> [opts]", "change a server's state or weight")
def _set_server(talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    option = words[1] if len(words) > 1 else ""
    if option == "weight":
        return _set_weight(talk, info, [words[0], *words[2:]])
    if option == "state":
        return _set_state(info, words)
    try:
        server_named(info, words)
    except Refusal as refusal:
        return str(refusal)
    return SET_SERVER_USAGE


def _set_state(info: ProcessInfo, words: list[str]) -> str:
    """`BACKEND/SERVER state WORD`."""
    try:
        backend, server = server_named(info, words if words[0] != "state" else [])
    except Refusal as refusal:
        return str(refusal)
    change = STATES.get(words[2] if len(words) > 2 else "")
    if change is None:
        return STATE_EXPECTED
    change(backend, server, backend.events, info.clock())
    return ""


STATES: Final = {"ready": operate.leave_maintenance, "maint": operate.enter_maintenance}


def server_named(info: ProcessInfo, words: list[str]) -> tuple[Backend, Server]:
    """The server that the first word names, `BACKEND/SERVER`, either by name or by `#number`. Raises Refusal."""
    backend_word, _, server_word = (words[0] if words else "").partition("/")
    if not server_word:
        raise Refusal(NO_NAME)
    backend = backend_named(info, backend_word)
    if backend is None:
        raise Refusal(NO_BACKEND)
    for server in backend.servers:
        if server_word == server.name or server_word == f"#{server.number}":
            return backend, server
    raise Refusal(NO_SERVER)


def weight_of(word: str, initial: int) -> int:
    """The weight that `7` or `50%` (of the initial one) stands for. Raises Refusal in HAProxy's words."""
    if not word:
        raise Refusal(NO_WEIGHT)
    signless = word.removeprefix("-").removeprefix("+")
    digits = signless[: len(signless) - len(signless.lstrip("0123456789"))]
    if not digits or len(digits) > 9:
        raise Refusal("Empty weight string empty or preceded by garbage")
    rest = signless[len(digits) :]
    if rest not in ("", "%"):
        raise Refusal("Trailing garbage in weight string")
    value = -int(digits) if word.startswith("-") else int(digits)
    if rest:
        if value < 0:
            raise Refusal("Relative weight must be positive.\n")
        return min(value * initial // 100, WEIGHT_MAX)
    if not 0 <= value <= WEIGHT_MAX:
        raise Refusal("Absolute weight can only be between 0 and 256 inclusive.\n")
    return value
