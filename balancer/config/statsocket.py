"""`stats socket`: where operators' tools ask, who may connect and what they may do."""

from dataclasses import dataclass
from typing import Final

from balancer.config import ids
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, Table, works
from balancer.config.known import STATS_OPTIONS
from balancer.config.statement import Statement
from balancer.config.words import apply_options
from balancer.model import StatsSocket

LEVELS: Final[dict[str, str]] = {"user": "", "operator": "", "admin": ""}
LEVEL_DEFAULT: Final = "operator"
# struct sockaddr_un has 108 octets, a NUL among them.
PATH_OCTETS_MAX: Final = 107
OCTAL: Final = "01234567"


@dataclass
class StatsSocketDraft:
    """The options of one line while its words are applied."""

    mode: int | None = None
    uid: int = -1
    gid: int = -1
    level: str = LEVEL_DEFAULT
    exposes_listeners: bool = False


def parse_stats_socket(statement: Statement) -> StatsSocket:
    """Reads the words after `stats socket`. Refuses addresses other than paths."""
    words = statement.arguments
    if not words or not words[0]:
        raise Refusal("'stats socket' expects a path to a UNIX socket (got nothing)")
    path = words[0].removeprefix("unix@")
    draft = StatsSocketDraft()
    apply_options(STATS_TABLE, draft, statement, "'stats socket'", words[1:])
    if not path.startswith("/"):
        raise Refusal(
            f"'stats socket' expects an absolute path to a UNIX socket (got '{words[0]}'); an address of IP is known to "
            "HAProxy and not supported yet"
        )
    if len(path.encode("utf-8", "surrogateescape")) > PATH_OCTETS_MAX:
        raise Refusal(f"'stats socket' expects a path of at most {PATH_OCTETS_MAX} octets (got '{path}')")
    return StatsSocket(path, draft.mode, draft.uid, draft.gid, draft.level, statement.origin, draft.exposes_listeners)


def _mode(draft: StatsSocketDraft, statement: Statement) -> None:
    word = statement.text("an octal mode")
    if len(word) > 5 or any(digit not in OCTAL for digit in word) or int(word, 8) > 0o777:
        raise Refusal(f"'mode' expects an octal number up to 777 (got '{word}')")
    draft.mode = int(word, 8)


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


STATS_ROWS: Final[tuple[Keyword[StatsSocketDraft], ...]] = (
    works("mode", "t", "the socket's mode, octal", _mode, value_count=1),
    works("level", "t", "user, operator or admin; operator", _level, value_count=1),
    works("uid", "t", "the number of the socket's owner", _uid, value_count=1),
    works("gid", "t", "the number of the socket's group", _gid, value_count=1),
    works("user", "t", "the name of the socket's owner", _user, value_count=1),
    works("group", "t", "the name of the socket's group", _group, value_count=1),
    works("expose-fd", "t", "`listeners`: hands the listening sockets to a successor (`-x`)", _expose_fd, value_count=1),
)
STATS_TABLE: Final[Table[StatsSocketDraft]] = Table((*STATS_ROWS, *STATS_OPTIONS))
