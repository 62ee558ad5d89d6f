"""What rules mean, read and not yet run: samples, conditions, actions. Frozen like the model, of which they are a part.

A sample is a fetch and the converters behind it; a test holds a sample against patterns; a condition is tests joined by and
and or; a rule is an action under a condition. Names and arguments are checked when they are read, so whoever runs them finds
every name in its tables.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Value = bool | int | bytes | IPv4Address | IPv6Address
"""What a sample gives. Text is octets."""


@dataclass(frozen=True)
class Call:
    """A fetch or a converter with its arguments as written."""

    name: str
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """`FETCH(ARGUMENTS),CONVERTER,..`. `kind` is what comes out: "bool", "int", "str", "addr" or "any".

    `side` is where it can be asked: "any", "request" (only while the request's head is there) or "response".
    """

    fetch: Call
    converters: tuple[Call, ...]
    kind: str
    side: str
    text: str


@dataclass(frozen=True)
class Variable:
    """`%NAME` of a log format in a text, with its flags."""

    name: str
    quotes: bool = False
    escapes: bool = False
    is_hex: bool = False


@dataclass(frozen=True)
class Escaped:
    """A sample under the flag E: a backslash before quotes, backslashes and closing brackets."""

    sample: Sample


Piece = bytes | Sample | Variable | Escaped
"""A piece of a text that rules make: as written, or to be fetched, or as the log would say it."""


@dataclass(frozen=True)
class Test:
    """One term's question. `match` is how each value is held against the patterns; any pair that fits makes it true.

    "found", "bool", "int" (ranges), "ip" (networks), "str", "beg", "end", "sub", "dir", "dom", "len" (ranges), "reg".
    """

    sample: Sample
    match: str
    ignores_case: bool
    octets: tuple[bytes, ...] = ()
    ranges: tuple[tuple[int, int], ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True)
class Term:
    """Tests of one name, any of which makes it true, or all false where negated."""

    tests: tuple[Test, ...]
    is_negated: bool


@dataclass(frozen=True)
class Condition:
    """`if` or `unless`: true if all terms of any alternative are true."""

    alternatives: tuple[tuple[Term, ...], ...]
    is_negated: bool


@dataclass(frozen=True)
class Rule:
    """An action, its words, and when it applies. Which fields an action uses is in `config.rules`."""

    action: str
    condition: Condition | None = None
    name: str = ""  # of a field, a variable, a backend, a server
    pattern: str = ""  # a regular expression
    value: tuple[Piece, ...] = ()
    status: int = 0
    octets: bytes = b""  # a whole answer's body, or field lines
    fields: tuple[tuple[bytes, tuple[Piece, ...]], ...] = ()
    sample: Sample | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """All rules of one section, each list in the order of the file."""

    request: tuple[Rule, ...] = ()
    redirects: tuple[Rule, ...] = ()  # `redirect` lines: behind those of `http-request` and the statistics page
    response: tuple[Rule, ...] = ()
    after: tuple[Rule, ...] = ()
    switches: tuple[Rule, ...] = ()  # use_backend
    servers: tuple[Rule, ...] = ()  # use-server
    persistence: tuple[Rule, ...] = ()  # force-persist, ignore-persist
    monitor: tuple[Rule, ...] = ()  # monitor fail
