"""The conditions of `stats admin` and `stats http-request`: the predefined names and `src`, joined by `and`, `or`, `!`."""

from ipaddress import ip_network
from typing import Final

from balancer.config.findings import Refusal
from balancer.model import StatsCondition, StatsTerm

ALWAYS: Final = ("TRUE", "HTTP")
NEVER: Final = "FALSE"
LOCALHOST: Final = ("127.0.0.0/8", "::1/128")


def parse_condition(subject: str, words: tuple[str, ...]) -> StatsCondition:
    """Reads `if TERMS` or `unless TERMS`; no words at all are always true."""
    if not words:
        return StatsCondition()
    if words[0] not in ("if", "unless"):
        raise Refusal(f"'{subject}' expects 'if' or 'unless' (got '{words[0]}')")
    left = list(words[1:])
    alternatives: list[tuple[StatsTerm, ...]] = []
    terms: list[StatsTerm] = []
    while left:
        word = left.pop(0)
        if word.lower() == "or" or word == "||":
            alternatives.append(tuple(terms))
            terms = []
        elif word.lower() != "and":
            terms.append(_term(subject, word, left))
    alternatives.append(tuple(terms))
    return StatsCondition(tuple(alternatives), words[0] == "unless")


def _term(subject: str, word: str, left: list[str]) -> StatsTerm:
    is_negated = False
    while word.startswith("!"):
        is_negated = not is_negated
        word = word[1:] or (left.pop(0) if left else "")
    if word in ALWAYS:
        return StatsTerm((), is_negated)
    if word == NEVER:
        return StatsTerm((), not is_negated)
    if word == "LOCALHOST":
        return StatsTerm(LOCALHOST, is_negated)
    if word == "{" and "}" in left:
        end = left.index("}")
        inner = left[:end]
        del left[: end + 1]
        if inner and inner[0] == "src":
            return StatsTerm(tuple(_network(subject, each) for each in inner[1:] if each != "-i"), is_negated)
        word = f"{{ {' '.join(inner)} }}"
    raise Refusal(f"error detected while parsing a '{subject}' rule : no such ACL : '{word}'.")


def _network(subject: str, word: str) -> str:
    try:
        return str(ip_network(word, strict=False))
    except ValueError:
        raise Refusal(f"error detected while parsing a '{subject}' rule : '{word}' is not a valid IP address.") from None
