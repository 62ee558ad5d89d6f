"""A bounded run of the soak: tens of thousands of exchanges with servers and clients that break off at every point.

`make soak` is the long one. What is proved is the same: nothing is processed twice, every answer belongs to its request, every
request has one line in the log with the flags of its fault, no descriptor and no memory is left behind.
"""

from counting import FAULTS
from running import BALANCER
from soak import LEFT_BEFORE, LEFT_IN_ANSWER, LEFT_IN_BODY, soak

EXCHANGES = 30_000
SECONDS = 30.0


def test_nothing_is_processed_twice_mixed_up_or_left_behind() -> None:
    figures = soak(list(BALANCER), EXCHANGES, SECONDS)
    print(figures.text())  # pytest shows it where something is wrong
    assert figures.faults() == []
    assert figures.exchanges > EXCHANGES // 10
    assert set(figures.tally.faults) == set(FAULTS)
    # The clients themselves have met each kind of end.
    ends = {"200", "502", "504", "413", "400", "cut", LEFT_IN_BODY, LEFT_BEFORE, LEFT_IN_ANSWER}
    assert ends <= set(figures.tally.outcomes)
