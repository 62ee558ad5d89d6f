"""`balance`, `hash-type` and `hash-balance-factor`: who gets a request that no cookie binds.

The words and what is refused are those of HAProxy 2.6. What it passes over in silence, a word too many, is a warning here; what
it takes for a number by its first digits is refused.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from balancer.config.drafts import ProxyDraft
from balancer.config.findings import Refusal
from balancer.config.statement import Statement
from balancer.model import Balance
from balancer.units import INTEGER_MAX, UnitError, parse_integer

FUNCTIONS: Final = ("sdbm", "djb2", "crc32", "wt6")
FACTOR_MIN_PERCENT: Final = 101

REFUSED_ALGORITHMS: Final[dict[str, str]] = {
    "rdp-cookie": "only HTTP is spoken; a cookie of HTTP is kept by 'cookie NAME insert'",
    "hash": "expressions are not evaluated; use 'source', 'uri', 'url_param' or 'hdr'",
}


def parse_balance(proxy: ProxyDraft, statement: Statement) -> None:
    """`balance ALGORITHM [words]`."""
    # Without an algorithm HAProxy takes roundrobin.
    word = statement.arguments[0] if statement.arguments else "roundrobin"
    name, parenthesis, rest = word.partition("(")
    if name in REFUSED_ALGORITHMS:
        raise Refusal(f"'balance {word}' is known to HAProxy and not supported yet : {REFUSED_ALGORITHMS[name]}")
    take = ALGORITHMS.get(name)
    if take is None or (parenthesis and name not in WITH_PARENTHESES) or word == "hdr":
        raise Refusal(f"'balance {word}' expects one of {', '.join(SPELLINGS.get(each, each) for each in ALGORITHMS)}")
    before = proxy.settings.balance
    fresh = replace(
        Balance(algorithm=name),
        is_consistent=before.is_consistent,
        function=before.function,
        avalanche=before.avalanche,
        factor_percent=before.factor_percent,
    )
    proxy.settings.has_balance = True
    proxy.settings.balance = take(fresh, statement, parenthesis + rest)


def parse_hash_type(proxy: ProxyDraft, statement: Statement) -> None:
    """`hash-type METHOD [FUNCTION [avalanche]]`."""
    words = (*statement.arguments, "", "", "")
    method, function, modifier = words[:3]
    if method not in ("map-based", "consistent"):
        if method == "avalanche":
            raise Refusal("'hash-type avalanche' is not supported any more, use 'hash-type map-based sdbm avalanche' instead")
        raise Refusal(f"'hash-type' only supports 'consistent' and 'map-based' (got '{method}')")
    if function and function not in FUNCTIONS:
        raise Refusal(f"'hash-type' only supports 'sdbm', 'djb2', 'crc32', or 'wt6' hash functions (got '{function}')")
    if modifier and modifier != "avalanche":
        raise Refusal(f"'hash-type' only supports 'avalanche' as a modifier for hash functions (got '{modifier}')")
    _passed_over(statement, 3)
    is_consistent = method == "consistent"
    proxy.settings.balance = replace(
        proxy.settings.balance,
        is_consistent=is_consistent,
        function=function or "sdbm",
        # A ring needs well spread keys: without a function named, it gets them.
        avalanche=bool(modifier) or (is_consistent and not function),
    )


def parse_factor(proxy: ProxyDraft, statement: Statement) -> None:
    """`hash-balance-factor PERCENT`."""
    if not statement.arguments:
        raise Refusal("'hash-balance-factor' expects an integer argument (got nothing)")
    word = statement.arguments[0]
    percent = _number(word, 0)
    if percent is None or (percent and percent < FACTOR_MIN_PERCENT):
        raise Refusal(f"'hash-balance-factor' must be 0 or greater than 100 (got '{word}')")
    _passed_over(statement, 1)
    proxy.settings.balance = replace(proxy.settings.balance, factor_percent=percent)


def _plain(rule: Balance, statement: Statement, _rest: str) -> Balance:
    _passed_over(statement, 1)
    return rule


def _random(rule: Balance, statement: Statement, rest: str) -> Balance:
    _passed_over(statement, 1)
    if not rest:
        return rule
    if not rest.endswith(")"):
        raise Refusal("balance random : missing closing parenthesis.")
    draw_count = _number(rest[1:-1], 1)
    if draw_count is None:
        raise Refusal(f"balance random : number of draws must be at least 1 (got '{rest[1:-1]}').")
    return replace(rule, draw_count=draw_count)


def _uri(rule: Balance, statement: Statement, _rest: str) -> Balance:
    left = list(statement.arguments[1:])
    while left:
        word = left.pop(0)
        if word in ("len", "depth"):
            value = left.pop(0) if left else ""
            number = _number(value, 1)
            if number is None:
                raise Refusal(f"balance uri : '{word}' expects a positive integer (got '{value}').")
            rule = replace(rule, length_max=number) if word == "len" else replace(rule, depth_max=number)
        elif word == "whole":
            rule = replace(rule, is_whole=True)
        elif word == "path-only":
            rule = replace(rule, is_path_only=True)
        else:
            raise Refusal(f"balance uri only accepts parameters 'len', 'depth', 'path-only', and 'whole' (got '{word}').")
    return rule


def _url_param(rule: Balance, statement: Statement, _rest: str) -> Balance:
    words = (*statement.arguments, "", "")
    name, modifier = words[1:3]
    if not name:
        raise Refusal("balance url_param requires an URL parameter name.")
    if modifier and modifier != "check_post":
        raise Refusal(f"balance url_param only accepts 'check_post' modifier (got '{modifier}').")
    _passed_over(statement, 3)
    return replace(rule, name=name.encode("utf-8", "surrogateescape"), checks_post=bool(modifier))


def _hdr(rule: Balance, statement: Statement, rest: str) -> Balance:
    name, _, behind = rest[1:].partition(")")
    if not name or not rest.endswith(")") or behind:
        raise Refusal(f"balance hdr requires an http header field name (got 'hdr{rest}').")
    modifier = statement.arguments[1] if len(statement.arguments) > 1 else ""
    if modifier and modifier != "use_domain_only":
        raise Refusal(f"balance hdr({name}) only accepts 'use_domain_only' modifier (got '{modifier}').")
    _passed_over(statement, 2)
    return replace(rule, name=name.lower().encode("utf-8", "surrogateescape"), uses_domain_only=bool(modifier))


ALGORITHMS: Final[dict[str, Callable[[Balance, Statement, str], Balance]]] = {
    "roundrobin": _plain,
    "static-rr": _plain,
    "leastconn": _plain,
    "first": _plain,
    "random": _random,
    "source": _plain,
    "uri": _uri,
    "url_param": _url_param,
    "hdr": _hdr,
}
WITH_PARENTHESES: Final = ("random", "hdr")
SPELLINGS: Final[dict[str, str]] = {"random": "random[(draws)]", "hdr": "hdr(name)"}


def _number(word: str, minimum: int) -> int | None:
    try:
        return parse_integer(word, minimum, INTEGER_MAX)
    except UnitError:
        return None


def _passed_over(statement: Statement, taken: int) -> None:
    for word in statement.arguments[taken:]:
        statement.warn(f"'{statement.keyword}' : '{word}' has no effect here")
