"""`stats ...` in a proxy: the statistics page, who may see it, and from where servers may be changed.

Any of these words makes the page. A section that has one of its own takes over none of those of `defaults`, as in HAProxy. What
a browser can be made to send by a stranger is not trusted: who rests admin on the client's address alone, or puts the page
beside the traffic, is warned.
"""

from dataclasses import replace
from typing import Final

from balancer.config.acls import fetches_of, parse_condition
from balancer.config.drafts import GlobalDraft, ProxyDraft
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import Keyword, works
from balancer.config.statement import Statement
from balancer.model import StatsPage, StatsRule
from balancer.units import UnitError, parse_time_s

RULES: Final = ("allow", "deny", "auth")
ADMIN_EXPECTS: Final = "'stats admin' requires either 'if' or 'unless' followed by a condition."


def _page(proxy: ProxyDraft) -> StatsPage:
    """The page of this section, begun afresh where it is that of `defaults`."""
    if not proxy.has_own_page or proxy.settings.stats_page is None:
        proxy.has_own_page = True
        proxy.settings.stats_page = StatsPage(origin=proxy.origin)
    return proxy.settings.stats_page


def _change(proxy: ProxyDraft, **values: object) -> None:
    proxy.settings.stats_page = replace(_page(proxy), **values)  # type: ignore[arg-type]


def _first(statement: Statement, what: str) -> str:
    """The first argument. HAProxy passes over what follows it."""
    if not statement.arguments or not statement.arguments[0]:
        raise Refusal(f"'{statement.keyword}' needs {what}.")
    return statement.arguments[0]


def _enable(proxy: ProxyDraft, statement: Statement) -> None:
    _change(proxy, origin=statement.origin)


def _uri(proxy: ProxyDraft, statement: Statement) -> None:
    _change(proxy, uri=_first(statement, "an URI prefix").encode("utf-8", "surrogateescape"))


def _realm(proxy: ProxyDraft, statement: Statement) -> None:
    _change(proxy, realm=_first(statement, "a realm name"), has_realm=True)


def _refresh(proxy: ProxyDraft, statement: Statement) -> None:
    word = _first(statement, "an interval")
    try:
        seconds = parse_time_s(word, "s")
    except UnitError as error:
        raise Refusal(f"'stats refresh' {error}") from error
    _change(proxy, refresh_s=int(seconds))


def _auth(proxy: ProxyDraft, statement: Statement) -> None:
    name, _, password = _first(statement, "a user:password account").partition(":")
    page = _page(proxy)
    if any(user == name for user, _ in page.users):
        statement.warn(f"uri auth: ignoring duplicated user '{name}'.")
        return
    _change(proxy, users=(*page.users, (name, password)))


def _scope(proxy: ProxyDraft, statement: Statement) -> None:
    name = _first(statement, "a proxy name")
    _change(proxy, scopes=(*_page(proxy).scopes, name))


def _hide_version(proxy: ProxyDraft, _statement: Statement) -> None:
    _change(proxy, hides_version=True)


def _show_legends(proxy: ProxyDraft, _statement: Statement) -> None:
    _change(proxy, shows_legends=True)


def _show_modules(proxy: ProxyDraft, _statement: Statement) -> None:
    _change(proxy, shows_modules=True)


def _show_node(proxy: ProxyDraft, statement: Statement) -> None:
    _change(proxy, shows_node=True, node=" ".join(statement.arguments[:1]))


def _show_desc(proxy: ProxyDraft, statement: Statement) -> None:
    _change(proxy, shows_description=True, description=" ".join(statement.arguments))


def _admin(proxy: ProxyDraft, statement: Statement) -> None:
    if proxy.letter == "D":
        raise Refusal("'stats admin' not allowed in 'defaults' section.")
    words = statement.arguments
    if not words or words[0] not in ("if", "unless"):
        raise Refusal(ADMIN_EXPECTS)
    rule = StatsRule("admin", "", parse_condition(proxy, statement, words), statement.origin)
    _change(proxy, admin=(*_page(proxy).admin, rule))


def _http_request(proxy: ProxyDraft, statement: Statement) -> None:
    if proxy.letter == "D":
        raise Refusal("'stats http-request' not allowed in 'defaults' section.")
    words = statement.arguments
    if not words or words[0] not in RULES:
        raise Refusal(f"'stats http-request' expects one of {', '.join(RULES)} (got '{words[0] if words else ''}')")
    action, rest, realm = words[0], words[1:], ""
    if action == "auth" and rest[:1] == ("realm",):
        if len(rest) < 2:
            raise Refusal("'stats http-request auth realm' expects a realm name (got nothing)")
        realm, rest = rest[1], rest[2:]
    rule = StatsRule(action, realm, parse_condition(proxy, statement, rest), statement.origin)
    _change(proxy, rules=(*_page(proxy).rules, rule))


def check_page(process: GlobalDraft, proxy: ProxyDraft, report: Report) -> None:
    """What the words of one section say together, and what is unwise in them."""
    page = proxy.settings.stats_page
    if page is None:
        if proxy.exporter_path and _has_traffic(proxy):
            report.warning(
                proxy.origin,
                f"{proxy.label()} '{proxy.name}' serves metrics beside traffic : whoever reaches the traffic reaches them; "
                "give them a section and an address of their own.",
            )
        return
    place, label = page.origin if proxy.has_own_page else proxy.origin, f"{proxy.label()} '{proxy.name}'"
    if page.rules and (page.users or page.has_realm):
        report.alert(place, f"{label}: stats 'auth'/'realm' and 'http-request' can't be used at the same time.")
    if page.shows_description and not page.description and not process.description:
        report.warning(place, "'show-desc' requires a parameter or 'desc' to be set in the global section.")
    if _has_traffic(proxy):
        report.warning(
            place,
            f"{label} serves statistics beside traffic : whoever reaches the traffic reaches them, and a proxy in front that "
            "forwards every path makes every client look local; give them a section and an address of their own.",
        )
    for rule in page.admin:
        if fetches_of(rule.condition) == {"src"} and not page.users and not page.rules:
            report.warning(
                rule.origin,
                "'stats admin' rests on the client's address alone : a proxy on that address passes everybody's requests on; "
                "add 'stats auth'.",
            )


def _has_traffic(proxy: ProxyDraft) -> bool:
    return bool(proxy.servers or proxy.settings.default_backend is not None or proxy.use_backends)


STATS_PAGE_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("stats enable", "DFLB", "serves the statistics page with the settings of the other words", _enable),
    works("stats uri", "DFLB", "how targets of the page begin; `/haproxy?stats`", _uri),
    works("stats refresh", "DFLB", "how often a browser asks again: `5s`; without it the page is live by its script", _refresh),
    works("stats realm", "DFLB", "what a browser shows when it asks for a password; `HAProxy Statistics`", _realm),
    works("stats auth", "DFLB", "`USER:PASSWORD`, who may see the page; repeatable", _auth),
    works("stats hide-version", "DFLB", "the page does not tell the version", _hide_version),
    works("stats show-node", "DFLB", "the page tells the node's name: `[NAME]`", _show_node),
    works("stats show-desc", "DFLB", "the page tells a description: `[TEXT]`", _show_desc),
    works("stats show-legends", "DFLB", "addresses, cookies and balancing are told in the rows", _show_legends),
    works("stats show-modules", "DFLB", "the columns of modules, of which there are none", _show_modules),
    works("stats scope", "DFLB", "the page shows this proxy only, `.` for its own; repeatable", _scope),
    works("stats admin", "FLB", "`if|unless CONDITION`: when the page may change servers", _admin),
    works(
        "stats http-request", "FLB", "`allow|deny|auth [realm NAME] [if|unless CONDITION]`: who may see the page", _http_request
    ),
)
