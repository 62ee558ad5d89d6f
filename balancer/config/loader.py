"""From files to the model: every line is read, every mistake is kept, and only files without mistakes give a model.

A line is a directive, opens a section or holds one keyword of it. A keyword that is refused changes nothing and stops nothing.
Proxies take over the settings of the last `defaults` section before them, also across files, or of the one that they name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from balancer.config.binds import BindDraft, add_binds
from balancer.config.conditions import evaluate
from balancer.config.defaults import DefaultsSection, DefaultsSections
from balancer.config.directives import Directives
from balancer.config.dispatch import NEGATABLE_ONLY, NEGATIONS, Section, apply_line
from balancer.config.drafts import GlobalDraft, ProxyDraft, Settings
from balancer.config.environment import environment_of
from balancer.config.findings import Finding, Refusal, Report
from balancer.config.httperrors import ErrorGroup
from balancer.config.keywords import nearest, suggestion
from balancer.config.names import check_name
from balancer.config.reader import Line, read_lines, read_octets
from balancer.config.rings import RingDraft, finish_rings, open_ring
from balancer.config.sections import ALL_SECTIONS, HTTP_ERRORS, IDLE_SECTIONS, PROXIES, REFUSED_SECTIONS, RING
from balancer.config.splitting import Place, split_condition
from balancer.config.statement import Statement
from balancer.config.validate import build
from balancer.model import Model


@dataclass(frozen=True)
class Outcome:
    """What loading gave: the model (None if anything is wrong), all findings in order, and whether anything listens."""

    model: Model | None
    findings: list[Finding]
    has_listener: bool


def load(
    paths: Sequence[str],
    *,
    resolve: bool = True,
    environment: Mapping[str, str] | None = None,
    local_peer: str = "",
    is_master: bool = False,
) -> Outcome:
    """Reads the files as one configuration. Never prints, never exits, never raises for what a file holds.

    With `resolve` False no name is looked up: what is no literal address stands for the loopback address. `environment` is
    what "$NAME" is taken from, the process's own by default; `local_peer` and `is_master` are what the command line says
    about them, for the variables that HAProxy sets itself.
    """
    loader = _Loader(resolve, GlobalDraft(environment=environment_of(paths, environment, local_peer, is_master)))
    for path in paths:
        loader.read(path)
    finish_rings(loader.process, loader.rings, loader.report)
    model, has_listener = build(loader.process, loader.proxies, loader.errors, tuple(paths), loader.report)
    findings = loader.report.findings
    return Outcome(None if loader.report.has_errors() else model, findings, has_listener)


def holds(condition: str, *, environment: Mapping[str, str] | None = None, local_peer: str = "") -> bool:
    """Whether a condition of the command line is true: the words of a line, of which those of `.if` are made.

    Raises ConditionError for what is no condition, Refusal for quotes, escapes and variables that are none.
    """
    variables = environment_of(None, environment, local_peer, False)
    return evaluate(" ".join(split_condition(condition, Place(variables))), variables.variables)


@dataclass
class _Loader:
    resolves: bool
    process: GlobalDraft
    report: Report = field(default_factory=Report)
    proxies: list[ProxyDraft] = field(default_factory=list)
    defaults: DefaultsSections = field(default_factory=DefaultsSections)
    errors: dict[str, ErrorGroup] = field(default_factory=dict)
    rings: dict[str, RingDraft] = field(default_factory=dict)
    group: ErrorGroup | RingDraft | None = None  # the section of other things than proxies that is being read
    section: Section | None = None  # None before the first, and in one whose lines are passed over
    is_passed_over: bool = False

    def read(self, path: str) -> None:
        """Reads one file; it begins with a section of its own, and its blocks end with it."""
        place = Place(self.process.environment, path)
        directives = Directives(self.process.environment, self.report)
        self.section, self.group, self.is_passed_over = None, None, False
        octets = read_octets(path, self.report)
        try:
            self.process.folders.enter(path)
        except Refusal as refusal:
            self.report.alert(None, f"{path} : {refusal}")
            octets = b""
        for line in read_lines(octets, place, self.report):
            if directives.take(line):
                continue
            try:
                self._take(line)
            except Refusal as refusal:
                self.report.alert(line.origin, str(refusal))
            place.section = self._section_name(line, place.section)
        directives.end(path, place.line)
        self.process.folders.leave()

    def _take(self, line: Line) -> None:
        words = line.words
        if words[0] in NEGATIONS and len(words) > 1 and words[1] in ALL_SECTIONS:
            self.report.alert(line.origin, f"'{words[0]}' is not supported before '{words[1]}', {NEGATABLE_ONLY}")
            line = replace(line, words=words[1:])
        if line.words[0] in ALL_SECTIONS:
            self._open(line)
        elif self.section is not None:
            apply_line(self.section, line)
        elif self.group is not None:
            self.group.take(Statement(line.origin, line.words[0], line.words[1:], False, self.resolves, self.report))
        elif not self.is_passed_over:
            near = suggestion(nearest(line.words[0], ALL_SECTIONS))
            raise Refusal(f"unknown keyword '{line.words[0]}' out of section{near}")

    def _section_name(self, line: Line, before: str) -> str:
        words = line.words[1:] if line.words[0] in NEGATIONS else line.words
        if words[:1] == () or words[0] not in ALL_SECTIONS:
            return before
        return words[1] if len(words) > 1 and words[1] else words[0]

    def _open(self, line: Line) -> None:
        kind, words = line.words[0], line.words[1:]
        self.section, self.group, self.is_passed_over = None, None, True
        if kind in REFUSED_SECTIONS:
            tail = f" : {REFUSED_SECTIONS[kind]}" if REFUSED_SECTIONS[kind] else ""
            raise Refusal(f"section '{kind}' is known to HAProxy and not supported yet{tail}")
        if kind in IDLE_SECTIONS:
            if not words:
                raise Refusal(f"missing name for {kind} section.")
            self.report.warning(line.origin, f"section '{kind}' has no effect : {IDLE_SECTIONS[kind]}")
        elif kind == HTTP_ERRORS:
            self._open_errors(line, words)
        elif kind == RING:
            self.group = open_ring(words, line.origin, self.rings)
        elif kind == "global":
            self.section = Section("G", self.process, None, self.resolves, self.report)
            if words:
                raise Refusal(f"'global' cannot handle unexpected argument '{words[0]}'")
        elif kind == "defaults":
            self._open_defaults(line, words)
        else:
            self._open_proxy(line, words)

    def _open_errors(self, line: Line, words: tuple[str, ...]) -> None:
        name = words[0] if words else ""
        if not name:
            raise Refusal("missing name for http-errors section.")
        if len(words) > 1:
            raise Refusal(f"'{HTTP_ERRORS}' cannot handle unexpected argument '{words[1]}'")
        check_name(HTTP_ERRORS, name)
        if name in self.errors:
            raise Refusal(f"http-errors section '{name}' already defined at {self.errors[name].origin}.")
        self.group = self.errors[name] = ErrorGroup(name, line.origin)

    def _open_draft(self, line: Line, name: str, settings: Settings) -> ProxyDraft:
        kind = line.words[0]
        proxy = ProxyDraft(PROXIES[kind], kind, name, line.origin, settings, self.process.unix_bind)
        self.section = Section(proxy.letter, self.process, proxy, self.resolves, self.report)
        return proxy

    def _open_defaults(self, line: Line, words: tuple[str, ...]) -> None:
        has_name = words[:1] not in ((), ("from",))
        name, rest = (words[0], words[1:]) if has_name else ("", words)
        # A new section begins with HAProxy's own defaults, whatever is wrong with its line.
        settings = Settings()
        draft = self._open_draft(line, name, settings)
        base = self._named_base("defaults", name, line, rest)
        if base is not None:
            base.give_rules(draft)
            vars(settings).update(vars(base.settings))
            self._note_use(line, base, True)
        # Declared only now: a section that takes over from one of its own name means the one before.
        self.defaults.declare(name, line.origin, draft)

    def _open_proxy(self, line: Line, words: tuple[str, ...]) -> None:
        kind, name, rest = line.words[0], words[0] if words else "", words[1:]
        base = self.defaults.last()
        proxy = self._open_draft(line, name, base.settings.copy() if base is not None else Settings())
        if not name:
            raise Refusal(f"'{kind}' expects an <id> argument (got nothing)")
        self.proxies.append(proxy)
        check_name(kind, name)
        if rest and rest[0] != "from" and proxy.is_frontend():
            self._bind_inline(proxy, line, rest)
            rest = ()
        try:
            named = self._named_base(kind, name, line, rest)
        except Refusal:
            proxy.settings.mode = "http"  # what it would have taken over is not said to be wanting
            raise
        if named is not None:
            proxy.settings = named.settings.copy()
        used = named or base
        if used is not None:
            self._note_use(line, used, named is not None)
            used.give_rules(proxy)

    def _note_use(self, line: Line, used: DefaultsSection, is_by_name: bool) -> None:
        if used.use(is_by_name):
            self.report.warning(line.origin, used.mixed_use())

    def _named_base(self, kind: str, name: str, line: Line, words: tuple[str, ...]) -> DefaultsSection | None:
        """The section that another takes over by `from NAME`; None where it says nothing."""
        if not words:
            return None
        if words[0] != "from" or len(words) == 1:
            if kind != "defaults":
                raise Refusal(f"'{kind}' expects nothing or 'from <defaults_name>' after the name (got '{' '.join(words)}')")
            self.report.warning(line.origin, f"'{kind}' : '{' '.join(words)}' has no effect, as in HAProxy")
            return None
        if len(words) > 2 and kind != "defaults":
            raise Refusal(f"'{kind}' cannot handle unexpected argument '{words[2]}'.")
        if len(words) > 2:
            self.report.warning(line.origin, f"'{kind}' : '{' '.join(words[2:])}' has no effect, as in HAProxy")
        label = kind if kind in ("defaults", "backend", "frontend") else "proxy"
        return self.defaults.find(words[1], label, name)

    def _bind_inline(self, proxy: ProxyDraft, line: Line, words: tuple[str, ...]) -> None:
        statement = Statement(line.origin, f"{proxy.kind} {proxy.name}", words, False, self.resolves, self.report)
        statement.no_more(1)
        add_binds(proxy, statement, words[0], BindDraft())
        self.report.notice(line.origin, f"'{proxy.kind} {proxy.name} {words[0]}' works; its modern form is 'bind {words[0]}'")
