"""`show errors`: the last request and the last answer of each proxy that were no HTTP, octet by octet.

HAProxy lets operators see them; whoever sees them sees cookies and passwords, so here it asks for level admin. Where the
octets went wrong is found when it is asked: line by line, as the parser reads them. What HAProxy tells of the inner state of
its parser is 0.
"""

import time
from typing import Final

from balancer.admin.reports import NO_SUCH_PROXY, proxy_number
from balancer.admin.table import ADMIN, Refusal, Talk, command
from balancer.backend.captures import Capture
from balancer.http.head import RequestHead, ResponseHead
from balancer.http.leaves import find_end
from balancer.http.scan import FORBIDDEN
from balancer.observe.info import ProcessInfo

REQUEST: Final = "request"
RESPONSE: Final = "response"
COLUMNS_MAX: Final = 80
ESCAPES: Final[dict[int, str]] = {9: "\\t", 10: "\\n", 13: "\\r", 27: "\\e", 92: "\\\\"}
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
FIELDS_MAX: Final = 1000
# A good line to stand before or behind the one that is tried.
GOOD: Final[dict[str, bytes]] = {REQUEST: b"GET / HTTP/1.1\r\n", RESPONSE: b"HTTP/1.1 200 OK\r\n"}
GOOD_FIELD: Final = b"Host: a\r\n"
TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
# The states of HAProxy's parser in which a start line and a field line are refused.
START_STATES: Final[dict[str, str]] = {REQUEST: "MSG_RQMETH(2)", RESPONSE: "MSG_RPVER(10)"}
FIELD_STATE: Final = "MSG_HDR_NAME(17)"


@command(
    "show errors",
    ADMIN,
    "show errors [<px>] [request|response]",
    "report last request and/or response errors for each proxy",
)
def _show_errors(_talk: Talk, info: ProcessInfo, words: list[str]) -> str:
    number = -1
    if words:
        number = proxy_number(info, words[0])
        if number == 0:
            raise Refusal(NO_SUCH_PROXY)
    kinds = [kind for kind in (REQUEST, RESPONSE) if len(words) < 2 or words[1] == kind] or [REQUEST, RESPONSE]
    said = [f"Total events captured on [{date(time.time())}] : {info.farm.captures_total}\n"]
    found: list[tuple[int, int, str]] = []
    for frontend in info.farm.frontends if REQUEST in kinds else []:
        if frontend.bad_request is not None and number in (-1, frontend.number):
            text = _told(info, frontend.bad_request, REQUEST, f"frontend {frontend.name} (#{frontend.number})")
            found.append((frontend.number, 0, text))
    for backend in info.farm.backends if RESPONSE in kinds else []:
        if backend.bad_answer is not None and number in (-1, backend.number):
            text = _told(info, backend.bad_answer, RESPONSE, f"backend {backend.name} (#{backend.number})")
            found.append((backend.number, 1, text))
    return "".join([*said, *[text for _, _, text in sorted(found)]])


def _told(info: ProcessInfo, capture: Capture, kind: str, proxy: str) -> str:
    octets = capture.octets
    place = position(octets, kind)
    if kind == REQUEST:
        others = "backend <NONE> (#-1), server <NONE> (#-1)"
    else:
        server = f"server {capture.server_name} (#{capture.server_number})"
        others = f"frontend {capture.frontend_name} (#{capture.frontend_number}), {server}"
    state = START_STATES[kind] if place <= octets.find(b"\n") or b"\n" not in octets else FIELD_STATE
    free = max(0, info.config.process.bufsize - len(octets))
    return (
        f" \n[{date(capture.at_wall)}] {proxy}: invalid {kind}\n"
        f"  {others}, event #{capture.number}, src {capture.source}\n"
        f"  buffer starts at 0 (including 0 out), {free} free,\n"
        f"  len {len(octets)}, wraps at {info.config.process.bufsize}, error at position {place}\n"
        "  H1 connection flags 0x00000000, H1 stream flags 0x00000000\n"
        f"  H1 msg state {state}, H1 msg flags 0x00000000\n"
        "  H1 chunk len 0 bytes, H1 body len 0 bytes :\n"
        "  \n"
    ) + dump(octets)


def date(at_wall: float) -> str:
    """As the log writes it, with milliseconds."""
    local = time.localtime(at_wall)
    day = f"{local.tm_mday:02d}/{MONTHS[local.tm_mon - 1]}/{local.tm_year}"
    return f"{day}:{time.strftime('%H:%M:%S', local)}.{int(at_wall % 1.0 * 1000.0):03d}"


def dump(octets: bytes) -> str:
    """Lines of at most 80 columns with their offsets; a `+` marks what goes on from the line before."""
    lines: list[str] = []
    line_begin = at = 0
    while at < len(octets):
        line = f"  {at:05d}{' ' if at == line_begin else '+'} "
        while at < len(octets):
            octet = octets[at]
            text = ESCAPES.get(octet) or (chr(octet) if 32 <= octet < 127 else f"\\x{octet:02x}")
            if len(line) + len(text) > COLUMNS_MAX - 1:
                break
            line += text
            at += 1
            if octet == 10:
                line_begin = at
                break
        lines.append(line + "\n")
    return "".join(lines)


def position(octets: bytes, kind: str) -> int:
    """Where the parser would stop: the first line that is none by itself, and in it the octet that may not be there."""
    begin = 0
    while begin < len(octets):
        end = octets.find(b"\n", begin) + 1 or len(octets)
        line = octets[begin:end]
        if line in (b"\r\n", b"\n"):
            return 0
        alone = line if line.endswith(b"\n") else line + b"\r\n"
        head = alone + (GOOD_FIELD if kind == REQUEST else b"") + b"\r\n"
        if begin:
            head = GOOD[kind] + (GOOD_FIELD if kind == REQUEST and line[:5].lower() != b"host:" else b"") + alone + b"\r\n"
        if is_bad(head, kind):
            return begin + (_place_in_field(line) if begin else _first_control(line))
        begin = end
    return 0


def is_bad(head: bytes, kind: str) -> bool:
    """Whether the parser refuses that head."""
    end = find_end(head, 0)
    if end == FORBIDDEN:
        return True
    if kind == REQUEST:
        return RequestHead(head, 0, end, FIELDS_MAX).error != 0
    return ResponseHead(head, 0, end, FIELDS_MAX, b"", False).error != 0


def _place_in_field(line: bytes) -> int:
    for place, octet in enumerate(line):
        if octet == 58 and place:
            return _first_control(line)
        if octet not in TOKEN:
            return place
    return 0


def _first_control(line: bytes) -> int:
    for place, octet in enumerate(line.rstrip(b"\r\n")):
        if (octet < 32 and octet != 9) or octet == 127:
            return place
    return 0
