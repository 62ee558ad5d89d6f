"""`/metrics`: the table of columns under HAProxy's metric names, rendered by prometheus-client.

Three families are not one column to one series: status, check status (a series per state, 1 for the one that holds) and answers
(a series per class). Whatever this program does not count has no series.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from balancer.backend.server import MAINT, Server
from balancer.observe import columns
from balancer.observe.info import LINES, VERSION, ProcessInfo
from balancer.observe.readings import Column, Reading
from balancer.observe.stats import BACKEND, FRONTEND, SERVER, kind, readings

CONTENT_TYPE: Final = "text/plain; version=0.0.4"

KINDS: Final = ((FRONTEND, "frontend"), (BACKEND, "backend"), (SERVER, "server"))
PROXY_STATES: Final = ("DOWN", "UP")
SERVER_STATES: Final = ("DOWN", "UP", "MAINT", "DRAIN", "NOLB")
CHECK_STATES: Final = ("SOCKERR", "L4OK", "L4TOUT", "L4CON")
# A server's row of these CSV columns only says what it is; the series exists for backends alone.
BACKEND_ONLY: Final = frozenset(["act", "bck"])

STATUS_HELP: Final = "Current status of the service, per state label value."
CHECK_HELP: Final = "Status of last health check, per state label value."
RESPONSES_HELP: Final = (
    "Total number of HTTP responses with status 100-199 returned by this object since the worker process started"
)

COLUMN_OF_CLASS: Final = {
    column.name.removeprefix("hrsp_"): column for column in columns.COLUMNS if column.name.startswith("hrsp_")
}


def render(info: ProcessInfo, scopes: Iterable[str], leaves_out_maint: bool = False) -> bytes:
    """The page. `scopes` are of global, frontend, backend and server; `no-maint` leaves out servers in maintenance."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(FarmCollector(info, frozenset(scopes), leaves_out_maint))
    return generate_latest(registry)


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
        """Families in HAProxy's order: the process, then frontends, backends, servers."""
        if "global" in self.scopes:
            yield from self._process()
        rows = list(readings(self.info.farm, self.info.clock()))
        if self.leaves_out_maint:
            rows = [row for row in rows if row.server is None or row.server.admin_state != MAINT]
        for number, name in KINDS:
            if name in self.scopes:
                yield from _families(name, [row for row in rows if kind(row) == number])

    def _process(self) -> Iterator[Metric]:
        for line in LINES:
            if line.metric:
                value = line.read(self.info)
                assert isinstance(value, int)
                family = _family(f"haproxy_process_{line.metric}", line.kind, line.help, [])
                family.add_metric([], value)
                yield family
        build = GaugeMetricFamily("haproxy_process_build_info", "Build info", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build


def _family(name: str, kind_name: str, text: str, labels: list[str]) -> GaugeMetricFamily | CounterMetricFamily:
    if kind_name == "counter":
        return CounterMetricFamily(name.removesuffix("_total"), text, labels=labels)
    return GaugeMetricFamily(name, text, labels=labels)


def _labels(row: Reading) -> list[str]:
    return [row.proxy_name] if row.server is None else [row.proxy_name, row.server.name]


def _reader(column: Column, kind_name: str) -> Callable[[Reading], int | str | None] | None:
    readers = {"frontend": column.frontend, "backend": column.backend, "server": column.server}
    return readers[kind_name]


def _families(kind_name: str, rows: list[Reading]) -> Iterator[Metric]:
    names = ["proxy", "server"] if kind_name == "server" else ["proxy"]
    for column in columns.COLUMNS:
        if column.name == "status":
            yield _states(f"haproxy_{kind_name}_status", STATUS_HELP, names, rows, _state_of, _states_of(kind_name))
        elif column.name == "check_status" and kind_name == "server":
            yield _states("haproxy_server_check_status", CHECK_HELP, names, rows, _check_of, CHECK_STATES)
        elif column.name == "hrsp_1xx":
            yield _responses(kind_name, names, rows)
        read = _reader(column, kind_name)
        metric = column.metric
        if metric is None or read is None or (kind_name == "server" and column.name in BACKEND_ONLY):
            continue
        family = _family(f"haproxy_{kind_name}_{metric.name}", metric.kind, metric.help, names)
        for row in rows:
            value = read(row)
            if isinstance(value, int):
                family.add_metric(_labels(row), value * metric.scale)
        if family.samples:
            yield family


def _states_of(kind_name: str) -> tuple[str, ...]:
    return SERVER_STATES if kind_name == "server" else PROXY_STATES


def _state_of(row: Reading) -> str:
    if row.frontend is not None:
        return "DOWN" if row.frontend.is_stopped else "UP"
    if row.backend is not None:
        return row.backend.status_text()
    assert row.server is not None
    return server_state(row.server)


def server_state(server: Server) -> str:
    """One of SERVER_STATES."""
    if server.admin_state == MAINT:
        return "MAINT"
    if not server.is_up():
        return "DOWN"
    return "DRAIN" if server.weight == 0 else "UP"


def _check_of(row: Reading) -> str:
    assert row.server is not None
    return row.server.check_code if row.server.is_checked else ""


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
