"""The hash functions of `hash-type`, 32 bits wide, octet for octet those that HAProxy computes.

Three of them are public: sdbm and djb2 (multiply by 65599 or by 33, add the octet) and the CRC-32 of gzip. wt6 is HAProxy's
own, and so is the last multiplication of `avalanche`, which stirs Bob Jenkins's full avalanche of four octets once more;
both are compared with HAProxy's converters of the same names. All arithmetic is modulo 2**32.
"""

from collections.abc import Callable
from typing import Final
from zlib import crc32 as gzip_crc32

from mypy_extensions import i64

MASK: Final = 0xFFFFFFFF


def sdbm(key: bytes) -> int:
    """The hash of the sdbm database library."""
    found: i64 = 0
    for octet in key:
        found = (found * 65599 + octet) & MASK
    return int(found)


def djb2(key: bytes) -> int:
    """Daniel Bernstein's hash."""
    found: i64 = 5381
    for octet in key:
        found = (found * 33 + octet) & MASK
    return int(found)


def crc32(key: bytes) -> int:
    """The CRC-32 of Ethernet, gzip and PNG."""
    return gzip_crc32(key)


def wt6(key: bytes) -> int:
    """HAProxy's own: two registers that change places, rotated by amounts that they themselves give."""
    left: i64 = 0xA53C965A
    right: i64 = 0x5CA6953A
    left_turn: i64 = 6
    right_turn: i64 = 18
    for octet in key:
        left = (left ^ octet) ^ MASK
        right = ((right + octet) & MASK) ^ MASK
        turned: i64 = _turned(right, left_turn)
        right = _turned(left, right_turn)
        left = turned
        amounts: i64 = ((left >> 16) ^ right) & 0xFFFF
        left_turn = amounts & 31
        right_turn = amounts >> 11
    return int(left ^ right)


def _turned(word: i64, amount: i64) -> i64:
    return ((word << amount) | (word >> (32 - amount))) & MASK


def avalanche(word: int) -> int:
    """Every bit of the input moves about half of the bits of the result."""
    mixed: i64 = word
    mixed = (mixed + 0x7ED55D16 + (mixed << 12)) & MASK
    mixed = (mixed ^ 0xC761C23C) ^ (mixed >> 19)
    mixed = (mixed + 0x165667B1 + (mixed << 5)) & MASK
    mixed = ((mixed + 0xD3A2646C) ^ (mixed << 9)) & MASK
    mixed = (mixed + 0xFD7046C5 + (mixed << 3)) & MASK
    mixed = (mixed ^ 0xB55A4F09) ^ (mixed >> 16)
    # Times 3 * 2**30 + 1, a prime near three quarters of the range, without leaving 64 bits.
    return int((mixed + (((mixed * 3) & 3) << 30)) & MASK)


FUNCTIONS: Final[dict[str, Callable[[bytes], int]]] = {"sdbm": sdbm, "djb2": djb2, "crc32": crc32, "wt6": wt6}
