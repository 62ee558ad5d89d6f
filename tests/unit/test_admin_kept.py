"""Files of states: what is taken over, what the configuration decides, and what is said of a file that is wrong."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from observed import NOW, found, observed
from records import KeptEvents, images
from spoken import ask

from balancer.admin import kept
from balancer.admin.kept import restore
from balancer.backend import operate
from balancer.backend.server import DRAIN, MAINT, RUNNING, STOPPED, STOPPING
from balancer.observe.info import ProcessInfo

HEADER: Final = "1\n# be_id be_name ...\n"


def row(
    name: str = "app1",
    op: str = "2",
    admin: str = "0",
    weight: str = "1 1",
    age: str = "60",
    check: str = "6 3 4 6",
    port: str = "3001",
    address: str = "127.0.0.1",
    backend: str = "smalltalk",
) -> str:
    """One line of a file."""
    return f"2 {backend} 1 {name} {address} {op} {admin} {weight} {age} {check} 0 0 0 - {port} - 0 0 - - 0\n"


def with_file(folder: Path, text: str | bytes, own: bool = True, **words: Any) -> tuple[ProcessInfo, list[str]]:
    """A process whose backend has read that file, and what was warned of."""
    file = folder / "states"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    info = observed(*images(2, **words))
    backend = info.farm.backends[0]
    backend.config = replace(backend.config, state_file=str(file), has_own_state_file=own)
    told: list[str] = []
    restore(info.farm, backend.events, told.append, NOW)
    return info, [text.replace(f"{file}", "FILE") for text in told]


def events_of(info: ProcessInfo) -> list[str]:
    """The event lines up to now."""
    events = info.farm.backends[0].events
    assert isinstance(events, KeptEvents)
    return [text for _, _, text in events.lines]


@pytest.mark.parametrize(
    ("line", "state", "admin", "health"),
    [
        (row(), RUNNING, 0, 4),
        (row(op="1"), RUNNING, 0, 4),
        (row(op="0", check="8 2 0 6"), STOPPED, 0, 0),
        (row(op="3", check="16 4 4 6"), STOPPING, 0, 4),
        (row(op="0", admin="1", check="1 0 0 14"), RUNNING, MAINT, 2),
        (row(admin="8"), RUNNING, DRAIN, 4),
        (row(op="0", admin="8", check="8 2 0 6"), STOPPED, DRAIN, 0),
        (row(op="0", admin="2", check="1 0 0 14"), RUNNING, 0, 2),
    ],
    ids=["up", "starting", "down", "nolb", "maintenance", "drain", "down and drain", "maintenance of the tracked one"],
)
def test_a_server_is_where_it_was(tmp_path: Path, line: str, state: int, admin: int, health: int) -> None:
    info, told = with_file(tmp_path, HEADER + line)
    server = found(info.farm.backends[0], "app1")
    assert (server.state, server.admin_state, server.health) == (state, admin, health)
    assert server.changed_at == NOW - 60
    assert told == []
    assert found(info.farm.backends[0], "app2").changed_at != NOW - 60


def test_a_server_that_was_down_is_told_with_haproxys_reason(tmp_path: Path) -> None:
    info, _ = with_file(tmp_path, HEADER + row(op="0", check="8 2 0 6") + row("app2", op="0", admin="1"))
    assert events_of(info) == [
        "Server smalltalk/app1 is DOWN, changed from server-state after a reload. 1 active and 0 backup servers "
        "left. 0 sessions active, 0 requeued, 0 remaining in queue.",
        "Server smalltalk/app2 is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, "
        "0 requeued, 0 remaining in queue.",
        "proxy smalltalk has no server available!",
    ]
    assert found(info.farm.backends[0], "app1").check_state == "L4CON"


@pytest.mark.parametrize(
    ("weight", "configured", "after"), [("50 1", 1, 50), ("0 1", 1, 0), ("50 1", 7, 7), ("1 1", 7, 7), ("7 7", 7, 7)]
)
def test_a_weight_by_command_stays_unless_the_file_of_configuration_was_changed(
    tmp_path: Path, weight: str, configured: int, after: int
) -> None:
    info, told = with_file(tmp_path, HEADER + row(weight=weight), weight=configured)
    assert found(info.farm.backends[0], "app1").weight == after
    assert told == []


@pytest.mark.parametrize(
    ("admin", "is_disabled", "is_out"),
    [("5", True, True), ("4", True, False), ("5", False, False), ("4", False, False), ("0", True, True), ("1", True, True)],
    ids=["both say so", "made ready", "enabled since", "made ready, enabled since", "disabled since", "out, disabled since"],
)
def test_disabled_in_the_configuration_counts_where_it_was_changed(
    tmp_path: Path, admin: str, is_disabled: bool, is_out: bool
) -> None:
    info, _ = with_file(tmp_path, HEADER + row(op="0", admin=admin, check="1 0 0 14"), disabled=is_disabled)
    assert found(info.farm.backends[0], "app1").is_in_maintenance() == is_out


@pytest.mark.parametrize("words", [{"port": "99"}, {"address": "127.0.0.9"}])
def test_address_and_port_are_those_of_the_configuration(tmp_path: Path, words: dict[str, str]) -> None:
    info, told = with_file(tmp_path, HEADER + row(admin="8", **words))
    server = found(info.farm.backends[0], "app1")
    assert (server.config.host, server.config.port, server.admin_state) == ("127.0.0.1", 3001, DRAIN)
    (text,) = told
    assert text.startswith("config : [FILE:3] : server 'smalltalk/app1' : the state file has address ")
    assert "the configuration 127.0.0.1:3001, which counts" in text


def test_a_server_without_checks_is_not_kept_down(tmp_path: Path) -> None:
    info, told = with_file(tmp_path, HEADER + row(op="0", check="1 0 0 0"), check=False)
    assert found(info.farm.backends[0], "app1").is_up()
    assert told == [
        "config : [FILE:3] : server 'smalltalk/app1' : it was DOWN; health checks are not enabled on this server, so it is not "
        "kept DOWN"
    ]


def test_checks_that_were_switched_off_stay_off_and_can_be_switched_on(tmp_path: Path) -> None:
    info, _ = with_file(tmp_path, HEADER + row(check="6 3 4 2"))
    server = found(info.farm.backends[0], "app1")
    assert not server.is_checked
    ask(b"enable health smalltalk/app1\n", info)
    assert server.is_checked


def test_the_first_line_of_a_server_counts(tmp_path: Path) -> None:
    info, _ = with_file(tmp_path, HEADER + row(admin="8") + row(op="0", admin="1"))
    assert found(info.farm.backends[0], "app1").admin_state == DRAIN


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("", "[FILE:1] : Can't get version of the server state file, expects '1' (got 'an empty file')"),
        ("2\n" + row(), "[FILE:1] : Can't get version of the server state file, expects '1' (got '2')"),
        (row(), "[FILE:1] : Can't get version of the server state file, expects '1' (got '2 smalltalk"),
        (
            HEADER + row().rstrip("\n"),
            "[FILE:3] : corrupted server state file, expects 20 to 25 columns (got 25 without a line end)",
        ),
        (HEADER + row()[:30] + "\n", "[FILE:3] : corrupted server state file, expects 20 to 25 columns (got 6)"),
        (HEADER + row().replace("\n", " more\n"), "corrupted server state file, expects 20 to 25 columns (got 26)"),
        (
            HEADER + row(op="9", weight="300 x", port="99999"),
            "invalid srv_op_state value '9', invalid srv_uweight value '300', invalid srv_iweight value 'x', invalid srv_port "
            "value '99999'; this line is not taken over",
        ),
        (HEADER + row(admin="9"), "invalid srv_admin_state value '9'"),
        (HEADER + row(age="-5"), "invalid srv_time_since_last_change value '-5'"),
        (HEADER + row(age="\u0661"), "invalid srv_time_since_last_change value '\u0661'"),
        (HEADER + row("app9"), "[FILE:3] : Proxy 'smalltalk': can't find server 'app9' in backend 'smalltalk'"),
        (
            HEADER + row(backend="other"),
            "backend name mismatch: from server state file: 'other', from running config 'smalltalk'",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_a_warning_with_its_line_and_changes_nothing(
    tmp_path: Path, text: str, warning: str
) -> None:
    info, told = with_file(tmp_path, text)
    (said,) = told
    assert warning in said
    for server in info.farm.backends[0].servers:
        assert (server.state, server.admin_state, server.weight, server.changed_at) == (RUNNING, 0, 1, 100.0)
    assert events_of(info) == []


def test_the_lines_around_a_wrong_one_are_taken_over(tmp_path: Path) -> None:
    info, told = with_file(tmp_path, HEADER + row("app2", admin="8", port="3002") + "half a li\n" + row(admin="8"))
    assert len(told) == 1
    assert [server.admin_state for server in info.farm.backends[0].servers] == [DRAIN, DRAIN]


def test_other_backends_in_the_common_file_are_nobodys_mistake(tmp_path: Path) -> None:
    info, told = with_file(tmp_path, HEADER + row(backend="other") + row(admin="8"), own=False)
    assert told == []
    assert found(info.farm.backends[0], "app1").admin_state == DRAIN


def test_a_file_full_of_mistakes_is_told_in_a_few_lines(tmp_path: Path) -> None:
    _, told = with_file(tmp_path, HEADER + "wrong\n" * 1000)
    assert len(told) == kept.WARNINGS_MAX + 1
    assert told[-1].endswith(f"{1000 - kept.WARNINGS_MAX} more lines are wrong")


def test_a_file_that_is_not_there_or_too_large_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    assert kept.read(str(tmp_path / "none"), told.append) == []
    assert told == [f"config : Can't open server state file '{tmp_path}/none': No such file or directory"]
    monkeypatch.setattr(kept, "FILE_OCTETS_MAX", 50)
    _, told = with_file(tmp_path, HEADER + row())
    assert "expects at most 50 octets; nothing of it is taken over" in told[0]


@given(octets=st.one_of(st.binary(max_size=400), st.binary(max_size=300).map(lambda tail: HEADER.encode() + tail)))
def test_no_file_raises(tmp_path_factory: pytest.TempPathFactory, octets: bytes) -> None:
    with_file(tmp_path_factory.mktemp("kept"), octets)


@given(words=st.lists(st.text(st.characters(codec="utf-8"), max_size=6), min_size=20, max_size=25))
def test_no_row_raises(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    with_file(tmp_path_factory.mktemp("kept"), HEADER + " ".join(words) + "\n" + row())


def test_what_the_socket_writes_is_read_as_it_was(tmp_path: Path) -> None:
    info = observed(*images(4))
    backend = info.farm.backends[0]
    operate.enter_drain(backend, backend.servers[0], backend.events, NOW)
    operate.enter_maintenance(backend, backend.servers[1], backend.events, NOW)
    operate.set_weight(backend, backend.servers[2], 9, backend.events, NOW)
    operate.set_health(backend, backend.servers[3], STOPPED, backend.events, NOW)
    written = ask(b"show servers state\n", info)
    after = observed(*images(4))
    again = after.farm.backends[0]
    (tmp_path / "states").write_bytes(written)
    again.config = replace(again.config, state_file=str(tmp_path / "states"))
    told: list[str] = []
    restore(after.farm, again.events, told.append, NOW)
    assert told == []
    assert [(s.state, s.admin_state, s.weight, s.is_up()) for s in again.servers] == [
        (s.state, s.admin_state, s.weight, s.is_up()) for s in backend.servers
    ]
