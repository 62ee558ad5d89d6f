"""One statement of a section: its words, split into the keyword and what follows, and how a keyword asks for them.

The questions raise Refusal with a text that names the keyword, says what it expects and quotes what was found; whoever
applies keywords catches it and adds the place. A keyword that has taken its words says so with `no_more`, so that no word is
silently passed over.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from balancer.config.findings import Refusal, Report
from balancer.model import Origin
from balancer.units import INTEGER_MAX, UnitError, parse_integer, parse_time_s


@dataclass(frozen=True)
class Statement:
    """A keyword of one or more words and its arguments. `resolves` is False where names must not be looked up."""

    origin: Origin
    keyword: str
    arguments: tuple[str, ...]
    is_negated: bool
    resolves: bool
    report: Report

    def count(self, minimum: int, maximum: int, expectation: str) -> None:
        """Refuses another number of arguments; `expectation` says what they are."""
        if not minimum <= len(self.arguments) <= maximum or "" in self.arguments[:minimum]:
            raise Refusal(f"'{self.keyword}' expects {expectation} (got {quoted(self.arguments)})")

    def no_more(self, taken: int) -> None:
        """Refuses arguments beyond those that were taken."""
        if len(self.arguments) > taken:
            raise Refusal(f"'{self.keyword}' cannot handle unexpected argument '{self.arguments[taken]}'")

    def text(self, expectation: str) -> str:
        """The only argument."""
        self.count(1, 1, expectation)
        return self.arguments[0]

    def integer(self, minimum: int, maximum: int = INTEGER_MAX) -> int:
        """The only argument, a whole number."""
        word = self.text("a whole number")
        return integer_of(self.keyword, word, minimum, maximum)

    def time_s(self, default_unit: str = "ms") -> float:
        """The only argument, a time."""
        word = self.text("a time (in milliseconds by default)")
        return time_of(self.keyword, word, default_unit)

    def choice(self, choices: Mapping[str, str]) -> str:
        """The only argument, one of the keys; the value of a key says why it is refused, "" for one that works."""
        word = self.text(f"one of {', '.join(choices)}")
        if word not in choices:
            raise Refusal(f"'{self.keyword}' expects one of {', '.join(choices)} (got '{word}')")
        if choices[word]:
            raise Refusal(f"'{self.keyword} {word}' {choices[word]}")
        return word

    def warn(self, text: str) -> None:
        """A warning at this statement's place."""
        self.report.warning(self.origin, text)


def integer_of(subject: str, word: str, minimum: int, maximum: int = INTEGER_MAX) -> int:
    """The whole number that `word` says; `subject` names what wants it."""
    try:
        return parse_integer(word, minimum, maximum)
    except UnitError as error:
        raise Refusal(f"'{subject}' {error}") from error


def time_of(subject: str, word: str, default_unit: str = "ms") -> float:
    """The seconds that `word` says; `subject` names what wants them."""
    try:
        return parse_time_s(word, default_unit)
    except UnitError as error:
        raise Refusal(f"'{subject}' {error}") from error


def milliseconds_of(subject: str, word: str) -> int:
    """The whole milliseconds that `word` says; what is less than one is one, as in HAProxy."""
    return ceil(time_of(subject, word) * 1000.0)


def quoted(words: tuple[str, ...]) -> str:
    """Words for a message."""
    return f"'{' '.join(words)}'" if words else "nothing"
