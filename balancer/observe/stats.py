"""`show stat`: HAProxy's table of frontends, servers and backends as CSV, read at the moment of asking."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from balancer.backend.farm import Farm
from balancer.observe.columns import COLUMNS
from balancer.observe.readings import Reading, Value

FRONTEND: Final = 1
BACKEND: Final = 2
SERVER: Final = 4
EVERYTHING: Final = FRONTEND | BACKEND | SERVER

HEADER: Final = "# " + ",".join(column.name for column in COLUMNS) + ",\n"


def readings(farm: Farm, now: float) -> Iterator[Reading]:
    """All objects in HAProxy's order: proxy by proxy, its frontend, its servers, its backend."""
    frontends = {frontend.number: frontend for frontend in farm.frontends}
    backends = {backend.number: backend for backend in farm.backends}
    for number in sorted(frontends.keys() | backends.keys()):
        frontend, backend = frontends.get(number), backends.get(number)
        if frontend is not None:
            yield Reading(now, frontend.name, number, frontend=frontend)
        if backend is not None:
            for server in backend.servers:
                yield Reading(now, backend.name, number, server=server)
            yield Reading(now, backend.name, number, backend=backend)


def kind(reading: Reading) -> int:
    """FRONTEND, BACKEND or SERVER."""
    return FRONTEND if reading.frontend is not None else BACKEND if reading.backend is not None else SERVER


def values(reading: Reading) -> list[Value]:
    """The figures of one object in the order of the columns, None where a column is empty for it."""
    if reading.frontend is not None:
        return [None if column.frontend is None else column.frontend(reading) for column in COLUMNS]
    if reading.backend is not None:
        return [None if column.backend is None else column.backend(reading) for column in COLUMNS]
    return [None if column.server is None else column.server(reading) for column in COLUMNS]


@dataclass(frozen=True)
class Choice:
    """Which rows: of one proxy (-1: of all), of these kinds, of one server (-1: of all), and no servers in these states."""

    number: int = -1
    kinds: int = EVERYTHING
    server_number: int = -1
    hides_maint: bool = False
    hides_down: bool = False

    def has(self, reading: Reading) -> bool:
        """Whether that object is chosen."""
        if self.number not in (-1, reading.number) or not kind(reading) & self.kinds:
            return False
        server = reading.server
        if server is None:
            return True
        if self.server_number not in (-1, server.number):
            return False
        if self.hides_down:
            return server.is_up()
        return not (self.hides_maint and server.is_in_maintenance())


def csv(farm: Farm, now: float, choice: Choice) -> str:
    """The table, its last row ended by LF."""
    rows = [",".join(_field(value) for value in values(reading)) for reading in readings(farm, now) if choice.has(reading)]
    return HEADER + "".join(f"{row},\n" for row in rows)


def _field(value: Value) -> str:
    """One CSV field: quoted where it must be (RFC 4180)."""
    if value is None:
        return ""
    text = str(value)
    if any(octet in text for octet in ',"\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
