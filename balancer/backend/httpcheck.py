"""What an HTTP check writes, how it reads the answer, and how it judges: no sockets, no clock.

A `CheckAnswer` takes octets as they come and never keeps more than `octets_max`; what is longer is judged as far as it was
read, as HAProxy does with its buffer. The head is read by the strict reader of the traffic (RFC 9112): what would be a 502
for a visitor is no sign of life. The first head counts, an interim one too. `judge` is asked again whenever more has come,
until it knows.
"""

import re
from typing import Final

from balancer import model
from balancer.backend.verdicts import Verdict
from balancer.http.framing import CHUNKED, LENGTH, NO_BODY, UNTIL_CLOSE, Body
from balancer.http.head import FORBIDDEN, INCOMPLETE, ResponseHead, find_end

FIELD_COUNT_MAX: Final = 101
NOT_FOUND: Final = 404
# Methods whose requests say nothing of a length where they have no body.
SILENT_METHODS: Final = (b"GET", b"HEAD", b"OPTIONS", b"DELETE")
BODY_KINDS: Final = ("string", "rstring")

NO_BODY_TEXT: Final = "HTTP content check could not find a response body"
MATCHED_TEXT: Final = "HTTP check matched unwanted content"
UNMATCHED_TEXT: Final = "HTTP content check did not match"


def request_octets(step: model.CheckSend, state_value: bytes) -> bytes:
    """The request of a check; `state_value` is what `http-check send-state` tells, b"" for nothing.

    Field names are in lower case and in HAProxy's order. A check asks once: `connection: close`, which HTTP/1.0 need not say.
    """
    parts: list[bytes] = [b"%s %s %s\r\n" % (step.method, step.uri, step.version)]
    is_old = step.version == b"HTTP/1.0"
    connection = b"" if is_old else b"close"
    for name, value in step.fields:
        if name == b"connection":
            # What the version means anyway is not said.
            connection = b"" if value.lower() == (b"close" if is_old else b"keep-alive") else value
        else:
            parts.append(b"%s: %s\r\n" % (name, value))
    if state_value:
        parts.append(b"x-haproxy-server-state: %s\r\n" % state_value)
    if step.body or step.method not in SILENT_METHODS:
        parts.append(b"content-length: %d\r\n" % len(step.body))
    if connection:
        parts.append(b"connection: %s\r\n" % connection)
    parts.append(b"\r\n")
    parts.append(step.body)
    return b"".join(parts)


class CheckAnswer:
    """The answer to one request of a check, as far as it has come."""

    def __init__(self, method: bytes, octets_max: int) -> None:
        self.method = method
        self.octets_max = octets_max
        self.octets: int = 0
        self.pending: bytes = b""
        self.status: int = 0  # 0 until a whole head was read
        self.reason: bytes = b""
        self.body: Body | None = None
        self.content: bytes = b""
        self.is_bad: bool = False
        self.is_over: bool = False  # nothing more will come, or be read

    def __repr__(self) -> str:
        return f"<CheckAnswer {self.status} {len(self.content)} octets over={self.is_over} bad={self.is_bad}>"

    def feed(self, data: bytes) -> None:
        """Takes what has come; what would exceed the bound is not read."""
        if self.is_over:
            return
        left = self.octets_max - self.octets
        self.octets += min(left, len(data))
        if self.body is None:
            self._read_head(data[:left])
        else:
            self._read_body(data[:left], 0)
        if self.octets >= self.octets_max:
            self.end()

    def end(self) -> None:
        """The server sends no more: a head that is not whole is none."""
        self.is_over = True
        if self.status == 0:
            self.is_bad = True

    def _read_head(self, data: bytes) -> None:
        seen = len(self.pending)
        data = self.pending + data
        end = find_end(data, max(0, seen - 3))
        if end == INCOMPLETE:
            self.pending = data
            if len(data) >= 7 and not data.startswith(b"HTTP/1."):
                self._refuse()
            return
        if end == FORBIDDEN:
            self._refuse()
            return
        head = ResponseHead(data, 0, end, FIELD_COUNT_MAX, b"", False)
        if head.error:
            self._refuse()
            return
        self.pending = b""
        self.status = head.status
        self.reason = head.reason
        if self.method == b"HEAD" or head.status < 200 or head.status in (204, 304):
            kind = NO_BODY
        elif head.is_chunked:
            kind = CHUNKED
        else:
            kind = LENGTH if head.content_length >= 0 else UNTIL_CLOSE
        self.body = Body(kind, head.content_length, False)
        self._read_body(data, end)

    def _read_body(self, data: bytes, start: int) -> None:
        body = self.body
        assert body is not None
        body.feed(data, start)
        if body.out:
            self.content += b"".join(body.out)
            body.out = []
        if body.is_bad:
            self._refuse()
        elif body.is_done:
            self.is_over = True

    def _refuse(self) -> None:
        self.is_bad = True
        self.is_over = True


def judge(expect: model.CheckExpect, answer: CheckAnswer, accepts_404: bool) -> Verdict | None:
    """The verdict of one expectation, None while more must come; a verdict of L7OK lets the next step begin.

    `accepts_404` is `http-check disable-on-404` for a server that is not DOWN.
    """
    if answer.is_bad:
        return _failed(expect, answer, "L7RSP", "")
    if answer.status == 0:
        return None
    if accepts_404 and answer.status == NOT_FOUND:
        return Verdict("L7OKC", answer.status)
    if expect.kind in BODY_KINDS:
        return _judge_body(expect, answer)
    if expect.kind == "status":
        matches = _is_in(answer.status, expect.ranges)
    else:
        matches = re.search(expect.pattern, b"%d" % answer.status) is not None
    if matches == expect.is_negated:
        return _failed(expect, answer, "L7STS", answer.reason.decode("latin-1"))
    return _passed(expect, answer)


def _is_in(status: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    for low, high in ranges:
        if low <= status <= high:
            return True
    return False


def _judge_body(expect: model.CheckExpect, answer: CheckAnswer) -> Verdict | None:
    content = answer.content
    if not answer.is_over:
        least = max(expect.min_octets, len(expect.pattern) if expect.kind == "string" else 1)
        if len(content) < least:
            return None
    elif not content:
        return _failed(expect, answer, "L7RSP", NO_BODY_TEXT)
    if expect.kind == "string":
        matches = expect.pattern in content
    else:
        matches = re.search(expect.pattern, content) is not None
    if not matches and not answer.is_over and expect.min_octets == -1:
        return None
    if matches == expect.is_negated:
        return _failed(expect, answer, "L7RSP", MATCHED_TEXT if expect.is_negated else UNMATCHED_TEXT)
    return _passed(expect, answer)


def _failed(expect: model.CheckExpect, answer: CheckAnswer, name: str, text: str) -> Verdict:
    if answer.is_bad:
        info = expect.on_error
    else:
        name = expect.error_state or name
        info = expect.on_error or text
    if expect.comment:
        info += f" comment: {expect.comment}"
    return Verdict(name, answer.status, info, True)


def _passed(expect: model.CheckExpect, answer: CheckAnswer) -> Verdict:
    return Verdict(expect.ok_state or "L7OK", answer.status, expect.on_success)


def timed_out(expect: model.CheckExpect | None) -> Verdict:
    """No answer in time, or none to the point."""
    name = "" if expect is None else expect.timeout_state
    return Verdict(name or "L7TOUT", 0, "", True)
