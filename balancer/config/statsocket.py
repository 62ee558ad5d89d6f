"""`stats socket`: where operators' tools ask, who may connect and what they may do."""

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from balancer.config import ids
from balancer.config.addresses import parse_address
from balancer.config.binds import octal_mode
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, Table, works
from balancer.config.known import STATS_OPTIONS
from balancer.config.statement import Statement, integer_of
from balancer.config.words import apply_options
from balancer.model import StatsSocket

LEVELS: Final[dict[str, str]] = {"user": "", "operator": "", "admin": ""}
LEVEL_DEFAULT: Final = "operator"
# struct sockaddr_un has 108 octets, a NUL among them.
PATH_OCTETS_MAX: Final = 107
DESCRIPTOR_MAX: Final = 1 << 20
COUNT_MAX: Final = 65535
SEVERITY_FORMS: Final[dict[str, str]] = {"none": "", "number": "", "string": ""}


@dataclass
class StatsSocketDraft:
    """The options of one line while its words are applied."""

    mode: int | None = None
    uid: int = -1
    gid: int = -1
    level: str = LEVEL_DEFAULT
    exposes_listeners: bool = False
    backlog: int = 0
    maxconn: int = 0
    severity_form: str = "none"


def parse_stats_socket(statement: Statement) -> StatsSocket:
    """Reads the words after `stats socket`: a path, an address with a port, or `fd@N`. Warns of what nobody guards."""
    words = statement.arguments
    if not words or not words[0]:
        raise Refusal("'stats socket' in global section expects an address or a path to a UNIX socket")
    draft = StatsSocketDraft()
    apply_options(STATS_TABLE, draft, statement, "'stats socket'", words[1:])
    path, host, port, is_ipv6, descriptor = "", "", 0, False, -1
    word = words[0]
    if word.startswith("fd@"):
        descriptor = integer_of("file descriptor", word.removeprefix("fd@"), 0, DESCRIPTOR_MAX)
    elif word.removeprefix("unix@").startswith("/") or word.startswith("unix@"):
        path = _path(word)
    else:
        target = parse_address(word, statement.resolves)
        if target.port_first == 0:
            raise Refusal(f"'stats socket' : missing port specification in '{word}'")
        host, port, is_ipv6 = target.host.address, target.port_first, target.host.is_ipv6
        _warn_of_neighbours(statement, word, host, draft.level)
    return StatsSocket(
        path,
        draft.mode,
        draft.uid,
        draft.gid,
        draft.level,
        statement.origin,
        draft.exposes_listeners,
        host,
        port,
        is_ipv6,
        descriptor,
        draft.backlog,
        draft.maxconn,
        draft.severity_form,
    )


def _path(word: str) -> str:
    path = word.removeprefix("unix@")
    if not path.startswith("/"):
        raise Refusal(f"'stats socket' expects an absolute path to a UNIX socket (got '{word}')")
    if len(path.encode("utf-8", "surrogateescape")) > PATH_OCTETS_MAX:
        raise Refusal(f"'stats socket' expects a path of at most {PATH_OCTETS_MAX} octets (got '{path}')")
    return path


def _warn_of_neighbours(statement: Statement, word: str, host: str, level: str) -> None:
    """A socket of IP asks nobody who he is."""
    is_near = bool(host) and ip_address(host).is_loopback
    if not is_near:
        statement.warn(f"'stats socket {word}' : whoever reaches this address may give commands of level '{level}'")
    elif level == "admin":
        statement.warn(f"'stats socket {word}' : every user of this machine may give commands of level 'admin'")


def _mode(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.mode = octal_mode(statement)


def _level(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.level = statement.choice(LEVELS)


def _uid(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.uid = statement.integer(0, ids.ID_MAX)


def _gid(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.gid = statement.integer(0, ids.ID_MAX)


def _user(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.uid = ids.user_id(statement.text("the name of a user"))


def _group(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.gid = ids.group_id(statement.text("the name of a group"))


def _expose_fd(draft: StatsSocketDraft, statement: Statement) -> None:
    statement.choice({"listeners": ""})
    draft.exposes_listeners = True


def _backlog(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.backlog = statement.integer(1, COUNT_MAX)


def _maxconn(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.maxconn = statement.integer(0, COUNT_MAX)


def _severity(draft: StatsSocketDraft, statement: Statement) -> None:
    draft.severity_form = statement.choice(SEVERITY_FORMS)


STATS_ROWS: Final[tuple[Keyword[StatsSocketDraft], ...]] = (
    works("mode", "t", "the socket's mode, octal", _mode, value_count=1),
    works("level", "t", "user, operator or admin; operator", _level, value_count=1),
    works("uid", "t", "the number of the socket's owner", _uid, value_count=1),
    works("gid", "t", "the number of the socket's group", _gid, value_count=1),
    works("user", "t", "the name of the socket's owner", _user, value_count=1),
    works("group", "t", "the name of the socket's group", _group, value_count=1),
    works("backlog", "t", "how many connections may wait to be accepted", _backlog, value_count=1),
    works("maxconn", "t", "how many sessions there may be at once on this socket", _maxconn, value_count=1),
    works("severity-output", "t", "`none`, `number` or `string` before messages", _severity, value_count=1),
    works("expose-fd", "t", "`listeners`: hands the listening sockets to a successor (`-x`)", _expose_fd, value_count=1),
)
STATS_TABLE: Final[Table[StatsSocketDraft]] = Table((*STATS_ROWS, *STATS_OPTIONS))
