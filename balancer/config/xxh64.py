"""XXH64, the hash that HAProxy makes dynamic cookies with; written after its specification (XXH64 0.1.1, seed 0).

Used once per server when a file is read.
"""

from typing import Final

MASK: Final = (1 << 64) - 1
PRIME1: Final = 0x9E3779B185EBCA87
PRIME2: Final = 0xC2B2AE3D27D4EB4F
PRIME3: Final = 0x165667B19E3779F9
PRIME4: Final = 0x85EBCA77C2B2AE63
PRIME5: Final = 0x27D4EB2F165667C5
STRIPE: Final = 32
# The rotations by which the four lanes become one.
LANE_ROTATIONS: Final = (1, 7, 12, 18)


def _rotated(number: int, count: int) -> int:
    return (number << count | number >> 64 - count) & MASK


def _round(lane: int, word: int) -> int:
    return _rotated((lane + word * PRIME2) & MASK, 31) * PRIME1 & MASK


def _word(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "little")


def xxh64(data: bytes) -> int:
    """The hash as a number of 64 bits."""
    at = 0
    if len(data) >= STRIPE:
        lanes = [(PRIME1 + PRIME2) & MASK, PRIME2, 0, -PRIME1 & MASK]
        while at + STRIPE <= len(data):
            lanes = [_round(lane, _word(data, at + 8 * n, 8)) for n, lane in enumerate(lanes)]
            at += STRIPE
        acc = sum(_rotated(lane, count) for lane, count in zip(lanes, LANE_ROTATIONS, strict=True)) & MASK
        for lane in lanes:
            acc = ((acc ^ _round(0, lane)) * PRIME1 + PRIME4) & MASK
    else:
        acc = PRIME5
    acc = (acc + len(data)) & MASK
    while at + 8 <= len(data):
        acc = (_rotated(acc ^ _round(0, _word(data, at, 8)), 27) * PRIME1 + PRIME4) & MASK
        at += 8
    if at + 4 <= len(data):
        acc = (_rotated(acc ^ _word(data, at, 4) * PRIME1 & MASK, 23) * PRIME2 + PRIME3) & MASK
        at += 4
    for octet in data[at:]:
        acc = _rotated(acc ^ octet * PRIME5 & MASK, 11) * PRIME1 & MASK
    acc = (acc ^ acc >> 33) * PRIME2 & MASK
    acc = (acc ^ acc >> 29) * PRIME3 & MASK
    return acc ^ acc >> 32
