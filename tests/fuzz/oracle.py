"""What must hold of every case; the first thing that does not is a `Fault`.

1. Nothing raises, nothing is left behind, nobody waits for ever (`passage`).
2. What ours takes, the plain grammar takes, as the same message with the same end (`plain`).
3. What goes on is read by every strict reader as that message, less the documented removals, and a second message that is put
   behind it is found where it begins; what was cut short is found complete by none.
4. Whether the octets come whole, one by one or in any pieces changes nothing of this.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from balancer.http.leaves import cookie_values
from fuzz import plain
from fuzz.cases import REQUESTS, UPGRADES, Case
from fuzz.passage import ABORTED, COOKIE, KEPT, LOCAL, Fault, Outcome, Passed, send_answer, send_requests
from fuzz.plain import Fields, Message
from fuzz.readers import ANSWER_READERS, REQUEST_READERS, Unread, requests_by_llhttp

# What is never passed on (RFC 9110 7.6.1), and what a Connection line cannot take away: what frames, routes or identifies.
HOP_BY_HOP: Final = frozenset([b"connection", b"keep-alive", b"proxy-connection", b"te", b"http2-settings", b"upgrade"])
NOT_TO_BE_NOMINATED: Final = frozenset(
    [b"close", b"keep-alive", b"upgrade", b"host", b"content-length", b"transfer-encoding", b"cookie", b"set-cookie"]
)
ABSOLUTE: Final = re.compile(rb"(?i:https?)://([^/?]*)(.*)\Z", re.DOTALL)
# A cookie pair: `;` and `,` part pairs where no quotes protect them; a backslash protects in quotes only.
PAIR: Final = re.compile(rb'(?:[^";,]|"(?:[^"\\]|\\.)*(?:"|\\?\Z))+', re.DOTALL)
NO_BODY_STATUSES: Final = (b"204", b"304")
BY_OCTET_MAX: Final = 4096  # longer cases come in pieces only

REQUEST_MARKER: Final = b"PUT /marker HTTP/1.1\r\nHost: marker\r\nContent-Length: 6\r\n\r\nmarker"
REQUEST_MARKED: Final = Message((b"PUT", b"/marker"), [(b"host", b"marker"), (b"content-length", b"6")], body=b"marker")
ANSWER_MARKER: Final = b"HTTP/1.1 299 Marker\r\nContent-Length: 6\r\n\r\nmarker"
ANSWER_MARKED: Final = Message((b"299", b"Marker"), [(b"content-length", b"6")], body=b"marker")

# What came of a case, the same however it was cut: in a word (see `cases`), and in full.
Verdict = tuple[str, list[object]]


def judge(case: Case, sizes: Sequence[int] = (7, 2, 31)) -> Verdict:
    """Sends the case whole, octet by octet, in pieces of these sizes, and in two; what came of it."""
    hold = _requests_hold if case.side == REQUESTS else _answer_holds
    first = hold(case, ())
    length = len(case.octets)
    cuttings: list[Sequence[int]] = [sizes, (1 + sum(sizes) % (length + 1), length + 1)]
    if length <= BY_OCTET_MAX:
        cuttings.append((1,))
    for cutting in cuttings:
        other = hold(case, cutting)
        if other != first:
            raise Fault(f"in pieces of {cutting}: {other!r}, whole: {first!r}")
    if case.wanted not in ("", first[0]):
        raise Fault(f"{first[0]}, not {case.wanted}: {first[1]!r}")
    return first


def send(case: Case, sizes: Sequence[int]) -> Outcome:
    """Sends the case in pieces of these sizes and judges nothing."""
    return send_requests(case, sizes) if case.side == REQUESTS else send_answer(case, sizes)


# --- requests ----------------------------------------------------------------------------------------------------------


def _requests_hold(case: Case, sizes: Sequence[int]) -> Verdict:
    outcome = send_requests(case, sizes)
    expected = _accepted(case, outcome)
    for channel in outcome.channels:
        whole = [number for number, each in enumerate(outcome.passed) if each.channel is channel and each.is_whole()]
        begins = [outcome.passed[number].begin for number in whole]
        end = outcome.passed[whole[-1]].end if whole else 0
        stream = channel.got[:end]
        wanted = [_forwarded(expected[number], case) for number in whole]
        # httptools tells llhttp to skip the body of every request that asks for an upgrade.
        has_skipped = any(each.channel is channel and each.head.upgrade and _is_framed(each) for each in outcome.passed)
        skipped = requests_by_llhttp if has_skipped else None
        for reader in REQUEST_READERS:
            if reader is skipped:
                continue
            try:
                found = reader(stream + REQUEST_MARKER, [*begins, end])
                compare(reader.__name__, [*wanted, REQUEST_MARKED], found, case)
                count = len(reader(channel.got, [*begins, end] if channel.got[end:] else begins))
            except Unread as error:
                raise Fault(f"forwarded {channel.got!r}: {error}") from error
            if count != len(whole):
                raise Fault(f"{reader.__name__} finds {count} whole requests, not {len(whole)}, in {channel.got!r}")
    answered = outcome.client_got.count(b"HTTP/1.1 200 OK")
    if answered != len(expected):
        raise Fault(f"{answered} answers to {len(expected)} requests")
    return str(len(expected)), [*(_told(each) for each in expected), outcome.client_got, outcome.end]


def _is_framed(passed: Passed) -> bool:
    return passed.head.is_chunked or passed.head.content_length > 0


def _accepted(case: Case, outcome: Outcome) -> list[Message]:
    """The requests that were sent on whole, as the plain grammar reads them in what came."""
    found: list[Message] = []
    at = 0
    for passed in outcome.passed:
        if not passed.is_whole():
            break
        try:
            message = plain.read_request(case.octets, at)
        except (plain.Refused, plain.Unfinished) as error:
            raise Fault(f"taken: {passed.head.request_line()!r}, though {error!r}") from error
        if found and _is_last(found[-1]):
            raise Fault(f"served behind what ends the connection: {message!r}")
        at = message.end
        found.append(message)
    if len(found) != sum(each.is_whole() for each in outcome.passed):
        raise Fault("a request overtook one that was not whole")
    return found


def _is_last(message: Message) -> bool:
    """Whether nothing may be served behind the request: it says so, or its framing was said twice over (RFC 9112 6.1)."""
    options = message.elements(b"connection")
    if message.values(b"transfer-encoding") and message.values(b"content-length"):
        return True
    return b"close" in options or (message.minor == 0 and b"keep-alive" not in options)


def _forwarded(message: Message, case: Case) -> Message:
    """What a server should see of the request."""
    method, target = message.start
    fields = _kept(message)
    absolute = ABSOLUTE.match(target)
    if absolute:
        authority, path = absolute.groups()
        target = path if path.startswith(b"/") else b"*" if method == b"OPTIONS" and not path else b"/" + path
        fields = [each for each in fields if each[0] != b"host"]
        fields.append((b"host", authority))
    elif not message.values(b"host"):
        fields.append((b"host", b"%s:%d" % (LOCAL[0].encode(), LOCAL[1])))
    if message.is_chunked:
        fields.append((b"transfer-encoding", b"chunked"))
    protocols = message.elements(b"upgrade")
    if protocols and message.minor and b"upgrade" in message.elements(b"connection") and b"h2c" not in protocols:
        fields += [(b"upgrade", b", ".join(protocols)), (b"connection", b"Upgrade")]
    return Message((method, target), fields, body=message.body, trailers=message.trailers)


# --- answers -----------------------------------------------------------------------------------------------------------


def _answer_holds(case: Case, sizes: Sequence[int]) -> Verdict:
    outcome = send_answer(case, sizes)
    (channel,) = outcome.channels
    try:
        message: Message | None = plain.read_answer(case.octets, case.method.encode())
    except (plain.Refused, plain.Unfinished):
        message = None
    if channel.end_mark == "keep" and channel.was_left_clean and (message is None or message.end != len(case.octets)):
        raise Fault(f"the connection is kept though the answer ends elsewhere: {message!r}")
    if case.has_upload:
        _upload_holds(outcome)
    if not outcome.is_normal:
        return "refused", _not_taken(case, outcome)
    if message is None:
        raise Fault(f"taken: {outcome.client_got!r}")
    if message.until_close and not case.was_orderly:
        raise Fault("a reset is taken for the end")
    wanted = _to_client(message, case)
    if message.start[0] == b"101":
        rest = case.octets[message.end :]
        if not outcome.client_got.endswith(b"\r\n\r\n" + rest):
            raise Fault(f"the tunnel lost octets: {outcome.client_got!r}")
        _readers_agree([wanted], outcome.client_got[: len(outcome.client_got) - len(rest)], case, True)
    elif outcome.end == KEPT:
        _readers_agree([wanted, ANSWER_MARKED], outcome.client_got + ANSWER_MARKER, case, False)
    else:
        _readers_agree([wanted], outcome.client_got, case, True)
    return "taken", [_told(wanted), outcome.end]


def _upload_holds(outcome: Outcome) -> None:
    """What the server got of the request in the middle of whose body it answered: whole only if the rest was sent on."""
    (passed,) = outcome.passed
    got = passed.channel.got
    for reader in REQUEST_READERS:
        try:
            found = reader(got, [0])
        except Unread as error:
            raise Fault(f"forwarded {got!r}: {error}") from error
        if [each.body for each in found] != [b"abcde"] * passed.exchange.upload.is_done:
            raise Fault(f"{reader.__name__} finds {found!r} in {got!r}")
    if outcome.end == KEPT and not passed.exchange.upload.is_done:
        raise Fault("the client's connection is kept in the middle of its request")


def _not_taken(case: Case, outcome: Outcome) -> list[object]:
    """An answer that was refused or broke off: the client sees a page of ours, or what it cannot take for whole."""
    got = outcome.client_got
    methods = [case.method.encode()]
    for reader in ANSWER_READERS:
        try:
            found = reader(got, methods, _upgrade(case), outcome.end != ABORTED)
        except Unread as error:
            raise Fault(f"sent {got!r}: {error}") from error
        is_page = outcome.end != ABORTED
        statuses = [message.start[0] for message in found]
        if statuses == [b"101"]:
            continue  # a tunnel that was cut
        if len(found) != is_page or (is_page and statuses[0] not in (b"400", b"500", b"502", b"504")):
            raise Fault(f"{reader.__name__} finds {found!r} in what was refused: {got!r}")
    return [outcome.end]


def _to_client(message: Message, case: Case) -> Message:
    """What the client should see of the answer."""
    status = message.start[0]
    has_body = case.method != "HEAD" and status not in NO_BODY_STATUSES and status != b"101"
    fields = _kept(message)
    if status in (b"101", b"204"):
        fields = [each for each in fields if each[0] != b"content-length"]
    if status in (b"101", b"426"):
        fields += [(b"upgrade", value) for value in message.values(b"upgrade")]
    writes_chunks = has_body and message.is_chunked and case.version == "1.1"
    if writes_chunks:
        fields.append((b"transfer-encoding", b"chunked"))
    fields = [each for each in fields if not _sets_our_cookie(*each)]
    interim = [] if case.version == "1.0" else [_interim(each) for each in message.interim]
    trailers = message.trailers if writes_chunks else []
    return Message(message.start, fields, body=message.body, trailers=trailers, interim=interim)


def _interim(message: Message) -> Message:
    fields = [each for each in _kept(message) if each[0] != b"content-length" and not _sets_our_cookie(*each)]
    return Message(message.start, fields)


def _sets_our_cookie(name: bytes, value: bytes) -> bool:
    cookie, equals, _ = value.partition(b"=")
    return name == b"set-cookie" and bool(equals) and cookie.strip(b" \t") == COOKIE


def _upgrade(case: Case) -> bytes:
    return dict(zip(UPGRADES, (b"", b"foo", b"websocket"), strict=True))[case.upgrade]


def _readers_agree(wanted: list[Message], stream: bytes, case: Case, is_closed: bool) -> None:
    methods = [case.method.encode(), b"GET"][: len(wanted)]
    for reader in ANSWER_READERS:
        try:
            found = reader(stream, methods, _upgrade(case), is_closed)
        except Unread as error:
            raise Fault(f"sent {stream!r}: {error}") from error
        compare(reader.__name__, wanted, found, case)


# --- one message -------------------------------------------------------------------------------------------------------


def _kept(message: Message) -> Fields:
    """The fields that are passed on: hop-by-hop and nominated ones go, a length stands once, a coding is the caller's."""
    nominated = set(message.elements(b"connection")) - NOT_TO_BE_NOMINATED
    has_coding = bool(message.values(b"transfer-encoding"))
    kept: Fields = []
    has_length = has_coding
    for name, value in message.fields:
        if name in HOP_BY_HOP or name in nominated or name == b"transfer-encoding":
            continue
        if name == b"content-length":
            if has_length:
                continue
            has_length = True
            value = value.partition(b",")[0].strip(b" \t")
        kept.append((name, value))
    return kept


def compare(reader: str, wanted: list[Message], found: list[Message], case: Case) -> None:
    """The reader sees what should be there, and may see more fields only where we add them."""
    if len(wanted) != len(found):
        raise Fault(f"{reader} finds {len(found)} messages, not {len(wanted)}: {found!r}")
    for want, see in zip(wanted, found, strict=True):
        if len(want.interim) != len(see.interim):
            raise Fault(f"{reader} finds {len(see.interim)} interim answers, not {len(want.interim)}")
        for one, other in zip([*want.interim, want], [*see.interim, see], strict=True):
            if (one.start, one.body, one.trailers) != (other.start, other.body, other.trailers):
                raise Fault(f"{reader} reads {other!r}, not {one!r}")
            _same_fields(reader, one.fields, other.fields, case)


def _same_fields(reader: str, wanted: Fields, found: Fields, case: Case) -> None:
    if case.is_indirect:
        _cookie_is_cut(wanted, found)
        wanted, found = _without(wanted, b"cookie"), _without(found, b"cookie")
    want, see = Counter(map(_normal, wanted)), Counter(map(_normal, found))
    missing, more = want - see, see - want
    if missing or not all(case.side != REQUESTS and _is_ours(*each) for each in more.elements()):
        raise Fault(f"{reader} misses {list(missing.elements())!r} and finds beyond {list(more.elements())!r}")


def _is_ours(name: bytes, value: bytes) -> bool:
    """Whether we add that line to answers."""
    if name == b"connection":
        return value in (b"close", b"keep-alive", b"upgrade")
    return (name, value) == (b"cache-control", b"private") or (name == b"set-cookie" and value.startswith(COOKIE + b"=app"))


def _normal(each: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """One form of what readers give in several: numbers, codings, lists of protocols."""
    name, value = each
    if name == b"content-length":
        value = b"%d" % int(value)
    elif name in (b"transfer-encoding", b"upgrade", b"connection"):
        value = b", ".join(part for part in (part.strip(b" \t").lower() for part in value.split(b",")) if part)
    return name, value


def _without(fields: Fields, name: bytes) -> Fields:
    return [each for each in fields if each[0] != name]


def _cookie_is_cut(wanted: Fields, found: Fields) -> None:
    """`indirect`: our cookie is gone, and nothing else."""
    came = [value for name, value in wanted if name == b"cookie"]
    left = [value for name, value in found if name == b"cookie"]
    if any(cookie_values(value, COOKIE) for value in left):
        raise Fault(f"our cookie is left in {left!r}")
    if _others(came) != _others(left):
        raise Fault(f"of the cookies {came!r} are left {left!r}")


def _others(values: list[bytes]) -> list[bytes]:
    """The pairs of Cookie lines that are not ours, without the blanks around them."""
    pairs = [pair.strip(b" \t") for value in values for pair in PAIR.findall(value)]
    return [pair for pair in pairs if pair and not (b"=" in pair and pair.partition(b"=")[0].strip(b" \t") == COOKIE)]


def _told(message: Message) -> tuple[object, ...]:
    return message.start, message.fields, message.body, message.trailers
