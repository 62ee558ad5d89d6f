"""`cookie` of a backend: the rule by which a session stays on its server.

Everything written here later stands in a Set-Cookie header, so names and values outside RFC 6265's octets are refused: a line
feed in one would let the configuration's author, or whoever generates it, write headers of his own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from balancer.config.findings import Refusal
from balancer.config.keywords import nearest, suggestion
from balancer.config.statement import Statement
from balancer.config.xxh64 import xxh64
from balancer.model import CookieRule
from balancer.units import UnitError, parse_whole_s

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
    limits_s: dict[str, int] = field(default_factory=dict)


MODES: Final[tuple[str, ...]] = ("rewrite", "insert", "prefix")
# Options without a value.
FLAGS: Final[tuple[str, ...]] = (*MODES, "indirect", "nocache", "postonly", "preserve", "httponly", "secure", "dynamic")


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
        else:
            expected = (*FLAGS, *VALUES)
            raise Refusal(
                f"'cookie' expects the options {', '.join(expected)} (got '{word}')" + suggestion(nearest(word, expected))
            )
    modes = [mode for mode in MODES if mode in rule.flags]
    _check_modes(rule.flags, modes)
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
        mode=modes[0] if modes else "",
        maxidle_s=rule.limits_s.get("maxidle", 0),
        maxlife_s=rule.limits_s.get("maxlife", 0),
        is_dynamic="dynamic" in rule.flags,
    )


def _check_modes(flags: set[str], modes: list[str]) -> None:
    """Refuses what HAProxy refuses."""
    if "rewrite" in flags and "indirect" in flags:
        raise Refusal("cookie 'rewrite' and 'indirect' modes are incompatible.")
    if len(modes) > 1:
        raise Refusal(f"cookie 'rewrite', 'insert' and 'prefix' modes are incompatible (got '{' '.join(modes)}').")
    if "preserve" in flags and not flags & {"insert", "indirect"}:
        raise Refusal("cookie 'preserve' requires at least 'insert' or 'indirect'.")


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


def _limit(name: str) -> Callable[[Statement, _Rule, str], None]:
    def apply(_statement: Statement, rule: _Rule, word: str) -> None:
        if not word:
            raise Refusal(f"'cookie' : '{name}' expects a time as argument, in seconds by default (got nothing)")
        try:
            rule.limits_s[name] = parse_whole_s(word)
        except UnitError as error:
            raise Refusal(f"'cookie' : '{name}' {error}") from error

    return apply


VALUES: Final[dict[str, Callable[[Statement, _Rule, str], None]]] = {
    "domain": _domain,
    "attr": _attr,
    "maxidle": _limit("maxidle"),
    "maxlife": _limit("maxlife"),
}


def dynamic_value(key: bytes, host: str, port: int) -> bytes:
    """The value of a server that has none under `cookie ... dynamic`: HAProxy's hash of the key, the address and the port."""
    return b"%016x" % xxh64(key + ip_address(host).packed + port.to_bytes(4, "big"))
