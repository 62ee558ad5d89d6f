"""`errorfile`: an answer of ours, word for word from a file.

The file is read here, because after a chroot it cannot be; it holds the status line and the header as well as the body, and
must fit into one buffer. A file that no client could read as an answer is refused.
"""

import re
from typing import Final

from balancer.config.drafts import ErrorFile
from balancer.config.findings import Refusal
from balancer.config.statement import Statement

# The statuses for which HAProxy 2.6 takes a file.
STATUSES: Final[tuple[str, ...]] = (
    "200", "400", "401", "403", "404", "405", "407", "408", "410", "413", "421", "422", "425", "429",
    "500", "501", "502", "503", "504",
)  # fmt: skip
# What one may hold at most, whatever 'tune.bufsize' says; that is compared when all sections are known.
OCTETS_MAX: Final = 16 * 1024 * 1024
STATUS_LINE: Final = re.compile(rb"HTTP/[0-9]\.[0-9] +[1-5][0-9][0-9](?:[ \t][^\r\n]*)?\r?\n")
FIELD_LINE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([^\r\n]*)\r?\n")
END_OF_HEAD: Final = re.compile(rb"\r?\n")


def parse_errorfile(statement: Statement) -> ErrorFile:
    """Reads `errorfile STATUS FILE` and the file."""
    if len(statement.arguments) < 2:
        raise Refusal(f"'errorfile' expects <status_code> and <file> as arguments (got '{' '.join(statement.arguments)}')")
    status, path = statement.arguments[:2]
    statement.no_more(2)
    if status not in STATUSES:
        raise Refusal(f"'errorfile' : status code '{status}' not handled, expects one of {', '.join(STATUSES)}")
    try:
        with open(path, "rb") as file:
            octets = file.read(OCTETS_MAX + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Refusal(f"'errorfile' : cannot read file '{path}' ({reason})") from error
    if octets:
        _check_answer(octets, path)
    return ErrorFile(int(status), octets, path, statement.origin)


def _check_answer(octets: bytes, path: str) -> None:
    match = STATUS_LINE.match(octets)
    if match is None:
        raise Refusal(f"'errorfile' : '{path}' expects a whole answer that begins with 'HTTP/1.0 NNN REASON'")
    position = match.end()
    lengths: list[bytes] = []
    while (match := FIELD_LINE.match(octets, position)) is not None:
        if match[1].lower() == b"content-length":
            lengths.append(match[2].strip(b" \t"))
        position = match.end()
    end = END_OF_HEAD.match(octets, position)
    if end is None:
        raise Refusal(f"'errorfile' : '{path}' expects header lines and an empty line after them (at octet {position})")
    size = len(octets) - end.end()
    # A wrong length would let the client take the rest for its next answer, or wait for octets that never come.
    if any(length != str(size).encode() for length in lengths):
        found = b", ".join(lengths).decode("ascii", "replace")
        raise Refusal(f"'errorfile' : '{path}' expects 'Content-Length: {size}', the size of its body (got '{found}')")
