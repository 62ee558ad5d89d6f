"""From files to the model: every line is read, every mistake is kept, and only a file without mistakes gives a model.

A line opens a section or holds one keyword of it. A keyword that is refused changes nothing and stops nothing. Proxies take
over the settings of the last `defaults` section before them, also across files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from balancer.config.binds import BindDraft, add_binds
from balancer.config.drafts import GlobalDraft, ProxyDraft, Settings
from balancer.config.findings import Finding, Refusal, Report
from balancer.config.keywords import NO_EFFECT, REFUSED, SECTIONS, Keyword, Table, nearest, suggestion
from balancer.config.names import check_name
from balancer.config.reader import Line, Place, read_lines, read_octets
from balancer.config.sections import ALL_SECTIONS, IDLE_SECTIONS, PROXIES, REFUSED_SECTIONS
from balancer.config.statement import Statement
from balancer.config.tables import GLOBAL_TABLE, PROXY_TABLE
from balancer.config.validate import build
from balancer.model import Model, Origin

# Keywords whose loss would change what is served: in the wrong section they are refused, as HAProxy does.
NEVER_MISPLACED: Final = ("server",)


@dataclass(frozen=True)
class Outcome:
    """What loading gave: the model (None if anything is wrong), all findings in order, and whether anything listens."""

    model: Model | None
    findings: list[Finding]
    has_listener: bool


def load(paths: Sequence[str], *, resolve: bool = True, environment: Mapping[str, str] | None = None) -> Outcome:
    """Reads the files as one configuration. Never prints, never exits, never raises for what a file holds.

    With `resolve` False no name is looked up: what is no literal address stands for the loopback address. `environment` is
    what "$NAME" is taken from, the process's own by default.
    """
    loader = _Loader(resolve, environment)
    for path in paths:
        loader.read(path)
    model, has_listener = build(loader.process, loader.proxies, tuple(paths), loader.report)
    findings = loader.report.findings
    return Outcome(None if loader.report.has_errors() else model, findings, has_listener)


@dataclass
class _Loader:
    resolves: bool
    environment: Mapping[str, str] | None
    report: Report = field(default_factory=Report)
    process: GlobalDraft = field(default_factory=GlobalDraft)
    proxies: list[ProxyDraft] = field(default_factory=list)
    defaults: Settings = field(default_factory=Settings)
    named_defaults: dict[str, Settings] = field(default_factory=dict)
    proxy: ProxyDraft | None = None  # the section that is being read, if it is one of a proxy
    section: str = ""  # its letter; "" before the first, "-" in one whose lines are passed over

    def read(self, path: str) -> None:
        """Reads one file; it begins with a section of its own."""
        place = Place(file=path) if self.environment is None else Place(self.environment, path)
        self.section, self.proxy = "", None
        for line in read_lines(read_octets(path, self.report), place, self.report):
            try:
                if line.words[0] in ALL_SECTIONS:
                    self._open(line)
                    place.section = self.proxy.name if self.proxy is not None and self.proxy.name else line.words[0]
                else:
                    self._apply(line)
            except Refusal as refusal:
                self.report.alert(line.origin, str(refusal))

    def _open(self, line: Line) -> None:
        kind = line.words[0]
        self.proxy = None
        if kind == "global":
            self.section = "G"
            if len(line.words) > 1:
                raise Refusal(f"'global' cannot handle unexpected argument '{line.words[1]}'")
            return
        self.section = "-"
        if kind in REFUSED_SECTIONS:
            tail = f" : {REFUSED_SECTIONS[kind]}" if REFUSED_SECTIONS[kind] else ""
            raise Refusal(f"section '{kind}' is known to HAProxy and not supported yet{tail}")
        if kind in IDLE_SECTIONS:
            self.report.warning(line.origin, f"section '{kind}' has no effect : {IDLE_SECTIONS[kind]}")
            return
        self.section = PROXIES[kind]
        # From here on the section exists, so that its lines are read whatever else is wrong with this one.
        name = line.words[1] if len(line.words) > 1 else ""
        self.proxy = ProxyDraft(self.section, kind, name, line.origin, Settings())
        if kind == "defaults":
            self._open_defaults(line)
        else:
            self._open_proxy(line)

    def _open_defaults(self, line: Line) -> None:
        assert self.proxy is not None
        self.defaults = self.proxy.settings
        name, words = self._inherit(line.words[1:])
        if name:
            self.named_defaults[name] = self.defaults
            check_name("defaults", name)
        if words:
            raise Refusal(f"'defaults' cannot handle unexpected argument '{words[0]}'")

    def _open_proxy(self, line: Line) -> None:
        proxy = self.proxy
        assert proxy is not None
        proxy.settings = self.defaults.copy()
        if not proxy.name:
            raise Refusal(f"'{proxy.kind}' expects an <id> argument")
        self.proxies.append(proxy)
        _name, words = self._inherit(line.words[1:])
        if words and proxy.is_frontend():
            self._bind_inline(line, words)
        elif words:
            raise Refusal(f"'{proxy.kind}' cannot handle unexpected argument '{words[0]}'")
        check_name(proxy.kind, proxy.name)

    def _inherit(self, words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Takes `[NAME] [from DEFAULTS]` off the words; returns the name and what is left."""
        proxy = self.proxy
        assert proxy is not None
        name, rest = ("", words) if words[:1] == ("from",) and proxy.kind == "defaults" else (words[:1] or ("",), words[1:])
        name = name if isinstance(name, str) else name[0]
        if len(rest) == 2 and rest[0] == "from":
            base = self.named_defaults.get(rest[1])
            if base is None:
                raise Refusal(f"defaults section '{rest[1]}' not found for {proxy.label()} '{proxy.name}'")
            vars(proxy.settings).update(vars(base))
            return name, ()
        return name, rest

    def _bind_inline(self, line: Line, words: tuple[str, ...]) -> None:
        proxy = self.proxy
        assert proxy is not None
        statement = Statement(line.origin, "bind", words, False, self.resolves, self.report)
        statement.no_more(1)
        add_binds(proxy, statement, words[0], BindDraft())
        self.report.notice(line.origin, f"'{proxy.kind} {proxy.name} {words[0]}' works; its modern form is 'bind {words[0]}'")

    def _apply(self, line: Line) -> None:
        words, is_negated = line.words, False
        if self.section == "-":
            return
        if not self.section:
            near = suggestion(nearest(words[0], ALL_SECTIONS))
            raise Refusal(f"unknown keyword '{words[0]}' out of section{near}")
        if words[0] in ("no", "default") and len(words) > 1:
            is_negated = words[0] == "no"
            words = words[1:]
        table: Table[Any] = GLOBAL_TABLE if self.section == "G" else PROXY_TABLE
        row = table.find(words)
        if row is None or self.section not in row.sections:
            self._misplaced(line.origin, table, row, words)
            return
        if words is not line.words and not row.can_negate:
            self._negation(row, line.words[0])
            return
        count = row.words.count(" ") + 1
        statement = Statement(line.origin, row.words, words[count:], is_negated, self.resolves, self.report)
        self._do(row, statement, line.words[0] == "default")

    def _negation(self, row: Keyword[Any], word: str) -> None:
        if row.fate == REFUSED and row.words.startswith("option ") and word == "no":
            return  # what is not there is not there
        raise Refusal(f"'{word}' is not supported before '{row.words}'")

    def _do(self, row: Keyword[Any], statement: Statement, is_default: bool) -> None:
        tail = f" : {row.text}" if row.text else ""
        if row.fate == REFUSED:
            raise Refusal(f"'{row.words}' is known to HAProxy and not supported yet{tail}")
        if row.fate == NO_EFFECT:
            statement.warn(f"'{row.words}' has no effect{tail}")
            return
        assert row.apply is not None
        if is_default:
            raise Refusal(f"'default' before '{row.words}' is known to HAProxy and not supported yet")
        row.apply(self.process if self.section == "G" else self.proxy, statement)
        if row.modern:
            self.report.notice(statement.origin, f"'{row.words}' works; its modern form is '{row.modern}'")

    def _misplaced(self, origin: Origin, table: Table[Any], row: Keyword[Any] | None, words: Sequence[str]) -> None:
        """Says why a keyword that is not one of this section is not: mistyped, of another section, or of another capability."""
        section = SECTIONS[self.section]
        if row is None:
            raise Refusal(self._unknown(table, words, section))
        if self.proxy is None or self.section == "D" or row.words in NEVER_MISPLACED:
            homes = ", ".join(SECTIONS[letter] for letter in row.sections)
            raise Refusal(f"'{row.words}' not allowed in '{section}' section, expects one of {homes}")
        if row.fate == REFUSED:
            raise Refusal(f"'{row.words}' is known to HAProxy and not supported yet")
        capability = "backend" if self.section == "F" else "frontend"
        self.report.warning(
            origin,
            f"'{row.words}' ignored because {self.proxy.label()} '{self.proxy.name}' has no {capability} capability.",
        )

    def _unknown(self, table: Table[Any], words: Sequence[str], section: str) -> str:
        other: Table[Any] = PROXY_TABLE if table is GLOBAL_TABLE else GLOBAL_TABLE
        elsewhere = other.find(words)
        if elsewhere is not None:
            homes = ", ".join(SECTIONS[letter] for letter in elsewhere.sections)
            return f"keyword '{elsewhere.words}' does not belong into '{section}' section, expects one of {homes}"
        family = table.second_words(words[0])
        if family:
            found = words[1] if len(words) > 1 else ""
            near = suggestion(nearest(found, family))
            return f"'{words[0]}' expects one of {', '.join(family)} (got '{found}'){near}"
        near = suggestion(table.nearest(words, self.section))
        return f"unknown keyword '{words[0]}' in '{section}' section{near}"
