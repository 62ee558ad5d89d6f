"""Makes the parts of a process and joins them: the log, the traffic, the observing and the admin side.

It runs before chroot, so it opens what they will need: the log's sockets, the private socket of the statistics.
"""

import os
import socket

from balancer import model
from balancer.backend.server import Server
from balancer.observe.accesslog import access_log
from balancer.observe.logger import Logger
from balancer.observe.syslog import Syslog
from balancer.process import Facts, Parts
from balancer.proxy.record import AccessLog
from balancer.proxy.worker import Worker
from balancer.service import Announcer


class SilentStats:
    """Stats sockets that accept and answer nothing: the commands are not built yet."""

    async def start(self, listening: list[tuple[model.StatsSocket, socket.socket]]) -> None:
        """Begins to listen."""
        for _, sock in listening:
            sock.listen(1)

    def close(self) -> None:
        """Nothing is held."""


def assemble(facts: Facts) -> Parts:
    """The parts of one process, none of them started."""
    config = facts.config
    syslog = Syslog(config.process.log_tag, os.getpid(), facts.loop)
    logger = Logger(config, syslog)
    announcer = Announcer(logger, facts.messages)
    access_logs: dict[str, AccessLog] = {}
    for frontend in config.frontends:
        log = access_log(syslog, frontend)
        if log is not None:
            access_logs[frontend.name] = log
    service: Server | None = None
    listeners = [(listener.frontend, listener.bind, listener.socket) for listener in facts.listeners]
    worker = Worker(config, facts.loop, listeners, announcer, access_logs, config.process.maxconn, service)
    return Parts(worker, logger, announcer, SilentStats())
