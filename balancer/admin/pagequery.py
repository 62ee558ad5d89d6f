"""What is asked of a statistics page behind its `uri`: `;csv`, `;up`, `;st=DONE`, `scope=app`, anywhere, as in HAProxy."""

import re
from dataclasses import dataclass
from typing import Final

SCOPE_LENGTH_MAX: Final = 20
# What HAProxy lets stand in a scope; anything else would have to be escaped in links.
NO_SCOPE_LETTER: Final = re.compile(r"[^A-Za-z0-9._:+%-]")
SCOPE: Final = re.compile(r"scope=([^;&? ]*)")
STATUS: Final = re.compile(r";st=(.{0,4})")

HTML: Final = "html"
CSV: Final = "csv"
JSON: Final = "json"
SCHEMA: Final = "json-schema"
CONTENT_TYPES: Final = {
    HTML: "text/html; charset=utf-8",
    CSV: "text/plain",
    JSON: "application/json",
    SCHEMA: "application/json",
}


@dataclass(frozen=True)
class PageQuery:
    """One request's wishes."""

    form: str = HTML
    hides_down: bool = False
    hides_maint: bool = False
    is_still: bool = False  # norefresh
    status: str = ""  # "": no notice; UNKN for one that is not known
    scope: str = ""

    def link(self, uri: str, **changes: bool) -> str:
        """The target of this page with other wishes; the notice is not carried along."""
        wishes = {"up": self.hides_down, "no-maint": self.hides_maint, "norefresh": self.is_still} | changes
        words = "".join(f";{word}" for word, holds in wishes.items() if holds)
        return f"{uri}{words}{f';scope={self.scope}' if self.scope else ''}"

    def after_post(self, uri: str, status: str) -> str:
        """Where a browser goes after an action."""
        words = f";st={status}" + (";up" if self.hides_down else "") + (";norefresh" if self.is_still else "")
        return f"{uri}{words}{f'?scope={self.scope}' if self.scope else ''}"


def parse_query(rest: str, statuses: frozenset[str]) -> PageQuery:
    """Reads what follows the `uri` in a target."""
    form = CSV if ";csv" in rest else SCHEMA if ";json-schema" in rest else JSON if ";json" in rest else HTML
    scope = SCOPE.search(rest)
    status = STATUS.search(rest)
    return PageQuery(
        form,
        ";up" in rest,
        ";no-maint" in rest,
        ";norefresh" in rest,
        "" if status is None else status[1] if status[1] in statuses else "UNKN",
        "" if scope is None else NO_SCOPE_LETTER.sub("_", scope[1][:SCOPE_LENGTH_MAX]),
    )
