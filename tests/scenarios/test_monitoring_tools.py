"""Programs that watch HAProxy, unchanged, on our page and sockets: Nagios, munin, netdata, collectd, ansible, haproxy-stats."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from operators import Lab, laboratory, run
from peers import require_module, require_peer
from running import free_port, running, wait_until

CSV: Final = ";csv;norefresh"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with laboratory(tmp_path_factory.mktemp("monitoring")) as lab:
        yield lab


@pytest.fixture(autouse=True)
def both_up(lab: Lab) -> Iterator[None]:
    yield
    lab.restore()


# --- Nagios ------------------------------------------------------------------------------------------------------------


def test_check_haproxy_counts_the_servers_that_are_up(lab: Lab) -> None:
    words = (require_peer("check_haproxy"), "-u", f"{lab.page};csv")
    lab.say("set server nobody/gone state maint")
    assert run(*words).startswith("HAPROXY OK - ")
    assert "smalltalk (Active: 2/2)" in run(*words)
    lab.say("set server nobody/gone state ready")
    wait_until(lab.is_up, "the server that is not there to be down")
    assert "is DOWN on 'nobody' proxy !" in run(*words, status=2)


def test_check_haproxy_stats_reads_the_page(lab: Lab) -> None:
    words = (require_peer("check_haproxy_stats"), "-U", f"{lab.page};csv", "-p", "smalltalk")
    assert run(*words).startswith("Check haproxy OK - checked proxies: smalltalk|")
    lab.say("disable server smalltalk/app1")
    assert run(*words, status=2).startswith("Check haproxy CRITICAL - server: smalltalk:app1 is MAINT")


def test_check_http_finds_the_report(lab: Lab) -> None:
    place = ("-H", "127.0.0.1", "-p", str(lab.ports["page"]), "-u", "/haproxy?stats")
    assert run(require_peer("check_http"), *place, "-s", "Statistics Report for").startswith("HTTP OK: HTTP/1.1 200 OK")


# --- munin -------------------------------------------------------------------------------------------------------------


def munin(plugin: str, lab: Lab, *words: str) -> list[str]:
    """What the plugin tells."""
    environ = {**os.environ, "url": lab.page + CSV, "MUNIN_LIBDIR": "/usr/share/munin", "MUNIN_CAP_MULTIGRAPH": "1"}
    return run(plugin, *words, environ=environ).splitlines()


def test_munins_haproxy_has_a_graph_per_server(lab: Lab) -> None:
    plugin = require_peer("haproxy_")
    named = munin(plugin, lab, "config")
    assert "graph_title HAProxy statistics for smalltalk" in named
    assert {"sapp1.label app1", "sapp2.label app2", "ss.label s", "sgone.label gone"} <= set(named)
    values = munin(plugin, lab)
    assert sorted(re.sub(r"value \d+$", "value N", line) for line in values) == [
        f"s{name}.value N" for name in ("app1", "app2", "gone", "s")
    ]


def test_munins_haproxy_ng_has_every_figure(lab: Lab) -> None:
    plugin = require_peer("haproxy_ng")
    graphs = {line for line in munin(plugin, lab, "config") if line.startswith("multigraph ")}
    assert {"multigraph HAPActive", "multigraph HAPBandwidthBack.smalltalk"} <= graphs
    values = [line for line in munin(plugin, lab) if ".value " in line]
    assert "smalltalk_act.value 2" in values and len(values) > 60
    assert [line for line in values if not re.search(r"\.value -?\d+$", line)] == []


# --- netdata -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["socket", "url"])
def test_netdata_draws_charts_with_idle_time(lab: Lab, tmp_path: Path, way: str) -> None:
    plugin = require_peer("python.d.plugin")
    places = {"socket": lab.path, "url": f"http://127.0.0.1:{lab.ports['other']}/stats{CSV}"}
    (tmp_path / "python.d").mkdir()
    (tmp_path / "python.d" / "haproxy.conf").write_text(f"lab:\n  {way}: '{places[way]}'\n")
    (tmp_path / "python.d.conf").write_text("enabled: yes\ndefault_run: no\nhaproxy: yes\n")
    environ = {
        "NETDATA_USER_CONFIG_DIR": str(tmp_path),
        "NETDATA_STOCK_CONFIG_DIR": "/usr/lib/netdata/conf.d",
        "NETDATA_LIB_DIR": str(tmp_path),
        "NETDATA_LOCK_DIR": str(tmp_path),
    }
    awaited = ("SET 'hsup_smalltalk' = 2", "SET 'hsdown_nobody' = 1", "SET 'hbdown_nobody' = 1", "SET 'idle' = ")
    with running(["/usr/bin/python3", plugin, "haproxy"], tmp_path / "netdata.out", environ) as netdata:

        def has_drawn() -> bool:
            assert not netdata.has_ended(), netdata.text()
            return all(text in netdata.text() for text in awaited)

        wait_until(has_drawn, "charts of netdata", tells=netdata.text)
        assert " ERROR: haproxy" not in netdata.text()


# --- collectd ----------------------------------------------------------------------------------------------------------

COLLECTD: Final = """
BaseDir "{folder}"
PIDFile "{folder}/pid"
Hostname "lab"
FQDNLookup false
Interval 1
LoadPlugin logfile
LoadPlugin csv
<LoadPlugin python>
  Globals true
</LoadPlugin>
<Plugin logfile>
  File "{folder}/log"
</Plugin>
<Plugin csv>
  DataDir "{folder}/csv"
</Plugin>
<Plugin python>
  LogTraces true
  ModulePath "{packages}"
  Import "collectd_haproxy.plugin"
  <Module "haproxy">
    Socket "{path}"
  </Module>
</Plugin>
"""


def test_collectd_keeps_every_figure(lab: Lab, tmp_path: Path) -> None:
    collectd = require_peer("collectd")
    packages = Path(require_module("collectd_haproxy", "collectd-haproxy").__file__).parents[1]
    (tmp_path / "collectd.conf").write_text(COLLECTD.format(folder=tmp_path, packages=packages, path=lab.path))
    with running([collectd, "-f", "-C", str(tmp_path / "collectd.conf")], tmp_path / "collectd.out") as program:

        def kept() -> set[str]:
            return {path.parent.name for path in (tmp_path / "csv").rglob("counter-http_response_2xx-*")}

        expected = {f"haproxy-smalltalk.{name}" for name in ("FRONTEND", "app1", "app2", "BACKEND")}
        wait_until(lambda: expected <= kept(), "figures kept by collectd", tells=program.text)
        wait_until(lambda: any((tmp_path / "csv" / "lab" / "haproxy-haproxy").glob("*")), "the process's", tells=program.text)
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said and "failed" not in said, said


# --- the exporter, ansible, haproxy-stats ------------------------------------------------------------------------------


def test_the_exporter_of_prometheus_reads_the_page(lab: Lab, tmp_path: Path) -> None:
    port = free_port()
    exporter = require_peer("prometheus-haproxy-exporter")
    words = [exporter, f"--web.listen-address=127.0.0.1:{port}", f"--haproxy.scrape-uri={lab.page};csv"]
    with running(words, tmp_path / "exporter.out") as program:
        program.wait_for_port(port)
        page = run(require_peer("curl"), "-sS", f"http://127.0.0.1:{port}/metrics")
        assert "\nhaproxy_up 1\n" in page and "\nhaproxy_exporter_csv_parse_failures_total 0\n" in page
        assert 'haproxy_server_up{backend="smalltalk",server="app1"} 1' in page
        assert 'haproxy_server_up{backend="nobody",server="gone"} 0' in page


# The words given to the module, what it has to send, and the state that it has to see afterwards.
ANSIBLE: Final = (
    ("state=disabled wait=yes", "get weight smalltalk/app2; disable server smalltalk/app2", r"MAINT"),
    ("state=drain drain=yes wait=yes", "set server smalltalk/app2 state drain", r"DRAIN( \d/\d)?"),
    (
        "state=enabled weight=5 wait=yes",
        "get weight smalltalk/app2; enable server smalltalk/app2; set weight smalltalk/app2 5",
        r"UP",
    ),
    (
        "state=disabled shutdown_sessions=yes",
        "get weight smalltalk/app2; disable server smalltalk/app2; shutdown sessions server smalltalk/app2",
        r"MAINT",
    ),
    (
        "state=enabled health=yes",
        "get weight smalltalk/app2; enable server smalltalk/app2; enable health smalltalk/app2",
        r"UP( \d/\d)?",
    ),
)


def test_ansible_takes_a_server_out_and_in(lab: Lab, tmp_path: Path) -> None:
    ansible = require_peer("ansible")
    environ = {**os.environ, "HOME": str(tmp_path), "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_STDOUT_CALLBACK": "json"}
    for words, sent, status in ANSIBLE:
        place = f"host=app2 backend=smalltalk socket={lab.path} {words}"
        module = ("-c", "local", "-m", "community.general.haproxy", "-a", place)
        told = json.loads(run(ansible, "localhost", "-i", "localhost,", *module, environ=environ))
        outcome = told["plays"][0]["tasks"][0]["hosts"]["localhost"]
        assert outcome["changed"] and outcome["command"] == [sent]
        assert re.fullmatch(status, outcome["state_after"][0]["status"]), outcome


def test_haproxy_stats_reads_the_page_under_its_own_suffix(lab: Lab) -> None:
    require_module("haproxystats", "haproxy-stats")
    asks = (
        "import sys, haproxystats\n"
        "server = haproxystats.HAProxyServer(sys.argv[1])\n"
        "assert not server.failed\n"
        "for b in server.backends:\n"
        "    print(len(server.fields), b.name, b.status, *(s.name for s in b.listeners))\n"
    )
    place = lab.page.removeprefix("http://")
    done = subprocess.run([sys.executable, "-P", "-c", asks, place], capture_output=True, text=True, timeout=60, check=False)
    rows = ["smalltalk UP app1 app2", "other UP s", "nobody DOWN gone", "stats UP"]
    assert done.stdout.splitlines() == [f"128 {row}" for row in rows], done.stderr
