"""Event lines: what the process and its proxies tell beside the traffic."""

from balancer import model
from balancer.backend.events import EventLog
from balancer.observe.syslog import Syslog, Target


def one_line(text: str) -> bytes:
    """The octets of an event; whatever an error's text brings along, it stays one line."""
    return text.encode("utf-8", "replace").replace(b"\n", b" ")


class Logger(EventLog):
    """Sends an event to the log targets of the proxy that it is about, or of the process."""

    def __init__(self, config: model.Model, syslog: Syslog) -> None:
        self.syslog = syslog
        self.process_targets: list[Target] = [syslog.target(target) for target in config.process.logs]
        self.by_proxy: dict[str, list[Target]] = {}
        logs = [(backend.name, backend.logs) for backend in config.backends]
        logs += [(frontend.name, frontend.logs) for frontend in config.frontends]
        for name, lines in logs:
            if lines or name not in self.by_proxy:
                self.by_proxy[name] = [syslog.target(line) for line in lines]

    def event(self, severity: int, proxy_name: str, text: str) -> None:
        """Tells the log targets of that proxy; without a proxy, the process's."""
        targets = self.by_proxy.get(proxy_name, self.process_targets)
        if targets:
            self.syslog.keep(targets, severity, one_line(text))

    def process_event(self, severity: int, text: str) -> None:
        """Tells the process's own log targets."""
        if self.process_targets:
            self.syslog.keep(self.process_targets, severity, one_line(text))

    def flush(self) -> None:
        """Sends what is kept, at once."""
        self.syslog.flush()

    def close(self) -> None:
        """Sends the rest and closes the sockets."""
        self.syslog.close()
