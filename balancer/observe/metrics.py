"""`/metrics`: the table of columns under HAProxy's metric names, rendered by prometheus-client.

All 187 names of HAProxy 2.6 (those of stick tables are none of them), in its order, with its types, labels and help. A figure
that an object does not have (a limit that is not set) is NaN, as HAProxy's exporter says it; what tells of checks is left out
where there are none. Families that are not one column to one series: states (a series per state, 1 for the one that holds),
answers (one per class), and a backend's sums over the states of its servers.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from balancer.backend.server import STOPPING, Server
from balancer.backend.verdicts import INITIAL
from balancer.observe.columns import COLUMNS
from balancer.observe.info import COUNTERS_BY_NAME, HIDDEN, LINES, ProcessInfo
from balancer.observe.readings import Column, Reading, Value
from balancer.observe.stats import BACKEND, FRONTEND, SERVER, kind, readings

CONTENT_TYPE: Final = "text/plain; version=0.0.4"

KINDS: Final = ((FRONTEND, "frontend"), (BACKEND, "backend"), (SERVER, "server"))
PROXY_STATES: Final = ("DOWN", "UP")
SERVER_STATES: Final = ("DOWN", "UP", "MAINT", "DRAIN", "NOLB")
CHECK_STATES: Final = (
    "HANA", "SOCKERR", "L4OK", "L4TOUT", "L4CON", "L6OK", "L6TOUT", "L6RSP",
    "L7TOUT", "L7RSP", "L7OK", "L7OKC", "L7STS", "PROCERR", "PROCTOUT", "PROCOK",
)  # fmt: skip
# A server's figure in these columns says what the server is, or belongs to CSV alone: no series.
NO_SERIES: Final = frozenset([("server", "act"), ("server", "bck"), ("server", "req_tot")])

STATUS_HELP: Final = "Current status of the service, per state label value."
CODE_HELP: Final = "layer5-7 code, if available of the last health check."
CHECK_HELP: Final = "Status of last health check, per state label value."
RESPONSES_HELP: Final = (
    "Total number of HTTP responses with status 100-199 returned by this object since the worker process started"
)
# A backend's sums, by the column where they stand: name, help.
SUMS: Final = {
    "agg_server_status": "Backend's aggregated gauge of servers' status",
    "agg_server_check_status": "Backend's aggregated gauge of servers' state check status",
    "agg_check_status": "Backend's aggregated gauge of servers' state check status",
}

# What is read and written at once, so that a scrape of a thousand servers holds nobody up.
SAMPLES_MAX: Final = 100
# Samples per row, of columns that have several.
WIDTHS: Final = {
    "status": len(SERVER_STATES),
    "check_status": len(CHECK_STATES),
    "agg_server_status": SAMPLES_MAX,
    "agg_server_check_status": SAMPLES_MAX,
    "agg_check_status": SAMPLES_MAX,
    "hrsp_1xx": 6,
}
# Of a family: HELP and TYPE.
HEAD_LINES: Final = 2

COLUMN_OF_CLASS: Final = {column.name.removeprefix("hrsp_"): column for column in COLUMNS if column.name.startswith("hrsp_")}


def render(info: ProcessInfo, scopes: Iterable[str], leaves_out_maint: bool = False) -> bytes:
    """The whole page. `scopes` are of global, frontend, backend and server; `no-maint` leaves out servers in maintenance."""
    return "".join(pieces(info, scopes, leaves_out_maint)).encode()


def pieces(info: ProcessInfo, scopes: Iterable[str], leaves_out_maint: bool = False) -> Iterator[str]:
    """The page in pieces of some SAMPLES_MAX samples, each read when it is asked for."""
    for family, is_first in FarmCollector(info, frozenset(scopes), leaves_out_maint).slices():
        text = generate_latest(Slice(family)).decode()
        if not is_first:
            text = text.split("\n", HEAD_LINES)[HEAD_LINES]
        bare = family.name if family.type == "counter" else ""
        if bare.removeprefix("haproxy_process_") in COUNTERS_BY_NAME:
            text = text.replace(f" {bare}_total ", f" {bare} ")  # the library knows no counter without the suffix
        yield text


class Slice(Collector):
    """One family, or a part of one, in the place of a registry."""

    def __init__(self, family: Metric) -> None:
        self.family = family

    def collect(self) -> Iterator[Metric]:
        """The family."""
        yield self.family


class FarmCollector(Collector):
    """Reads one process when it is asked to."""

    def __init__(self, info: ProcessInfo, scopes: frozenset[str], leaves_out_maint: bool) -> None:
        self.info = info
        self.scopes = scopes
        self.leaves_out_maint = leaves_out_maint

    def describe(self) -> Iterable[Metric]:
        """Nothing is known before it is read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Families in HAProxy's order: the process, then frontends, backends, servers. A long one comes in several parts."""
        for family, _ in self.slices():
            yield family

    def slices(self) -> Iterator[tuple[Metric, bool]]:
        """The same, with whether a part is the first of its family."""
        if "global" in self.scopes:
            for family in self._process():
                yield family, True
        rows = list(readings(self.info.farm, self.info.clock()))
        if self.leaves_out_maint:
            rows = [row for row in rows if row.server is None or not row.server.is_in_maintenance()]
        for number, name in KINDS:
            of_kind = [row for row in rows if kind(row) == number]
            if name in self.scopes and of_kind:
                yield from _slices(name, of_kind)

    def _process(self) -> Iterator[Metric]:
        for line in LINES:
            if not line.metric:
                continue
            value = line.read(self.info)
            if isinstance(value, str):
                family = _family(f"haproxy_process_{line.metric}", "gauge", line.help, ["version"])
                family.add_metric([value], 1)
            else:
                family = _family(f"haproxy_process_{line.metric}", line.kind, line.help, [])
                shown = math.nan if line.name in HIDDEN else value
                family.add_sample(f"haproxy_process_{line.metric}", {}, shown)
            yield family


def _slices(kind_name: str, rows: list[Reading]) -> Iterator[tuple[Metric, bool]]:
    """Column by column; a column's rows in parts."""
    names = ["proxy", "server"] if kind_name == "server" else ["proxy"]
    for column in COLUMNS:
        count = max(1, SAMPLES_MAX // WIDTHS.get(column.name, 1))
        for begin in range(0, len(rows), count):
            family = _column_family(kind_name, column, names, rows[begin : begin + count])
            if family is None:
                break
            yield family, begin == 0


def _family(name: str, kind_name: str, text: str, labels: list[str]) -> GaugeMetricFamily | CounterMetricFamily:
    if kind_name == "counter":
        return CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
    return GaugeMetricFamily(name, text, labels=labels)


def _labels(row: Reading) -> list[str]:
    return [row.proxy_name] if row.server is None else [row.proxy_name, row.server.name]


def _reader(column: Column, kind_name: str) -> Callable[[Reading], Value] | None:
    readers = {"frontend": column.frontend, "backend": column.backend, "server": column.server}
    return readers[kind_name]


def _column_family(kind_name: str, column: Column, names: list[str], rows: list[Reading]) -> Metric | None:
    """The family of a column, with these rows of it; None for a column that is no series of this kind."""
    special = _special(kind_name, column.name, names, rows)
    if special is not None:
        return special
    read = _reader(column, kind_name)
    metric = column.metric
    if metric is None or read is None or (kind_name, column.name) in NO_SERIES:
        return None
    family = _family(f"haproxy_{kind_name}_{metric.name}", metric.kind, metric.help, names)
    for row in rows:
        value = read(row)
        if isinstance(value, int):
            family.add_metric(_labels(row), value * metric.scale)
        elif column.name != "check_duration":
            family.add_metric(_labels(row), math.nan)
    return family


def _special(kind_name: str, column_name: str, labels: list[str], rows: list[Reading]) -> Metric | None:
    """The family of a column that is not one series."""
    if column_name == "status":
        states = SERVER_STATES if kind_name == "server" else PROXY_STATES
        return _states(f"haproxy_{kind_name}_status", STATUS_HELP, labels, rows, _state_of, states)
    if column_name == "check_status" and kind_name == "server":
        return _states("haproxy_server_check_status", CHECK_HELP, labels, rows, _check_of, CHECK_STATES)
    if column_name == "check_code" and kind_name == "server":
        return _codes(labels, rows)
    if column_name == "hrsp_1xx":
        return _responses(kind_name, labels, rows)
    if column_name in SUMS and kind_name == "backend":
        name, text = f"haproxy_backend_{column_name}", SUMS[column_name]
        if column_name == "agg_check_status":
            return _sums(name, text, rows, check_state, CHECK_STATES)
        return _sums(name, text, rows, server_state, SERVER_STATES)
    return None


def _state_of(row: Reading) -> str:
    if row.frontend is not None:
        return "DOWN" if row.frontend.is_stopped else "UP"
    if row.backend is not None:
        return row.backend.status_text()
    assert row.server is not None
    return server_state(row.server)


def server_state(server: Server) -> str:
    """One of SERVER_STATES. A weight of 0 is no drain: HAProxy shows such a server as UP."""
    if server.is_in_maintenance():
        return "MAINT"
    if server.is_draining() and server.is_up():
        return "DRAIN"
    if server.state == STOPPING:
        return "NOLB"
    return "UP" if server.is_up() else "DOWN"


def check_state(server: Server) -> str:
    """One of CHECK_STATES, "" where no check has had a result."""
    if not server.is_checked or server.is_in_maintenance() or server.check_state == INITIAL:
        return ""
    return server.check_state


def _check_of(row: Reading) -> str:
    assert row.server is not None
    if not row.server.is_checked or row.server.is_in_maintenance():
        return ""
    return row.server.check_state


def _codes(labels: list[str], rows: list[Reading]) -> GaugeMetricFamily:
    """The status of an HTTP check: 0 where the last check had none."""
    family = GaugeMetricFamily("haproxy_server_check_code", CODE_HELP, labels=labels)
    for row in rows:
        if _check_of(row):
            assert row.server is not None
            family.add_metric(_labels(row), row.server.check_code)
    return family


def _states(
    name: str, text: str, labels: list[str], rows: list[Reading], read: Callable[[Reading], str], states: tuple[str, ...]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[*labels, "state"])
    for row in rows:
        present = read(row)
        if present:
            for state in states:
                family.add_metric([*_labels(row), state], float(state == present))
    return family


def _sums(
    name: str, text: str, rows: list[Reading], read: Callable[[Server], str], states: tuple[str, ...]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["proxy", "state"])
    for row in rows:
        assert row.backend is not None
        if not row.backend.servers:
            continue  # HAProxy has no sums over nothing
        found = Counter(read(server) for server in row.backend.servers)
        for state in states:
            family.add_metric([row.proxy_name, state], found[state])
    return family


def _responses(kind_name: str, labels: list[str], rows: list[Reading]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"haproxy_{kind_name}_http_responses", RESPONSES_HELP, labels=[*labels, "code"])
    for row in rows:
        for name, column in COLUMN_OF_CLASS.items():
            read = _reader(column, kind_name)
            assert read is not None
            value = read(row)
            assert isinstance(value, int)
            family.add_metric([*_labels(row), name], value)
    return family
