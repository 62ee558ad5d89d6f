"""`cookie` of a backend: the rule by which a session stays on its server.

Everything written here later stands in a Set-Cookie header, so names and values outside RFC 6265's octets are refused: a line
feed in one would let the configuration's author, or whoever generates it, write headers of his own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from balancer.config.findings import Refusal
from balancer.config.keywords import nearest, suggestion
from balancer.config.statement import Statement
from balancer.model import CookieRule

# RFC 6265 4.1.1: cookie-name is a token of RFC 2616, cookie-value is made of cookie-octets.
TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
COOKIE_OCTETS: Final = frozenset(chr(code) for code in range(0x21, 0x7F)) - frozenset('",;\\')
# What an attribute may hold: any character but controls and ';'.
ATTRIBUTE: Final = frozenset(chr(code) for code in range(0x20, 0x7F)) - frozenset(";")
DOMAIN: Final = frozenset("-._0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


@dataclass
class _Rule:
    flags: set[str] = field(default_factory=set)
    domains: list[bytes] = field(default_factory=list)
    attrs: list[bytes] = field(default_factory=list)


# Options without a value, all of them in the model under their own name; "insert" is the mode.
FLAGS: Final[tuple[str, ...]] = ("insert", "indirect", "nocache", "postonly", "preserve", "httponly", "secure")
# Options that are known and not supported yet.
KNOWN: Final[tuple[str, ...]] = ("rewrite", "prefix", "dynamic", "maxidle", "maxlife")


def parse_cookie(statement: Statement) -> CookieRule:
    """Reads the words after `cookie`. Refuses the line at its first mistake."""
    if not statement.arguments or not statement.arguments[0]:
        raise Refusal("'cookie' expects <cookie_name> as argument (got nothing)")
    name = cookie_name(statement.arguments[0])
    rule = _Rule()
    words = list(statement.arguments[1:])
    while words:
        word = words.pop(0)
        if word in FLAGS:
            rule.flags.add(word)
        elif word in VALUES:
            VALUES[word](statement, rule, words.pop(0) if words else "")
        elif word in KNOWN:
            raise Refusal(f"'cookie' : option '{word}' is known to HAProxy and not supported yet")
        else:
            expected = (*FLAGS, *VALUES)
            raise Refusal(
                f"'cookie' expects the options {', '.join(expected)} (got '{word}')" + suggestion(nearest(word, expected))
            )
    if "insert" not in rule.flags:
        raise Refusal(
            f"'cookie {statement.arguments[0]}' without 'insert' only observes the application's cookie: this is known to "
            "HAProxy and not supported yet"
        )
    return CookieRule(
        name=name,
        indirect="indirect" in rule.flags,
        nocache="nocache" in rule.flags,
        postonly="postonly" in rule.flags,
        preserve="preserve" in rule.flags,
        httponly="httponly" in rule.flags,
        secure="secure" in rule.flags,
        domains=tuple(rule.domains),
        attrs=tuple(rule.attrs),
        origin=statement.origin,
    )


def cookie_name(word: str) -> bytes:
    """The octets of a cookie's name. Refuses what is no token."""
    return _octets("cookie name", word, TOKEN, "a token of RFC 6265: letters, digits and !#$%&'*+-.^_`|~")


def cookie_value(word: str) -> bytes:
    """The octets of a cookie's value. Refuses an empty one and what is no cookie-octet."""
    if not word:
        raise Refusal("'cookie' expects <value> as argument (got nothing)")
    return _octets(
        "cookie value", word, COOKIE_OCTETS, "the octets of RFC 6265: no blank, control, quote, comma, semicolon, \\"
    )


def _octets(what: str, word: str, allowed: frozenset[str], expectation: str) -> bytes:
    for char in word:
        if char not in allowed:
            raise Refusal(f"{what} '{word}' expects {expectation} (got {char!r})")
    return word.encode("ascii")


def _domain(statement: Statement, rule: _Rule, word: str) -> None:
    if not word:
        raise Refusal("'cookie' : 'domain' expects <domain> as argument (got nothing)")
    if "." not in word[1:]:
        statement.warn(
            f"domain '{word}' contains no embedded dot, this configuration may not work properly (see RFC6265#5.2.3)."
        )
    rule.domains.append(_octets("domain", word, DOMAIN, "letters, digits, '-', '_' and '.'"))


def _attr(_statement: Statement, rule: _Rule, word: str) -> None:
    if not word:
        raise Refusal("'cookie' : 'attr' expects <value> as argument (got nothing)")
    rule.attrs.append(_octets("attr", word, ATTRIBUTE, "printable ASCII without ';'"))


VALUES: Final[dict[str, Callable[[Statement, _Rule, str], None]]] = {"domain": _domain, "attr": _attr}
