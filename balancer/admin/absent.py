"""Commands for what this process does not have: each answers as HAProxy does where the feature is off or the name unknown.

Maps, patterns that can be changed, stick tables, caches, peers, name servers and profiling do not exist here. Tools that list
them get an empty list; who names one is told that there is none. Commands of TLS and of HAProxy's developers (`debug`, `trace`,
`show fd`, `show libs`, `show threads`) are not in the table at all.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from balancer.admin.table import ADMIN, OPERATOR, USER, Refusal, Talk, command
from balancer.observe.info import ProcessInfo

ID_LIST: Final = "# id (file) description\n"
UNKNOWN_MAP: Final = "Unknown map identifier. Please use #<id> or <file>.\n"
UNKNOWN_ACL: Final = "Unknown ACL identifier. Please use #<id> or <file>.\n"
NO_TABLE: Final = "No such table\n"
TWO: Final = "This command expects two parameters: {} identifier and key.\n"
MAP_ENTRY: Final = (
    "'add map' expects three parameters (map identifier, key and value) or one parameter (map identifier) and a payload\n"
)
NO_FILTER: Final = 'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>\n'
NO_ENTRY: Final = "Required arguments: <table> key <key> [data.<store_data_type> <value>]*\n"
PROFILING: Final = (
    "Per-task CPU profiling              : off           # set profiling tasks {on|auto|off}\n"
    "Memory usage profiling              : off           # set profiling memory {on|off}\n"
    "Tasks activity:\n"
    "  function                      calls   cpu_tot   cpu_avg   lat_tot   lat_avg\n"
)
TASKS: Final = "Running tasks: 0 (1 threads)\n  function                     places     %    lat_tot   lat_avg\n"
POOLS: Final = (
    "Dumping pools usage. Use SIGQUIT to flush them.\nTotal: 0 pools, 0 bytes allocated, 0 used (~0 by thread caches).\n"
)


@dataclass(frozen=True)
class Absent:
    """One command. With fewer than `least` words it answers `lacking`, with as many it refuses with `unknown`."""

    words: str
    level: str
    usage: str
    help: str
    least: int
    unknown: str
    lacking: str = ""
    is_listing: bool = False  # `lacking` is an answer, not a refusal


ROWS: Final[tuple[Absent, ...]] = (
    Absent(
        "add acl",
        ADMIN,
        "add acl [@<ver>] <acl> <pattern>",
        "add an acl entry",
        2,
        UNKNOWN_ACL,
        "'add acl' expects two parameters: ACL identifier and pattern.\n",
    ),
    Absent(
        "add map",
        ADMIN,
        "add map [@<ver>] <map> <key> <val>",
        "add a map entry (payload supported instead of key/val)",
        3,
        UNKNOWN_MAP,
        MAP_ENTRY,
    ),
    Absent(
        "clear acl",
        ADMIN,
        "clear acl [@<ver>] <acl>",
        "clear the contents of this acl",
        1,
        UNKNOWN_ACL,
        "Missing ACL identifier.\n",
    ),
    Absent(
        "clear map",
        ADMIN,
        "clear map [@<ver>] <map>",
        "clear the contents of this map",
        1,
        UNKNOWN_MAP,
        "Missing map identifier.\n",
    ),
    Absent(
        "clear table",
        ADMIN,
        "clear table <table> [<filter>]*",
        "remove an entry from a table (filter: data/key)",
        1,
        NO_TABLE,
        NO_FILTER,
    ),
    Absent(
        "del acl",
        ADMIN,
        "del acl <acl> [<key>|#<ref>]",
        "delete acl entries matching <key>",
        2,
        UNKNOWN_ACL,
        TWO.format("ACL"),
    ),
    Absent(
        "del map",
        ADMIN,
        "del map <map> [<key>|#<ref>]",
        "delete map entries matching <key>",
        2,
        UNKNOWN_MAP,
        TWO.format("map"),
    ),
    Absent(
        "get acl",
        USER,
        "get acl <acl> <value>",
        "report the patterns matching a sample for an ACL",
        2,
        UNKNOWN_ACL,
        "Missing ACL identifier and/or key.\n",
    ),
    Absent(
        "get map",
        USER,
        "get map <acl> <value>",
        "report the keys and values matching a sample for a map",
        2,
        UNKNOWN_MAP,
        "Missing map identifier and/or key.\n",
    ),
    Absent(
        "get var",
        USER,
        "get var <name>",
        "retrieve contents of a process-wide variable",
        1,
        "Variable not found.\n",
        "Missing process-wide variable identifier.\n",
    ),
    Absent(
        "set map",
        ADMIN,
        "set map <map> [<key>|#<ref>] <value>",
        "modify a map entry",
        3,
        UNKNOWN_MAP,
        "'set map' expects three parameters: map identifier, key and value.\n",
    ),
    Absent(
        "set table",
        ADMIN,
        "set table <table> key <k> [data.* <v>]*",
        "update or create a table entry's data",
        1,
        NO_TABLE,
        NO_ENTRY,
    ),
    Absent(
        "show acl",
        USER,
        "show acl [@<ver>] <acl>]",
        "report available acls or dump an acl's contents",
        1,
        UNKNOWN_ACL,
        ID_LIST,
        True,
    ),
    Absent(
        "show map",
        USER,
        "show map [@ver] [map]",
        "report available maps or dump a map's contents",
        1,
        UNKNOWN_MAP,
        ID_LIST,
        True,
    ),
    Absent(
        "show peers",
        USER,
        "show peers [dict|-] [section]",
        "dump some information about all the peers or this peers section",
        1,
        "No such peers\n",
        "",
        True,
    ),
    Absent(
        "show resolvers",
        USER,
        "show resolvers [id]",
        "dumps counters from all resolvers section and associated name servers",
        1,
        "Can't find that resolvers section\n",
        "",
        True,
    ),
    Absent(
        "show table",
        USER,
        "show table <table> [<filter>]*",
        "report table usage stats or dump this table's contents (filter: data/key)",
        1,
        NO_TABLE,
        "",
        True,
    ),
)


def _run(row: Absent) -> Callable[[Talk, ProcessInfo, list[str]], str]:
    def run(_talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
        if len(words) >= row.least:
            raise Refusal(row.unknown)
        if row.is_listing:
            return row.lacking
        raise Refusal(row.lacking)

    return run


for _row in ROWS:
    command(_row.words, _row.level, _row.usage, _row.help)(_run(_row))


@command("show cache", OPERATOR, "show cache", "show cache status")
def _cache(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return ""


@command("show pools", USER, "show pools", "report information about the memory pools usage")
def _pools(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return POOLS


@command(
    "show profiling",
    USER,
    "show profiling [<what>|<#lines>|byaddr]*",
    "show profiling state (all,status,tasks,memory)",
)
def _profiling(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return PROFILING


@command("show tasks", USER, "show tasks", "show running tasks")
def _tasks(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return TASKS


@command("show startup-logs", OPERATOR, "show startup-logs", "report logs emitted during HAProxy startup")
def _startup_logs(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return "\n"


@command("show activity", USER, "show activity", "show per-thread activity stats (for support/developers)")
def _activity(_talk: Talk, info: ProcessInfo, _words: list[str]) -> str:
    figures = (("stream_calls", info.farm.requests_total), ("cpust_ms_tot", int(time.process_time() * 1000.0)))
    rows = "".join(f"{name}: {value}\n" for name, value in (*figures, ("accepted", info.farm.connections_total)))
    return f"thread_id: 1 (1..1)\ndate_now: {time.time():.6f}\n{rows}"
