"""The tables of `docs/log.md`: `python -m balancer.config.logdocument docs/log.md` writes them anew between their marks.

What stands outside the marks is written by hand. A test compares the file with what this gives.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from balancer.config.logformats import CLF_FORMAT, HTTP_FORMAT, TCP_FORMAT
from balancer.config.logvariables import VARIABLES

BEGIN: Final = "<!-- begin: made by `python -m balancer.config.logdocument docs/log.md`, do not edit by hand -->"
END: Final = "<!-- end -->"
BAR: Final = "\\|"


def tables() -> str:
    """What stands between the marks."""
    lines = ["| variable | is a | says |", "|---|---|---|"]
    for row in VARIABLES.values():
        lines.append(f"| `%{row.name}` | {row.kind} | {row.text.replace('|', BAR)} |")
    lines.append("| `%o` | | the flags before it hold for all that follow |")
    waiting = " ".join(f"`%{row.name}`" for row in VARIABLES.values() if row.waits)
    lines += ["", f"What waits for the end of a request: {waiting}.", ""]
    lines += ["| named format | is |", "|---|---|"]
    for words, text in (("option httplog", HTTP_FORMAT), ("option httplog clf", CLF_FORMAT), ("option tcplog", TCP_FORMAT)):
        lines.append(f"| `{words}` | `{text}` |")
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """The document with its tables made anew. Raises ValueError where the marks are missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"expects '{BEGIN}' and '{END}' in the document")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Renews the file that is named, or writes the tables to standard output."""
    if not arguments:
        sys.stdout.write(tables())
        return 0
    path = Path(arguments[0])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
