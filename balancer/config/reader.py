"""From the octets of a file to its lines of words; nothing here knows a keyword.

A mistake in one line is reported and the line dropped; reading goes on. A last line without its end counts, and is an error:
whoever wrote the file may not have come to the end of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from balancer.config.findings import Refusal, Report
from balancer.config.splitting import Place, split_line
from balancer.model import Origin

FILE_OCTETS_MAX: Final = 16 * 1024 * 1024


@dataclass(frozen=True)
class Line:
    """The words of one line that has any."""

    origin: Origin
    words: tuple[str, ...]


def read_octets(path: str, report: Report) -> bytes:
    """The content of a file; b"" and an alert where it cannot be read."""
    try:
        with open(path, "rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        report.alert(None, f"Cannot open configuration file/directory {path} : {reason}")
        return b""
    if len(octets) > FILE_OCTETS_MAX:
        report.alert(None, f"configuration file {path} : expects at most {FILE_OCTETS_MAX} octets")
        return b""
    return octets


def read_lines(octets: bytes, place: Place, report: Report) -> Iterator[Line]:
    """The lines whose first word is not empty, one at a time: the caller tells `place` the section before the next is read."""
    if not octets:
        return
    lines = octets.split(b"\n")
    last = lines.pop()
    if last:
        lines.append(last)
    for number, octets_of_line in enumerate(lines, 1):
        place.line = number
        origin = Origin(place.file, number)
        try:
            words = split_line(octets_of_line.decode("utf-8", "surrogateescape"), place)
        except Refusal as refusal:
            report.lexical(origin, str(refusal))
            continue
        # A first word that is empty (a variable that is not set, say) takes the line away, as in HAProxy.
        if words and words[0]:
            yield Line(origin, tuple(words))
    if last:
        position = len(last) + 1
        report.lexical(origin, f"Missing LF on last line, file might have been truncated at position {position}.")
