"""`bind`, and the address of an old `listen` line: where clients connect.

One word may name several addresses, parted by commas, and a range of ports; each becomes a `Bind` of its own with the
options of the line. `localhost` is taken at what it resolves to first. A path is a UNIX socket, `abns@NAME` one of Linux's
abstract names, `fd@N` a socket that was inherited.
"""

from dataclasses import dataclass, field, replace
from typing import Final

from balancer.config import ids
from balancer.config.addresses import parse_address
from balancer.config.drafts import ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, Table, works
from balancer.config.known import BIND_OPTIONS
from balancer.config.statement import Statement, integer_of, time_of
from balancer.config.words import apply_options
from balancer.model import Bind, SocketOptions

# A line of more addresses than this is a typing error ('1-65535'), not a wish.
LINE_BINDS_MAX: Final = 4096
# struct sockaddr_un has 108 octets: a path ends with a NUL among them, an abstract name begins with one.
PATH_OCTETS_MAX: Final = 107
INTERFACE_OCTETS_MAX: Final = 15
DESCRIPTOR_MAX: Final = 1 << 20
BACKLOG_MAX: Final = 65535
SEGMENT_OCTETS_MAX: Final = 65535
OCTAL: Final = "01234567"


@dataclass
class BindDraft:
    """The options of one line while its words are applied."""

    maxconn: int = 0
    name: str = ""
    options: SocketOptions = field(default_factory=SocketOptions)


def parse_bind(proxy: ProxyDraft, statement: Statement) -> None:
    """`bind ADDRESSES [options]`: adds the addresses to the section."""
    words = statement.arguments
    if not words or not words[0]:
        raise Refusal("'bind' expects [addr]:port[-end]{,[addr]:port[-end]}... as arguments (got nothing)")
    draft = BindDraft()
    subject = f"'bind {words[0]}' in section '{proxy.kind}'"
    apply_options(BIND_TABLE, draft, statement, subject, words[1:])
    add_binds(proxy, statement, words[0], draft)


def add_binds(proxy: ProxyDraft, statement: Statement, addresses: str, draft: BindDraft) -> None:
    """Adds the addresses of one word. Refuses the word as a whole when one of them is malformed."""
    found: list[Bind] = []
    for word in addresses.split(","):
        if not word:
            raise Refusal(f"'bind' : '{addresses}' holds an empty address (environment variable missing?)")
        other = _of_other_family(word, draft, statement)
        if other is not None:
            found.append(other)
            continue
        try:
            target = parse_address(word, statement.resolves, has_range=True)
        except Refusal as refusal:
            raise Refusal(f"'bind' : {refusal}") from refusal
        if target.port_first == 0:
            raise Refusal(f"'bind' : missing port specification in '{word}'")
        for port in range(target.port_first, target.port_last + 1):
            bind = Bind(target.host.address, port, target.host.is_ipv6, draft.maxconn, draft.name, statement.origin)
            found.append(replace(bind, options=draft.options))
        if len(proxy.binds) + len(found) > LINE_BINDS_MAX:
            raise Refusal(f"'bind' : expects at most {LINE_BINDS_MAX} addresses in one section (got '{addresses}')")
    proxy.binds.extend(found)


def _of_other_family(word: str, draft: BindDraft, statement: Statement) -> Bind | None:
    """The bind of a UNIX socket or of a descriptor; None for an address of IP."""
    family, separator, rest = word.rpartition("@")
    path, descriptor = "", -1
    if word.startswith("/") or (separator and family == "unix"):
        path = unix_path("bind", word if word.startswith("/") else rest)
    elif separator and family == "abns":
        path = abstract_name("bind", rest)
    elif separator and family == "fd":
        descriptor = integer_of("bind' : 'fd@", rest, 0, DESCRIPTOR_MAX)
    else:
        return None
    return Bind("", 0, False, draft.maxconn, draft.name, statement.origin, path, descriptor, draft.options)


def unix_path(keyword: str, path: str) -> str:
    """An absolute path that a socket's address can hold. Refuses any other."""
    if not path.startswith("/"):
        raise Refusal(f"'{keyword}' expects an absolute path to a UNIX socket (got '{path}')")
    if len(path.encode("utf-8", "surrogateescape")) > PATH_OCTETS_MAX:
        raise Refusal(f"'{keyword}' expects a path of at most {PATH_OCTETS_MAX} octets (got '{path}')")
    return path


def abstract_name(keyword: str, name: str) -> str:
    """An abstract name as the kernel and HAProxy have it: behind a NUL, and filled up with them."""
    octets = len(name.encode("utf-8", "surrogateescape"))
    if not 0 < octets <= PATH_OCTETS_MAX:
        raise Refusal(f"'{keyword}' expects an abstract name of 1 to {PATH_OCTETS_MAX} octets (got '{name}')")
    return "\0" + name + "\0" * (PATH_OCTETS_MAX - octets)


def octal_mode(statement: Statement) -> int | None:
    """The rights of a socket's file; None for 0, which means to HAProxy that nothing was said."""
    word = statement.text("an octal mode")
    if len(word) > 5 or any(digit not in OCTAL for digit in word) or int(word, 8) > 0o777:
        raise Refusal(f"'mode' expects an octal number up to 777 (got '{word}')")
    return int(word, 8) or None


def _name(bind: BindDraft, statement: Statement) -> None:
    bind.name = statement.text("a name")


def _maxconn(bind: BindDraft, statement: Statement) -> None:
    bind.maxconn = statement.integer(0)


def _option(bind: BindDraft, **changed: object) -> None:
    bind.options = replace(bind.options, **changed)  # type: ignore[arg-type]


def _interface(bind: BindDraft, statement: Statement) -> None:
    name = statement.text("the name of a network interface")
    if not 0 < len(name.encode("utf-8", "surrogateescape")) <= INTERFACE_OCTETS_MAX:
        raise Refusal(f"'interface' expects a name of 1 to {INTERFACE_OCTETS_MAX} octets (got '{name}')")
    _option(bind, interface=name)


def _user_timeout(bind: BindDraft, statement: Statement) -> None:
    word = statement.text("a time (in milliseconds by default)")
    _option(bind, user_timeout_ms=int(time_of("tcp-ut", word) * 1000.0))


BIND_ROWS: Final[tuple[Keyword[BindDraft], ...]] = (
    works("name", "b", "a name for the statistics", _name, value_count=1),
    works("maxconn", "b", "how many connections this address takes at once", _maxconn, value_count=1),
    works(
        "backlog",
        "b",
        "how many connections may wait in the kernel; the section's `backlog`, else its `maxconn`",
        lambda bind, statement: _option(bind, backlog=statement.integer(1, BACKLOG_MAX)),
        value_count=1,
    ),
    works("interface", "b", "only connections that come in by this network interface", _interface, value_count=1),
    works("v4v6", "b", "an address of IPv6 takes connections of IPv4, too", lambda bind, _: _option(bind, v6only=False)),
    works("v6only", "b", "an address of IPv6 takes no connections of IPv4", lambda bind, _: _option(bind, v6only=True)),
    works(
        "defer-accept",
        "b",
        "a connection is accepted when its first octets are there",
        lambda bind, _: _option(bind, defers_accept=True),
    ),
    works(
        "tfo",
        "b",
        "TCP fast open: a known client's first octets come with its SYN",
        lambda bind, _: _option(bind, fast_open=True),
    ),
    works("tcp-ut", "b", "how long what was sent may stay unacknowledged", _user_timeout, value_count=1),
    works(
        "mss",
        "b",
        "how many octets a segment may have",
        lambda bind, statement: _option(bind, segment_octets=statement.integer(1, SEGMENT_OCTETS_MAX)),
        value_count=1,
    ),
    works(
        "mode",
        "b",
        "of a UNIX socket: the file's mode, octal",
        lambda bind, statement: _option(bind, mode=octal_mode(statement)),
        value_count=1,
    ),
    works(
        "uid",
        "b",
        "the number of its owner",
        lambda bind, statement: _option(bind, uid=statement.integer(0, ids.ID_MAX)),
        value_count=1,
    ),
    works(
        "gid",
        "b",
        "the number of its group",
        lambda bind, statement: _option(bind, gid=statement.integer(0, ids.ID_MAX)),
        value_count=1,
    ),
    works(
        "user",
        "b",
        "the name of its owner",
        lambda bind, statement: _option(bind, uid=ids.user_id(statement.text("the name of a user"))),
        value_count=1,
    ),
    works(
        "group",
        "b",
        "the name of its group",
        lambda bind, statement: _option(bind, gid=ids.group_id(statement.text("the name of a group"))),
        value_count=1,
    ),
)
BIND_TABLE: Final[Table[BindDraft]] = Table((*BIND_ROWS, *BIND_OPTIONS))
