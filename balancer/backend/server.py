"""One server: its state, its slots, its health and what it has counted.

`served` is the number of requests that hold a slot; a request takes one when it is assigned and gives it back exactly once.
Health is HAProxy's single counter: 0 to rise-1 is DOWN, rise to rise+fall-1 is UP; a new server starts at rise, so its
first failed check downs it. The administrative state (maintenance) stands above health.
"""

from typing import Final

from balancer import model
from balancer.backend.counters import Counters
from balancer.backend.pool import Pool
from balancer.backend.queue import Queue

READY: Final = 0
MAINT: Final = 1

# Kept connections per server: enough for one per busy client of an image, small beside the descriptor limit.
POOL_SIZE_MAX: Final = 256


class Server:
    """The living side of one `server` line."""

    def __init__(self, config: model.Server, backend_name: str, now: float) -> None:
        self.config = config
        self.name: str = config.name
        self.number: int = config.number
        self.backend_name = backend_name
        self.cookie: bytes | None = config.cookie
        self.weight: int = config.weight
        self.maxconn: int = config.maxconn
        self.maxqueue: int = config.maxqueue
        self.is_backup: bool = config.backup
        self.admin_state: int = MAINT if config.disabled else READY
        self.is_checked: bool = config.check
        self.rise_count: int = config.rise_count
        self.fall_count: int = config.fall_count
        self.health: int = config.rise_count
        self.served: int = 0
        self.counters = Counters()
        self.queue = Queue()
        self.pool = Pool(POOL_SIZE_MAX)
        # What the check columns show.
        self.check_code: str = "INI"
        self.check_duration_ms: int = -1
        self.check_info: str = "Initializing"
        self.checks_failed: int = 0  # failures while UP: chkfail
        self.transitions_down: int = 0  # UP to DOWN: chkdown
        self.changed_at: float = now
        self.downtime_s: float = 0.0
        self.last_session_at: float = -1.0

    def __repr__(self) -> str:
        return f"<Server {self.backend_name}/{self.name} {self.status_text()} served={self.served} queue={self.queue.length}>"

    def is_up(self) -> bool:
        """Passing its checks, or not checked at all; maintenance is not up."""
        return self.admin_state == READY and self.health >= self.rise_count

    def is_usable(self) -> bool:
        """Whether a cookie that names this server is honoured."""
        return self.admin_state == READY and self.health >= self.rise_count

    def is_balanced(self) -> bool:
        """Whether new visitors may be sent here."""
        return self.weight > 0 and self.admin_state == READY and self.health >= self.rise_count

    def has_slot(self) -> bool:
        """Whether one more request may be served at once."""
        return self.maxconn == 0 or self.served < self.maxconn

    def is_queue_full(self) -> bool:
        """Whether a request that is bound to this server has to go elsewhere."""
        return self.maxqueue > 0 and self.queue.length >= self.maxqueue

    def take_slot(self, now: float) -> None:
        """One more request is being served here."""
        self.served += 1
        self.counters.session_begins(now)
        self.last_session_at = now

    def release_slot(self) -> None:
        """A request is done here; the backend offers the slot on."""
        assert self.served > 0
        self.served -= 1
        self.counters.session_ends()

    def status_text(self) -> str:
        """The word that HAProxy's statistics show for this state; a weight of 0 is none of its own, unlike a forced drain."""
        if self.admin_state == MAINT:
            return "MAINT"
        if not self.is_checked:
            return "no check"
        if self.health < self.rise_count:
            return f"DOWN {self.health}/{self.rise_count}" if self.health else "DOWN"
        passed = self.health - self.rise_count + 1
        return "UP" if passed == self.fall_count else f"UP {passed}/{self.fall_count}"

    def check_passed(self) -> bool:
        """Counts a good check; True when this brought the server UP."""
        full = self.rise_count + self.fall_count - 1
        if self.health >= full:
            return False
        self.health += 1
        came_up = self.health == self.rise_count
        if self.health >= self.rise_count:
            self.health = full
        return came_up

    def check_failed(self) -> bool:
        """Counts a bad check; True when this brought the server DOWN."""
        if self.health >= self.rise_count:
            self.checks_failed += 1
        if self.health > self.rise_count:
            self.health -= 1
            return False
        went_down = self.health == self.rise_count
        self.health = 0
        return went_down

    def check_interval_s(self) -> float:
        """The pause before the next check: inter, fastinter on the way up or down, downinter when DOWN."""
        config = self.config
        if self.health >= self.rise_count + self.fall_count - 1:
            return config.inter_s
        if self.health == 0 and config.downinter_s:
            return config.downinter_s
        if self.health != 0 and config.fastinter_s:
            return config.fastinter_s
        return config.inter_s

    def state_changed(self, now: float, was_up: bool) -> None:
        """Keeps the sums of downtime at a transition."""
        if not was_up:
            self.downtime_s += now - self.changed_at
        self.changed_at = now

    def downtime_at(self, now: float) -> float:
        """Seconds spent not UP, the present stretch included."""
        return self.downtime_s + (0.0 if self.is_up() else now - self.changed_at)
