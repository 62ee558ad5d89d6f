"""Sections and servers that conditions ask about by name: what a sample finds nowhere never matches, so a name must be there.

`monitor fail if { nbsrv(shpo) lt 1 }` would never fail. Names are kept with their lines while the file is read and looked up
once all of it is known. Limit: names in texts (`%[nbsrv(shop)]`) are not; such a text is empty where nobody has the name.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from balancer.config.drafts import ProxyDraft, Reference
from balancer.config.findings import Report
from balancer.config.keywords import nearest, suggestion
from balancer.config.statement import Statement
from balancer.rulebook import Condition, Test

FRONTEND: Final = "frontend"
BACKEND: Final = "backend"
SERVER: Final = "server"
# The fetches whose first argument is a name, and of what.
NAMES: Final[dict[str, str]] = {
    **dict.fromkeys(("fe_conn", "fe_req_rate", "fe_sess_rate"), FRONTEND),
    **dict.fromkeys(
        ("be_conn", "be_conn_free", "be_sess_rate", "connslots", "nbsrv", "queue", "avg_queue"),
        BACKEND,
    ),
    **dict.fromkeys(
        (
            *("srv_conn", "srv_conn_free", "srv_is_up", "srv_queue", "srv_sess_rate"),
            *("srv_weight", "srv_iweight", "srv_uweight"),
        ),
        SERVER,
    ),
}


def tests_of(condition: Condition) -> Iterable[Test]:
    """All tests of a condition."""
    return (test for terms in condition.alternatives for term in terms for test in term.tests)


def keep_references(proxy: ProxyDraft, statement: Statement, tests: Iterable[Test]) -> None:
    """Keeps the names that the tests ask about, with their line."""
    for test in tests:
        fetch = test.sample.fetch
        if fetch.name in NAMES:
            proxy.asked.append(Reference(fetch.name, fetch.arguments[0] if fetch.arguments else "", statement.origin))


def check_asked(proxy: ProxyDraft, proxies: Sequence[ProxyDraft], report: Report) -> None:
    """Refuses names that nobody has, in HAProxy's words, once for each line; without a name the section itself is meant.

    The rules that a section takes over from its `defaults` are looked at with it, and told once of all that do.
    """
    told = {(finding.origin, finding.text) for finding in report.findings}
    for holder in (proxy.rules_before, proxy):
        for reference in dict.fromkeys(() if holder is None else holder.asked):
            complaint = _complaint(holder or proxy, reference, proxy, proxies)
            if complaint and (reference.origin, complaint) not in told:
                report.alert(reference.origin, complaint)


def _complaint(holder: ProxyDraft, reference: Reference, proxy: ProxyDraft, proxies: Sequence[ProxyDraft]) -> str:
    """What is wrong with a name in a line of `holder` when it is asked for `proxy`; "" if nothing is."""
    kind = NAMES[reference.keyword]
    place = f"in arg 1 of ACL keyword '{reference.keyword}' in proxy '{holder.name}'"
    if not reference.name and kind != SERVER:
        has_kind = proxy.is_frontend() if kind == FRONTEND else proxy.is_backend()
        return "" if has_kind else f"proxy '{holder.name}', referenced {place}, has not {kind} capability."
    if kind == SERVER and holder is not proxy and reference.name and "/" not in reference.name:
        return f"backend name must be set {place}."
    missing = _missing(proxy, reference, kind, proxies)
    return f"{missing} referenced {place}." if missing else ""


def _missing(proxy: ProxyDraft, reference: Reference, kind: str, proxies: Sequence[ProxyDraft]) -> str:
    if kind == FRONTEND:
        return _unknown(kind, reference.name, [each.name for each in proxies if each.is_frontend()])
    backends = {each.name: each for each in proxies if each.is_backend()}
    if kind == BACKEND:
        return _unknown(kind, reference.name, backends)
    section, slash, server = reference.name.rpartition("/")
    if slash and section not in backends:
        return _unknown("proxy", section, backends)
    holder = backends[section] if slash else proxy
    found = _unknown(kind, server, [each.name for each in holder.servers])
    return f"{found} in proxy '{holder.name}'," if found else ""


def _unknown(kind: str, name: str, names: Iterable[str]) -> str:
    known = list(names)
    return "" if name in known else f"unable to find {kind} '{name}'{suggestion(nearest(name, known))}"
