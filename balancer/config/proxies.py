"""The keywords of `defaults`, `frontend`, `listen` and `backend` that work.

A keyword changes the settings of its own section only: a proxy has a copy of those of the `defaults` before it. Which
sections a keyword may stand in is in its row; what a proxy makes of a setting is decided when all sections are known
(`validate`).
"""

from collections.abc import Callable
from typing import Final

from balancer.config.acls import ACL_ROWS
from balancer.config.balances import parse_balance, parse_factor, parse_hash_type
from balancer.config.binds import parse_bind
from balancer.config.captures import CAPTURE_ROWS
from balancer.config.checks import CHECK_ROWS
from balancer.config.cookies import parse_cookie
from balancer.config.drafts import ProxyDraft, Reference
from balancer.config.errorfiles import parse_errorfile
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.logformats import LOG_ROWS
from balancer.config.logs import parse_log
from balancer.config.rules import RULE_ROWS
from balancer.config.servers import parse_default_server, parse_dispatch, parse_server
from balancer.config.statement import Statement, integer_of

MODES: Final[dict[str, str]] = {
    "http": "",
    "tcp": "is known to HAProxy and not supported yet, expects 'mode http'",
    "health": "is not supported any more, since HAProxy 2.2; use 'http-request return' there",
    "log": "is known to HAProxy and not supported yet, expects 'mode http'",
    "spop": "is known to HAProxy and not supported yet, expects 'mode http'",
}


def _mode(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.mode = "http"  # whatever is refused is not said a second time for want of a mode
    statement.choice(MODES)


def _log(proxy: ProxyDraft, statement: Statement) -> None:
    settings = proxy.settings
    if statement.is_negated:
        statement.no_more(0)
        settings.logs = ()
    elif statement.arguments == ("global",):
        # Once only, as in HAProxy: 'log global' in defaults and again in the proxy gives each line once.
        if None not in settings.logs:
            settings.logs += (None,)
    else:
        settings.logs += (parse_log(statement),)


def _log_tag(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.log_tag = statement.text("a tag for use in syslog")


def _maxconn(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.maxconn = statement.integer(0)


def _fullconn(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.fullconn = statement.integer(0)


def _retries(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.retries = statement.integer(0)


def _retry_on(_proxy: ProxyDraft, statement: Statement) -> None:
    if not statement.arguments:
        raise Refusal("'retry-on' expects 'conn-failure' (got nothing)")
    for word in statement.arguments:
        if word != "conn-failure":
            raise Refusal(
                f"'retry-on {word}' is not supported, expects 'conn-failure': what may have run is never run again (a GET may "
                "run code, too)"
            )


def _cookie(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.cookie = parse_cookie(statement)


def _key(proxy: ProxyDraft, statement: Statement) -> None:
    key = statement.text("<secret_key> as argument.")
    proxy.settings.dynamic_cookie_key = key.encode("utf-8", "surrogateescape")


def _errorfile(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.errorfiles += (parse_errorfile(statement),)


def _dontlognull(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.dontlognull = not statement.is_negated


def _redispatch(proxy: ProxyDraft, statement: Statement) -> None:
    interval = -1  # on the last retry
    if statement.arguments:
        interval = integer_of(statement.keyword, statement.arguments[0], -(2**31))
        statement.no_more(1)
    proxy.settings.redispatch_interval = 0 if statement.is_negated else interval


def _default_backend(proxy: ProxyDraft, statement: Statement) -> None:
    name = statement.text("the name of a backend")
    proxy.settings.default_backend = Reference(statement.keyword, name, statement.origin)


def _disabled(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.disabled = statement.keyword == "disabled"


def timeout(name: str) -> Callable[[ProxyDraft, Statement], None]:
    """The function that keeps the timeout of this name."""

    def apply(proxy: ProxyDraft, statement: Statement) -> None:
        timeout_s = statement.time_s()
        if name in proxy.own_timeouts:
            statement.warn(f"overwriting 'timeout {name}' which was already specified")
        proxy.own_timeouts.add(name)
        proxy.settings.timeouts = tuple({**dict(proxy.settings.timeouts), name: timeout_s}.items())

    return apply


def _timeout_row(name: str, sections: str, text: str) -> Keyword[ProxyDraft]:
    return works(f"timeout {name}", sections, text, timeout(name))


def _old_timeout_row(words: str, name: str, sections: str) -> Keyword[ProxyDraft]:
    return works(words, sections, f"`timeout {name}` in the words of 1.2 and 1.3", timeout(name), modern=f"timeout {name}")


PROXY_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("mode", "DFLB", "`http`: requests are read one by one", _mode),
    works(
        "bind", "FL", "where clients connect: `:8080 *:8080 127.0.0.1:8080 [::1]:8080 host:8080 a:1,b:2 :8080-8083`", parse_bind
    ),
    works("maxconn", "DFL", "how many connections of clients the section takes at once; as the process", _maxconn),
    works("fullconn", "DLB", "the load at which its servers with `minconn` have their whole `maxconn`", _fullconn),
    works("log", "DFLB", "`global`, or an address as in `global`; `no log` drops those before", _log, can_negate=True),
    works("log-tag", "DFLB", "the program's name in the section's log lines; that of `global`", _log_tag),
    *LOG_ROWS,
    *CAPTURE_ROWS,
    works("option dontlognull", "DFL", "connections without an octet are not logged", _dontlognull, can_negate=True),
    works("retries", "DLB", "how often a failed connect is tried anew; 3", _retries),
    works("retry-on", "DLB", "`conn-failure`, which is what happens anyway", _retry_on),
    works(
        "option redispatch",
        "DLB",
        "the last retry (or each N-th) may go to another server",
        _redispatch,
        can_negate=True,
    ),
    works("redispatch", "DLB", "`option redispatch` in the words of 1.2", _redispatch, True, modern="option redispatch"),
    works(
        "balance",
        "DLB",
        "`roundrobin` `static-rr` `leastconn` `first` `random[(draws)]` `source` `uri [len N] [depth N] [whole] [path-only]` "
        "`url_param NAME [check_post]` `hdr(NAME) [use_domain_only]`",
        parse_balance,
    ),
    works("hash-type", "DLB", "`map-based` or `consistent`, then `sdbm djb2 crc32 wt6`, then `avalanche`", parse_hash_type),
    works("hash-balance-factor", "DLB", "how far above its share a server may go on the ring, in percent; 0", parse_factor),
    works(
        "cookie",
        "DLB",
        "`NAME [insert | rewrite | prefix]`, with indirect nocache postonly preserve httponly secure domain attr maxidle "
        "maxlife dynamic",
        _cookie,
    ),
    works("dynamic-cookie-key", "DLB", "what `cookie ... dynamic` makes the servers' values of, with their addresses", _key),
    works("server", "LB", "`NAME ADDRESS:PORT`, with the options below", parse_server),
    works("dispatch", "LB", "`ADDRESS:PORT`: who gets what no cookie binds, without `balance`", parse_dispatch),
    works("default-server", "DLB", "options for the servers after it", parse_default_server),
    works("default_backend", "DFL", "the backend for what no rule sends elsewhere", _default_backend),
    works("errorfile", "DFLB", "the whole answer for a status of ours, from a file read at the start", _errorfile),
    works("disabled", "DFLB", "the section is read and not run", _disabled),
    works("enabled", "DFLB", "takes a `disabled` of `defaults` back", _disabled),
    _timeout_row("connect", "DLB", "for one connect to a server"),
    _timeout_row("client", "DFL", "of silence on the client's side"),
    _timeout_row("server", "DLB", "of silence on the server's side"),
    _timeout_row("check", "DLB", "for the answer to a check, once connected; otherwise `inter` for all of it"),
    _timeout_row("queue", "DLB", "of waiting for a server; otherwise as connect"),
    _timeout_row("tarpit", "DFLB", "that a `tarpit` lets a client wait; otherwise as connect"),
    _timeout_row("tunnel", "DLB", "of silence after an upgrade"),
    _timeout_row("http-request", "DFLB", "for a request's whole head; otherwise as client"),
    _timeout_row("http-keep-alive", "DFLB", "of silence between two requests; otherwise as http-request"),
    _old_timeout_row("contimeout", "connect", "DLB"),
    _old_timeout_row("clitimeout", "client", "DFL"),
    _old_timeout_row("srvtimeout", "server", "DLB"),
    _old_timeout_row("timeout contimeout", "connect", "DLB"),
    _old_timeout_row("timeout clitimeout", "client", "DFL"),
    _old_timeout_row("timeout srvtimeout", "server", "DLB"),
    *CHECK_ROWS,
    *ACL_ROWS,
    *RULE_ROWS,
)
