"""Words that are asked of the kernel, connection by connection: keep-alive probes, how a close goes, where a connect begins.

And two that bound what the kernel hands over: `backlog`, and `rate-limit sessions`.
"""

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Final

from balancer.config.addresses import parse_address
from balancer.config.drafts import ProxyDraft, ServerDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.statement import Statement, integer_of
from balancer.model import Source

BACKLOG_MAX: Final = 65535
INTERFACE_OCTETS_MAX: Final = 15
NO_SPOOFING: Final = "the client's address is not borrowed, 'option forwardfor' tells it to the server"


def _backlog(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.backlog = statement.integer(1, BACKLOG_MAX)


def _rate_limit(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    if len(words) < 2 or words[0] != "sessions":
        raise Refusal(f"'rate-limit' expects 'sessions' and a number per second (got '{' '.join(words)}')")
    statement.no_more(2)
    proxy.settings.session_rate_max = integer_of("rate-limit sessions", words[1], 0)


def _switch(words: str, sections: str, text: str, *names: str, can_negate: bool = True) -> "Keyword[ProxyDraft]":
    def apply(proxy: ProxyDraft, statement: Statement) -> None:
        statement.no_more(0)
        for name in names:
            setattr(proxy.settings, name, not statement.is_negated)

    return works(f"option {words}", sections, text, apply, can_negate=can_negate)


def _probe(side: str, field: str) -> Callable[[ProxyDraft, Statement], None]:
    def apply(proxy: ProxyDraft, statement: Statement) -> None:
        value = statement.integer(0) if field == "count" else ceil(statement.time_s("s"))
        name = f"{side}_probes"
        setattr(proxy.settings, name, replace(getattr(proxy.settings, name), **{field: value}))

    return apply


def source_of(statement: Statement) -> Source:
    """`ADDRESS[:PORT] [interface NAME]`; what borrows the client's address is refused."""
    words = list(statement.arguments)
    if not words:
        raise Refusal("'source' expects <addr>[:<port>], and perhaps 'interface' <name> (got nothing)")
    target = parse_address(words.pop(0), statement.resolves)
    interface = ""
    while words:
        word = words.pop(0)
        if word in ("usesrc", "client"):
            raise Refusal(f"'source' : '{word}' is known to HAProxy and not supported : {NO_SPOOFING}")
        if word != "interface" or not words:
            raise Refusal(f"'source' expects 'interface' <name> after the address (got '{word}')")
        interface = words.pop(0)
        if not 0 < len(interface.encode("utf-8", "surrogateescape")) <= INTERFACE_OCTETS_MAX:
            raise Refusal(f"'interface' expects a name of 1 to {INTERFACE_OCTETS_MAX} octets (got '{interface}')")
    return Source(target.host.address, target.port_first, target.host.is_ipv6, interface)


def _source(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.source = source_of(statement)


def server_source(server: ServerDraft, statement: Statement) -> None:
    """`source` on a `server` line."""
    server.set(source=source_of(statement))


KERNEL_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("backlog", "DFL", "how many connections may wait in the kernel; as `maxconn`", _backlog),
    works("rate-limit", "DFL", "`sessions N`: how many new connections a second come in; the others wait", _rate_limit),
    _switch(
        "tcpka",
        "DFLB",
        "the kernel probes silent connections, of clients and of servers",
        "probes_clients",
        "probes_servers",
        can_negate=False,
    ),
    _switch("clitcpka", "DFL", "the kernel probes silent connections of clients", "probes_clients"),
    _switch("srvtcpka", "DLB", "the kernel probes silent connections of servers", "probes_servers"),
    works("clitcpka-cnt", "DFL", "how many such probes may be lost", _probe("client", "count")),
    works("clitcpka-idle", "DFL", "after what silence the first is sent", _probe("client", "idle_s")),
    works("clitcpka-intvl", "DFL", "the time between two", _probe("client", "interval_s")),
    works("srvtcpka-cnt", "DLB", "as `clitcpka-cnt`", _probe("server", "count")),
    works("srvtcpka-idle", "DLB", "as `clitcpka-idle`", _probe("server", "idle_s")),
    works("srvtcpka-intvl", "DLB", "as `clitcpka-intvl`", _probe("server", "interval_s")),
    _switch("nolinger", "DFLB", "a close resets: what the other side has not read yet may be lost", "resets_at_close"),
    _switch(
        "tcp-smart-accept",
        "DFL",
        "a first request is acknowledged with its answer; it is so unless `no` stands before",
        "delays_acknowledgement",
    ),
    _switch("tcp-smart-connect", "DLB", "a connect to a server is acknowledged with the request", "acknowledges_with_request"),
    works("source", "DLB", "the address from which servers are connected to: `ADDRESS[:PORT] [interface NAME]`", _source),
)
