"""A farm for tests of statistics: the original's listen section with servers in several states, and its process."""

from dataclasses import replace
from typing import Any, Final

from records import KeptEvents, backend_record, cookie_record, frontend_record, images, server_record

from balancer import model
from balancer.backend.backend import Backend
from balancer.backend.farm import Farm
from balancer.backend.server import Server
from balancer.backend.verdicts import Verdict
from balancer.observe.info import ProcessInfo

# `loop.time()` at the moment of asking; everything has changed six seconds before.
NOW: Final = 106.0
STARTED: Final = 100.0


def observed(*servers: model.Server, **process: Any) -> ProcessInfo:
    """A process that serves `listen smalltalk` with these servers, or with two images; `process` are words of global."""
    backend = backend_record(*(servers or images(2)), cookie=cookie_record())
    config = model.Model(replace(model.Global(), **process), (frontend_record(),), (backend,), ("test.cfg",))
    events = KeptEvents()
    farm = Farm(config, 4000, events, STARTED)
    return ProcessInfo(config, farm, lambda: NOW, 1795407576.0, 1121, 8060, lambda: 3, lambda: False, 2)


def in_every_state() -> ProcessInfo:
    """Servers up, down, falling, not checked yet, without a check, in maintenance, without weight, as backup."""
    checked = {"check": True, "cookie": b"c"}
    info = observed(
        server_record("up", weight=10, maxconn=20, maxqueue=5, **checked),
        server_record("down", fall_count=1, **checked),
        server_record("nocheck", cookie=b"c"),
        server_record("maint", disabled=True, **checked),
        server_record("spare", backup=True, **checked),
        server_record("falling", **checked),
        server_record("zero", weight=0, cookie=b"c"),
    )
    backend = info.farm.backends[0]
    for name in ("up", "spare"):
        server = found(backend, name)
        server.check_passed()
        server.health = 4
        server.keep_verdict(Verdict("L4OK"), 0)
    down = found(backend, "down")
    was_up = down.is_up()
    down.check_failed()
    backend.server_changed(down, was_up, STARTED)
    down.keep_verdict(Verdict("L4CON", 0, "Connection refused"), 0)
    return info


def found(backend: Backend, name: str) -> Server:
    """The server of that name."""
    server = backend.find_server(name)
    assert server is not None
    return server
