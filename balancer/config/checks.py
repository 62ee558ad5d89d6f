"""`option httpchk` and `http-check`: what a check asks of a server, and which answers are good.

A section has one list of rules. The first `option httpchk` or `http-check` rule in a section drops what `defaults` gave, as in
HAProxy; the request of `option httpchk` and the first `http-check send` are one, the later word winning. `check_steps` makes
of the rules what a check does, step by step, with the steps that HAProxy adds: a connect in front, the request, and at the
end the expectation of a 2xx or 3xx. What is malformed on the wire (a method that is no token, a space in a URI) is refused.
"""

from dataclasses import replace
from typing import Final

from balancer.config.drafts import CheckRule, ProxyDraft, Settings
from balancer.config.expectations import parse_expect
from balancer.config.findings import Refusal
from balancer.config.keywords import Keyword, nearest, suggestion, works
from balancer.config.statement import Statement
from balancer.config.wire import (
    CONNECT_VALUES,
    is_target,
    is_token,
    is_value,
    parse_check_address,
    plain_format,
    port_of,
    version_of,
)
from balancer.model import CheckConnect, CheckExpect, CheckSend, CheckStep

# The lines that an operator may hide behind the version of `option httpchk`, and the body behind an empty line.
LINE_END: Final = b"\r\n"
# HAProxy writes these itself.
FRAMING_FIELDS: Final = (b"content-length", b"transfer-encoding")
SEND_WORDS: Final = "'comment', 'meth', 'uri', 'ver', 'hdr' or 'body'"
CONNECT_WORDS: Final = "'comment', 'port', 'addr', 'linger' or 'default'"
CONNECT_REFUSED: Final[dict[str, str]] = {
    "ssl": "servers are spoken to without TLS",
    "sni": "servers are spoken to without TLS",
    "alpn": "only HTTP/1.1 is spoken",
    "proto": "only HTTP/1.1 is spoken",
    "send-proxy": "addresses are those of the connections",
    "via-socks4": "servers are connected to without a proxy",
}
RULES: Final = ("comment", "connect", "disable-on-404", "expect", "send", "send-state")
VARIABLE_RULES: Final = ("set-var", "unset-var")
# Applications whose visits open a session: these answer 501 to OPTIONS and HEAD.
PROBING_METHODS: Final = (b"OPTIONS", b"HEAD")
SESSION_PATH: Final = b"/seaside"
FILES_PATH: Final = b"/seaside/files/"


def option_httpchk(proxy: ProxyDraft, statement: Statement) -> None:
    """`option httpchk [[METHOD] URI [VERSION]]`; fields may follow the version behind `\\r\\n`, as before HAProxy 2.2."""
    words = statement.arguments
    statement.no_more(3)
    method, uri, version = b"OPTIONS", b"/", b"HTTP/1.0"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    if len(words) == 1:
        uri = is_target("option httpchk", words[0])
    elif words:
        method, uri = is_token("option httpchk", words[0]), is_target("option httpchk", words[1])
    if len(words) == 3:
        version, fields, body = _hidden(statement, words[2])
    rule = CheckRule(None, statement.origin, "", True, True, method, uri, version, fields, body)
    _begin_own(proxy)
    settings = proxy.settings
    settings.has_httpchk = True
    settings.check_rules = _with_option(settings.check_rules, rule)


def _hidden(statement: Statement, word: str) -> tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes | None]:
    text = word.encode("utf-8", "surrogateescape")
    version, line_end, rest = text.partition(LINE_END)
    if line_end:
        statement.warn(
            "'option httpchk' : hiding headers or body at the end of the version string is deprecated. Please, consider to use "
            "'http-check send' directive instead."
        )
    head, empty_line, body = (LINE_END + rest).partition(LINE_END + LINE_END)
    fields = tuple(_field(line) for line in head.split(LINE_END) if line)
    return version_of("option httpchk", version), fields, body if empty_line and body else None


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon:
        raise Refusal(f"'option httpchk' expects fields as 'Name: value' behind the version (got '{line.decode('latin-1')}')")
    return is_token("option httpchk", name.decode("latin-1")).lower(), is_value("option httpchk", value.strip(b" \t"))


def _begin_own(proxy: ProxyDraft) -> None:
    if not proxy.has_own_check:
        proxy.has_own_check = True
        proxy.settings.check_rules = ()


def _with_option(rules: tuple[CheckRule, ...], option: CheckRule) -> tuple[CheckRule, ...]:
    at = 1 if rules and isinstance(rules[0].step, CheckConnect) else 0
    if len(rules) <= at or not rules[at].is_send:
        return (option, *rules)
    merged = option if rules[at].is_option else _overwritten(rules[at], option)
    return (*rules[:at], merged, *rules[at + 1 :])


def _overwritten(old: CheckRule, new: CheckRule) -> CheckRule:
    """The old request with what the new one says; fields replace fields as a whole."""
    return replace(
        old,
        comment=new.comment or old.comment,
        method=old.method if new.method is None else new.method,
        uri=old.uri if new.uri is None else new.uri,
        version=old.version if new.version is None else new.version,
        fields=new.fields or old.fields,
        body=old.body if new.body is None else new.body,
        is_option=False,
    )


def _add(proxy: ProxyDraft, rule: CheckRule) -> None:
    """Appends an explicit rule; refuses an order in which something is sent twice or awaited without a question."""
    rules = () if not proxy.has_own_check else proxy.settings.check_rules
    last = next((each for each in reversed(rules) if not _is_comment(each)), None)
    keyword, step = _word(rule), sum(not _is_comment(each) for each in rules) + 1
    if last is not None and not last.is_option:
        missing = ""
        if rule.is_send and not isinstance(last.step, CheckConnect):
            missing = "connect"
        elif isinstance(rule.step, CheckExpect) and isinstance(last.step, CheckConnect):
            missing = "send"
        elif isinstance(rule.step, CheckConnect) and not isinstance(last.step, CheckExpect):
            missing = "expect"
        if missing:
            raise Refusal(f"'{keyword}' : unable to add {keyword} rule at step {step} (missing {missing} rule).")
    if isinstance(rule.step, CheckConnect):
        first = next((each for each in rules if not _is_comment(each) and not each.is_option), None)
        if first is not None and not isinstance(first.step, CheckConnect):
            raise Refusal(f"'{keyword}' : expects the first rule to be a 'connect', too, where there is one at all")
    _begin_own(proxy)
    if rule.is_send and rules and rules[0].is_option:
        rule, rules = _overwritten(rules[0], rule), rules[1:]
    proxy.settings.check_rules = (*rules, rule)


def _is_comment(rule: CheckRule) -> bool:
    return rule.step is None and not rule.is_send


def _word(rule: CheckRule) -> str:
    if rule.is_send:
        return "http-check send"
    return "http-check connect" if isinstance(rule.step, CheckConnect) else "http-check expect"


def _send(proxy: ProxyDraft, statement: Statement) -> None:
    rule = CheckRule(None, statement.origin, is_send=True)
    words = list(statement.arguments)
    while words:
        word = words.pop(0)
        if word in ("uri-lf", "body-lf"):
            raise Refusal(f"'http-check send' : '{word}' is known to HAProxy and not supported yet, expects '{word[:-3]}'")
        if word not in ("comment", "meth", "uri", "ver", "hdr", "body"):
            raise Refusal(f"'http-check send' : expects {SEND_WORDS} but got '{word}' as argument.")
        if word == "hdr":
            if len(words) < 2 or not words[0] or not words[1]:
                raise Refusal("'http-check send' : 'hdr' expects <name> and <value> as arguments")
            name, value = words.pop(0), words.pop(0)
            field = is_token("http-check send", name).lower(), is_value("http-check send", plain_format("hdr", value))
            if field[0] in FRAMING_FIELDS:
                statement.warn(f"'http-check send' : the field '{name}' is left out, it follows from the body")
            else:
                rule = replace(rule, fields=(*rule.fields, field))
            continue
        if not words or not words[0]:
            raise Refusal(f"'http-check send' : '{word}' expects a string as argument.")
        rule = _with_word(rule, word, words.pop(0))
    _add(proxy, rule)


def _with_word(rule: CheckRule, word: str, value: str) -> CheckRule:
    if word == "comment":
        return replace(rule, comment=value)
    if word == "meth":
        return replace(rule, method=is_token("http-check send", value))
    if word == "uri":
        return replace(rule, uri=is_target("http-check send", value))
    octets = value.encode("utf-8", "surrogateescape")
    return replace(rule, version=version_of("http-check send", octets)) if word == "ver" else replace(rule, body=octets)


def _connect(proxy: ProxyDraft, statement: Statement) -> None:
    words = list(statement.arguments)
    step, comment = CheckConnect(), ""
    while words:
        word = words.pop(0)
        if word in CONNECT_REFUSED:
            raise Refusal(
                f"'http-check connect' : '{word}' is known to HAProxy and not supported yet : {CONNECT_REFUSED[word]}"
            )
        if word in ("default", "linger"):
            continue  # the server's own options, and an end by FIN, are what a check has anyway
        if word not in ("comment", "port", "addr"):
            raise Refusal(f"'http-check connect' : expects {CONNECT_WORDS} but got '{word}' as argument.")
        if not words or not words[0]:
            raise Refusal(f"'http-check connect' : '{word}' expects {CONNECT_VALUES[word]} as argument.")
        value = words.pop(0)
        if word == "comment":
            comment = value
        elif word == "port":
            step = replace(step, port=port_of("http-check connect port", value))
        else:
            host = parse_check_address("http-check connect", value, statement.resolves)
            step = replace(step, host=host.address, is_ipv6=host.is_ipv6)
    _add(proxy, CheckRule(step, statement.origin, comment))


def _expect(proxy: ProxyDraft, statement: Statement) -> None:
    _add(proxy, CheckRule(parse_expect(statement.arguments), statement.origin))


def _comment(proxy: ProxyDraft, statement: Statement) -> None:
    if not statement.arguments or not statement.arguments[0]:
        raise Refusal("'http-check comment' : expects a string as argument.")
    statement.no_more(1)
    rules = proxy.settings.check_rules if proxy.has_own_check else ()
    _begin_own(proxy)
    proxy.settings.check_rules = (*rules, CheckRule(None, statement.origin, statement.arguments[0]))


def _other(_proxy: ProxyDraft, statement: Statement) -> None:
    found = statement.arguments[0] if statement.arguments else ""
    if found.startswith(VARIABLE_RULES):
        raise Refusal(f"'http-check {found}' is known to HAProxy and not supported yet : there are no variables")
    near = suggestion(nearest(found, RULES))
    raise Refusal(f"'http-check' only supports {', '.join(RULES)} (got '{found}'){near}")


def _disable_on_404(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.disables_on_404 = True


def _send_state(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.sends_state = True


def _log_health_checks(proxy: ProxyDraft, statement: Statement) -> None:
    statement.no_more(0)
    proxy.settings.logs_checks = not statement.is_negated


def check_steps(settings: Settings) -> tuple[CheckStep, ...]:
    """What a check of this section's servers does: connect alone, or whole conversations."""
    if not settings.has_httpchk:
        return (CheckConnect(),)
    steps: list[CheckStep] = []
    for rule in _in_order(settings.check_rules):
        if rule.is_send:
            steps.append(_request(rule))
        elif isinstance(rule.step, CheckExpect):
            # Rules of a section of its own without a request: HAProxy would wait for an answer to nothing.
            if not any(isinstance(step, CheckSend) for step in steps):
                steps.append(CheckSend())
            steps.append(replace(rule.step, comment=rule.step.comment or rule.comment))
        elif rule.step is not None:
            steps.append(rule.step)
    if not steps or not isinstance(steps[0], CheckConnect):
        steps.insert(0, CheckConnect())
    if not any(isinstance(step, CheckSend) for step in steps):
        steps.append(CheckSend())
    if isinstance(steps[-1], CheckSend):
        steps.append(CheckExpect())
    return tuple(steps)


def _in_order(rules: tuple[CheckRule, ...]) -> list[CheckRule]:
    """The rules without their comments, which go to the rule behind; the option's request stands behind the first connect."""
    found: list[CheckRule] = []
    comment = ""
    for rule in rules:
        if _is_comment(rule):
            comment = rule.comment
            continue
        found.append(rule if rule.comment or not comment else replace(rule, comment=comment))
        comment = ""
    if len(found) > 1 and found[0].is_option and isinstance(found[1].step, CheckConnect):
        found[0], found[1] = found[1], found[0]
    return found


def _request(rule: CheckRule) -> CheckSend:
    uri = rule.uri or b"/"
    scheme, separator, rest = uri.partition(b"://")
    host = dict(rule.fields).get(b"host", b"")
    if separator and host:  # an absolute URI names the host that the field names, as HAProxy has it
        uri = scheme + separator + host + rest[len(rest.split(b"/")[0].split(b"?")[0]) :]
    return CheckSend(rule.method or b"OPTIONS", uri, rule.version or b"HTTP/1.0", rule.fields, rule.body or b"")


def session_notice(steps: tuple[CheckStep, ...]) -> str:
    """What to tell of requests that cost a Seaside image a session each time, or that it never answers well; else ""."""
    for step in steps:
        if not isinstance(step, CheckSend):
            continue
        path = step.uri.partition(b"?")[0]
        if path.startswith(SESSION_PATH) and not path.startswith(FILES_PATH) and step.method not in PROBING_METHODS:
            return (
                f"'{path.decode('latin-1')}' opens a session in the image at each check; a file below "
                f"{FILES_PATH.decode()} or '/' with 'http-check expect status 404' does not (docs/health-checks.md)"
            )
        if step.method in PROBING_METHODS:
            return f"{step.method.decode()} is answered 501 by Seaside's web servers, which then are DOWN; GET works there"
    return ""


CHECK_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works(
        "option httpchk",
        "DLB",
        "checks ask with HTTP: nothing (`OPTIONS / HTTP/1.0`), `URI`, `METHOD URI` or `METHOD URI VERSION`",
        option_httpchk,
    ),
    works("option log-health-checks", "DLB", "every change of a check is logged", _log_health_checks, can_negate=True),
    works("http-check", "DLB", "one of the rules that follow here; those of variables are refused", _other),
    works("http-check connect", "DLB", "a connection of a check: `default port addr linger comment`", _connect),
    works("http-check send", "DLB", "the request of a check: `meth uri ver hdr body comment`", _send),
    works(
        "http-check expect",
        "DLB",
        "good answers: `[!] status`, `rstatus`, `string`, `rstring`, with `min-recv comment ok-status error-status tout-status "
        "on-success on-error`",
        _expect,
    ),
    works("http-check comment", "DLB", "a remark that is told when the rule after it fails", _comment),
    works("http-check disable-on-404", "DLB", "404 takes a server out of balancing; its sticky users stay", _disable_on_404),
    works("http-check send-state", "DLB", "checks tell the server how it is seen: `X-Haproxy-Server-State`", _send_state),
)
