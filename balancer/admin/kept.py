"""States of servers over a restart: what `show servers state` wrote is read at the start and, where it still fits, taken over.

Taken over, as in HAProxy: maintenance, drain and another weight by command, the health of servers that are checked, checks that
were switched off, the last check's status, and since when all this is. A file never overrides the configuration:
a weight or a `disabled` that was changed there counts, and so do address and port, always, since the file cannot tell
a port that a command gave from one of an older configuration. A server without checks is not kept DOWN: nothing would
ever bring it back. What is wrong with a file is a warning with its line, one line of it is passed over, and the start goes on.
Only moves that a command could make are made, by the same functions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from balancer.admin.listings import CHECKED, CONFIGURED, DISABLED_BY_FILE
from balancer.backend import operate
from balancer.backend.backend import Backend
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.backend.server import ANY_MAINT, DRAIN, MAINT, RUNNING, STARTING, STOPPED, STOPPING, Server
from balancer.backend.transitions import announce
from balancer.backend.verdicts import CHECK_STATES, Verdict

VERSION: Final = "1"
COLUMNS_MIN: Final = 20
COLUMNS_MAX: Final = 25
FILE_OCTETS_MAX: Final = 64 << 20
WARNINGS_MAX: Final = 20  # of one file
WEIGHT_MAX: Final = 256
AGE_MAX_S: Final = 2**31 - 1
REASON: Final = "changed from server-state after a reload"

# Bits of the administrative state that others recompute, or that are of features that do not exist here.
RECOMPUTED: Final = 2 | 16 | 32 | 64
ADMIN_STATES: Final = frozenset((0, 1, 4, 5, 8, 12))
CHECK_NAMES: Final[dict[int, str]] = {state.number: state.name for state in CHECK_STATES.values()}

# Where a column is, and the largest value that it may have.
COLUMNS: Final[dict[str, tuple[int, int]]] = {
    "srv_op_state": (5, 3),
    "srv_admin_state": (6, 127),
    "srv_uweight": (7, WEIGHT_MAX),
    "srv_iweight": (8, WEIGHT_MAX),
    "srv_time_since_last_change": (9, AGE_MAX_S),
    "srv_check_status": (10, 255),
    "srv_check_result": (11, 4),
    "srv_check_health": (12, AGE_MAX_S),
    "srv_check_state": (13, 63),
    "srv_agent_state": (14, 63),
    "bk_f_forced_id": (15, 1),
    "srv_f_forced_id": (16, 1),
    "srv_port": (18, 65535),
}
Warn = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    """One server as it was; `place` is `file:line`."""

    place: str
    backend: str
    server: str
    values: dict[str, int]
    address: str


class Wrong(Exception):
    """What is wrong with one line."""


def restore(farm: Farm, events: EventLog, warn: Warn, now: float) -> None:
    """Reads the files that the backends name, each once, and applies what they say."""
    files: dict[str, list[Row]] = {}
    for backend in farm.backends:
        path = backend.config.state_file
        if not path or backend.is_disabled:
            continue
        if path not in files:
            files[path] = read(path, warn)
        rows = files[path]
        if backend.config.has_own_state_file:
            tell_strangers(backend, rows, warn)
        by_name: dict[str, Row] = {}
        for row in rows:
            if row.backend == backend.name:
                by_name.setdefault(row.server, row)
        for server in backend.servers:
            if server.name in by_name:
                apply(backend, server, by_name[server.name], events, warn, now)


def read(path: str, warn: Warn) -> list[Row]:
    """The rows of a file; what is wrong is told, at most WARNINGS_MAX times, and left out."""
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except OSError as error:
        warn(f"config : Can't open server state file '{path}': {error.strerror or error}")
        return []
    if len(octets) > FILE_OCTETS_MAX:
        warn(f"config : server state file '{path}' : expects at most {FILE_OCTETS_MAX} octets; nothing of it is taken over")
        return []
    lines = octets.decode("utf-8", "surrogateescape").split("\n")
    if lines[0].strip() != VERSION:
        found = lines[0][:40] if octets else "an empty file"
        warn(f"config : [{path}:1] : Can't get version of the server state file, expects '{VERSION}' (got '{found}')")
        return []
    rows: list[Row] = []
    wrong_count = 0
    for number, line in enumerate(lines[1:], 2):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            rows.append(parse(f"{path}:{number}", words, number < len(lines)))
        except Wrong as wrong:
            wrong_count += 1
            if wrong_count <= WARNINGS_MAX:
                warn(f"config : [{path}:{number}] : {wrong}; this line is not taken over")
    if wrong_count > WARNINGS_MAX:
        warn(f"config : server state file '{path}' : {wrong_count - WARNINGS_MAX} more lines are wrong")
    return rows


def parse(place: str, words: list[str], is_ended: bool) -> Row:
    """One line. A line without its end is one that was cut, however whole it looks."""
    if not is_ended or not COLUMNS_MIN <= len(words) <= COLUMNS_MAX:
        end = "" if is_ended else " without a line end"
        raise Wrong(f"corrupted server state file, expects {COLUMNS_MIN} to {COLUMNS_MAX} columns (got {len(words)}{end})")
    values: dict[str, int] = {}
    wrong: list[str] = []
    for name, (position, value_max) in COLUMNS.items():
        word = words[position]
        if word.isascii() and word.isdigit() and len(word) <= 10 and int(word) <= value_max:
            values[name] = int(word)
        else:
            wrong.append(f"invalid {name} value '{word}'")
    if "srv_admin_state" in values and values["srv_admin_state"] & ~RECOMPUTED not in ADMIN_STATES:
        wrong.append(f"invalid srv_admin_state value '{words[6]}'")
    if wrong:
        raise Wrong(f"server-state application failed for server '{words[1]}/{words[3]}', {', '.join(wrong)}")
    return Row(place, words[1], words[3], values, words[4])


def tell_strangers(backend: Backend, rows: list[Row], warn: Warn) -> None:
    """Rows of a backend's own file that mean nobody there."""
    names = {server.name for server in backend.servers}
    told = 0
    for row in rows:
        if row.backend != backend.name:
            text = f"backend name mismatch: from server state file: '{row.backend}', from running config '{backend.name}'"
        elif row.server not in names:
            text = f"can't find server '{row.server}' in backend '{backend.name}'"
        else:
            continue
        told += 1
        if told <= WARNINGS_MAX:
            warn(f"config : [{row.place}] : Proxy '{backend.name}': {text}")


def apply(backend: Backend, server: Server, row: Row, events: EventLog, warn: Warn, now: float) -> None:
    """Moves one server to where it was."""
    for text in _differences(server, row):
        warn(f"config : [{row.place}] : server '{backend.name}/{server.name}' : {text}")
    values = row.values
    admin = values["srv_admin_state"]
    if server.is_checked and server.tracked is None:
        name = CHECK_NAMES.get(values["srv_check_status"])
        if name is not None:
            server.keep_verdict(Verdict(name), -1)
        # Who is in maintenance is STOPPED in the file, too, whatever its checks have said.
        if not admin & (ANY_MAINT | DISABLED_BY_FILE):
            _restore_health(backend, server, values, events, now)
    if bool(admin & DISABLED_BY_FILE) == server.config.disabled:
        if admin & MAINT:
            operate.enter_maintenance(backend, server, events, now)
        elif server.config.disabled:
            operate.leave_maintenance(backend, server, events, now)
    if admin & DRAIN:
        operate.enter_drain(backend, server, events, now)
    check_state = values["srv_check_state"]
    if server.is_check_configured() and check_state & CONFIGURED and not check_state & CHECKED:
        server.pause_checks()
    weight = values["srv_uweight"]
    if values["srv_iweight"] == server.config.weight and weight != server.weight:
        operate.set_weight(backend, server, weight, events, now)
    server.changed_at = now - values["srv_time_since_last_change"]


def _restore_health(backend: Backend, server: Server, values: dict[str, int], events: EventLog, now: float) -> None:
    state = RUNNING if values["srv_op_state"] == STARTING else values["srv_op_state"]
    was_up, was_stopping = server.is_up(), server.state == STOPPING
    if server.health_commanded(state):
        announce(backend, server, was_up, REASON, events, now, was_stopping)


def _differences(server: Server, row: Row) -> Iterator[str]:
    """What the configuration decides otherwise than the file, or a command before it, did."""
    config, values = server.config, row.values
    if row.address not in ("-", config.host) or values["srv_port"] != config.port:
        yield (
            f"the state file has address {row.address}:{values['srv_port']}, the configuration {config.host}:{config.port}, "
            "which counts; 'set server ... addr' changes it"
        )
    if (
        values["srv_op_state"] == STOPPED
        and not server.is_checked
        and not values["srv_admin_state"] & (ANY_MAINT | DISABLED_BY_FILE)
    ):
        yield "it was DOWN; health checks are not enabled on this server, so it is not kept DOWN"
