"""Queues and pools: first come, first served; nobody is lost and nothing is left behind."""

from collections import deque

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from balancer.backend.pool import Connection, Pool
from balancer.backend.queue import Queue, Waiter


class FakeConnection(Connection):
    """A connection whose server may have ended it."""

    def __init__(self, is_fresh: bool = True) -> None:
        super().__init__()
        self.would_be_fresh = is_fresh
        self.closed_count = 0

    def is_fresh(self) -> bool:
        """Whether the test lets it be taken."""
        return self.would_be_fresh

    def close(self) -> None:
        """Counts."""
        self.closed_count += 1


# --- queue -------------------------------------------------------------------------------------------------------------


def test_first_come_first_served() -> None:
    queue = Queue()
    waiters = [Waiter() for _ in range(3)]
    for n, waiter in enumerate(waiters):
        queue.join(waiter, float(n))
    assert queue.length == 3
    for n, waiter in enumerate(waiters):
        assert queue.first() is waiter
        assert waiter.queued_at == n
        queue.leave(waiter)
        assert waiter.waits_in is None
    assert queue.first() is None
    assert queue.length == 0


def test_the_position_counts_who_left_before_itself_included() -> None:
    queue = Queue()
    waiters = [Waiter() for _ in range(4)]
    for waiter in waiters:
        queue.join(waiter, 0.0)
    assert queue.leave(waiters[1]) == 1
    assert queue.leave(waiters[3]) == 2
    assert queue.leave(waiters[0]) == 3
    late = Waiter()
    queue.join(late, 1.0)
    assert queue.leave(waiters[2]) == 4
    assert queue.leave(late) == 2


def test_who_comes_again_stands_at_the_end() -> None:
    queue = Queue()
    first, second = Waiter(), Waiter()
    queue.join(first, 0.0)
    queue.join(second, 0.0)
    queue.leave(first)
    queue.join(first, 1.0)
    assert queue.first() is second
    queue.leave(second)
    assert queue.first() is first


class QueueMachine(RuleBasedStateMachine):
    """A queue beside a plain list of names."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.waiters = [Waiter() for _ in range(5)]
        self.expected: deque[int] = deque()
        self.turn = 0

    @rule()
    def join(self) -> None:
        """The next one that does not wait joins."""
        self.turn += 1
        idle = [n for n in range(5) if n not in self.expected]
        if idle:
            n = idle[self.turn % len(idle)]
            self.queue.join(self.waiters[n], float(self.turn))
            self.expected.append(n)

    @precondition(lambda self: self.expected)
    @rule()
    def serve(self) -> None:
        """The first gets its turn."""
        waiter = self.queue.first()
        assert waiter is not None
        self.queue.leave(waiter)
        self.expected.popleft()

    @precondition(lambda self: self.expected)
    @rule()
    def give_up(self) -> None:
        """One from the middle leaves."""
        n = self.expected[len(self.expected) // 2]
        self.queue.leave(self.waiters[n])
        self.expected.remove(n)

    @invariant()
    def agree(self) -> None:
        """Both tell the same."""
        assert self.queue.length == len(self.expected) == len(self.queue.waiters)
        first = self.queue.first()
        assert first is (self.waiters[self.expected[0]] if self.expected else None)
        assert [waiter.waits_in is self.queue for waiter in self.waiters] == [n in self.expected for n in range(5)]


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


# --- pool --------------------------------------------------------------------------------------------------------------


def test_the_newest_connection_is_taken_first() -> None:
    pool = Pool(4)
    first, second = FakeConnection(), FakeConnection()
    pool.give(first, 1.0)
    pool.give(second, 2.0)
    assert (first.is_pooled, first.idle_since) == (True, 1.0)
    assert pool.take() is second
    assert not second.is_pooled
    assert pool.take() is first
    assert pool.take() is None


def test_stale_connections_met_on_the_way_are_closed_once() -> None:
    pool = Pool(4)
    good, *stale = FakeConnection(), FakeConnection(False), FakeConnection(False)
    for connection in (good, *stale):
        pool.give(connection, 0.0)
    assert pool.take() is good
    assert [connection.closed_count for connection in (good, *stale)] == [0, 1, 1]
    assert not any(connection.is_pooled for connection in stale)
    assert pool.idle == []


def test_a_full_pool_closes_its_oldest() -> None:
    pool = Pool(2)
    connections = [FakeConnection() for _ in range(3)]
    for n, connection in enumerate(connections):
        pool.give(connection, float(n))
    assert [connection.closed_count for connection in connections] == [1, 0, 0]
    assert [connection.is_pooled for connection in connections] == [False, True, True]


def test_what_ended_by_itself_is_forgotten() -> None:
    pool = Pool(4)
    connections = [FakeConnection() for _ in range(3)]
    for connection in connections:
        pool.give(connection, 0.0)
    pool.discard(connections[1])
    pool.discard(connections[1])
    pool.discard(FakeConnection())
    assert pool.idle == [connections[0], connections[2]]
    assert connections[1].closed_count == 0


def test_old_ones_expire_and_a_dead_servers_pool_is_emptied() -> None:
    pool = Pool(4)
    connections = [FakeConnection() for _ in range(4)]
    for n, connection in enumerate(connections):
        pool.give(connection, float(n))
    pool.expire(2.0)
    assert [connection.closed_count for connection in connections] == [1, 1, 0, 0]
    pool.close()
    assert [connection.closed_count for connection in connections] == [1, 1, 1, 1]
    assert not any(connection.is_pooled for connection in connections)
    assert pool.take() is None


def test_a_pool_of_no_room_and_a_connection_used_often_enough_keep_nothing() -> None:
    pool, connection = Pool(0), FakeConnection()
    pool.give(connection, 0.0)
    assert (connection.closed_count, connection.is_pooled, pool.idle) == (1, False, [])
    pool = Pool(4, reuse_max=2)
    for uses, closed in ((1, 0), (2, 0), (3, 1)):
        connection = FakeConnection()
        connection.use_count = uses
        pool.give(connection, 0.0)
        assert connection.closed_count == closed
