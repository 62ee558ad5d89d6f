"""Request and response heads: each octet is looked at once, what is forwarded is kept as runs of the received bytes.

Parsing refuses everything outside RFC 9112's grammar: ill-formed start lines and hosts, differing lengths, codings other than
one final `chunked`. Nothing is normalised silently: what is accepted is forwarded as received, less the hop-by-hop lines.

`error` is 0 or the status that refuses the message (for a response: any non-zero value means 502).
"""

from typing import Final

from mypy_extensions import i64

from balancer.http.cookies import is_set_cookie_of, with_server_value, without_cookie_lines, without_prefix_lines
from balancer.http.fields import (
    AUTHENTICATE_FIELD,
    CACHE_CONTROL_FIELD,
    CODING_FIELD,
    CONNECTION_FIELD,
    COOKIE_FIELD,
    DROPPED_FIELD,
    EXPECT_FIELD,
    HOST_FIELD,
    LENGTH_FIELD,
    SET_COOKIE_FIELD,
    SHADOW_FIELD,
    UPGRADE_FIELD,
    WEBSOCKET_ACCEPT_FIELD,
    WEBSOCKET_KEY_FIELD,
)
from balancer.http.host import is_host
from balancer.http.leaves import find_end, span
from balancer.http.message import Head, first_element, list_elements, remove_lines, skip_empty_lines
from balancer.http.octets import CLASS, FIELD, TARGET, TCHAR
from balancer.http.scan import CR, FORBIDDEN, INCOMPLETE, LF, SP

__all__ = [
    "FORBIDDEN",
    "INCOMPLETE",
    "RequestHead",
    "ResponseHead",
    "find_end",
    "line_error",
    "list_elements",
    "remove_lines",
    "skip_empty_lines",
]

VERSION_LENGTH: Final = len(b" HTTP/1.1")

# The kinds of fields that each sort of head looks at, as bits.
REQUEST_KINDS: Final = (
    1 << HOST_FIELD
    | 1 << CONNECTION_FIELD
    | 1 << LENGTH_FIELD
    | 1 << CODING_FIELD
    | 1 << COOKIE_FIELD
    | 1 << UPGRADE_FIELD
    | 1 << EXPECT_FIELD
    | 1 << WEBSOCKET_KEY_FIELD
    | 1 << SHADOW_FIELD
)
REQUEST_DROPPED: Final = 1 << CONNECTION_FIELD | 1 << CODING_FIELD | 1 << UPGRADE_FIELD | 1 << DROPPED_FIELD
RESPONSE_KINDS: Final = (
    1 << CONNECTION_FIELD
    | 1 << LENGTH_FIELD
    | 1 << CODING_FIELD
    | 1 << SET_COOKIE_FIELD
    | 1 << CACHE_CONTROL_FIELD
    | 1 << UPGRADE_FIELD
    | 1 << WEBSOCKET_ACCEPT_FIELD
    | 1 << AUTHENTICATE_FIELD
)
RESPONSE_DROPPED: Final = 1 << CONNECTION_FIELD | 1 << CODING_FIELD | 1 << DROPPED_FIELD


class RequestHead(Head):
    """One request head: data[start:end], the empty line included."""

    def __init__(self, data: bytes, start: int, end: int, field_count_max: int) -> None:
        super().__init__(data, start, end)
        self.method: bytes = b""
        self.target: bytes = b""
        self.line_end: int = start  # the request line is data[start:line_end]
        self.host: bytes = b""
        self.has_host: bool = False
        self.host_replaced: bool = False
        self.cookies: list[bytes] = []
        self.expects_continue: bool = False
        self.websocket_key: bytes = b""
        self._request_line()
        if not self.error:
            # The host of an absolute target replaces Host (RFC 9112 3.2.2).
            replaced = 1 << HOST_FIELD if self.host_replaced else 0
            self._scan_fields(self.line_end + 2, field_count_max, REQUEST_KINDS, REQUEST_DROPPED | replaced)
        if not self.error:
            self._judge()

    def request_line(self) -> bytes:
        """The line as received, for the log."""
        return self.data[self.start : self.line_end]

    def target_sent(self) -> bytes:
        """The target as received, where `target` is only the path of an absolute one; without the port of its scheme."""
        target = self.data[self.start + len(self.method) + 1 : self.line_end - VERSION_LENGTH]
        if not self.host_replaced:
            return target
        begin = target.find(b"://") + 3
        return target[:begin] + self._host_without_port() + target[begin + len(self.host) :]

    def field_element(self, name: bytes) -> bytes:
        """The first list element of the first field of this lower-case name, b"" where there is none."""
        if self.host_replaced and name == b"host":
            return self._host_without_port()
        return first_element(self.data, self.line_end + 2, self.end - 2, name)

    def _host_without_port(self) -> bytes:
        """The authority of an absolute target without the port that its scheme has anyway (RFC 9110 4.2.3)."""
        begin = self.start + len(self.method) + 1
        port = b":443" if self.data[begin : begin + 5].lower() == b"https" else b":80"
        return self.host.removesuffix(port)

    def wants_close(self) -> bool:
        """Whether the client's connection ends after this request."""
        if self.minor == 0:
            return not self.says_keep_alive or self.says_close
        return self.says_close

    def wants_upgrade(self) -> bool:
        """Whether an Upgrade may be passed on."""
        return bool(self.upgrade)

    def log_octets(self) -> int:
        """The head's size as HAProxy's `bin` counts it."""
        # The line without its two blanks, whose target may be an absolute one.
        return 20 + self.line_end - self.start - 2 + self.field_octets + 1

    def forwarded(self, fallback_host: bytes, cut_cookie: bytes, added: bytes = b"") -> bytes:
        """The head for the server, with `added` field lines behind the client's.

        `cut_cookie` names the cookie to be removed (`indirect`), b"" for none.
        """
        parts: list[bytes] = []
        if self.minor == 1 and not self.host_replaced:
            parts.append(self.data[self.start : self.line_end + 2])
        else:
            parts.append(b"%s %s HTTP/1.1\r\n" % (self.method, self.target))
        if self.host_replaced:
            parts.append(b"host: %s\r\n" % self.host)
        elif not self.has_host:
            parts.append(b"host: %s\r\n" % fallback_host)
        if cut_cookie and self.cookies:
            parts.append(without_cookie_lines(b"".join(self.kept), cut_cookie))
        else:
            parts.extend(self.kept)
        if self.adds_length:
            parts.append(b"content-length: %d\r\n" % self.content_length)
        if added:
            parts.append(added)
        if self.upgrade:
            parts.append(b"upgrade: %s\r\nconnection: Upgrade\r\n" % self.upgrade)
        parts.append(b"\r\n")
        return b"".join(parts)

    def hide_prefix(self, cookie: bytes) -> None:
        """What is forwarded shows the server the application's own value of that cookie alone (`cookie NAME prefix`)."""
        self.kept = [without_prefix_lines(b"".join(self.kept), cookie)]

    def _request_line(self) -> None:
        data = self.data
        classes = CLASS
        i: i64 = self.start
        begin: i64 = i
        while classes[data[i]] & TCHAR:
            i += 1
        if i == begin or data[i] != SP:
            self.error = 400
            return
        self.method = data[begin:i]
        i += 1
        begin = i
        i = span(data, int(i), classes, TARGET)
        if i == begin or data[i] != SP or data[i + 1 : i + 8] != b"HTTP/1.":
            self.error = 400
            return
        self.target = data[begin:i]
        i += 8
        minor: i64 = data[i] - 48
        if (minor != 0 and minor != 1) or data[i + 1] != CR or data[i + 2] != LF:
            self.error = 400
            return
        self.minor = int(minor)
        self.line_end = int(i + 1)
        if data[begin] != 47 or self.method == b"CONNECT":
            self._unusual_target()

    def _unusual_target(self) -> None:
        """absolute-form, asterisk-form; CONNECT is not served."""
        if self.method == b"CONNECT":
            self.error = 501
            return
        if self.target == b"*":
            if self.method != b"OPTIONS":
                self.error = 400
            return
        scheme_end = self.target.find(b"://")
        if scheme_end < 0 or self.target[:scheme_end].lower() not in (b"http", b"https"):
            self.error = 400
            return
        rest = self.target[scheme_end + 3 :]
        end = len(rest)
        for delimiter in (b"/", b"?"):
            at = rest.find(delimiter)
            if 0 <= at < end:
                end = at
        authority = rest[:end]
        if not authority or b"@" in authority or not is_host(authority):
            self.error = 400
            return
        path = rest[end:]
        if not path.startswith(b"/"):
            path = b"*" if self.method == b"OPTIONS" and not path else b"/" + path
        self.target = path
        self.host = authority
        self.host_replaced = True

    def _field(self, kind: int, value: bytes) -> None:
        if kind == COOKIE_FIELD:
            self.cookies.append(value)
        elif kind == HOST_FIELD:
            if self.has_host or not is_host(value):
                self.error = 400
                return
            self.has_host = True
            if not self.host_replaced:
                self.host = value
        elif kind == CONNECTION_FIELD:
            self._take_connection(value)
        elif kind == LENGTH_FIELD:
            self._length(value)
        elif kind == CODING_FIELD:
            self._coding(value)
        elif kind == UPGRADE_FIELD:
            # Written afresh where it may be passed on.
            self.upgrade = value if not self.upgrade else self.upgrade + b", " + value
        elif kind == EXPECT_FIELD:
            self.expects_continue = value.lower() == b"100-continue"
        elif kind == WEBSOCKET_KEY_FIELD:
            self.websocket_key = value
        else:
            assert kind == SHADOW_FIELD
            self.error = 400

    def _coding(self, value: bytes) -> None:
        """Only one final `chunked`; another coding is 501, all else 400 (RFC 9112 6.1)."""
        elements = list_elements(value)
        if self.minor == 0 or self.has_coding or not elements:
            self.error = 400
        elif elements != [b"chunked"]:
            known = elements[-1] == b"chunked" and elements.count(b"chunked") == 1
            self.error = 501 if known else 400
        self.has_coding = True
        self.is_chunked = True
        # Written afresh: neither the empty element of `chunked,` nor a blank behind it, which llhttp refuses, is passed on.
        self.kept.append(b"transfer-encoding: chunked\r\n")

    def _judge(self) -> None:
        if self.minor == 1 and not self.has_host:
            self.error = 400
            return
        if self.upgrade:
            protocols = list_elements(self.upgrade)
            if self.minor == 0 or b"upgrade" not in self.nominated or b"h2c" in protocols or not protocols:
                self.upgrade = b""
            elif protocols == [b"websocket"] and not self.websocket_key:
                self.error = 400


def line_error(data: bytes, start: int) -> int:
    """The status that refuses the request line from `start`; 0 for a good one, INCOMPLETE while its end has not come."""
    end = data.find(b"\n", start)
    if end < 0:
        return INCOMPLETE
    line = data[start : end + 1] + b"host: h\r\n\r\n"
    return RequestHead(line, 0, len(line), 1).error


class ResponseHead(Head):
    """One response head: data[start:end], the empty line included.

    `own_cookie` is the name of the backend's cookie: a server's own Set-Cookie of that name is noted, and dropped unless
    `preserve`. b"" for none.
    """

    def __init__(self, data: bytes, start: int, end: int, field_count_max: int, own_cookie: bytes, preserve: bool) -> None:
        super().__init__(data, start, end)
        self.status: int = 0
        self.reason: bytes = b""
        self.own_cookie = own_cookie
        self.preserve = preserve
        self.has_own_cookie: bool = False
        self.cache_control: list[bytes] = []
        self.websocket_accept: bytes = b""
        self.is_connection_bound: bool = False  # NTLM or Negotiate: the connection carries one user's identity
        self._status_line()
        if not self.error:
            dropped = RESPONSE_DROPPED
            if self.status < 200:
                dropped |= 1 << LENGTH_FIELD  # 1xx must not carry one (RFC 9110 8.6)
            if self.status != 101 and self.status != 426:
                dropped |= 1 << UPGRADE_FIELD  # those two say what to upgrade to (RFC 9110 15.5.22)
            self._scan_fields(self.fields_begin, field_count_max, RESPONSE_KINDS, dropped)
            if self.has_own_cookie and not preserve and not self.error:
                self.drop_own_cookie()

    def keeps_alive(self, method: bytes) -> bool:
        """Whether the server lets its connection be used again after an answer to that method.

        After anything but GET and HEAD silence is doubt: Swazoo closes then without a word, and what crosses the close is lost.
        """
        if self.minor == 0 or (method != b"GET" and method != b"HEAD"):
            return self.says_keep_alive and not self.says_close
        return not self.says_close

    def log_octets(self) -> int:
        """The head's size as HAProxy's log counts it."""
        return 20 + 8 + 3 + len(self.reason) + self.field_octets + 1

    def forbids_storing(self) -> bool:
        """Whether the server itself says, without field names, private or no-store."""
        for value in self.cache_control:
            lowered = value.lower()
            if b"private" not in lowered and b"no-store" not in lowered:
                continue
            for directive in list_elements(value):
                if directive in (b"private", b"no-store"):
                    return True
        return False

    def drop_own_cookie(self) -> None:
        """Drops the server's own Set-Cookie lines of the backend's cookie."""
        self._edit_own_cookie(None, False)

    def rewrite_own_cookie(self, server: bytes, is_prefix: bool) -> None:
        """Puts the server's value in place of the application's, or with `~` before it."""
        self._edit_own_cookie(server, is_prefix)

    def _edit_own_cookie(self, server: bytes | None, is_prefix: bool) -> None:
        kept: list[bytes] = []
        for line in b"".join(self.kept).split(b"\r\n"):
            if line[:11].lower() == b"set-cookie:" and is_set_cookie_of(line[11:], self.own_cookie):
                if server is None:
                    continue
                line = line[:11] + with_server_value(line[11:], server, is_prefix)
            if line:
                kept.append(line + b"\r\n")
        self.kept = [b"".join(kept)]

    def _status_line(self) -> None:
        data = self.data
        i: i64 = self.start
        if data[i : i + 7] != b"HTTP/1.":
            self.error = 502
            return
        minor: i64 = data[i + 7] - 48
        i += 8
        if (minor != 0 and minor != 1) or data[i] != SP:
            self.error = 502
            return
        self.minor = int(minor)
        i += 1
        status: i64 = 0
        digits: i64 = 0
        while digits < 3:
            octet: i64 = data[i]
            if octet < 48 or octet > 57:
                self.error = 502
                return
            status = status * 10 + octet - 48
            i += 1
            digits += 1
        if status < 100 or status > 999:
            self.error = 502
            return
        self.status = int(status)
        # The SP before an empty reason is often left out (RFC 9112 4).
        if data[i] == SP:
            i += 1
            begin: i64 = i
            i = span(data, int(i), CLASS, FIELD)
            self.reason = data[begin:i]
        if data[i] != CR or data[i + 1] != LF:
            self.error = 502
            return
        self.fields_begin = int(i + 2)

    def _field(self, kind: int, value: bytes) -> None:
        if kind == LENGTH_FIELD:
            self._length(value)
        elif kind == SET_COOKIE_FIELD:
            if self.own_cookie and is_set_cookie_of(value, self.own_cookie):
                self.has_own_cookie = True
        elif kind == CACHE_CONTROL_FIELD:
            self.cache_control.append(value)
        elif kind == CONNECTION_FIELD:
            self._take_connection(value)
        elif kind == CODING_FIELD:
            elements = list_elements(value)
            if self.minor == 0 or self.has_coding or elements != [b"chunked"]:
                self.error = 502
            self.has_coding = True
            self.is_chunked = True  # written afresh by whoever knows the client's version
        elif kind == UPGRADE_FIELD:
            self.upgrade = value
        elif kind == WEBSOCKET_ACCEPT_FIELD:
            self.websocket_accept = value
        else:
            assert kind == AUTHENTICATE_FIELD
            scheme = value[:9].lower()
            self.is_connection_bound = self.is_connection_bound or scheme == b"negotiate" or scheme[:4] == b"ntlm"
