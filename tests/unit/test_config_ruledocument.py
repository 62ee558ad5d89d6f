"""docs/rules.md says what the tables say."""

from pathlib import Path

from balancer.config.ruledocument import page

PAGE = Path(__file__).resolve().parents[2] / "docs" / "rules.md"


def test_the_page_of_rules_is_not_stale() -> None:
    stale = "docs/rules.md is stale: run python -m balancer.config.ruledocument docs/rules.md"
    assert PAGE.read_text(encoding="utf-8") == page(), stale
