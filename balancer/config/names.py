"""The names that sections and servers may have."""

from typing import Final

from balancer.config.findings import Refusal

# HAProxy's own set: names appear in the log, in CSV and in commands, where blanks, commas and slashes part things.
NAME: Final = frozenset("-_.:0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")


def check_name(kind: str, name: str) -> None:
    """Refuses a name with a character that HAProxy does not take."""
    for char in name:
        if char not in NAME:
            raise Refusal(
                f"character '{char}' is not permitted in '{kind}' name '{name}' (letters, digits, '-', '_', '.' and ':' are)"
            )
