"""Makes the parts of a process and joins them: the log, the traffic, the observing and the admin side.

It runs before chroot, so it opens what they will need: the log's sockets, the private socket of the statistics.
"""

import os

from balancer.admin.kept import restore
from balancer.admin.socket import StatsSocketServer
from balancer.admin.web import make_site
from balancer.backend.farm import Farm
from balancer.observe.formatlog import access_log
from balancer.observe.info import ProcessInfo
from balancer.observe.logger import Logger
from balancer.observe.logtext import Format, Words
from balancer.observe.syslog import Syslog
from balancer.process import Facts, Parts
from balancer.proxy.record import AccessLog, Wording
from balancer.proxy.worker import Worker
from balancer.service import Announcer


def assemble(facts: Facts) -> Parts:
    """The parts of one process, none of them started."""
    config = facts.config
    syslog = Syslog(config.process.log_tag, os.getpid(), facts.loop, rings=config.process.rings)
    logger = Logger(config, syslog)
    announcer = Announcer(logger, facts.messages)
    access_logs: dict[str, AccessLog] = {}
    identities: dict[str, Wording] = {}
    for frontend in config.frontends:
        log = access_log(syslog, frontend)
        if log is not None:
            access_logs[frontend.name] = log
        if frontend.log_words.identity:
            identities[frontend.name] = Format(frontend.log_words.identity, True)
    farm = Farm(config, config.process.maxconn, announcer, facts.loop.time())
    restore(farm, announcer, facts.messages.warning, facts.loop.time())
    info = ProcessInfo(
        config,
        farm,
        facts.loop.time,
        facts.started_at,
        os.getpid(),
        facts.descriptors_max,
        syslog.dropped,
        lambda: worker.is_stopping,
        len(facts.listeners) + len(config.process.stats_sockets),
        syslog.rings,
    )
    site = facts.loop.run_until_complete(make_site(info, facts.loop))
    listeners = [(listener.frontend, listener.bind, listener.socket) for listener in facts.listeners]
    worker = Worker(config, facts.loop, listeners, announcer, access_logs, farm, site, identities)
    worker.speaker = Words()
    stats = StatsSocketServer(info, facts.loop, [listener.socket for listener in facts.listeners])
    return Parts(worker, logger, announcer, stats)
