"""`/metrics` against the list of HAProxy 2.6.12's exporter, and against Prometheus's own judge."""

import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from config_files import model_of
from observed import in_every_state, observed
from prometheus_client.parser import text_string_to_metric_families
from recorded import FOLDER
from recorded import metrics as recorded_metrics
from records import KeptEvents, server_record

from balancer.backend.farm import Farm
from balancer.backend.verdicts import Verdict
from balancer.observe import metrics
from balancer.observe.info import VERSION, ProcessInfo

SCOPES = ("global", "frontend", "backend", "server")


def page(info: ProcessInfo | None = None, scopes: tuple[str, ...] = SCOPES, leaves_out_maint: bool = False) -> str:
    return metrics.render(info or in_every_state(), scopes, leaves_out_maint).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return samples(text)[(name, tuple(sorted(labels.items())))]


def test_names_types_and_help_are_haproxys_in_order() -> None:
    lines = page().splitlines()
    helps = [tuple(line.split(" ", 3)[2:]) for line in lines if line.startswith("# HELP ")]
    types = [tuple(line.split(" ", 3)[2:]) for line in lines if line.startswith("# TYPE ")]
    assert helps == [(name, text) for name, _, _, text in recorded_metrics()]
    assert types == [(name, kind) for name, kind, _, _ in recorded_metrics()]


def test_labels_are_haproxys() -> None:
    found: dict[str, dict[str, list[str]]] = {}
    for name, labels in samples(page()):
        for key, text in labels:
            values = found.setdefault(name, {}).setdefault(key, [])
            if text not in values:
                values.append(text)
    for name, _, columns, _ in recorded_metrics():
        expected = {} if columns == "-" else dict(part.partition("=")[::2] for part in columns.split(","))
        assert set(found[name] if name in found else ()) == set(expected), name
        for key, listed in expected.items():
            if listed:
                assert "|".join(found[name][key]) == listed, name


def test_a_state_is_a_series_of_its_own() -> None:
    text = page()
    states = {"up": "UP", "down": "DOWN", "maint": "MAINT", "zero": "UP", "nocheck": "UP"}
    for server, present in states.items():
        for state in ("DOWN", "UP", "MAINT", "DRAIN", "NOLB"):
            series = value(text, "haproxy_server_status", proxy="smalltalk", server=server, state=state)
            assert series == float(state == present), (server, state)
    assert value(text, "haproxy_frontend_status", proxy="smalltalk", state="UP") == 1.0
    assert value(text, "haproxy_backend_status", proxy="smalltalk", state="DOWN") == 0.0


def test_a_backend_sums_up_its_servers() -> None:
    text = page()
    found = {
        state: value(text, "haproxy_backend_agg_server_status", proxy="smalltalk", state=state)
        for state in ("DOWN", "UP", "MAINT", "DRAIN")
    }
    assert found == {"DOWN": 1.0, "UP": 5.0, "MAINT": 1.0, "DRAIN": 0.0}
    assert value(text, "haproxy_backend_agg_check_status", proxy="smalltalk", state="L4OK") == 2.0
    assert value(text, "haproxy_backend_agg_check_status", proxy="smalltalk", state="L4CON") == 1.0


def test_what_has_no_value_is_not_a_number() -> None:
    text = page()
    assert value(text, "haproxy_server_limit_sessions", proxy="smalltalk", server="up") == 20.0
    for name in ("haproxy_server_limit_sessions", "haproxy_server_queue_limit", "haproxy_server_check_failures_total"):
        assert math.isnan(value(text, name, proxy="smalltalk", server="nocheck")), name


def test_a_server_without_a_check_has_no_series_of_its_result() -> None:
    of_checks = [labels for name, labels in samples(page()) if name == "haproxy_server_check_status"]
    assert {dict(labels)["server"] for labels in of_checks} == {"up", "down", "spare", "falling"}
    durations = [labels for name, labels in samples(page()) if name == "haproxy_server_check_duration_seconds"]
    assert {dict(labels)["server"] for labels in durations} == {"up", "down", "spare"}


def test_times_are_seconds() -> None:
    info = observed()
    info.farm.backends[0].counters.times(250, 0, 0, 1500)
    text = page(info)
    assert value(text, "haproxy_backend_queue_time_average_seconds", proxy="smalltalk") == 0.25
    assert value(text, "haproxy_backend_max_total_time_seconds", proxy="smalltalk") == 1.5


def test_the_build_is_told_by_a_label() -> None:
    assert value(page(), "haproxy_process_build_info", version=VERSION) == 1.0


@pytest.mark.parametrize("scope", SCOPES)
def test_a_scope_is_given_alone(scope: str) -> None:
    prefix = "process" if scope == "global" else scope
    names = {name for name, _ in samples(page(scopes=(scope,)))}
    assert names
    assert all(name.startswith(f"haproxy_{prefix}_") for name in names)


def test_no_scope_is_an_empty_page() -> None:
    assert page(scopes=()) == ""


def test_no_maint_leaves_out_servers_in_maintenance() -> None:
    assert 'server="maint"' in page()
    assert 'server="maint"' not in page(leaves_out_maint=True)


def test_a_name_is_escaped() -> None:
    text = page(observed(server_record('a"b\\c')))
    assert value(text, "haproxy_server_current_sessions", proxy="smalltalk", server='a"b\\c') == 0.0


def test_promtool_has_one_remark_and_it_is_haproxys(require_peer: Callable[[str], str]) -> None:
    judged = subprocess.run(
        [require_peer("promtool"), "check", "metrics"], input=page(), capture_output=True, text=True, timeout=60, check=False
    )
    remarks = (judged.stdout + judged.stderr).splitlines()
    assert remarks == ['haproxy_process_failed_resolutions counter metrics should have "_total" suffix']


ORIGINAL: Final = (
    "global\n maxconn 4000\ndefaults\n mode http\n timeout connect 5s\n timeout client 50s\n timeout server 50s\n"
    "listen smalltalk\n bind 127.0.0.1:8080\n cookie SEASIDE insert nocache\n"
    + "".join(f" server app{n} 127.0.0.1:{3000 + n} cookie app1inst{n} check\n" for n in range(1, 11))
    + "listen stats\n bind 127.0.0.1:8090\n stats enable\n"
)


def series(page: str) -> dict[tuple[str, frozenset[tuple[str, str]]], bool]:
    """Every series of a page by its name and labels, and whether it has a value; the version is each program's own."""
    found: dict[tuple[str, frozenset[tuple[str, str]]], bool] = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            place, _, value = line.rpartition(" ")
            name, _, labels = place.partition("{")
            kept = frozenset(pair for pair in re.findall(r'(\w+)="([^"]*)"', labels) if pair[0] != "version")
            found[name, kept] = value.lower() != "nan"
    return found


def test_the_original_set_up_has_the_990_series_that_were_recorded(tmp_path: Path) -> None:
    config = model_of(tmp_path, ORIGINAL)
    farm = Farm(config, 4000, KeptEvents(), 100.0)
    for server in farm.backend_by_name["smalltalk"].servers:
        server.check_passed()
        server.keep_verdict(Verdict("L4OK"), 0)
    info = ProcessInfo(config, farm, lambda: 106.0, 1795407576.0, 1121, 8060, lambda: 0, lambda: False, 4)
    recorded = series((FOLDER / "haproxy-2.6-metrics.txt").read_text(encoding="ascii"))
    own = series(metrics.render(info, SCOPES).decode())
    assert len(recorded) == 990
    assert own.keys() == recorded.keys()
    # What has no value there has none here. Nobody had visited ours yet.
    visited = {place for place in recorded if "last_session" in place[0]}
    assert {place for place in recorded if own[place] != recorded[place]} - visited == set()
