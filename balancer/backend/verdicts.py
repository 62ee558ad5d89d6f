"""The states in which a check can end, as one table: HAProxy's names, texts, results and numbers."""

from typing import Final

# What a result does to a server's health. The numbers are those of `show servers state`.
UNKNOWN: Final = 0
FAILED: Final = 2
PASSED: Final = 3
PASSED_CONDITIONALLY: Final = 4  # serves those who are bound to it, takes nobody new


class CheckState:
    """One row: `check_status`, `check_desc`, the result, HAProxy's number, and whether an answer's code belongs to it."""

    def __init__(self, name: str, text: str, result: int, number: int, has_code: bool = False) -> None:
        self.name = name
        self.text = text
        self.result = result
        self.number = number
        self.has_code = has_code


INITIAL: Final = "INI"
ANALYZED: Final = "HANA"

CHECK_STATES: Final[dict[str, CheckState]] = {
    state.name: state
    for state in (
        CheckState(INITIAL, "Initializing", UNKNOWN, 1),
        CheckState(ANALYZED, "Health analyze", FAILED, 4),
        CheckState("SOCKERR", "Socket error", FAILED, 5),
        CheckState("L4OK", "Layer4 check passed", PASSED, 6),
        CheckState("L4TOUT", "Layer4 timeout", FAILED, 7),
        CheckState("L4CON", "Layer4 connection problem", FAILED, 8),
        CheckState("L6OK", "Layer6 check passed", PASSED, 9),
        CheckState("L6TOUT", "Layer6 timeout", FAILED, 10),
        CheckState("L6RSP", "Layer6 invalid response", FAILED, 11),
        CheckState("L7TOUT", "Layer7 timeout", FAILED, 12),
        CheckState("L7RSP", "Layer7 invalid response", FAILED, 13),
        CheckState("L7OK", "Layer7 check passed", PASSED, 15, True),
        CheckState("L7OKC", "Layer7 check conditionally passed", PASSED_CONDITIONALLY, 16, True),
        CheckState("L7STS", "Layer7 wrong status", FAILED, 17, True),
    )
}

# HAProxy keeps so much of what is told of a check.
INFO_OCTETS_MAX: Final = 127


class Verdict:
    """How a step ended: a key of CHECK_STATES, the answer's status (0: none), what is told of it, whether the check ends."""

    def __init__(self, name: str, code: int = 0, info: str = "", ends_check: bool = False) -> None:
        self.name = name
        self.code = code
        self.info = info[:INFO_OCTETS_MAX]
        self.ends_check = ends_check

    def __repr__(self) -> str:
        return f"<Verdict {self.name} {self.code} {self.info!r}>"


def reason_of(name: str, code: int, info: str, duration_ms: int) -> str:
    """The middle of an event line: what a check said, in HAProxy's words."""
    state = CHECK_STATES[name]
    parts = [f"reason: {state.text}"]
    if state.has_code:
        parts.append(f"code: {code}")
    if info:
        parts.append(f'info: "{_printable(info)}"')
    if duration_ms >= 0:
        parts.append(f"check duration: {duration_ms}ms")
    return ", ".join(parts)


def _printable(text: str) -> str:
    """Quotes and what is not printable ASCII as `<22>`."""
    written: list[str] = []
    for char in text:
        code = ord(char)
        written.append(char if 32 <= code < 127 and char != '"' else f"<{code & 255:02X}>")
    return "".join(written)
