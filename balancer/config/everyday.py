"""Keywords of every day that change single things: how connections are kept, which addresses are told, small pages, the log."""

import re
from ipaddress import AddressValueError, IPv4Network, IPv6Network, NetmaskValueError
from typing import Final

from balancer.config.drafts import ErrorFile, ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, works
from balancer.config.statement import Statement
from balancer.model import AddressField

REUSE: Final[dict[str, str]] = {"never": "", "safe": "", "aggressive": "", "always": ""}
FORWARDED_FOR: Final = b"x-forwarded-for"
ORIGINAL_TO: Final = b"x-original-to"
# Statuses for which HAProxy 2.6 takes a page of the operator's.
PAGES: Final[tuple[int, ...]] = (
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, 500, 501, 502, 503, 504,
)  # fmt: skip
LOCATIONS: Final[dict[str, bytes]] = {"errorloc": b"302 Found", "errorloc302": b"302 Found", "errorloc303": b"303 See Other"}
URL: Final = re.compile(r"[\x21-\x7e]{1,8192}")
PATH: Final = re.compile(r"/[\x21\x22\x24-\x7e]{0,8191}")
FIELD_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _network(word: str) -> IPv4Network | IPv6Network:
    for kind in (IPv4Network, IPv6Network):
        try:
            return kind(word, strict=False)
        except (AddressValueError, NetmaskValueError, ValueError):
            continue
    raise Refusal(f"'except' expects an address or a network (got '{word}')")


def _address_field(statement: Statement, default: bytes, may_yield: bool) -> AddressField:
    name, network, yields = default, None, False
    words = list(statement.arguments)
    while words:
        word = words.pop(0)
        if word == "if-none" and may_yield:
            yields = True
        elif word in ("except", "header") and words:
            value = words.pop(0)
            if word == "except":
                network = _network(value)
            elif FIELD_NAME.fullmatch(value):
                name = value.lower().encode()
            else:
                raise Refusal(f"'{statement.keyword}' : 'header' expects the name of a field (got '{value}')")
        else:
            known = "'except', 'header' and 'if-none'" if may_yield else "'except' and 'header'"
            raise Refusal(f"'{statement.keyword}' only supports {known} with their values (got '{word}')")
    return AddressField(name, network, yields)


def _forwardfor(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.forwardfor = _address_field(statement, FORWARDED_FOR, True)


def _originalto(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.originalto = _address_field(statement, ORIGINAL_TO, False)


def _connections(mode: str) -> "Keyword[ProxyDraft]":
    texts = {
        "keep-alive": "connections are kept, which is the default",
        "server-close": "the server's connection is closed after each answer",
        "close": "both connections are closed after each answer",
    }
    words = {"keep-alive": "http-keep-alive", "server-close": "http-server-close", "close": "httpclose"}[mode]

    def apply(proxy: ProxyDraft, statement: Statement) -> None:
        statement.no_more(0)
        settings = proxy.settings
        if not statement.is_negated:
            settings.connections = mode
        elif settings.connections == mode:
            settings.connections = ""

    return works(f"option {words}", "DFLB", texts[mode], apply, can_negate=True)


def _switch(words: str, sections: str, text: str, name: str) -> "Keyword[ProxyDraft]":
    """An option that is on or off and is kept in the setting of that name."""

    def apply(proxy: ProxyDraft, statement: Statement) -> None:
        statement.no_more(0)
        setattr(proxy.settings, name, not statement.is_negated)

    return works(f"option {words}", sections, text, apply, can_negate=True)


def _http_reuse(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.http_reuse = statement.choice(REUSE)


def _keep_alive_queue(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.keep_alive_queue_max = max(0, statement.integer(-1))


def _monitor_uri(proxy: ProxyDraft, statement: Statement) -> None:
    path = statement.text("a path")
    if not PATH.fullmatch(path):
        raise Refusal(f"'monitor-uri' expects a path (got '{path}')")
    proxy.settings.monitor_uri = path.encode()


def _errorloc(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    if len(words) < 2:
        raise Refusal(f"'{statement.keyword}' expects <status_code> and <url> as arguments (got '{' '.join(words)}')")
    statement.no_more(2)
    if words[0] not in map(str, PAGES):
        raise Refusal(
            f"'{statement.keyword}' : status code '{words[0]}' not handled, expects one of {', '.join(map(str, PAGES))}"
        )
    if not URL.fullmatch(words[1]):
        raise Refusal(f"'{statement.keyword}' expects a URL of printable octets (got '{words[1]}')")
    line = LOCATIONS[statement.keyword]
    fields = b"cache-control: no-cache\r\ncontent-length: 0\r\nlocation: %s\r\n" % words[1].encode()
    octets = b"HTTP/1.1 %s\r\n%s\r\n" % (line, fields)
    status = int(words[0])
    proxy.settings.errorfiles += (ErrorFile(status, octets, words[1], statement.origin),)


EVERYDAY_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works(
        "option forwardfor",
        "DFLB",
        "adds the client's address as X-Forwarded-For: `[except NETWORK] [header NAME] [if-none]`",
        _forwardfor,
    ),
    works(
        "option originalto",
        "DFLB",
        "adds the address that the client connected to as X-Original-To: `[except NETWORK] [header NAME]`",
        _originalto,
    ),
    _connections("keep-alive"),
    _connections("server-close"),
    _connections("close"),
    _switch("http-pretend-keepalive", "DLB", "a server whose connection will be closed is not told so", "pretend_keepalive"),
    _switch("abortonclose", "DLB", "a request whose client has left is called off while it waits", "abortonclose"),
    _switch("allbackups", "DLB", "all usable backup servers share the load, not the first alone", "allbackups"),
    _switch("persist", "DLB", "a cookie leads to its server even when that is down", "persist"),
    _switch("dontlog-normal", "DFL", "only what went wrong is logged", "dontlog_normal"),
    _switch("log-separate-errors", "DFL", "what went wrong is logged at level err", "log_separate_errors"),
    _switch("splice-auto", "DFLB", "large bodies pass by splice(2), which is the default; `no` forbids it", "splice_auto"),
    _switch("splice-request", "DFLB", "as `splice-auto`, for bodies of requests", "splice_request"),
    _switch("splice-response", "DFLB", "as `splice-auto`, for bodies of answers", "splice_response"),
    _switch(
        "http-buffer-request",
        "DFLB",
        "a request waits until its body is there or `tune.bufsize` of it, within `timeout http-request`",
        "buffers_requests",
    ),
    _switch("http-no-delay", "DFLB", "chunks of an answer leave one by one, however close they come", "no_delay"),
    _switch("socket-stats", "DFL", "each `bind` has a row of its own in the statistics", "socket_stats"),
    _switch("contstats", "DFL", "octets are counted each second, not only when a request ends", "contstats"),
    _switch(
        "prefer-last-server",
        "DLB",
        "a client that has a server connection of its own (`http-reuse never`) stays with that server",
        "prefers_last_server",
    ),
    works("max-keep-alive-queue", "DLB", "how long that server's queue may be for it; -1, 0: no limit", _keep_alive_queue),
    works("http-reuse", "DLB", "who may use a kept server connection: never, safe, aggressive, always", _http_reuse),
    works("monitor-uri", "DFL", "a path that is answered here, 200 while the section serves, and not logged", _monitor_uri),
    works("errorloc", "DFLB", "redirects by 302 in place of an answer of ours: `STATUS URL`", _errorloc),
    works("errorloc302", "DFLB", "as `errorloc`", _errorloc),
    works("errorloc303", "DFLB", "as `errorloc`, by 303", _errorloc),
)
