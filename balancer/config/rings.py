"""`ring` sections: log lines kept in memory, which `log ring@NAME` fills and `show events NAME` reads.

A ring has HAProxy's defaults: 16384 octets, lines as long as that, without a header (`raw`), its name as description.
Lines are not sent on from here: a `server` in a ring is refused.
"""

from typing import Final

from balancer.config.drafts import GlobalDraft
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import nearest, suggestion
from balancer.config.logs import BUILT_IN_RING, NO_RINGS, log_format
from balancer.config.names import check_name
from balancer.config.statement import Statement, integer_of
from balancer.model import Origin, Ring

SIZE_DEFAULT: Final = 16384
SIZE_MAX: Final = 1 << 30
WORKING: Final[dict[str, str]] = {
    "description": "a text for `show events`; the name",
    "format": "what stands before a line, as in `log ... format`, whose own does not count here; `raw`",
    "maxlen": "how many octets of a line are kept, those before it included; as `size`",
    "size": "how many octets the ring holds; 16384, and not less",
}
NO_EFFECT: Final[dict[str, str]] = {
    "backing-file": "a ring is in memory only",
    "timeout": "a ring sends nothing on",
}
NOT_YET: Final[dict[str, str]] = {
    "server": "lines are not sent on by TCP; log to the address of a syslog daemon that does it, too",
}
KNOWN: Final = (*WORKING, *NO_EFFECT, *NOT_YET)


class RingDraft:
    """One section while it is read."""

    def __init__(self, name: str, origin: Origin) -> None:
        self.name = name
        self.origin = origin
        self.description = name
        self.format = "raw"
        self.length_max = 0
        self.size = SIZE_DEFAULT

    def __repr__(self) -> str:
        return f"<RingDraft {self.name}>"

    def take(self, statement: Statement) -> None:
        """One line of it."""
        keyword = statement.keyword
        if keyword in NOT_YET:
            raise Refusal(f"'{keyword}' in 'ring' is known to HAProxy and not supported yet : {NOT_YET[keyword]}")
        if keyword in NO_EFFECT:
            statement.warn(f"'{keyword}' in 'ring' is known to HAProxy and has no effect here : {NO_EFFECT[keyword]}")
        elif keyword not in WORKING:
            raise Refusal(f"unknown keyword '{keyword}' in 'ring' section{suggestion(nearest(keyword, KNOWN))}")
        else:
            self._take(keyword, statement)

    def ring(self, report: Report) -> Ring:
        """The ring as it is when all is read."""
        if self.length_max > self.size:
            report.warning(
                self.origin,
                f"ring '{self.name}' event max length '{self.length_max}' exceeds size, forced to size '{self.size}'.",
            )
        return Ring(self.name, self.description, self.format, min(self.length_max or self.size, self.size), self.size)

    def _take(self, keyword: str, statement: Statement) -> None:
        expectation = "a text" if keyword == "description" else "a format" if keyword == "format" else "a number of octets"
        statement.count(1, len(statement.arguments), expectation)
        word = statement.arguments[0]
        if len(statement.arguments) > 1:
            left_out = " ".join(statement.arguments[1:])
            statement.warn(f"'{keyword}' expects {expectation}, in quotes where it has blanks : '{left_out}' is left out")
        if keyword == "description":
            self.description = word
        elif keyword == "format":
            self.format = log_format("format", word)
        elif keyword == "maxlen":
            self.length_max = integer_of(keyword, word, 1, SIZE_MAX)
        else:
            size = integer_of(keyword, word, 1, SIZE_MAX)
            if size < self.size:
                statement.warn(
                    f"ignoring new size '{size}' that is smaller than current size '{self.size}' for ring '{self.name}'."
                )
            self.size = max(size, self.size)


def open_ring(words: tuple[str, ...], origin: Origin, drafts: dict[str, RingDraft]) -> RingDraft:
    """Begins a section."""
    name = words[0] if words else ""
    if not name:
        raise Refusal("missing ring name.")
    if len(words) > 1:
        raise Refusal(f"'ring' cannot handle unexpected argument '{words[1]}'")
    check_name("ring", name)
    if name in drafts or name in (BUILT_IN_RING, *NO_RINGS):
        raise Refusal(f"sink named '{name}' already exists.")
    draft = drafts[name] = RingDraft(name, origin)
    return draft


def finish_rings(process: GlobalDraft, drafts: dict[str, RingDraft], report: Report) -> None:
    """Gives the process its rings."""
    process.rings = tuple(draft.ring(report) for draft in drafts.values())
