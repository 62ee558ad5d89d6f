"""The reports that tools read: `show info` and `show stat` in all their forms, and the schema of the JSON ones."""

import json
from collections.abc import Iterator
from typing import Final

from balancer.admin.table import OPERATOR, USER, Refusal, Talk, command
from balancer.observe import stats
from balancer.observe.info import ProcessInfo, rows
from balancer.observe.tags import INFO_TAGS, NATURES, ORIGINS, SCOPES

NO_SUCH_PROXY: Final = "No such proxy.\n"
# Where several are asked for the last one counts.
FORMS: Final = ("typed", "json")


@command("show info", USER, "show info [desc|json|typed|float]*", "report information about the running process")
def _show_info(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    found = rows(info, "float" in words)
    form = form_of(words)
    if form == "json":
        items: list[str] = []
        for place, line, value in found:
            tag = INFO_TAGS[line.name]
            shown = str(value) if tag.type == "str" else value
            items.append(stats.json_item({}, place, line.name, tag.letters, tag.type, shown))
        return "[" + ",".join(items) + "]\n"
    lines: list[str] = []
    for place, line, value in found:
        tag = INFO_TAGS[line.name]
        head = f"{place}.{line.name}.1:{tag.letters}:{tag.type}:" if form == "typed" else f"{line.name}: "
        text = f':"{line.help}"' if "desc" in words else ""
        lines.append(f"{head}{value}{text}\n")
    return "".join(lines)


@command("show stat", USER, "show stat [desc|json|no-maint|typed|up]*", "report counters for each proxy and server")
def _show_stat(talk: Talk, info: ProcessInfo, words: list[str]) -> Iterator[str]:
    number, kinds, server_number = -1, stats.EVERYTHING, -1
    if len(words) >= 3:  # PROXY TYPE SID
        found = proxy_number(info, words[0])
        if not found:
            raise Refusal(NO_SUCH_PROXY)
        number, kinds, server_number = found, integer(words[1]), integer(words[2])
        words = words[3:]
    choice = stats.Choice(number, kinds, server_number, "no-maint" in words, "up" in words, talk.may(OPERATOR), "desc" in words)
    return stats.parts(form_of(words), info.farm, info.clock(), choice)


@command("show schema json", USER, "show schema json", "report schema used for stats")
def _schema(_talk: Talk, _info: ProcessInfo, _words: list[str]) -> str:
    return json.dumps(SCHEMA, separators=(",", ":")) + "\n"


def form_of(words: list[str]) -> str:
    """The last form that the words name, "csv" where there is none."""
    named = [word for word in words if word in FORMS]
    return named[-1] if named else "csv"


def proxy_number(info: ProcessInfo, word: str) -> int:
    """The number of the proxy of that name, or the number that the word is; 0 if it is neither."""
    numbers = {backend.name: backend.number for backend in info.farm.backends}
    numbers |= {frontend.name: frontend.number for frontend in info.farm.frontends}
    return numbers.get(word) or integer(word)


def integer(word: str) -> int:
    """As C's atoi: the digits at the beginning, 0 for what does not begin with a number; bounded to nine digits."""
    sign = -1 if word.startswith("-") else 1
    digits = word.removeprefix("-") if sign < 0 else word.removeprefix("+")
    length = 0
    while length < min(len(digits), 9) and digits[length] in "0123456789":
        length += 1
    return sign * int(digits[:length]) if length else 0


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{name}"}


def _references(*names: str) -> dict[str, dict[str, str]]:
    return {name: _reference(name) for name in names}


def _words(table: dict[str, str]) -> dict[str, object]:
    return {"type": "string", "enum": [*table.values(), "Unknown"]}


def _number(name: str, least: int, most: int) -> dict[str, object]:
    properties = {"type": {"type": "string", "enum": [name]}, "value": {"type": "integer", "minimum": least, "maximum": most}}
    return {"properties": properties, "required": ["type", "value"]}


def _schema_of() -> dict[str, object]:
    natural = {"type": "integer", "minimum": 0}
    types = ("s32Value", "s64Value", "u32Value", "u64Value", "strValue")
    info_item = {
        "title": "InfoItem",
        "type": "object",
        "properties": _references("field", "processNum", "tags") | {"value": _reference("typedValue")},
        "required": ["field", "processNum", "tags", "value"],
    }
    stat_item = {
        "title": "InfoItem",
        "type": "object",
        "properties": {
            "objType": {"enum": ["Frontend", "Backend", "Listener", "Server", "Unknown"]},
            "proxyId": natural,
            "id": natural,
            **_references("field", "processNum", "tags", "typedValue"),
        },
        "required": ["objType", "proxyId", "id", "field", "processNum", "tags", "value"],
    }
    value_definitions = {
        "s32Value": _number("s32", -(1 << 31), (1 << 31) - 1),
        "s64Value": _number("s64", -(1 << 53) + 1, (1 << 53) - 1),
        "u32Value": _number("u32", 0, (1 << 32) - 1),
        "u64Value": _number("u64", 0, (1 << 53) - 1),
        "strValue": {
            "properties": {"type": {"type": "string", "enum": ["str"]}, "value": {"type": "string"}},
            "required": ["type", "value"],
        },
        "unknownValue": {
            "properties": {"type": natural, "value": {"type": "string", "enum": ["unknown"]}},
            "required": ["type", "value"],
        },
    }
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "oneOf": [
            {"title": "Info", "type": "array", "items": info_item},
            {"title": "Stat", "type": "array", "items": stat_item},
            {
                "title": "Error",
                "type": "object",
                "properties": {"errorStr": {"type": "string"}},
                "required": ["errorStr"],
            },
        ],
        "definitions": {
            "field": {"type": "object", "pos": natural, "name": {"type": "string"}, "required": ["pos", "name"]},
            "processNum": {"type": "integer", "minimum": 1},
            "tags": {
                "type": "object",
                "origin": _words(ORIGINS),
                "nature": _words(NATURES),
                "scope": _words(SCOPES),
                "required": ["origin", "nature", "scope"],
            },
            "typedValue": {
                "type": "object",
                "oneOf": [_reference(f"typedValue/definitions/{name}") for name in types],
                "definitions": value_definitions,
            },
        },
    }


SCHEMA: Final = _schema_of()
