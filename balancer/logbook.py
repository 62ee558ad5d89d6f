"""What a frontend's log lines say, read and not yet written: the parts of a format, and what is captured for it.

Frozen like the model, of which it is a part. Names of variables and samples are checked when a format is read, so whoever
makes lines of it finds every name in its tables.
"""

from dataclasses import dataclass

from balancer.rulebook import Sample

# The kinds of a part.
TEXT = "text"
SPACE = "space"  # one blank, however many there are; none behind nothing
VARIABLE = "variable"
SAMPLE = "sample"


@dataclass(frozen=True)
class LogPart:
    """One part of a format. `quotes`, `escapes` and `is_hex` are its flags Q, E and X."""

    kind: str
    text: bytes = b""
    name: str = ""  # of a variable, without the `%`
    sample: Sample | None = None
    quotes: bool = False
    escapes: bool = False
    is_hex: bool = False


@dataclass(frozen=True)
class CaptureSlot:
    """What is kept of one message: a field of that lower-case name, or b"" for what only rules put there."""

    name: bytes
    length_max: int


@dataclass(frozen=True)
class Captures:
    """The slots of a frontend in the order of its lines; the cookie is found by how its pair begins, b"": none."""

    request: tuple[CaptureSlot, ...] = ()
    response: tuple[CaptureSlot, ...] = ()
    cookie: bytes = b""
    cookie_length_max: int = 0


@dataclass(frozen=True)
class LogWords:
    """All that a section says about the text of its lines; without a `line` they are of a kind that needs none."""

    line: tuple[LogPart, ...] = ()
    error: tuple[LogPart, ...] = ()  # for what was no request
    structured: tuple[LogPart, ...] = ()  # the structured data of RFC 5424
    identity: tuple[LogPart, ...] = ()  # unique-id-format
    identity_field: bytes = b""  # unique-id-header
    captures: Captures = Captures()
    is_early: bool = False  # written when the answer's head is there
    has_plus: bool = False  # `option logasap`: octets and times may have grown since


NO_WORDS = LogWords()
