"""`docs/keywords.md`, made from the tables: `python -m balancer.config.document` writes it to standard output.

With a path as argument it writes the file. A test compares the file with what this gives, so that a row that changes
without the page fails there.
"""

import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

from balancer.config import rings
from balancer.config.binds import BIND_TABLE
from balancer.config.conditions import PREDICATES
from balancer.config.cookies import FLAGS, VALUES
from balancer.config.features import PRESENT
from balancer.config.keywords import GONE, NO_EFFECT, REFUSED, SECTIONS, WORKS, Keyword, Table
from balancer.config.logs import FORMATS
from balancer.config.sections import HTTP_ERRORS, IDLE_SECTIONS, PROXIES, REFUSED_SECTIONS, RING
from balancer.config.servers import SERVER_TABLE
from balancer.config.statsocket import STATS_TABLE
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE

HEADING: Final = """# Keywords

Made from the tables in `balancer/config/` by `python -m balancer.config.document docs/keywords.md`; do not edit it by hand.

What becomes of a keyword:

- **works**: it does what HAProxy's manual says of it; differences are in [differences.md](differences.md).
- **old**: it works, too; a notice names its modern form (`-dW` does not mind a notice, `-q` silences it).
- **no effect**: HAProxy knows it, it only tunes or only changes what is said elsewhere: a warning.
- **refused**: HAProxy knows it and it is not supported yet; ignoring it would change what is served or who is let in: an error.
- **gone**: older versions of HAProxy had it, 2.6 refuses it itself: an error that names what does its work today.

Any other word is an error, with the nearest keyword if one is near. What conditions, rules, fetches
and converters there are says [rules.md](rules.md). Times are milliseconds unless one of the units us, ms, s, m, h, d
follows, at most 2147483647 ms. A line has at most 64 words.

Quotes, backslashes and, within double quotes, `$NAME`, `${NAME}`, `${NAME-default}` and `${NAME[*]}` work as in HAProxy's
manual (2.2, 2.3), as do the blocks `.if`, `.elif`, `.else`, `.endif` and the messages `.notice`, `.warning`, `.alert`,
`.diag` (2.4). Beside the variables of the process there are `HAPROXY_LOCALPEER`, `HAPROXY_CFGFILES`, `HAPROXY_STARTUP_VERSION`
and, with `-W`, `HAPROXY_MWORKER`; `.FILE`, `.LINE` and `.SECTION` tell the place. `default` before an option does what `no`
does, since every option is off by default.
"""


def page() -> str:
    """The whole page."""
    parts = [HEADING, _counts(), _sections(), _table("The section `global`", GLOBAL_TABLE), _table(_PROXIES, PROXY_TABLE, True)]
    parts.append(_table("Options of `server` and `default-server`", SERVER_TABLE))
    parts.append(_table("Options of `bind`", BIND_TABLE))
    parts.append(_table("Options of `stats socket`", STATS_TABLE))
    parts.append(_words())
    return "\n".join(parts)


FATES: Final = (WORKS, NO_EFFECT, REFUSED, GONE)
TABLES: Final[dict[str, Table[Any]]] = {
    "`global`": GLOBAL_TABLE,
    "`defaults`, `frontend`, `listen`, `backend`": PROXY_TABLE,
    "`server`, `default-server`": SERVER_TABLE,
    "`bind`": BIND_TABLE,
    "`stats socket`": STATS_TABLE,
}
_PROXIES: Final = "The sections `defaults`, `frontend`, `listen`, `backend`"


def _counts() -> str:
    """How many keywords of each place there are, by what becomes of them."""
    lines = ["| | works | no effect | refused | gone |", "|---|--:|--:|--:|--:|"]
    sums = dict.fromkeys(FATES, 0)
    for title, table in TABLES.items():
        counts = {fate: sum(1 for row in table.rows.values() if row.fate == fate) for fate in FATES}
        sums = {fate: sums[fate] + count for fate, count in counts.items()}
        lines.append(f"| {title} | {' | '.join(str(count) for count in counts.values())} |")
    lines.append(f"| together | {' | '.join(str(count) for count in sums.values())} |")
    return "\n".join(lines) + "\n"


def _sections() -> str:
    lines = ["## Sections", "", "| section | becomes | |", "|---|---|---|"]
    lines += [f"| `{name}` | works | |" for name in ("global", *PROXIES, HTTP_ERRORS, RING)]
    lines += [f"| `{name}` | no effect | {text} |" for name, text in IDLE_SECTIONS.items()]
    lines += [f"| `{name}` | refused | {text} |" for name, text in REFUSED_SECTIONS.items()]
    return "\n".join(lines) + "\n"


def _table(title: str, table: Table[Any], has_sections: bool = False) -> str:
    rows = list(table.rows.values())
    lines = [f"## {title}", ""]
    if has_sections:
        lines += ["| keyword | defaults | frontend | listen | backend | | |", "|---|:-:|:-:|:-:|:-:|---|---|"]
    else:
        lines += ["| keyword | | |", "|---|---|---|"]
    for row in rows:
        if row.fate == WORKS:
            cells = [_name(row), *(_marks(row) if has_sections else ()), "old" if row.modern else WORKS, row.text]
            lines.append(f"| {' | '.join(_escaped(cells))} |")
    lines.append("")
    for fate in (NO_EFFECT, REFUSED, GONE):
        lines += _grouped([row for row in rows if row.fate == fate], fate)
    return "\n".join(lines)


def _grouped(rows: Sequence[Keyword[Any]], fate: str) -> list[str]:
    """Keywords that share a reason share a line."""
    if not rows:
        return []
    by_text: dict[str, list[str]] = {}
    for row in rows:
        by_text.setdefault(row.text, []).append(_name(row))
    lines = [f"| {fate} | |", "|---|---|"]
    for text, names in sorted(by_text.items(), key=lambda entry: (entry[0] == "", entry[0])):
        lines.append(f"| {' '.join(_escaped(sorted(names)))} | {text} |")
    return [*lines, ""]


def _words() -> str:
    lines = ["## Words of single keywords", "", "| keyword | works | refused |", "|---|---|---|"]
    lines.append(f"| `cookie` | {_list((*FLAGS, *VALUES))} | |")
    lines.append(f"| `log ... format` | {_list(FORMATS)} | |")
    lines += ["", "## The section `ring`", "", "| keyword | | |", "|---|---|---|"]
    for fate, rows in ((WORKS, rings.WORKING), (NO_EFFECT, rings.NO_EFFECT), (REFUSED, rings.NOT_YET)):
        lines += [f"| `{name}` | {fate} | {text} |" for name, text in rows.items()]
    lines += ["", "## Conditions", "", "| predicate | |", "|---|---|"]
    lines += [f"| `{name}({', '.join(arguments)})` | {text} |" for name, (arguments, text, _) in PREDICATES.items()]
    lines += ["", f"Features that are present: {_list(sorted(PRESENT))}."]
    return "\n".join(lines) + "\n"


def _name(row: Keyword[Any]) -> str:
    return f"`{row.words}`" + (" (also `no`)" if row.can_negate else "")


def _marks(row: Keyword[Any]) -> tuple[str, ...]:
    return tuple("x" if letter in row.sections else "-" for letter in SECTIONS if letter != "G")


def _escaped(cells: Iterable[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def _list(words: Iterable[str]) -> str:
    return " ".join(f"`{word}`" for word in words)


def main(arguments: Sequence[str]) -> int:
    """Writes the page to the file that is named, or to standard output."""
    if not arguments:
        sys.stdout.write(page())
        return 0
    with open(arguments[0], "w", encoding="utf-8") as file:
        file.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
