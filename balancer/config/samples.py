"""Samples out of the words of a file: `fetch(arguments),converter(arguments),..`.

Arguments stand between parentheses and are parted by commas; quotes and backslashes protect within them. Every name and every
count of arguments is checked here, and what is refused says what is known.
"""

import re
from typing import Final

import regex

from balancer.config.findings import Refusal
from balancer.config.foreignsamples import FOREIGN_CONVERTERS, FOREIGN_FETCHES
from balancer.config.keywords import nearest, suggestion
from balancer.config.samplewords import CONVERTERS, FETCHES, REFUSED_CONVERTERS
from balancer.rulebook import Call, Sample

SCOPES: Final = ("proc", "sess", "txn", "req", "res", "check")
VARIABLE: Final = re.compile(r"(proc|sess|txn|req|res)\.[A-Za-z0-9_.]+")
NAME: Final = re.compile(r"[A-Za-z0-9_.\-]*")
NUMBER: Final = re.compile(r"[-+]?[0-9]{1,18}")
# What each kind can be read as where a converter takes another one.
CASTS: Final[dict[str, tuple[str, ...]]] = {
    "any": ("bool", "int", "str", "addr", "any"),
    "bool": ("bool", "int", "str", "any"),
    "int": ("bool", "int", "str", "addr", "any"),
    "str": ("int", "str", "addr", "any", "bool"),
    "addr": ("str", "addr", "any", "int"),
}
INTEGER_ARGUMENTS: Final[dict[str, int]] = {
    "bytes": 0,
    "field": 0,
    "word": 0,
    "sha2": 0,
    "crc32": 0,
    "djb2": 0,
    "sdbm": 0,
    "wt6": 0,
}
ARITHMETIC: Final = ("add", "sub", "mul", "div", "mod", "and", "or", "xor")


def parse_sample(text: str) -> Sample:
    """The sample of a whole word; Refusal says what is wrong with it."""
    call, end = _call(text, 0)
    row = FETCHES.get(call.name)
    if row is None:
        if call.name in FOREIGN_FETCHES:
            raise Refusal(f"fetch method '{call.name}' is not supported : {FOREIGN_FETCHES[call.name]}")
        near = suggestion(nearest(call.name, FETCHES))
        raise Refusal(f"unknown fetch method '{call.name}'{near}")
    _check_count(f"fetch method '{call.name}'", call, row.least, row.most)
    _check_fetch(call)
    kind = row.kind
    if row.match and call.name.endswith("_len"):
        kind = "str"
    converters: list[Call] = []
    while end < len(text):
        if text[end] != ",":
            raise Refusal(f"'{text}' : expects ',' and a converter (got '{text[end:]}')")
        converter, end = _call(text, end + 1)
        kind = _converter(text, converter, kind)
        converters.append(converter)
    return Sample(call, tuple(converters), kind, row.side, text)


def check_variable(name: str) -> None:
    """Refuses what is no name of a variable."""
    if VARIABLE.fullmatch(name) is None:
        raise Refusal(f"invalid variable name '{name}'. Expects one of 'proc.', 'sess.', 'txn.', 'req.' and 'res.' before it")


def _converter(text: str, call: Call, kind: str) -> str:
    row = CONVERTERS.get(call.name)
    if row is None:
        if call.name in FOREIGN_CONVERTERS:
            raise Refusal(f"converter '{call.name}' is not supported : {FOREIGN_CONVERTERS[call.name]}")
        for prefix, why in REFUSED_CONVERTERS.items():
            if call.name == prefix or call.name.startswith((prefix + "_", prefix + ".")):
                raise Refusal(f"converter '{call.name}' is not supported : {why}")
        raise Refusal(f"unknown converter '{call.name}'{suggestion(nearest(call.name, CONVERTERS))}")
    _check_count(f"converter '{call.name}'", call, row.least, row.most)
    if row.takes not in CASTS[kind]:
        raise Refusal(f"converter '{call.name}' cannot be applied to '{text}' : expects {row.takes} (got {kind})")
    at = INTEGER_ARGUMENTS.get(call.name)
    arguments = call.arguments
    if call.name in ("field", "word", "bytes"):
        for argument in (*arguments[:1], *arguments[2:3], *(arguments[1:2] if call.name == "bytes" else ())):
            _integer(call.name, argument)
    elif at is not None and arguments:
        _integer(call.name, arguments[at])
    elif call.name in ARITHMETIC and NUMBER.fullmatch(arguments[0]) is None:
        check_variable(arguments[0])
    elif call.name in ("set-var", "strcmp"):
        check_variable(arguments[0])
    elif call.name == "concat" and arguments[1:2] not in ((), ("",)):
        check_variable(arguments[1])
    elif call.name in ("capture-req", "capture-res"):
        _integer(call.name, arguments[0])
    elif call.name == "regsub":
        check_pattern(arguments[0], False)
    return kind if row.gives == "any" else row.gives


def check_pattern(pattern: str, ignores_case: bool) -> None:
    """Refuses what is no regular expression."""
    try:
        regex.compile(pattern.encode("utf-8", "surrogateescape"), regex.IGNORECASE if ignores_case else 0)
    except (regex.error, RecursionError, OverflowError) as error:
        raise Refusal(f"regex '{pattern}' is invalid (error={error})") from error


def _integer(name: str, argument: str) -> None:
    if NUMBER.fullmatch(argument) is None:
        raise Refusal(f"'{name}' expects a whole number as argument (got '{argument}')")


def _check_fetch(call: Call) -> None:
    name, arguments = call.name, call.arguments
    if name == "var":
        check_variable(arguments[0])
    elif name in ("int", "rand", "capture.req.hdr", "capture.res.hdr") and arguments:
        _integer(name, arguments[0])
    elif name.split(".")[-1].split("_")[0] in ("hdr", "fhdr", "shdr") and len(arguments) > 1:
        _integer(name, arguments[1])
    elif name == "bool" and arguments[0] not in ("true", "false", "0", "1"):
        raise Refusal(f"'bool' expects 'true' or 'false' (got '{arguments[0]}')")


def _check_count(subject: str, call: Call, least: int, most: int) -> None:
    count = len(call.arguments)
    if not least <= count <= most or (least and not call.arguments[0]):
        expected = "no argument" if not most else f"{least} argument(s)" if least == most else f"{least} to {most} arguments"
        raise Refusal(f"{subject} expects {expected} (got {count if count and call.arguments[0] else 0})")


def _call(text: str, begin: int) -> tuple[Call, int]:
    """A name and its arguments from `begin`, and where they end."""
    found = NAME.match(text, begin)
    assert found is not None
    name, at = found.group(), found.end()
    if at >= len(text) or text[at] != "(":
        return Call(name), at
    arguments: list[str] = []
    now: list[str] = []
    quote = ""
    depth = 0
    at += 1
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'" and at + 1 < len(text) and text[at + 1] in "\\'\", ()":
            now.append(text[at + 1])
            at += 2
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                now.append(char)
        elif char in "'\"":
            quote = char
        elif char == "(":
            depth += 1
            now.append(char)
        elif char == ")" and depth:
            depth -= 1
            now.append(char)
        elif char == ")":
            arguments.append("".join(now))
            return Call(name, () if arguments == [""] else tuple(arguments)), at + 1
        elif char == ",":
            arguments.append("".join(now))
            now = []
        else:
            now.append(char)
        at += 1
    raise Refusal(f"expected ')' before the end of '{text[begin:]}'")
