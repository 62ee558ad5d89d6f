"""The table of commands of the stats socket: words, level, line of help, and the function that does it.

A command is one decorated function; `help` and the answers to what is no command are made from the table. Words that a command
does not need are ignored, as HAProxy ignores them; a command must be spelled whole and in lower case.
"""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, NoReturn

from balancer.observe.info import ProcessInfo
from balancer.observe.ring import Reading

USER: Final = "user"
OPERATOR: Final = "operator"
ADMIN: Final = "admin"
LEVELS: Final = (USER, OPERATOR, ADMIN)

# Severities of what is said (syslog's), as `set severity-output` shows them.
SEVERITIES: Final[dict[int, str]] = {3: "err", 4: "warning", 5: "notice", 6: "info"}
ERROR: Final = 3
WARNING: Final = 4
INFO: Final = 6

PERMISSION_DENIED: Final = "Permission denied\n"
VALID: Final = "The following commands are valid at this level:\n"
UNKNOWN: Final = "Unknown command. Please enter one of the following commands only:\n"
LIKELY: Final = "Unknown command, but maybe one of the following ones is a better match:\n"

LIKELY_MAX: Final = 5
LIKENESS_MIN: Final = 0.5
# These close every list.
ALWAYS: Final = ("help", "prompt", "quit")


class Refusal(Exception):
    """The text that answers a command that cannot be done."""


@dataclass(frozen=True)
class Told:
    """An answer with a severity: a message, not a listing."""

    text: str
    severity: int = INFO


def refuse(text: str) -> NoReturn:
    """Answers that it cannot be done."""
    raise Refusal(text)


@dataclass
class Talk:
    """What commands see and change of the session in which they were typed."""

    level: str
    timeout_s: float
    has_prompt: bool = False
    is_over: bool = False
    is_expert: bool = False
    is_experimental: bool = False
    severity_form: str = "none"

    def may(self, level: str) -> bool:
        """Whether this session may do what asks for `level`."""
        return LEVELS.index(self.level) >= LEVELS.index(level)


# A long listing comes in parts, one at a time; what is read from a ring goes on until something is typed.
Answer = str | Told | Iterator[str] | Reading
Run = Callable[[Talk, ProcessInfo, list[str]], Answer]


@dataclass(frozen=True)
class Command:
    """One row of the table."""

    words: tuple[str, ...]
    level: str
    usage: str
    help: str
    run: Run


COMMANDS: Final[dict[tuple[str, ...], Command]] = {}


def command(words: str, level: str, usage: str, text: str) -> Callable[[Run], Run]:
    """Enters a function into the table. It is given the words behind those of the command, and returns the answer."""

    def enter(run: Run) -> Run:
        key = tuple(words.split())
        assert key not in COMMANDS, words
        COMMANDS[key] = Command(key, level, usage, text, run)
        return run

    return enter


def execute(talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    """Runs one command and returns its whole answer, without the empty line that ends it."""
    answer = answer_of(talk, info, words)
    assert not isinstance(answer, Reading)
    return "".join(answer)


def answer_of(talk: Talk, info: ProcessInfo, words: list[str]) -> Iterator[str] | Reading:
    """Runs one command, now, and returns its answer in parts, or what is to be followed."""
    found = find(words)
    if found is None:
        likely = like(words)
        answer: Answer = Told(LIKELY + listing(likely) if likely else UNKNOWN + listing(list(COMMANDS.values())))
    elif not talk.may(found.level):
        answer = Told(PERMISSION_DENIED, ERROR)
    else:
        try:
            answer = found.run(talk, info, words[len(found.words) :])
        except Refusal as refusal:
            answer = Told(str(refusal), ERROR)
    if isinstance(answer, Told):
        answer = _shown(talk, answer)
    return iter([answer]) if isinstance(answer, str) else answer


def _shown(talk: Talk, told: Told) -> str:
    """A message as the session wants it: alone, or behind its severity as a number or a word."""
    if talk.severity_form == "none" or not told.text:
        return told.text
    word = SEVERITIES[told.severity] if talk.severity_form == "string" else str(told.severity)
    return f"[{word}]: {told.text}"


def find(words: list[str]) -> Command | None:
    """The command that these words begin with; the longest wins."""
    for length in range(min(len(words), 3), 0, -1):
        found = COMMANDS.get(tuple(words[:length]))
        if found is not None:
            return found
    return None


def like(words: list[str]) -> list[Command]:
    """What may have been meant: all that share most words from the first on; where these are many, the nearest of them."""
    if not words:
        return []
    listed = [each for each in COMMANDS.values() if each.usage]
    most = max(_shared(words, each) for each in listed)
    same = [each for each in listed if _shared(words, each) == most]
    if most and (len(words) == most or len(same) <= LIKELY_MAX):
        return same
    text = " ".join(words[:3]).lower()
    ranked = sorted(same, key=lambda each: -_likeness(text, each))
    near = [each for each in ranked if _likeness(text, each) >= LIKENESS_MIN]
    return (near or ranked)[:LIKELY_MAX]


def _shared(words: list[str], each: Command) -> int:
    """How many words from the first on are the same."""
    count = 0
    for word, own in zip(words, each.words, strict=False):
        if word != own:
            break
        count += 1
    return count


def listing(commands: list[Command]) -> str:
    """Lines of help in the order of their words; help, prompt and quit come last."""
    last = [COMMANDS[(name,)] for name in ALWAYS]
    others = sorted((each for each in commands if each.usage and each not in last), key=lambda each: each.words)
    return "".join(f"  {each.usage:<40}: {each.help}\n" for each in [*others, *last])


def _likeness(text: str, each: Command) -> float:
    return difflib.SequenceMatcher(None, text, " ".join(each.words)).ratio()
