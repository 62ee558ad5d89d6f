"""The conditions of `.if`, `.elif` and `-cc`: integers, predicates, parentheses, `!`, `&&`, `||`.

A condition is read to its end before it counts, so that a mistake behind `0 &&` is a mistake all the same. `&&` binds
tighter than `||`. An empty condition is false. Texts of errors and positions (from 1) are HAProxy's. Parentheses nest at most
DEPTH_MAX deep, HAProxy's limit is some hundreds.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from balancer.config.features import PRESENT, VERSION_NUMBERS

DEPTH_MAX: Final = 100
BLANKS: Final = " \t"
FOLLOWS_PREDICATE: Final = ("", "(", *BLANKS)
INTEGER: Final = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)", re.ASCII)
WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Up to four numbers; "-dev3", "-rc1", "-pre1" are before the release; "-7" and "-7-..." are commits after it.
VERSION: Final = re.compile(
    r"(?P<numbers>[0-9]{1,18}(?:\.[0-9]{1,18}){0,3})(?:-(?P<before>dev|rc|pre)[0-9]*)?(?:-(?P<commits>[0-9]{1,18})(?:-.*)?)?",
    re.ASCII,
)
VERSION_PARTS: Final = 4
NO_VERSION: Final = (0, 0, 0, 0, 0, 0)


class ConditionError(Exception):
    """A condition that cannot be read; `position` counts its characters from 1."""

    def __init__(self, text: str, position: int) -> None:
        super().__init__(text)
        self.position = position


class _NothingThere(Exception):
    """A term was expected where the text ends; whoever asked for it says so."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position


def evaluate(text: str, variables: Mapping[str, str]) -> bool:
    """Whether the condition holds. Raises ConditionError for what is none."""
    if not text:
        return False
    return _Condition(text, variables).value()


def version_key(text: str) -> tuple[int, ...]:
    """What versions are compared by; a text that is no version compares as all zeros, as in HAProxy."""
    match = VERSION.fullmatch(text.lstrip(BLANKS))
    if match is None:
        return NO_VERSION
    numbers = [int(number) for number in match["numbers"].split(".")]
    numbers += [0] * (VERSION_PARTS - len(numbers))
    return (*numbers, -1 if match["before"] else 0, int(match["commits"] or 0))


def _own_version() -> tuple[int, ...]:
    return version_key(".".join(map(str, VERSION_NUMBERS)))


Predicate = Callable[[Sequence[str], Mapping[str, str]], bool]


def _defined(arguments: Sequence[str], variables: Mapping[str, str]) -> bool:
    return arguments[0] in variables


def _feature(arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return arguments[0] in PRESENT


def _streq(arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return arguments[0] == arguments[1]


def _strneq(arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return arguments[0] != arguments[1]


def _version_atleast(arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return _own_version() >= version_key(arguments[0])


def _version_before(arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return _own_version() < version_key(arguments[0])


def _without_tls(_arguments: Sequence[str], _variables: Mapping[str, str]) -> bool:
    return False


# What each is called with, what it tells, and what decides.
PREDICATES: Final[dict[str, tuple[tuple[str, ...], str, Predicate]]] = {
    "defined": (("NAME",), "whether there is a variable of that name", _defined),
    "feature": (("NAME",), "whether the feature is present in the list of `-vv`", _feature),
    "streq": (("A", "B"), "whether the texts are equal", _streq),
    "strneq": (("A", "B"), "whether they differ", _strneq),
    "version_atleast": (("VERSION",), "whether 2.6.12 is that version or a later one", _version_atleast),
    "version_before": (("VERSION",), "whether 2.6.12 is before that version", _version_before),
    "openssl_version_atleast": (("VERSION",), "false, TLS is not done here", _without_tls),
    "openssl_version_before": (("VERSION",), "false", _without_tls),
    "ssllib_name_startswith": (("NAME",), "false", _without_tls),
}


class _Condition:
    """One reading of one text, from left to right. `position` counts from 0 here."""

    def __init__(self, text: str, variables: Mapping[str, str]) -> None:
        self.text = text
        self.variables = variables
        self.position = 0
        self.depth = 0

    def value(self) -> bool:
        try:
            value = self._any()
        except _NothingThere as error:
            raise ConditionError(f"unparsable conditional sub-expression '{self.text}'", 1) from error
        self._skip_blanks()
        if self.position < len(self.text):
            found = self.text[self.position]
            raise ConditionError(
                f"unexpected character '{found}' at the end of conditional expression '{self.text}'", self.position + 1
            )
        return value

    def _skip_blanks(self) -> None:
        while self.position < len(self.text) and self.text[self.position] in BLANKS:
            self.position += 1

    def _takes(self, word: str) -> bool:
        """Passes over the word if it comes next."""
        if not self.text.startswith(word, self.position):
            return False
        self.position += len(word)
        return True

    def _any(self) -> bool:
        return self._chain("||", self._all, any, False)

    def _all(self) -> bool:
        return self._chain("&&", self._term, all, True)

    def _chain(
        self, operator: str, operand: Callable[[], bool], combine: Callable[[Sequence[bool]], bool], quotes_from_operator: bool
    ) -> bool:
        """Operands between which the operator stands; where the last is missing, the first operator is blamed."""
        start = self.position
        values = [operand()]
        first = -1
        self._skip_blanks()
        while self._takes(operator):
            first = self.position - len(operator) if first < 0 else first
            try:
                values.append(operand())
            except _NothingThere as error:
                quoted = self.text[first if quotes_from_operator else start :]
                raise ConditionError(f"unparsable conditional expression '{quoted}'", first + 1) from error
            self._skip_blanks()
        return combine(values)

    def _term(self) -> bool:
        self._skip_blanks()
        start = self.position
        if start == len(self.text):
            raise _NothingThere(start)
        is_negated = False
        while self._takes("!"):
            is_negated = not is_negated
            self._skip_blanks()
        return self._positive_term(start) != is_negated

    def _positive_term(self, start: int) -> bool:
        text = self.text
        match = INTEGER.match(text, self.position)
        if match is not None:
            self.position = match.end()
            return match[0].lower().lstrip("+-").removeprefix("0x").strip("0") != ""
        if text.startswith("(", self.position):
            return self._parenthesis(start)
        match = WORD.match(text, self.position)
        if match is not None and match[0] in PREDICATES and text[match.end() : match.end() + 1] in FOLLOWS_PREDICATE:
            self.position = match.end()
            return self._predicate(match[0])
        raise ConditionError(f"unparsable conditional expression '{text[start:]}'", self.position + 1)

    def _parenthesis(self, start: int) -> bool:
        self.position += 1
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise ConditionError(f"unparsable conditional sub-expression '{self.text}'", 1)
        try:
            value = self._any()
        except _NothingThere as error:
            raise ConditionError(f"unparsable conditional expression '{self.text[start:]}'", start + 1) from error
        self._skip_blanks()
        if not self._takes(")"):
            raise ConditionError(f"expected ')' after conditional expression '{self.text[start:]}'", start + 1)
        self.depth -= 1
        return value

    def _predicate(self, name: str) -> bool:
        names, _text, decide = PREDICATES[name]
        count = len(names)
        has_parenthesis = self._takes("(")
        arguments = self._arguments(name, count) if has_parenthesis else [""]
        if len(arguments) < count:
            missing = f"missing arguments (got {len(arguments)}/{count}), type 'string' expected"
            raise self._in_arguments(name, missing, self.position)
        self.position += has_parenthesis
        return decide(arguments, self.variables)

    def _arguments(self, name: str, count: int) -> list[str]:
        """The words between the parentheses; the closing one is left, so that a missing argument is blamed there."""
        arguments: list[str] = []
        text = self.text
        while True:
            end = self.position
            while end < len(text) and text[end] not in ",)":
                end += 1
            arguments.append(text[self.position : end])
            self.position = end
            if len(arguments) < count and text.startswith(",", end):
                self.position += 1
                continue
            break
        if len(arguments) == count and not text.startswith(")", end):
            rest = f" before '{text[end:]}'" if end < len(text) else ""
            raise self._in_arguments(name, f"expected ')'{rest}", end)
        return arguments

    def _in_arguments(self, name: str, text: str, position: int) -> ConditionError:
        return ConditionError(f"{text} in argument 1 of predicate '{name}' used in conditional expression", position + 1)
