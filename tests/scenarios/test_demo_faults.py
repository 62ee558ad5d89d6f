"""The faults of the embedded images, asked for in Python and over the control listener: what a client sees of each."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from demo_client import COUNTER, EDGE_S, Wire, click, path_of, until

from balancer.demo import Image, ImageState
from balancer.demo.control import Control


@pytest.fixture
async def image() -> AsyncIterator[Image]:
    async with Image("app3", number=3, wall_clock=lambda: 1795405633.0) as running:
        yield running


@pytest.fixture
async def wire(image: Image) -> AsyncIterator[Wire]:
    opened = await Wire.open(image)
    yield opened
    opened.close()


async def test_frozen_image_accepts_and_answers_after_the_thaw(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    await image.freeze()
    wire.send(path_of(page.link(b"++")))
    late = await Wire.open(image)
    late.send(b"/")
    assert await wire.is_silent() and await late.is_silent()
    assert (image.state, image.counters.clicks) == (ImageState.FROZEN, 0)
    await image.thaw()
    assert (await wire.answer()).status == 302
    assert (await late.answer()).status == 404
    assert image.counters.clicks == 1
    late.close()


async def test_frozen_image_holds_an_answer_that_was_under_way(image: Image, wire: Wire) -> None:
    await image.slow(30)
    wire.send(b"/")
    await until(lambda: image.counters.requests == 1, "the request was not read")
    await image.freeze()
    assert await wire.is_silent()
    await image.thaw()
    assert (await wire.answer()).status == 404


async def test_dead_image_refuses_and_its_sessions_are_lost(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    await image.die()
    assert await wire.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await Wire.open(image)
    port = image.port
    await image.start()
    assert image.port == port
    again = await Wire.open(image)
    assert (await again.ask(path_of(page.link(b"++")))).field(b"Location") == b"http://linuxweb1/seaside/examples/counter"
    again.close()


async def test_refusing_image_keeps_its_sessions(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    await image.refuse()
    with pytest.raises(ConnectionRefusedError):
        await Wire.open(image)
    await wire.ask(path_of(page.link(b"++")))
    assert await wire.rest() == b""
    await image.start()
    again = await Wire.open(image)
    assert (await click(again, page)).count() == 1
    again.close()


async def test_refusing_image_serves_whom_the_kernel_had_accepted(image: Image, wire: Wire) -> None:
    await image.freeze()
    waiting = await Wire.open(image)
    waiting.send(b"/")
    await image.refuse()
    assert (await waiting.answer()).status == 404
    assert await waiting.rest() == b""


async def test_refusing_image_finishes_what_it_began(image: Image, wire: Wire) -> None:
    await image.slow(50)
    wire.send(b"/")
    await until(lambda: image.counters.requests == 1, "the request was not read")
    await image.refuse()
    assert (await wire.answer()).status == 404
    wire.send(b"/")
    assert (await wire.answer()).field(b"Connection") == b"close"
    assert await wire.rest() == b""


async def test_slow_image_answers_late(image: Image, wire: Wire) -> None:
    await image.slow(100)
    began_s = time.monotonic()
    assert (await wire.ask(b"/")).status == 404
    assert time.monotonic() - began_s >= 0.099
    await image.slow(0)
    began_s = time.monotonic()
    await wire.ask(b"/")
    assert time.monotonic() - began_s < 0.1


async def test_aborted_answer_is_reset_in_the_middle(image: Image, wire: Wire) -> None:
    page = await wire.ask(COUNTER)
    await image.abort()
    wire.send(path_of(page.link(b"++")))
    got = b""
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(EDGE_S):
            while piece := await wire.reader.read(1):
                got += piece
    assert got.startswith(b"HTTP/1.1 302 Found\r\n") and b"\r\n\r\n" not in got
    assert image.counters.clicks == 1
    other = await Wire.open(image)
    assert (await other.ask(b"/")).status == 404
    other.close()


async def test_restarted_image_is_back_at_once_without_sessions(image: Image, wire: Wire) -> None:
    await wire.ask(COUNTER)
    await image.restart()
    assert await wire.rest() == b""
    assert (image.state, image.live_session_count()) == (ImageState.UP, 0)
    again = await Wire.open(image)
    assert (await again.ask(COUNTER)).count() == 0
    again.close()


async def test_healed_image_has_no_fault_left(image: Image) -> None:
    await image.slow(1000)
    await image.abort(3)
    await image.freeze()
    assert image.condition() == "frozen, slow 1000 ms, aborts the next 3"
    await image.heal()
    assert image.condition() == "up"
    await image.refuse()
    await image.heal()
    assert image.condition() == "up"


async def test_two_images_never_share_a_port(image: Image) -> None:
    with pytest.raises(OSError, match="in use"):
        await Image("app4", image.port).start()


# The control listener.


async def test_control_commands_reach_the_images() -> None:
    async with Image("app1") as one, Image("app2") as two, Control([one, two]) as control:
        reader, writer = await asyncio.open_connection("127.0.0.1", await control.listen_tcp("127.0.0.1", 0))

        async def tell(line: str) -> list[str]:
            writer.write(line.encode() + b"\n")
            async with asyncio.timeout(EDGE_S):
                return (await reader.readuntil(b"\n\n")).decode().splitlines()[:-1]

        assert await tell("freeze app1") == ["app1 frozen"]
        assert one.state is ImageState.FROZEN
        assert await tell("slow all 20") == ["app1 frozen, slow 20 ms", "app2 up, slow 20 ms"]
        assert await tell("heal all") == ["app1 up", "app2 up"]
        assert await tell("die app2") == ["app2 down"]
        status = await tell("status all")
        assert status[0].startswith("app1 up port=") and " requests=0 clicks=0 sessions=0 " in status[0]
        assert (await tell("slow app1 fast"))[0].startswith("error: ")
        assert (await tell("freeze app7"))[0] == "error: no image 'app7' (app1, app2)"
        writer.close()


async def test_control_hangs_up_on_a_browser() -> None:
    async with Image("app1") as one, Control([one]) as control:
        reader, writer = await asyncio.open_connection("127.0.0.1", await control.listen_tcp("127.0.0.1", 0))
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n\r\ndie app1\n")
        async with asyncio.timeout(EDGE_S):
            said = await reader.read()
        assert said.startswith(b"error: ")
        assert one.state is ImageState.UP
        writer.close()
