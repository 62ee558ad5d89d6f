"""Texts with samples in them, `%[fetch,converter]`, as rules take them for values."""

from balancer.config.findings import Refusal
from balancer.config.samples import parse_sample
from balancer.rulebook import Piece


def parse_text(text: str) -> tuple[Piece, ...]:
    """The pieces of a text; `%%` is one percent sign."""
    pieces: list[Piece] = []
    plain: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "%":
            plain.append(text[at])
            at += 1
        elif text.startswith("%%", at):
            plain.append("%")
            at += 2
        elif text.startswith("%[", at):
            end = closing(text, at + 2)
            if plain:
                pieces.append("".join(plain).encode("utf-8", "surrogateescape"))
                plain = []
            pieces.append(parse_sample(text[at + 2 : end].strip()))
            at = end + 1
        else:
            raise Refusal(
                f"'{text[at : at + 4]}' : variables of log formats are not supported in rules, expects '%[fetch]' or '%%'"
            )
    if plain:
        pieces.append("".join(plain).encode("utf-8", "surrogateescape"))
    return tuple(pieces)


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
