"""`show stat`: HAProxy's table of frontends, servers and backends, read at the moment of asking.

Three forms of one table: CSV, one typed line per figure, JSON. All leave out what a kind of object does not have. What tells
about addresses and cookies is for those who may see it: an operator on the socket, a page with `stats show-legends`.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from balancer.backend.farm import Farm
from balancer.backend.server import STOPPED, Server
from balancer.observe.columns import COLUMNS
from balancer.observe.readings import Reading, Value
from balancer.observe.tags import COLUMN_TAGS, NATURES, ORIGINS, SCOPES, Tag

FRONTEND: Final = 1
BACKEND: Final = 2
SERVER: Final = 4
LISTENING: Final = 8
EVERYTHING: Final = FRONTEND | BACKEND | SERVER | LISTENING

HEADER: Final = "# " + ",".join(column.name for column in COLUMNS) + ",\n"

# For those who may see them.
LEGENDS: Final = frozenset(["addr", "cookie", "algo"])
# What parts CSV's own columns from those of HAProxy's modules; the other forms do not have it.
DIVIDER: Final = "-"

LETTERS: Final[dict[int, str]] = {FRONTEND: "F", BACKEND: "B", SERVER: "S", LISTENING: "L"}
OBJECT_TYPES: Final[dict[int, str]] = {FRONTEND: "Frontend", BACKEND: "Backend", SERVER: "Server", LISTENING: "Listener"}


def readings(farm: Farm, now: float) -> Iterator[Reading]:
    """All objects in HAProxy's order: proxy by proxy, its frontend with its addresses, its servers, its backend."""
    frontends = {frontend.number: frontend for frontend in farm.frontends}
    backends = {backend.number: backend for backend in farm.backends}
    for number in sorted(frontends.keys() | backends.keys()):
        frontend, backend = frontends.get(number), backends.get(number)
        if frontend is not None:
            yield Reading(now, frontend.name, number, frontend=frontend)
            for listening in frontend.listening:
                yield Reading(now, frontend.name, number, listening=listening)
        if backend is not None:
            for server in backend.servers:
                yield Reading(now, backend.name, number, server=server)
            yield Reading(now, backend.name, number, backend=backend)


def kind(reading: Reading) -> int:
    """FRONTEND, BACKEND, SERVER or LISTENING."""
    if reading.listening is not None:
        return LISTENING
    return FRONTEND if reading.frontend is not None else BACKEND if reading.backend is not None else SERVER


def values(reading: Reading, shows_legends: bool = True) -> list[Value]:
    """The figures of one object in the order of the columns, None where a column is empty for it."""
    if reading.frontend is not None:
        found = [None if column.frontend is None else column.frontend(reading) for column in COLUMNS]
    elif reading.backend is not None:
        found = [None if column.backend is None else column.backend(reading) for column in COLUMNS]
    elif reading.listening is not None:
        found = [None if column.listening is None else column.listening(reading) for column in COLUMNS]
    else:
        found = [None if column.server is None else column.server(reading) for column in COLUMNS]
    if shows_legends:
        return found
    return [None if column.name in LEGENDS else value for column, value in zip(COLUMNS, found, strict=True)]


def figures(reading: Reading, shows_legends: bool = True) -> dict[str, Value]:
    """The figures of one object by the names of their columns."""
    return {column.name: value for column, value in zip(COLUMNS, values(reading, shows_legends), strict=True)}


@dataclass(frozen=True)
class Choice:
    """Which rows: of one proxy (-1: of all), of these kinds, of one server (-1: of all), and no servers in these states."""

    number: int = -1
    kinds: int = EVERYTHING
    server_number: int = -1
    hides_maint: bool = False
    hides_down: bool = False
    shows_legends: bool = True
    shows_texts: bool = False  # `desc`: typed lines end with what they mean

    def has(self, reading: Reading) -> bool:
        """Whether that object is chosen."""
        if self.number not in (-1, reading.number) or not kind(reading) & self.kinds:
            return False
        server = reading.server
        if self.server_number not in (-1, _server_number(reading)) and (server or reading.listening):
            return False
        if server is None:
            return True
        if self.hides_down:
            return not _is_out(server)
        return not (self.hides_maint and server.is_in_maintenance())


def chosen(farm: Farm, now: float, choice: Choice) -> list[Reading]:
    """The rows that are asked for, in order."""
    return [reading for reading in readings(farm, now) if choice.has(reading)]


def csv(farm: Farm, now: float, choice: Choice) -> str:
    """The table, its last row ended by LF."""
    return "".join(csv_lines(chosen(farm, now, choice), choice.shows_legends))


def csv_lines(rows: Iterable[Reading], shows_legends: bool) -> Iterator[str]:
    """The table line by line."""
    yield HEADER
    for reading in rows:
        yield ",".join(_field(value) for value in values(reading, shows_legends)) + ",\n"


def typed_lines(rows: Iterable[Reading], choice: Choice) -> Iterator[str]:
    """A line per figure, `S.2.1.4.scur.1:MGP:u32:0`, object by object."""
    for reading in rows:
        yield _typed_row(reading, choice)


def json_parts(rows: Iterable[Reading], shows_legends: bool) -> Iterator[str]:
    """A list per object in one list, as `show schema json` describes it, object by object."""
    before = "["
    for reading in rows:
        yield f"{before}[{','.join(_json_row(reading, shows_legends))}]"
        before = ","
    yield "]\n" if before == "," else "[]\n"


def as_json(farm: Farm, now: float, choice: Choice) -> str:
    """The same as one text."""
    return "".join(json_parts(chosen(farm, now, choice), choice.shows_legends))


def parts(form: str, farm: Farm, now: float, choice: Choice) -> Iterator[str]:
    """The table in one of the forms "csv", "typed" and "json", object by object: a farm may be large."""
    return FORMS[form](chosen(farm, now, choice), choice)


FORMS: Final[dict[str, Callable[[list[Reading], Choice], Iterator[str]]]] = {
    "csv": lambda rows, choice: csv_lines(rows, choice.shows_legends),
    "typed": typed_lines,
    "json": lambda rows, choice: json_parts(rows, choice.shows_legends),
}


def tagged(reading: Reading, shows_legends: bool) -> list[tuple[int, str, Tag, Value]]:
    """What an object has, as (place, name, tag, figure)."""
    place = 0
    rows: list[tuple[int, str, Tag, Value]] = []
    for column, value in zip(COLUMNS, values(reading, shows_legends), strict=True):
        if column.name == DIVIDER:
            continue
        if value is not None:
            rows.append((place, column.name, COLUMN_TAGS[column.name], value))
        place += 1
    return rows


def json_item(head: dict[str, object], place: int, name: str, letters: str, type_name: str, value: Value) -> str:
    """One figure as JSON, without blanks; `head` tells whose it is."""
    tags = {"origin": ORIGINS[letters[0]], "nature": NATURES[letters[1]], "scope": SCOPES[letters[2]]}
    item = {
        **head,
        "field": {"pos": place, "name": name},
        "processNum": 1,
        "tags": tags,
        "value": {"type": type_name, "value": value},
    }
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False)


def _is_out(server: Server) -> bool:
    """What `up` leaves out: in maintenance, or down and not on the way back."""
    if server.is_in_maintenance():
        return True
    followed = server.reference()
    return server.state == STOPPED and (not followed.is_checked or followed.health == 0)


def _letters(tag: Tag, reading: Reading) -> str:
    return tag.backend if tag.backend and reading.backend is not None else tag.letters


def _server_number(reading: Reading) -> int:
    if reading.listening is not None:
        return reading.listening.number
    return 0 if reading.server is None else reading.server.number


def _typed_row(reading: Reading, choice: Choice) -> str:
    whose = f"{LETTERS[kind(reading)]}.{reading.number}.{_server_number(reading)}"
    lines: list[str] = []
    for place, name, tag, value in tagged(reading, choice.shows_legends):
        text = f':"{tag.text}"' if choice.shows_texts else ""
        lines.append(f"{whose}.{place}.{name}.1:{_letters(tag, reading)}:{tag.type}:{value}{text}\n")
    return "".join(lines)


def _json_row(reading: Reading, shows_legends: bool) -> list[str]:
    head: dict[str, object] = {
        "objType": OBJECT_TYPES[kind(reading)],
        "proxyId": reading.number,
        "id": _server_number(reading),
    }
    return [
        json_item(head, place, name, _letters(tag, reading), tag.type, value)
        for place, name, tag, value in tagged(reading, shows_legends)
    ]


def _field(value: Value) -> str:
    """One CSV field: quoted where it must be (RFC 4180)."""
    if value is None:
        return ""
    text = str(value)
    if any(octet in text for octet in ',"\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
