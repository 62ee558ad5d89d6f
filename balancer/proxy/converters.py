"""What converters do: a function of a value, arguments and the scene; None ends the sample without a value.

The names are those of `config.samplewords`. Types are cast before a converter is called, as HAProxy casts them.
"""

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from balancer.backend.balance.hashes import avalanche, crc32, djb2, sdbm, wt6
from balancer.proxy.captured import capture
from balancer.proxy.patterns import compiled, substituted
from balancer.proxy.scene import Scene
from balancer.rulebook import Value

INTEGER_LOW: Final = -(2**63)
INTEGER_HIGH: Final = 2**63 - 1
WORD: Final = 2**64
NUMBER: Final = re.compile(rb"[+-]?[0-9]+")
JSON_ESCAPES: Final = {34: b'\\"', 92: b"\\\\", 47: b"\\/", 8: b"\\b", 12: b"\\f", 10: b"\\n", 13: b"\\r", 9: b"\\t"}
UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


def text_of(value: Value) -> bytes:
    """As text."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"1" if value else b"0"
    return str(value).encode()


def integer_of(value: Value) -> int | None:
    """As a number, as far as text begins with one, as HAProxy reads it; an address of v6 is none."""
    if isinstance(value, bytes):
        found = NUMBER.match(value[:20])
        return int(found.group()) if found is not None else 0
    if isinstance(value, IPv6Address):
        return None
    return int(value)


def boolean_of(value: Value) -> bool | None:
    """As true or false."""
    number = integer_of(value)
    return None if number is None else number != 0


def address_of(value: Value) -> IPv4Address | IPv6Address | None:
    """As an address."""
    if isinstance(value, (IPv4Address, IPv6Address)):
        return value
    if isinstance(value, bytes):
        try:
            return ip_address(value.decode("ascii", "replace"))
        except ValueError:
            return None
    return None


def _limited(number: int) -> int:
    return min(max(number, INTEGER_LOW), INTEGER_HIGH)


def _operand(word: str, scene: Scene) -> int | None:
    try:
        return int(word)
    except ValueError:
        value = scene.variable(word)
        return None if value is None else integer_of(value)


def _arithmetic(name: str) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, arguments: tuple[str, ...], scene: Scene) -> Value | None:
        left = integer_of(value)
        right = _operand(arguments[0], scene)
        if left is None or right is None:
            return None
        if name == "add":
            return _limited(left + right)
        if name == "sub":
            return _limited(left - right)
        if name == "mul":
            return _limited(left * right)
        if name == "div":
            if right == 0:
                return INTEGER_HIGH
            quotient = abs(left) // abs(right)
            return _limited(quotient if (left < 0) == (right < 0) else -quotient)
        if name == "mod":
            if right == 0:
                return 0
            rest = abs(left) % abs(right)
            return -rest if left < 0 else rest
        if name == "and":
            return left & right
        return left | right if name == "or" else left ^ right

    return run


def _field(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _pick(text_of(value), arguments, False)


def _word(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _pick(text_of(value), arguments, True)


def _pick(text: bytes, arguments: tuple[str, ...], skips_empty: bool) -> Value | None:
    index = int(arguments[0])
    delimiters = arguments[1].encode("utf-8", "surrogateescape")
    count = int(arguments[2]) if len(arguments) > 2 else 1
    spans: list[tuple[int, int]] = []
    begin = 0
    for at in range(len(text) + 1):
        if at == len(text) or text[at] in delimiters:
            if at > begin or not skips_empty:
                spans.append((begin, at))
            begin = at + 1
    if index == 0 or abs(index) > len(spans):
        return None if skips_empty or index else b""
    if index > 0:
        first = index - 1
        last = len(spans) - 1 if count <= 0 else min(first + count, len(spans)) - 1
    else:
        last = len(spans) + index
        first = 0 if count <= 0 else max(last - count + 1, 0)
    return text[spans[first][0] : spans[last][1]]


def _bytes(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    text, offset = text_of(value), int(arguments[0])
    if offset < 0 or offset > len(text):
        return None
    return text[offset : offset + int(arguments[1])] if len(arguments) > 1 else text[offset:]


def _regsub(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    flags = arguments[2] if len(arguments) > 2 else ""
    pattern = compiled(arguments[0].encode("utf-8", "surrogateescape"), "i" in flags)
    replacement = arguments[1].encode("utf-8", "surrogateescape")
    return substituted(pattern, replacement, text_of(value), 0 if "g" in flags else 1)


def _concat(value: Value, arguments: tuple[str, ...], scene: Scene) -> Value | None:
    words = (*arguments, "", "", "")
    held = scene.variable(words[1]) if words[1] else None
    middle = b"" if held is None else text_of(held)
    return text_of(value) + words[0].encode() + middle + words[2].encode()


def _strcmp(value: Value, arguments: tuple[str, ...], scene: Scene) -> Value | None:
    other = scene.variable(arguments[0])
    if other is None:
        return None
    left, right = text_of(value), text_of(other)
    return (left > right) - (left < right)


def _b64dec(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    try:
        return base64.b64decode(text_of(value), validate=True)
    except (binascii.Error, ValueError):
        return None


def _ub64dec(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    text = text_of(value)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None


def _url_dec(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    text = text_of(value)
    out = bytearray()
    in_query = bool(arguments) and arguments[0] not in ("", "0")
    at = 0
    while at < len(text):
        octet = text[at]
        if octet == 37:
            try:
                out.append(int(text[at + 1 : at + 3], 16) if len(text) >= at + 3 else -1)
            except ValueError:
                return None
            at += 3
            continue
        if octet == 63:
            in_query = True
        out.append(32 if octet == 43 and in_query else octet)
        at += 1
    return bytes(out)


def _url_enc(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return b"".join([b"%c" % octet if octet in UNRESERVED else b"%%%02X" % octet for octet in text_of(value)])


def _json(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    parts: list[bytes] = []
    for octet in text_of(value):
        known = JSON_ESCAPES.get(octet)
        if known is not None:
            parts.append(known)
        else:
            parts.append(b"%c" % octet if 32 <= octet < 127 else b"\\u%04x" % octet)
    return b"".join(parts)


def _hashed(function: Callable[[bytes], int]) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
        number = function(text_of(value))
        return avalanche(number) if arguments and arguments[0] not in ("", "0") else number

    return run


def _sha2(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _digested("sha" + (arguments[0] if arguments else "256"), text_of(value))


def _digest(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _digested(arguments[0], text_of(value))


def _digested(name: str, text: bytes) -> Value | None:
    try:
        return hashlib.new(name, text, usedforsecurity=False).digest()
    except (ValueError, TypeError):
        return None


def _ipmask(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    address = address_of(value)
    if isinstance(address, IPv4Address):
        mask = _mask(arguments[0], 32)
        return None if mask is None else IPv4Address(int(address) & mask)
    if isinstance(address, IPv6Address) and len(arguments) > 1:
        mask = _mask(arguments[1], 128)
        return None if mask is None else IPv6Address(int(address) & mask)
    return None


def _mask(word: str, width: int) -> int | None:
    if word.isdigit():
        return ((1 << width) - 1) ^ ((1 << max(width - int(word), 0)) - 1)
    try:
        return int(ip_address(word))
    except ValueError:
        return None


def _http_date(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _strftime(value, ("%a, %d %b %Y %H:%M:%S GMT", *arguments), False)


def _utime(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _strftime(value, arguments, False)


def _ltime(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return _strftime(value, arguments, True)


def _strftime(value: Value, arguments: tuple[str, ...], is_local: bool) -> Value | None:
    second = integer_of(value)
    if second is None:
        return None
    if len(arguments) > 1 and arguments[1]:
        second += int(arguments[1])
    try:
        broken = time.localtime(second) if is_local else time.gmtime(second)
        return time.strftime(arguments[0], broken).encode()
    except (ValueError, OverflowError, OSError):
        return None


def _capture(is_request: bool) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, arguments: tuple[str, ...], scene: Scene) -> Value | None:
        capture(scene, is_request, int(arguments[0]), text_of(value))
        return value

    return run


def _set_var(value: Value, arguments: tuple[str, ...], scene: Scene) -> Value | None:
    scene.set_variable(arguments[0], value)
    return value


def _simple(function: Callable[[bytes], bytes]) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
        return function(text_of(value))

    return run


def _trim(is_left: bool) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
        text, octets = text_of(value), arguments[0].encode()
        return text.lstrip(octets) if is_left else text.rstrip(octets)

    return run


def _number(function: Callable[[int], int]) -> Callable[[Value, tuple[str, ...], Scene], Value | None]:
    def run(value: Value, _arguments: tuple[str, ...], _scene: Scene) -> Value | None:
        number = integer_of(value)
        return None if number is None else function(number)

    return run


def _iif(value: Value, arguments: tuple[str, ...], _scene: Scene) -> Value | None:
    return arguments[0 if boolean_of(value) else 1].encode()


Converter = Callable[[Value, tuple[str, ...], Scene], Value | None]

CONVERTERS: Final[dict[str, Converter]] = {
    "lower": _simple(bytes.lower),
    "upper": _simple(bytes.upper),
    "length": lambda value, _arguments, _scene: len(text_of(value)),
    "field": _field,
    "word": _word,
    "regsub": _regsub,
    "bytes": _bytes,
    "concat": _concat,
    "strcmp": _strcmp,
    "hex": _simple(lambda text: text.hex().upper().encode()),
    "base64": _simple(base64.b64encode),
    "b64dec": _b64dec,
    "ub64enc": _simple(lambda text: base64.urlsafe_b64encode(text).rstrip(b"=")),
    "ub64dec": _ub64dec,
    "url_dec": _url_dec,
    "url_enc": _url_enc,
    "json": _json,
    "ltrim": _trim(True),
    "rtrim": _trim(False),
    "sdbm": _hashed(sdbm),
    "djb2": _hashed(djb2),
    "crc32": _hashed(crc32),
    "wt6": _hashed(wt6),
    "sha1": _simple(lambda text: hashlib.sha1(text, usedforsecurity=False).digest()),
    "sha2": _sha2,
    "digest": _digest,
    "ipmask": _ipmask,
    "add": _arithmetic("add"),
    "sub": _arithmetic("sub"),
    "mul": _arithmetic("mul"),
    "div": _arithmetic("div"),
    "mod": _arithmetic("mod"),
    "and": _arithmetic("and"),
    "or": _arithmetic("or"),
    "xor": _arithmetic("xor"),
    "cpl": _number(lambda number: ~number),
    "neg": _number(lambda number: _limited(-number)),
    "not": _number(lambda number: number == 0),
    "bool": _number(lambda number: number != 0),
    "even": _number(lambda number: number % 2 == 0),
    "odd": _number(lambda number: number % 2 == 1),
    "iif": _iif,
    "http_date": _http_date,
    "utime": _utime,
    "ltime": _ltime,
    "capture-req": _capture(True),
    "capture-res": _capture(False),
    "set-var": _set_var,
}
