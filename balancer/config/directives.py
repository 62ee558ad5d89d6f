"""Lines that begin with a dot: blocks that count only under a condition, and messages to whoever reads the file.

`.if`, `.elif`, `.else`, `.endif` nest up to NESTED_MAX deep; of the branches of a block the first whose condition holds
counts. A branch that does not count is still cut into words, and its conditions are not looked at. Where HAProxy stops
reading at a mistake, here reading goes on: a block whose condition cannot be read is passed over as a whole, so that no
mistake in the rest of the file is hidden and none is made up.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from balancer.config.conditions import ConditionError, evaluate
from balancer.config.environment import Environment
from balancer.config.findings import ALERT, DIAG, NOTICE, WARNING, Finding, Report
from balancer.config.reader import Line
from balancer.config.splitting import excerpt
from balancer.model import Origin

NESTED_MAX: Final = 100
MESSAGES: Final[dict[str, str]] = {".notice": NOTICE, ".warning": WARNING, ".alert": ALERT, ".diag": DIAG}


class Branch(Enum):
    """What the branch that is being read is to its block."""

    TAKEN = "taken"
    WAITS = "waits"  # no branch of the block has counted yet
    DONE = "done"  # one has counted, no other will


@dataclass
class _Block:
    branch: Branch
    has_else: bool = False


@dataclass
class Directives:
    """The blocks of one file that are open, innermost last."""

    environment: Environment
    report: Report
    blocks: list[_Block] = field(default_factory=list)

    def counts(self) -> bool:
        """Whether ordinary lines count here."""
        return all(block.branch is Branch.TAKEN for block in self.blocks)

    def take(self, line: Line) -> bool:
        """Takes a line if it is a directive, or in a branch that does not count; False: the line is for the section."""
        word = line.words[0]
        blocks = {".if": self._if, ".elif": self._elif, ".else": self._else, ".endif": self._endif}
        if word in blocks:
            blocks[word](line)
        elif not self.counts():
            return True
        elif word in MESSAGES:
            self._tell(line)
        elif word.startswith("."):
            self.report.lexical(line.origin, f"unknown directive '{word}'.")
        else:
            return False
        return True

    def end(self, file: str, last_line: int) -> None:
        """The file ends; every block must have ended, too."""
        if self.blocks:
            self.report.lexical(Origin(file, last_line), "non-terminated '.if' block.")

    def _if(self, line: Line) -> None:
        if len(self.blocks) == NESTED_MAX - 1:
            self.report.lexical(line.origin, f"too many nested '.if', max is {NESTED_MAX}.")
        # A block inside of one that does not count has no branch that does.
        self.blocks.append(_Block(self._branch(line) if self.counts() else Branch.DONE))

    def _elif(self, line: Line) -> None:
        if not self.blocks:
            self.report.lexical(line.origin, "lone '.elif' with no matching '.if'.")
            return
        block = self.blocks[-1]
        if block.has_else:
            self.report.lexical(line.origin, "'.elif' after '.else' is not permitted.")
            block.branch = Branch.DONE
            return
        block.branch = self._branch(line) if block.branch is Branch.WAITS else Branch.DONE

    def _else(self, line: Line) -> None:
        self._refuse_arguments(line)
        if not self.blocks:
            self.report.lexical(line.origin, "lone '.else' with no matching '.if'.")
            return
        block = self.blocks[-1]
        if block.has_else:
            self.report.lexical(line.origin, "'.else' after '.else' is not permitted.")
        block.branch = Branch.TAKEN if block.branch is Branch.WAITS and not block.has_else else Branch.DONE
        block.has_else = True

    def _endif(self, line: Line) -> None:
        self._refuse_arguments(line)
        if not self.blocks:
            self.report.lexical(line.origin, "lone '.endif' with no matching '.if'.")
            return
        self.blocks.pop()

    def _branch(self, line: Line) -> Branch:
        """What the condition of `.if` or `.elif` makes of the lines behind it; DONE where it cannot be read."""
        word, text = line.words[0], " ".join(line.words[1:])
        try:
            return Branch.TAKEN if evaluate(text, self.environment.variables) else Branch.WAITS
        except ConditionError as error:
            shown, caret = excerpt(f"{word} {text}", error.position + len(word) + 1).split("\n")
            self.report.lexical(line.origin, f"{error} in '{word}' at position {error.position}:\n{shown}\n{caret}")
            return Branch.DONE

    def _refuse_arguments(self, line: Line) -> None:
        if len(line.words) > 1:
            self.report.lexical(line.origin, f"Unexpected argument '{line.words[1]}' for '{line.words[0]}'.")

    def _tell(self, line: Line) -> None:
        if len(line.words) > 2:
            text = (
                f"Unexpected argument '{line.words[2]}' for '{line.words[0]}'. Use quotes if the message should contain spaces."
            )
            self.report.lexical(line.origin, text)
            return
        text = line.words[1] if len(line.words) > 1 else ""
        self.report.add(Finding(MESSAGES[line.words[0]], line.origin, f"'{text}'.", is_lexical=True))
