"""Commands that ask, and those that concern the session itself. What they do not do is change the traffic (`servers`)."""

from dataclasses import replace
from typing import Final

from balancer.admin.table import (
    ADMIN,
    COMMANDS,
    OPERATOR,
    PERMISSION_DENIED,
    USER,
    VALID,
    Talk,
    command,
    like,
    listing,
)
from balancer.backend.backend import Backend
from balancer.backend.server import MAINT, MAINT_VIA, STOPPED, Server
from balancer.backend.verdicts import CHECK_STATES, UNKNOWN
from balancer.observe import stats
from balancer.observe.info import VERSION, ProcessInfo, show_info
from balancer.units import UnitError, parse_time_s

CLI_TIMEOUT_MAX_S: Final = 2147483.0

STATE_HEADER: Final = (
    "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr srv_agent_addr "
    "srv_agent_port\n"
)
CONN_HEADER: Final = (
    "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb safe_nb idle_lim idle_cur "
    "idle_per_thr[1]\n"
)
# Bits of srv_check_state.
CHECKED: Final = 6
CHECKED_AND_PAUSED: Final = 14
# Bits of srv_admin_state: by the operator, by the file.
FORCED_MAINT: Final = 1
INHERITED_MAINT: Final = 2
CONFIGURED_MAINT: Final = 4


@command("help", USER, "help [<command>]", "list matching or all commands")
def _help(_talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
    matching = [each for each in COMMANDS.values() if list(each.words[: len(words)]) == words]
    return VALID + listing(matching or like(words))


@command("prompt", USER, "prompt", "toggle interactive mode with prompt")
def _prompt(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.has_prompt = not talk.has_prompt
    return ""


@command("quit", USER, "quit", "disconnect")
def _quit(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.is_over = True
    return ""


@command("user", USER, "user", "lower the level of the current CLI session to user")
def _user(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.level = USER
    return ""


@command("operator", OPERATOR, "operator", "lower the level of the current CLI session to operator")
def _operator(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.level = OPERATOR
    return ""


@command("set timeout", USER, "set timeout [cli] <delay>", "change a timeout setting")
def _timeout(talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
    if words[:1] != ["cli"]:
        return "'set timeout' only supports 'cli'.\n"
    if len(words) < 2:
        return "Expects an integer value.\n"
    try:
        seconds = parse_time_s(words[1], "s")
    except UnitError:
        seconds = 0.0
    if not 0.0 < seconds <= CLI_TIMEOUT_MAX_S:
        return "Invalid timeout value.\n"
    talk.timeout_s = seconds
    return ""


@command("show cli level", USER, "show cli level", "display the level of the current CLI session")
def _level(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return f"{talk.level}\n"


@command("show cli sockets", OPERATOR, "show cli sockets", "dump list of cli sockets")
def _sockets(_talk: Talk, info: ProcessInfo, _words: list[str]) -> str:
    rows = [f"unix@{each.path} {each.level} all\n" for each in info.config.process.stats_sockets]
    return "# socket lvl processes\n" + "".join(rows)


@command("show version", USER, "show version", "show version of the current process")
def _version(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return f"{VERSION}\n"


@command("show info", USER, "show info", "report information about the running process")
def _show_info(_talk: Talk, info: ProcessInfo, _words: list[str]) -> str:
    return show_info(info)


@command("show stat", USER, "show stat [no-maint|up]*", "report counters for each proxy and server")
def _stat(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    choice = stats.Choice()
    if len(words) >= 3:  # PROXY TYPE SID
        number = _proxy_number(info, words[0])
        if number is None:
            return "No such proxy.\n"
        kinds = _integer(words[1])
        choice = stats.Choice(number, stats.EVERYTHING if kinds < 0 else kinds, _integer(words[2]))
        words = words[3:]
    return stats.csv(info.farm, info.clock(), replace(choice, hides_maint="no-maint" in words, hides_down="up" in words))


@command("show backend", USER, "show backend", "list backends in the current running config")
def _backends(_talk: Talk, info: ProcessInfo, _words: list[str]) -> str:
    return "# name\n" + "".join(f"{backend.name}\n" for backend in info.farm.backends)


@command(
    "show servers state",
    USER,
    "show servers state [<backend>]",
    "dump volatile server information (all or for a single backend)",
)
def _servers_state(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    backends = _backends_named(info, words)
    if backends is None:
        return "Can't find backend.\n"
    now = info.clock()
    return STATE_HEADER + "".join(_state_row(backend, server, now) for backend in backends for server in backend.servers)


@command(
    "show servers conn", USER, "show servers conn [<backend>]", "dump server connections status (all or for a single backend)"
)
def _servers_conn(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    backends = _backends_named(info, words)
    if backends is None:
        return "Can't find backend.\n"
    return CONN_HEADER + "".join(_conn_row(backend, server) for backend in backends for server in backend.servers)


@command("clear counters", OPERATOR, "clear counters [all]", "clear max statistics counters (or all counters)")
def _clear(talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    if words and words[0] != "all":
        return "'clear counters' expects 'all' or nothing.\n"
    if words and not talk.may(ADMIN):
        return PERMISSION_DENIED
    info.farm.clear_counters(bool(words))
    return ""


def _proxy_number(info: ProcessInfo, word: str) -> int | None:
    """The number that a word is, or that the proxy of that name has; None if there is no such proxy."""
    if word.removeprefix("-").isdigit():
        return _integer(word)
    numbers = {backend.name: backend.number for backend in info.farm.backends}
    numbers |= {frontend.name: frontend.number for frontend in info.farm.frontends}
    return numbers.get(word)


def _integer(word: str) -> int:
    """As C's atoi, within bounds: 0 for what is no number."""
    digits = word.removeprefix("-")
    return int(word) if digits.isascii() and digits.isdigit() and len(digits) < 10 else 0


def _backends_named(info: ProcessInfo, words: list[str]) -> list[Backend] | None:
    """All, or the one that a word names or numbers (`#2`); None if there is no such backend."""
    if not words:
        return list(info.farm.backends)
    found = backend_named(info, words[0])
    return None if found is None else [found]


def backend_named(info: ProcessInfo, word: str) -> Backend | None:
    """The backend of that name or number (`#2`)."""
    for backend in info.farm.backends:
        if word == backend.name or (word.startswith("#") and _integer(word[1:]) == backend.number):
            return backend
    return None


def _state_row(backend: Backend, server: Server, now: float) -> str:
    is_out = server.is_in_maintenance()
    shown = CHECK_STATES[server.check_state]
    check_state = 0
    if server.is_checked:
        check_state = (CHECKED_AND_PAUSED if is_out else CHECKED) | int(server.check_is_running)
    admin_state = 0
    if server.admin_state & MAINT_VIA:
        admin_state = INHERITED_MAINT
    if server.admin_state & MAINT:
        admin_state |= FORCED_MAINT | (CONFIGURED_MAINT if server.config.disabled else 0)
    columns = (
        backend.number,
        backend.name,
        server.number,
        server.name,
        server.config.host,
        STOPPED if is_out else server.state,
        admin_state,
        server.weight,
        server.config.weight,
        int(now - server.changed_at),
        shown.number,
        UNKNOWN if server.check_is_running else shown.result,
        0 if is_out else server.health,
        check_state,
    )
    checked_at = f"{server.config.check_port} {server.config.check_host or '-'} - {server.config.check_port}"
    return " ".join(str(column) for column in columns) + f" 0 0 0 - {server.config.port} - 0 {checked_at}\n"


def _conn_row(backend: Backend, server: Server) -> str:
    idle = len(server.pool.idle)
    in_use_max = server.counters.sessions_max
    return (
        f"{backend.name}/{server.name} {backend.number}/{server.number} {server.config.host} {server.config.port} - 5000 "
        f"{server.served} {in_use_max} {server.served} 0 {idle} {server.pool.size_max} {idle} {idle}\n"
    )
