"""What is kept of a request and of its answer for the log: `capture`, `declare capture`, and the action `capture` of rules.

Slots are numbered from 0, for requests and for answers apart, in the order of their lines; `http-request capture .. len` makes
one, too. They belong to a frontend, whose lines have the same fields whatever backend serves.
"""

from typing import Final

from balancer.config.acls import parse_condition
from balancer.config.drafts import ProxyDraft, SlotUse
from balancer.config.findings import Refusal, Report
from balancer.config.keywords import Keyword, works
from balancer.config.samples import parse_sample
from balancer.config.statement import Statement
from balancer.logbook import CaptureSlot
from balancer.rulebook import Rule
from balancer.units import UnitError, parse_integer

# HAProxy's `tune.http.cookielen`.
COOKIE_LENGTH_MAX: Final = 63
LENGTH_MAX: Final = 65535
SLOTS_MAX: Final = 64
SIDES: Final[dict[str, str]] = {"request": "HTTP request headers", "response": "HTTP response headers"}


def _length(subject: str, word: str, least: int) -> int:
    try:
        return parse_integer(word, least, LENGTH_MAX)
    except UnitError as error:
        raise Refusal(f"{subject} : 'len' {error}") from error


def _capture(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    first = words[0] if words else ""
    if proxy.letter == "D":
        raise Refusal(f"'capture {first}' not allowed in 'defaults' section.")
    if first == "cookie":
        _cookie(proxy, statement)
    elif first in SIDES and len(words) > 1 and words[1] == "header":
        if len(words) < 5 or words[3] != "len":
            raise Refusal(f"'capture {first}' expects 'header' <header_name> 'len' <len>.")
        statement.no_more(5)
        length = _length(f"'capture {first} header {words[2]}'", words[4], 0)
        _add(proxy, first, CaptureSlot(words[2].lower().encode("utf-8", "surrogateescape"), length))
    else:
        raise Refusal("'capture' expects 'cookie' or 'request header' or 'response header'.")


def _cookie(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    if len(words) < 4 or words[2] != "len" or not words[1]:
        raise Refusal("'capture' expects 'cookie' <cookie_name> 'len' <len>.")
    statement.no_more(4)
    length = _length(f"'capture cookie {words[1]}'", words[3], 0)
    if length > COOKIE_LENGTH_MAX:
        statement.warn(f"truncating capture length to {COOKIE_LENGTH_MAX} bytes for {proxy.label()} '{proxy.name}'.")
        length = COOKIE_LENGTH_MAX
    proxy.captured_cookie = words[1].encode("utf-8", "surrogateescape")
    proxy.captured_cookie_length = length


def _declare(proxy: ProxyDraft, statement: Statement) -> None:
    words = statement.arguments
    if not proxy.is_frontend():
        raise Refusal("'declare' only available in frontend or listen section")
    if not words or words[0] != "capture":
        raise Refusal(f"unknown declaration type '{words[0] if words else ''}' (supports 'capture')")
    if len(words) < 2 or words[1] not in SIDES:
        raise Refusal("'declare capture' requires a direction ('request' or 'response')")
    if len(words) < 4 or words[2] != "len":
        raise Refusal("'declare capture' requires a capture length ('len')")
    statement.no_more(4)
    _add(proxy, words[1], CaptureSlot(b"", _length("'declare capture'", words[3], 1)))


def _slots(proxy: ProxyDraft, side: str) -> list[CaptureSlot]:
    return proxy.request_slots if side == "request" else proxy.response_slots


def _add(proxy: ProxyDraft, side: str, slot: CaptureSlot) -> int:
    """Declares a slot and returns its number."""
    slots = _slots(proxy, side)
    if len(slots) >= SLOTS_MAX:
        raise Refusal(f"expects at most {SLOTS_MAX} captures of a {side}, and has them already")
    slots.append(slot)
    return len(slots) - 1


def parse_capture(proxy: ProxyDraft, statement: Statement) -> Rule:
    """`http-request capture SAMPLE len N|id N`, `http-response capture SAMPLE id N`."""
    words = statement.arguments[1:]
    side = "request" if statement.keyword == "http-request" else "response"
    kinds = "[ 'len' <length> | id <idx> ]" if side == "request" else "id <idx>"
    subject = f"'{statement.keyword} capture'"
    if len(words) < 3:
        raise Refusal(f"{subject} expects <expression> {kinds}.")
    sample = parse_sample(words[0])
    if sample.side not in ("any", side):
        raise Refusal(
            f"{subject} : fetch method '{sample.text}' extracts information from '{SIDES[sample.side]}', none of which is "
            "available here."
        )
    condition = parse_condition(proxy, statement, words[3:])
    if words[1] == "len" and side == "request":
        if not proxy.is_frontend():
            raise Refusal(f"{subject} : {proxy.kind} '{proxy.name}' has no frontend capability, expects 'id' (got 'len')")
        number = _add(proxy, side, CaptureSlot(b"", _length(subject, words[2], 1)))
    elif words[1] == "id":
        try:
            number = parse_integer(words[2], 0, SLOTS_MAX - 1)
        except UnitError as error:
            raise Refusal(f"{subject} : 'id' {error}") from error
        proxy.slot_uses.append(SlotUse(statement.keyword, side, number, statement.origin))
    else:
        raise Refusal(f"{subject} expects {kinds} (got '{words[1]}')")
    return Rule("capture", condition, name=side, status=number, sample=sample)


def check_captures(proxy: ProxyDraft, report: Report) -> None:
    """Whether the slots that a frontend's rules name are declared; those of a backend's frontends are known at work only."""
    if not proxy.is_frontend():
        return
    for use in proxy.slot_uses:
        if use.number >= len(_slots(proxy, use.side)):
            report.alert(
                use.origin,
                f"Proxy '{proxy.name}': unable to find capture id '{use.number}' referenced by {use.keyword} capture rule.",
            )


CAPTURE_ROWS: Final[tuple[Keyword[ProxyDraft], ...]] = (
    works(
        "capture",
        "DFL",
        "`request header NAME len N`, `response header NAME len N`, `cookie NAME len N`: kept for the log",
        _capture,
    ),
    works("declare", "DFLB", "`capture request|response len N`: a place for what rules capture", _declare),
)
