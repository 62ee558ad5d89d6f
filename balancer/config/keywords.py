"""The form of the table of keywords, and how a statement finds its row.

A keyword is one row, beside the function that does it; a keyword that HAProxy knows and we do not do is one word of a group
in `known`. Rows of several words ("option redispatch", "timeout client") are found before rows of their first word alone.
Every row says in which sections it may stand and what becomes of it, so that a typing error, a misplaced keyword and one
that is not supported yet are told apart.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

Draft = TypeVar("Draft")

# What becomes of a keyword.
WORKS: Final = "works"
NO_EFFECT: Final = "no effect"  # it only tunes: a warning
REFUSED: Final = "refused"  # ignoring it would change what is served or who is let in: an error
GONE: Final = "gone"  # older versions had it, HAProxy 2.6 refuses it itself: an error

# Where a keyword may stand. Letters, because most may stand in several sections.
SECTIONS: Final[dict[str, str]] = {"G": "global", "D": "defaults", "F": "frontend", "L": "listen", "B": "backend"}
# Keywords within a line have letters of their own: b for 'bind', s for 'server', t for 'stats socket'.

# How alike two words must be for one to be taken for the other mistyped.
LIKENESS_MIN: Final = 0.7


@dataclass(frozen=True)
class Keyword(Generic[Draft]):
    """One row. `apply` takes the draft of the section (or line) and the statement, and is None unless the fate is WORKS."""

    words: str
    sections: str
    fate: str
    text: str  # what it does, or what to do instead
    apply: Callable[[Draft, Any], None] | None = None
    can_negate: bool = False
    modern: str = ""  # the modern form of an old word that works: using it gives a notice
    value_count: int = 0  # within a line: how many words belong to it


def works(
    words: str,
    sections: str,
    text: str,
    apply: Callable[[Draft, Any], None],
    can_negate: bool = False,
    modern: str = "",
    value_count: int = 0,
) -> Keyword[Draft]:
    """A row of a keyword that works."""
    return Keyword(words, sections, WORKS, text, apply, can_negate, modern, value_count)


class Table(Generic[Draft]):
    """The rows of one kind of draft, by their words."""

    def __init__(self, rows: Iterable[Keyword[Draft]]) -> None:
        self.rows: dict[str, Keyword[Draft]] = {}
        for row in rows:
            assert row.words not in self.rows, row.words
            self.rows[row.words] = row

    def find(self, words: Sequence[str]) -> Keyword[Draft] | None:
        """The row of the longest keyword that these words begin with."""
        for count in (3, 2, 1):
            row = self.rows.get(" ".join(words[:count])) if len(words) >= count else None
            if row is not None:
                return row
        return None

    def second_words(self, first: str) -> list[str]:
        """What may follow a first word that is a family: the options, the timeouts."""
        family = (row.words for row in self.rows.values() if row.words.startswith(first + " ") and not row.modern)
        return sorted(words.split(" ")[1] for words in family)

    def nearest(self, words: Sequence[str], section: str) -> str:
        """The keyword of this section that was probably meant; "" where none is near."""
        here = [row.words for row in self.rows.values() if section in row.sections]
        return nearest(" ".join(words[:2]), here) or nearest(words[0], here)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """The candidate that is most like the word; "" where none is near."""
    found = difflib.get_close_matches(word[:64], list(candidates), 1, LIKENESS_MIN)
    return found[0] if found else ""


def suggestion(near: str) -> str:
    """The end of a message about an unknown word."""
    return f"; did you mean '{near}' maybe ?" if near else ""
