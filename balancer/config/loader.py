"""From files to the model: every line is read, every mistake is kept, and only files without mistakes give a model.

A line opens a section or holds one keyword of it. A keyword that is refused changes nothing and stops nothing. Proxies take
over the settings of the last `defaults` section before them, also across files, or of the one that they name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from balancer.config.binds import BindDraft, add_binds
from balancer.config.dispatch import Section, apply_line
from balancer.config.drafts import GlobalDraft, ProxyDraft, Settings
from balancer.config.findings import Finding, Refusal, Report
from balancer.config.keywords import nearest, suggestion
from balancer.config.names import check_name
from balancer.config.reader import Line, Place, read_lines, read_octets
from balancer.config.sections import ALL_SECTIONS, DIRECTIVES, IDLE_SECTIONS, PROXIES, REFUSED_SECTIONS
from balancer.config.statement import Statement
from balancer.config.validate import build
from balancer.model import Model


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
    section: Section | None = None  # None before the first, and in one whose lines are passed over
    is_passed_over: bool = False

    def read(self, path: str) -> None:
        """Reads one file; it begins with a section of its own."""
        place = Place(file=path) if self.environment is None else Place(self.environment, path)
        self.section, self.is_passed_over = None, False
        for line in read_lines(read_octets(path, self.report), place, self.report):
            try:
                self._take(line)
            except Refusal as refusal:
                self.report.alert(line.origin, str(refusal))
            place.section = self._section_name(line, place.section)

    def _take(self, line: Line) -> None:
        if line.words[0] in DIRECTIVES:
            raise Refusal(
                f"'{line.words[0]}' is known to HAProxy and not supported yet : every line counts, there are no blocks"
            )
        if line.words[0] in ALL_SECTIONS:
            self._open(line)
        elif self.section is not None:
            apply_line(self.section, line)
        elif not self.is_passed_over:
            near = suggestion(nearest(line.words[0], ALL_SECTIONS))
            raise Refusal(f"unknown keyword '{line.words[0]}' out of section{near}")

    def _section_name(self, line: Line, before: str) -> str:
        if line.words[0] not in ALL_SECTIONS:
            return before
        return line.words[1] if len(line.words) > 1 else line.words[0]

    def _open(self, line: Line) -> None:
        kind, words = line.words[0], line.words[1:]
        self.section, self.is_passed_over = None, True
        if kind in REFUSED_SECTIONS:
            tail = f" : {REFUSED_SECTIONS[kind]}" if REFUSED_SECTIONS[kind] else ""
            raise Refusal(f"section '{kind}' is known to HAProxy and not supported yet{tail}")
        if kind in IDLE_SECTIONS:
            self.report.warning(line.origin, f"section '{kind}' has no effect : {IDLE_SECTIONS[kind]}")
        elif kind == "global":
            self.section = Section("G", self.process, None, self.resolves, self.report)
            if words:
                raise Refusal(f"'global' cannot handle unexpected argument '{words[0]}'")
        elif kind == "defaults":
            self._open_defaults(line, words)
        else:
            self._open_proxy(line, words)

    def _open_draft(self, line: Line, name: str, settings: Settings) -> ProxyDraft:
        kind = line.words[0]
        proxy = ProxyDraft(PROXIES[kind], kind, name, line.origin, settings)
        self.section = Section(proxy.letter, self.process, proxy, self.resolves, self.report)
        return proxy

    def _open_defaults(self, line: Line, words: tuple[str, ...]) -> None:
        name = words[0] if words and words[0] != "from" else ""
        rest = words[1:] if name else words
        # A new section begins with HAProxy's own defaults, whatever is wrong with its line.
        self.defaults = Settings()
        self._open_draft(line, name, self.defaults)
        if name:
            self.named_defaults[name] = self.defaults
            check_name("defaults", name)
        base = self._base("defaults", name, rest)
        if base is not None:
            vars(self.defaults).update(vars(base))

    def _open_proxy(self, line: Line, words: tuple[str, ...]) -> None:
        kind, name, rest = line.words[0], words[0] if words else "", words[1:]
        proxy = self._open_draft(line, name, self.defaults.copy())
        if not name:
            raise Refusal(f"'{kind}' expects an <id> argument (got nothing)")
        self.proxies.append(proxy)
        check_name(kind, name)
        if rest and rest[0] != "from" and proxy.is_frontend():
            self._bind_inline(proxy, line, rest)
            return
        base = self._base(kind, name, rest)
        if base is not None:
            proxy.settings = base.copy()

    def _base(self, kind: str, name: str, words: tuple[str, ...]) -> Settings | None:
        """The settings that a section takes over by `from NAME`; None where it says nothing."""
        if not words:
            return None
        if words[0] != "from" or len(words) != 2:
            raise Refusal(f"'{kind}' expects nothing or 'from <defaults_name>' after the name (got '{' '.join(words)}')")
        base = self.named_defaults.get(words[1])
        if base is None:
            near = suggestion(nearest(words[1], self.named_defaults))
            raise Refusal(f"defaults section '{words[1]}' not found for {kind} '{name}'{near}")
        return base

    def _bind_inline(self, proxy: ProxyDraft, line: Line, words: tuple[str, ...]) -> None:
        statement = Statement(line.origin, f"{proxy.kind} {proxy.name}", words, False, self.resolves, self.report)
        statement.no_more(1)
        add_binds(proxy, statement, words[0], BindDraft())
        self.report.notice(line.origin, f"'{proxy.kind} {proxy.name} {words[0]}' works; its modern form is 'bind {words[0]}'")
