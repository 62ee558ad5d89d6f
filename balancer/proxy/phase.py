"""The phases of a request and how each can end, as tables.

The second letter of HAProxy's termination state is the phase, the first is the cause; so one table gives status and flags
for every pair, and the log cannot disagree with what happened.
"""

from typing import Final


class Phase:
    """Where a request stands. `follows` are the bits of the phases that it may be entered from."""

    def __init__(self, letter: str, name: str, bit: int, follows: int) -> None:
        self.letter: int = ord(letter)
        self.name = name
        self.bit = bit
        self.follows = follows

    def __repr__(self) -> str:
        return self.name


REQUEST: Final = Phase("R", "REQUEST", 1, 0)
QUEUE: Final = Phase("Q", "QUEUE", 2, 1 | 2 | 4)
CONNECT: Final = Phase("C", "CONNECT", 4, 1 | 2 | 4 | 8)
HEADERS: Final = Phase("H", "HEADERS", 8, 4)
DATA: Final = Phase("D", "DATA", 16, 8)
TUNNEL: Final = Phase("D", "TUNNEL", 32, 8)
TARPIT: Final = Phase("T", "TARPIT", 128, 1)  # a rule lets the client wait for its refusal
DONE: Final = Phase("-", "DONE", 64, 1 | 2 | 4 | 8 | 16 | 32 | 128)

# Causes: the first letter of the termination state.
NORMAL: Final = 45  # -
CLIENT_ABORT: Final = 67  # C
CLIENT_TIMEOUT: Final = 99  # c
SERVER_ABORT: Final = 83  # S
SERVER_TIMEOUT: Final = 115  # s
PROXY: Final = 80  # P: what came was refused
INTERNAL: Final = 73  # I
LOCAL: Final = 76  # L: answered here
RESOURCE: Final = 82  # R
KILLED: Final = 75  # K
SERVER_DOWN: Final = 68  # D
SERVER_UP: Final = 85  # U: a backup's request is cut, for the server that it stood in for is back

# (cause, phase letter): the status of the page when nothing of an answer has gone out; -1 where no page is due.
STATUS: Final = {
    (CLIENT_ABORT, "R"): 400,
    (CLIENT_TIMEOUT, "R"): 408,
    (PROXY, "R"): 400,
    (INTERNAL, "R"): 500,
    (CLIENT_ABORT, "Q"): 503,
    (SERVER_TIMEOUT, "Q"): 503,
    (SERVER_ABORT, "Q"): 503,
    (INTERNAL, "Q"): 500,
    (PROXY, "Q"): 400,
    (CLIENT_TIMEOUT, "Q"): 408,
    (CLIENT_TIMEOUT, "C"): 408,
    (SERVER_ABORT, "C"): 503,
    (SERVER_TIMEOUT, "C"): 503,
    (RESOURCE, "C"): 503,
    (INTERNAL, "C"): 500,
    (PROXY, "C"): 400,
    (CLIENT_ABORT, "H"): 400,
    (CLIENT_TIMEOUT, "H"): 408,
    (SERVER_ABORT, "H"): 502,
    (SERVER_TIMEOUT, "H"): 504,
    (PROXY, "H"): 502,
    (INTERNAL, "H"): 500,
    (KILLED, "Q"): 503,
    (KILLED, "C"): 503,
    (KILLED, "H"): 502,
    (SERVER_DOWN, "C"): 503,
    (SERVER_DOWN, "H"): 502,
    (SERVER_UP, "C"): 503,
    (SERVER_UP, "H"): 502,
}


def status_for(cause: int, phase: Phase) -> int:
    """The status of the page that tells the client, -1 for none."""
    return STATUS.get((cause, chr(phase.letter)), -1)
