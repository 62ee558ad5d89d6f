"""The document of the log holds what the tables hold."""

from pathlib import Path

import pytest

from balancer.config.logdocument import renewed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "log.md"


def test_the_tables_of_the_log_are_not_stale() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text), "python -m balancer.config.logdocument docs/log.md"


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="expects '<!-- begin"):
        renewed("# The log\n")
