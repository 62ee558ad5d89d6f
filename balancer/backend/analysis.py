"""`observe`: what visitors meet at a server counts as its health.

An error in a row after `error-limit` others acts as `on-error` says; any success begins the row anew, and so does a check that
passes. What counts as an error is a table, HAProxy's: layer 4 looks at connects alone, layer 7 at answers as well.
"""

from typing import Final

from balancer.backend.server import OBSERVES_LAYER4, OBSERVES_LAYER7, Server

CONNECTED: Final = 0
NOT_CONNECTED: Final = 1
GOOD_ANSWER: Final = 2
WRONG_STATUS: Final = 3
BAD_HEAD: Final = 4
READ_ERROR: Final = 5
READ_TIMEOUT: Final = 6
CLOSED: Final = 7

# HAProxy's texts of what an observer can see.
TEXTS: Final = (
    "L4 successful connection",
    "L4 unsuccessful connection",
    "Correct http response",
    "Wrong http response",
    "Invalid http response (headers)",
    "Read error (http)",
    "Read timeout (http)",
    "Close from server (http)",
)

IGNORED: Final = 0
ERROR: Final = 1
SUCCESS: Final = 2
MEANINGS: Final[dict[int, tuple[int, ...]]] = {
    OBSERVES_LAYER4: (SUCCESS, ERROR, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED, IGNORED),
    OBSERVES_LAYER7: (IGNORED, ERROR, SUCCESS, ERROR, ERROR, ERROR, ERROR, ERROR),
}
# Server errors that are answers all the same.
HARMLESS_STATUSES: Final = (501, 505)


def tell(server: Server | None, sight: int) -> None:
    """Tells what was met at a server, where `observe` wants to know."""
    if server is not None and server.observes and server.observer is not None:
        server.observer.saw(server, sight)


def of_status(status: int) -> int:
    """What an answer of that status is."""
    return GOOD_ANSWER if 100 <= status < 500 or status in HARMLESS_STATUSES else WRONG_STATUS


def error_text(count: int, sight: int) -> str:
    """What is told of so many errors in a row."""
    return f"Detected {count} consecutive errors, last one was: {TEXTS[sight]}"
