"""The rules that answer: `deny`, `tarpit`, `return` with what they send, and `redirect`."""

from collections.abc import Sequence
from typing import Final

from balancer.config.acls import parse_condition
from balancer.config.drafts import ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.formats import parse_text
from balancer.config.statement import Statement
from balancer.rulebook import Piece, Rule

REDIRECT_CODES: Final = (301, 302, 303, 307, 308)
ERROR_CODES: Final = (200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, 500, 501, 502, 503, 504)
# A client takes whatever comes behind such a head for its next answer (RFC 9112 6.3).
BARE_STATUSES: Final = (204, 304)
DENY_STATUS: Final = {"http-request": 403, "http-response": 502}
NAME_CHARS: Final = frozenset("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
BODY_OCTETS_MAX: Final = 16384


def parse_reply(proxy: ProxyDraft, statement: Statement, action: str) -> Rule:
    """`deny|tarpit|return [status N] [content-type T] [string|lf-string|file|lf-file X] [hdr NAME TEXT] ..`."""
    words = list(statement.arguments[1:])
    default = 200 if action == "return" else 500 if action == "tarpit" else DENY_STATUS[statement.keyword]
    status, kind = default, b""
    value: tuple[Piece, ...] = ()
    fields: list[tuple[bytes, tuple[Piece, ...]]] = []
    flags: tuple[str, ...] = ()
    while words and words[0] not in ("if", "unless"):
        word = words.pop(0)
        if word == "default-errorfiles":
            flags = ("errorfiles",)
            continue
        if word not in ("status", "deny_status", "content-type", "string", "lf-string", "file", "lf-file", "hdr"):
            if word in ("errorfile", "errorfiles"):
                raise Refusal(f"'{action} {word}' is not supported : use 'file' with 'content-type', or 'default-errorfiles'")
            raise Refusal(f"'{statement.keyword} {action}' expects 'if' or 'unless' followed by a condition but found '{word}'")
        if not words:
            raise Refusal(f"'{statement.keyword} {action}' : '{word}' expects a value (got nothing)")
        argument = words.pop(0)
        if word in ("status", "deny_status"):
            status = _status(statement, action, argument)
        elif word == "content-type":
            kind = _single_line(argument)
        elif word == "hdr":
            if not words or not NAME_CHARS.issuperset(argument) or argument.lower() in ("content-length", "transfer-encoding"):
                raise Refusal(f"'{action} hdr' expects the name of a field and a text (got '{argument}')")
            fields.append((argument.lower().encode(), parse_text(words.pop(0))))
        else:
            flags = ("body",)
            value = _body(word, argument)
    if status not in ERROR_CODES and flags != ("body",) and action != "return":
        raise Refusal(f"'{statement.keyword} {action}' : status code '{status}' has no page, expects a body: 'string ...'")
    if flags == ("body",) and not kind:
        raise Refusal(f"'{statement.keyword} {action}' : a body expects 'content-type' before it")
    if status in BARE_STATUSES and flags == ("body",):
        raise Refusal(f"'{statement.keyword} {action}' : no body expected for status '{status}'")
    condition = parse_condition(proxy, statement, words)
    return Rule(action, condition, status=status, octets=kind, value=value, fields=tuple(fields), flags=flags)


def _status(statement: Statement, action: str, word: str) -> int:
    if not word.isdigit() or not 200 <= int(word) <= 599:
        raise Refusal(f"'{statement.keyword} {action}' : expects a status code from 200 to 599 (got '{word}')")
    return int(word)


def _body(word: str, argument: str) -> tuple[Piece, ...]:
    if word in ("file", "lf-file"):
        try:
            with open(argument, "rb") as file:
                octets = file.read(BODY_OCTETS_MAX + 1)
        except OSError as error:
            raise Refusal(f"can't open file '{argument}' : {error.strerror}") from error
        if len(octets) > BODY_OCTETS_MAX:
            raise Refusal(f"file '{argument}' expects at most {BODY_OCTETS_MAX} octets")
        return parse_text(octets.decode("utf-8", "surrogateescape")) if word == "lf-file" else (octets,)
    return parse_text(argument) if word == "lf-string" else (argument.encode("utf-8", "surrogateescape"),)


def _single_line(text: str) -> bytes:
    octets = text.encode("utf-8", "surrogateescape")
    if any(octet < 32 or octet == 127 for octet in octets):
        raise Refusal(f"expects one line without controls (got {text!r})")
    return octets


def parse_redirect(proxy: ProxyDraft, statement: Statement, arguments: Sequence[str], has_format: bool) -> Rule:
    """`location|prefix|scheme TO [code N] [drop-query] [append-slash] [ignore-empty] [set-cookie C] [clear-cookie C]`."""
    words = list(arguments)
    kind, target, code = "", "", 302
    flags: list[str] = []
    cookie = b""
    while words and words[0] not in ("if", "unless"):
        word = words.pop(0)
        if word in ("drop-query", "append-slash", "ignore-empty"):
            flags.append(word)
            continue
        if word not in ("location", "prefix", "scheme", "code", "set-cookie", "clear-cookie"):
            raise Refusal(
                f"'redirect' expects 'code', 'prefix', 'location', 'scheme', 'set-cookie', 'clear-cookie', 'drop-query', "
                f"'ignore-empty' or 'append-slash' (was '{word}')"
            )
        if not words or not words[0]:
            raise Refusal(f"'redirect' : missing argument for '{word}'.")
        argument = words.pop(0)
        if word == "code":
            if not argument.isdigit() or int(argument) not in REDIRECT_CODES:
                raise Refusal(f"'redirect': unsupported HTTP code '{argument}' (must be one of 301, 302, 303, 307 or 308)")
            code = int(argument)
        elif word == "set-cookie":
            cookie = _single_line(argument) + b"; path=/;"
        elif word == "clear-cookie":
            cookie = _single_line(argument.partition("=")[0]) + b"=; path=/; Max-Age=0;"
        else:
            kind, target = word, argument
    if not kind:
        raise Refusal("'redirect' : missing redirection type (one of 'location', 'prefix' or 'scheme' is expected)")
    value: tuple[Piece, ...] = parse_text(target) if has_format else (_single_line(target),)
    condition = parse_condition(proxy, statement, words)
    return Rule("redirect", condition, name=kind, value=value, status=code, octets=cookie, flags=tuple(flags))
