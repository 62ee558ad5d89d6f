"""Writes docs/http.md from the rows."""

import sys
from typing import Final

from rules import chunks, elsewhere, request_fields, request_framing, request_lines, response_ends, responses
from rules.cases import Answered, Cut, Forwarded, Group, Refused, Request, Response

GROUPS: Final[list[Group]] = [
    group
    for module in (request_lines, request_fields, request_framing, chunks, responses, response_ends)
    for group in module.GROUPS
]

HEAD: Final = """# HTTP/1.1, rule by rule

Each row is a conversation over raw sockets with the running program: what is sent, and what must come of it. `make test` holds
every one; those about requests are sent whole and once more with each octet in a segment of its own. The rows are data
(`tests/rules/`), and this page is made from them (`python -m rules.document` in `tests/`).

*Refused* means that the client gets that status and its connection ends, and no server sees a whole request. *Forwarded* means
that a strict reader on the server's side sees exactly that request and nothing else. *Answered* and *cut* are what a strict
reader on the client's side sees; after a cut answer nobody can take it for whole. Each row also demands one line in the log for
each request, no more, no less.

The test of a row is `tests/scenarios/test_http_rules.py::test_request[RULE]` (and `test_request_octet_by_octet`) or
`test_response[RULE]`. The tables at the end name a test each: rules that want more than one conversation.
"""


def document() -> str:
    """The whole page."""
    parts = [HEAD]
    for group in GROUPS:
        parts.append(f"\n## {group.title}\n\n{group.text}\n\n| rule | section | what we do |\n|---|---|---|\n")
        parts.extend(f"| {_cell(row.rule)} | {row.section} | {_cell(_does(row))} |\n" for row in group.rows)
    for title, rules in elsewhere.CHAPTERS:
        parts.append(f"\n## {title}\n\n| rule | section | what we do | test |\n|---|---|---|---|\n")
        parts.extend(f"| {rule.rule} | {rule.section} | {rule.does} | `{rule.test}` |\n" for rule in rules)
    return "".join(parts)


def _does(row: Request | Response) -> str:
    result = row.result
    match result:
        case Refused():
            return f"{result.status}, close" if result.status else "no answer, the server's connection is cut"
        case Forwarded():
            return _forwarded(result)
        case Cut():
            return "cut" + (f", `{row.flags}--` in the log" if isinstance(row, Response) and row.flags else "")
        case Answered():
            return _answered(result)


def _forwarded(result: Forwarded) -> str:
    method = result.line.split(" ")[0]
    plain = result.line in (f"{method} / HTTP/1.1",) and result.requests == 1
    parts = [
        "forwarded"
        if plain
        else f"forwarded as `{_short(result.line)}`"
        if result.requests == 1
        else f"{result.requests} requests, {result.requests} answers"
    ]
    if not result.keeps:
        parts.append("then close")
    return ", ".join(parts)


def _answered(result: Answered) -> str:
    if result.status == 502:
        return "502, the server's connection is destroyed"
    parts = [f"answered {result.status}"]
    if result.interim:
        parts.append("interim " + " ".join(map(str, result.interim)))
    if result.lacks:
        parts.append("without " + ", ".join(f"`{name}`" for name in result.lacks))
    if not result.keeps_server and result.keeps:
        parts.append("the server's connection is not kept")
    if not result.keeps:
        parts.append("then close")
    return ", ".join(parts)


def _short(line: str) -> str:
    return line if len(line) <= 60 else f"{line[:40]}... ({len(line)} octets)"


def _cell(text: str) -> str:
    """Text that cannot break a table: what is not printable is named by its number."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(document())
