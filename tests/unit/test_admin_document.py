"""The pages that are made from tables say what the tables say."""

from pathlib import Path

import pytest

from balancer.admin.document import PAGES, main

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_the_page_is_fresh(name: str) -> None:
    assert (DOCS / f"{name}.md").read_text(encoding="utf-8") == PAGES[name]()


def test_an_unknown_page_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["poems"]) == 1
    assert "statistics|runtime" in capsys.readouterr().err
