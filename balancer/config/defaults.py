"""The `defaults` sections that were read, and which of them a section takes over.

Sections may share a name, or have none, until one is asked for by its name. A section that some proxies name and others take
over because it is the last before them works, and is warned of: whoever adds a section between them changes one and not the
other.
"""

from dataclasses import dataclass, field

from balancer.config.drafts import ProxyDraft, Settings
from balancer.config.findings import Refusal
from balancer.config.keywords import nearest, suggestion
from balancer.config.names import NAME
from balancer.model import Origin


@dataclass
class DefaultsSection:
    """One section and how it is used: by its name, or by standing last."""

    name: str
    origin: Origin
    settings: Settings
    draft: ProxyDraft  # with the rules that stand in it
    is_named_by_any: bool = False
    is_last_for_any: bool = False
    letter_of_rules: str = ""  # of the proxies that take its rules over

    def use(self, is_by_name: bool) -> bool:
        """Notes a use; True if the section is used in both ways."""
        self.is_named_by_any = self.is_named_by_any or is_by_name
        self.is_last_for_any = self.is_last_for_any or not is_by_name
        return self.is_named_by_any and self.is_last_for_any

    def give_rules(self, proxy: ProxyDraft) -> None:
        """The section's rules come before the proxy's own; they were read for one side of the traffic."""
        if self.draft.rules() is None:
            return
        if proxy.letter in "LD":
            raise Refusal(f"a {proxy.kind} section cannot inherit from a defaults section defining TCP/HTTP rules.")
        if self.letter_of_rules not in ("", proxy.letter):
            raise Refusal(
                "frontends and backends cannot inherit from the same defaults section if it defines TCP/HTTP rules (defaults "
                f"section at {self.origin})."
            )
        self.letter_of_rules = proxy.letter
        proxy.rules_before = self.draft

    def mixed_use(self) -> str:
        """The text for a section that is used in both ways."""
        return (
            f"defaults section '{self.name}' (declared at {self.origin}) is explicitly referenced by another proxy and "
            "implicitly used here. To avoid any ambiguity don't mix both usage. Add a last defaults section not explicitly "
            "used or always use explicit references."
        )


@dataclass
class DefaultsSections:
    """All sections in the order of the files."""

    sections: list[DefaultsSection] = field(default_factory=list)

    def declare(self, name: str, origin: Origin, draft: ProxyDraft) -> None:
        """One more section."""
        self.sections.append(DefaultsSection(name, origin, draft.settings, draft))

    def last(self) -> DefaultsSection | None:
        """The section that a proxy takes over which names none."""
        return self.sections[-1] if self.sections else None

    def find(self, name: str, kind: str, user: str) -> DefaultsSection:
        """The section of that name, for a section `user`. Refuses what is not there, or there twice."""
        found = [section for section in self.sections if section.name == name]
        if not found:
            near = suggestion(nearest(name, [section.name for section in self.sections])) or "."
            raise Refusal(f"defaults section '{name}' not found for {kind} '{user}'{near}")
        if len(found) > 1:
            raise Refusal(
                f"ambiguous defaults section name '{name}' referenced by {kind} '{user}' exists at least at "
                f"{found[-2].origin} and {found[-1].origin}."
            )
        for char in name:
            if char not in NAME:
                raise Refusal(
                    f"character '{char}' is not permitted in defaults section name '{name}' when designated by its name "
                    f"(section found at {found[0].origin})."
                )
        return found[0]
