"""One server: its state, its slots, its health and what it has counted.

`served` is the number of requests that hold a slot; a request takes one when it is assigned and gives it back exactly once.
Health is HAProxy's single counter: 0 to rise-1 is DOWN, rise to rise+fall-1 is UP; a new server starts at rise, so its
first failed check downs it. The operational state follows from it: STOPPED, RUNNING, STARTING while `slowstart` gives it
more and more, STOPPING after a check that passed conditionally (NOLB: nobody new, but those who are bound to it). A server
that tracks another has no health of its own and follows the other's moves. The administrative state (maintenance) stands
above all of it; it is made of bits, since a server can be out by command and because the one that it tracks is out. A server
that is draining serves those who are bound to it and nobody new, whatever its weight.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from mypy_extensions import mypyc_attr

from balancer import model
from balancer.backend.counters import Counters
from balancer.backend.pool import Pool
from balancer.backend.queue import Queue
from balancer.backend.verdicts import FAILED, INITIAL, PASSED, PASSED_CONDITIONALLY, Verdict

if TYPE_CHECKING:
    from balancer.backend.backend import Backend

# Administrative states: bits, HAProxy's numbers.
READY: Final = 0
MAINT: Final = 1  # by the file or by command
MAINT_VIA: Final = 2  # the tracked server is in maintenance
DRAIN: Final = 8  # by command
DRAIN_VIA: Final = 16  # the tracked server is draining
ANY_MAINT: Final = MAINT | MAINT_VIA
ANY_DRAIN: Final = DRAIN | DRAIN_VIA

# Operational states, HAProxy's numbers.
STOPPED: Final = 0
STARTING: Final = 1
RUNNING: Final = 2
STOPPING: Final = 3

# Weights are scaled so that a small one can grow in steps as well.
WEIGHT_SCALE: Final = 16

# What `observe` looks at.
OBSERVES_NOTHING: Final = 0
OBSERVES_LAYER4: Final = 1
OBSERVES_LAYER7: Final = 2
OBSERVED: Final[dict[str, int]] = {"": OBSERVES_NOTHING, "layer4": OBSERVES_LAYER4, "layer7": OBSERVES_LAYER7}

# Kept connections per server: enough for one per busy client of an image, small beside the descriptor limit.
POOL_SIZE_MAX: Final = 256
# How long a server connection is kept without a request, unless `pool-purge-delay` says so.
POOL_IDLE_S: Final = 300.0


@mypyc_attr(allow_interpreted_subclasses=True)
class Observer:
    """Who hears what visitors meet at a server with `observe`."""

    def saw(self, server: "Server", sight: int) -> None:
        """One event, a number of `balancer.backend.analysis`."""
        raise AssertionError("the checks of the farm listen")


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
        self.state: int = RUNNING
        self.keeps_weight: bool = False  # the algorithm is static: `slowstart` only limits its slots
        self.warm_step: int = WEIGHT_SCALE  # of WEIGHT_SCALE: how much of its weight it has while it is STARTING
        self.tracked: Server | None = None
        self.trackers: list[tuple[Backend, Server]] = []
        self.observes: int = OBSERVED[config.observe] if config.check else OBSERVES_NOTHING
        self.observer: Observer | None = None
        self.errors_in_a_row: int = 0
        self.analyses_failed: int = 0  # hanafail
        self.minconn: int = config.minconn  # 0: maxconn does not depend on the load
        self.warm_percent: int = 100  # of its slots, while it is STARTING
        self.slots_max: int = config.maxconn  # maxconn, or less of it while STARTING or under little load
        self.served: int = 0
        self.counters = Counters()
        self.queue = Queue()
        size_max = POOL_SIZE_MAX if config.pool_size_max < 0 else config.pool_size_max
        self.pool = Pool(size_max if config.pool_purge_delay_s else 0, config.reuse_max)
        self.pool_idle_s: float = POOL_IDLE_S if config.pool_purge_delay_s < 0.0 else config.pool_purge_delay_s
        # What the check columns show.
        self.check_state: str = INITIAL
        self.check_code: int = 0
        self.check_duration_ms: int = -1
        self.check_info: str = "Initializing"
        self.check_is_running: bool = False
        self.checks_failed: int = 0  # chkfail
        self.transitions_down: int = 0  # UP to DOWN: chkdown
        self.changed_at: float = now
        self.downtime_s: float = 0.0
        self.last_session_at: float = -1.0

    def __repr__(self) -> str:
        return f"<Server {self.backend_name}/{self.name} {self.status_text()} served={self.served} queue={self.queue.length}>"

    def is_in_maintenance(self) -> bool:
        """Whether it is out, for whatever reason."""
        return self.admin_state & ANY_MAINT != 0

    def is_draining(self) -> bool:
        """Whether it only serves those who are bound to it, by command."""
        return self.admin_state & ANY_DRAIN != 0

    def is_up(self) -> bool:
        """Passing its checks, or not checked at all; maintenance is not up."""
        return self.admin_state & ANY_MAINT == 0 and self.state != STOPPED

    def is_usable(self) -> bool:
        """Whether a cookie that names this server is honoured."""
        return self.admin_state & ANY_MAINT == 0 and self.state != STOPPED

    def is_balanced(self) -> bool:
        """Whether new visitors may be sent here."""
        return self.weight > 0 and self.admin_state == READY and (self.state == RUNNING or self.state == STARTING)

    def scaled_weight(self) -> int:
        """Its share of the new visitors now, times WEIGHT_SCALE; less than its weight while it is STARTING."""
        return self.weight * self.warm_step

    def effective_weight(self) -> int:
        """The share as the statistics show it, rounded up."""
        return (self.weight * self.warm_step + WEIGHT_SCALE - 1) // WEIGHT_SCALE

    def throttle(self) -> int:
        """How many percent of its weight it has while it is STARTING, -1 otherwise."""
        if self.state != STARTING:
            return -1
        return (100 * self.scaled_weight() + WEIGHT_SCALE - 1) // (WEIGHT_SCALE * self.weight) if self.weight else 100

    def has_slot(self) -> bool:
        """Whether one more request may be served at once."""
        return self.slots_max == 0 or self.served < self.slots_max

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

    def reference(self) -> "Server":
        """Whose check tells this server's health: its own, or that at the end of the chain of `track`."""
        server = self
        while server.tracked is not None:
            server = server.tracked
        return server

    def status_text(self) -> str:
        """The word that HAProxy's statistics show for this state; a weight of 0 is none of its own, unlike a forced drain."""
        if self.admin_state & MAINT_VIA and self.tracked is not None:
            return f"MAINT (via {self.tracked.backend_name}/{self.tracked.name})"
        if self.is_in_maintenance():
            return "MAINT"
        reference = self.reference()
        if self.is_draining() and self.state != STOPPED:
            return reference.health_text("DRAIN", "DRAIN") if reference.is_checked else "DRAIN"
        if not reference.is_checked:
            return {STOPPED: "DOWN", STOPPING: "NOLB"}.get(self.state, "no check")
        return reference.health_text("no check")

    def health_text(self, unchecked: str, running: str = "UP") -> str:
        """UP (`running`), NOLB or DOWN, with the count of checks on the way up or down."""
        if not self.is_checked:
            return unchecked
        if self.state == STOPPED:
            return f"DOWN {self.health}/{self.rise_count}" if self.health else "DOWN"
        word = "NOLB" if self.state == STOPPING and running == "UP" else running
        passed = self.health - self.rise_count + 1
        return word if passed == self.fall_count else f"{word} {passed}/{self.fall_count}"

    def keep_verdict(self, verdict: Verdict, duration_ms: int) -> None:
        """What the check columns show from now on."""
        self.check_state = verdict.name
        self.check_code = verdict.code
        self.check_info = verdict.info
        self.check_duration_ms = duration_ms

    def count_passed(self) -> bool:
        """Counts a good check; True when there was something to count."""
        self.errors_in_a_row = 0
        full = self.rise_count + self.fall_count - 1
        if self.health >= full:
            return False
        self.health += 1
        if self.health >= self.rise_count:
            self.health = full
        return True

    def count_failed(self) -> bool:
        """Counts a bad check; True when there was something to count."""
        if self.health == 0:
            return False
        self.checks_failed += 1
        self.health -= 1
        if self.health < self.rise_count:
            self.health = 0
        return True

    def become(self, state: int) -> bool:
        """Moves to an operational state; False where it is in it already, or a running one is to run."""
        if state == self.state or (state == RUNNING and self.state == STARTING):
            return False
        if state == RUNNING and self.config.slowstart_s and self.state != STARTING:
            state = STARTING
        self.state = state
        self.warm_step = WEIGHT_SCALE
        self.warm_percent = 100
        self.slots_max = self.maxconn
        if state == STARTING:
            self.warm_up(0)
        return True

    def settle(self, result: int) -> bool:
        """Moves to the state that a counted result leads to; True when that is another one."""
        if result == FAILED:
            return self.health == 0 and self.become(STOPPED)
        return self.health >= self.rise_count and self.become(STOPPING if result == PASSED_CONDITIONALLY else RUNNING)

    def check_passed(self) -> bool:
        """A good check and what follows from it; True when this changed the state."""
        self.count_passed()
        return self.settle(PASSED)

    def check_failed(self) -> bool:
        """A bad check and what follows from it; True when this changed the state."""
        self.count_failed()
        return self.settle(FAILED)

    def warm_up(self, since_s: int) -> bool:
        """The share that a STARTING server has after so many whole seconds; True when it has come to its whole weight."""
        slowstart_s = max(1, int(self.config.slowstart_s + 0.999))
        if since_s >= slowstart_s:
            self.state = RUNNING
            self.warm_step = WEIGHT_SCALE
            self.warm_percent = 100
            self.slots_max = self.maxconn
            return True
        if not self.keeps_weight:
            self.warm_step = (WEIGHT_SCALE * since_s + slowstart_s) // slowstart_s
        self.warm_percent = 100 * since_s // slowstart_s
        if self.maxconn:
            self.slots_max = max(1, self.maxconn * self.warm_percent // 100)
        return False

    def fit(self, load: int, load_full: int) -> None:
        """`minconn`: the slots that it has while its backend serves `load` of the `load_full` sessions of `fullconn`."""
        slots = self.maxconn if load >= load_full else max(self.minconn, load * self.maxconn // load_full)
        self.slots_max = slots if self.warm_percent == 100 else max(1, slots * self.warm_percent // 100)

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

    def health_commanded(self, state: int) -> bool:
        """An operator says how the server is, and the count of checks goes on from there; True when that is another state."""
        self.health = 0 if state == STOPPED else self.rise_count + self.fall_count - 1
        return not self.is_in_maintenance() and self.become(state)

    def is_check_configured(self) -> bool:
        """Whether the file has a check for it, switched off or not."""
        return self.config.check

    def pause_checks(self) -> None:
        """No check from now on; the state stays as it is."""
        self.is_checked = False

    def resume_checks(self) -> None:
        """The checks of the file go on."""
        assert self.config.check
        self.is_checked = True

    def move_to(self, host: str, port: int, is_ipv6: bool) -> None:
        """Another address from now on; kept connections to the old one are closed, requests under way end there."""
        self.config = replace(self.config, host=host, port=port, is_ipv6=is_ipv6)
        self.pool.close()

    def check_at(self, host: str, port: int, is_ipv6: bool) -> None:
        """Another address for the checks: "" and 0 for the server's own."""
        self.config = replace(self.config, check_host=host, check_port=port, check_is_ipv6=is_ipv6)

    def limit_slots(self, maxconn: int) -> None:
        """Another `maxconn`; 0 for none."""
        self.maxconn = maxconn
        self.slots_max = maxconn
        if self.state == STARTING and maxconn:
            self.slots_max = max(1, maxconn * self.warm_step // WEIGHT_SCALE)

    def state_changed(self, now: float, was_up: bool) -> None:
        """Keeps the sums of downtime at a transition."""
        if not was_up:
            self.downtime_s += now - self.changed_at
        self.changed_at = now

    def change_at(self, now: float) -> None:
        """A change that keeps it up, or down: only its time is told."""
        if not self.is_up():
            self.downtime_s += now - self.changed_at
        self.changed_at = now

    def downtime_at(self, now: float) -> float:
        """Seconds spent not UP, the present stretch included."""
        return self.downtime_s + (0.0 if self.is_up() else now - self.changed_at)
