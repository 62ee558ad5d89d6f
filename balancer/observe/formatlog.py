"""The lines of a frontend whose words go beyond the plain `option httplog`: a format of its own, captures, another one for
what was no request, structured data, lines that are written early. Which log a frontend has is decided here, at the start.
"""

from balancer import model
from balancer.observe.accesslog import ConnectLog, HttpLog
from balancer.observe.jsonlog import JsonLog
from balancer.observe.logtext import Format
from balancer.observe.syslog import Syslog, Target
from balancer.proxy.record import AccessLog, Record

# Targets of this format get structured data.
STRUCTURED: str = "rfc5424"


class FormatLog(AccessLog):
    """Lines by formats; without one for requests, they are HAProxy's default lines."""

    def __init__(self, syslog: Syslog, config: model.Frontend) -> None:
        words = config.log_words
        self.wants_detail = True
        self.syslog = syslog
        self.targets: list[Target] = [syslog.target(target) for target in config.logs]
        self.plain: ConnectLog | None = ConnectLog(syslog, config) if config.log_format == "connect" else None
        self.requests = Format(words.line)
        self.refusals: Format | None = Format(words.error) if words.error else None
        has_structured = bool(words.structured) and any(target.format == STRUCTURED for target in config.logs)
        self.structured: Format | None = Format(words.structured) if has_structured else None
        self.line_count: int = 0

    def write(self, record: Record) -> None:
        """Formats one line and keeps it for the burst."""
        detail = record.detail
        assert detail is not None
        if detail.exchange is None and self.refusals is not None:
            message = self._worded(self.refusals, record)
        elif self.plain is None:
            message = self._worded(self.requests, record)
        elif detail.exchange is None:
            return  # what was no request is not told in this form
        else:
            message = self.plain.line(record)
        structured = b"" if self.structured is None else self._worded(self.structured, record)
        self.line_count += 1
        self.syslog.keep(self.targets, record.severity, message, structured)

    def _worded(self, words: Format, record: Record) -> bytes:
        words.line_count = self.line_count
        return words.text(record)


def access_log(syslog: Syslog, config: model.Frontend) -> AccessLog | None:
    """The log of one frontend, None where nothing is to be logged: then nothing is formatted either."""
    if not config.logs or config.log_format == "none":
        return None
    if config.log_format == "json":
        return JsonLog(syslog, config)
    words = config.log_words
    if config.log_format == "http" and not words.line:
        return HttpLog(syslog, config)
    if config.log_format == "connect" and not words.error and not words.structured:
        return ConnectLog(syslog, config)
    return FormatLog(syslog, config)
