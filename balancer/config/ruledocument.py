"""`docs/rules.md`, made from the tables: `python -m balancer.config.ruledocument docs/rules.md` writes it.

A test compares the file with what this gives.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from balancer.config.acls import MATCHES, PREDEFINED
from balancer.config.foreignsamples import FOREIGN_CONVERTERS, FOREIGN_FETCHES
from balancer.config.rules import ACTIONS, REFUSED
from balancer.config.samplewords import CONVERTERS, FETCHES, REFUSED_CONVERTERS

HEADING: Final = """# Rules

Made from the tables in `balancer/config/` by `python -m balancer.config.ruledocument docs/rules.md`; do not edit it by hand.

A rule is an action and, behind `if` or `unless`, a condition: names of `acl` lines and anonymous ones in `{ }`, all of which
must be true; `or` (`||`) begins another alternative, `!` negates. Several `acl` lines of one name are one test, of which any
line is enough. An `acl` is a fetch with its converters, flags (`-i`, `-m MATCH`, `-f FILE`, `-n`, `--`) and patterns; files of
patterns are read at the start. Texts may hold `%[fetch,converter]` and the variables of log formats ([log.md](log.md)), which
say what the log would say at that moment; what is empty leaves nothing.

The frontend's `http-request` rules run first, then its statistics page takes what is for it, then come its `redirect` lines and
`use_backend`, then the same of the backend; the two halves of a `listen` section are one. On an answer the backend's rules run
before those of the frontend; `http-after-response` sees answers of ours as well. Rules of a named `defaults` section come
before those of a frontend or backend that takes it over. What no rule asks for is not looked at.

A control octet that a sample brings into a text is percent encoded. What rules have changed is written out and read again by
the parser of all messages; what is no message then is answered 500 and reaches nobody. Behind `strict-mode off`, a change that
cannot be made is left undone. No rule can change what frames a message (`content-length`, `transfer-encoding`, `connection`,
`upgrade`).

Regular expressions are those of the library `regex`, which reads what PCRE reads. A pattern sees at most 16384 octets and
searches for 5 milliseconds; one that takes longer has found nothing.
"""


def page() -> str:
    """The whole page."""
    parts = [HEADING, "## Actions\n", "| action | lists |", "|---|---|"]
    names = {"q": "http-request", "s": "http-response", "a": "http-after-response"}
    for action, (where, _) in ACTIONS.items():
        parts.append(f"| `{action}` | {', '.join(names[letter] for letter in where)} |")
    parts.append("| `set-var(NAME)` `set-var-fmt(NAME)` `unset-var(NAME)` | all |")
    parts.append("| `use-service prometheus-exporter` | http-request |")
    parts += ["", "Refused:", ""]
    parts += [f"- `{action}`: {why}" for action, why in REFUSED.items()]
    parts += ["", "## Predefined conditions", ""]
    parts += [f"- `{name}`: `{' '.join(words)}`" for name, words in PREDEFINED.items()]
    parts += ["", f"Matches: {' '.join(f'`{match}`' for match in MATCHES)}", "", "## Fetches", ""]
    parts += ["| fetch | gives | asked | what |", "|---|---|---|---|"]
    for fetch in FETCHES.values():
        parts.append(f"| `{fetch.name}` | {fetch.kind} | {fetch.side} | {fetch.text} |")
    parts += ["", "Refused:", "", *_by_reason(FOREIGN_FETCHES)]
    parts += ["", "## Converters", "", "| converter | takes | gives | what |", "|---|---|---|---|"]
    for converter in CONVERTERS.values():
        parts.append(f"| `{converter.name}` | {converter.takes} | {converter.gives} | {converter.text} |")
    parts += ["", "Refused:", ""]
    parts += [f"- `{name}`: {why}" for name, why in REFUSED_CONVERTERS.items()]
    parts += _by_reason(FOREIGN_CONVERTERS)
    return "\n".join(parts) + "\n"


def _by_reason(foreign: dict[str, str]) -> list[str]:
    """What is refused, a line for each reason."""
    names: dict[str, list[str]] = {}
    for name, why in foreign.items():
        names.setdefault(why, []).append(f"`{name}`")
    return [f"- {why}: {' '.join(sorted(found))}" for why, found in names.items()]


def main(arguments: Sequence[str]) -> int:
    """Writes the page to the path given, or to standard output."""
    if arguments:
        Path(arguments[0]).write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
