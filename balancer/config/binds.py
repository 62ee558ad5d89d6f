"""`bind`, and the address of an old `listen` line: where clients connect.

One word may name several addresses, parted by commas, and a range of ports; each becomes a `Bind` of its own with the
options of the line. `localhost` is taken at what it resolves to first.
"""

from dataclasses import dataclass
from typing import Final

from balancer.config.addresses import parse_address
from balancer.config.drafts import ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, Table, works
from balancer.config.known import BIND_OPTIONS
from balancer.config.statement import Statement
from balancer.config.words import apply_options
from balancer.model import Bind

# A line of more addresses than this is a typing error ('1-65535'), not a wish.
LINE_BINDS_MAX: Final = 4096


@dataclass
class BindDraft:
    """The options of one line while its words are applied."""

    maxconn: int = 0
    name: str = ""


def parse_bind(proxy: ProxyDraft, statement: Statement) -> None:
    """`bind ADDRESSES [options]`: adds the addresses to the section."""
    words = statement.arguments
    if not words or not words[0]:
        raise Refusal("'bind' expects [addr]:port[-end]{,[addr]:port[-end]}... as arguments (got nothing)")
    draft = BindDraft()
    subject = f"'bind {words[0]}' in section '{proxy.kind}'"
    apply_options(BIND_TABLE, draft, statement, subject, words[1:])
    add_binds(proxy, statement, words[0], draft)


def add_binds(proxy: ProxyDraft, statement: Statement, addresses: str, draft: BindDraft) -> None:
    """Adds the addresses of one word. Refuses the word as a whole when one of them is malformed."""
    found: list[Bind] = []
    for word in addresses.split(","):
        if not word:
            raise Refusal(f"'bind' : '{addresses}' holds an empty address (environment variable missing?)")
        try:
            target = parse_address(word, statement.resolves, has_range=True)
        except Refusal as refusal:
            raise Refusal(f"'bind' : {refusal}") from refusal
        if target.port_first == 0:
            raise Refusal(f"'bind' : missing port specification in '{word}'")
        for port in range(target.port_first, target.port_last + 1):
            found.append(Bind(target.host.address, port, target.host.is_ipv6, draft.maxconn, draft.name, statement.origin))
        if len(proxy.binds) + len(found) > LINE_BINDS_MAX:
            raise Refusal(f"'bind' : expects at most {LINE_BINDS_MAX} addresses in one section (got '{addresses}')")
    proxy.binds.extend(found)


def _name(bind: BindDraft, statement: Statement) -> None:
    bind.name = statement.text("a name")


BIND_ROWS: Final[tuple[Keyword[BindDraft], ...]] = (works("name", "b", "a name for the statistics", _name, value_count=1),)
BIND_TABLE: Final[Table[BindDraft]] = Table((*BIND_ROWS, *BIND_OPTIONS))
