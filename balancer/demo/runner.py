"""`make run`: the images of a configuration, the balancer before them as a child process, one log, and one end for all.

Every port that is needed is looked at before anything starts, and all that are taken are told at once. The balancer runs in a
process group of its own, so that Ctrl-C reaches the runner alone, which then ends the rest in order; should the runner be
killed, the kernel ends the balancer. When the balancer ends first, the demonstration is over and has failed.
"""

import asyncio
import ctypes
import errno
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from balancer.demo.image import Image
from balancer.demo.pages import COUNTER_PATH
from balancer.demo.plan import Address, Plan
from balancer.demo.screen import Screen

OK: Final = 0
FAILED: Final = 1
REFRESH_INTERVAL_S: Final = 0.25
CONNECT_INTERVAL_S: Final = 0.05
START_TIMEOUT_S: Final = 20.0
STOP_TIMEOUT_S: Final = 5.0
LAST_WORDS_TIMEOUT_S: Final = 2.0
LINE_OCTETS_MAX: Final = 8192
READ_OCTETS: Final = 65536
PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
LIBC: Final = ctypes.CDLL(None)


def balancer_command(config: Path) -> list[str]:
    """The balancer in the foreground, run by the interpreter that runs the demonstration."""
    return [sys.executable, "-P", "-m", "balancer", "-db", "-f", str(config)]


@dataclass(frozen=True)
class TakenPort:
    """A port that the demonstration needs and cannot have."""

    address: Address
    purpose: str
    error: OSError

    def __str__(self) -> str:
        text = f"Cannot listen on {self.address} ({self.purpose}): {self.error.strerror or self.error}."
        if self.error.errno != errno.EADDRINUSE:
            return text
        return f"{text}\n    Who holds it: ss -ltnp 'sport = :{self.address.port}'   (with sudo for other users' programs)"


class Demonstration:
    """One run of it; `run` returns the exit status."""

    def __init__(
        self,
        plan: Plan,
        images: Sequence[Image],
        command: Sequence[str],
        ended: asyncio.Event,
        tell_command: str,
    ) -> None:
        self._plan = plan
        self._images = images
        self._command = command
        self._ended = ended
        self._tell_command = tell_command
        self._conditions = {image.name: "up" for image in images}

    def __repr__(self) -> str:
        return f"<Demonstration of {len(self._images)} images at {self._plan.sites[0]}>"

    async def take_ports(self) -> list[TakenPort]:
        """Starts the images and probes the balancer's addresses; returns what is taken. `stop_images` undoes it."""
        taken: list[TakenPort] = []
        for image in self._images:
            try:
                await image.start()
            except OSError as error:
                taken.append(TakenPort(Address(image.host, image.port), f"image {image.name}", error))
        for address in [*self._plan.sites, *self._plan.metrics]:
            try:
                probe(address)
            except OSError as error:
                taken.append(TakenPort(address, "the balancer", error))
        return taken

    async def stop_images(self) -> None:
        """Closes every image's port."""
        for image in self._images:
            await image.die()

    async def run(self, screen: Screen) -> int:
        """Starts the balancer before the images, shows what happens, and stops it at the end or when it fails."""
        child = await asyncio.create_subprocess_exec(
            *self._command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, process_group=0, preexec_fn=end_with_parent
        )
        exited = asyncio.create_task(child.wait())
        ended = asyncio.create_task(self._ended.wait())
        log = self._task(self._show_log(child, screen))
        others = (self._task(self._tell_when_ready(screen)), self._task(self._show_images(screen)))
        try:
            await asyncio.wait((exited, ended), return_when=asyncio.FIRST_COMPLETED)
            is_failed = exited.done()
            screen.refresh()
            screen.close()
            if not is_failed:
                screen.say("Stopping.")
        finally:
            for task in (*others, ended):
                task.cancel()
            screen.close()
            await stop(child, exited)
            await asyncio.wait((log,), timeout=LAST_WORDS_TIMEOUT_S)
        if is_failed:
            screen.say(f"The balancer {exit_text(exited.result())}; its last words are above. All images are stopped.")
            return FAILED
        screen.say("The balancer and all images are stopped.")
        return OK

    def _task(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """A task whose failure (the terminal is gone, say) ends the demonstration."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._look_at_end)
        return task

    def _look_at_end(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._ended.set()

    async def _show_log(self, child: Process, screen: Screen) -> None:
        assert child.stdout is not None
        rest = b""
        while octets := await child.stdout.read(READ_OCTETS):
            *lines, rest = (rest + octets).split(b"\n")
            if len(rest) > LINE_OCTETS_MAX:
                lines, rest = [*lines, rest], b""
            for line in lines:
                screen.log(printable(line[:LINE_OCTETS_MAX]))
        if rest:
            screen.log(printable(rest))

    async def _show_images(self, screen: Screen) -> None:
        while True:
            for image in self._images:
                if image.condition() != self._conditions[image.name]:
                    self._conditions[image.name] = image.condition()
                    screen.say(f"{image.name} is {image.condition()}.")
            screen.refresh()
            await asyncio.sleep(REFRESH_INTERVAL_S)

    async def _tell_when_ready(self, screen: Screen) -> None:
        deadline_s = asyncio.get_running_loop().time() + START_TIMEOUT_S
        while not await is_answering(self._plan.sites[0]):
            if asyncio.get_running_loop().time() > deadline_s:
                screen.say(f"The balancer does not answer at {self._plan.sites[0]} yet.")
                return
            await asyncio.sleep(CONNECT_INTERVAL_S)
        screen.say(what_to_try(self._plan, self._tell_command))


def what_to_try(plan: Plan, tell_command: str) -> str:
    """The few lines that a newcomer reads: what to open, what to try, how to stop."""
    url = plan.sites[0].url(COUNTER_PATH)
    image = plan.images[min(2, len(plan.images) - 1)]
    tries = [("a new visitor each time, on the next image", f"curl -si {url} | grep -i set-cookie")]
    if plan.cookie_name and image.cookie:
        stay = f"curl -s -b {plan.cookie_name}={image.cookie} {url} | grep -o 'app[0-9]* on [0-9.:]*'"
        tries.append((f"a visitor who belongs to {image.name}", stay))
    tries += [
        (f"kill {image.name}: its visitors begin anew elsewhere, nobody else notices", f"{tell_command} die {image.name}"),
        ("and bring it back", f"{tell_command} start {image.name}"),
        ("more faults: freeze, refuse, slow, abort, restart", f"{tell_command} --help"),
    ]
    if plan.metrics:
        tries.append(("what Prometheus sees", f"curl -s {plan.metrics[0].url('/metrics')} | grep server_status"))
    lines = ["", f"  Open  {url}", "        and click ++; a private window is a second visitor.", ""]
    for number, (purpose, command) in enumerate(tries):
        lines += [f"  {'Try' if not number else '   '}   {command}", f"          {purpose}"]
    return "\n".join([*lines, "", "  Stop  Ctrl-C", ""])


def probe(address: Address) -> None:
    """Raises OSError where nobody can listen now."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ours of a moment ago may still be in TIME_WAIT
        listener.bind((address.host, address.port))
        listener.listen(1)


async def is_answering(address: Address) -> bool:
    """Whether a connection is accepted there."""
    host = address.host if address.host not in ("", "0.0.0.0") else "127.0.0.1"
    try:
        _, writer = await asyncio.open_connection(host, address.port)
    except OSError:
        return False
    writer.close()
    return True


async def stop(child: Process, exited: "asyncio.Task[int]") -> None:
    """Asks the child to end, and insists after a while; nothing for one that has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            child.send_signal(number)
            await asyncio.wait_for(asyncio.shield(exited), STOP_TIMEOUT_S)
        except ProcessLookupError:
            break
        except TimeoutError:
            continue
        break
    await exited


def end_with_parent() -> None:
    """Runs in the child before the balancer: the end of the runner, whatever its cause, sends it SIGTERM."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def exit_text(status: int) -> str:
    """How a process ended, in words."""
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def printable(line: bytes) -> str:
    """A line without what could move a terminal's cursor."""
    text = line.rstrip(b"\r").decode("utf-8", "replace")
    return "".join(letter if letter.isprintable() else " " if letter == "\t" else "?" for letter in text)


def interpreter_text() -> str:
    """The interpreter as one types it here: relative where it lies below the current folder."""
    here = os.getcwd() + os.sep
    return sys.executable.removeprefix(here)
