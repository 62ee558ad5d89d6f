"""docs/keywords.md says what the tables say."""

from pathlib import Path

from balancer.config import document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "keywords.md"


def test_the_page_of_keywords_is_not_stale() -> None:
    stale = "docs/keywords.md is stale: run python -m balancer.config.document docs/keywords.md"
    assert PAGE.read_text(encoding="utf-8") == document.page(), stale


def test_writing_the_page_gives_the_page(tmp_path: Path) -> None:
    assert document.main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == document.page()
