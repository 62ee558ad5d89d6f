"""A rule whose test is named, because it wants more than one conversation."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """One rule, and the test that shows it: `FILE::NAME` below tests/."""

    rule: str
    section: str
    does: str
    test: str
