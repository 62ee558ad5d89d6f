"""The lines of traffic: HAProxy's `httplog`, and its default line where that option is absent.

    ip:port [date.ms] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes - - flags act/fe/be/srv/retries srvq/beq "request"

Escapes are HAProxy's: a quote, `#`, controls and octets above 126 become `#XX`, so a request can forge neither line nor field.
The date is rendered once a second. No object stands between the record and the octets that are sent.
"""

import time
from typing import Final

from balancer import model
from balancer.observe.syslog import MONTHS, Syslog, Target
from balancer.proxy.record import AccessLog, Record

BAD_REQUEST: Final = b"<BADREQ>"


def escaped(text: bytes) -> bytes:
    """The octets that may stand between the quotes of a log line."""
    for octet in text:
        if octet < 32 or octet > 126 or octet == 34 or octet == 35:
            break
    else:
        return text
    out: list[bytes] = []
    for octet in text:
        if octet < 32 or octet > 126 or octet == 34 or octet == 35:
            out.append(b"#%02X" % octet)
        else:
            out.append(b"%c" % octet)
    return b"".join(out)


class Calendar:
    """The accept date as the log writes it, `dd/Mon/yyyy:hh:mm:ss.mmm` in local time."""

    def __init__(self) -> None:
        self.second: int = -1
        self.rendered: str = ""

    def date(self, at: float) -> str:
        """The date of `at`, seconds since the epoch."""
        second = int(at)
        if second != self.second:
            self.second = second
            now = time.localtime(second)
            clock = f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
            self.rendered = f"{now.tm_mday:02d}/{MONTHS[now.tm_mon - 1]}/{now.tm_year}:{clock}."
        # A clock's whole milliseconds are no exact floats: half a microsecond keeps 0.605 from becoming 604.
        milliseconds = int((at - second) * 1000.0 + 0.0005)
        if milliseconds >= 100:
            return self.rendered + str(milliseconds)
        return self.rendered + ("0" if milliseconds >= 10 else "00") + str(milliseconds)


class HttpLog(AccessLog):
    """`option httplog` of one frontend."""

    def __init__(self, syslog: Syslog, config: model.Frontend) -> None:
        self.syslog = syslog
        self.targets: list[Target] = [syslog.target(target) for target in config.logs]
        self.calendar = Calendar()

    def write(self, record: Record) -> None:
        """Formats one line and keeps it for the burst."""
        self.syslog.keep(self.targets, model.ERR if record.is_raised else model.INFO, self.line(record))

    def line(self, record: Record) -> bytes:
        """The line without header and line end."""
        flags = chr(record.cause) + chr(record.phase) + chr(record.cookie_in) + chr(record.cookie_out)
        redispatched = "+" if record.is_redispatched else ""
        text = (
            f"{record.client_host}:{record.client_port} [{self.calendar.date(record.accepted_at)}] "
            f"{record.frontend_name} {record.backend_name}/{record.server_name} "
            f"{record.tr_ms}/{record.tw_ms}/{record.tc_ms}/{record.resp_ms}/{record.ta_ms} "
            f"{record.status} {record.bytes_read} - - {flags} "
            f"{record.act}/{record.fe}/{record.be}/{record.srv}/{redispatched}{record.retries} "
            f'{record.srv_queue}/{record.be_queue} "'
        )
        return text.encode() + (escaped(record.request_line) if record.request_line else BAD_REQUEST) + b'"'


class ConnectLog(AccessLog):
    """HAProxy's default line, without any `option` that names a format: one for each request, bad ones left out."""

    def __init__(self, syslog: Syslog, config: model.Frontend) -> None:
        self.syslog = syslog
        self.targets: list[Target] = [syslog.target(target) for target in config.logs]

    def write(self, record: Record) -> None:
        """Formats one line and keeps it for the burst; what was no request is not told in this form."""
        if record.request_line:
            self.syslog.keep(self.targets, model.INFO, self.line(record))

    def line(self, record: Record) -> bytes:
        """The line without header and line end."""
        return (
            f"Connect from {record.client_host}:{record.client_port} to {record.bind_host}:{record.bind_port} "
            f"({record.frontend_name}/HTTP)"
        ).encode()


def access_log(syslog: Syslog, config: model.Frontend) -> AccessLog | None:
    """The log of one frontend, None where nothing is to be logged: then nothing is formatted either."""
    if not config.logs or config.log_format == "none":
        return None
    return HttpLog(syslog, config) if config.log_format == "http" else ConnectLog(syslog, config)
