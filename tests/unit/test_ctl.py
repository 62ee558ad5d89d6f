"""What `balancerctl` makes of addresses, of answers, and of a terminal: without a socket."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from balancer.ctl import main, tables
from balancer.ctl.document import document
from balancer.ctl.readings import Row, info, rows, server_named, sessions
from balancer.ctl.wire import NoAnswer, Refused, Socket, quoted, resolve

HEADER = "# pxname,svname,qcur,scur,slim,status,weight,type,\n"
TABLE = (
    HEADER
    + "www,FRONTEND,,3,100,OPEN,,0,\n"
    + "app,a,0,2,,UP,1,2,\n"
    + "app,b,1,0,,DRAIN,0,2,\n"
    + "app,BACKEND,1,2,10,UP,1,1,\n"
    + "old,a,0,0,,DOWN 1/2,1,2,\n"
    + "old,BACKEND,0,0,10,DOWN,0,1,\n"
)
SESSIONS = (
    "0x7f: proto=tcpv4 src=10.0.0.1:5 fe=www be=app srv=a ts=00 age=2s rq[f=1h,i=0] exp=4s rc=0\n"
    "0x8f: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> age=0s\n"
)


class Told(Socket):
    """A socket whose answers are given, and which keeps what it was asked."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        super().__init__("told")
        self.answers = {"show stat": TABLE, "show info": "Name: HAProxy\nPid: 7\n", "show sess": SESSIONS, **answers}
        self.asked: list[str] = []

    def _converse(self, command: str) -> bytes:
        self.asked.append(command)
        return self.answers.get(command, "").encode()


def ran(monkeypatch: pytest.MonkeyPatch, told: Told, *words: str) -> Result:
    monkeypatch.setattr(main, "Socket", lambda _address, _patience=0.0: told)
    return CliRunner().invoke(main.command, list(words))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("/run/x.sock", ("unix", "/run/x.sock")),
        ("unix@/run/x.sock", ("unix", "/run/x.sock")),
        ("demo.sock", ("unix", "demo.sock")),
        ("./a:1/x", ("unix", "./a:1/x")),
        ("127.0.0.1:9999", ("tcp", "127.0.0.1:9999")),
        ("ipv4@127.0.0.1:9999", ("tcp", "127.0.0.1:9999")),
        ("ipv6@[::1]:9999", ("tcp", "[::1]:9999")),
    ],
)
def test_an_address_is_read_as_haproxy_writes_it(address: str, expected: tuple[str, str]) -> None:
    assert resolve(address) == expected


def test_an_abstract_name_fills_the_whole_field_as_haproxys_does() -> None:
    assert resolve("abns@ctl") == ("unix", "\0ctl" + "\0" * 104)


@pytest.mark.parametrize("address", ["ipv4@127.0.0.1", "tcp@x:99999", "ipv6@[::1]"])
def test_an_address_without_its_port_is_refused(address: str) -> None:
    with pytest.raises(NoAnswer, match="expects HOST:PORT"):
        resolve(address)


def test_names_cannot_become_other_commands() -> None:
    assert quoted(["app/a;shutdown x"]) == "app/a\\;shutdown\\ x"
    with pytest.raises(Refused, match="control characters"):
        quoted(["a\nshow env"])


def test_rows_are_read_by_the_names_of_their_columns() -> None:
    found = rows(Told({}))
    assert [row.full_name for row in found if row.is_server] == ["app/a", "app/b", "old/a"]
    assert [row.is_serving for row in found] == [True, True, False, True, False, False]
    assert (found[0].number("scur"), found[0].number("qcur"), found[0].number("nonsense")) == (3, None, None)
    assert found[1].values() == {
        "pxname": "app", "svname": "a", "qcur": 0, "scur": 2, "status": "UP", "weight": 1, "type": 2,
    }  # fmt: skip


def test_an_answer_that_is_no_table_is_said() -> None:
    with pytest.raises(NoAnswer, match="no table: 'Permission denied"):
        rows(Told({"show stat": "Permission denied\n"}))


def test_info_and_sessions_are_read() -> None:
    assert info(Told({})) == {"Name": "HAProxy", "Pid": "7"}
    (one,) = sessions(Told({}))
    assert one.values() == {"id": "0x7f", "src": "10.0.0.1:5", "fe": "www", "be": "app", "srv": "a", "age": "2s", "exp": "4s"}
    with pytest.raises(Refused, match="Unknown command"):
        sessions(Told({"show sess": "Unknown command: 'show sess'\n"}))


def test_a_server_is_found_by_its_whole_name_and_by_a_name_that_is_the_only_one() -> None:
    found = rows(Told({}))
    assert server_named(found, "old/a").proxy == "old" and server_named(found, "b").full_name == "app/b"
    with pytest.raises(LookupError, match="of several backends: app/a, old/a"):
        server_named(found, "a")
    with pytest.raises(LookupError, match="there are: app/a, app/b, old/a"):
        server_named(found, "c")


def test_changes_are_told_in_the_sockets_words(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told({"get weight app/b": "5 (initial 1)\n"})
    assert ran(monkeypatch, told, "drain", "b", "old/a").output == "app/b: drain\nold/a: drain\n"
    assert ran(monkeypatch, told, "weight", "b", "50%").output == "app/b: 5 (initial 1)\n"
    changes = [each for each in told.asked if each.startswith("set")]
    assert changes == ["set server app/b state drain", "set server old/a state drain", "set server app/b weight 50%"]


def test_states_are_kept_in_a_file_that_is_exchanged_in_one_move(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    states = "1\n# be_id\n2 app 1 a 127.0.0.1\n2 app 2 b 127.0.0.1\n\n"
    file = tmp_path / "states"
    assert ran(monkeypatch, Told({"show servers state": states}), "keep", str(file)).output == f"{file}: 2 servers\n"
    assert file.read_text() == states.rstrip("\n") + "\n"
    other = Told({"show servers state": "Unknown command\n"})
    assert isinstance(ran(monkeypatch, other, "keep", str(file)).exception, Refused)
    assert isinstance(ran(monkeypatch, Told({"show servers state": "2\n"}), "keep", str(file)).exception, Refused)
    assert file.read_text() == states.rstrip("\n") + "\n"
    nowhere = ran(monkeypatch, Told({"show servers state": states}), "keep", str(tmp_path / "no" / "states"))
    assert nowhere.exit_code == main.MISUSED
    assert "No such file or directory" in nowhere.output
    assert [path.name for path in tmp_path.iterdir()] == ["states"]


@pytest.mark.parametrize("weight", ["257", "-1", "x", "5%%", "٣"])
def test_a_weight_that_cannot_be_is_not_even_asked_for(monkeypatch: pytest.MonkeyPatch, weight: str) -> None:
    told = Told({})
    assert ran(monkeypatch, told, "weight", "b", "--", weight).exit_code == main.MISUSED
    assert not any(each.startswith("set") for each in told.asked)


def test_what_is_refused_is_told_in_the_balancers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told({"set server app/b state maint": "Permission denied\n"})
    assert str(ran(monkeypatch, told, "maint", "b").exception) == "Permission denied"


def test_a_wait_ends_with_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    done = ran(monkeypatch, Told({}), "drain", "app/a", "--wait", "0")
    assert (done.exit_code, "app/a (UP, 2 sessions)" in done.output) == (main.NOT_SERVING, True)
    assert ran(monkeypatch, Told({}), "drain", "app/b", "--wait", "0").exit_code == main.FINE


def test_health_and_status_say_whether_everything_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    ill = ran(monkeypatch, Told({}), "health")
    assert (ill.exit_code, ill.output) == (main.NOT_SERVING, "old/BACKEND is DOWN\n")
    assert ran(monkeypatch, Told({}), "health", "--backend", "app").exit_code == main.FINE
    assert ran(monkeypatch, Told({}), "health", "--backend", "none").exit_code == main.MISUSED
    assert ran(monkeypatch, Told({}), "status").exit_code == main.NOT_SERVING


def test_json_has_numbers_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [row["scur"] for row in json.loads(ran(monkeypatch, Told({}), "servers", "app", "--json").output)] == [2, 0]
    assert json.loads(ran(monkeypatch, Told({}), "metrics", "slim", "--json").output) == [
        {"of": "www/FRONTEND", "name": "slim", "value": 100},
        {"of": "app/BACKEND", "name": "slim", "value": 10},
        {"of": "old/BACKEND", "name": "slim", "value": 10},
    ]


def test_a_name_is_shown_as_it_is_and_never_as_markup() -> None:
    shown = io.StringIO()
    row = Row({"pxname": "[bold]x", "svname": "[/]", "status": "UP", "type": "2"})
    Console(file=shown, width=200).print(tables.servers_table([row]))
    assert "[bold]x/[/]" in shown.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (59, "59s"), (60, "1m00s"), (3599, "59m59s"), (3600, "1h00m"), (90000, "1d1h")]
)
def test_times_are_short(seconds: int, text: str) -> None:
    assert tables.duration(seconds) == text


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(shell: str) -> None:
    done = CliRunner().invoke(main.command, ["completion", shell])
    assert done.exit_code == 0 and main.COMPLETION_VARIABLE in done.output


def test_the_page_of_documentation_is_made_from_the_commands() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "balancerctl.md"
    assert page.read_text() == document(), "stale: python -m balancer.ctl.document > docs/balancerctl.md"


@pytest.mark.parametrize(
    ("width", "headings"),
    [
        (120, "server status weight sessions max limit queue total req/s errors resp. err. check since"),
        (80, "server status weight sessions queue total req/s errors check since"),
        (50, "server status weight sessions queue since"),
        (30, "server status sessions"),
        (10, "server status sessions"),
    ],
)
def test_a_narrow_terminal_goes_without_columns_before_any_is_cut(width: int, headings: str) -> None:
    console = Console(width=width, file=io.StringIO())
    found = [row for row in rows(Told({})) if row.is_server]
    table = tables.fitted(lambda without: tables.servers_table(found, without), console)
    assert " ".join(str(column.header) for column in table.columns) == headings


@pytest.mark.parametrize(
    "url",
    [
        "https://a/",
        "a",
        "http://",
        "http://a:99999/",
        "http://a:x/",
        "http://[::1/",
        "http://a/b c",
        "http://a/\n",
        "http://a/ä",
    ],
)
def test_a_url_that_is_none_is_misuse(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    done = ran(monkeypatch, Told({}), "health", url)
    assert done.exit_code == main.MISUSED
    assert f"expects http://HOST[:PORT]/PATH (got '{url}')" in done.output
