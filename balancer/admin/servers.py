"""Commands that change servers while they serve. They call `backend.operate` and never touch a field."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import Final

from balancer.admin.listings import backend_named
from balancer.admin.reports import integer
from balancer.admin.table import ADMIN, USER, WARNING, Refusal, Talk, Told, command, refuse
from balancer.backend import operate
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.server import RUNNING, STOPPED, STOPPING, Server
from balancer.observe.info import ProcessInfo

WEIGHT_MAX: Final = 256
PORT_MAX: Final = 65535

NO_NAME: Final = "Require 'backend/server'.\n"
NO_BACKEND: Final = "No such backend.\n"
NO_SERVER: Final = "No such server.\n"
NO_WEIGHT: Final = "Require <weight> or <weight%>.\n"
STATIC: Final = "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n"
STATE_EXPECTED: Final = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n"
HEALTH_EXPECTED: Final = "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n"
IS_TRACKING: Final = "cannot change health on a tracking server.\n"
NO_CHECK: Final = "Health check was not configured on this server, cannot enable.\n"
NO_CHECK_TO_MOVE: Final = "health checks are not enabled on this server"
NO_AGENT: Final = "Agent was not configured on this server, cannot enable.\n"
NO_AGENT_TO_SET: Final = "agent checks are not enabled on this server"
BY_COMMAND: Final = " by 'stats socket command'\n"
ADDRESS_EXPECTED: Final = "set server <b>/<s> {} requires an address and optionally a port.\n"
PORT_MAPPED: Final = (
    "can't change <port> to port map because it is incompatible with current health check port configuration "
    "(use 'port' statement from the 'server' directive."
)
NO_FQDN: Final = "set server <b>/<s> fqdn requires a FQDN.\n"
NO_RESOLUTION: Final = "set server <b>/<s> fqdn failed because no resolution is configured.\n"
NO_TLS: Final = "'set server <srv> ssl' cannot be set.  default-server should define ssl settings\n"

Change = Callable[[Backend, Server, EventLog, float], None]
# BACKEND, SERVER, the words behind the option, the process; the answer.
Option = Callable[[Backend, Server, list[str], ProcessInfo], str | Told]


@command("get weight", USER, "get weight <bk>/<srv>", "report a server's current weight")
def _get_weight(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    _, server = server_named(info, words)
    return f"{server.weight} (initial {server.config.weight})\n"


@command("set weight", ADMIN, "set weight <bk>/<srv>  (DEPRECATED)", "change a server's weight (use 'set server' instead)")
def _set_weight(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, _weight)


@command("disable server", ADMIN, "disable server (DEPRECATED)", "disable a server for maintenance (use 'set server' instead)")
def _disable_server(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, [*words[:1], "maint"], _state)


@command("enable server", ADMIN, "enable server  (DEPRECATED)", "enable a disabled server (use 'set server' instead)")
def _enable_server(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, [*words[:1], "ready"], _state)


@command("disable health", ADMIN, "disable health", "disable health checks")
def _disable_health(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, _no_checks)


@command("enable health", ADMIN, "enable health", "enable health checks")
def _enable_health(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, _checks_again)


@command("disable agent", ADMIN, "disable agent", "disable agent checks")
def _disable_agent(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, lambda *_: "")


@command("enable agent", ADMIN, "enable agent", "enable agent checks")
def _enable_agent(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, lambda *_: refuse(NO_AGENT))


@command("set server", ADMIN, "set server <bk>/<srv> [opts]", "change a server's state, weight, address or ssl")
def _set_server(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    option = OPTIONS.get(words[1] if len(words) > 1 else "")
    return _on_server(info, [*words[:1], *words[2:]], option or (lambda *_: refuse(SET_SERVER_USAGE)))


@command("set maxconn server", ADMIN, "set maxconn server <bk>/<srv>", "change a server's maxconn setting")
def _set_maxconn(_talk: Talk, info: ProcessInfo, words: list[str]) -> str | Told:
    return _on_server(info, words, _maxconn)


def _on_server(info: ProcessInfo, words: list[str], act: Option) -> str | Told:
    """Does it with the server that the first word names and the words behind it."""
    backend, server = server_named(info, words)
    return act(backend, server, words[1:], info)


def _weight(backend: Backend, server: Server, words: list[str], info: ProcessInfo) -> str:
    weight = weight_of(words[0] if words else "", server.config.weight)
    if backend.algorithm.is_static and weight not in (0, server.config.weight):
        raise Refusal(STATIC)
    operate.set_weight(backend, server, weight, backend.events, info.clock())
    return ""


def _state(backend: Backend, server: Server, words: list[str], info: ProcessInfo) -> str:
    change = STATES.get(words[0] if words else "")
    if change is None:
        raise Refusal(STATE_EXPECTED)
    change(backend, server, backend.events, info.clock())
    return ""


def _health(backend: Backend, server: Server, words: list[str], info: ProcessInfo) -> str:
    if server.tracked is not None:
        raise Refusal(IS_TRACKING)
    state = HEALTHS.get(words[0] if words else "", -1)
    if state < 0:
        raise Refusal(HEALTH_EXPECTED)
    operate.set_health(backend, server, state, backend.events, info.clock())
    return ""


def _no_checks(_backend: Backend, server: Server, _words: list[str], _info: ProcessInfo) -> str:
    server.pause_checks()
    return ""


def _checks_again(_backend: Backend, server: Server, _words: list[str], _info: ProcessInfo) -> str:
    if not server.is_check_configured():
        raise Refusal(NO_CHECK)
    server.resume_checks()
    return ""


def _maxconn(backend: Backend, server: Server, words: list[str], info: ProcessInfo) -> str:
    if not words or not words[0]:
        raise Refusal("Require <maxconn>.\n")
    word = words[0].removeprefix("+")
    digits = word[: len(word) - len(word.lstrip("0123456789"))]
    if not digits or len(digits) > 9:
        raise Refusal("maxconn string empty or preceded by garbage")
    if digits != word:
        raise Refusal("Trailing garbage in maxconn string")
    operate.set_maxconn(backend, server, int(digits), info.clock())
    return ""


def _address(_backend: Backend, server: Server, words: list[str], _info: ProcessInfo) -> Told:
    if not words:
        raise Refusal(ADDRESS_EXPECTED.format("addr"))
    host = _host_of(words[0])
    if host is None:
        return Told(f"Invalid addr '{words[0]}'{BY_COMMAND}", WARNING)
    had_host, had_port = server.config.host, server.config.port
    told = ["no need to change the addr" if host == had_host else f"IP changed from '{had_host}' to '{host}'"]
    port = had_port
    if len(words) > 1 and words[1] == "port":
        word = words[2] if len(words) > 2 else ""
        if word.startswith(("+", "-")):
            told.append(PORT_MAPPED)
        elif not (word.isascii() and word.isdigit() and 0 < int(word[:9]) <= PORT_MAX):
            told.append(f"problem converting port '{word}' to an int")
        elif int(word) == had_port:
            told.append("no need to change the port")
        else:
            port = int(word)
            told.append(f"port changed from '{had_port}' to '{port}'")
    if (host, port) != (had_host, had_port):
        server.move_to(host, port, ":" in host)
    return Told(", ".join(told) + BY_COMMAND, WARNING)


def _check_address(_backend: Backend, server: Server, words: list[str], _info: ProcessInfo) -> str:
    if not words:
        raise Refusal(ADDRESS_EXPECTED.format("check-addr"))
    if not server.is_check_configured():
        raise Refusal(NO_CHECK_TO_MOVE)
    host = _host_of(words[0])
    if host is None:
        raise Refusal(f"invalid addr '{words[0]}'")
    port = server.config.check_port
    if len(words) > 1 and words[1] == "port":
        port = _port_of(words[2] if len(words) > 2 else "")
    server.check_at(host, port, ":" in host)
    return ""


def _check_port(_backend: Backend, server: Server, words: list[str], _info: ProcessInfo) -> str:
    if not words:
        raise Refusal("set server <b>/<s> check-port requires a port.\n")
    if not server.is_check_configured():
        raise Refusal(NO_CHECK_TO_MOVE)
    config = server.config
    server.check_at(config.check_host, _port_of(words[0]), config.check_is_ipv6)
    return ""


def _host_of(word: str) -> str | None:
    """The address of IP that the word is; no name is looked up."""
    try:
        return str(ip_address(word.removeprefix("[").removesuffix("]") if ":" in word else word))
    except ValueError:
        return None


def _port_of(word: str) -> int:
    if not (word.isascii() and word.isdigit()):
        raise Refusal("provided port is not an integer")
    if len(word) > 5 or int(word) > PORT_MAX:
        raise Refusal("provided port is invalid")
    return int(word)


def _no_agent(end: str) -> Option:
    return lambda *_: refuse(NO_AGENT_TO_SET + end)


STATES: Final[dict[str, Change]] = {
    "ready": operate.make_ready,
    "drain": operate.drain,
    "maint": operate.put_in_maintenance,
}
HEALTHS: Final[dict[str, int]] = {"up": RUNNING, "stopping": STOPPING, "down": STOPPED}
# What follows `set server BACKEND/SERVER`. There are no agent checks, no names that are resolved again, and no TLS.
OPTIONS: Final[dict[str, Option]] = {
    "addr": _address,
    "agent": _no_agent(".\n"),
    "agent-addr": _no_agent(""),
    "agent-port": _no_agent(""),
    "agent-send": _no_agent(".\n"),
    "check-addr": _check_address,
    "check-port": _check_port,
    "fqdn": lambda _backend, _server, words, _info: refuse(NO_RESOLUTION if words else NO_FQDN),
    "health": _health,
    "ssl": lambda *_: refuse(NO_TLS),
    "state": _state,
    "weight": _weight,
}
SET_SERVER_USAGE: Final = f"usage: set server <backend>/<server> {' | '.join(OPTIONS)}\n"


def server_named(info: ProcessInfo, words: list[str]) -> tuple[Backend, Server]:
    """The server that the first word names, `BACKEND/SERVER`, either by name or by `#number`. Raises Refusal."""
    backend_word, _, server_word = (words[0] if words else "").partition("/")
    if not server_word:
        raise Refusal(NO_NAME)
    backend = backend_named(info, backend_word)
    if backend is None:
        raise Refusal(NO_BACKEND)
    for server in backend.servers:
        if server_word == server.name or (server_word.startswith("#") and integer(server_word[1:]) == server.number):
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
