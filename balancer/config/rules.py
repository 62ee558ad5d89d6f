"""`http-request`, `http-response`, `http-after-response`, `redirect`, `use_backend` and their kin: words to rules.

A table says for each action where it may stand and how many words it takes. What would break the framing of a message, or is
no action here, is refused with what to do instead.
"""

from collections.abc import Callable, Sequence
from typing import Final

from balancer.config.acls import parse_condition, refuse_anonymous, sides_of
from balancer.config.captures import parse_capture
from balancer.config.drafts import ProxyDraft, Reference
from balancer.config.findings import Refusal
from balancer.config.formats import parse_text
from balancer.config.keywords import Keyword, nearest, suggestion, works
from balancer.config.ruleanswers import parse_redirect, parse_reply
from balancer.config.samples import check_pattern, check_variable, parse_sample
from balancer.config.statement import Statement
from balancer.rulebook import Condition, Rule

# Fields that frame the message or belong to one connection: a rule that changed them could smuggle.
FRAMING: Final = ("content-length", "transfer-encoding", "connection", "upgrade", "keep-alive", "proxy-connection")
NAME_CHARS: Final = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")

# Action: the lists it may stand in (q request, s response, a after-response) and how many words it takes, "" for its own way.
ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "allow": ("qsa", ""),
    "deny": ("qs", "reply"),
    "tarpit": ("q", "reply"),
    "reject": ("q", ""),
    "return": ("qs", "reply"),
    "redirect": ("qs", "redirect"),
    "set-header": ("qsa", "name text"),
    "add-header": ("qsa", "name text"),
    "del-header": ("qsa", "name"),
    "replace-header": ("qsa", "name pattern text"),
    "replace-value": ("qsa", "name pattern text"),
    "set-path": ("q", "text"),
    "set-pathq": ("q", "text"),
    "set-query": ("q", "text"),
    "set-uri": ("q", "text"),
    "set-method": ("q", "text"),
    "replace-path": ("q", "pattern text"),
    "replace-pathq": ("q", "pattern text"),
    "replace-uri": ("q", "pattern text"),
    "set-src": ("q", "sample"),
    "set-src-port": ("q", "sample"),
    "set-dst": ("q", "sample"),
    "set-dst-port": ("q", "sample"),
    "set-status": ("sa", "status"),
    "set-log-level": ("qs", "level"),
    "set-nice": ("qs", "nice"),
    "capture": ("qsa", "capture"),
    "strict-mode": ("qsa", "switch"),
}
# RFC 9112 4: HTAB, SP, what is to be seen, and octets beyond ASCII.
REASON_CHARS: Final = frozenset((0x09, *range(0x20, 0x7F), *range(0x80, 0x100)))
# The words that a shape of one choice may have.
CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "level": ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent"),
    "switch": ("on", "off"),
}
REFUSED: Final[dict[str, str]] = {
    "auth": "there are no user lists : let the web server in front ask for passwords",
    "cache-use": "nothing is cached here",
    "cache-store": "nothing is cached here",
    "lua": "Lua is not supported",
    "ot-group": "there is no OpenTracing",
    "silent-drop": "nobody is left waiting: 'reject' closes without a word",
    "do-resolve": "names are resolved at the start",
    "track-sc": "there are no stick tables",
    "sc-": "there are no stick tables",
    "set-map": "maps are not supported",
    "add-acl": "patterns are those of the file",
    "del-acl": "patterns are those of the file",
    "del-map": "maps are not supported",
    "set-tos": "the kernel decides that",
    "set-mark": "the kernel decides that",
    "send-spoe-group": "there is no SPOE",
    "normalize-uri": "targets pass as they were received",
    "wait-for-body": "bodies are streamed: 'option http-buffer-request'",
    "wait-for-handshake": "TLS ends before us",
    "early-hint": "no interim answers of ours",
    "disable-l7-retry": "what may have run is never run again anyway",
    "set-priority": "queues are in the order of arrival",
    "set-timeout": "give 'timeout server' and 'timeout tunnel' in the backend",
    "set-bandwidth-limit": "the rate of a body is the client's",
}
LISTS: Final[dict[str, str]] = {"http-request": "q", "http-response": "s", "http-after-response": "a"}
# Kinds of rules in the order in which they are asked, whatever order they stand in.
ASKED: Final[dict[str, Callable[[ProxyDraft], bool]]] = {
    "monitor fail": lambda proxy: bool(proxy.monitor_rules),
    "http-request": lambda proxy: bool(proxy.request_rules or proxy.exporter_path),
    "redirect": lambda proxy: bool(proxy.redirects),
    "use_backend": lambda proxy: bool(proxy.switches),
    "use-server": lambda proxy: bool(proxy.server_rules),
}


def parse_rule(proxy: ProxyDraft, statement: Statement) -> None:
    """One line of the three lists."""
    refuse_anonymous(proxy, statement)
    words = statement.arguments
    letter = LISTS[statement.keyword]
    if letter == "q":
        warn_of_order(proxy, statement, statement.keyword)
    action = words[0] if words else ""
    if action == "use-service":
        _use_service(proxy, statement)
        return
    for prefix in ("set-var", "set-var-fmt", "unset-var"):
        if action.startswith(prefix + "("):
            _keep(proxy, statement, letter, _variable_rule(proxy, statement, prefix))
            return
    where, shape = ACTIONS.get(action, ("", ""))
    if letter not in where:
        raise Refusal(_unknown(statement.keyword, letter, action))
    if shape == "reply":
        rule = parse_reply(proxy, statement, action)
    elif shape == "capture":
        rule = parse_capture(proxy, statement)
    elif shape == "redirect":
        rule = parse_redirect(proxy, statement, words[1:], True)
    else:
        rule = _plain_rule(proxy, statement, action, shape)
    _keep(proxy, statement, letter, rule)


def warn_of_order(proxy: ProxyDraft, statement: Statement, kind: str) -> None:
    """Says that a rule stands behind rules of a kind that is asked later."""
    kinds = list(ASKED)
    for later in kinds[kinds.index(kind) + 1 :]:
        if ASKED[later](proxy):
            article = "an" if later[0] in "aeh" else "a"
            statement.warn(f"a '{kind}' rule placed after {article} '{later}' rule will still be processed before.")
            return


def _unknown(keyword: str, letter: str, action: str) -> str:
    for prefix, why in REFUSED.items():
        if action.startswith(prefix):
            return f"'{keyword} {action}' is known to HAProxy and not supported here : {why}"
    known = [name for name, (where, _) in ACTIONS.items() if letter in where]
    near = suggestion(nearest(action, known))
    got = f"got '{action}'" if action else "got nothing"
    return f"'{keyword}' expects one of {', '.join(known)}, set-var(name), unset-var(name) ({got}){near}"


def _keep(proxy: ProxyDraft, statement: Statement, letter: str, rule: Rule) -> None:
    wrong = "response" if letter == "q" else "request"
    if wrong in sides_of(rule.condition) and letter == "q":
        statement.warn(
            f"'{statement.keyword}' : a condition uses a sample of the response, which is not there yet, so it never matches"
        )
    {"q": proxy.request_rules, "s": proxy.response_rules, "a": proxy.after_rules}[letter].append(rule)


def _plain_rule(proxy: ProxyDraft, statement: Statement, action: str, shape: str) -> Rule:
    words = list(statement.arguments[1:])
    kinds = shape.split()
    if len(words) < len(kinds) or (kinds and words[0] in ("if", "unless")):
        expected = " ".join(f"<{kind}>" for kind in kinds)
        raise Refusal(f"'{statement.keyword} {action}' expects {expected} (got '{' '.join(words)}')")
    taken = dict(zip(kinds, words, strict=False))
    rest = words[len(kinds) :]
    flags: tuple[str, ...] = ()
    if action == "del-header" and rest[:1] == ["-m"]:
        if len(rest) < 2 or rest[1] not in ("str", "beg", "end", "sub", "reg"):
            raise Refusal("'del-header' : '-m' expects one of str, beg, end, sub, reg")
        flags, rest = (rest[1],), rest[2:]
    reason = b""
    if action == "set-status" and rest[:1] == ["reason"] and rest[1:2] not in ([], [""], ["if"], ["unless"]):
        reason, rest = _reason(rest[1]), rest[2:]
    condition = parse_condition(proxy, statement, rest)
    if "name" in taken and (not flags or flags == ("str",)):
        check_field(statement, action, taken["name"])
    if flags == ("reg",):
        check_pattern(taken["name"], False)
    if "pattern" in taken:
        check_pattern(taken["pattern"], False)
    return Rule(
        action,
        condition,
        name=taken.get("name", _one_of(action, taken)),
        pattern=taken.get("pattern", ""),
        value=parse_text(taken["text"]) if "text" in taken else (),
        sample=parse_sample(taken["sample"]) if "sample" in taken else None,
        status=_status(taken["status"]) if "status" in taken else 0,
        octets=reason,
        flags=flags,
    )


def _one_of(action: str, taken: dict[str, str]) -> str:
    """The word of an action that knows but some."""
    for kind, words in CHOICES.items():
        if kind in taken:
            if taken[kind] not in words:
                raise Refusal(f"'{action}' expects one of {', '.join(words)} (got '{taken[kind]}')")
            return taken[kind]
    return ""


def _status(word: str) -> int:
    if not word.isdigit() or not 100 <= int(word) <= 999:
        raise Refusal(f"'set-status' expects a status code from 100 to 999 (got '{word}')")
    return int(word)


def _reason(word: str) -> bytes:
    """What stands behind the status: octets that a line may hold, or else it would make two of it."""
    octets = word.encode("utf-8", "surrogateescape")
    if not REASON_CHARS.issuperset(octets):
        raise Refusal(f"'set-status' : 'reason' expects a text without controls (got '{word}')")
    return octets


def check_field(statement: Statement, action: str, name: str) -> None:
    """Refuses names that are none, and fields that only we may write."""
    subject = f"{statement.keyword} {action}".strip()
    if not name or not NAME_CHARS.issuperset(name):
        raise Refusal(f"'{subject}' expects the name of a field (got '{name}')")
    if name.lower() in FRAMING:
        raise Refusal(
            f"'{subject}' cannot change '{name}' : it frames the message, and whoever changes it lets messages be smuggled"
        )


def _variable_rule(proxy: ProxyDraft, statement: Statement, prefix: str) -> Rule:
    word = statement.arguments[0]
    inside, closing, tail = word[len(prefix) + 1 :].partition(")")
    if not closing or tail:
        raise Refusal(f"'{statement.keyword} {prefix}' expects '{prefix}(<var-name>)' (got '{word}')")
    check_variable(inside.split(",")[0])
    words = statement.arguments[1:]
    if prefix == "unset-var":
        return Rule(prefix, parse_condition(proxy, statement, words), name=inside)
    if not words or words[0] in ("if", "unless"):
        raise Refusal(f"'{statement.keyword} {prefix}' expects an expression (got nothing)")
    condition = parse_condition(proxy, statement, words[1:])
    name = inside.split(",")[0]
    if prefix == "set-var-fmt":
        return Rule(prefix, condition, name=name, value=parse_text(words[0]))
    return Rule(prefix, condition, name=name, sample=parse_sample(words[0]))


def _use_service(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments[1:]
    service = words[0] if words else ""
    if service != "prometheus-exporter" or statement.keyword != "http-request":
        raise Refusal(f"'{statement.keyword} use-service' expects 'prometheus-exporter' in 'http-request' (got '{service}')")
    condition = parse_condition(proxy, statement, words[1:])
    path = _only_path(condition)
    if path and not proxy.request_rules:
        proxy.exporter_path = path  # looked at before all rules, so a file with the exporter alone has none to run
        return
    proxy.needs_exporter = True
    proxy.request_rules.append(Rule("use-service", condition, name=service))


def _only_path(condition: Condition | None) -> bytes:
    """The path where the condition is `if { path /X }` and nothing else."""
    if condition is None or condition.is_negated or len(condition.alternatives) != 1 or len(condition.alternatives[0]) != 1:
        return b""
    term = condition.alternatives[0][0]
    test = term.tests[0]
    is_plain = not term.is_negated and len(term.tests) == 1 and test.sample.text == "path" and test.match == "str"
    return test.octets[0] if is_plain and not test.ignores_case and len(test.octets) == 1 else b""


def parse_redirect_line(proxy: ProxyDraft, statement: Statement) -> None:
    """`redirect ..`, asked after the last `http-request`."""
    warn_of_order(proxy, statement, "redirect")
    proxy.redirects.append(parse_redirect(proxy, statement, statement.arguments, False))


def parse_use_backend(proxy: ProxyDraft, statement: Statement) -> None:
    """`use_backend NAME [if|unless ..]`."""
    words = statement.arguments
    if not words:
        raise Refusal("'use_backend' expects a backend name.")
    if len(words) > 1 and words[1] not in ("if", "unless"):
        raise Refusal(f"unexpected keyword '{words[1]}' after the backend name, only 'if' and 'unless' are allowed")
    condition = parse_condition(proxy, statement, words[1:])
    if "%" in words[0]:
        proxy.switches.append(Rule("use_backend", condition, value=parse_text(words[0])))
        return
    proxy.use_backends.append(Reference("use_backend", words[0], statement.origin))
    proxy.switches.append(Rule("use_backend", condition, name=words[0]))


def parse_use_server(proxy: ProxyDraft, statement: Statement) -> None:
    """`use-server NAME if ..`."""
    words = statement.arguments
    if len(words) < 2 or words[1] not in ("if", "unless"):
        raise Refusal("'use-server' expects a name and a condition : 'use-server NAME if ..'")
    condition = parse_condition(proxy, statement, words[1:])
    value = parse_text(words[0]) if "%" in words[0] else ()
    proxy.server_rules.append(Rule("use-server", condition, name=words[0], value=value))
    if not value:
        proxy.use_servers.append(Reference("use-server", words[0], statement.origin))


def parse_persistence(proxy: ProxyDraft, statement: Statement) -> None:
    """`force-persist` and `ignore-persist`."""
    proxy.persist_rules.append(Rule(statement.keyword, _needed(proxy, statement, statement.arguments)))


def parse_monitor_fail(proxy: ProxyDraft, statement: Statement) -> None:
    """`monitor fail if ..`."""
    warn_of_order(proxy, statement, "monitor fail")
    proxy.monitor_rules.append(Rule("monitor fail", _needed(proxy, statement, statement.arguments)))


def _needed(proxy: ProxyDraft, statement: Statement, words: Sequence[str]) -> Condition:
    condition = parse_condition(proxy, statement, words)
    if condition is None:
        raise Refusal(f"'{statement.keyword}' requires either 'if' or 'unless' followed by a condition.")
    return condition


RULE_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works("http-request", "DFLB", "a rule on requests (docs/rules.md)", parse_rule),
    works("http-response", "DFLB", "a rule on answers of servers (docs/rules.md)", parse_rule),
    works("http-after-response", "DFLB", "a rule on all answers (docs/rules.md)", parse_rule),
    works("redirect", "FLB", "`location|prefix|scheme TO [code N] [options] [if|unless ...]`", parse_redirect_line),
    works("use_backend", "FL", "`NAME [if|unless ...]`: the first that applies", parse_use_backend),
    works("use-server", "LB", "`NAME if|unless ...`: before any cookie; the first whose server may be used", parse_use_server),
    works("force-persist", "LB", "`if|unless ...`: the cookie counts also for a server that is down", parse_persistence),
    works("ignore-persist", "LB", "`if|unless ...`: the cookie does not count", parse_persistence),
    works("monitor fail", "FL", "`if|unless ...`: `monitor-uri` answers 503", parse_monitor_fail),
)
