"""Options within a line that HAProxy 2.6 knows and we do not do: of `bind`, `server` and `stats socket`.

One group per reason, one word per keyword, `word+N` where N values belong to it. The lists come from what HAProxy prints of
itself (`haproxy -dKall`). `known_sections` has the keywords of the sections.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from balancer.config.keywords import NO_EFFECT, REFUSED, Keyword
from balancer.config.reasons import OWN_REASONS

# (fate, what to do instead or why, the words); "": each word has a reason of its own in `reasons`
Group = tuple[str, str, str]
# The letters of the lines within which options stand.
OF_LINES: Final = ("b", "s", "t")


def rows(sections: str, groups: Sequence[Group], prefix: str = "") -> tuple[Keyword[Any], ...]:
    """A row for each word of the groups; `prefix` is the first word of a family ("option")."""
    return tuple(_rows(sections, groups, prefix))


def _rows(sections: str, groups: Sequence[Group], prefix: str) -> Iterable[Keyword[Any]]:
    for fate, text, words in groups:
        for word in words.split():
            name, _plus, count = word.partition("+")
            whole = f"{prefix} {name}".strip()
            reason = text or OWN_REASONS.get(f"{sections} {name}" if sections in OF_LINES else whole, "")
            yield Keyword(whole, sections, fate, reason, None, False, "", int(count or 0))


NO_TLS_BIND: Final = "let the web server in front do TLS"
NO_TLS_SERVER: Final = "servers are spoken to without TLS"
NO_PROXY_PROTOCOL: Final = "addresses are those of the connections"
NO_AGENT: Final = "servers are checked by TCP or HTTP: 'option httpchk'"
NO_RESOLVERS: Final = "the name is resolved once, when the file is read"
NO_TLS_HERE: Final = "it only tunes TLS, which is not done here"
ONE_THREAD: Final = "one process with one thread serves"

BIND_OPTIONS: Final[tuple[Keyword[Any], ...]] = rows(
    "b",
    (
        (
            REFUSED,
            NO_TLS_BIND,
            "ssl crt+1 crt-list+1 ca-file+1 ca-verify-file+1 ca-sign-file+1 ca-sign-pass+1 crl-file+1 verify+1 strict-sni "
            "generate-certificates",
        ),
        (
            NO_EFFECT,
            NO_TLS_HERE,
            "allow-0rtt ca-ignore-err+1 ciphers+1 ciphersuites+1 crt-ignore-err+1 curves+1 ecdhe+1 "
            "force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 no-ca-names no-sslv3 no-tls-tickets no-tlsv10 "
            "no-tlsv11 no-tlsv12 no-tlsv13 prefer-client-ciphers ssl-max-ver+1 ssl-min-ver+1 tls-ticket-keys+1",
        ),
        (REFUSED, "only HTTP/1.1 is spoken", "alpn+1 npn+1 proto+1"),
        (REFUSED, NO_PROXY_PROTOCOL, "accept-proxy accept-netscaler-cip+1"),
        (REFUSED, "", "namespace+1 transparent quic-force-retry"),
        (NO_EFFECT, ONE_THREAD, "process+1 thread+1 shards+1 nice+1"),
        (NO_EFFECT, "", "expose-fd+1 id+1 level+1 severity-output+1"),
    ),
)

SERVER_OPTIONS: Final[tuple[Keyword[Any], ...]] = rows(
    "s",
    (
        (
            REFUSED,
            NO_TLS_SERVER,
            "ssl check-ssl ca-file+1 crl-file+1 crt+1 verify+1 verifyhost+1 sni+1 check-sni+1",
        ),
        (
            NO_EFFECT,
            NO_TLS_HERE,
            "allow-0rtt ciphers+1 ciphersuites+1 curves+1 force-sslv3 force-tlsv10 force-tlsv11 force-tlsv12 "
            "force-tlsv13 no-check-ssl no-ssl no-ssl-reuse no-sslv3 no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 "
            "ssl-max-ver+1 ssl-min-ver+1 ssl-reuse tls-tickets",
        ),
        (REFUSED, "only HTTP/1.1 is spoken", "alpn+1 npn+1 proto+1 check-alpn+1 check-proto+1 ws+1"),
        (
            REFUSED,
            NO_PROXY_PROTOCOL,
            "send-proxy send-proxy-v2 send-proxy-v2-ssl send-proxy-v2-ssl-cn check-send-proxy proxy-v2-options+1 ",
        ),
        (
            NO_EFFECT,
            "it only takes back what is not supported anyway",
            "no-send-proxy no-send-proxy-v2 no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn no-check-send-proxy no-agent-check "
            "no-tfo",
        ),
        (REFUSED, NO_AGENT, "agent-check agent-addr+1 agent-inter+1 agent-port+1 agent-send+1"),
        (REFUSED, "servers are connected to without a proxy", "check-via-socks4"),
        (
            REFUSED,
            "",
            "redir+1 namespace+1 socks4+1 usesrc+1 interface+1 log-proto+1 non-stick stick",
        ),
        (NO_EFFECT, NO_RESOLVERS, "init-addr+1 resolve-net+1 resolve-opts+1 resolve-prefer+1"),
        (REFUSED, NO_RESOLVERS, "resolvers+1"),
        (NO_EFFECT, ONE_THREAD, "pool-low-conn+1"),
        (NO_EFFECT, "", "tfo"),
    ),
)

STATS_OPTIONS: Final[tuple[Keyword[Any], ...]] = rows(
    "t",
    (
        (NO_EFFECT, ONE_THREAD, "process+1 thread+1 shards+1 nice+1"),
        (NO_EFFECT, "", "name+1 id+1 tcp-ut+1 tfo mss+1 defer-accept"),
        (REFUSED, NO_TLS_BIND, "ssl crt+1 crt-list+1 ca-file+1 crl-file+1 verify+1"),
        (REFUSED, NO_PROXY_PROTOCOL, "accept-proxy accept-netscaler-cip+1"),
        (REFUSED, "", "interface+1 namespace+1 transparent v4v6 v6only alpn+1 npn+1 proto+1"),
    ),
)
