"""What is fuzzed: the octets of one side, and what the other side is doing meanwhile; and the files that hold them.

A file begins with one line of words, a LF, and holds the octets of the case behind it, as they are.
`requests [indirect]` for a client; `answer METHOD VERSION [upgrade|websocket] [upload] [reset]` for a server. `=WORD` at the
end is what has to come of it: how many requests are taken, or whether the answer is `taken` or `refused`.
"""

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

CORPUS: Final = Path(__file__).resolve().parent.parent / "corpus"

REQUESTS: Final = "requests"
ANSWER: Final = "answer"
METHODS: Final = ("GET", "HEAD", "POST")
VERSIONS: Final = ("1.1", "1.0")
UPGRADES: Final = ("", "upgrade", "websocket")

# What the side that is not fuzzed asks of an answer.
WEBSOCKET_KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
WEBSOCKET_ACCEPT: Final = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="  # of that key (RFC 6455 1.3)


@dataclass(frozen=True)
class Case:
    """One input: `octets` come from the client (REQUESTS) or from the server (ANSWER)."""

    side: str
    octets: bytes
    is_indirect: bool = False  # requests: the cookie is cut out on the way
    method: str = "GET"  # answers: of the request
    version: str = "1.1"
    upgrade: str = ""  # answers: what the request asks for
    has_upload: bool = False  # answers: they come in the middle of the request's body
    was_orderly: bool = True  # answers: the server closes at the end, or resets
    wanted: str = ""  # what has to come of it; "" where nothing is said

    def words(self) -> str:
        """The first line of its file."""
        if self.side == REQUESTS:
            words = [REQUESTS, "indirect" if self.is_indirect else ""]
        else:
            words = [ANSWER, self.method, self.version, self.upgrade]
            words += ["upload" if self.has_upload else "", "" if self.was_orderly else "reset"]
        return " ".join(word for word in [*words, f"={self.wanted}" if self.wanted else ""] if word)

    def with_octets(self, octets: bytes) -> "Case":
        """The same with other octets, of which nothing is known."""
        return replace(self, octets=octets, wanted="")

    def name(self) -> str:
        """A name for its file, from its content."""
        return f"{self.side}-{sha256(written(self)).hexdigest()[:12]}"


def written(case: Case) -> bytes:
    """The content of the case's file."""
    return case.words().encode() + b"\n" + case.octets


def read(content: bytes) -> Case:
    """The case in the content of a file. ValueError on a first line that says nothing known."""
    line, _, octets = content.partition(b"\n")
    side, *words = line.decode().split()
    wanted = words.pop()[1:] if words and words[-1].startswith("=") else ""
    if side == REQUESTS and set(words) <= {"indirect"}:
        return Case(REQUESTS, octets, is_indirect=bool(words), wanted=wanted)
    known = {*METHODS, *VERSIONS, *UPGRADES, "upload", "reset"}
    if side != ANSWER or len(words) < 2 or not set(words) <= known:
        raise ValueError(f"expects 'requests [indirect]' or 'answer METHOD VERSION ...' (got {line!r})")
    upgrade = next((word for word in words if word in UPGRADES), "")
    return Case(ANSWER, octets, False, words[0], words[1], upgrade, "upload" in words, "reset" not in words, wanted)


def corpus() -> list[tuple[str, Case]]:
    """Every kept case with its file's name, in the order of names."""
    return [(path.name, read(path.read_bytes())) for path in sorted(CORPUS.iterdir()) if path.is_file()]


def keep(case: Case, prefix: str) -> Path:
    """Writes the case into the corpus; its path."""
    CORPUS.mkdir(exist_ok=True)
    path = CORPUS / f"{prefix}-{case.name()}"
    path.write_bytes(written(case))
    return path
