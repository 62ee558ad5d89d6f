"""The options of one line: `bind`, `server`, `default-server` and `stats socket` are followed by keywords of their own.

Every option is applied for itself, so that a line with three mistakes is reported three times. An option that is known and
not supported is passed over together with its values, so that a value is never taken for a keyword.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeVar

from balancer.config.findings import Refusal
from balancer.config.keywords import NO_EFFECT, REFUSED, Keyword, Table, nearest, suggestion
from balancer.config.statement import Statement

Draft = TypeVar("Draft")
# Words without effect that HAProxy takes without their value.
MAY_BE_BARE: Final = ("init-addr", "resolve-opts")


def apply_options(
    table: Table[Draft],
    draft: Draft,
    statement: Statement,
    subject: str,
    words: Sequence[str],
) -> None:
    """Applies the words to the draft; every refusal is reported."""
    left = list(words)
    while left:
        word = left.pop(0)
        row = table.rows.get(word)
        if row is None:
            near = suggestion(nearest(word, table.rows))
            statement.report.alert(statement.origin, f"{subject} : unknown keyword '{word}'{near}")
            # Its value, if it has one, cannot be told from the next keyword; unless it is one, it is passed over.
            if left and left[0] not in table.rows and near:
                left.pop(0)
            continue
        values, left = tuple(left[: row.value_count]), left[row.value_count :]
        _apply(row, draft, replace(statement, keyword=word, arguments=values), subject)


def _apply(row: Keyword[Draft], draft: Draft, statement: Statement, subject: str) -> None:
    if row.fate == REFUSED:
        statement.report.alert(
            statement.origin, f"{subject} : '{row.words}' is known to HAProxy and not supported yet{_tail(row)}"
        )
        return
    if row.fate == NO_EFFECT:
        if len(statement.arguments) < row.value_count and row.words not in MAY_BE_BARE:
            statement.report.alert(statement.origin, f"{subject} : '{row.words}' : missing value.")
            return
        statement.warn(f"{subject} : '{row.words}' is known to HAProxy and has no effect here{_tail(row)}")
        return
    assert row.apply is not None
    try:
        row.apply(draft, statement)
    except Refusal as refusal:
        statement.report.alert(statement.origin, f"{subject} : {refusal}")


def _tail(row: Keyword[Draft]) -> str:
    return f" : {row.text}" if row.text else ""
