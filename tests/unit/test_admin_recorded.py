"""The conversations that were recorded with HAProxy 2.6.12's stats socket, held with ours.

Each recorded command is given to us, in order, on servers laid out as they were then; the answers have to be the same. Where
ours is another one the command stands in a table with the reason, and the reason in docs/differences.md.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from config_files import model_of
from recorded import FOLDER
from records import KeptEvents
from spoken import ask

from balancer import model
from balancer.admin.conversation import Conversation
from balancer.backend.farm import Farm
from balancer.backend.server import Server
from balancer.observe.info import ProcessInfo

CONFIG: Final = """
global
    maxconn 4000
    node lab
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
    default_backend states
backend states
    balance leastconn
    server up 127.0.0.1:3001 cookie c1 check inter 500 weight 10 maxconn 20 maxqueue 5
    server down 127.0.0.1:3999 cookie c2 check inter 300 fall 1
    server nocheck 127.0.0.1:3003 cookie c3
    server maint 127.0.0.1:3004 cookie c4 check disabled
    server drain 127.0.0.1:3005 cookie c5 check inter 500
    server spare 127.0.0.1:3006 cookie c6 check backup
    server follow 127.0.0.1:3007 cookie c7 track smalltalk/app2
    server viamaint 127.0.0.1:3008 cookie c8 track states/maint
backend web
    server l7ok 127.0.0.1:3001 check inter 500
listen stats
    bind 127.0.0.1:8094
"""

NO_AGENTS: Final = "there are no agent checks: the server is not in the file"
OTHER_COMMANDS: Final = "the list is that of our commands"
NO_DYNAMIC: Final = "servers are those of the file"
NO_TABLES: Final = "there are no stick tables"
NO_LISTS: Final = "patterns cannot be changed: there are no lists of them"
STRICT: Final = "a word that is no number is refused, not taken for 0"
MASKED: Final = "the environment and the clients' octets are for administrators"
OURS: Final = "the version and the figures are our own"
ONE_THREAD: Final = "one thread, whose inner state is not told"

# The command as it stands in the record, and why our answer is another one. `*` at the end: all that begin like that.
DIFFERENCES: Final[dict[str, str]] = {
    "set": OTHER_COMMANDS,
    "set server states/agent agent up": NO_AGENTS,
    "set server states/agent agent down": NO_AGENTS,
    "set server states/agent agent bogus": NO_AGENTS,
    "set server states/agent agent-send hello": NO_AGENTS,
    "disable agent states/agent": NO_AGENTS,
    "enable agent states/agent": NO_AGENTS,
    "set server smalltalk/app3 addr 127.0.0.1 port 99999": "HAProxy wraps it around to 34463",
    "set maxconn frontend front x": STRICT,
    "set maxconn global x": STRICT,
    "set rate-limit connections global x": STRICT,
    "clear counters bogus": "an unknown word is refused, not ignored",
    "clear table stick*": NO_TABLES,
    "set table stick*": NO_TABLES,
    "show table*": NO_TABLES,
    "add server*": NO_DYNAMIC,
    "del server*": NO_DYNAMIC,
    "enable server web/dyn": NO_DYNAMIC,
    "enable health web/dyn": NO_DYNAMIC,
    "disable server web/dyn": NO_DYNAMIC,
    "add acl #0*": NO_LISTS,
    "show acl*": NO_LISTS,
    "get acl #0*": NO_LISTS,
    "del acl #0*": NO_LISTS,
    "show stat*": OURS,
    "show info*": OURS,
    "bogus": OTHER_COMMANDS,
    "sho info": OTHER_COMMANDS,
    "show inf": OTHER_COMMANDS,
    "show": OTHER_COMMANDS,
    "SHOW INFO": OTHER_COMMANDS,
    "": OTHER_COMMANDS,
    "   show version  ": OURS,
    "show\tversion": OURS,
    "show version*": OURS,
    '"show" version': OTHER_COMMANDS,
    'show "version"': OTHER_COMMANDS,
    "show 'version'": OTHER_COMMANDS,
    'show "version': OTHER_COMMANDS,
    "help": OTHER_COMMANDS,
    "help nosuch": OTHER_COMMANDS,
    "?": OTHER_COMMANDS,
    "operator; show cli level; disable server smalltalk/app3; set maxconn global 3000; show env LANG": MASKED,
    "@1 show info": OTHER_COMMANDS,
    "show proc": OTHER_COMMANDS,
    "reload": OTHER_COMMANDS,
    "expert-mode; ": OTHER_COMMANDS,
    "debug dev exit 0": "there are no commands for developers",
    "show servers state*": OURS,
    "admin": OTHER_COMMANDS,
    "show sess": OURS,
    "show errors": MASKED,
    "show env LANG": MASKED,
}


def conversation() -> Iterator[tuple[str, str, str, str]]:
    """Level, command, answer, and how the server stood afterwards, of each recorded exchange up to the raw ones."""
    level = "admin"
    lines = (FOLDER / "haproxy-2.6-socket-set.txt").read_text(encoding="utf-8").split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if line.startswith("# --- level"):
            level = line.split()[3]
        elif line.startswith("# --- raw"):
            return
        elif line.startswith(">>> "):
            answer: list[str] = []
            while not lines[number].startswith("<<<"):
                answer.append(lines[number])
                number += 1
            after = lines[number + 1].partition("state after: ")[2]
            yield level, line[4:], "".join(f"{each}\n" for each in answer), after


# The raw part: what its heading says was sent, and whether our answer is another one (why: the table above, or the reason).
RAW: Final[tuple[tuple[str, bytes, str], ...]] = (
    ('"show version\\r\\n"', b"show version\r\n", OURS),
    ('"show version" without a newline, write side left open', b"show version", ""),
    ('"show version" without a newline, write side shut down', b"show version", ""),
    ('"show version\\n", write side shut down', b"show version\n", OURS),
    ("two lines in one write", b"show version\nshow cli level\n", OURS),
    ("empty line", b"\n", OTHER_COMMANDS),
    ("nothing, write side shut down", b"", ""),
    ("nothing, left open", b"", ""),
    ('"prompt\\n" then nothing', b"prompt\n", ""),
    ('"prompt\\nshow version\\nshow cli level\\nquit\\n"', b"prompt\nshow version\nshow cli level\nquit\n", OURS),
    ('"prompt\\nbogus', b"prompt\nbogus\n\nprompt\n", OTHER_COMMANDS),
    ('"prompt; show version\\n"', b"prompt; show version\n", OURS),
    ('"prompt\\nset timeout cli 1\\n"', b"prompt\nset timeout cli 1\n", ""),
    ("a line of 20000 bytes", b"x" * 20000, ""),
    ('payload: "add acl', b"add acl #0 <<\n/a\n/b\n\n", ""),
    ('"show acl #0\\n"', b"show acl #0\n", NO_LISTS),
    ("payload in prompt mode", b"prompt\nadd acl #0 <<\n/c\n\nshow acl #0\nquit\n", NO_LISTS),
    ('"GET / HTTP/1.0', b"GET / HTTP/1.0\r\n\r\n", OTHER_COMMANDS),
)


def raw_conversation() -> Iterator[tuple[str, str]]:
    """Heading and answer of each exchange of the raw part."""
    text = (FOLDER / "haproxy-2.6-socket-set.txt").read_text(encoding="utf-8").partition("# --- raw bytes\n")[2]
    for part in text.split("\n>>> ")[1:]:
        heading, _, rest = part.partition("\n")
        yield heading, rest.partition("<<<")[0].replace("(no newline)\n", "")


def states(info: ProcessInfo) -> list[str]:
    """How everything stands, as the record has it: `PROXY,NAME,STATUS,WEIGHT`."""
    header, *rows = ask(b"show stat\n", info).decode().strip().split("\n")
    names = header.removeprefix("# ").split(",")
    found = [dict(zip(names, row.split(","), strict=True)) for row in rows]
    return [",".join(row[name] for name in ("pxname", "svname", "status", "weight")) for row in found]


def entry_of(command: str) -> str | None:
    """The entry of the table for this command."""
    for words in DIFFERENCES:
        if command == words or (words.endswith("*") and command.startswith(words[:-1])):
            return words
    return None


def reason_of(command: str) -> str:
    """Why ours differs, "" where it must not."""
    entry = entry_of(command)
    return "" if entry is None else DIFFERENCES[entry]


def is_same(own: str, recorded: str) -> bool:
    """Whether the answers are equal; a recorded one may have been cut."""
    head, cut, _ = recorded.partition("\n... (")
    return own.startswith(head) if cut else own == recorded


@pytest.fixture(scope="module")
def info(tmp_path_factory: pytest.TempPathFactory) -> ProcessInfo:
    images = "".join(f"    server app{n} 127.0.0.1:{3000 + n} cookie app1inst{n} check\n" for n in range(1, 11))
    found: model.Model = model_of(tmp_path_factory.mktemp("recorded"), CONFIG.format(images=images))
    farm = Farm(found, 4000, KeptEvents(), 100.0)
    for server in farm.backend_by_name["smalltalk"].servers:
        server.check_passed()
    return ProcessInfo(found, farm, lambda: 106.0, 1795407576.0, 1121, 8060, lambda: 0, lambda: False, 4)


def test_the_recorded_conversation_is_held_again(info: ProcessInfo) -> None:
    wrong: list[str] = []
    used: set[str] = set()
    count = differing = 0
    for level, command, recorded, after in conversation():
        count += 1
        own = ask(command.encode() + b"\n", info, level).decode()
        same = is_same(own, recorded)
        reason = reason_of(command)
        if not same and not reason:
            wrong.append(f"{level}: {command!r}: we say {own!r}, HAProxy {recorded!r}")
        if after and not reason and after not in states(info):
            wrong.append(f"{command!r}: HAProxy's {after} is none of our {states(info)}")
        if not same:
            differing += 1
            used.add(entry_of(command) or command)
    assert not wrong, "\n".join(wrong)
    assert used == set(DIFFERENCES), f"entries of answers that are the same: {set(DIFFERENCES) - used}"
    assert (count, differing) == (231, 78)


def test_the_raw_part_of_the_recording_is_held_again(info: ProcessInfo) -> None:
    recorded = list(raw_conversation())
    assert len(recorded) == len(RAW) == 18
    wrong: list[str] = []
    for (heading, answer), (begins, sent, reason) in zip(recorded, RAW, strict=True):
        assert heading.startswith(begins)
        conversation = Conversation(info, "admin", 10.0)
        own = ""
        if conversation.hear(sent):
            while (said := conversation.answer()) is not None:
                own += said.decode()
        same = is_same(own, answer)
        if same == bool(reason):
            wrong.append(f"{heading}: we say {own!r}, HAProxy {answer!r}")
    assert not wrong, "\n".join(wrong)


def test_each_difference_is_written_down() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")
    missing = sorted({reason for reason in DIFFERENCES.values() if reason not in page})
    assert missing == []


def test_the_servers_stood_then_as_here(info: ProcessInfo) -> None:
    server: Server | None = info.farm.backend_by_name["smalltalk"].find_server("app10")
    assert server is not None and server.config.port == 3010
