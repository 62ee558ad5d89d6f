"""What the process says to whoever started it: HAProxy's `[ALERT]`, `[WARNING]` and `[NOTICE]` lines on standard error.

Every line carries the process id, further lines of one message are indented behind a bar, as HAProxy does. A quiet process
says nothing at all, not even why it fails: that is what `-q` means to those who use it. A standard error that is gone
(closed, or a pipe without a reader) never stops the process.
"""

import os
from typing import Final, TextIO

from balancer.config.findings import further

ALERT: Final = "[ALERT]"
WARNING: Final = "[WARNING]"
NOTICE: Final = "[NOTICE]"
DIAG: Final = "[DIAG]"


class Messages:
    """Writes messages and counts the warnings among them; `is_quiet` may be set once the configuration is known."""

    def __init__(self, stream: TextIO, is_quiet: bool) -> None:
        self.stream = stream
        self.is_quiet = is_quiet
        self.warning_count = 0

    def alert(self, text: str) -> None:
        """Something that stops the start, or harms the service."""
        self._write(ALERT, text)

    def warning(self, text: str) -> None:
        """Something the operator should change or know."""
        self.warning_count += 1
        self._write(WARNING, text)

    def notice(self, text: str) -> None:
        """Something worth knowing, never a reason to fail."""
        self._write(NOTICE, text)

    def diag(self, text: str) -> None:
        """Something that was asked for with -dD."""
        self._write(DIAG, text)

    def line(self, text: str) -> None:
        """A line that already has its form."""
        if self.is_quiet:
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except (OSError, ValueError):
            self.is_quiet = True

    def _write(self, label: str, text: str) -> None:
        first, *others = text.split("\n")
        self.line("\n".join([f"{label:<10} ({os.getpid()}) : {first}", *map(further, others)]))
