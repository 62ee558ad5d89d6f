"""Texts with variables `%NAME` and samples `%[fetch,converter]`: those of rules, and the formats of the log.

    %NAME  %{+Q,-E,+X}NAME  %{+Q}o (for all that follow)  %[sample]  %{+E}[sample]  %%

In a format blanks part, however many there are.
"""

from typing import Final

from balancer.config.findings import Refusal
from balancer.config.keywords import nearest, suggestion
from balancer.config.logvariables import VARIABLES
from balancer.config.samples import parse_sample
from balancer.logbook import SAMPLE, SPACE, TEXT, VARIABLE, LogPart
from balancer.rulebook import Escaped, Piece, Sample, Variable

FLAGS: Final = "QEX"
NAME_CHARS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_")
# Samples of the answer that are still there when a line is written.
TOLD_AT_THE_END: Final = frozenset(["status", "srv_id", "srv_name"])
PARTS_MAX: Final = 1024


def parse_text(text: str) -> tuple[Piece, ...]:
    """The pieces of a text of rules, in which blanks are as written. The flag Q is not for samples there, as in HAProxy."""
    pieces: list[Piece] = []
    for part in _Reader(text, False, False).parts():
        if part.sample is not None:
            pieces.append(Escaped(part.sample) if part.escapes else part.sample)
        elif part.kind == VARIABLE:
            pieces.append(Variable(part.name, part.quotes, part.escapes, part.is_hex))
        else:
            pieces.append(part.text)
    return tuple(pieces)


def parse_format(text: str, is_at_end: bool = True) -> tuple[LogPart, ...]:
    """The parts of a format; `is_at_end` where it is written when the messages are gone. Refuses what cannot be told then."""
    return _Reader(text, True, is_at_end).parts()


class _Reader:
    """One text while it is read from left to right."""

    def __init__(self, text: str, is_format: bool, is_at_end: bool) -> None:
        self.text = text
        self.is_format = is_format  # blanks run together, and what cannot be told is refused
        self.is_at_end = is_at_end
        self.position = 0
        self.flags: frozenset[str] = frozenset()  # `%{..}o`
        self.found: list[LogPart] = []
        self.plain: list[str] = []

    def parts(self) -> tuple[LogPart, ...]:
        """All of it."""
        text = self.text
        while self.position < len(text):
            char = text[self.position]
            if char == " " and self.is_format:
                self.position += 1
                self._end_plain()
                if not self.found or self.found[-1].kind != SPACE:
                    self.found.append(LogPart(SPACE))
            elif char != "%":
                self.position += 1
                self.plain.append(char)
            elif text.startswith("%%", self.position):
                self.position += 2
                self.plain.append("%")
            else:
                self._end_plain()
                self._percent()
        self._end_plain()
        if len(self.found) > PARTS_MAX:
            raise Refusal(f"expects at most {PARTS_MAX} parts (got {len(self.found)})")
        return tuple(self.found)

    def _end_plain(self) -> None:
        if self.plain:
            self.found.append(LogPart(TEXT, text="".join(self.plain).encode("utf-8", "surrogateescape")))
            self.plain = []

    def _percent(self) -> None:
        text, begin = self.text, self.position
        at = begin + 1
        flags = self.flags
        words = ""
        if text.startswith("{", at):
            end = text.find("}", at)
            if end < 0:
                raise Refusal(f"truncated line after '{text[at + 1 :]}'.")
            words = text[at + 1 : end]
            at = end + 1
            flags = _changed(flags, words)
        if text.startswith("[", at):
            end = closing(text, at + 1)
            self.position = end + 1
            sample = parse_sample(text[at + 1 : end].strip())
            if self.is_format:
                self._check(sample)
            self.found.append(LogPart(SAMPLE, sample=sample, quotes="Q" in flags, escapes="E" in flags))
            return
        end = at
        while end < len(text) and text[end] in NAME_CHARS:
            end += 1
        name = text[at:end]
        self.position = end
        if not name:
            raise Refusal(_nameless(text, begin, at, words))
        if name == "o":
            self.flags = flags
            return
        if name not in VARIABLES:
            near = suggestion(nearest(name, VARIABLES))
            raise Refusal(
                f"no such format variable '{name}'. If you wanted to emit the '%' character verbatim, you need to use "
                f"'%%'.{near}"
            )
        self.found.append(LogPart(VARIABLE, b"", name, None, "Q" in flags, "E" in flags, "X" in flags))

    def _check(self, sample: Sample) -> None:
        if sample.fetch.name == "unique-id" and not self.is_at_end:
            raise Refusal("sample fetch <unique-id> is what this format makes, and cannot be a part of it.")
        if sample.side == "any" or sample.fetch.name in TOLD_AT_THE_END or (sample.side == "request" and not self.is_at_end):
            return
        needs = "HTTP request headers" if sample.side == "request" else "HTTP response headers"
        hint = " : capture it" if self.is_at_end else ""
        raise Refusal(
            f"sample fetch <{sample.text}> may not be reliably used here because it needs '{needs}' which is not available here"
            f"{hint}."
        )


def _changed(flags: frozenset[str], words: str) -> frozenset[str]:
    """The flags after `+Q,-E`; what is none of them changes nothing, as in HAProxy."""
    for word in words.split(","):
        sign, letter = word[:1], word[1:].strip()
        if letter and letter in FLAGS:
            flags = flags | {letter} if sign == "+" else flags - {letter} if sign == "-" else flags
    return flags


def _nameless(text: str, begin: int, at: int, words: str) -> str:
    if at >= len(text):
        return f"parse argument modifier without variable name near '%{{{words}}}'." if words else "truncated line after '%'."
    return (
        f"unexpected variable name near '{text[at]}' at position {begin + 1} line : '{text}'. Maybe you want to write a single "
        "'%', use the syntax '%%'."
    )


def closing(text: str, begin: int) -> int:
    """Where the `]` of a sample is that begins there."""
    depth = 0
    for at in range(begin, len(text)):
        if text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
        elif text[at] == "]" and depth <= 0:
            return at
    raise Refusal(f"expected ']' behind '%[' (got '{text[begin - 2 :]}')")
