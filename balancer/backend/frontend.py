"""One frontend: who is connected, and what it has counted.

It is OPEN, PAUSED (by command: whoever connects is refused, whoever is connected goes on) or STOPPED for good.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from balancer import model
from balancer.backend.captures import Capture
from balancer.backend.counters import Counters

OPEN: Final = "OPEN"
PAUSED: Final = "PAUSED"
STOPPED: Final = "STOP"


@mypyc_attr(allow_interpreted_subclasses=True)
class Entrance:
    """The listening sockets of a process as an operator sees them: the worker gives each frontend one of these."""

    def pause(self, frontend: "Frontend") -> None:
        """Refuses whoever connects from now on."""
        raise AssertionError("the worker knows its listeners")

    def resume(self, frontend: "Frontend") -> None:
        """Accepts again. Raises OSError where an address cannot be listened on any more."""
        raise AssertionError("the worker knows its listeners")

    def shut(self, frontend: "Frontend") -> None:
        """Gives the addresses back, for good."""
        raise AssertionError("the worker knows its listeners")

    def limits_changed(self) -> None:
        """There may be room for those who wait."""
        raise AssertionError("the worker knows its listeners")


class Listening:
    """One address of a frontend with `option socket-stats`, and what has come in there. `maxconn` 0: no bound of its own."""

    def __init__(self, name: str, number: int, maxconn: int, address: str) -> None:
        self.name = name
        self.number = number
        self.maxconn = maxconn
        self.address = address
        self.counters = Counters()

    def status_text(self) -> str:
        """OPEN, or FULL at its own maxconn."""
        return "FULL" if 0 < self.maxconn <= self.counters.sessions_cur else OPEN


class Frontend:
    """The living side of a `frontend` section or of the clients' half of a `listen`."""

    def __init__(self, config: model.Frontend, maxconn: int) -> None:
        self.config = config
        self.name: str = config.name
        self.number: int = config.number
        self.maxconn = maxconn
        self.counters = Counters()
        self.state: str = STOPPED if config.disabled else OPEN
        self.bad_request: Capture | None = None  # the last one that was no HTTP
        self.entrance: Entrance | None = None  # the worker's, once there is one
        self.listening: list[Listening] = []  # its addresses, where each counts for itself
        self.session_rate_max: int = config.session_rate_max  # `rate-limit sessions`; 0: no limit

    def __repr__(self) -> str:
        return f"<Frontend {self.name} {self.status_text()} {self.counters.sessions_cur}/{self.maxconn}>"

    @property
    def is_stopped(self) -> bool:
        """Whether it will never accept again."""
        return self.state == STOPPED

    def is_too_fast(self, now: float) -> bool:
        """Whether as many connections as `rate-limit sessions` allows have come within the last second."""
        return 0 < self.session_rate_max <= self.counters.connection_rate.rate(now)

    def kind(self) -> str:
        """How event lines name it: a `listen` section is a proxy."""
        return "proxy" if self.config.is_listen else "frontend"

    def status_text(self) -> str:
        """OPEN, also at its maxconn as HAProxy 2.6 has it, PAUSED, or STOP."""
        return self.state

    def move_to(self, state: str) -> None:
        """OPEN and PAUSED may follow each other; STOPPED is the end. Raises OSError, and then changes nothing."""
        assert self.state != STOPPED
        if self.entrance is not None:
            if state == OPEN:
                self.entrance.resume(self)
            elif state == PAUSED:
                self.entrance.pause(self)
            else:
                self.entrance.shut(self)
        self.state = state

    def limit_sessions(self, maxconn: int) -> None:
        """Another `maxconn`; connections beyond a lower one stay."""
        self.maxconn = maxconn
        if self.entrance is not None:
            self.entrance.limits_changed()
