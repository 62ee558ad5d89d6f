"""The three programs of `python -m balancer.demo`, and how each of them ends.

Exit statuses: 0 for Ctrl-C, SIGTERM and a fault that was carried out, 1 for a port that is taken, a balancer that died and a
fault that was refused, 2 for words that are not understood.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from balancer.demo import arguments
from balancer.demo.control import Control
from balancer.demo.image import Image
from balancer.demo.plan import PlanError, read_plan
from balancer.demo.runner import FAILED, OK, Demonstration, balancer_command, interpreter_text
from balancer.demo.screen import open_screen
from balancer.demo.wire import KOM, SWAZOO

END_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TELL_TIMEOUT_S: Final = 10.0
REPLY_OCTETS_MAX: Final = 65536


def main(words: Sequence[str]) -> int:
    """Runs one of the programs; returns the exit status."""
    parsed = arguments.parse(words)
    try:
        if parsed.program == "tell":
            return tell(parsed.control or arguments.control_path(), " ".join(parsed.command))
        if parsed.program == "run":
            return asyncio.run(run_demonstration(parsed, balancer_command(parsed.config)))
        return asyncio.run(run_images(parsed))
    except BrokenPipeError:  # whoever read the output has left; the interpreter's last flush must not complain again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED


def end_on_signals() -> asyncio.Event:
    """An event that Ctrl-C, SIGTERM and a closed terminal set; also where a shell's `&` left SIGINT ignored."""
    ended = asyncio.Event()
    for number in END_SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended


async def run_images(parsed: argparse.Namespace) -> int:
    """Opens the images, says where they are, and stays until a signal."""
    ended = end_on_signals()
    images = [
        Image(f"app{number}", port, parsed.host, number=number, web_server=KOM if parsed.kom else SWAZOO, seed=parsed.seed)
        for number, port in enumerate(parsed.ports, 1)
    ]
    async with Control(images) as control:
        try:
            for image in images:
                await image.start()
                print(f"{image.name} listens on {image.address}", flush=True)
            if parsed.control is not None:
                print(f"control listens on {await open_control(control, parsed.control)}", flush=True)
            await ended.wait()
        except OSError as error:
            print(f"cannot listen: {error}", file=sys.stderr)
            return FAILED
        finally:
            for image in images:
                await image.die()
    return OK


async def run_demonstration(parsed: argparse.Namespace, command: Sequence[str]) -> int:
    """Opens the images that the configuration names and runs the command, the balancer, before them until a signal."""
    ended = end_on_signals()
    try:
        plan = read_plan(parsed.config)
    except PlanError as error:
        print(error, file=sys.stderr)
        return FAILED
    images = [
        Image(image.name, image.address.port, image.address.host, number=number, seed=parsed.seed)
        for number, image in enumerate(plan.images, 1)
    ]
    async with Control(images) as control:
        demonstration = Demonstration(plan, images, command, ended, tell_command(parsed.control))
        try:
            taken = await demonstration.take_ports()
            for port in taken:
                print(port, file=sys.stderr)
            if taken:
                return FAILED
            await open_control(control, parsed.control or arguments.private_control_path())
            return await demonstration.run(open_screen(images, parsed.plain))
        except BrokenPipeError:
            raise
        except OSError as error:
            print(f"cannot start: {error}", file=sys.stderr)
            return FAILED
        finally:
            await demonstration.stop_images()


def tell_command(place: int | Path | None) -> str:
    """What to type so that this demonstration is told a fault."""
    return f"{interpreter_text()} -P -m balancer.demo tell" + (f" --control {place}" if place is not None else "")


async def open_control(control: Control, place: int | Path) -> str:
    """Opens the control listener and returns where it is; a port is one of the loopback."""
    if isinstance(place, Path):
        await control.listen_unix(place)
        return str(place)
    return f"127.0.0.1:{await control.listen_tcp('127.0.0.1', place)}"


def tell(place: int | Path, line: str) -> int:
    """Sends one command to a running demonstration and prints what it says."""
    family, address = (socket.AF_UNIX, str(place)) if isinstance(place, Path) else (socket.AF_INET, ("127.0.0.1", place))
    with socket.socket(family) as client:
        client.settimeout(TELL_TIMEOUT_S)
        try:
            client.connect(address)
            client.sendall(line.encode("ascii", "replace") + b"\n")
            said = b""
            while not said.endswith(b"\n\n") and len(said) < REPLY_OCTETS_MAX and (piece := client.recv(4096)):
                said += piece
        except OSError as error:
            print(f"no demonstration answers at {place} ({error.strerror or error}): is `make run` running?", file=sys.stderr)
            return FAILED
    text = said.decode("utf-8", "replace").strip()
    is_refused = not text or text.startswith("error: ")
    print(text or "nothing was answered", file=sys.stderr if is_refused else sys.stdout)
    return FAILED if is_refused else OK
