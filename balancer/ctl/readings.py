"""What the socket tells, as rows: `show stat` by the names of its columns, `show info`, `show sess`.

Only columns that every HAProxy since 1.5 has are asked for by name, and one that is missing or empty reads as nothing (None for
numbers, "" for texts): the tool goes on with what it is given.
"""

import csv
import io
from dataclasses import dataclass
from typing import Final

from balancer.ctl.wire import NoAnswer, Socket

FRONTEND: Final = "FRONTEND"
BACKEND: Final = "BACKEND"

# Statuses, by how they begin, under which a server takes visitors.
SERVING: Final = ("UP", "no check", "OPEN")


@dataclass(frozen=True)
class Row:
    """One row of `show stat`: a frontend, a backend, a listener or a server."""

    columns: dict[str, str]

    @property
    def proxy(self) -> str:
        """The proxy's name."""
        return self.columns.get("pxname", "")

    @property
    def name(self) -> str:
        """FRONTEND, BACKEND, or the server's own."""
        return self.columns.get("svname", "")

    @property
    def full_name(self) -> str:
        """`BACKEND/SERVER`, as commands want it."""
        return f"{self.proxy}/{self.name}"

    @property
    def status(self) -> str:
        """HAProxy's word: OPEN, UP, DOWN, MAINT, DRAIN, `no check`, `UP 1/3` ..."""
        return self.columns.get("status", "")

    @property
    def is_server(self) -> bool:
        """Whether it is a server's row."""
        return self.columns.get("type", "2") == "2"

    @property
    def is_serving(self) -> bool:
        """Whether it takes new visitors now."""
        return self.status.startswith(SERVING) and "DRAIN" not in self.status

    def number(self, column: str) -> int | None:
        """A column's value; None where it is empty, absent or no number."""
        word = self.columns.get(column, "")
        digits = word.removeprefix("-")
        return int(word) if digits.isascii() and digits.isdigit() else None

    def values(self) -> dict[str, int | str]:
        """Every column that is not empty, numbers as numbers: what `--json` prints."""
        return {name: word if (number := self.number(name)) is None else number for name, word in self.columns.items() if word}


def rows(stats: Socket) -> list[Row]:
    """All rows of `show stat`. Raises NoAnswer where the answer is no such table."""
    answer = stats.ask("show stat")
    if not answer.startswith("# pxname,svname,"):
        raise NoAnswer(f"{stats.address}: 'show stat' gave no table: {answer[:60]!r}")
    return [Row(_without_last(columns)) for columns in csv.DictReader(io.StringIO(answer.removeprefix("# ")))]


def _without_last(columns: dict[str, str]) -> dict[str, str]:
    """Each row ends with a comma, whose column has no name; and a row may be cut short."""
    return {name: word for name, word in columns.items() if name and word is not None}


def info(stats: Socket) -> dict[str, str]:
    """`show info` by name."""
    pairs = (line.partition(": ") for line in stats.ask("show info").splitlines())
    return {name: value for name, colon, value in pairs if colon}


@dataclass(frozen=True)
class Session:
    """One line of `show sess`: a connection that is being served."""

    ident: str
    columns: dict[str, str]

    def values(self) -> dict[str, str]:
        """What `--json` prints."""
        return {"id": self.ident} | self.columns


# The columns of `show sess` that mean something to a person, in the order of their table.
SESSION_COLUMNS: Final = ("src", "fe", "be", "srv", "age", "exp")


def sessions(stats: Socket) -> list[Session]:
    """The sessions that are being served, without the socket's own. Raises Refused where the socket knows no such command."""
    found = []
    for line in stats.tell("show sess").splitlines():
        ident, _, rest = line.partition(": ")
        pairs = (word.partition("=") for word in rest.split(" "))
        columns = {name: value for name, equals, value in pairs if equals and name in SESSION_COLUMNS}
        if columns.get("fe", "GLOBAL") != "GLOBAL":
            found.append(Session(ident, columns))
    return found


def server_named(all_rows: list[Row], name: str) -> Row:
    """The server that `BACKEND/SERVER` names, or `SERVER` where only one backend has it. Raises LookupError."""
    servers = [row for row in all_rows if row.is_server]
    found = [row for row in servers if name in (row.full_name, row.name)]
    if not found:
        raise LookupError(f"no server is called '{name}'; there are: {', '.join(row.full_name for row in servers) or 'none'}")
    if len(found) > 1:
        raise LookupError(f"'{name}' is a server of several backends: {', '.join(row.full_name for row in found)}")
    return found[0]
