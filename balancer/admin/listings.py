"""Listings of the process: backends, states and connections of servers, environment, and the reset of counters."""

import os
from typing import Final

from balancer.admin.reports import integer
from balancer.admin.table import ADMIN, OPERATOR, PERMISSION_DENIED, USER, Refusal, Talk, command
from balancer.backend.backend import Backend
from balancer.backend.server import STOPPED, Server
from balancer.backend.verdicts import CHECK_STATES, UNKNOWN
from balancer.observe.info import ProcessInfo

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
# A bit of srv_admin_state that never goes.
DISABLED_BY_FILE: Final = 4
# Bits of srv_check_state.
CONFIGURED: Final = 2
CHECKED: Final = 4
PAUSED: Final = 8


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
        raise Refusal("Can't find backend.\n")
    now = info.clock()
    return STATE_HEADER + "".join(_state_row(backend, server, now) for backend in backends for server in backend.servers)


@command(
    "show servers conn", USER, "show servers conn [<backend>]", "dump server connections status (all or for a single backend)"
)
def _servers_conn(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    backends = _backends_named(info, words)
    if backends is None:
        raise Refusal("Can't find backend.\n")
    return CONN_HEADER + "".join(_conn_row(backend, server) for backend in backends for server in backend.servers)


@command("show env", ADMIN, "show env [var]", "dump environment variables known to the process")
def _env(_talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
    """Whoever may read it sees what the process was started with: HAProxy shows it to operators, too."""
    if not words:
        return "".join(f"{name}={value}\n" for name, value in os.environ.items())
    if words[0] not in os.environ:
        raise Refusal("Variable not found\n")
    return f"{words[0]}={os.environ[words[0]]}\n"


@command("clear counters", OPERATOR, "clear counters [all]", "clear max statistics counters (or all counters)")
def _clear(talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    if words and words[0] != "all":
        raise Refusal("'clear counters' expects 'all' or nothing.\n")
    if words and not talk.may(ADMIN):
        raise Refusal(PERMISSION_DENIED)
    info.farm.clear_counters(bool(words))
    return ""


def _backends_named(info: ProcessInfo, words: list[str]) -> list[Backend] | None:
    """All, or the one that a word names or numbers (`#2`); None if there is no such backend."""
    if not words:
        return list(info.farm.backends)
    found = backend_named(info, words[0])
    return None if found is None else [found]


def backend_named(info: ProcessInfo, word: str) -> Backend | None:
    """The backend of that name or number (`#2`)."""
    for backend in info.farm.backends:
        if word == backend.name or (word.startswith("#") and integer(word[1:]) == backend.number):
            return backend
    return None


def _state_row(backend: Backend, server: Server, now: float) -> str:
    is_out = server.is_in_maintenance()
    shown = CHECK_STATES[server.check_state]
    # HAProxy never wakes the checks that a disabled server does not have.
    check_state = PAUSED if server.config.disabled else 0
    if server.is_check_configured():
        check_state = (
            CONFIGURED | (CHECKED if server.is_checked else 0) | (PAUSED if is_out else 0) | int(server.check_is_running)
        )
    columns = (
        backend.number,
        backend.name,
        server.number,
        server.name,
        server.config.host,
        STOPPED if is_out else server.state,
        server.admin_state | (DISABLED_BY_FILE if server.config.disabled else 0),
        server.weight,
        server.config.weight,
        int(now - server.changed_at),
        shown.number,
        UNKNOWN if server.check_is_running else shown.result,
        0 if is_out else server.health,
        check_state,
    )
    checked_at = f"{server.config.check_port} {server.config.check_host or '-'} - 0"
    return " ".join(str(column) for column in columns) + f" 0 0 0 - {server.config.port} - 0 {checked_at}\n"


def _conn_row(backend: Backend, server: Server) -> str:
    idle = len(server.pool.idle)
    in_use_max = server.counters.sessions_max
    return (
        f"{backend.name}/{server.name} {backend.number}/{server.number} {server.config.host} {server.config.port} - 5000 "
        f"{server.served} {in_use_max} {server.served} 0 {idle} {server.config.pool_size_max} {idle} {idle}\n"
    )
