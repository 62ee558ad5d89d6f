"""What a cookie means for one backend: which server it names, and which bytes are sent back.

The first value that names a usable server wins; unknown ones before or behind it are passed over. A value ends at `|`
(dates follow) or, in prefix mode, at `~` (the application's value follows). The letters are the third and fourth of the
termination state: N none, I invalid, D names a server that cannot be used, V valid, E idle for too long, O too old, U a rule
has decided instead; on the answer N nothing, I inserted, U the same with new dates, D the server's own was removed, R it was
rewritten, P it passed.
"""

from typing import Final

from balancer import model
from balancer.backend.cookiedates import BAR, UNIT_S, Dates, dates_in, encoded, is_past
from balancer.backend.server import Server
from balancer.http.cookies import TILDE, is_set_cookie_of
from balancer.http.leaves import cookie_values

NO_LETTER: Final = 0  # no cookie rule: the log shows -
NONE: Final = 78  # N
INVALID: Final = 73  # I
DOWN: Final = 68  # D
VALID: Final = 86  # V
EXPIRED: Final = 69  # E
OLD: Final = 79  # O
UNUSED: Final = 85  # U
INSERTED: Final = 73  # I
DELETED: Final = 68  # D
PRESERVED: Final = 80  # P
REWRITTEN: Final = 82  # R
UPDATED: Final = 85  # U

POST: Final = b"POST"
NOBODY: Final[list[Server]] = []
UNDATED: Final = Dates(0, 0)


class Verdict:
    """What the request's cookie said."""

    def __init__(self, server: Server | None, letter: int, dates: Dates | None) -> None:
        self.server = server
        self.letter = letter
        self.dates = dates


class Persistence:
    """The `cookie` line of one backend, with every Set-Cookie line it can produce made beforehand.

    `is_forced` is `option persist`: a cookie leads to its server even when that is down.
    """

    def __init__(self, rule: model.CookieRule, servers: list[Server], is_forced: bool = False) -> None:
        self.rule = rule
        self.name: bytes = rule.name
        self.inserts: bool = rule.mode == "insert"
        self.is_logged: bool = bool(rule.mode) or rule.indirect  # a mere name leaves the letters of the log away, as in HAProxy
        self.is_prefix: bool = rule.mode == "prefix"
        self.rewrites: bool = rule.mode in ("rewrite", "prefix")
        self.maxidle_s: int = rule.maxidle_s
        self.maxlife_s: int = rule.maxlife_s
        self.has_dates: bool = rule.maxidle_s > 0 or rule.maxlife_s > 0
        # Without `insert` the request keeps its cookie, and the answer loses its own only where a cookie led to the server.
        self.is_indirect: bool = rule.indirect
        self.indirect: bool = rule.indirect and self.inserts
        self.nocache: bool = rule.nocache
        self.postonly: bool = rule.postonly
        self.preserve: bool = rule.preserve
        self.keeps_own: bool = rule.preserve or not self.inserts  # the server's own Set-Cookie is not dropped unseen
        self.is_forced: bool = is_forced
        self.by_value: dict[bytes, Server] = {}
        self.twins: dict[bytes, list[Server]] = {}  # the others of one value, in order: the first usable one serves
        self.set_cookie_lines: dict[bytes, bytes] = {}
        for server in servers:
            if server.cookie is not None:
                if server.cookie in self.by_value:
                    self.twins.setdefault(server.cookie, []).append(server)
                else:
                    self.by_value[server.cookie] = server
                self.set_cookie_lines[server.cookie] = self._line(server.cookie)
        self.expire_line: bytes = b"set-cookie: %s=; Expires=Thu, 01-Jan-1970 00:00:01 GMT; path=/%s\r\n" % (
            rule.name,
            self._attributes(),
        )

    def _attributes(self) -> bytes:
        rule = self.rule
        parts: list[bytes] = []
        if rule.domains:
            parts.append(b"domain=" + b"; domain=".join(rule.domains))
        if rule.httponly:
            parts.append(b"HttpOnly")
        if rule.secure:
            parts.append(b"Secure")
        parts.extend(rule.attrs)
        return b"".join([b"; " + part for part in parts])

    def _line(self, value: bytes) -> bytes:
        return b"set-cookie: %s=%s; path=/%s\r\n" % (self.name, value, self._attributes())

    def judge(self, cookie_lines: list[bytes], wall_s: float = 0.0, is_forced: bool = False) -> Verdict:
        """Finds the server that the request's Cookie field values name; `wall_s` is the time since 1970.

        `is_forced`: even one that is down, as `option persist` has it for all requests.
        """
        letter: int = NONE
        dates: Dates | None = None
        for line in cookie_lines:
            for value in cookie_values(line, self.name):
                if self.is_prefix:
                    tilde = value.find(TILDE)
                    if tilde >= 0:
                        value = value[:tilde]
                else:
                    bar = -1 if value in self.by_value else value.find(BAR)
                    if bar >= 0:
                        dates = dates_in(value)
                        late = self._late(dates, int(wall_s))
                        if late != NONE:
                            letter = late
                            dates = None
                            continue
                        value = value[:bar]
                server = self.by_value.get(value)
                if server is None:
                    if letter == NONE:
                        letter = INVALID
                elif server.is_usable():
                    return Verdict(server, VALID, dates)
                elif self.is_forced or is_forced:
                    return Verdict(server, DOWN, dates)
                else:
                    letter = DOWN
                    for twin in self.twins.get(value, NOBODY):
                        if twin.is_usable():
                            return Verdict(twin, VALID, dates)
        return Verdict(None, letter, dates)

    def _late(self, dates: Dates, now_s: int) -> int:
        """The letter for a cookie that is too old or was idle for too long, else NONE."""
        if self.maxlife_s and dates.first_s and is_past(dates.first_s, self.maxlife_s, now_s):
            return OLD
        if self.maxidle_s and dates.last_s and is_past(dates.last_s, self.maxidle_s, now_s):
            return EXPIRED
        return NONE

    def is_own(self, set_cookie_value: bytes) -> bool:
        """Whether a server's Set-Cookie field value sets this very cookie."""
        return is_set_cookie_of(set_cookie_value, self.name)

    def insertion(
        self, server: Server, method: bytes, bound_by: Server | None, dates: Dates | None = None, wall_s: float = 0.0
    ) -> bytes:
        """The Set-Cookie line for an answer of `server`, b"" where none is due.

        `bound_by` is the server that the cookie led to, None if it led to none; `dates` are those that stood in it.
        """
        if not self.inserts or (self.postonly and method != POST):
            return b""
        if bound_by is server and not (
            (self.has_dates or dates is not None) and self._is_renewed(dates or UNDATED, int(wall_s))
        ):
            return b""
        if server.cookie is None:
            return self.expire_line
        if self.has_dates:
            return self._line(server.cookie + self._suffix(dates, int(wall_s)))
        return self.set_cookie_lines[server.cookie]

    def _is_renewed(self, dates: Dates, now_s: int) -> bool:
        """Whether the dates of a valid cookie must be written anew: they have moved on, or are wanted no more, or not there."""
        if (self.maxidle_s or dates.last_s) and dates.last_s < now_s:
            return True
        return (dates.first_s == 0) if self.maxlife_s else dates.first_s != 0

    def _suffix(self, dates: Dates | None, now_s: int) -> bytes:
        """What follows the server's value: a new date is rounded up: it lies ahead until its four seconds are over."""
        now = encoded(now_s + UNIT_S - 1)
        if not self.maxlife_s:
            return BAR + now
        first = encoded(dates.first_s) if dates is not None and dates.first_s else now
        return BAR + now + BAR + first
