"""The lines of traffic: HAProxy's `httplog`, and its default line where that option is absent.

    ip:port [date.ms] frontend backend/server TR/Tw/Tc/Tr/Ta status bytes - - flags act/fe/be/srv/retries srvq/beq "request"

Escapes are HAProxy's: a quote, `#`, controls and octets above 126 become `#XX`, so a request can forge neither line nor field.
The date is rendered once a second. No object stands between the record and the octets that are sent.
"""

import time
from typing import Final

from balancer import model
from balancer.http.leaves import span
from balancer.http.octets import CLASS, LOGGED
from balancer.observe.syslog import MONTHS, Syslog, Target
from balancer.proxy.record import AccessLog, Record

BAD_REQUEST: Final = b"<BADREQ>"


# Small numbers with what follows them in a line: nearly all that a line holds are small.
COUNTED: Final = 1000
SLASHED: Final = [b"%d/" % n for n in range(COUNTED)]
SLASHED_PLUS: Final = [b"%d/+" % n for n in range(COUNTED)]
SPACED: Final = [b"%d " % n for n in range(COUNTED)]
QUOTED: Final = [b'%d "' % n for n in range(COUNTED)]
PADDED: Final = [b"%03d" % n for n in range(COUNTED)]


def number(value: int, rendered: list[bytes]) -> bytes:
    """A number with what follows it, from the table of the small ones."""
    if 0 <= value < COUNTED:
        return rendered[value]
    return b"%d%s" % (value, rendered[0][1:])


def escaped(text: bytes) -> bytes:
    """The octets that may stand between the quotes of a log line."""
    if span(text, 0, CLASS, LOGGED) == len(text):
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
        self.rendered: bytes = b""

    def date(self, at: float) -> str:
        """The date of `at`, seconds since the epoch."""
        self.turn_to(int(at))
        return (self.rendered + self.milliseconds(at)).decode()

    def turn_to(self, second: int) -> None:
        """Renders that second, once."""
        if second != self.second:
            self.second = second
            now = time.localtime(second)
            clock = f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
            self.rendered = f"{now.tm_mday:02d}/{MONTHS[now.tm_mon - 1]}/{now.tm_year}:{clock}.".encode()

    def milliseconds(self, at: float) -> bytes:
        """The three digits behind that second."""
        # A clock's whole milliseconds are no exact floats: half a microsecond keeps 0.605 from becoming 604.
        return PADDED[int((at - self.second) * 1000.0 + 0.0005)]


class HttpLog(AccessLog):
    """`option httplog` of one frontend."""

    def __init__(self, syslog: Syslog, config: model.Frontend) -> None:
        self.syslog = syslog
        self.targets: list[Target] = [syslog.target(target) for target in config.logs]
        self.calendar = Calendar()
        self.names: dict[str, dict[str, bytes]] = {}
        self.flags: dict[int, bytes] = {}

    def write(self, record: Record) -> None:
        """Formats one line and keeps it for the burst."""
        self.syslog.keep(self.targets, record.severity, self.line(record))

    def line(self, record: Record) -> bytes:
        """The line without header and line end."""
        calendar = self.calendar
        calendar.turn_to(int(record.accepted_at))
        return b"".join(
            [
                record.client or b"%s:%d [" % (record.client_host.encode(), record.client_port),
                calendar.rendered,
                calendar.milliseconds(record.accepted_at),
                self._names_of(record),
                number(record.tr_ms, SLASHED),
                number(record.tw_ms, SLASHED),
                number(record.tc_ms, SLASHED),
                number(record.resp_ms, SLASHED),
                number(record.ta_ms, SPACED),
                number(record.status, SPACED),
                number(record.bytes_read, SPACED),
                self._flags_of(record),
                number(record.act, SLASHED),
                number(record.fe, SLASHED),
                number(record.be, SLASHED),
                number(record.srv, SLASHED_PLUS if record.is_redispatched else SLASHED),
                number(record.retries, SPACED),
                number(record.srv_queue, SLASHED),
                number(record.be_queue, QUOTED),
                escaped(record.request_line) if record.request_line else BAD_REQUEST,
                b'"',
            ]
        )

    def _names_of(self, record: Record) -> bytes:
        """`] frontend backend/server `, made once for each pair; one frontend has but one name."""
        of_backend = self.names.get(record.backend_name)
        if of_backend is None:
            of_backend = self.names[record.backend_name] = {}
        found = of_backend.get(record.server_name)
        if found is None:
            found = f"] {record.frontend_name} {record.backend_name}/{record.server_name} ".encode()
            of_backend[record.server_name] = found
        return found

    def _flags_of(self, record: Record) -> bytes:
        """The two captures, which are empty, and the termination state; there are few hundred of these."""
        key = ((record.cause * 256 + record.phase) * 256 + record.cookie_in) * 256 + record.cookie_out
        found = self.flags.get(key)
        if found is None:
            found = b"- - %c%c%c%c " % (record.cause, record.phase, record.cookie_in, record.cookie_out)
            self.flags[key] = found
        return found


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
