"""The Host field and the authority of an absolute target, judged by RFC 9110 7.2 and RFC 3986 3.2.

A value that the server behind might read otherwise is refused: half a percent-encoding, a port beyond 65535, an address in
brackets that is none. The empty value is allowed; whether a Host may be absent is the caller's to judge.
"""

from ipaddress import AddressValueError, IPv6Address
from typing import Final

from mypy_extensions import i64

from balancer.http.octets import CLASS, DIGIT, HEX, HOST, all_of, decimal

COLON: Final = 58
OPEN: Final = 91  # [
PERCENT: Final = 37

PORT_DIGITS_MAX: Final = 5
PORT_MAX: Final = 65535


def is_host(value: bytes) -> bool:
    """Whether a Host field value is `uri-host [":" port]` or empty."""
    length: i64 = len(value)
    i: i64 = 0
    if length and value[0] == OPEN:
        close = value.find(b"]")
        if close < 0 or not _is_literal(value[1:close]):
            return False
        i = close + 1
    else:
        while i < length:
            octet: i64 = value[i]
            if octet == COLON:
                break
            if not CLASS[octet] & HOST:
                return False
            if octet == PERCENT and not (i + 2 < length and CLASS[value[i + 1]] & HEX and CLASS[value[i + 2]] & HEX):
                return False
            i += 1
        if i == 0 and length:
            return False
    if i == length:
        return True
    if value[i] != COLON:
        return False
    digits: i64 = length - i - 1
    if digits > PORT_DIGITS_MAX:
        return False
    i += 1
    while i < length:
        if not CLASS[value[i]] & DIGIT:
            return False
        i += 1
    return digits < PORT_DIGITS_MAX or decimal(value[length - digits :], PORT_DIGITS_MAX) <= PORT_MAX


def _is_literal(text: bytes) -> bool:
    """What may stand in brackets: an IPv6 address without zone, or `v` HEX `.` and something (IPvFuture)."""
    if text[:1] in (b"v", b"V"):
        version, dot, rest = text[1:].partition(b".")
        if not (version and rest and dot):
            return False
        return all_of(version, HEX) and PERCENT not in rest and all_of(rest.replace(b":", b""), HOST)
    for octet in text:
        if not (CLASS[octet] & HEX or octet == COLON or octet == 46):
            return False
    try:
        IPv6Address(text.decode("ascii"))
    except AddressValueError:
        return False
    return True
