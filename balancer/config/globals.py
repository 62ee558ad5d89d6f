"""The keywords of the `global` section that work.

Several sections add up. A keyword that can hold one value only keeps its first, and a second is named in a warning, as
HAProxy does (it calls that an alert and starts all the same). Names of users and groups become numbers here, because after
a chroot nobody can look them up.
"""

import re
import socket
from collections.abc import Callable
from typing import Final

from balancer.config import ids
from balancer.config.binds import parse_unix_bind
from balancer.config.drafts import GlobalDraft
from balancer.config.environs import ENVIRONMENT_ROWS
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.logs import parse_log
from balancer.config.statement import Statement
from balancer.config.statsocket import parse_stats_socket

THREADS_MAX: Final = 64
BUFSIZE_MIN: Final = 1024
BUFSIZE_MAX: Final = 256 * 1024 * 1024 - 1  # HAProxy: below 256 MB
HEADERS_MAX: Final = 32767
SOCKET_OCTETS_MAX: Final = 1 << 30
STATS_MAXCONN_MAX: Final = 65535
RATE_MAX: Final = 0x7FFFFFFF
NODE: Final = re.compile(r"[A-Za-z0-9._-]+")
SPREAD_PERCENT_MAX: Final = 50


def _is_first(draft: GlobalDraft, statement: Statement, name: str = "") -> bool:
    first = draft.seen.setdefault(name or statement.keyword, statement.origin)
    if first is statement.origin:
        return True
    statement.warn(f"'{name or statement.keyword}' already specified at [{first}], which stays")
    return False


def _log(draft: GlobalDraft, statement: Statement) -> None:
    if statement.is_negated:
        statement.no_more(0)
        draft.logs = ()
        return
    if statement.arguments[:1] == ("global",):
        raise Refusal("'log' : 'global' is not supported in the global section, expects <address> and <facility>")
    draft.logs += (parse_log(statement),)


def _text(field: str, expectation: str, is_single: bool = True) -> Callable[[GlobalDraft, Statement], None]:
    def apply(draft: GlobalDraft, statement: Statement) -> None:
        word = statement.text(expectation)
        if not is_single or _is_first(draft, statement):
            setattr(draft, field, word)

    return apply


def _log_hostname(draft: GlobalDraft, statement: Statement) -> None:
    statement.no_more(1)
    if _is_first(draft, statement):
        draft.log_hostname = statement.arguments[0] if statement.arguments else socket.gethostname()


def _number(field: str, minimum: int, maximum: int, is_single: bool = True) -> Callable[[GlobalDraft, Statement], None]:
    def apply(draft: GlobalDraft, statement: Statement) -> None:
        number = statement.integer(minimum, maximum)
        if not is_single or _is_first(draft, statement):
            setattr(draft, field, number)

    return apply


def _rate(field: str) -> Callable[[GlobalDraft, Statement], None]:
    return _number(field, 0, RATE_MAX)


def _flag(field: str) -> Callable[[GlobalDraft, Statement], None]:
    def apply(draft: GlobalDraft, statement: Statement) -> None:
        statement.no_more(0)
        setattr(draft, field, not statement.is_negated)

    return apply


def _uid(draft: GlobalDraft, statement: Statement) -> None:
    number = statement.integer(0, ids.ID_MAX)
    if _is_first(draft, statement, "user/uid"):
        draft.uid = number


def _gid(draft: GlobalDraft, statement: Statement) -> None:
    number = statement.integer(0, ids.ID_MAX)
    if _is_first(draft, statement, "group/gid"):
        draft.gid = number


def _user(draft: GlobalDraft, statement: Statement) -> None:
    name = statement.text("the name of a user")
    uid = ids.user_id(name)
    if _is_first(draft, statement, "user/uid"):
        draft.user, draft.uid = name, uid


def _group(draft: GlobalDraft, statement: Statement) -> None:
    name = statement.text("the name of a group")
    gid = ids.group_id(name)
    if _is_first(draft, statement, "group/gid"):
        draft.group, draft.gid = name, gid


def _workers(draft: GlobalDraft, statement: Statement) -> None:
    draft.nbthread = statement.integer(1, THREADS_MAX)
    if draft.nbthread > 1:
        statement.warn(f"'{statement.keyword} {draft.nbthread}' : one process with one thread serves, 1 is used")


def _stats_socket(draft: GlobalDraft, statement: Statement) -> None:
    draft.stats_sockets += (parse_stats_socket(statement),)


def _stats_timeout(draft: GlobalDraft, statement: Statement) -> None:
    timeout_s = statement.time_s()
    if timeout_s == 0.0:
        raise Refusal(f"'stats timeout' expects a positive value (got '{statement.arguments[0]}')")
    draft.stats_timeout_s = timeout_s


def _stats_maxconn(draft: GlobalDraft, statement: Statement) -> None:
    draft.stats_maxconn = statement.integer(1, STATS_MAXCONN_MAX)


def _grace(draft: GlobalDraft, statement: Statement) -> None:
    draft.grace_s = statement.time_s()


def _hard_stop_after(draft: GlobalDraft, statement: Statement) -> None:
    draft.hard_stop_after_s = statement.time_s()


def _bufsize(draft: GlobalDraft, statement: Statement) -> None:
    draft.bufsize = statement.integer(BUFSIZE_MIN, BUFSIZE_MAX)


def _maxrewrite(draft: GlobalDraft, statement: Statement) -> None:
    draft.maxrewrite = statement.integer(0, BUFSIZE_MAX)


def _no_splice(draft: GlobalDraft, statement: Statement) -> None:
    statement.no_more(0)
    draft.splices = False


def _node(draft: GlobalDraft, statement: Statement) -> None:
    name = statement.text("a name of letters, digits, '.', '-' and '_'")
    if not NODE.fullmatch(name):
        raise Refusal(f"'node' expects a name of letters, digits, '.', '-' and '_' (got '{name}')")
    draft.node = name


def _description(draft: GlobalDraft, statement: Statement) -> None:
    if not statement.arguments:
        raise Refusal("'description' expects a text (got nothing)")
    draft.description = " ".join(statement.arguments)


def _default_path(draft: GlobalDraft, statement: Statement) -> None:
    draft.folders.choose(statement)


def _max_spread(draft: GlobalDraft, statement: Statement) -> None:
    draft.max_spread_checks_s = statement.time_s()


GLOBAL_ROWS: Final[tuple[Keyword[GlobalDraft], ...]] = (
    works("log", "G", "where lines go that a proxy with `log global` writes; may be repeated", _log, can_negate=True),
    works("log-tag", "G", "the program's name in log lines; haproxy", _text("log_tag", "a tag for use in syslog", False)),
    works("log-send-hostname", "G", "log lines name this host, or the one whose name follows", _log_hostname),
    works("maxconn", "G", "how many connections of clients the process takes at once", _number("maxconn", 0, 10_000_000)),
    works("maxconnrate", "G", "how many connections a second come in at most; the others wait", _rate("connection_rate_max")),
    works("maxsessrate", "G", "how many sessions a second begin at most, the same here", _rate("session_rate_max")),
    works("maxsslrate", "G", "told by `show info`; there is no TLS here that it could limit", _rate("tls_rate_max")),
    works("chroot", "G", "the directory that becomes the root once everything is open", _text("chroot", "a directory")),
    works("server-state-file", "G", "the file of `load-server-state-from-file global`", _text("state_file", "a file path")),
    works("server-state-base", "G", "the directory of files of states", _text("state_folder", "a directory path")),
    works("pidfile", "G", "where a daemon writes its process id", _text("pidfile", "a file name")),
    works("uid", "G", "the number of the user to become", _uid),
    works("gid", "G", "the number of the group to become", _gid),
    works("user", "G", "the name of the user to become", _user),
    works("group", "G", "the name of the group to become", _group),
    works("daemon", "G", "goes to the background", _flag("daemon")),
    works("quiet", "G", "holds messages back, as `-q`", _flag("quiet")),
    works("zero-warning", "G", "refuses a file with warnings, as `-dW`", _flag("zero_warning")),
    works(
        "strict-limits",
        "G",
        "a descriptor limit too low for `maxconn` refuses the start instead of lowering `maxconn`",
        _flag("strict_limits"),
        can_negate=True,
    ),
    works("nbthread", "G", "taken; more than 1: a warning that one is used", _workers),
    works("nbproc", "G", "taken; more than 1: a warning that one is used", _workers),
    works("hard-stop-after", "G", "how long a soft stop waits for the last requests", _hard_stop_after),
    works(
        "spread-checks",
        "G",
        "by how many percent of its interval a check may come too early or too late, at random; 0",
        _number("spread_checks_percent", 0, SPREAD_PERCENT_MAX, False),
    ),
    works("max-spread-checks", "G", "over how long the first checks are spread at most; their interval", _max_spread),
    works("node", "G", "the node's name in `show info`", _node),
    works("description", "G", "a text in `show info`", _description),
    works(
        "default-path",
        "G",
        "`current`, `config`, `parent` or `origin FOLDER`: from where the relative paths in a file are",
        _default_path,
    ),
    works(
        "unix-bind",
        "G",
        "what the paths of a `bind` begin with (`prefix`), and `mode`, `uid`, `gid`, `user`, `group` where it gives none",
        parse_unix_bind,
    ),
    works("grace", "G", "how long a soft stop goes on accepting, for balancers in front to notice", _grace),
    works(
        "ulimit-n",
        "G",
        "the limit of descriptors; raised as `maxconn` needs it by itself",
        _number("descriptors_max", 1, 1 << 30),
    ),
    works("stats maxconn", "G", "how many sessions of commands there may be at once; 10", _stats_maxconn),
    works("stats socket", "G", "a socket for commands: `stats socket PATH|ADDRESS:PORT [mode M] [level L] ...`", _stats_socket),
    works("stats timeout", "G", "how long a silent connection to it may last; 10s", _stats_timeout),
    works("tune.bufsize", "G", "a head may have this less the reserve, what is held of a body this; 16384", _bufsize),
    works("tune.maxrewrite", "G", "the reserve within it, half of it at most; 1024", _maxrewrite),
    works(
        "tune.http.maxhdr",
        "G",
        "how many lines a head may have, the first counted; 101",
        _number("maxhdr", 1, HEADERS_MAX, False),
    ),
    works(
        "maxpipes",
        "G",
        "how many large bodies pass by splice(2) at a time; a quarter of `maxconn`",
        _number("maxpipes", 0, 1_000_000),
    ),
    works(
        "tune.pipesize", "G", "how many octets a pipe between two sockets may hold; 1048576", _number("pipe_octets", 0, 1 << 30)
    ),
    *(
        works(
            f"tune.{word}.{side}",
            "G",
            f"how many octets the kernel may hold {text} a {side}; as the system does it",
            _number(f"{side}_{name}_octets", 0, SOCKET_OCTETS_MAX),
        )
        for side in ("client", "server")
        for word, name, text in (("sndbuf", "send", "on their way to"), ("rcvbuf", "receive", "that come from"))
    ),
    works("nosplice", "G", "no body passes by splice(2), as `-dS`", _no_splice),
    *ENVIRONMENT_ROWS,
)
