"""The 67 questions that were recorded with HAProxy 2.6.12's stats socket, put to ours.

Servers are laid out and stand as they did then. The traffic of the recording is not repeated: figures are compared by where
there is one and where there is none, everything else to the letter. Where ours is another answer the question stands in a
table with the reason, and the reason in docs/differences.md.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from calm import VOLATILE, calm_line
from config_files import model_of
from recorded import FOLDER
from records import KeptEvents
from spoken import ask

from balancer.backend.farm import Farm
from balancer.backend.verdicts import Verdict
from balancer.observe.info import ProcessInfo

CONFIG: Final = """
global
    maxconn 4000
    node lab
    description "an HAProxy to record from"
    stats socket /run/haproxy/admin.sock mode 660 level admin
    stats socket /run/haproxy/user.sock mode 666 level user
    stats socket /run/haproxy/oper.sock mode 666 level operator
defaults
    mode http
    timeout connect 5000
    timeout client 50000
    timeout server 50000
listen smalltalk
    bind 127.0.0.1:8090
    cookie SEASIDE insert nocache
    balance roundrobin
{images}
frontend front
    bind 127.0.0.1:8091 name first
    bind 127.0.0.1:8092
    maxconn 100
    rate-limit sessions 50
    default_backend states
backend states
    balance leastconn
    cookie SRV prefix
    fullconn 50
    server up 127.0.0.1:3001 cookie c1 check inter 500 weight 10 maxconn 20 maxqueue 5
    server down 127.0.0.1:3999 cookie c2 check inter 300 fall 1
    server nocheck 127.0.0.1:3003 cookie c3
    server maint 127.0.0.1:3004 cookie c4 check disabled
    server drain 127.0.0.1:3005 cookie c5 check inter 500
    server spare 127.0.0.1:3006 cookie c6 check backup
    server follow 127.0.0.1:3007 cookie c7 track smalltalk/app2
    server viamaint 127.0.0.1:3008 cookie c8 track states/maint
    server falling 127.0.0.1:3999 cookie c9 check inter 60000 fall 3
    server rising 127.0.0.1:3010 cookie c10 check inter 60000 rise 3
    server agent 127.0.0.1:3002 cookie c11 check
    server throttled 127.0.0.1:3002 id 12 cookie c12 check slowstart 600s inter 300
    server zero 127.0.0.1:3001 id 14 cookie c14 weight 0
backend web
    option httpchk GET /
    http-check disable-on-404
    server l7ok 127.0.0.1:3001 check inter 500
backend tcpback
    server t1 127.0.0.1:3001
backend stick
    server s1 127.0.0.1:3001
listen stats
    bind 127.0.0.1:8094
"""

OTHER_COMMANDS: Final = "the list is that of our commands"
DEVELOPERS: Final = "there are no commands for developers"
OURS: Final = "the version and the figures are our own"
ONE_THREAD: Final = "one thread, whose inner state is not told"
NO_TABLES: Final = "there are no stick tables"
NO_LISTS: Final = "patterns cannot be changed: there are no lists of them"
NOT_THEN: Final = "what was under way then is not now"
NO_RESOLVERS: Final = "names are resolved when the file is read"
NO_TLS: Final = "there is no TLS"

# The question as it stands in the record, and why our answer is another one.
DIFFERENCES: Final[dict[str, str]] = {
    "help": OTHER_COMMANDS,
    "help set": OTHER_COMMANDS,
    "help show serv": OTHER_COMMANDS,
    "show version": OURS,
    "show sess": NOT_THEN,
    "show sess all": NOT_THEN,
    "show errors": NOT_THEN,
    "show errors 2": NOT_THEN,
    "show errors -1 request": NOT_THEN,
    "show table": NO_TABLES,
    "show table stick": NO_TABLES,
    "show acl": NO_LISTS,
    "show acl #0": NO_LISTS,
    "show resolvers": NO_RESOLVERS,
    "show profiling": ONE_THREAD,
    "show tls-keys": NO_TLS,
    "show ssl cert": NO_TLS,
    "show ssl crt-list": NO_TLS,
    "show trace": DEVELOPERS,
    "show pools": ONE_THREAD,
    "show activity": ONE_THREAD,
    "show threads": DEVELOPERS,
    "show fd 0": DEVELOPERS,
    "show libs": DEVELOPERS,
}

# What our file cannot have: an agent's columns, a name that is resolved later, rows of listeners. The checks by HTTP stand in
# other states (tests/unit/test_observe_stats.py has them).
ABSENT: Final = frozenset(
    ["states,agent", "states,noname", "front,first", "front,sock-2"]
    + [f"web,{name}" for name in ("l7sts", "nolb", "l7tout", "l7rsp", "l7dyn", "BACKEND")]
)
# Sections without `mode tcp` and without a stick table here; what the mode shows is left out.
PLAIN: Final = ("tcpback,",)
TEXTS: Final = frozenset("pxname svname status addr cookie mode algo tracked iid sid type weight act bck slim qlimit".split())


def questions() -> Iterator[tuple[str, str]]:
    """Each recorded question with its answer."""
    lines = (FOLDER / "haproxy-2.6-socket-show.txt").read_text(encoding="utf-8").split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith(">>> "):
            begin = number
            while not lines[number].startswith("<<<"):
                number += 1
            yield line[4:], "".join(f"{each}\n" for each in lines[begin:number])


def form(text: str) -> list[str]:
    """The answer's lines with a `N` where there is a figure of the moment."""
    if text.startswith('{"$schema"'):
        return [json.dumps(json.loads(text), sort_keys=True)]
    if text.startswith(("[{", "[[")):
        fields = [each for each in _fields(json.loads(text)) if not _is_of_moment(each["field"]["name"])]
        return sorted(_form_of_field(each) for each in fields)
    found: list[str | None] = []
    names: list[str] = []
    for line in text.split("\n"):
        if line.startswith("# pxname"):
            names = line.removeprefix("# ").split(",")
        elif names and line.count(",") == len(names) - 1:
            if ",".join(line.split(",")[:2]) in ABSENT or line.startswith(PLAIN):
                continue
            found.append(",".join(_field(name, value) for name, value in zip(names, line.split(","), strict=True)))
        else:
            found.append(_form_of_line(line))
    return [line for line in found if line is not None]


def _is_of_moment(name: str) -> bool:
    """Whether the column is there or not as the last check and the last visitor were."""
    return name in ("check_code", "check_duration", "last_chk", "lastsess")


def _field(name: str, value: str) -> str:
    if _is_of_moment(name) or name == "check_status":
        return "-"
    return value if name in TEXTS or not re.fullmatch(r"-?\d+", value) else "N"


def _fields(item: Any) -> list[Any]:
    return [item] if isinstance(item, dict) else [field for each in item for field in _fields(each)]


def _form_of_field(item: Any) -> str:
    value = item["value"]
    if value["type"] != "str" or item["field"]["name"].replace(" ", "_") in VOLATILE:
        value["value"] = "N"
    return json.dumps(item)


# Lines of `show servers state|conn` of servers that our file does not have.
NO_LINE: Final = re.compile(r"4 states 1[13] |5 web [2-6] |states/(agent|noname) |web/(l7sts|nolb|l7tout|l7rsp|l7dyn) ")


def _form_of_line(line: str) -> str | None:
    if NO_LINE.match(line):
        return None
    line = calm_line(line)
    conn = line.split(" ")
    if (len(conn) in (14, 15) and "/" in conn[0]) or line.startswith("# bkname"):
        return " ".join(conn[:6])  # what follows counts connections, for each thread
    typed = re.fullmatch(r"([FBS]\.\d+\.\d+\.)?(\d+)\.([^:]*):(\w+:\w+):(.*?)(:\".*\")?", line)
    if typed is not None:
        if _is_of_moment(typed[3].split(".")[0]):
            return None
        # The place of a column behind one that is not there is its own.
        value = "N" if re.fullmatch(r"-?\d+|\*", typed[5]) else typed[5]
        return f"{typed[1] or ''}{typed[3]}:{typed[4]}:{value}{typed[6] or ''}"
    plain = re.fullmatch(r"([A-Z][A-Za-z_ -]*): (-?[\d.]+)(:\".*\")?", line)
    if plain is not None:
        return f"{plain[1]}: N{plain[3] or ''}"
    return re.sub(r"\d+ threads|\d\d/\w+/\d{4}:[\d:.]+", "N", line)


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> ProcessInfo:
    images = "".join(f"    server app{n} 127.0.0.1:{3000 + n} cookie app1inst{n} check\n" for n in range(1, 11))
    found = model_of(tmp_path_factory.mktemp("recorded"), CONFIG.format(images=images))
    farm = Farm(found, 4000, KeptEvents(), 100.0)
    states = farm.backend_by_name["states"]
    for server in (*farm.backend_by_name["smalltalk"].servers, *farm.backend_by_name["web"].servers, *states.servers):
        if server.name in ("down", "maint", "falling", "rising") or not server.config.check:
            continue
        server.check_passed()
        server.keep_verdict(Verdict("L7OK", 200) if server.name == "l7ok" else Verdict("L4OK"), 0)
    down = states.find_server("down")
    assert down is not None
    was_up = down.is_up()
    down.check_failed()
    states.server_changed(down, was_up, 100.0)
    down.keep_verdict(Verdict("L4CON", 0, "Connection refused"), 0)
    said = ProcessInfo(found, farm, lambda: 106.0, 1795407576.0, 1121, 8060, lambda: 0, lambda: False, 4)
    assert ask(b"set server states/drain state drain\n", said) == b"\n"
    return said


def test_the_recorded_questions_are_answered_alike(info: ProcessInfo) -> None:
    wrong: list[str] = []
    alike = 0
    for question, recorded in questions():
        own = ask(question.encode() + b"\n", info).decode()
        if form(own) == form(recorded):
            alike += 1
            if question in DIFFERENCES:
                wrong.append(f"{question}: the answers do not differ")
        elif question not in DIFFERENCES:
            pairs = [pair for pair in zip(form(own), form(recorded), strict=False) if pair[0] != pair[1]]
            lengths = f"{len(form(own))} lines, HAProxy {len(form(recorded))}"
            wrong.append(f"{question}: {lengths}; we say, HAProxy says: {pairs[:3]}")
    assert not wrong, "\n".join(wrong)
    assert (alike, len(DIFFERENCES)) == (43, 24)


def test_each_difference_is_written_down() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")
    assert sorted({reason for reason in DIFFERENCES.values() if reason not in page}) == []
