"""Cookie and Set-Cookie fields, read the way HAProxy reads them.

Names are compared octet by octet. Pairs are parted by `;` or `,` outside quotes; blanks (SP and HTAB, nothing else)
around names, `=` and values do not count; a quoted value keeps its quotes, so it never equals a server's. Neighbours that
are ill-formed are stepped over and passed on untouched.
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.scan import HTAB, SP, pair_end, value_at, value_in

TILDE: Final = b"~"  # between the server's value and the application's (`cookie NAME prefix`)


def without_cookie(line: bytes, name: bytes) -> bytes:
    """One Cookie field value with every pair called `name` cut out; b"" when nothing is left.

    A pair goes with the delimiter before it, the first one with the delimiter behind it; its neighbours stay as they came.
    """
    if line.find(name) < 0:
        return line
    kept: list[bytes] = []
    was_cut = False
    length: i64 = len(line)
    begin: i64 = 0  # of the pair with the delimiter before it
    start: i64 = 0
    while start < length:
        end = pair_end(line, start)
        if value_in(line, start, end, name) is not None:
            was_cut = True
        else:
            kept.append(line[begin if kept else start : end])
        begin = end
        start = end + 1
    if not was_cut:
        return line
    left = b"".join(kept).strip(b" \t")
    return left if left.strip(b" \t;,") else b""


def without_cookie_lines(lines: bytes, name: bytes) -> bytes:
    """Field lines with every pair of the cookie `name` cut out of the Cookie lines; a line left empty goes."""
    kept: list[bytes] = []
    for line in lines.split(b"\r\n"):
        if not line:
            continue
        colon = line.find(b":")
        if colon == 6 and line[:colon].lower() == b"cookie":
            value = line[colon + 1 :].strip(b" \t")
            left = without_cookie(value, name)
            if not left and value:
                continue
            if left is not value:
                line = line[: colon + 1] + b" " + left
        kept.append(line + b"\r\n")
    return b"".join(kept)


def _without_prefix(line: bytes, name: bytes) -> bytes:
    """One Cookie field value in which the pairs called `name` have lost what stands up to their first `~`."""
    if line.find(name) < 0:
        return line
    kept: list[bytes] = []
    length: i64 = len(line)
    start: i64 = 0
    begin: i64 = 0
    while start < length:
        end = pair_end(line, start)
        after = value_at(line, start, end, name)
        tilde: i64 = line.find(TILDE, after, end) if after >= 0 else -1
        if tilde >= 0:
            kept.append(line[begin:after])
            begin = tilde + 1
        start = end + 1
    if not kept:
        return line
    kept.append(line[begin:])
    return b"".join(kept)


def without_prefix_lines(lines: bytes, name: bytes) -> bytes:
    """Field lines whose Cookie lines show the application its own value of the cookie `name`, without the server's."""
    kept: list[bytes] = []
    for line in lines.split(b"\r\n"):
        if line:
            if line[:7].lower() == b"cookie:":
                line = line[:7] + _without_prefix(line[7:], name)
            kept.append(line + b"\r\n")
    return b"".join(kept)


def with_server_value(set_cookie: bytes, server: bytes, is_prefix: bool) -> bytes:
    """A Set-Cookie field value with the server's value in place of the application's, or with `~` before that."""
    length: i64 = len(set_cookie)
    begin: i64 = set_cookie.find(b"=") + 1
    while begin < length and (set_cookie[begin] == SP or set_cookie[begin] == HTAB):
        begin += 1
    if is_prefix:
        return set_cookie[:begin] + server + TILDE + set_cookie[begin:]
    end = pair_end(set_cookie, begin)
    while end > begin and (set_cookie[end - 1] == SP or set_cookie[end - 1] == HTAB):
        end -= 1
    return set_cookie[:begin] + server + set_cookie[end:]


def is_set_cookie_of(value: bytes, name: bytes) -> bool:
    """Whether a Set-Cookie field value sets the cookie `name`."""
    equals = value.find(b"=")
    return equals >= 0 and value[:equals].strip(b" \t") == name
