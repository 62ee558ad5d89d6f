"""Where the demonstration speaks: plain lines, or on a terminal the log above a live panel of the images."""

import sys
from collections.abc import Sequence
from typing import Protocol, TextIO

from balancer.demo.image import Image


class Screen(Protocol):
    """What the runner asks of either form."""

    def say(self, text: str) -> None:
        """Shows lines of the runner's own."""

    def log(self, line: str) -> None:
        """Shows a line of the balancer's."""

    def refresh(self) -> None:
        """Shows how the images are now."""

    def close(self) -> None:
        """Leaves the terminal as it was; lines may still be shown."""


class PlainScreen:
    """Lines in order, for files, pipes and terminals without rich."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def say(self, text: str) -> None:
        """Writes the lines."""
        print(text, file=self._out, flush=True)

    log = say

    def refresh(self) -> None:
        """Nothing: the runner says in words when an image changes."""

    def close(self) -> None:
        """Nothing is held."""


def open_screen(images: Sequence[Image], is_plain: bool, out: TextIO = sys.stdout) -> Screen:
    """The panel on a terminal where rich is installed, else plain lines."""
    if is_plain or not out.isatty():
        return PlainScreen(out)
    try:
        from balancer.demo.panel import PanelScreen
    except ImportError:
        return PlainScreen(out)
    return PanelScreen(images, out)
