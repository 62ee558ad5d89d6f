"""Where ours accepts, a strict reader (h11) sees the same message in what goes on: start line, fields, framing, payload.

The messages are made of well-formed and of odd pieces, so that many are refused; a refusal is never wrong here. What is
accepted goes through whole exchanges, cut at odd places, and is read on the other side by h11.
"""

import h11
import pytest
from fakes import World
from heads import verdict
from hypothesis import given, settings
from hypothesis import strategies as st
from records import backend_record, cookie_record, images

from balancer.http.head import ResponseHead, find_end

Fields = list[tuple[bytes, bytes]]


def world(indirect: bool = False) -> World:
    """Two images with the original's cookie."""
    return World(backend_record(*images(2), cookie=cookie_record(nocache=True, indirect=indirect)))


def pieces(raw: bytes, step: int) -> list[bytes]:
    """`raw` in steps of so many octets."""
    return [raw[at : at + step] for at in range(0, len(raw), step)]


def fields_of(head: bytes) -> Fields:
    """Names in lower case and values without the blanks around them, read in the plainest way."""
    found = []
    for line in head.split(b"\r\n")[1:]:
        if line:
            name, _, value = line.partition(b":")
            found.append((name.lower(), value.strip(b" \t")))
    return found


def read_by_h11(
    reader: h11.Connection, raw: bytes
) -> tuple[h11.Request | h11.Response, bytes, list[h11.InformationalResponse]]:
    """The one message that h11 finds in `raw`: its head, its payload, and the interim heads before it."""
    reader.receive_data(raw)
    head: h11.Request | h11.Response | None = None
    interim: list[h11.InformationalResponse] = []
    payload = b""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Request | h11.Response):
            head = event
        elif isinstance(event, h11.InformationalResponse):
            interim.append(event)
        elif isinstance(event, h11.Data):
            payload += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return head, payload, interim
        else:
            raise AssertionError(f"{event} in {raw!r}")


# --- requests ----------------------------------------------------------------------------------------------------------

METHODS = st.sampled_from([b"GET", b"POST", b"PUT", b"OPTIONS", b"M-SEARCH", b"get", b"G T", b""])
TARGETS = st.sampled_from(
    [b"/", b"/a?_s=x&_k=y&1", b"/{|}", b"//a", b"*", b"http://a.org/x", b"http://b:81", b"a", b"/a b", b"/a#b", b"/\xe9"]
)
VERSIONS = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.10", b"HTTP/2.0", b"http/1.1"])
REQUEST_LINES = st.sampled_from(
    [
        b"Host: ex.org",
        b"Host: ex.org",
        b"host:\tother:80 ",
        b"Host: a b",
        b"Content-Length: 5",
        b"content-length:5",
        b"Content-Length: 5, 5",
        b"Content-Length: 6",
        b"Content-Length: +5",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: Chunked, ",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: \x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer_Encoding: chunked",
        b"Connection: close, X-Hop",
        b"Connection: keep-alive",
        b"Connection: content-length, host, cookie",
        b"Connection: Upgrade",
        b"Upgrade: foo",
        b"Upgrade: h2c",
        b"Keep-Alive: 5",
        b"TE: trailers",
        b"X-Hop: 1",
        b"Cookie: a=1; SEASIDE=app1inst2; b=2",
        b"Cookie: SEASIDE=x",
        b"Expect: 100-continue",
        b"X: \xff\xfe \t y",
        b"X:",
        b"X: a\rb",
        b" folded",
        b"X y: z",
        b"X\x00: y",
        b"no colon",
    ]
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A request with a Host more often than not, and a body that fits its framing if any fits."""
    lines = draw(st.lists(REQUEST_LINES, max_size=5))
    if draw(st.integers(0, 5)) and not any(line.lower().startswith(b"host") for line in lines):
        lines.insert(0, b"Host: ex.org")
    start = b" ".join([draw(METHODS), draw(TARGETS), draw(VERSIONS)])
    is_chunked = any(line.lower().startswith(b"transfer-encoding:") for line in lines)
    lengths = [line[-1:] for line in lines if line.lower().startswith(b"content-length")]
    body = b"2;x\r\nab\r\n3\r\ncde\r\n0\r\nT: u\r\n\r\n" if is_chunked else b"abcdef"[: int(lengths[0])] if lengths else b""
    return b"\r\n".join([start, *lines, b"", b""]), body


@settings(max_examples=500, deadline=None)
@given(requests(), st.integers(1, 30), st.booleans())
def test_h11_reads_the_request_that_we_have_accepted(message: tuple[bytes, bytes], step: int, indirect: bool) -> None:
    head, body = message
    if verdict(head + body) != 0:
        return
    subject = world(indirect)
    talk = subject.request(head)
    if body:
        talk.sends(*pieces(body, step))
    channel = subject.connects()
    sent_head = channel.got.partition(b"\r\n\r\n")[0]
    request, payload, _ = read_by_h11(h11.Connection(h11.SERVER), channel.got)
    assert isinstance(request, h11.Request)
    assert request.http_version == b"1.1"
    assert request.method == talk.exchange.head.method
    assert request.target == talk.exchange.head.target
    assert [name for name, _ in request.headers] == [name for name, _ in fields_of(sent_head)]
    for (name, value), (_, plain) in zip(request.headers, fields_of(sent_head), strict=True):
        assert value == (plain.lower() if name == b"transfer-encoding" else plain)
    assert payload == (b"abcde" if talk.exchange.head.is_chunked else body)
    assert talk.exchange.upload.is_done
    names = [name for name, _ in request.headers]
    assert names.count(b"host") == 1
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert not {b"keep-alive", b"te", b"proxy-connection"} & set(names)
    if indirect:
        assert all(b"SEASIDE" not in value for name, value in request.headers if name == b"cookie")
    for name, value in fields_of(head):
        if name == b"x":
            assert (name, value) in request.headers


# --- responses ---------------------------------------------------------------------------------------------------------

STATUS_LINES = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 404",
        b"HTTP/1.1 204 No",
        b"HTTP/1.1 304 x",
        b"HTTP/1.1 20 x",
        b"HTTP/2 200 x",
    ]
)
RESPONSE_LINES = st.sampled_from(
    [
        b"Content-Length: 5",
        b"content-length: 5,5",
        b"Content-Length: 6",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Connection: close",
        b"Connection: X-Hop",
        b"X-Hop: 1",
        b"Keep-Alive: 5",
        b"Set-Cookie: a=b",
        b"Set-Cookie: SEASIDE=own",
        b"Cache-Control: no-store",
        b"X: \xff y",
        b"X: a\rb",
        b" folded",
        b"X : y",
    ]
)


@settings(max_examples=400, deadline=None)
@given(STATUS_LINES, st.lists(RESPONSE_LINES, max_size=4), st.integers(1, 40), st.booleans(), st.sampled_from([b"1.1", b"1.0"]))
def test_h11_reads_the_answer_that_we_have_accepted(
    status_line: bytes, lines: list[bytes], step: int, has_interim: bool, version: bytes
) -> None:
    head = b"\r\n".join([status_line, *lines, b"", b""])
    parsed = ResponseHead(head, 0, find_end(head, 0), 100, b"", False)
    if parsed.error:
        return
    is_empty = parsed.status in (204, 304)
    body = b"" if is_empty else b"3;x\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" if parsed.is_chunked else b"abcde"
    if parsed.content_length == 6 and not is_empty:
        body = b"abcdef"
    early = b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\n" if has_interim else b""
    subject = world()
    talk = subject.request(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
    subject.connects()
    for piece in pieces(early + head + body, step):
        talk.answers(piece)
    if not talk.client.end:
        talk.server_ends()
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    sent = talk.client.got
    if talk.client.end == "close":
        reader.receive_data(sent)
        response, payload, interim = read_by_h11(reader, b"")
    else:
        assert talk.client.end == "keep"
        response, payload, interim = read_by_h11(reader, sent)
        assert reader.trailing_data == (b"", False), "nothing follows the message"
    assert isinstance(response, h11.Response)
    assert response.status_code == parsed.status
    assert payload == (b"" if is_empty else body if not parsed.is_chunked else b"abcde")
    assert len(interim) == (has_interim and version == b"1.1")
    names = [name for name, _ in response.headers]
    assert names.count(b"content-length") + names.count(b"transfer-encoding") <= 1
    assert b"keep-alive" not in names
    assert (b"set-cookie", b"SEASIDE=app1inst1; path=/") in response.headers
    assert (b"set-cookie", b"SEASIDE=own") not in response.headers
    assert subject.is_at_rest()


@pytest.mark.parametrize("is_orderly", [True, False])
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.sampled_from([b"Content-Length: 40", b"Transfer-Encoding: chunked"]))
def test_wherever_a_server_breaks_off_nobody_takes_the_answer_for_whole(is_orderly: bool, cut: int, framing: bytes) -> None:
    body = b"x" * 40 if b"Length" in framing else b"14\r\n" + b"x" * 20 + b"\r\n14\r\n" + b"x" * 20 + b"\r\n0\r\nA: b\r\n\r\n"
    raw = b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + body
    cut = min(cut, len(raw) - 1)
    subject = world()
    talk = subject.get()
    subject.connects()
    if cut:
        talk.answers(raw[:cut])
    talk.server_ends(is_orderly)
    has_begun = b"HTTP/1.1 200" in talk.client.got
    assert talk.client.end == ("abort" if has_begun else "keep")
    assert talk.flags()[:2] == ("SD" if has_begun else "SH")
    if not has_begun:
        assert talk.client.got.startswith(b"HTTP/1.1 502")
        return
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(talk.client.got)
    while (event := reader.next_event()) is not h11.NEED_DATA:
        assert not isinstance(event, h11.EndOfMessage)
