"""States of servers over a restart, ours and Debian's haproxy: each writes a file, each reads the other's."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from peers import require_peer
from program import run as run_to_end
from running import BALANCER, Program, free_port, running, wait_until

PROGRAMS: Final = ("haproxy", "balancer")
FILE: Final = """
global
    stats socket {folder}/stats level admin
    server-state-base {folder}
    server-state-file all
defaults
    mode http
    timeout connect 300
    timeout client 3s
    timeout server 3s
    timeout check 1s
    load-server-state-from-file global
listen web
    bind 127.0.0.1:{port}
    server drained 127.0.0.1:{alive} weight 10
    server out 127.0.0.1:{alive} check inter 1s
    server down 127.0.0.1:{dead} check inter 100 fastinter 100 downinter 1s fall 1
    server up 127.0.0.1:{alive} check inter 100 rise 2 fall 3
    server light 127.0.0.1:{alive} weight 20
    server readied 127.0.0.1:{alive} disabled
    server kept_out 127.0.0.1:{alive} disabled
    server plain 127.0.0.1:{alive}
backend other
    server drained 127.0.0.1:{alive}
backend apart
    load-server-state-from-file local
    server-state-file-name one
    server s 127.0.0.1:{alive}
backend forgetful
    load-server-state-from-file none
    server s 127.0.0.1:{alive}
"""
COMMANDS: Final = (
    "set server web/drained state drain",
    "set server web/out state maint",
    "set server web/light weight 5",
    "set server web/readied state ready",
    "set server other/drained state drain",
    "set server apart/s state maint",
    "set server forgetful/s state drain",
)


def ask(path: Path, command: str) -> str:
    """One command on a stats socket."""
    with socket.socket(socket.AF_UNIX) as talk:
        talk.settimeout(10.0)
        talk.connect(str(path))
        talk.sendall(command.encode() + b"\n")
        answer = b""
        while received := talk.recv(65536):
            answer += received
    return answer.decode()


@contextmanager
def program(name: str, text: str, folder: Path) -> Iterator[Program]:
    """One of the two on this text; its stats socket is `folder/stats`."""
    (folder / "stats").unlink(missing_ok=True)
    (folder / "test.cfg").write_text(text, encoding="ascii")
    words = list(BALANCER) if name == "balancer" else [require_peer("haproxy")]
    with running([*words, "-db", "-f", str(folder / "test.cfg")], folder / f"{name}.out") as process:
        wait_until((folder / "stats").exists, "the stats socket", tells=process.text)
        yield process


def rows(folder: Path, *names: str) -> dict[str, tuple[str, ...]]:
    """Columns of `show servers state` by `backend/server`."""
    lines = ask(folder / "stats", "show servers state").splitlines()
    titles = lines[1].removeprefix("# ").split()
    found: dict[str, tuple[str, ...]] = {}
    for line in lines[2:]:
        if line:
            values = dict(zip(titles, line.split(), strict=True))
            found[f"{values['be_name']}/{values['srv_name']}"] = tuple(values[name] for name in names)
    return found


STATE: Final = (
    "srv_op_state",
    "srv_admin_state",
    "srv_uweight",
    "srv_iweight",
    "srv_check_status",
    "srv_check_state",
    "srv_port",
)


def is_settled(folder: Path) -> bool:
    """Whether the checks have said what they have to say."""
    found = rows(folder, "srv_op_state", "srv_check_health")
    return found["web/down"] == ("0", "0") and found["web/up"] == ("2", "4")


@pytest.fixture(name="text")
def _text(tmp_path: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as alive:
        yield FILE.format(folder=tmp_path, port=free_port(), alive=alive.getsockname()[1], dead=free_port())


@pytest.mark.parametrize("writer", PROGRAMS)
def test_what_one_has_written_the_other_takes_over(tmp_path: Path, text: str, writer: str) -> None:
    with program(writer, text, tmp_path):
        wait_until(lambda: is_settled(tmp_path), "the checks are done")
        for command in COMMANDS:
            assert ask(tmp_path / "stats", command) == "\n", command
        written = ask(tmp_path / "stats", "show servers state")
        before = rows(tmp_path, *STATE)
        (tmp_path / "all").write_text(written.rstrip("\n") + "\n")
        (tmp_path / "one").write_text(ask(tmp_path / "stats", "show servers state apart").rstrip("\n") + "\n")
    after: dict[str, dict[str, tuple[str, ...]]] = {}
    for reader in PROGRAMS:
        with program(reader, text, tmp_path) as process:
            after[reader] = rows(tmp_path, *STATE)
            said = process.text()
        assert "corrupted" not in said
        assert "application failed" not in said
        assert "Server web/down is DOWN, changed from server-state after a reload." in said
        assert "which counts" not in said
    assert after["balancer"] == after["haproxy"]
    # The last one's check has only its own status; all others are as they were.
    assert after["balancer"]["web/down"][0] == "0"
    assert after["balancer"]["forgetful/s"][1] == "0"
    expected = {name: values for name, values in before.items() if name != "forgetful/s"}
    assert {name: values for name, values in after["balancer"].items() if name != "forgetful/s"} == expected


def test_since_when_it_is_so_is_taken_over(tmp_path: Path, text: str) -> None:
    header = "1\n# be_id\n"
    line = "2 web 8 plain 127.0.0.1 2 0 1 1 4711 1 0 2 0 0 0 0 - {port} - 0 0 - - 0\n"
    port = text.split("server plain 127.0.0.1:")[1].split("\n")[0]
    (tmp_path / "all").write_text(header + line.format(port=port))
    ages: list[int] = []
    for name in PROGRAMS:
        with program(name, text, tmp_path):
            ages.append(int(rows(tmp_path, "srv_time_since_last_change")["web/plain"][0]))
    assert 4711 <= ages[0] < 4771
    assert 4711 <= ages[1] < 4771


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: "",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole.replace("1\n", "7\n", 1),
        lambda whole: whole.replace(" 8 10 10 ", " 99 x -3 "),
        lambda _whole: "\x00\xff" * 500,
    ],
    ids=["empty", "cut in the middle", "another version", "nonsense in it", "no text"],
)
def test_a_damaged_file_never_stops_the_start(tmp_path: Path, text: str, damage: Callable[[str], str]) -> None:
    with program("balancer", text, tmp_path):
        for command in COMMANDS:
            ask(tmp_path / "stats", command)
        whole = ask(tmp_path / "stats", "show servers state")
    (tmp_path / "all").write_text(damage(whole), encoding="latin-1")
    with program("balancer", text, tmp_path) as process:
        assert rows(tmp_path, "srv_name")["web/plain"] == ("plain",)
        assert "[WARNING]" in process.text()
        assert f"[{tmp_path}/all:" in process.text()


def test_a_file_that_is_not_there_yet_is_a_warning_of_one_line(tmp_path: Path, text: str) -> None:
    with program("balancer", text, tmp_path) as process:
        assert rows(tmp_path, "srv_op_state")["web/plain"] == ("2",)
        assert process.text().count("Can't open server state file") == 2  # the common one, and that of one backend
    assert run_to_end("-c", "-f", str(tmp_path / "test.cfg")).returncode == 0
