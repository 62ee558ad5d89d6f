"""A farm of a thousand servers: no slice of a page takes the loop longer than the traffic may wait."""

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from observed import observed
from records import server_record

from balancer.admin.page import Page
from balancer.admin.pagequery import PageQuery
from balancer.model import Origin, StatsPage
from balancer.observe import metrics, stats
from balancer.observe.info import ProcessInfo

SERVERS: Final = 1000
# Processor time of this thread, so that a busy machine does not count; the best of some runs, so that the collector does not.
SLICE_S_MAX: Final = 0.005
RUNS: Final = 3


@pytest.fixture(scope="module")
def info() -> ProcessInfo:
    return observed(*(server_record(f"app{number}", cookie=b"c%d" % number, check=True) for number in range(SERVERS)))


FORMS: Final[dict[str, Callable[[ProcessInfo], Iterator[str]]]] = {
    "metrics": lambda info: metrics.pieces(info, ("global", "frontend", "backend", "server")),
    "page": lambda info: Page(info, StatsPage(Origin("", 0), shows_legends=True), "smalltalk", True).html(PageQuery()),
    "csv": lambda info: stats.csv_lines(Page(info, StatsPage(Origin("", 0)), "smalltalk", False).readings(PageQuery()), True),
    "json": lambda info: stats.json_parts(Page(info, StatsPage(Origin("", 0)), "smalltalk", False).readings(PageQuery()), True),
}


def longest_s(pieces: Iterator[str]) -> tuple[float, int]:
    """The dearest piece, and how many there were."""
    longest, count = 0.0, 0
    while True:
        begun = time.thread_time()
        piece = next(pieces, None)
        longest = max(longest, time.thread_time() - begun)
        if piece is None:
            return longest, count
        count += 1


@pytest.mark.parametrize("form", FORMS)
def test_no_piece_of_a_large_farm_holds_the_loop(info: ProcessInfo, form: str) -> None:
    found = [longest_s(FORMS[form](info)) for _ in range(RUNS)]
    assert all(count >= SERVERS // 2 for _, count in found)
    assert min(longest for longest, _ in found) < SLICE_S_MAX, found
