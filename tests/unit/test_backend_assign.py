"""Who serves the next request and who waits: cookies, weights, backups, slots and queues of one backend."""

from typing import Any

import pytest
from records import KeptEvents, backend_record, images, living_backend, server_record

from balancer import model
from balancer.backend.backend import ASSIGNED, NO_ROOM, NO_SERVER, QUEUED, Backend, Request
from balancer.backend.server import MAINT, Server
from balancer.backend.transitions import announce


class FakeRequest(Request):
    """A request that remembers what it was told."""

    def __init__(self, bound_to: Server | None = None) -> None:
        super().__init__()
        self.bound_to = bound_to
        self.offered: list[Server] = []
        self.moved_at: list[float] = []

    def slot_offered(self, server: Server) -> None:
        """The wait is over."""
        self.offered.append(server)

    def moved(self, now: float) -> None:
        """Its server went down."""
        self.moved_at.append(now)


def assign(backend: Backend, bound_to: Server | None = None, now: float = 0.0) -> tuple[int, FakeRequest]:
    """One more request and what became of it."""
    request = FakeRequest(bound_to)
    return backend.assign(request, now), request


def names(backend: Backend, count: int) -> str:
    """The servers of the next requests without cookies."""
    found = []
    for _ in range(count):
        outcome, request = assign(backend)
        assert outcome == ASSIGNED
        assert request.server is not None
        found.append(request.server.name)
        backend.release(request, 0.0)
    return " ".join(found)


def goes(server: Server, backend: Backend, state: int = MAINT) -> None:
    """A server changes its state."""
    was_up = server.is_up()
    server.admin_state = state
    backend.server_changed(server, was_up, 1.0)


def named(backend: Backend, name: str) -> Server:
    """The server of that name."""
    server = backend.find_server(name)
    assert server is not None
    return server


# --- who serves --------------------------------------------------------------------------------------------------------


def test_ten_visitors_get_ten_images_in_order() -> None:
    assert names(living_backend(*images(10)), 11) == "app1 app2 app3 app4 app5 app6 app7 app8 app9 app10 app1"


def test_a_sticky_hit_does_not_move_the_order() -> None:
    backend = living_backend(*images(3))
    assert names(backend, 1) == "app1"
    for _ in range(5):
        outcome, request = assign(backend, named(backend, "app1"))
        assert (outcome, request.server) == (ASSIGNED, named(backend, "app1"))
    assert names(backend, 3) == "app2 app3 app1"
    assert [server.counters.selected for server in backend.servers] == [2, 1, 1]
    assert backend.counters.selected == 4


def test_weight_0_means_sticky_users_only() -> None:
    backend = living_backend(server_record("a", weight=0), server_record("b"))
    assert names(backend, 3) == "b b b"
    assert assign(backend, named(backend, "a"))[1].server is named(backend, "a")


def test_a_server_that_is_not_usable_or_just_failed_loses_its_user() -> None:
    backend = living_backend(*images(2))
    goes(named(backend, "app1"), backend)
    assert assign(backend, named(backend, "app1"))[1].server is named(backend, "app2")
    backend = living_backend(*images(2))
    request = FakeRequest(named(backend, "app1"))
    request.avoid = named(backend, "app1")
    assert backend.assign(request, 0.0) == ASSIGNED
    assert request.server is named(backend, "app2")


def test_only_the_first_usable_backup_serves_and_only_when_no_other_is_up() -> None:
    backend = living_backend(
        server_record("a"), server_record("x", backup=True), server_record("b"), server_record("y", backup=True)
    )
    assert names(backend, 4) == "a b a b"
    assert (backend.active_count(), backend.backup_count()) == (2, 2)
    goes(named(backend, "a"), backend)
    assert names(backend, 2) == "b b"
    goes(named(backend, "b"), backend)
    assert names(backend, 3) == "x x x"
    goes(named(backend, "x"), backend)
    assert names(backend, 2) == "y y"
    goes(named(backend, "b"), backend, 0)
    assert names(backend, 2) == "b b"


def test_a_cookie_that_names_a_backup_is_honoured() -> None:
    backend = living_backend(server_record("a"), server_record("x", backup=True))
    assert assign(backend, named(backend, "x"))[1].server is named(backend, "x")


@pytest.mark.parametrize("words", [{"disabled": True}, {"weight": 0}])
def test_no_server_is_said_at_once(words: dict[str, Any]) -> None:
    backend = living_backend(server_record("a", **words))
    outcome, request = assign(backend)
    assert (outcome, request.server, request.waits_in) == (NO_SERVER, None, None)
    assert backend.status_text() == "DOWN"
    assert living_backend().status_text() == "UP"


# --- slots and queues --------------------------------------------------------------------------------------------------


def test_beyond_maxconn_visitors_wait_for_the_backend_and_users_for_their_server() -> None:
    backend = living_backend(server_record("a", maxconn=1))
    server = named(backend, "a")
    outcome, first = assign(backend)
    assert outcome == ASSIGNED
    outcome, visitor = assign(backend, now=1.0)
    assert (outcome, visitor.waits_in) == (QUEUED, backend.queue)
    outcome, user = assign(backend, server, now=2.0)
    assert (outcome, user.waits_in) == (QUEUED, server.queue)
    assert (backend.counters.queue_cur, server.counters.queue_cur, server.served) == (1, 1, 1)
    backend.release(first, 3.0)
    assert (visitor.offered, user.offered) == ([server], [])
    assert (visitor.server, visitor.backend_queue_position, visitor.server_queue_position) == (server, 1, 0)
    backend.release(visitor, 4.0)
    assert (user.offered, user.server_queue_position) == ([server], 1)
    backend.release(user, 5.0)
    assert (server.served, backend.queue.length, server.queue.length) == (0, 0, 0)
    assert (backend.counters.queue_cur, server.counters.queue_cur) == (0, 0)
    assert (backend.counters.queue_max, server.counters.queue_max) == (1, 1)


def test_who_has_waited_longer_goes_first_whichever_queue() -> None:
    backend = living_backend(server_record("a", maxconn=1))
    server = named(backend, "a")
    _, holder = assign(backend)
    waiting = [assign(backend, server if n % 2 else None, now=float(n))[1] for n in range(6)]
    for expected in waiting:
        backend.release(holder, 10.0)
        assert [each for each in waiting if each.server is server] == [expected]
        holder = expected


def test_a_full_queue_refuses_its_user() -> None:
    backend = living_backend(server_record("a", maxconn=1, maxqueue=1), server_record("b"))
    server = named(backend, "a")
    assign(backend, server)
    assign(backend, server)
    outcome, request = assign(backend, server)
    assert (outcome, request.server, request.waits_for) == (NO_ROOM, None, server)
    assert (server.counters.redispatches, backend.counters.redispatches) == (0, 0)


def test_with_redispatch_a_full_queue_sends_its_user_elsewhere() -> None:
    backend = living_backend(server_record("a", maxconn=1, maxqueue=1), server_record("b"), redispatch_interval=-1)
    server = named(backend, "a")
    assert assign(backend, server)[0] == ASSIGNED
    assert assign(backend, server)[0] == QUEUED
    outcome, request = assign(backend, server)
    assert (outcome, request.server, request.bound_to) == (ASSIGNED, named(backend, "b"), None)
    assert (server.counters.redispatches, backend.counters.redispatches) == (1, 1)


def test_nobody_overtakes_those_who_wait_for_a_server() -> None:
    backend = living_backend(server_record("a", maxconn=1))
    server = named(backend, "a")
    _, first = assign(backend, server)
    _, second = assign(backend, server)
    backend.release(first, 0.0)
    assert second.server is server
    outcome, third = assign(backend, server)
    assert (outcome, third.server) == (QUEUED, None)


def test_who_gives_up_leaves_the_queue_and_its_count() -> None:
    backend = living_backend(server_record("a", maxconn=1))
    server = named(backend, "a")
    assign(backend)
    _, visitor = assign(backend)
    _, user = assign(backend, server)
    backend.leave_queue(visitor)
    backend.leave_queue(user)
    assert (visitor.waits_in, user.waits_in) == (None, None)
    assert (backend.counters.queue_cur, server.counters.queue_cur) == (0, 0)
    assert (visitor.backend_queue_position, user.server_queue_position) == (1, 1)


# --- event lines, word for word (original-setup 2.5) -------------------------------------------------------------------

REFUSED = 'reason: Layer4 connection problem, info: "Connection refused", check duration: 0ms'
PASSED = "reason: Layer4 check passed, check duration: 0ms"


class Told:
    """A backend whose servers pass and fail checks, and the lines that tell it."""

    def __init__(self, *servers: model.Server, **words: Any) -> None:
        self.events = KeptEvents()
        self.backend = Backend(backend_record(*servers, **words), self.events, 0.0)

    def check(self, name: str, results: str) -> list[tuple[int, str]]:
        """The lines of these checks of one server, `+` passed and `-` failed."""
        self.events.lines.clear()
        server = named(self.backend, name)
        for result in results:
            was_up = server.is_up()
            has_changed = server.check_passed() if result == "+" else server.check_failed()
            if has_changed:
                announce(self.backend, server, was_up, PASSED if result == "+" else REFUSED, self.events, 10.0)
        assert all(proxy == "smalltalk" for _, proxy, _ in self.events.lines)
        return [(severity, text) for severity, _, text in self.events.lines]


def test_a_server_goes_down_and_comes_back() -> None:
    told = Told(*images(10))
    assert told.check("app1", "-") == [
        (
            model.ALERT,
            'Server smalltalk/app1 is DOWN, reason: Layer4 connection problem, info: "Connection refused", '
            "check duration: 0ms. 9 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
        )
    ]
    assert told.check("app1", "-+") == []
    assert told.check("app1", "+") == [
        (
            model.NOTICE,
            "Server smalltalk/app1 is UP, reason: Layer4 check passed, check duration: 0ms. "
            "10 active and 0 backup servers online. 0 sessions requeued, 0 total in queue.",
        )
    ]


def test_the_last_one_says_that_nobody_is_left() -> None:
    told = Told(*images(2))
    assert len(told.check("app1", "-")) == 1
    lines = told.check("app2", "-")
    assert [severity for severity, _ in lines] == [model.ALERT, model.EMERG]
    assert lines[1][1] == "proxy smalltalk has no server available!"
    assert told.backend.status_text() == "DOWN"
    assert (told.backend.transitions_down, told.backend.changed_at) == (1, 10.0)
    assert len(told.check("app1", "++")) == 1
    assert told.backend.status_text() == "UP"


def test_backups_are_named_and_said_to_run() -> None:
    told = Told(server_record("a", check=True), server_record("x", check=True, backup=True))
    assert told.check("a", "-") == [
        (
            model.ALERT,
            f"Server smalltalk/a is DOWN, {REFUSED}. 0 active and 1 backup servers left. Running on backup. "
            "0 sessions active, 0 requeued, 0 remaining in queue.",
        )
    ]
    assert told.check("x", "-")[0][1].startswith(
        f"Backup Server smalltalk/x is DOWN, {REFUSED}. 0 active and 0 backup servers left. 0 "
    )
    assert told.check("x", "++") == [
        (
            model.NOTICE,
            f"Backup Server smalltalk/x is UP, {PASSED}. 0 active and 1 backup servers online. Running on backup. "
            "0 sessions requeued, 0 total in queue.",
        )
    ]


@pytest.mark.parametrize(("interval", "counts"), [(0, "0 requeued, 2 remaining"), (-1, "2 requeued, 0 remaining")])
def test_those_who_wait_for_a_dead_server_move_with_redispatch_only(interval: int, counts: str) -> None:
    told = Told(server_record("a", check=True, maxconn=1), server_record("b"), redispatch_interval=interval)
    server = named(told.backend, "a")
    assign(told.backend, server)
    waiting = [assign(told.backend, server)[1] for _ in range(2)]
    assert told.check("a", "-")[0][1].endswith(f"1 sessions active, {counts} in queue.")
    assert [each.moved_at for each in waiting] == ([[10.0]] * 2 if interval else [[], []])
    assert [each.waits_in is None for each in waiting] == [bool(interval)] * 2


def test_a_server_that_comes_back_takes_those_who_wait() -> None:
    told = Told(server_record("a", check=True, maxconn=2), server_record("b", check=True, maxconn=1))
    told.check("a", "-")
    assign(told.backend)
    waiting = [assign(told.backend)[1] for _ in range(3)]
    lines = told.check("a", "++")
    assert lines[0][1].endswith("2 active and 0 backup servers online. 2 sessions requeued, 1 total in queue.")
    assert [each.server is named(told.backend, "a") for each in waiting] == [True, True, False]


def test_downtime_of_a_backend_adds_up() -> None:
    told = Told(server_record("a", check=True))
    told.check("a", "-")
    assert (named(told.backend, "a").transitions_down, named(told.backend, "a").downtime_at(12.0)) == (1, 2.0)
    assert told.backend.downtime_s == 0.0
