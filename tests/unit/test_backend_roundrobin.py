"""Weighted round robin in HAProxy's order; the comparison with HAProxy itself is scenarios/test_roundrobin_oracle.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from records import FakeVisit, living_servers, server_record

from balancer.backend.balance.roundrobin import RoundRobin
from balancer.backend.queue import Waiter
from balancer.backend.server import MAINT, READY, Server


def group(*weights: int, **words: object) -> tuple[RoundRobin, list[Server]]:
    """Servers a, b, c... of these weights."""
    servers = living_servers(*[server_record("abcdefghij"[n], weight=weight, **words) for n, weight in enumerate(weights)])
    return RoundRobin(servers), servers


def take(order: RoundRobin, count: int, avoid: Server | None = None) -> str:
    """The names of the next `count` choices, `-` for none."""
    return "".join([server.name if server else "-" for server in [order.next(FakeVisit(avoid)) for _ in range(count)]])


def set_state(order: RoundRobin, server: Server, state: int) -> None:
    """Puts a server into maintenance or back."""
    server.admin_state = state
    order.changed(server)


@pytest.mark.parametrize(
    ("weights", "turn"),
    [
        ((1,), "a"),
        ((1, 1), "ab"),
        ((1,) * 10, "abcdefghij"),
        ((7, 7, 7), "abc"),
        ((3, 2, 1), "abacab"),
        ((5, 1, 1), "aaabaac"),
        ((1, 0, 1), "ac"),
        ((0, 3, 0), "b"),
        ((256, 256), "ab"),
    ],
)
def test_the_order_again_and_again(weights: tuple[int, ...], turn: str) -> None:
    order, _ = group(*weights)
    assert take(order, 20 * len(turn)) == turn * 20


def test_no_server_is_chosen_where_none_takes_visitors() -> None:
    assert take(group(0, 0)[0], 3) == "---"
    assert RoundRobin([]).next(FakeVisit()) is None
    order, servers = group(1, 1)
    for server in servers:
        set_state(order, server, MAINT)
    assert take(order, 2) == "--"


def test_a_server_that_goes_down_leaves_its_turns_to_the_others() -> None:
    order, servers = group(1, 1, 1)
    assert take(order, 4) == "abca"
    set_state(order, servers[1], MAINT)
    assert "b" not in take(order, 50)
    set_state(order, servers[1], READY)
    later = take(order, 300)
    assert later.count("b") == pytest.approx(100, abs=2)


def test_a_failed_check_takes_a_server_out_and_passed_ones_bring_it_back() -> None:
    order, servers = group(1, 1, check=True)
    assert servers[0].check_failed()
    order.changed(servers[0])
    assert take(order, 4) == "bbbb"
    assert [servers[0].check_passed(), servers[0].check_passed()] == [False, True]
    order.changed(servers[0])
    assert sorted(take(order, 20)).count("a") == pytest.approx(10, abs=1)


def test_a_new_weight_shows_in_the_shares() -> None:
    order, servers = group(1, 1)
    take(order, 3)
    servers[0].weight = 3
    order.changed(servers[0])
    assert take(order, 400).count("a") == pytest.approx(300, abs=4)
    servers[0].weight = 0
    order.changed(servers[0])
    assert take(order, 10) == "b" * 10
    servers[0].weight = 1
    order.changed(servers[0])
    assert take(order, 100).count("a") == pytest.approx(50, abs=2)


def test_nothing_changes_when_nothing_has_changed() -> None:
    order, servers = group(3, 2, 1)
    for _ in range(10):
        order.changed(servers[1])
        assert take(order, 6) == "abacab"


def test_the_one_that_failed_is_avoided_while_there_is_another() -> None:
    order, servers = group(1, 1, 1)
    assert "a" not in take(order, 20, avoid=servers[0])
    order, servers = group(1)
    assert take(order, 3, avoid=servers[0]) == "aaa"
    order, servers = group(1, 1)
    set_state(order, servers[1], MAINT)
    assert take(order, 3, avoid=servers[0]) == "aaa"


def test_a_full_server_is_passed_over_and_comes_back() -> None:
    order, servers = group(1, 1, maxconn=1)
    servers[0].take_slot(0.0)
    assert take(order, 3) == "bbb"
    servers[1].take_slot(0.0)
    assert take(order, 3) == "---"
    servers[0].release_slot()
    assert take(order, 3) == "aaa"
    servers[1].release_slot()
    assert set(take(order, 4)) == {"a", "b"}


def test_a_server_on_which_somebody_waits_is_full() -> None:
    order, servers = group(1, 1, maxconn=5)
    servers[0].queue.join(Waiter(), 0.0)
    assert take(order, 3) == "bbb"


WEIGHTS = st.lists(st.integers(0, 256), min_size=1, max_size=8).filter(any)


@settings(max_examples=60, deadline=None)
@given(WEIGHTS)
def test_each_gets_its_share_but_for_a_turn_or_two_at_the_edges(weights: list[int]) -> None:
    servers = living_servers(*[server_record(f"s{n}", weight=weight) for n, weight in enumerate(weights)])
    order = RoundRobin(servers)
    total = sum(weights)
    chosen = [order.next(FakeVisit()) for _ in range(2 * total)]
    for server in servers:
        # HAProxy's rounds are no whole turns: 2/3/3 gives the first 3 of 16 (the oracle test compares the very order).
        assert abs(sum(1 for each in chosen if each is server) - 2 * server.weight) <= 2


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "down", "up", "weight", "full", "free", "avoid"]), st.integers(0, 3), st.integers(0, 20)
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(EVENTS)
def test_whatever_happens_a_usable_free_server_is_found_and_no_other(events: list[tuple[str, int, int]]) -> None:
    order, servers = group(1, 2, 3, 4, maxconn=1)
    for kind, n, number in events:
        server = servers[n]
        if kind == "down":
            set_state(order, server, MAINT)
        elif kind == "up":
            set_state(order, server, READY)
        elif kind == "weight":
            server.weight = number
            order.changed(server)
        elif kind == "full" and not server.served:
            server.take_slot(0.0)
        elif kind == "free" and server.served:
            server.release_slot()
        avoid = server if kind == "avoid" else None
        fit = [each for each in servers if each.is_balanced() and each.has_slot()]
        for _ in range(number if kind == "take" else 1):
            chosen = order.next(FakeVisit(avoid))
            assert (chosen in fit) if fit else (chosen is None)
            assert avoid is None or chosen is not avoid or len(fit) == 1
    for server in servers:
        server.weight = 1
        set_state(order, server, READY)
        if server.served:
            server.release_slot()
    assert set(take(order, 60)) == set("abcd"), "nobody is lost"
