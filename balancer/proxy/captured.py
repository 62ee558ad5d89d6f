"""What is kept of a request and its answer for the log: fields, what rules captured, the cookie of `capture cookie`.

Fields are looked up in the heads as they were received, when somebody asks: an exchange whose frontend captures nothing never
comes here. A cookie is that of the head which went on, as HAProxy has it. What is kept is never longer than its slot.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from balancer.http.head import RequestHead, ResponseHead
from balancer.http.scan import pair_end
from balancer.proxy import phase as phases
from balancer.proxy.phase import Phase
from balancer.proxy.scene import Scene

if TYPE_CHECKING:
    from balancer.logbook import CaptureSlot
    from balancer.proxy.exchange import Exchange
    from balancer.rulebook import Value

LINE_END: Final = b"\r\n"
DOLLAR: Final = 36
EQUALS: Final = 61


def last_value(head: bytes, lowered: bytes, name: bytes) -> bytes | None:
    """The value of the last line of that lower-case name; `head` begins with the line end before the first field.

    `lowered` is the same in lower case.
    """
    at = lowered.rfind(LINE_END + name + b":")
    if at < 0:
        return None
    begin = at + len(name) + 3
    return head[begin : head.find(LINE_END, begin)].strip(b" \t")


def request_fields(exchange: "Exchange") -> list[bytes | None]:
    """What the request's slots hold, None for nothing."""
    slots = exchange.route.frontend.config.log_words.captures.request
    if not slots:
        return []
    head = exchange.received_head or exchange.head
    kept = None if exchange.scene is None else exchange.scene.request_captures
    return _slots(slots, head.data[head.line_end : head.end], kept)


def response_fields(exchange: "Exchange") -> list[bytes | None]:
    """What the answer's slots hold; only what a server said has fields."""
    slots = exchange.route.frontend.config.log_words.captures.response
    if not slots:
        return []
    head = received_answer(exchange)
    kept = None if exchange.scene is None else exchange.scene.response_captures
    return _slots(slots, b"" if head is None else head.data[head.fields_begin - 2 : head.end], kept)


def received_answer(exchange: "Exchange") -> ResponseHead | None:
    """The server's head as it came; None before."""
    answer = exchange.answer
    if answer is not None:
        return answer.received_head or answer.head
    return None


def _slots(slots: "tuple[CaptureSlot, ...]", head: bytes, kept: dict[int, bytes] | None) -> list[bytes | None]:
    found: list[bytes | None] = []
    lowered = head.lower()
    for number, slot in enumerate(slots):
        value = None if kept is None else kept.get(number)
        if value is None and slot.name and head:
            value = last_value(head, lowered, slot.name)
        found.append(None if value is None else value[: slot.length_max])
    return found


def capture(scene: Scene, is_request: bool, number: int, value: bytes) -> None:
    """Keeps a value in a slot; a number that the frontend has no slot for is passed over."""
    captures = scene.exchange.route.frontend.config.log_words.captures
    slots = captures.request if is_request else captures.response
    if number < len(slots):
        kept = scene.request_captures if is_request else scene.response_captures
        kept[number] = value[: slots[number].length_max]


def sent_cookie(exchange: "Exchange", phase: Phase) -> bytes:
    """The pair of the request's first cookie that begins as `capture cookie` says; b"" for none.

    HAProxy looks when it has passed all rules, or has denied: what a rule or a service of ours answers shows no cookie.
    """
    captures = exchange.route.frontend.config.log_words.captures
    if not captures.cookie or exchange.is_local:
        return b""
    if (phase is phases.REQUEST or phase is phases.TARPIT) and not exchange.was_denied:
        if exchange.reply is not None or exchange.backend is None:
            return b""
    for line in exchange.head.cookies:
        found = _first_pair(line, captures.cookie)
        if found:
            return found[: captures.cookie_length_max]
    return b""


def set_cookie(exchange: "Exchange") -> bytes:
    """The same of the answer's Set-Cookie lines; our own cookie is not among them."""
    captures = exchange.route.frontend.config.log_words.captures
    answer = exchange.answer
    if not captures.cookie or answer is None or answer.head is None or exchange.is_local:
        return b""
    head = answer.head
    for line in head.data[head.fields_begin : head.end].split(LINE_END):
        if line[:11].lower() == b"set-cookie:":
            value = line[11:].strip(b" \t")
            found = _bare(value[: value.find(b";")] if b";" in value else value)
            if found.startswith(captures.cookie):
                return found[: captures.cookie_length_max]
    return b""


def _first_pair(line: bytes, beginning: bytes) -> bytes:
    length: i64 = len(line)
    start: i64 = 0
    while start < length:
        end = pair_end(line, start)
        pair = _bare(line[start:end])
        if pair.startswith(beginning) and b"=" in pair and pair[0] != DOLLAR:
            return pair
        start = end + 1
    return b""


def _bare(pair: bytes) -> bytes:
    """A pair without blanks around it and around its first `=`."""
    name, sign, value = pair.strip(b" \t").partition(b"=")
    return name.rstrip(b" \t") + sign + value.lstrip(b" \t")


# --- fetches -----------------------------------------------------------------------------------------------------------------

Fetch = Callable[[Scene, tuple[str, ...]], "list[Value]"]


def _slot_of(find: Callable[["Exchange"], list[bytes | None]]) -> Fetch:
    def run(scene: Scene, arguments: tuple[str, ...]) -> "list[Value]":
        found = find(scene.exchange)
        number = int(arguments[0])
        value = found[number] if 0 <= number < len(found) else None
        return [] if value is None else [value]

    return run


def _received(exchange: "Exchange") -> RequestHead:
    return exchange.received_head or exchange.head


def _uri(scene: Scene, _arguments: tuple[str, ...]) -> "list[Value]":
    head = _received(scene.exchange)
    words = head.request_line().split(b" ")
    path = path_alone(words[1])
    return [path] if path else []


def path_alone(target: bytes) -> bytes:
    """The path and query of a target as it was received; b"" where it has none."""
    if target.startswith(b"/"):
        return target
    begin = target.find(b"://")
    slash = target.find(b"/", begin + 3) if begin >= 0 else -1
    return b"" if slash < 0 else target[slash:]


def _answer_version(scene: Scene, _arguments: tuple[str, ...]) -> "list[Value]":
    head = received_answer(scene.exchange)
    return [] if head is None else [b"HTTP/1.%d" % head.minor]


CAPTURE_FETCHES: Final[dict[str, Fetch]] = {
    "capture.req.hdr": _slot_of(request_fields),
    "capture.res.hdr": _slot_of(response_fields),
    "capture.req.method": lambda scene, _arguments: [_received(scene.exchange).method],
    "capture.req.uri": _uri,
    "capture.req.ver": lambda scene, _arguments: [b"HTTP/1.%d" % _received(scene.exchange).minor],
    "capture.res.ver": _answer_version,
}
