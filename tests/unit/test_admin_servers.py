"""Servers changed by command: answers, states and event lines as HAProxy 2.6.12 was recorded to give them."""

from typing import Final

import pytest
from observed import found, observed
from records import FakeVisit, KeptEvents, images, server_record
from spoken import ask

from balancer import model
from balancer.backend.balance import order_of
from balancer.observe.info import ProcessInfo


def lines(info: ProcessInfo) -> list[tuple[int, str]]:
    """Severity and text of the events up to now."""
    events = info.farm.backends[0].events
    assert isinstance(events, KeptEvents)
    return [(severity, text) for severity, _, text in events.lines]


USAGE: Final = (
    b"usage: set server <backend>/<server> addr | agent | agent-addr | agent-port | agent-send | check-addr | check-port | "
    b"fqdn | health | ssl | state | weight\n\n"
)


@pytest.mark.parametrize(
    ("sent", "said", "weight"),
    [
        (b"set weight smalltalk/app2 50\n", b"\n", 50),
        (b"set weight smalltalk/app2 50%\n", b"\n", 0),
        (b"set weight smalltalk/app2 300%\n", b"\n", 3),
        (b"set weight smalltalk/app2 30000%\n", b"\n", 256),
        (b"set weight smalltalk/app2 0\n", b"\n", 0),
        (b"set weight smalltalk/app2 256\n", b"\n", 256),
        (b"set weight smalltalk/app2 +5\n", b"\n", 5),
        (b"set weight smalltalk/app2 0005\n", b"\n", 5),
        (b"set weight #2/#2 7 # x\n", b"\n", 7),
        (b"set server smalltalk/app2 weight 9 x\n", b"\n", 9),
        (b"set weight smalltalk/app2 257\n", b"Absolute weight can only be between 0 and 256 inclusive.\n\n", 1),
        (b"set weight smalltalk/app2 -1\n", b"Absolute weight can only be between 0 and 256 inclusive.\n\n", 1),
        (b"set weight smalltalk/app2 -5%\n", b"Relative weight must be positive.\n\n", 1),
        (b"set weight smalltalk/app2 abc\n", b"Empty weight string empty or preceded by garbage\n", 1),
        (b"set weight smalltalk/app2 # 5\n", b"Empty weight string empty or preceded by garbage\n", 1),
        (b"set weight smalltalk/app2 %\n", b"Empty weight string empty or preceded by garbage\n", 1),
        (b"set weight smalltalk/app2 1.5\n", b"Trailing garbage in weight string\n", 1),
        (b"set weight smalltalk/app2 5%%\n", b"Trailing garbage in weight string\n", 1),
        (b"set weight smalltalk/app2\n", b"Require <weight> or <weight%>.\n\n", 1),
        (b"set server smalltalk/app2 weight\n", b"Require <weight> or <weight%>.\n\n", 1),
        (b"set server smalltalk/app2 weight x\n", b"Empty weight string empty or preceded by garbage\n", 1),
        (b"set weight smalltalk/nosuch 1\n", b"No such server.\n\n", 1),
        (b"set weight smalltalk/app2/x 1\n", b"No such server.\n\n", 1),
        (b"set weight nosuch/app2 1\n", b"No such backend.\n\n", 1),
        (b"set weight app2 1\n", b"Require 'backend/server'.\n\n", 1),
        (b"set weight smalltalk/ 1\n", b"Require 'backend/server'.\n\n", 1),
        (b"set weight\n", b"Require 'backend/server'.\n\n", 1),
    ],
)
def test_a_weight_is_set_or_refused(sent: bytes, said: bytes, weight: int) -> None:
    info = observed()
    assert ask(sent, info) == said
    assert found(info.farm.backends[0], "app2").weight == weight
    assert ask(b"get weight smalltalk/app2\n", info) == b"%d (initial 1)\n\n" % weight


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"get weight smalltalk/nosuch\n", b"No such server.\n\n"),
        (b"get weight nosuch/app1\n", b"No such backend.\n\n"),
        (b"get weight smalltalk\n", b"Require 'backend/server'.\n\n"),
        (b"disable server\n", b"Require 'backend/server'.\n\n"),
        (b"disable server smalltalk\n", b"Require 'backend/server'.\n\n"),
        (b"disable server nosuch/app1\n", b"No such backend.\n\n"),
        (b"enable server smalltalk/nosuch\n", b"No such server.\n\n"),
        (b"set server\n", b"Require 'backend/server'.\n\n"),
        (b"set server state\n", b"Require 'backend/server'.\n\n"),
        (b"set server smalltalk state ready\n", b"Require 'backend/server'.\n\n"),
        (b"set server nosuch/app1 state ready\n", b"No such backend.\n\n"),
        (b"set server smalltalk/nosuch state ready\n", b"No such server.\n\n"),
        (
            b"set server smalltalk/app1\n",
            USAGE,
        ),
        (
            b"set server smalltalk/app1 bogus x\n",
            USAGE,
        ),
    ],
)
def test_refusals_are_haproxys(sent: bytes, said: bytes) -> None:
    assert ask(sent, observed()) == said


@pytest.mark.parametrize("word", [b"bogus", b""])
def test_a_state_that_is_not_there_is_refused_and_changes_nothing(word: bytes) -> None:
    info = observed()
    assert ask(b"set server smalltalk/app1 state " + word + b"\n", info).startswith(
        b"'set server <srv> state' expects 'ready', 'drain' and 'maint'."
    )
    assert found(info.farm.backends[0], "app1").status_text() == "UP 1/3"


def test_a_new_weight_moves_the_visitors() -> None:
    info = observed()
    backend = info.farm.backends[0]
    ask(b"set weight smalltalk/app1 0\n", info)
    chosen = [backend.algorithm.next(FakeVisit()) for _ in range(4)]
    assert [server and server.name for server in chosen] == ["app2"] * 4
    assert found(backend, "app1").is_usable()
    assert lines(info) == []


@pytest.mark.parametrize("algorithm", ["static-rr", "source", "uri"])
def test_the_weights_of_a_static_algorithm_stay(algorithm: str) -> None:
    info = observed()
    backend = info.farm.backends[0]
    backend.algorithm = order_of(model.Balance(algorithm), backend.servers, backend.servers)
    told = b"Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n"
    assert ask(b"set weight smalltalk/app1 7\n", info).startswith(told)
    assert found(backend, "app1").weight == 1
    assert ask(b"set server smalltalk/app1 weight 0%\n", info).strip() == b""
    assert found(backend, "app1").weight == 0
    assert ask(b"set weight smalltalk/app1 100%\n", info).strip() == b""
    assert found(backend, "app1").weight == 1


def test_no_weight_at_all_leaves_no_server() -> None:
    info = observed()
    ask(b"set weight smalltalk/app1 0; set weight smalltalk/app2 0\n", info)
    assert info.farm.backends[0].status_text() == "DOWN"
    assert lines(info) == [(model.EMERG, "proxy smalltalk has no server available!")]


@pytest.mark.parametrize("disable", [b"disable server smalltalk/app2 x\n", b"set server smalltalk/app2 state maint x\n"])
@pytest.mark.parametrize("enable", [b"enable server smalltalk/app2\n", b"set server smalltalk/app2 state ready\n"])
def test_maintenance_is_entered_and_left(disable: bytes, enable: bytes) -> None:
    info = observed()
    server = found(info.farm.backends[0], "app2")
    server.check_passed()
    assert ask(disable, info) == ask(disable, info) == b"\n"
    assert (server.status_text(), info.farm.backends[0].active_count()) == ("MAINT", 1)
    assert ask(enable, info) == ask(enable, info) == b"\n"
    assert (server.status_text(), info.farm.backends[0].active_count()) == ("UP 1/3", 2)
    assert lines(info) == [
        (
            model.ALERT,
            "Server smalltalk/app2 is going DOWN for maintenance. 1 active and 0 backup servers left. 0 sessions active, "
            "0 requeued, 0 remaining in queue.",
        ),
        (model.NOTICE, "Server smalltalk/app2 is UP/READY (leaving forced maintenance)."),
    ]


def test_the_last_server_in_maintenance_leaves_the_backup() -> None:
    info = observed(*images(1), server_record("spare", backup=True))
    ask(b"disable server smalltalk/app1; disable server smalltalk/spare; enable server smalltalk/spare\n", info)
    assert lines(info) == [
        (
            model.ALERT,
            "Server smalltalk/app1 is going DOWN for maintenance. 0 active and 1 backup servers left. Running on backup. "
            "0 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        (
            model.ALERT,
            "Backup Server smalltalk/spare is going DOWN for maintenance. 0 active and 0 backup servers left. "
            "0 sessions active, 0 requeued, 0 remaining in queue.",
        ),
        (model.EMERG, "proxy smalltalk has no server available!"),
        (model.NOTICE, "Backup Server smalltalk/spare is UP/READY (leaving forced maintenance)."),
    ]


def test_a_server_that_was_down_enters_maintenance_quietly() -> None:
    info = observed()
    backend = info.farm.backends[0]
    server = found(backend, "app1")
    server.check_failed()
    backend.server_changed(server, True, 100.0)
    ask(b"disable server smalltalk/app1\n", info)
    assert lines(info) == [(model.NOTICE, "Server smalltalk/app1 was DOWN and now enters maintenance.")]
    ask(b"enable server smalltalk/app1\n", info)
    assert server.is_balanced()
