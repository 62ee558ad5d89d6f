"""What a cookie means for one backend: which server it names, and which bytes are sent back.

The first value that names a usable server wins; unknown ones before or behind it are passed over. A value ends at `|`
(the bar of HAProxy's date suffix). The letters are the third and fourth of the termination state: N none, I invalid,
D names a server that cannot be used, V valid; on the answer N nothing, I inserted, D the server's own was removed,
P the server's own was preserved.
"""

from typing import Final

from balancer import model
from balancer.backend.server import Server
from balancer.http.cookies import cookie_values, is_set_cookie_of

NONE: Final = 78  # N
INVALID: Final = 73  # I
DOWN: Final = 68  # D
VALID: Final = 86  # V
INSERTED: Final = 73  # I
DELETED: Final = 68  # D
PRESERVED: Final = 80  # P

BAR: Final = 124
POST: Final = b"POST"
NOBODY: Final[list[Server]] = []


class Verdict:
    """What the request's cookie said."""

    def __init__(self, server: Server | None, letter: int) -> None:
        self.server = server
        self.letter = letter


class Persistence:
    """The `cookie` line of one backend, with every Set-Cookie line it can produce made beforehand.

    `is_forced` is `option persist`: a cookie leads to its server even when that is down.
    """

    def __init__(self, rule: model.CookieRule, servers: list[Server], is_forced: bool = False) -> None:
        self.rule = rule
        self.name: bytes = rule.name
        self.indirect: bool = rule.indirect
        self.nocache: bool = rule.nocache
        self.postonly: bool = rule.postonly
        self.preserve: bool = rule.preserve
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

    def judge(self, cookie_lines: list[bytes]) -> Verdict:
        """Finds the server that the request's Cookie field values name."""
        letter: int = NONE
        for line in cookie_lines:
            for value in cookie_values(line, self.name):
                bar = value.find(b"|")
                if bar >= 0:
                    value = value[:bar]
                server = self.by_value.get(value)
                if server is None:
                    if letter == NONE:
                        letter = INVALID
                elif server.is_usable():
                    return Verdict(server, VALID)
                elif self.is_forced:
                    return Verdict(server, DOWN)
                else:
                    letter = DOWN
                    for twin in self.twins.get(value, NOBODY):
                        if twin.is_usable():
                            return Verdict(twin, VALID)
        return Verdict(None, letter)

    def is_own(self, set_cookie_value: bytes) -> bool:
        """Whether a server's Set-Cookie field value sets this very cookie."""
        return is_set_cookie_of(set_cookie_value, self.name)

    def insertion(self, server: Server, method: bytes, bound_by: Server | None) -> bytes:
        """The Set-Cookie line for an answer of `server`, b"" where none is due.

        `bound_by` is the server that a valid cookie named, None if there was none.
        """
        if bound_by is server or (self.postonly and method != POST):
            return b""
        if server.cookie is None:
            return self.expire_line
        return self.set_cookie_lines[server.cookie]
