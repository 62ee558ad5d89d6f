"""What both command lines share: numbers as arguments, exit statuses."""

import argparse
from typing import Final

FINE: Final = 0
FAILED: Final = 1
INTERRUPTED: Final = 130


def positive(word: str) -> int:
    """A whole number above 0."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expects a positive number (got {word})")
    return number


def not_negative(word: str) -> float:
    """A number of seconds or the like."""
    number = float(word)
    if not 0.0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"expects a number that is not negative (got {word})")
    return number


def seconds(word: str) -> float:
    """A time that is more than none."""
    number = not_negative(word)
    if not number:
        raise argparse.ArgumentTypeError(f"expects more than no time (got {word})")
    return number
