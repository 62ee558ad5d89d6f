"""From the words of a line to the row of the table that they mean, and to what becomes of it.

A keyword that is not found where it stands is one of four things, and told apart: mistyped, of another section, of a family
with a second word (`option`, `timeout`) that does not exist, or of a capability that this section has not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from balancer.config.drafts import GlobalDraft, ProxyDraft
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import GONE, NO_EFFECT, REFUSED, SECTIONS, WORKS, Keyword, Table, nearest, suggestion
from balancer.config.known_sections import NEGATABLE, NOT_NEGATABLE
from balancer.config.reader import Line
from balancer.config.statement import Statement
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE
from balancer.model import Origin

# In the wrong section these are refused, as HAProxy does: without them something else would be served.
NEVER_IGNORED: Final = ("server", "http-request")
# A family of more words is not listed in a message.
FAMILY_LISTED_MAX: Final = 16
NEGATIONS: Final = ("no", "default")
NEGATABLE_ONLY: Final = "only before options with two states and 'log'"


@dataclass(frozen=True)
class Section:
    """The section that a line stands in; `proxy` is None in `global`."""

    letter: str
    process: GlobalDraft
    proxy: ProxyDraft | None
    resolves: bool
    report: Report

    def kind(self) -> str:
        """The word that opened the section."""
        return SECTIONS[self.letter]


def apply_line(section: Section, line: Line) -> None:
    """Applies one line to its section. Raises Refusal for what cannot be taken; warnings go to the report."""
    words = line.words
    prefix = ""
    if words[0] in NEGATIONS:
        prefix, words = words[0], words[1:]
        if not words:
            raise Refusal(f"'{prefix}' expects a keyword after it (got nothing)")
    row = _find(section, words, line.origin)
    if row is None:
        return
    if prefix and not _can_negate(row):
        raise Refusal(f"'{prefix}' is not supported before '{row.words}', {NEGATABLE_ONLY}")
    if prefix == "default" and row.words == "log":
        raise Refusal("'default' is not supported before 'log', say 'no log' or 'log global'")
    if prefix and row.fate != WORKS:
        return  # what is never there need not be taken away
    arguments = words[row.words.count(" ") + 1 :]
    # Every option is off by default, so that `default` takes back what `no` does.
    _apply(section, row, Statement(line.origin, row.words, arguments, prefix != "", section.resolves, section.report))


def _apply(section: Section, row: Keyword[Any], statement: Statement) -> None:
    if row.fate == REFUSED:
        raise Refusal(f"'{row.words}' is known to HAProxy and not supported yet{_tail(row)}")
    if row.fate == GONE:
        raise Refusal(f"'{row.words}' is not supported any more, {row.text}")
    if row.fate == NO_EFFECT:
        statement.warn(f"'{row.words}' is known to HAProxy and has no effect here{_tail(row)}")
        return
    assert row.apply is not None
    row.apply(section.proxy or section.process, statement)
    if row.modern:
        modern = " ".join((row.modern, *statement.arguments))
        section.report.notice(statement.origin, f"'{row.words}' works; its modern form is '{modern}'")


def _find(section: Section, words: Sequence[str], origin: Origin) -> Keyword[Any] | None:
    table: Table[Any] = GLOBAL_TABLE if section.proxy is None else PROXY_TABLE
    row = table.find(words)
    if row is None:
        raise Refusal(_unknown(section, table, words))
    if section.letter in row.sections:
        return row
    proxy = section.proxy
    homes = _homes(row)
    if proxy is None or section.letter == "D" or row.words in NEVER_IGNORED or row.fate in (REFUSED, GONE):
        raise Refusal(f"'{row.words}' not allowed in '{section.kind()}' section, expects one of {homes}")
    capability = "backend" if section.letter == "F" else "frontend"
    hint = " Maybe you want 'fullconn' instead ?" if row.words == "maxconn" else ""
    section.report.warning(
        origin, f"'{row.words}' ignored because {proxy.label()} '{proxy.name}' has no {capability} capability.{hint}"
    )
    return None


def _can_negate(row: Keyword[Any]) -> bool:
    return (
        row.can_negate
        or row.words in NEGATABLE
        or (row.fate != WORKS and row.words.startswith("option ") and row.words not in NOT_NEGATABLE)
    )


def _unknown(section: Section, table: Table[Any], words: Sequence[str]) -> str:
    other: Table[Any] = PROXY_TABLE if table is GLOBAL_TABLE else GLOBAL_TABLE
    elsewhere = other.find(words)
    if elsewhere is not None:
        return f"'{elsewhere.words}' not allowed in '{section.kind()}' section, expects one of {_homes(elsewhere)}"
    family = table.second_words(words[0])
    if family:
        found = words[1] if len(words) > 1 else ""
        near = suggestion(nearest(found, family))
        if len(family) > FAMILY_LISTED_MAX:
            return f"unknown {words[0]} '{found}'{near}"
        return f"'{words[0]}' expects one of {', '.join(family)} (got '{found}'){near}"
    near = suggestion(table.nearest(words, section.letter))
    return f"unknown keyword '{words[0]}' in '{section.kind()}' section{near}"


def _homes(row: Keyword[Any]) -> str:
    return ", ".join(SECTIONS[letter] for letter in SECTIONS if letter in row.sections)


def _tail(row: Keyword[Any]) -> str:
    return f" : {row.text}" if row.text else ""
