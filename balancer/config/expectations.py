"""`http-check expect`: which answers are good, and what is told of the others.

    http-check expect [min-recv N] [comment TEXT] [ok-status S] [error-status S] [tout-status S] [on-success TEXT]
                      [on-error TEXT] [!] status|rstatus|string|rstring PATTERN

Regular expressions are Python's, tried when the file is read. Matches on fields and on samples are known and refused.
"""

import re
from typing import Final

from balancer.config.findings import Refusal
from balancer.config.statement import integer_of
from balancer.config.wire import plain_format
from balancer.model import CheckExpect

KINDS: Final = ("status", "rstatus", "string", "rstring")
KINDS_REFUSED: Final = ("hdr", "fhdr", "string-lf", "status-code")
# What the options that name a state may name.
STATES: Final[dict[str, tuple[str, ...]]] = {
    "ok-status": ("L4OK", "L6OK", "L7OK", "L7OKC"),
    "error-status": ("L4CON", "L6RSP", "L7OKC", "L7RSP", "L7STS"),
    "tout-status": ("L4TOUT", "L6TOUT", "L7TOUT"),
}
OPTIONS: Final = ("min-recv", "comment", "on-success", "on-error", *STATES)
WORDS: Final = (
    "min-recv, comment, ok-status, error-status, tout-status, on-success, on-error and [!]status, [!]rstatus, [!]string, "
    "[!]rstring"
)
SUBJECT: Final = "'http-check expect'"


def parse_expect(arguments: tuple[str, ...]) -> CheckExpect:
    """Reads the words after `http-check expect`."""
    words = list(arguments)
    options: dict[str, str] = {}
    kind, pattern, is_negated = "", "", False
    while words:
        word = words.pop(0)
        if word in KINDS_REFUSED:
            raise Refusal(f"{SUBJECT} : '{word}' is known to HAProxy and not supported yet, expects one of {', '.join(KINDS)}")
        if word.startswith("!") and not kind:
            is_negated = not is_negated
            if word != "!":
                words.insert(0, word[1:])
        elif word in OPTIONS or word in KINDS:
            if word in KINDS and kind:
                raise Refusal(f"{SUBJECT} : expects one pattern only (got '{word}' after '{kind}')")
            if not words or not words[0]:
                what = "a <pattern>" if word in KINDS else "a value"
                raise Refusal(f"{SUBJECT} : '{word}' expects {what} as argument")
            if word in KINDS:
                kind, pattern = word, words.pop(0)
            else:
                options[word] = words.pop(0)
        else:
            raise Refusal(f"{SUBJECT} : only supports {WORDS} (got '{word}')")
    if not kind:
        raise Refusal(f"{SUBJECT} : expects a pattern, one of {', '.join(KINDS)} (got '{' '.join(arguments)}')")
    return _made(kind, pattern, is_negated, options)


def _made(kind: str, pattern: str, is_negated: bool, options: dict[str, str]) -> CheckExpect:
    for option, states in STATES.items():
        if option in options and options[option] not in states:
            raise Refusal(f"{SUBJECT} : '{option}' expects one of {', '.join(states)} (got '{options[option]}')")
    octets = pattern.encode("utf-8", "surrogateescape")
    if kind in ("rstatus", "rstring"):
        try:
            re.compile(octets)
        except re.error as error:
            raise Refusal(f"{SUBJECT} : regex '{pattern}' is invalid ({error})") from error
    return CheckExpect(
        kind=kind,
        ranges=_ranges(pattern) if kind == "status" else (),
        pattern=octets,
        is_negated=is_negated,
        min_octets=integer_of("http-check expect min-recv", options.get("min-recv", "-1"), -1),
        ok_state=options.get("ok-status", ""),
        error_state=options.get("error-status", ""),
        timeout_state=options.get("tout-status", ""),
        on_success=_text(options, "on-success"),
        on_error=_text(options, "on-error"),
        comment=options.get("comment", ""),
    )


def _text(options: dict[str, str], name: str) -> str:
    return plain_format(f"http-check expect {name}", options.get(name, "")).decode("utf-8", "surrogateescape")


def _ranges(pattern: str) -> tuple[tuple[int, int], ...]:
    """`200,300-399` as pairs, both ends included."""
    found: list[tuple[int, int]] = []
    for part in pattern.split(","):
        first, dash, last = part.partition("-")
        for word in (first, last) if dash else (first,):
            if not (word.isascii() and word.isdigit() and len(word) <= 9):
                raise Refusal(
                    f"{SUBJECT} : expects codes and ranges as '200,300-399' as a list of status codes (got '{pattern}')"
                )
        low, high = int(first), int(last or first)
        if high < low:
            raise Refusal(f"{SUBJECT} : invalid range of status codes '{part}'")
        found.append((low, high))
    return tuple(found)
