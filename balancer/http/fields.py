"""Which field lines a head reader looks at twice, by their names.

All other fields are forwarded without a second look. A name that becomes a framing or a forwarded field's once a server turns
`_` into `-` (as CGI does) is a class of its own: believed there, unseen here.
"""

from typing import Final

from mypy_extensions import i64

UNDERSCORE: Final = 95
HYPHEN: Final = 45

# Why a field is of interest, by its lower-case name. All others are forwarded without a second look.
HOST_FIELD: Final = 1
CONNECTION_FIELD: Final = 2
LENGTH_FIELD: Final = 3
CODING_FIELD: Final = 4
COOKIE_FIELD: Final = 5
SET_COOKIE_FIELD: Final = 6
CACHE_CONTROL_FIELD: Final = 7
UPGRADE_FIELD: Final = 8
EXPECT_FIELD: Final = 9
DROPPED_FIELD: Final = 10
WEBSOCKET_KEY_FIELD: Final = 11
WEBSOCKET_ACCEPT_FIELD: Final = 12
SHADOW_FIELD: Final = 13
AUTHENTICATE_FIELD: Final = 14


def classify(data: bytes, start: i64, length: i64) -> i64:
    """Which field of interest the name data[start:start+length] is, 0 for none."""
    if length == 4:
        return HOST_FIELD if _equals_folded(data, start, b"host") else 0
    if length == 6:
        if _equals_folded(data, start, b"cookie"):
            return COOKIE_FIELD
        return EXPECT_FIELD if _equals_folded(data, start, b"expect") else 0
    if length == 10:
        if _equals_folded(data, start, b"connection"):
            return CONNECTION_FIELD
        if _equals_folded(data, start, b"keep-alive"):
            return DROPPED_FIELD
        return SET_COOKIE_FIELD if _equals_folded(data, start, b"set-cookie") else 0
    if length == 14:
        if _equals_folded(data, start, b"content-length"):
            return LENGTH_FIELD
        if _equals_folded(data, start, b"http2-settings"):
            return DROPPED_FIELD
        return SHADOW_FIELD if _shadows(data, start, b"content-length") else 0
    if length == 17:
        if _equals_folded(data, start, b"transfer-encoding"):
            return CODING_FIELD
        if _equals_folded(data, start, b"sec-websocket-key"):
            return WEBSOCKET_KEY_FIELD
        if _shadows(data, start, b"transfer-encoding"):
            return SHADOW_FIELD
        return SHADOW_FIELD if _shadows(data, start, b"x-forwarded-proto") else 0
    if length == 7:
        return UPGRADE_FIELD if _equals_folded(data, start, b"upgrade") else 0
    if length == 2:
        return DROPPED_FIELD if _equals_folded(data, start, b"te") else 0
    if length == 13:
        return CACHE_CONTROL_FIELD if _equals_folded(data, start, b"cache-control") else 0
    if length == 15:
        return SHADOW_FIELD if _shadows(data, start, b"x-forwarded-for") else 0
    if length == 16:
        if _equals_folded(data, start, b"proxy-connection"):
            return DROPPED_FIELD
        if _equals_folded(data, start, b"www-authenticate"):
            return AUTHENTICATE_FIELD
        if _shadows(data, start, b"x-forwarded-host"):
            return SHADOW_FIELD
        return SHADOW_FIELD if _shadows(data, start, b"x-forwarded-port") else 0
    if length == 18:
        if _equals_folded(data, start, b"proxy-authenticate"):
            return AUTHENTICATE_FIELD
        return SHADOW_FIELD if _shadows(data, start, b"x-forwarded-server") else 0
    if length == 20:
        return WEBSOCKET_ACCEPT_FIELD if _equals_folded(data, start, b"sec-websocket-accept") else 0
    return 0


def _equals_folded(data: bytes, start: i64, lowered: bytes) -> bool:
    """Whether data[start:] begins with `lowered`, the case of ASCII letters aside."""
    length: i64 = len(lowered)
    i: i64 = 0
    while i < length:
        octet: i64 = data[start + i]
        if 65 <= octet <= 90:
            octet += 32
        if octet != lowered[i]:
            return False
        i += 1
    return True


def _shadows(data: bytes, start: i64, lowered: bytes) -> bool:
    """Whether data[start:] begins with `lowered`, case aside, but with `_` in place of one `-` or several."""
    length: i64 = len(lowered)
    i: i64 = 0
    has_underscore = False
    while i < length:
        octet: i64 = data[start + i]
        if octet == UNDERSCORE:
            octet = HYPHEN
            has_underscore = True
        elif 65 <= octet <= 90:
            octet += 32
        if octet != lowered[i]:
            return False
        i += 1
    return has_underscore
