"""The variables of log formats: one row each, from which docs/log.md is made, too.

A row says whether the variable can be told only when the exchange is over; a format without such a one is written when the
answer's head is there, as HAProxy does it. What runs is in `observe.logtext`, under the same names; a test holds the two
against each other.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class VariableRow:
    """One variable."""

    name: str
    waits: bool
    kind: str  # "number", "text", "address", "date", "list"
    text: str


_ROWS: Final = (
    VariableRow("B", True, "number", "octets of the answer as HAProxy counts them; `+` before it under `option logasap`"),
    VariableRow("CC", False, "text", "the cookie of the request that `capture cookie` names"),
    VariableRow("CS", False, "text", "the cookie of the answer that `capture cookie` names"),
    VariableRow("H", False, "text", "the name of this machine"),
    VariableRow("HM", False, "text", "the method"),
    VariableRow("HP", False, "text", "the target up to the `?`"),
    VariableRow("HPO", False, "text", "the path alone: no host, no query"),
    VariableRow("HQ", False, "text", "the query with its `?`"),
    VariableRow("HU", False, "text", "the target as received"),
    VariableRow("HV", False, "text", "the version, `HTTP/1.1`"),
    VariableRow("ID", True, "text", "what `unique-id-format` gives"),
    VariableRow("ST", False, "number", "the status"),
    VariableRow("T", False, "date", "when the connection came, or the request before had ended; UTC"),
    VariableRow("Ta", True, "number", "ms in all, from the request's first octet"),
    VariableRow("Tc", True, "number", "ms to connect"),
    VariableRow("Td", True, "number", "ms from the answer's head to its end"),
    VariableRow("Th", True, "number", "ms of handshakes: 0, TLS ends before us"),
    VariableRow("Ti", True, "number", "ms from then (%T) to the request's first octet"),
    VariableRow("Tl", False, "date", "as %T, in local time"),
    VariableRow("TR", True, "number", "ms from the first octet until the head was complete"),
    VariableRow("Tq", True, "number", "Th + Ti + TR"),
    VariableRow("Tr", True, "number", "ms until the answer's head was complete, from the connect"),
    VariableRow("Ts", False, "number", "as %T, in seconds since 1970"),
    VariableRow("Tt", True, "number", "ms in all, from %T"),
    VariableRow("Tu", True, "number", "ms in all, without Ti"),
    VariableRow("Tw", True, "number", "ms in queues"),
    VariableRow("U", True, "number", "octets of the request as HAProxy counts them"),
    VariableRow("ac", True, "number", "connections of the process"),
    VariableRow("b", False, "text", "the backend"),
    VariableRow("bc", True, "number", "sessions of the backend"),
    VariableRow("bi", False, "address", "from where the server was connected to"),
    VariableRow("bp", False, "number", "its port"),
    VariableRow("bq", True, "number", "how many left the backend's queue before this one, itself included"),
    VariableRow("ci", False, "address", "the client's address"),
    VariableRow("cp", False, "number", "its port"),
    VariableRow("f", False, "text", "the frontend"),
    VariableRow("fc", True, "number", "connections of the frontend"),
    VariableRow("fi", False, "address", "the address that the client connected to"),
    VariableRow("fp", False, "number", "its port"),
    VariableRow("ft", False, "text", "the frontend; HAProxy marks TLS behind it"),
    VariableRow("hr", False, "list", "the request's captures: `{a|b}`; nothing where none is declared"),
    VariableRow("hrl", False, "list", "the request's captures, a blank between them"),
    VariableRow("hs", False, "list", "the answer's captures: `{a|b}`; nothing where none is declared"),
    VariableRow("hsl", False, "list", "the answer's captures, a blank between them"),
    VariableRow("lc", False, "number", "lines of this frontend before this one"),
    VariableRow("ms", False, "number", "the milliseconds of %t"),
    VariableRow("pid", False, "number", "of the process"),
    VariableRow("r", False, "text", "the request line; `<BADREQ>` for what was no request"),
    VariableRow("rc", True, "number", "retries; `+` before it when moved to another server"),
    VariableRow("rt", False, "number", "requests of the process before this one"),
    VariableRow("s", False, "text", "the server; `<NOSRV>` when nobody was chosen"),
    VariableRow("sc", True, "number", "requests at the server"),
    VariableRow("si", False, "address", "the server's address"),
    VariableRow("sp", False, "number", "its port"),
    VariableRow("sq", True, "number", "how many left the server's queue before this one, itself included"),
    VariableRow("sslc", False, "text", "`-`: TLS ends before us"),
    VariableRow("sslv", False, "text", "`-`: TLS ends before us"),
    VariableRow("t", False, "date", "as %Tl, with milliseconds"),
    VariableRow("tr", False, "date", "when the request's first octet came, with milliseconds"),
    VariableRow("trg", False, "date", "the same in seconds, UTC"),
    VariableRow("trl", False, "date", "the same in seconds, local time"),
    VariableRow("ts", True, "text", "the termination state, two letters"),
    VariableRow("tsc", False, "text", "the termination state, four letters"),
)
VARIABLES: Final[dict[str, VariableRow]] = {row.name: row for row in _ROWS}
