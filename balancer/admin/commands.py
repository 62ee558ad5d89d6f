"""The commands of the stats socket: one decorated function each, beside its level and its line of help.

Words that a command does not need are ignored, as HAProxy ignores them; a command must be spelled whole and in lower case.
A command returns its text; the session ends it with an empty line. Refusals are HAProxy's sentences.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from balancer.observe import stats
from balancer.observe.info import VERSION, ProcessInfo, show_info

if TYPE_CHECKING:
    from balancer.admin.socket import Session

LEVELS: Final = ("user", "operator", "admin")

Run = Callable[["Session", ProcessInfo, list[str]], str]


@dataclass(frozen=True)
class Command:
    """One command: its words, the level that it asks for, its usage and what it does."""

    words: tuple[str, ...]
    level: str
    usage: str
    help: str
    run: Run


COMMANDS: Final[dict[tuple[str, ...], Command]] = {}

PERMISSION_DENIED: Final = "Permission denied\n"


def command(words: str, level: str, usage: str, text: str) -> Callable[[Run], Run]:
    """Enters a function into the table."""

    def enter(run: Run) -> Run:
        key = tuple(words.split())
        COMMANDS[key] = Command(key, level, usage, text, run)
        return run

    return enter


def find(words: list[str]) -> Command | None:
    """The command that these words begin with; the longest wins."""
    for length in range(min(len(words), 3), 0, -1):
        found = COMMANDS.get(tuple(words[:length]))
        if found is not None:
            return found
    return None


def is_allowed(level: str, wanted: str) -> bool:
    """Whether a session of `level` may do what asks for `wanted`."""
    return LEVELS.index(level) >= LEVELS.index(wanted)


def execute(session: "Session", info: ProcessInfo, words: list[str]) -> str:
    """Runs one command and returns its answer."""
    found = find(words)
    if found is None:
        return unknown(words)
    if not is_allowed(session.level, found.level):
        return PERMISSION_DENIED
    return found.run(session, info, words[len(found.words) :])


def unknown(words: list[str]) -> str:
    """The answer to what is no command: the likely ones, or all of them."""
    likely = _likely(words)
    if not likely:
        return "Unknown command. Please enter one of the following commands only:\n" + _list(list(COMMANDS.values()))
    return "Unknown command, but maybe one of the following ones is a better match:\n" + _list(likely)


def _likely(words: list[str]) -> list[Command]:
    if not words:
        return []
    same = [each for each in COMMANDS.values() if each.words[0] == words[0] and len(each.words) > 1]
    if same:
        return same
    firsts = {each.words[0] for each in COMMANDS.values()}
    near = difflib.get_close_matches(words[0], firsts, n=2)
    return [each for each in COMMANDS.values() if each.words[0] in near]


def _list(commands: list[Command]) -> str:
    always = [COMMANDS[(name,)] for name in ("help", "prompt", "quit")]
    others = sorted((each for each in commands if each not in always), key=lambda each: each.words)
    return "".join(f"  {each.usage:<40}: {each.help}\n" for each in [*others, *always])


@command("help", "user", "help [<command>]", "list matching or all commands")
def _help(_session: "Session", _info: ProcessInfo, words: list[str]) -> str:
    matching = [each for each in COMMANDS.values() if list(each.words[: len(words)]) == words]
    return "The following commands are valid at this level:\n" + _list(matching)


@command("prompt", "user", "prompt", "toggle interactive mode with prompt")
def _prompt(session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    session.has_prompt = not session.has_prompt
    return ""


@command("quit", "user", "quit", "disconnect")
def _quit(session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    session.is_over = True
    return ""


@command("user", "user", "user", "lower the level of the current CLI session to user")
def _user(session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    session.level = "user"
    return ""


@command("operator", "operator", "operator", "lower the level of the current CLI session to operator")
def _operator(session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    session.level = "operator"
    return ""


@command("show cli level", "user", "show cli level", "display the level of the current CLI session")
def _level(session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    return f"{session.level}\n"


@command("show version", "user", "show version", "show version of the current process")
def _version(_session: "Session", _info: ProcessInfo, _words: list[str]) -> str:
    return f"{VERSION}\n"


@command("show info", "user", "show info", "report information about the running process")
def _info(_session: "Session", info: ProcessInfo, _words: list[str]) -> str:
    return show_info(info)


@command("show stat", "user", "show stat [<iid> <type> <sid>]", "report counters for each proxy and server")
def _stat(_session: "Session", info: ProcessInfo, words: list[str]) -> str:
    number, kinds, server_number = -1, stats.EVERYTHING, -1
    numbers = [_number(word) for word in words[:3]]
    if len(numbers) == 3 and None not in numbers:
        number, kinds, server_number = (value if value is not None else -1 for value in numbers)
        if kinds == -1:
            kinds = stats.EVERYTHING
    return stats.csv(info.farm, info.clock(), number, kinds, server_number)


def _number(word: str) -> int | None:
    """A small decimal number, with a sign or not."""
    digits = word.removeprefix("-")
    return int(word) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


@command("show backend", "user", "show backend", "report backends in the current running config")
def _backends(_session: "Session", info: ProcessInfo, _words: list[str]) -> str:
    return "# name\n" + "".join(f"{backend.name}\n" for backend in info.farm.backends)


@command("set timeout cli", "user", "set timeout [cli] <delay>", "change a timeout setting")
def _timeout(session: "Session", _info: ProcessInfo, words: list[str]) -> str:
    seconds = _number(words[0]) if words else None
    if seconds is None or not 0 < seconds < 2**31 // 1000:
        return "Invalid timeout value.\n"
    session.set_timeout(float(seconds))
    return ""


@command("clear counters", "operator", "clear counters [all]", "clear max statistics counters (or all counters)")
def _clear(session: "Session", info: ProcessInfo, words: list[str]) -> str:
    everything = words[:1] == ["all"]
    if everything and not is_allowed(session.level, "admin"):
        return PERMISSION_DENIED
    info.farm.clear_counters(everything)
    return ""
