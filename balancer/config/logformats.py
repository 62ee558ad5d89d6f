"""`log-format` and its kin, and the formats that have a name.

A text is compiled when it is read, so that what is wrong is said with its line. When several formats are named the last one
counts, as in HAProxy.
"""

from typing import Final

from balancer.config.drafts import LogText, ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.formats import parse_format
from balancer.config.keywords import Keyword, works
from balancer.config.rules import check_field
from balancer.config.statement import Statement
from balancer.logbook import LogPart

# HAProxy's own, by the words that name them.
HTTP_FORMAT: Final = (
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"
)
CLF_FORMAT: Final = (
    '%{+Q}o %{-Q}ci - - [%trg] %r %ST %B "" "" %cp %ms %ft %b %s %TR %Tw %Tc %Tr %Ta %tsc %ac %fc %bc %sc %rc %sq %bq %CC %CS '
    "%hrl %hsl"
)
TCP_FORMAT: Final = "%ci:%cp [%t] %ft %b/%s %Tw/%Tc/%Tt %B %ts %ac/%fc/%bc/%sc/%rc %sq/%bq"
JSON_WORDS: Final = "option httplog json"


# --- keywords ----------------------------------------------------------------------------------------------------------------


def _chosen(proxy: ProxyDraft, statement: Statement, form: str, words: str, parts: tuple[LogPart, ...]) -> None:
    """A format takes the place of the one before it."""
    settings = proxy.settings
    old = proxy.own_format
    if old and proxy.letter == "D":
        statement.warn(f"'{words}' overrides previous '{old}' in 'defaults' section.")
    elif old and JSON_WORDS in (old, words) and old != words:
        raise Refusal(f"'{words}' cannot stand beside '{old}', expects one of them: the first makes lines of another kind")
    proxy.own_format = words
    settings.log_format = form
    settings.log_parts = parts


def _is_ignored(proxy: ProxyDraft, statement: Statement) -> bool:
    if proxy.letter != "B":
        return False
    statement.warn(f"backend '{proxy.name}' : '{statement.keyword}' directive is ignored in backends.")
    return True


def _text(statement: Statement) -> str:
    if not statement.arguments or not statement.arguments[0]:
        raise Refusal(f"'{statement.keyword}' expects an argument.")
    if len(statement.arguments) > 1:
        raise Refusal(f"'{statement.keyword}' expects only one argument, don't forget to escape spaces!")
    return statement.arguments[0]


def _compiled(statement: Statement, is_at_end: bool = True) -> tuple[LogPart, ...]:
    text = _text(statement)
    try:
        return parse_format(text, is_at_end)
    except Refusal as refusal:
        raise Refusal(f"failed to parse {statement.keyword} : {refusal}") from refusal


def _log_format(proxy: ProxyDraft, statement: Statement) -> None:
    parts = _compiled(statement)
    if not _is_ignored(proxy, statement):
        _chosen(proxy, statement, "format", statement.keyword, parts)


def _error_log_format(proxy: ProxyDraft, statement: Statement) -> None:
    parts = _compiled(statement)
    if _is_ignored(proxy, statement):
        return
    if proxy.letter == "D" and proxy.settings.error_text is not None:
        statement.warn(f"'{statement.keyword}' overrides previous '{statement.keyword}' in 'defaults' section.")
    proxy.settings.error_text = LogText(parts, statement.origin)


def _log_format_sd(proxy: ProxyDraft, statement: Statement) -> None:
    parts = _compiled(statement)
    if not _is_ignored(proxy, statement):
        proxy.settings.structured_text = LogText(parts, statement.origin)


def _unique_id_format(proxy: ProxyDraft, statement: Statement) -> None:
    proxy.settings.identity_text = LogText(_compiled(statement, False), statement.origin)


def _unique_id_header(proxy: ProxyDraft, statement: Statement) -> None:
    name = _text(statement)
    check_field(statement, "", name)
    proxy.settings.identity_field = name.lower().encode()


def _httplog(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments[0] if statement.arguments else ""
    statement.no_more(1)
    if words not in ("", "clf", "json"):
        raise Refusal(f"keyword 'httplog' only supports options 'clf' and 'json' (got '{words}')")
    if _is_ignored(proxy, statement):
        return
    if words == "clf":
        _chosen(proxy, statement, "format", "option httplog clf", parse_format(CLF_FORMAT))
    elif words == "json":
        _chosen(proxy, statement, "json", JSON_WORDS, ())
    else:
        _chosen(proxy, statement, "http", "option httplog", ())


def _tcplog(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    if not _is_ignored(proxy, statement):
        _chosen(proxy, statement, "format", "option tcplog", parse_format(TCP_FORMAT))


def _logasap(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.logs_early = not statement.is_negated


def _ignore_probes(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.ignores_probes = not statement.is_negated


LOG_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works(
        "option httplog",
        "DFLB",
        "the log line of HTTP, with timers, counters and flags; `clf` in the order of Apache's, `json` (ours) as objects",
        _httplog,
    ),
    works("option tcplog", "DFLB", "the shorter line that HAProxy has for connections", _tcplog),
    works("log-format", "DFLB", "the line as a text with variables and samples (docs/log.md)", _log_format),
    works("error-log-format", "DFLB", "the same for what was no request", _error_log_format),
    works("log-format-sd", "DFLB", "the structured data for targets of `format rfc5424`", _log_format_sd),
    works("unique-id-format", "DFLB", "what `%ID` and `unique-id-header` say of a request", _unique_id_format),
    works("unique-id-header", "DFLB", "the field in which a server gets it", _unique_id_header),
    works(
        "option logasap", "DFL", "the line is written when the answer's head is there; `+` before what may grow", _logasap, True
    ),
    works(
        "option http-ignore-probes",
        "DFL",
        "a connection without an octet is neither answered, nor logged, nor counted as an error",
        _ignore_probes,
        True,
    ),
)
