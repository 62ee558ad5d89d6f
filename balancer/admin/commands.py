"""Commands that concern the session itself: help, levels, prompt, its timeout."""

from typing import Final

from balancer.admin.table import (
    ADMIN,
    COMMANDS,
    OPERATOR,
    USER,
    VALID,
    Refusal,
    Talk,
    Told,
    command,
    like,
    listing,
)
from balancer.observe.info import VERSION, ProcessInfo
from balancer.units import UnitError, parse_time_s

CLI_TIMEOUT_MAX_S: Final = 2147483.0
SEVERITY_FORMS: Final = ("none", "number", "string")


@command("help", USER, "help [<command>]", "list matching or all commands")
def _help(_talk: Talk, _info: ProcessInfo, words: list[str]) -> Told:
    matching = [each for each in COMMANDS.values() if list(each.words[: len(words)]) == words]
    return Told(VALID + listing(matching or like(words)))


@command("prompt", USER, "prompt", "toggle interactive mode with prompt")
def _prompt(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.has_prompt = not talk.has_prompt
    return ""


@command("quit", USER, "quit", "disconnect")
def _quit(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.is_over = True
    return ""


@command("user", USER, "user", "lower the level of the current CLI session to user")
def _user(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.level = USER
    return ""


@command("operator", OPERATOR, "operator", "lower the level of the current CLI session to operator")
def _operator(talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    talk.level = OPERATOR
    return ""


@command("set timeout", USER, "set timeout [cli] <delay>", "change a timeout setting")
def _timeout(talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
    if words[:1] != ["cli"]:
        raise Refusal("'set timeout' only supports 'cli'.\n")
    if len(words) < 2:
        raise Refusal("Expects an integer value.\n")
    try:
        seconds = parse_time_s(words[1], "s")
    except UnitError:
        seconds = 0.0
    if not 0.0 < seconds <= CLI_TIMEOUT_MAX_S:
        raise Refusal("Invalid timeout value.\n")
    talk.timeout_s = seconds
    return ""


@command("show cli level", USER, "show cli level", "display the level of the current CLI session")
def _level(talk: Talk, _info: ProcessInfo, _words: list[str]) -> Told:
    return Told(f"{talk.level}\n")


@command("show cli sockets", OPERATOR, "show cli sockets", "dump list of cli sockets")
def _sockets(_talk: Talk, info: ProcessInfo, _words: list[str]) -> str:
    rows = [f"{each.address()} {each.level} all\n" for each in info.config.process.stats_sockets]
    return "# socket lvl processes\n" + "".join(rows)


@command("show version", USER, "show version", "show version of the current process")
def _version(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> Told:
    return Told(f"{VERSION}\n")


@command(
    "set severity-output",
    USER,
    "set severity-output [none|number|string]",
    "set presence of severity level in feedback information",
)
def _severity(talk: Talk, _info: ProcessInfo, words: list[str]) -> str:
    if not words or words[0] not in SEVERITY_FORMS:
        raise Refusal("one of 'none', 'number', 'string' is a required argument\n")
    talk.severity_form = words[0]
    return ""


@command("expert-mode", ADMIN, "", "")
def _expert(talk: Talk, _info: ProcessInfo, words: list[str]) -> str | Told:
    if not words:
        return Told(f"expert-mode is {'ON' if talk.is_expert else 'OFF'}\n")
    talk.is_expert = words[0] == "on"
    return ""


@command("experimental-mode", ADMIN, "", "")
def _experimental(talk: Talk, _info: ProcessInfo, words: list[str]) -> str | Told:
    if not words:
        return Told(f"experimental-mode is {'ON' if talk.is_experimental else 'OFF'}\n")
    talk.is_experimental = words[0] == "on"
    return ""
