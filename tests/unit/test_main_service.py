"""The life of a service: which signal leads to which end, and what it tells on the way."""

import asyncio
import io
import signal
from collections.abc import Iterator

import pytest
import uvloop

from balancer import model, states
from balancer.backend.events import EventLog
from balancer.backend.farm import Farm
from balancer.daemon import Notifier
from balancer.messages import Messages
from balancer.service import ENDED, FINISHING, RUNNING, SIGNALS, Announcer, Service

ORIGIN = model.Origin("test.cfg", 1)


def server(number: int, weight: int = 1, backup: bool = False, disabled: bool = False) -> model.Server:
    return model.Server(
        name=f"s{number}", number=number, host="127.0.0.1", port=1, is_ipv6=False, cookie=None, check=False, inter_s=2.0,
        fastinter_s=0.0, downinter_s=0.0, rise_count=2, fall_count=3, weight=weight, backup=backup, disabled=disabled,
        maxconn=0, maxqueue=0, origin=ORIGIN,
    )  # fmt: skip


def frontend(name: str, number: int) -> model.Frontend:
    return model.Frontend(
        name=name, number=number, binds=(), maxconn=0, logs=(), log_format="none", dontlognull=False, client_timeout_s=1.0,
        http_request_timeout_s=0.0, keep_alive_timeout_s=0.0, default_backend="", exporter_path=b"", errorfiles={},
        disabled=False, is_listen=False, origin=ORIGIN,
    )  # fmt: skip


def backend(name: str, number: int, *servers: model.Server) -> model.Backend:
    return model.Backend(
        name=name, number=number, servers=servers, balance=model.Balance(), cookie=None, retries=3, redispatch_interval=0,
        connect_timeout_s=1.0, server_timeout_s=1.0, queue_timeout_s=0.0, tunnel_timeout_s=0.0, check_timeout_s=0.0,
        maxconn=0, logs=(), errorfiles={}, disabled=False, is_listen=False, origin=ORIGIN,
    )  # fmt: skip


CONFIG = model.Model(
    model.Global(),
    (frontend("fe", 2), frontend("web", 3)),
    (
        backend("web", 3, server(1)),
        backend("nob", 4, server(1, disabled=True), server(2, backup=True)),
        backend("mixed", 5, server(1), server(2, backup=True), server(3, weight=0)),
        backend("down", 6, server(1, disabled=True)),
        backend("none", 7),
    ),
    ("test.cfg",),
)


class Lines(EventLog):
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, str]] = []
        self.flushed = 0

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        self.lines.append((severity, proxy_name, text))

    def process_event(self, severity: int, text: str) -> None:
        self.lines.append((severity, "", text))

    def flush(self) -> None:
        self.flushed += 1


class Traffic:
    """A traffic side whose connections end when the test says so."""

    def __init__(self, farm: Farm, loop: asyncio.AbstractEventLoop) -> None:
        self.farm = farm
        self.calls: list[str] = []
        self.resists = False
        self.left: asyncio.Future[None] = loop.create_future()

    async def start(self) -> None:
        self.calls.append("start")

    def stop_softly(self) -> None:
        self.calls.append("stop_softly")

    async def wait_stopped(self) -> None:
        await self.left

    def kill(self) -> None:
        self.calls.append("kill")
        if not self.resists:
            self.left.set_result(None)

    def abort(self) -> None:
        self.calls.append("abort")


class Stage:
    """A service with everything around it."""

    def __init__(self, hard_stop_after_s: float = 0.0) -> None:
        self.loop = uvloop.new_event_loop()
        self.log = Lines()
        self.farm = Farm(CONFIG, 100, self.log, 0.0)
        self.traffic = Traffic(self.farm, self.loop)
        self.stderr = io.StringIO()
        messages = Messages(self.stderr, is_quiet=False)
        announcer = Announcer(self.log, messages)
        self.service = Service(self.traffic, self.log, announcer, messages, self.loop, hard_stop_after_s, Notifier(""))

    def ended(self) -> int:
        return self.loop.run_until_complete(asyncio.wait_for(self.service.run(), 5.0))


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.loop.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_sigterm_and_sigint_cut_everything_and_the_process_dies_of_them(stage: Stage, number: signal.Signals) -> None:
    SIGNALS[number](stage.service)
    assert stage.ended() == -number
    assert stage.traffic.calls == ["abort"] and stage.log.flushed == 1 and stage.service.state == ENDED
    assert stage.log.lines == []


def test_a_soft_stop_waits_for_the_last_connection_and_exits_0(stage: Stage) -> None:
    stage.service.finish()
    assert stage.service.state == FINISHING and stage.traffic.calls == ["stop_softly"]
    stage.loop.call_later(0.02, stage.traffic.left.set_result, None)
    assert stage.ended() == 0
    assert stage.service.state == ENDED


def test_a_soft_stop_tells_each_proxy_once(stage: Stage) -> None:
    stage.farm.frontends[1].counters.connections_total = 5
    stage.farm.backends[0].counters.sessions_total = 4
    stage.service.finish()
    stage.service.finish()
    assert stage.log.lines[:3] == [
        (model.WARNING, "fe", "Proxy fe stopped (cumulated conns: FE: 0, BE: 0)."),
        (model.WARNING, "web", "Proxy web stopped (cumulated conns: FE: 5, BE: 4)."),
        (model.WARNING, "nob", "Proxy nob stopped (cumulated conns: FE: 0, BE: 0)."),
    ]
    assert len(stage.log.lines) == 6
    assert ") : Proxy fe stopped (cumulated conns: FE: 0, BE: 0)." in stage.stderr.getvalue()
    stage.traffic.left.set_result(None)
    assert stage.ended() == 0


def test_sigterm_ends_a_soft_stop_at_once(stage: Stage) -> None:
    stage.service.finish()
    stage.service.end_by_sigterm()
    assert stage.ended() == -signal.SIGTERM
    assert stage.traffic.calls == ["stop_softly", "abort"]


def test_hard_stop_after_bounds_a_soft_stop() -> None:
    stage = Stage(hard_stop_after_s=0.02)
    stage.farm.frontends[1].counters.sessions_cur = 2
    stage.service.finish()
    assert stage.ended() == 0
    assert stage.traffic.calls == ["stop_softly", "kill", "abort"]
    assert [text for _severity, _name, text in stage.log.lines[-2:]] == [
        "soft-stop running for too long, performing a hard-stop.",
        "Proxy web hard-stopped (2 remaining conns will be closed).",
    ]
    stage.loop.close()


def test_what_resists_a_hard_stop_is_left_behind_after_a_second() -> None:
    stage = Stage(hard_stop_after_s=0.02)
    stage.traffic.resists = True
    stage.service.finish()
    assert stage.ended() == 0
    assert stage.traffic.calls == ["stop_softly", "kill", "abort"]
    assert stage.log.lines[-1] == (model.WARNING, "", "Some tasks resisted to hard-stop, exiting now.")
    stage.loop.close()


def test_a_soft_stop_that_fails_is_said_and_exits_1(stage: Stage) -> None:
    stage.service.finish()
    stage.traffic.left.set_exception(RuntimeError("boom"))
    assert stage.ended() == 1
    assert "soft stop failed: RuntimeError('boom')" in stage.stderr.getvalue()


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGQUIT])
def test_sigusr2_and_sigquit_are_told_and_change_nothing(stage: Stage, number: signal.Signals) -> None:
    SIGNALS[number](stage.service)
    assert stage.service.state == RUNNING and stage.traffic.calls == []
    ((severity, name, text),) = stage.log.lines
    assert severity == model.NOTICE and name == "" and text.startswith(f"{number.name} received")


def test_sighup_tells_the_states_in_haproxys_words(stage: Stage) -> None:
    web = stage.farm.backends[0]
    stage.farm.frontends[1].counters.sessions_cur = 1
    stage.farm.frontends[1].counters.connections_total = 3
    web.counters.sessions_cur = web.counters.sessions_total = 2
    web.servers[0].counters.sessions_cur = web.servers[0].counters.sessions_total = 2
    stage.service.tell_states()
    assert all(severity == model.NOTICE for severity, _name, _text in stage.log.lines)
    assert [text for _severity, _name, text in stage.log.lines] == [
        "SIGHUP received, dumping servers states for proxy fe.",
        "SIGHUP: Proxy fe has no servers. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
        "SIGHUP received, dumping servers states for proxy web.",
        "SIGHUP: Server web/s1 is UP. Conn: 2 act, 0 pend, 2 tot.",
        (
            "SIGHUP: Proxy web has 1 active servers and 0 backup servers available. "
            "Conn: act(FE+BE): 1+2, 0 pend (0 unass), tot(FE+BE): 3+2."
        ),
        "SIGHUP received, dumping servers states for proxy nob.",
        "SIGHUP: Server nob/s1 is DOWN. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Server nob/s2 is UP. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Proxy nob is running on backup servers ! Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
        "SIGHUP received, dumping servers states for proxy mixed.",
        "SIGHUP: Server mixed/s1 is UP. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Server mixed/s2 is UP. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Server mixed/s3 is UP. Conn: 0 act, 0 pend, 0 tot.",
        (
            "SIGHUP: Proxy mixed has 1 active servers and 1 backup servers available. "
            "Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0."
        ),
        "SIGHUP received, dumping servers states for proxy down.",
        "SIGHUP: Server down/s1 is DOWN. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Proxy down has no server available ! Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
        "SIGHUP received, dumping servers states for proxy none.",
        "SIGHUP: Proxy none has no servers. Conn: act(FE+BE): 0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
    ]


def test_the_two_halves_of_a_listen_section_are_one_proxy(stage: Stage) -> None:
    names = [(proxy.name, proxy.frontend is not None, proxy.backend is not None) for proxy in states.proxies(stage.farm)]
    assert names[:3] == [("fe", True, False), ("web", True, True), ("nob", False, True)]


def test_events_are_seen_on_standard_error_too_with_haproxys_labels() -> None:
    log, told = Lines(), io.StringIO()
    announcer = Announcer(log, Messages(told, is_quiet=False))
    announcer.event(model.ALERT, "web", "Server web/s1 is DOWN.")
    announcer.event(model.EMERG, "web", "proxy web has no server available!")
    assert [line.split(" ", 1)[0] for line in told.getvalue().splitlines()] == ["[WARNING]", "[ALERT]"]
    assert [name for _severity, name, _text in log.lines] == ["web", "web"]
