"""Tables for the terminal: states by colour and by word, numbers to the right, nothing that a pipe could not take."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from balancer.ctl.readings import BACKEND, FRONTEND, SESSION_COLUMNS, Row, Session

# The colour of a status, by how it begins; the word is always there as well.
COLOURS: Final[tuple[tuple[str, str], ...]] = (
    ("UP", "green"),
    ("OPEN", "green"),
    ("no check", "cyan"),
    ("DRAIN", "blue"),
    ("NOLB", "yellow"),
    ("MAINT", "magenta"),
    ("DOWN", "bold red"),
    ("STOP", "bold red"),
    ("FULL", "yellow"),
)

# Heading, column of `show stat`, for the servers' table.
SERVER_COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("weight", "weight"),
    ("sessions", "scur"),
    ("max", "smax"),
    ("limit", "slim"),
    ("queue", "qcur"),
    ("total", "stot"),
    ("req/s", "rate"),
    ("errors", "econ"),
    ("resp. err.", "eresp"),
    ("check", "check_status"),
    ("since", "lastchg"),
)
SECONDS: Final = frozenset({"lastchg"})
# What a narrow terminal goes without, first to last: a table is shown whole, or with fewer columns, never cut.
DISPENSABLE: Final = ("max", "resp. err.", "limit", "total", "check", "req/s", "errors", "side", "since", "queue", "weight")
# Wider than any table.
NO_WIDTH: Final = 10_000


def status_text(status: str) -> Text:
    """A status in its colour."""
    colour = next((colour for start, colour in COLOURS if status.startswith(start)), "")
    return Text(status, style=colour)


def duration(seconds: int) -> str:
    """`42s`, `7m03s`, `5h07m`, `12d3h`."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02}s"
    if seconds < 86400:
        return f"{seconds // 3600}h{seconds % 3600 // 60:02}m"
    return f"{seconds // 86400}d{seconds % 86400 // 3600}h"


def fitted(make: Callable[[frozenset[str]], Table], console: Console) -> Table:
    """The table with as many of its columns as the console is wide enough for; `make` is told which to leave out."""
    without: frozenset[str] = frozenset()
    table = make(without)
    for heading in DISPENSABLE:
        if Measurement.get(console, console.options.update(max_width=NO_WIDTH), table).maximum <= console.width:
            break
        without |= {heading}
        table = make(without)
    return table


def process_line(told: Mapping[str, str]) -> Text:
    """The process in one line."""
    parts = (
        f"{told.get('Name', '?')} {told.get('Version', '?')}",
        f"pid {told.get('Pid', '?')}",
        f"up {told.get('Uptime', '?')}",
        f"{told.get('CurrConns', '?')} of {told.get('Maxconn', '?')} connections",
        f"{told.get('SessRate', '?')} sessions/s",
    )
    return Text(" · ".join(parts))


def proxies_table(rows: Sequence[Row], without: frozenset[str] = frozenset()) -> Table:
    """A line a frontend and a line a backend, with how many of its servers serve; `without` are headings to leave out."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    headings = ("proxy", "side", "status", "servers", "sessions", "limit", "total", "req/s", "queue", "errors")
    for place, heading in enumerate(headings):
        if heading not in without:
            table.add_column(heading, justify="left" if place < 4 else "right", no_wrap=True)
    for row in rows:
        if row.name not in (FRONTEND, BACKEND):
            continue
        servers = [each for each in rows if each.is_server and each.proxy == row.proxy]
        serving = sum(each.is_serving for each in servers)
        errors = ("ereq",) if row.name == FRONTEND else ("econ", "eresp")
        cells: tuple[Text | str, ...] = (
            Text(row.proxy),
            row.name.lower(),
            status_text(row.status),
            f"{serving} of {len(servers)}" if row.name == BACKEND and servers else "",
            *(_shown(row, column) for column in ("scur", "slim", "stot", "rate", "qcur")),
            str(sum(row.number(column) or 0 for column in errors)),
        )
        table.add_row(*(cell for heading, cell in zip(headings, cells, strict=True) if heading not in without))
    return table


def servers_table(rows: Sequence[Row], without: frozenset[str] = frozenset()) -> Table:
    """A line a server; `without` are headings to leave out."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("server", no_wrap=True)
    table.add_column("status", no_wrap=True)
    columns = [column for heading, column in SERVER_COLUMNS if heading not in without]
    for heading, column in SERVER_COLUMNS:
        if heading not in without:
            table.add_column(heading, justify="left" if column == "check_status" else "right", no_wrap=True)
    for row in rows:
        table.add_row(Text(row.full_name), status_text(row.status), *(_shown(row, column) for column in columns))
    return table


def sessions_table(found: Sequence[Session]) -> Table:
    """A line a session that is being served."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("visitor", "frontend", "backend", "server", "age", "expires in"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        table.add_row(*(Text(each.columns.get(name, "")) for name in SESSION_COLUMNS))
    return table


def metrics_table(values: Sequence[tuple[str, str, int | str]]) -> Table:
    """A line a figure."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("of", no_wrap=True)
    table.add_column("name", no_wrap=True)
    table.add_column("value", justify="right")
    for place, name, value in values:
        table.add_row(Text(place), Text(name), Text(str(value)))
    return table


def _shown(row: Row, column: str) -> Text:
    number = row.number(column)
    if number is not None and column in SECONDS:
        return Text(duration(number))
    return Text(row.columns.get(column, ""))
