"""What is said on a stats socket, octet for octet as HAProxy 2.6.12 was recorded to say it."""

from dataclasses import replace
from typing import Final

import pytest
from observed import NOW, observed
from records import server_record
from spoken import ask, heard

from balancer.admin.conversation import LINE_OCTETS_MAX, Conversation, split_commands
from balancer.admin.table import COMMANDS, LEVELS, find
from balancer.observe.info import VERSION

UNKNOWN: Final = b"Unknown command. Please enter one of the following commands only:\n"
LIKELY: Final = b"Unknown command, but maybe one of the following ones is a better match:\n"
ALWAYS: Final = (
    b"  help [<command>]                        : list matching or all commands\n"
    b"  prompt                                  : toggle interactive mode with prompt\n"
    b"  quit                                    : disconnect\n"
)
VERSION_LINE: Final = VERSION.encode() + b"\n"


@pytest.mark.parametrize(
    ("line", "commands"),
    [
        ("", [[]]),
        (" \t ", [[]]),
        (";", [[], []]),
        ("show stat", [["show", "stat"]]),
        ("  show\tstat  x ", [["show", "stat", "x"]]),
        ("a;b c;", [["a"], ["b", "c"], []]),
        ("a\\; b", [["a;", "b"]]),
        ("show cli \\level", [["show", "cli", "level"]]),
        ("a\\ b", [["a b"]]),
        ("a\\\\", [["a\\"]]),
        ("set weight #2/#3 7 # x", [["set", "weight", "#2/#3", "7", "#", "x"]]),
        ('"a b"', [['"a', 'b"']]),
    ],
)
def test_a_line_is_split_as_haproxy_splits_it(line: str, commands: list[list[str]]) -> None:
    assert split_commands(line) == commands


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"show version\n", VERSION_LINE + b"\n"),
        (b"show version\r\n", VERSION_LINE + b"\n"),
        (b"show version # comment\n", VERSION_LINE + b"\n"),
        (b"show version;show cli level\n", VERSION_LINE + b"\nadmin\n\n"),
        (b"show version\nshow cli level\n", VERSION_LINE + b"\nadmin\n\n"),
        (b"show version; quit; show version\n", VERSION_LINE + b"\n"),
        (b"quit\n", b""),
        (b"user; show cli level; operator\n", b"\nuser\n\nPermission denied\n\n"),
        (b"operator; show cli level; set weight smalltalk/up 1\n", b"\noperator\n\nPermission denied\n\n"),
        (b"prompt\nshow version\nshow cli level\nquit\n", b"\n> " + VERSION_LINE + b"\n> admin\n\n> "),
        (b"prompt; show version\n", b"\n> " + VERSION_LINE + b"\n> "),
        (b"prompt;prompt;show version\n", b"\n> \n" + VERSION_LINE + b"\n"),
        (b"prompt\nset timeout cli 1\n", b"\n> \n> "),
        (b"show version <<\na\nb\n\nshow cli level\n", VERSION_LINE + b"\nadmin\n\n"),
        (b"prompt\nshow version <<\na\n\nshow cli level\n", b"\n> + + " + VERSION_LINE + b"\n> admin\n\n> "),
        (b"set timeout cli 60\n", b"\n"),
        (b"set timeout cli 5m\n", b"\n"),
        (b"set timeout cli x\n", b"Invalid timeout value.\n\n"),
        (b"set timeout cli 0\n", b"Invalid timeout value.\n\n"),
        (b"set timeout cli -1\n", b"Invalid timeout value.\n\n"),
        (b"set timeout cli\n", b"Expects an integer value.\n\n"),
        (b"set timeout bogus 3\n", b"'set timeout' only supports 'cli'.\n\n"),
        (b"set timeout\n", b"'set timeout' only supports 'cli'.\n\n"),
        (b"show stat nosuch 1 -1\n", b"No such proxy.\n\n"),
        (b"show servers state nosuch\n", b"Can't find backend.\n\n"),
        (b"show servers conn nosuch\n", b"Can't find backend.\n\n"),
        (b"show backend\n", b"# name\nsmalltalk\n\n"),
        (b"clear counters\n", b"\n"),
        (b"clear counters all\n", b"\n"),
    ],
)
def test_answers_are_haproxys(sent: bytes, said: bytes) -> None:
    assert ask(sent) == said


def test_octets_may_come_one_by_one() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    said = b"".join(heard(conversation, bytes([octet])) for octet in b"prompt\nshow version;show cli level\nquit\n")
    assert said == b"\n> " + VERSION_LINE + b"\n> admin\n\n> "
    assert conversation.is_over


def test_a_line_that_has_come_in_part_is_waited_for() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    assert heard(conversation, b"show version\nshow cli") == VERSION_LINE + b"\n"
    assert not conversation.is_over
    assert heard(conversation, b" level\n") == b"admin\n\n"
    assert conversation.is_over


def test_an_unterminated_line_is_dropped_at_the_end() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    assert heard(conversation, b"show version\nshow cli level") == VERSION_LINE + b"\n"
    conversation.end()
    assert conversation.answer() is None
    assert conversation.is_over


def test_with_a_prompt_the_conversation_goes_on_until_the_other_side_has_said_all() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    heard(conversation, b"prompt\n")
    assert not conversation.is_over
    conversation.end()
    conversation.answer()
    assert conversation.is_over


def test_a_line_has_a_bound() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    assert conversation.hear(b"x" * LINE_OCTETS_MAX)
    assert not conversation.hear(b"x")


def test_one_command_is_run_at_a_time() -> None:
    conversation = Conversation(observed(), "admin", 10.0)
    assert conversation.hear(b"show version;show version\n")
    assert conversation.answer() == VERSION_LINE + b"\n"
    assert len(conversation.commands) == 1


@pytest.mark.parametrize(
    "sent",
    [b"bogus\n", b"SHOW INFO\n", b"sho info\n", b"show inf\n", b"show version#x\n", b"set bogus\n", b"set\n", b"\xff\xfe\n"],
)
def test_what_is_no_command_is_answered_with_what_may_have_been_meant(sent: bytes) -> None:
    said = ask(sent)
    assert said.startswith(LIKELY)
    assert said.endswith(ALWAYS + b"\n")
    if b"inf" in sent.lower():
        assert b"  show info " in said


def test_an_empty_line_lists_all() -> None:
    for sent in (b"\n", b" \n", b"\r\n"):
        said = ask(sent)
        assert said.startswith(UNKNOWN)
        assert said.endswith(ALWAYS + b"\n")
        assert said.count(b"\n") == sum(1 for each in COMMANDS.values() if each.usage) + 2
    assert ask(b";\n") == said * 2


def test_help_lists_what_begins_with_its_words() -> None:
    said = ask(b"help set\n").splitlines()
    assert said[0] == b"The following commands are valid at this level:"
    listed = [line.split(b":")[0].split()[:2] for line in said[1:-4]]
    assert [b"set", b"server"] in listed and [b"set", b"weight"] in listed
    assert listed == sorted(listed)
    assert all(words[0] == b"set" for words in listed)
    assert ask(b"help help\n") == b"The following commands are valid at this level:\n" + ALWAYS + b"\n"
    assert ask(b"help\n").count(b"\n") == sum(1 for each in COMMANDS.values() if each.usage) + 2


def test_lines_of_help_are_aligned_as_haproxys() -> None:
    assert b"  show version                            : show version of the current process\n" in ask(b"help\n")
    for each in COMMANDS.values():
        assert len(each.usage) <= 40, each.usage


def test_the_longest_words_win() -> None:
    found = find(["show", "servers", "state", "x"])
    assert found is not None
    assert found.words == ("show", "servers", "state")


@pytest.mark.parametrize("level", LEVELS)
def test_levels_are_enforced_for_every_command(level: str) -> None:
    for each in COMMANDS.values():
        said = ask(" ".join(each.words).encode() + b"\n", level=level)
        denied = said == b"Permission denied\n\n"
        assert denied == (LEVELS.index(level) < LEVELS.index(each.level)), each.words


def test_clearing_all_needs_more_than_clearing_peaks() -> None:
    assert ask(b"clear counters\n", level="operator") == b"\n"
    assert ask(b"clear counters all\n", level="operator") == b"Permission denied\n\n"
    assert ask(b"clear counters\n", level="user") == b"Permission denied\n\n"


def test_clear_counters_takes_no_garbage() -> None:
    assert ask(b"clear counters bogus\n") == b"'clear counters' expects 'all' or nothing.\n\n"


def test_counters_are_cleared() -> None:
    info = observed()
    counters = info.farm.backends[0].counters
    counters.session_begins(NOW)
    counters.session_ends()
    counters.bytes_in = 7
    ask(b"clear counters\n", info)
    assert (counters.sessions_max, counters.bytes_in) == (0, 7)
    ask(b"clear counters all\n", info)
    assert counters.bytes_in == 0


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (b"show stat 2 1 -1\n", [b"FRONTEND"]),
        (b"show stat smalltalk 2 -1\n", [b"BACKEND"]),
        (b"show stat 2 4 3\n", [b"nocheck"]),
        (
            b"show stat -1 7 -1\n",
            [b"FRONTEND", b"up", b"down", b"nocheck", b"maint", b"spare", b"falling", b"zero", b"BACKEND"],
        ),
        (
            b"show stat 2 -1 -1\n",
            [b"FRONTEND", b"up", b"down", b"nocheck", b"maint", b"spare", b"falling", b"zero", b"BACKEND"],
        ),
        (b"show stat 2 4 -1 no-maint\n", [b"up", b"down", b"nocheck", b"spare", b"falling", b"zero"]),
        (b"show stat 2 4 -1 up\n", [b"up", b"nocheck", b"spare", b"falling", b"zero"]),
        (b"show stat no-maint\n", [b"FRONTEND", b"up", b"down", b"nocheck", b"spare", b"falling", b"zero", b"BACKEND"]),
        (b"show stat 99 7 -1\n", []),
    ],
)
def test_rows_of_show_stat_are_chosen(sent: bytes, names: list[bytes]) -> None:
    header, *rows, last = ask(sent).split(b"\n")[:-1]
    assert header.startswith(b"# pxname,svname,")
    assert last == b""
    assert [row.split(b",")[1] for row in rows] == names


def test_states_of_servers_are_haproxys_numbers() -> None:
    version, header, *rows, end = ask(b"show servers state smalltalk\n").decode().splitlines()
    assert (version, end) == ("1", "")
    assert header.startswith("# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state")
    by_name = {row.split(" ")[3]: row.split(" ") for row in rows}
    # As recorded of HAProxy 2.6.12, from srv_op_state to srv_check_state, but for the number of seconds.
    expected = {
        "up": "2 0 10 10 6 6 3 4 6",
        "down": "0 0 1 1 6 8 2 0 6",
        "nocheck": "2 0 1 1 6 1 0 2 0",
        "maint": "0 5 1 1 6 1 0 0 14",
        "spare": "2 0 1 1 6 6 3 4 6",
        "zero": "2 0 0 0 6 1 0 2 0",
    }
    for name, text in expected.items():
        assert " ".join(by_name[name][5:14]) == text, name
        assert len(by_name[name]) == len(header.removeprefix("# ").split(" "))


def test_connections_of_servers_have_their_columns() -> None:
    header, *rows, _ = ask(b"show servers conn #2\n").decode().splitlines()
    assert rows[0] == "smalltalk/up 2/1 127.0.0.1 3001 - 5000 0 0 0 0 0 -1 0 0"
    assert len(rows[0].split()) == len(header.removeprefix("# ").split())


def test_sockets_are_listed_with_their_levels() -> None:
    from records import ORIGIN

    from balancer import model

    sockets = (model.StatsSocket("/run/a.sock", None, -1, -1, "admin", ORIGIN),)
    info = observed()
    info = replace(info, config=replace(info.config, process=replace(info.config.process, stats_sockets=sockets)))
    assert ask(b"show cli sockets\n", info) == b"# socket lvl processes\nunix@/run/a.sock admin all\n\n"


def test_a_large_listing_is_made_part_by_part() -> None:
    info = observed(*[server_record(f"s{number}", number=number) for number in range(1, 201)])
    conversation = Conversation(info, "admin", 10.0)
    assert conversation.hear(b"show stat json\n")
    parts: list[bytes] = []
    while (part := conversation.answer()) is not None:
        parts.append(part)
    assert len(parts) > 200
    assert max(len(part) for part in parts) < 20000
    assert b"".join(parts) == ask(b"show stat json\n", info)
