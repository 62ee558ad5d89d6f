"""What the configuration has to say to the operator, and the form in which HAProxy would say it.

A finding is kept, never printed: the caller decides whether standard error, a test or an editor reads it. Findings keep the
order of their discovery. Whatever a file holds, a finding's text is printable: control characters and octets that are no
UTF-8 are escaped, so that a file cannot move the cursor of the terminal on which its mistakes are shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from balancer.model import Origin

ALERT: Final = "ALERT"
WARNING: Final = "WARNING"
NOTICE: Final = "NOTICE"
DIAG: Final = "DIAG"  # said with -dD alone


class Refusal(Exception):
    """A statement cannot be taken as it is; the text says what was expected and what was found."""


@dataclass(frozen=True)
class Finding:
    """One remark: its level, the place (None where no line is to blame) and the text without the place.

    What is wrong with a line before any keyword is looked at is lexical; HAProxy's form of those has one blank less.
    """

    level: str
    origin: Origin | None
    text: str
    is_lexical: bool = False

    def __str__(self) -> str:
        """The text with its place, as it stands behind the label and the process id."""
        colon = ":" if self.is_lexical else " :"
        place = f"parsing [{self.origin}]{colon} " if self.origin is not None else ""
        return printable(f"config : {place}{self.text}")


@dataclass
class Report:
    """Collects the findings of one load."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, finding: Finding) -> None:
        """A finding that is already made."""
        self.findings.append(finding)

    def lexical(self, origin: Origin, text: str) -> None:
        """Something wrong with a line before its keyword is looked at; it makes the configuration invalid."""
        self.findings.append(Finding(ALERT, origin, text, is_lexical=True))

    def alert(self, origin: Origin | None, text: str) -> None:
        """Something that makes the configuration invalid."""
        self.findings.append(Finding(ALERT, origin, text))

    def warning(self, origin: Origin | None, text: str) -> None:
        """Something that works otherwise than one may think; `-dW` minds it."""
        self.findings.append(Finding(WARNING, origin, text))

    def notice(self, origin: Origin | None, text: str) -> None:
        """Something worth knowing; `-dW` does not mind it."""
        self.findings.append(Finding(NOTICE, origin, text))

    def has_errors(self) -> bool:
        """Whether anything was found that makes the configuration invalid."""
        return any(finding.level == ALERT for finding in self.findings)


def closing_lines(findings: Iterable[Finding]) -> list[str]:
    """The texts with which HAProxy ends a refusal, one for each file with errors and one for all; none without an error."""
    errors = [finding for finding in findings if finding.level == ALERT]
    if not errors:
        return []
    files = dict.fromkeys(finding.origin.file for finding in errors if finding.origin is not None)
    lines = [printable(f"config : Error(s) found in configuration file : {file}") for file in files]
    return [*lines, "config : Fatal errors found in configuration."]


def render(findings: Iterable[Finding], pid: int) -> str:
    """All findings and the closing lines as HAProxy writes them on standard error; further lines of one text behind a bar."""
    kept = list(findings)
    texts = [(finding.level, str(finding)) for finding in kept]
    texts += [(ALERT, line) for line in closing_lines(kept)]
    lines = []
    for level, text in texts:
        first, *others = text.split("\n")
        lines.append(f"{f'[{level}]':<10} ({pid}) : {first}\n")
        lines += [f"{further(other)}\n" for other in others]
    return "".join(lines)


def further(line: str) -> str:
    """A further line of a message: behind a bar, unless it shows a part of the file."""
    return line if line.startswith("  ") else f"   | {line}"


def printable(text: str) -> str:
    """The text with every control character but LF, and every octet that was no UTF-8, as an escape."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else _escape(ord(c)) for c in text)


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # an octet that surrogateescape kept
        code -= 0xDC00
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
