"""Verdicts, what they do to servers, and the lines that tell it; what visitors meet; coming back slowly; followers."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any, Final, cast

import pytest
from records import KeptEvents, backend_record, cookie_record, frontend_record, images, server_record

from balancer import model
from balancer.backend import analysis, operate
from balancer.backend.backend import ASSIGNED, Backend, Request
from balancer.backend.farm import Farm
from balancer.backend.health import Checks
from balancer.backend.persistence import VALID
from balancer.backend.server import RUNNING, STARTING, STOPPED, STOPPING, Server
from balancer.backend.sessions import Sessions
from balancer.backend.transitions import warmed
from balancer.backend.verdicts import Verdict

OK: Final = Verdict("L7OK", 200)
BAD: Final = Verdict("L7STS", 503, "Nope")
GONE: Final = Verdict("L7OKC", 404)
LETTERS: Final = {"+": OK, "-": BAD, "4": GONE}


class Clock:
    """A loop that only knows the time."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def time(self) -> float:
        """`loop.time()`."""
        return self.now_s


class KeptSessions(Sessions):
    """Whose requests were ended."""

    def __init__(self) -> None:
        self.ended: list[tuple[list[str], bool]] = []

    def shut_down(self, servers: list[Server], because_up: bool) -> None:
        """Keeps it."""
        self.ended.append(([server.name for server in servers], because_up))


class Stage:
    """A farm, its checks without sockets, and what was told."""

    def __init__(self, *backends: model.Backend) -> None:
        self.clock = Clock()
        self.events = KeptEvents()
        numbered = tuple(replace(backend, number=number) for number, backend in enumerate(backends, 2))
        config = model.Model(model.Global(node="here"), (frontend_record(),), numbered, ("test.cfg",))
        self.farm = Farm(config, 100, self.events, self.clock.now_s)
        self.checks = Checks(self.farm, cast(asyncio.AbstractEventLoop, self.clock), self.events)
        self.sessions = KeptSessions()
        for backend in self.farm.backends:
            backend.sessions = self.sessions
            for server in backend.servers:
                server.observer = self.checks
                self.checks.hurries[server] = asyncio.Event()

    def backend(self) -> Backend:
        """The first one."""
        return self.farm.backends[0]

    def server(self, name: str) -> Server:
        """The server of that name, wherever it is."""
        return next(server for backend in self.farm.backends for server in backend.servers if server.name == name)

    def check(self, name: str, letters: str) -> list[str]:
        """The lines of these verdicts about one server: passed, failed, 404."""
        self.events.lines.clear()
        server = self.server(name)
        for letter in letters:
            self.checks.judged(self.farm.backend_by_name[server.backend_name], server, LETTERS[letter], 3)
        return self.told()

    def told(self) -> list[str]:
        """The lines without what they count."""
        return [f"{severity} {text.split('. ')[0].removesuffix('.')}" for severity, _, text in self.events.lines]


def stage(*servers: model.Server, **words: Any) -> Stage:
    """One backend."""
    return Stage(backend_record(*servers, **{"is_listen": False, **words}))


A: Final = server_record("a", check=True)
B: Final = server_record("b", check=True)
REASON: Final = 'reason: Layer7 wrong status, code: 503, info: "Nope", check duration: 3ms'


def test_a_wrong_status_is_told_with_code_and_reason() -> None:
    scene = stage(A, B)
    assert scene.check("a", "+---") == [f"1 Server smalltalk/a is DOWN, {REASON}"]
    assert scene.check("a", "-") == []
    assert scene.check("a", "++") == ["5 Server smalltalk/a is UP, reason: Layer7 check passed, code: 200, check duration: 3ms"]
    server = scene.server("a")
    assert (server.check_state, server.check_code, server.check_info, server.checks_failed) == ("L7OK", 200, "", 3)


def test_a_backend_section_is_named_as_one() -> None:
    assert stage(A).check("a", "-")[1] == "0 backend smalltalk has no server available!"
    assert stage(A, is_listen=True).check("a", "-")[1] == "0 proxy smalltalk has no server available!"


def test_every_change_of_a_check_is_logged_where_asked_for() -> None:
    scene = stage(A, logs_checks=True)
    assert scene.check("a", "+") == [
        "5 Health check for server smalltalk/a succeeded, reason: Layer7 check passed, code: 200, check duration: 3ms, "
        "status: 3/3 UP"
    ]
    assert scene.check("a", "+") == []
    assert scene.check("a", "--") == [
        f"5 Health check for server smalltalk/a failed, {REASON}, status: {left}/3 UP" for left in (2, 1)
    ]
    assert scene.check("a", "-") == [
        f"5 Health check for server smalltalk/a failed, {REASON}, status: 0/2 DOWN",
        "1 Server smalltalk/a is DOWN",
        "0 backend smalltalk has no server available!",
    ]
    assert scene.check("a", "-") == []


def test_a_conditional_pass_takes_nobody_new_and_keeps_who_is_bound() -> None:
    cookie = cookie_record()
    scene = stage(*images(2), cookie=cookie)
    scene.check("app1", "+")
    assert scene.check("app1", "4") == [
        "5 Server smalltalk/app1 is stopping, reason: Layer7 check conditionally passed, code: 404, check duration: 3ms"
    ]
    server, backend = scene.server("app1"), scene.backend()
    assert (server.status_text(), server.state) == ("NOLB", STOPPING)
    assert server.is_up()
    assert not server.is_balanced()
    persistence = backend.persistence
    assert persistence is not None
    verdict = persistence.judge([b"SEASIDE=app1inst1"])
    assert (verdict.server, verdict.letter) == (server, VALID)
    assert persistence.insertion(server, b"GET", server) == b""
    for bound, name in ((server, "app1"), (None, "app2"), (None, "app2")):
        request = Request()
        request.bound_to = bound
        assert backend.assign(request, 0.0) == ASSIGNED
        assert request.server is not None
        assert request.server.name == name
    assert scene.check("app1", "+") == [
        "5 Server smalltalk/app1 is UP, reason: Layer7 check passed, code: 200, check duration: 3ms"
    ]
    assert server.is_balanced()


def test_a_stopping_server_that_dies_is_no_alert() -> None:
    scene = stage(A, B)
    scene.check("a", "+4")
    assert scene.check("a", "---") == [f"5 Server smalltalk/a is DOWN, {REASON}"]
    assert scene.server("a").transitions_down == 1


@pytest.mark.parametrize(
    ("letters", "status"),
    [("+", "UP"), ("+4", "NOLB"), ("+4-", "NOLB 2/3"), ("+4---", "DOWN"), ("+4---+", "DOWN 1/2"), ("+4-+", "UP")],
)
def test_the_status_tells_how_far_it_is(letters: str, status: str) -> None:
    scene = stage(A)
    scene.check("a", letters)
    assert scene.server("a").status_text() == status


# --- followers --------------------------------------------------------------------------------------------------------


def followed() -> Stage:
    """a, t that tracks it, and u in another backend that tracks t."""
    elsewhere = backend_record(server_record("u", track="smalltalk/t", backup=True), name="other", is_listen=False)
    return Stage(backend_record(A, server_record("t", track="smalltalk/a"), is_listen=False), elsewhere)


def test_who_tracks_a_server_moves_with_it() -> None:
    scene = followed()
    assert scene.check("a", "+---") == [
        f"1 Server smalltalk/a is DOWN, {REASON}",
        "1 Server smalltalk/t is DOWN via smalltalk/a",
        "0 backend smalltalk has no server available!",
        "1 Backup Server other/u is DOWN via smalltalk/t",
        "0 backend other has no server available!",
    ]
    assert scene.check("a", "+") == []
    assert [scene.server(name).status_text() for name in "atu"] == ["DOWN 1/2"] * 3
    assert [line.split(" is ")[1] for line in scene.check("a", "+")][1:] == ["UP via smalltalk/a", "UP via smalltalk/t"]
    assert scene.check("a", "4")[1:3] == [
        "5 Server smalltalk/t is stopping via smalltalk/a",
        "0 backend smalltalk has no server available!",
    ]
    assert scene.server("u").status_text() == "NOLB"


def test_maintenance_is_inherited_and_told() -> None:
    scene = followed()
    backend, server = scene.backend(), scene.server("a")
    operate.enter_maintenance(backend, server, scene.events, 100.0)
    assert scene.told() == [
        "1 Server smalltalk/a is going DOWN for maintenance",
        "1 Server smalltalk/t is going DOWN for maintenance via smalltalk/a",
        "0 backend smalltalk has no server available!",
        "1 Backup Server other/u is going DOWN for maintenance via smalltalk/t",
        "0 backend other has no server available!",
    ]
    assert scene.server("u").status_text() == "MAINT (via smalltalk/t)"
    scene.events.lines.clear()
    operate.enter_maintenance(backend, scene.server("t"), scene.events, 100.0)
    operate.leave_maintenance(backend, scene.server("t"), scene.events, 100.0)
    operate.leave_maintenance(backend, server, scene.events, 100.0)
    assert scene.told() == [
        "5 Server smalltalk/t is leaving forced maintenance but remains in maintenance via smalltalk/a",
        "5 Server smalltalk/a is UP/READY (leaving forced maintenance)",
        "5 Server smalltalk/t is UP/READY (leaving maintenance)",
        "5 Backup Server other/u is UP/READY (leaving maintenance)",
    ]
    assert all(scene.server(name).is_up() for name in "atu")


def test_who_tracks_a_server_that_starts_in_maintenance_is_out() -> None:
    scene = stage(server_record("a", check=True, disabled=True), server_record("t", track="smalltalk/a"))
    assert [scene.server(name).status_text() for name in "at"] == ["MAINT", "MAINT (via smalltalk/a)"]
    assert not scene.backend().is_up()
    assert scene.backend().transitions_down == 1


def test_a_disabled_section_may_track_what_is_not_there() -> None:
    loop = server_record("t", track="other/u"), server_record("u", track="other/t"), server_record("v", track="nowhere/a")
    scene = Stage(backend_record(A), backend_record(*loop, name="other", disabled=True))
    assert [scene.server(name).status_text() for name in "tuv"] == ["no check"] * 3


# --- what visitors meet ------------------------------------------------------------------------------------------------


def observing(on_error: str, mode: str = "layer7") -> Stage:
    """A server that is UP and acts on three errors in a row."""
    scene = stage(server_record("a", check=True, observe=mode, error_limit=3, on_error=on_error, fastinter_s=0.5), B)
    scene.check("a", "+")
    scene.events.lines.clear()
    return scene


def see(scene: Stage, *sights: int) -> str:
    """What visitors met; the status after it."""
    server = scene.server("a")
    for sight in sights:
        scene.checks.saw(server, sight)
    return server.status_text()


E: Final = analysis.WRONG_STATUS
S: Final = analysis.GOOD_ANSWER


@pytest.mark.parametrize(
    ("on_error", "sights", "status"),
    [
        ("fail-check", (E, E), "UP"),
        ("fail-check", (E, E, S, E, E), "UP"),
        ("fail-check", (E, E, E), "UP 2/3"),
        ("fail-check", (E,) * 6, "UP 1/3"),
        ("fail-check", (E,) * 9, "DOWN"),
        ("sudden-death", (E, E, E), "UP 1/3"),
        ("sudden-death", (E,) * 6, "DOWN"),
        ("mark-down", (E, E, E), "DOWN"),
        ("fastinter", (E,) * 9, "UP"),
        ("mark-down", (analysis.NOT_CONNECTED, analysis.READ_TIMEOUT, analysis.CLOSED), "DOWN"),
        ("mark-down", (E, analysis.CONNECTED, E, E), "DOWN"),
    ],
)
def test_errors_in_a_row_act_as_on_error_says(on_error: str, sights: tuple[int, ...], status: str) -> None:
    assert see(observing(on_error), *sights) == status


def test_layer4_looks_at_connects_alone() -> None:
    scene = observing("mark-down", "layer4")
    assert see(scene, E, E, E, analysis.READ_ERROR) == "UP"
    assert see(scene, analysis.NOT_CONNECTED, analysis.NOT_CONNECTED, analysis.CONNECTED, analysis.NOT_CONNECTED) == "UP"
    assert see(scene, analysis.NOT_CONNECTED, analysis.NOT_CONNECTED) == "DOWN"


def test_too_many_errors_are_told_and_bring_the_next_check_nearer() -> None:
    scene = observing("mark-down")
    see(scene, E, E, analysis.CLOSED)
    text = "Detected 3 consecutive errors, last one was: Close from server (http)"
    assert scene.told() == [f'1 Server smalltalk/a is DOWN, reason: Health analyze, info: "{text}"']
    server = scene.server("a")
    assert (server.check_state, server.check_duration_ms, server.analyses_failed) == ("HANA", -1, 1)
    assert scene.checks.hurries[server].is_set()


def test_a_good_check_begins_the_row_anew() -> None:
    scene = observing("mark-down")
    see(scene, E, E)
    scene.check("a", "+")
    assert see(scene, E, E) == "UP"


def test_which_answers_are_good() -> None:
    good = [status for status in (100, 200, 304, 404, 499, 500, 501, 502, 503, 505, 600) if analysis.of_status(status) == S]
    assert good == [100, 200, 304, 404, 499, 501, 505]


# --- sessions and shares ------------------------------------------------------------------------------------------------


def test_sessions_end_where_asked_for() -> None:
    scene = stage(
        server_record("a", check=True, shuts_sessions_when_down=True, shuts_backups_when_up=True),
        server_record("x", backup=True),
    )
    scene.check("a", "-")
    assert scene.sessions.ended == [(["a"], False)]
    scene.check("a", "++")
    assert scene.sessions.ended[1:] == [(["x"], True)]
    operate.enter_maintenance(scene.backend(), scene.server("a"), scene.events, 100.0)
    assert scene.sessions.ended[2:] == [(["a"], False)]


def test_a_server_comes_back_with_more_and_more_of_its_weight() -> None:
    scene = stage(server_record("a", check=True, weight=10, maxconn=20, slowstart_s=4.0), B)
    server, backend = scene.server("a"), scene.backend()
    assert server.state == RUNNING  # not at the start of the process
    scene.check("a", "+---")
    assert server.state == STOPPED
    scene.check("a", "++")
    scene.events.lines.clear()
    seen = []
    for _ in range(5):
        seen.append((server.state, server.effective_weight(), server.throttle(), server.slots_max))
        scene.clock.now_s += 1.0
        warmed(backend, server, scene.events, scene.clock.now_s)
        if server.state == RUNNING:
            break
    assert seen == [(STARTING, 1, 6, 1), (STARTING, 4, 31, 5), (STARTING, 6, 56, 10), (STARTING, 9, 81, 15)]
    assert (server.effective_weight(), server.throttle(), server.slots_max) == (10, -1, 20)
    assert scene.told() == ["5 Server smalltalk/a is UP"]


def test_balancing_follows_the_share() -> None:
    scene = stage(server_record("a", check=True, slowstart_s=60.0), B)
    scene.check("a", "+---++")
    chosen = []
    for _ in range(170):
        server = scene.backend().algorithm.next(Request())
        assert server is not None
        chosen.append(server.name)
    assert 9 <= chosen.count("a") <= 11  # one to sixteen


@pytest.mark.parametrize(("balance", "share"), [("roundrobin", 1), ("leastconn", 1), ("static-rr", 10)])
def test_an_algorithm_that_keeps_weights_lets_none_grow(balance: str, share: int) -> None:
    scene = stage(server_record("a", check=True, weight=10, maxconn=20, slowstart_s=60.0), B, balance=model.Balance(balance))
    scene.check("a", "+---++")
    server = scene.server("a")
    assert (server.state, server.effective_weight(), server.slots_max) == (STARTING, share, 1)


def test_what_a_server_is_told_of_itself() -> None:
    scene = stage(server_record("a", check=True, weight=7, slowstart_s=10.0), server_record("b", weight=3), sends_state=True)
    server = scene.server("a")
    assert scene.checks.state_value(scene.backend(), server, 100.0) == (
        b"UP 1/3; address=127.0.0.1; port=3001; name=smalltalk/a; node=here; weight=7/10; scur=0/0; qcur=0"
    )
    scene.check("a", "+---")
    assert scene.checks.state_value(scene.backend(), server, 100.0).startswith(b"DOWN; ")
    scene.check("a", "++")
    value = scene.checks.state_value(scene.backend(), server, 105.2)
    assert value.startswith(b"UP; ")
    assert value.endswith(b"weight=1/4; scur=0/0; qcur=0; throttle=50%")


def test_spread_checks_come_a_little_early_or_late() -> None:
    backend = backend_record(*images(1, inter_s=10.0))
    config = model.Model(model.Global(spread_checks_percent=20), (frontend_record(),), (backend,), ("test.cfg",))
    clock = Clock()
    farm = Farm(config, 100, KeptEvents(), clock.now_s)
    server = farm.backends[0].servers[0]
    pauses = []
    for chance in (0.0, 0.5, 1.0):
        checks = Checks(farm, cast(asyncio.AbstractEventLoop, clock), KeptEvents(), partial(float, chance))
        pauses.append(checks.pause_s(server))
    assert pauses == [12.0, 10.0, 8.0]
