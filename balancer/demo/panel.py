"""The live panel: a line for each image below the scrolling log. The one file of the demonstration that needs rich."""

import re
from collections.abc import Sequence
from typing import Final, TextIO

from rich import box
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from balancer.demo.image import Image, ImageState

STATE_STYLES: Final = {
    ImageState.UP: "green",
    ImageState.FROZEN: "bold cyan",
    ImageState.REFUSING: "bold yellow",
    ImageState.DOWN: "bold red",
}

# The first that is found in a line of the log gives it its colour.
LINE_STYLES: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\[ALERT\]| is DOWN|no server available"), "bold red"),
    (re.compile(r"\[WARNING\]| is going DOWN| 4\d\d \d+ "), "yellow"),
    (re.compile(r" 5\d\d \d+ "), "red"),
    (re.compile(r" is UP"), "green"),
)
COLUMNS: Final = ("Image", "Port", "State", "Requests", "Clicks", "Sessions", "Connections")
LEFT_COLUMNS: Final = ("Image", "State")
BUSY: Final = "\N{BLACK CIRCLE}"


class PanelScreen:
    """The log scrolls above, the panel stays below; it is redrawn when `refresh` is called and never by a thread."""

    def __init__(self, images: Sequence[Image], out: TextIO) -> None:
        self._images = images
        self._requests_shown = dict.fromkeys((image.name for image in images), 0)
        self._console = Console(file=out, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._live.start()

    def say(self, text: str) -> None:
        """Shows lines above the panel."""
        self._console.print(Text(text), soft_wrap=True)

    def log(self, line: str) -> None:
        """Shows a line of the log above the panel, coloured by what it tells."""
        style = next((style for pattern, style in LINE_STYLES if pattern.search(line)), "dim")
        self._console.print(Text(line, style), soft_wrap=True)

    def refresh(self) -> None:
        """Redraws the panel."""
        self._live.update(self._table(), refresh=True)

    def close(self) -> None:
        """Ends the panel with its last state in place; the cursor is visible again."""
        self._live.stop()

    def _table(self) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
        for title in COLUMNS:
            table.add_column(title, justify="left" if title in LEFT_COLUMNS else "right", no_wrap=True)
        for image in self._images:
            table.add_row(*self._row(image))
        return table

    def _row(self, image: Image) -> tuple[Text | str, ...]:
        counters = image.counters
        is_busy = counters.requests != self._requests_shown[image.name]
        self._requests_shown[image.name] = counters.requests
        style = (
            "yellow" if image.condition() != image.state.value and image.state is ImageState.UP else STATE_STYLES[image.state]
        )
        return (
            Text.assemble(image.name, (f" {BUSY}", "green") if is_busy else "  "),
            str(image.port),
            Text(image.condition(), style),
            str(counters.requests),
            str(counters.clicks),
            str(image.live_session_count()),
            str(image.connection_count()),
        )
