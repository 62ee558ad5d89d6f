"""Octet classes of HTTP as tables of 256 flags, one bit a class, from the grammar of RFC 9110 and RFC 9112.

Wire octets are judged by these tables alone: `int()`, `strip()`, `isdigit()` and their like take more than the grammar does.
"""

from typing import Final

TCHAR: Final = 1  # RFC 9110 5.6.2
FIELD: Final = 2  # field values: HTAB, SP, VCHAR, obs-text (RFC 9110 5.5)
TARGET: Final = 4  # request targets: printable ASCII but SP and `#`; what HAProxy takes, minus the fragment
HOST: Final = 8  # reg-name and port characters (RFC 3986 3.2.2), brackets and colon judged by their place
DIGIT: Final = 16
HEX: Final = 32
LOGGED: Final = 64  # what a log line holds as it is: printable ASCII but the quote and `#`

_TOKEN = b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_HOST = b"-._~!$&'()*+,;=%0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _table() -> bytes:
    flags = bytearray(256)
    for octet in _TOKEN:
        flags[octet] |= TCHAR
    for octet in range(256):
        if octet == 9 or 32 <= octet <= 126 or octet >= 128:
            flags[octet] |= FIELD
        if 33 <= octet <= 126 and octet != 35:
            flags[octet] |= TARGET
        if 32 <= octet <= 126 and octet != 34 and octet != 35:
            flags[octet] |= LOGGED
    for octet in _HOST:
        flags[octet] |= HOST
    for octet in b"0123456789":
        flags[octet] |= DIGIT | HEX
    for octet in b"abcdefABCDEF":
        flags[octet] |= HEX
    return bytes(flags)


CLASS: Final = _table()


def all_of(octets: bytes, flag: int) -> bool:
    """Whether every octet belongs to the class; an empty string does."""
    for octet in octets:
        if not CLASS[octet] & flag:
            return False
    return True


def decimal(octets: bytes, digits_max: int) -> int:
    """The value of 1 to `digits_max` ASCII digits, -1 for anything else."""
    if not octets or len(octets) > digits_max:
        return -1
    value = 0
    for octet in octets:
        if octet < 48 or octet > 57:
            return -1
        value = value * 10 + octet - 48
    return value
