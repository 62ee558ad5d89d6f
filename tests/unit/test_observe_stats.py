"""`show stat` and `show info` against what HAProxy 2.6.12 was recorded to print."""

from typing import Final

import pytest
from observed import NOW, found, in_every_state, observed
from recorded import stats_header, stats_rows
from records import server_record

from balancer.backend.verdicts import CHECK_STATES, FAILED, Verdict
from balancer.observe import stats
from balancer.observe.columns import COLUMNS
from balancer.observe.info import LINES, VERSION, Pace, show_info, uptime_text

# HAProxy leaves src_ilim empty where no `pool-max-conn` is set; our pools always have a limit, and it is shown.
SHOWN_BY_US: Final = frozenset(["src_ilim"])

INFO_NAMES: Final = (
    "Name Version Release_date Nbthread Nbproc Process_num Pid Uptime Uptime_sec Memmax_MB PoolAlloc_MB PoolUsed_MB PoolFailed "
    "Ulimit-n Maxsock Maxconn Hard_maxconn CurrConns CumConns CumReq MaxSslConns CurrSslConns CumSslConns Maxpipes PipesUsed "
    "PipesFree ConnRate ConnRateLimit MaxConnRate SessRate SessRateLimit MaxSessRate SslRate SslRateLimit MaxSslRate "
    "SslFrontendKeyRate SslFrontendMaxKeyRate SslFrontendSessionReuse_pct SslBackendKeyRate SslBackendMaxKeyRate "
    "SslCacheLookups SslCacheMisses CompressBpsIn CompressBpsOut CompressBpsRateLim Tasks Run_queue Idle_pct node "
    "description Stopping Jobs "
    "Unstoppable_Jobs Listeners ActivePeers ConnectedPeers DroppedLogs BusyPolling FailedResolutions TotalBytesOut "
    "TotalSplicdedBytesOut BytesOutRate DebugCommandsIssued CumRecvLogs Build_info Memmax_bytes PoolAlloc_bytes PoolUsed_bytes "
    "Start_time_sec Tainted"
)


def rows_of(text: str) -> dict[str, dict[str, str]]:
    """The rows of a table by server name."""
    header, *lines = text.splitlines()
    names = header.removeprefix("# ").split(",")
    rows = [dict(zip(names, line.split(","), strict=True)) for line in lines]
    return {row["svname"]: row for row in rows}


def recorded_row(proxy: str, server: str) -> dict[str, str]:
    return next(row for row in stats_rows() if (row["pxname"], row["svname"]) == (proxy, server))


def table() -> dict[str, dict[str, str]]:
    return rows_of(stats.csv(in_every_state().farm, NOW, stats.Choice()))


def test_the_128_names_are_haproxys_in_order() -> None:
    assert len(COLUMNS) == 128
    assert stats.HEADER == stats_header() + "\n"


@pytest.mark.parametrize(
    ("name", "proxy", "server"),
    [
        ("FRONTEND", "smalltalk", "FRONTEND"),
        ("BACKEND", "smalltalk", "BACKEND"),
        ("up", "states", "up"),
        ("down", "states", "down"),
        ("nocheck", "states", "nocheck"),
        ("maint", "states", "maint"),
        ("spare", "states", "spare"),
        ("falling", "states", "falling"),
        ("zero", "states", "zero"),
    ],
)
def test_a_column_is_empty_where_haproxys_is(name: str, proxy: str, server: str) -> None:
    row, theirs = table()[name], recorded_row(proxy, server)
    assert {key for key, value in row.items() if value == ""} | SHOWN_BY_US == {
        key for key, value in theirs.items() if value == ""
    } | SHOWN_BY_US


@pytest.mark.parametrize("name", ["up", "down", "nocheck", "maint", "spare"])
def test_a_servers_state_reads_as_haproxys(name: str) -> None:
    row, theirs = table()[name], recorded_row("states", name)
    columns = "weight act bck chkfail chkdown lastchg downtime qlimit slim check_status check_duration last_chk check_desc"
    for column in [*columns.split(), "status", "check_rise", "check_fall", "check_health", "pid", "type", "mode", "uweight"]:
        assert row[column] == theirs[column], column


# The recorded servers that were checked by HTTP: how often they fall, their verdicts, and when the last came.
CHECKED_BY_HTTP: Final = {
    "l7ok": (3, [Verdict("L7OK", 200)], 6),
    "l7sts": (1, [Verdict("L7STS", 500, "Oops")], 5),
    "nolb": (3, [Verdict("L7OK", 200), Verdict("L7OKC", 404)], 5),
    "l7tout": (1, [Verdict("L7TOUT")], 4),
    "l7rsp": (1, [Verdict("L7RSP")], 5),
}


@pytest.mark.parametrize("name", CHECKED_BY_HTTP)
def test_what_a_check_by_http_shows_reads_as_haproxys(name: str) -> None:
    fall_count, verdicts, seconds_ago = CHECKED_BY_HTTP[name]
    info = observed(server_record(name, check=True, fall_count=fall_count, port=3001))
    backend = info.farm.backends[0]
    server, theirs = found(backend, name), recorded_row("web", name)
    for verdict in verdicts:
        was_up = server.is_up()
        server.keep_verdict(verdict, int(theirs["check_duration"]))
        result = CHECK_STATES[verdict.name].result
        if result == FAILED:
            server.count_failed()
        else:
            server.count_passed()
        if server.settle(result):
            backend.server_changed(server, was_up, NOW - seconds_ago)
            server.changed_at = NOW - seconds_ago
    row = rows_of(stats.csv(info.farm, NOW, stats.Choice()))[name]
    differing = {"pxname", "iid", "sid", "addr", "src_ilim", "need_conn_est"}  # the last counts connections of checks there
    assert {key for key in row if row[key] != theirs[key]} <= differing


def test_who_follows_another_server_shows_no_check_of_its_own() -> None:
    info = observed(
        server_record("app2", check=True),
        server_record("follow", track="smalltalk/app2"),
        server_record("maint", check=True, disabled=True),
        server_record("viamaint", track="smalltalk/maint"),
    )
    leader = found(info.farm.backends[0], "app2")
    leader.check_passed()
    rows = rows_of(stats.csv(info.farm, NOW, stats.Choice()))
    assert rows["viamaint"]["status"] == "MAINT (via smalltalk/maint)"
    for name in ("follow", "viamaint"):
        theirs = recorded_row("states", name)
        columns = (
            "weight act bck chkfail chkdown lastchg downtime throttle check_status check_code check_duration hanafail last_chk"
        )
        for column in [*columns.split(), "check_desc", "check_rise", "check_fall", "check_health", "uweight"]:
            assert rows[name][column] == theirs[column], column
        assert rows[name]["tracked"] == {"follow": "smalltalk/app2", "viamaint": "smalltalk/maint"}[name]


def test_a_server_without_weight_is_not_shown_as_draining() -> None:
    assert table()["zero"]["status"] == recorded_row("states", "zero")["status"] == "no check"


def test_proxies_come_frontend_servers_backend() -> None:
    names = list(table())
    assert (names[0], names[-1]) == ("FRONTEND", "BACKEND")
    assert table()["FRONTEND"]["iid"] == table()["BACKEND"]["iid"] == table()["up"]["iid"] == "2"


def test_a_backend_is_down_when_no_server_takes_new_visitors() -> None:
    info = observed(server_record("s", weight=0))
    row = rows_of(stats.csv(info.farm, NOW, stats.Choice()))["BACKEND"]
    assert (row["status"], row["act"], row["weight"]) == ("DOWN", "0", "0")


def test_counters_are_read_when_they_are_asked_for() -> None:
    info = observed()
    backend = info.farm.backends[0]
    app1 = found(backend, "app1")
    for counters in (backend.counters, app1.counters):
        counters.session_begins(NOW)
        counters.bytes_in, counters.bytes_out = 503, 778
        counters.response(200)
        counters.response(-1)
        counters.times(1, 2, 3, 7)
    app1.counters.connections_total, app1.counters.reuses = 4, 9
    app1.last_session_at = NOW - 3.5
    rows = rows_of(stats.csv(info.farm, NOW, stats.Choice()))
    for row in (rows["app1"], rows["BACKEND"]):
        figures = [
            row[column] for column in ("scur", "smax", "stot", "bin", "bout", "req_tot", "hrsp_2xx", "hrsp_other", "rate")
        ]
        assert figures == ["1", "1", "1", "503", "778", "2", "1", "1", "1"]
        assert [row[column] for column in ("qtime", "ctime", "rtime", "ttime", "ttime_max")] == ["1", "2", "3", "7", "7"]
        assert [row[column] for column in ("connect", "reuse", "lastsess")] == ["4", "9", "3"]
    assert rows["app2"]["lastsess"] == "-1"


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (stats.Choice(kinds=stats.FRONTEND), ["FRONTEND"]),
        (stats.Choice(2, stats.BACKEND), ["BACKEND"]),
        (stats.Choice(2, stats.SERVER, 3), ["nocheck"]),
        (stats.Choice(2, stats.EVERYTHING, 3), ["FRONTEND", "nocheck", "BACKEND"]),
        (stats.Choice(99), []),
        (stats.Choice(2, 8), []),
        (stats.Choice(2, stats.SERVER, hides_maint=True), ["up", "down", "nocheck", "spare", "falling", "zero"]),
        (stats.Choice(2, stats.SERVER, hides_down=True), ["up", "nocheck", "spare", "falling", "zero"]),
    ],
)
def test_rows_are_chosen_as_haproxy_chooses_them(choice: stats.Choice, names: list[str]) -> None:
    assert list(rows_of(stats.csv(in_every_state().farm, NOW, choice))) == names


def test_a_name_with_a_comma_stays_one_field() -> None:
    info = observed(server_record('a,"b'))
    assert 'smalltalk,"a,""b",0' in stats.csv(info.farm, NOW, stats.Choice())


def test_info_has_haproxys_names_in_order() -> None:
    lines = show_info(observed(description="lab", node="n1")).splitlines()
    names = [line.partition(": ")[0].replace(" ", "_") for line in lines]
    assert names == INFO_NAMES.split()
    assert "node: n1" in lines
    assert "DroppedLogs: 3" in lines
    assert "Maxconn: 4000" in lines
    assert "Listeners: 2" in lines


def test_info_is_read_by_tools_that_split_at_colon_and_blank() -> None:
    for line in show_info(observed()).splitlines():
        name, value = line.split(": ")
        assert name and value


def test_info_leaves_out_a_description_that_nobody_wrote() -> None:
    assert "description" not in show_info(observed())


def test_the_version_begins_as_haproxys() -> None:
    assert [int(part) for part in VERSION.split("-")[0].split(".")][:2] == [2, 6]


def test_every_line_tells_what_it_means() -> None:
    assert all(line.help for line in LINES)


@pytest.mark.parametrize(
    ("seconds", "text"), [(6, "0d 0h00m06s"), (3600 * 25 + 61, "1d 1h01m01s"), (86400 * 100 + 59, "100d 0h00m59s")]
)
def test_uptime_is_written_as_haproxys(seconds: int, text: str) -> None:
    assert uptime_text(seconds) == text


def test_a_pace_is_taken_over_a_second_at_least() -> None:
    pace = Pace(100.0, 50.0)
    assert pace.read(80.0, 100.5) == 0.0
    assert pace.read(90.0, 102.0) == 20.0
    assert pace.read(9999.0, 102.9) == 20.0
    assert pace.read(90.0, 104.0) == 0.0
