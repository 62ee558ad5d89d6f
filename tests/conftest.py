"""What every test may ask for, and the refusal to test the wrong thing.

What is tested is what is installed. `BALANCER_FORM` says which form that has to be: `compiled`, `pure`, or `source`, the
checkout itself by way of PYTHONPATH for a quick look. Without it the installed form is taken as it comes; the checkout is
taken only when PYTHONPATH names it, and the heading of the run says so. Anything else stops the run before the first test.
"""

import os
import signal
from collections.abc import Callable

import pytest
from peers import require_peer as require
from subject import SubjectError, describe_subject


def pytest_configure() -> None:
    """Stops the run when another form than the expected one would be tested."""
    try:
        describe_subject(os.environ)
    except SubjectError as refusal:
        raise pytest.UsageError(str(refusal)) from None


def pytest_report_header() -> str:
    """Names the form in the heading of the run."""
    return f"balancer under test: {describe_subject(os.environ)}"


# Whoever starts the tests in the background of a shell has SIGINT ignored, and so would every program that they start; one that
# is handled here is the default there.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def require_peer() -> Callable[[str], str]:
    """`require_peer("apache2")` gives that program's path, or skips the test; see `peers.py`."""
    return require
