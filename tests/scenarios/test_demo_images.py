"""The embedded images on the wire: each rule of Seaside on Swazoo that the balancer has to live with.

The clients here are bare sockets: what an image says is compared octet by octet, and the end of a connection counts as much
as what was said on it.
"""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from demo_client import COUNTER, Clock, Wire, click, path_of

from balancer.demo import KOM, Image


@pytest.fixture
async def image() -> AsyncIterator[Image]:
    async with Image("app3", number=3, wall_clock=lambda: 1795405633.0) as running:
        yield running


@pytest.fixture
async def wire(image: Image) -> AsyncIterator[Wire]:
    opened = await Wire.open(image)
    yield opened
    opened.close()


# The counter.


async def test_first_visit_is_answered_at_once_with_a_new_session(wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    assert page.lines[:-1] == [
        b"HTTP/1.1 200 OK",
        b"Expires: Thu, 11 Jun 1980 12:00:00 GMT",
        b"Pragma: no-cache",
        b"Server: Swazoo 2.2 Smalltalk Web Server",
        b"Date: Mon, 23 Nov 2026 3:47:13 GMT",
        b"Content-Type: text/html;charset=utf-8",
        b"Cache-Control: no-cache, must-revalidate",
    ]
    assert page.lines[-1] == b"Content-Length: %d" % len(page.body)
    assert page.count() == 0
    link = rb"http://linuxweb1/seaside/examples/counter\?_s=[\w-]{16}&_k=[\w-]{8}&"
    assert re.fullmatch(link + b"1", page.link(b"++"))
    assert re.fullmatch(link + b"2", page.link(b"--"))


async def test_click_redirects_to_a_new_page_key_that_renders_the_count(wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    moved = await wire.ask(path_of(page.link(b"++")))
    assert moved.lines[:5] == [
        b"HTTP/1.1 302 Found",
        b"Expires: Thu, 11 Jun 1980 12:00:00 GMT",
        b"Pragma: no-cache",
        b"Server: Swazoo 2.2 Smalltalk Web Server",
        b"Date: Mon, 23 Nov 2026 3:47:13 GMT",
    ]
    assert moved.names()[4:] == [b"Location", b"Content-Type", b"Cache-Control", b"Content-Length"]
    assert moved.field(b"Content-Length") == b"0"
    key = page.link(b"++").split(b"_k=")[1].split(b"&")[0]
    location = moved.field(b"Location")
    assert re.fullmatch(rb"http://linuxweb1/seaside/examples/counter\?_s=" + page.session() + rb"&_k=[\w-]{8}", location)
    assert key not in location
    followed = await wire.ask(path_of(location))
    assert (followed.status, followed.count(), followed.session()) == (200, 1, page.session())


async def test_fifty_clicks_count_fifty(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    for _ in range(50):
        page = await click(wire, page)
    assert page.count() == 50
    page = await click(wire, page, b"--")
    assert page.count() == 49
    assert (image.counters.clicks, image.counters.requests, image.counters.sessions_started) == (51, 103, 1)


async def test_back_and_click_goes_on_from_the_old_page(wire: Wire) -> None:
    first = await wire.ask(COUNTER)
    page = first
    for _ in range(3):
        page = await click(wire, page)
    assert page.count() == 3
    assert (await click(wire, first)).count() == 1


async def test_about_twenty_pages_of_a_session_stay_alive(wire: Wire) -> None:
    seen = [await wire.ask(COUNTER)]
    for _ in range(25):
        seen.append(await click(wire, seen[-1]))
    assert (await wire.ask(path_of(seen[-19].link(b"++")))).status == 302
    assert (await wire.ask(path_of(seen[0].link(b"++")))).status == 200


async def test_unknown_page_key_starts_the_same_session_over(wire: Wire) -> None:
    page = await click(wire, await wire.ask(COUNTER))
    again = await wire.ask(COUNTER + b"?_s=" + page.session() + b"&_k=deadbeef&1")
    assert (again.status, again.count(), again.session()) == (200, 0, page.session())


async def test_reload_shows_the_same_count(image: Image, wire: Wire) -> None:
    moved = await wire.ask(path_of((await wire.ask(COUNTER)).link(b"++")))
    target = path_of(moved.field(b"Location"))
    assert [(await wire.ask(target)).count() for _ in range(3)] == [1, 1, 1]
    assert image.counters.clicks == 1


async def test_session_of_another_image_is_silently_begun_anew(wire: Wire) -> None:
    moved = await wire.ask(COUNTER + b"?_s=lzMYYqrsKjceDHv3&_k=fL4AkNGr&1")
    assert moved.lines == [
        b"HTTP/1.1 302 Found",
        b"Server: Swazoo 2.2 Smalltalk Web Server",
        b"Date: Mon, 23 Nov 2026 3:47:13 GMT",
        b"Location: http://linuxweb1/seaside/examples/counter",
        b"Content-Type: text/html;charset=utf-8",
        b"Content-Length: 0",
    ]
    assert (await wire.ask(path_of(moved.field(b"Location")))).count() == 0


async def test_redirect_of_a_lost_session_keeps_other_query_parameters(image: Image, wire: Wire) -> None:
    moved = await wire.ask(COUNTER + b"?lang=de&_s=lzMYYqrsKjceDHv3&_k=fL4AkNGr&1&q=a%20b+c")
    assert moved.field(b"Location") == b"http://linuxweb1/seaside/examples/counter?lang=de&q=a%20b+c"
    assert image.counters.sessions_not_found == 1


async def test_redirect_of_a_lost_session_keeps_nothing_of_a_post(wire: Wire) -> None:
    moved = await wire.ask(COUNTER + b"?lang=de", method=b"POST", body=b"_s=lzMYYqrsKjceDHv3&a=b")
    assert moved.field(b"Location") == b"http://linuxweb1/seaside/examples/counter"


async def test_xmlhttprequest_to_a_lost_session_gets_403(wire: Wire) -> None:
    refused = await wire.ask(COUNTER + b"?_s=lzMYYqrsKjceDHv3&_k=fL4AkNGr&1", b"X-Requested-With: XMLHttpRequest")
    assert refused.status == 403
    assert not refused.field(b"Location")


async def test_session_expires_after_ten_idle_minutes() -> None:
    clock = Clock()
    async with Image(clock=clock) as image:
        wire = await Wire.open(image)
        page = await wire.ask(COUNTER)
        clock.now_s += 599.0
        page = await click(wire, page)
        assert (page.count(), image.live_session_count()) == (1, 1)
        clock.now_s += 601.0
        assert image.live_session_count() == 0
        wire = await Wire.open(image)
        moved = await wire.ask(path_of(page.link(b"++")))
        assert (moved.status, moved.field(b"Location")) == (302, b"http://linuxweb1/seaside/examples/counter")
        wire.close()


async def test_page_names_image_session_and_cookie(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER, b"Cookie: a=1; SEASIDE=app1inst3; b=2")
    assert b"app3 on " + image.address.encode() in page.body
    assert b"SEASIDE=app1inst3" in page.body
    assert page.session() in re.sub(rb'href="[^"]*"', b"", page.body)


async def test_cookie_and_host_cannot_put_markup_on_the_page(wire: Wire) -> None:
    page = await wire.ask(COUNTER, b'Host: x"><script>', b"Cookie: SEASIDE=<script>")
    assert b"<script>" not in page.body


# Where links point.


async def test_links_name_the_host_as_received(wire: Wire) -> None:
    page = await wire.ask(COUNTER, b"Host: LinuxWeb1:8080")
    assert page.link(b"++").startswith(b"http://LinuxWeb1:8080/seaside/examples/counter?_s=")


async def test_links_are_relative_without_a_host(wire: Wire) -> None:
    page = await wire.ask(COUNTER, version=b"1.0")
    assert page.link(b"++").startswith(b"/seaside/examples/counter?_s=")


# Paths without the counter.


async def test_root_is_not_found_and_opens_no_session(image: Image, wire: Wire) -> None:
    missing = await wire.ask(b"/")
    assert missing.lines[0] == b"HTTP/1.1 404 Not Found"
    assert missing.names() == [b"Server", b"Date", b"Content-Type", b"Content-Length"]
    assert b"<h1>Error: &quot;/&quot; not found.</h1>" in missing.body
    assert image.live_session_count() == 0


async def test_dispatcher_opens_a_session_each_time(image: Image, wire: Wire) -> None:
    for _ in range(3):
        assert (await wire.ask(b"/seaside")).status == 200
    assert image.live_session_count() == 3


async def test_file_is_cacheable_and_opens_no_session(image: Image, wire: Wire) -> None:
    style = await wire.ask(b"/seaside/files/WAStandardFiles/toolbar.css")
    assert (style.status, style.field(b"Content-Type"), style.field(b"Cache-Control")) == (200, b"text/css", b"")
    assert b" 2095 " in style.field(b"Expires")
    assert image.live_session_count() == 0


# Connections.


async def test_connection_is_kept_without_a_word(wire: Wire) -> None:
    for _ in range(3):
        assert not (await wire.ask(COUNTER)).field(b"Connection")
    assert await wire.is_silent()


async def test_close_is_done_and_said_when_the_client_asks(wire: Wire) -> None:
    page = await wire.ask(COUNTER, b"Connection: close")
    assert page.field(b"Connection") == b"close"
    assert await wire.rest() == b""


@pytest.mark.parametrize(("fields", "said"), [((), b""), ((b"Connection: keep-alive",), b"keep-alive")])
async def test_http10_is_answered_as_http10_and_closed(wire: Wire, fields: tuple[bytes, ...], said: bytes) -> None:
    page = await wire.ask(COUNTER, *fields, version=b"1.0")
    assert page.lines[0] == b"HTTP/1.0 200 OK"
    assert page.field(b"Connection") == said
    assert await wire.rest() == b""


async def test_connection_stands_between_type_and_cache_control(wire: Wire) -> None:
    page = await wire.ask(COUNTER, b"Connection: keep-alive", version=b"1.0")
    assert page.names()[4:] == [b"Content-Type", b"Connection", b"Cache-Control", b"Content-Length"]


async def test_post_is_closed_after_the_answer_without_saying_so(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    query = page.link(b"++").split(b"?")[1]
    moved = await wire.ask(COUNTER, method=b"POST", body=query.removesuffix(b"&1") + b"&1=%2B%2B")
    assert (moved.status, moved.field(b"Connection")) == (302, b"")
    assert await wire.rest() == b""
    other = await Wire.open(image)
    assert (await other.ask(path_of(moved.field(b"Location")))).count() == 1
    other.close()


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"BREW"])
async def test_other_methods_get_501_and_the_end(image: Image, wire: Wire, method: bytes) -> None:
    refused = await wire.ask(COUNTER, method=method)
    assert refused.lines[0] == b"HTTP/1.1 501 Not Implemented"
    assert refused.names() == [b"Server", b"Date", b"Content-Length"]
    assert await wire.rest() == b""
    assert image.live_session_count() == 0


async def test_pipelined_gets_are_answered_in_order(wire: Wire) -> None:
    targets = [b"/first", COUNTER, b"/third"]
    for target in targets:
        wire.send(target)
    answers = [await wire.answer() for _ in targets]
    assert [answer.status for answer in answers] == [404, 200, 404]
    assert b"/first" in answers[0].body and b"/third" in answers[2].body


async def test_what_follows_a_post_on_its_connection_is_not_answered(image: Image, wire: Wire) -> None:
    wire.raw(b"POST %s HTTP/1.1\r\nContent-Length: 1\r\n\r\nxGET / HTTP/1.1\r\n\r\n" % COUNTER)
    await wire.answer()
    assert await wire.rest() == b""
    assert image.counters.requests == 1


async def test_chunked_form_is_accepted_and_misread(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    form = page.link(b"++").split(b"?")[1]
    wire.raw(b"POST %s HTTP/1.1\r\nHost: linuxweb1\r\nTransfer-Encoding: chunked\r\n\r\n" % COUNTER)
    wire.raw(b"%x;a=b\r\n%s\r\n5\r\nabcde\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(form), form))
    misread = await wire.answer()
    assert (misread.status, misread.count()) == (200, 0)
    assert misread.session() != page.session()
    assert image.counters.clicks == 0
    assert await wire.rest() == b""


async def test_answers_are_never_chunked(wire: Wire) -> None:
    for target in (COUNTER, b"/", b"/seaside", b"/seaside/files/WAStandardFiles/toolbar.css"):
        answer = await wire.ask(target)
        assert answer.field(b"Content-Length") and b"chunked" not in answer.head


async def test_expect_is_ignored(wire: Wire) -> None:
    wire.raw(b"POST %s HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n" % COUNTER)
    assert await wire.is_silent()
    wire.raw(b"a=bc")
    assert (await wire.answer()).status == 200


@pytest.mark.parametrize(
    "nonsense",
    [
        b"gibberish\r\n\r\n",
        b"GET / HTTP/3.7\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"\x16\x03\x01\x02\r\n\r\n",
    ],
)
async def test_nonsense_gets_neither_an_answer_nor_a_close(image: Image, wire: Wire, nonsense: bytes) -> None:
    wire.raw(nonsense)
    assert await wire.is_silent()
    assert image.counters.requests == 0


async def test_slowly_written_head_blocks_nobody(image: Image, wire: Wire) -> None:
    slow = await Wire.open(image)
    request = b"GET %s HTTP/1.1\r\nHost: linuxweb1\r\n\r\n" % COUNTER
    for octet in request[:-1]:
        slow.raw(bytes([octet]))
        await asyncio.sleep(0)
    assert (await wire.ask(COUNTER)).status == 200
    slow.raw(request[-1:])
    assert (await slow.answer()).status == 200
    slow.close()


async def test_long_upload_is_read_to_its_end(image: Image, wire: Wire) -> None:
    octets = 3_000_000
    wire.raw(b"POST %s HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (COUNTER, octets))
    for _ in range(30):
        wire.raw(bytes(octets // 30))
        await wire.writer.drain()
    assert (await wire.answer()).status == 200
    assert image.counters.requests == 1


async def test_client_that_has_said_all_is_still_answered(image: Image, wire: Wire) -> None:
    await image.slow(30)
    wire.send(b"/first")
    wire.send(b"/second")
    wire.writer.write_eof()
    assert b"/first" in (await wire.answer()).body
    assert b"/second" in (await wire.answer()).body
    assert await wire.rest() == b""


async def test_endless_head_is_dropped(wire: Wire) -> None:
    wire.raw(b"GET / HTTP/1.1\r\nX: " + bytes(200_000))
    await wire.writer.drain()
    assert await wire.is_silent()


async def test_idle_connection_is_closed_at_last() -> None:
    clock = Clock()
    async with Image(clock=clock) as image:
        wire = await Wire.open(image)
        await wire.ask(b"/")
        clock.now_s += 601.0
        assert await wire.rest() == b""


async def test_connection_beyond_the_limit_waits_in_the_backlog() -> None:
    async with Image(connections_max=2) as image:
        wires = [await Wire.open(image) for _ in range(3)]
        for wire in wires:
            wire.send(b"/")
        assert [(await wire.answer()).status for wire in wires[:2]] == [404, 404]
        assert await wires[2].is_silent()
        wires[0].close()
        assert (await wires[2].answer()).status == 404
        for wire in wires[1:]:
            wire.close()


# Comanche.


async def test_kom_closes_every_connection_and_says_so() -> None:
    async with Image(web_server=KOM, wall_clock=lambda: 1795405633.0) as image:
        wire = await Wire.open(image)
        page = await wire.ask(b"/", version=b"1.0")
        assert page.lines[:4] == [
            b"HTTP/1.1 404 Not Found",
            b"Server: KomHttpServer/7.0.4 (unix)",
            b"Date: Mon, 23 Nov 2026 03:47:13 GMT",
            b"Connection: close",
        ]
        assert page.names()[3:] == [b"Content-type", b"Content-length"]


async def test_kom_closes_on_nonsense_without_an_answer() -> None:
    async with Image(web_server=KOM) as image:
        wire = await Wire.open(image)
        wire.raw(b"gibberish\r\n\r\n")
        assert await wire.rest() == b""
