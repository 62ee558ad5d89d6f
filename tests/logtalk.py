"""Formats of log lines, and conversations that meet every kind of line: one file for two programs.

Each format is a frontend of its own, with the same captures and rules behind it. What is never the same twice, times and
ports, is masked by the place where it stands in the format, so that all else is compared octet for octet.
"""

import re
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from running import wait_until
from sides import Side

NO_LINGER: Final = struct.pack("ii", 1, 0)

HEAD: Final = """
global
 nbthread 1
 log 127.0.0.1:@log@ len 4096 local0
defaults
 mode http
 log global
 timeout client 5s
 timeout http-request 150ms
 timeout http-keep-alive 5s
 timeout server 150ms
 timeout connect 400ms
 timeout queue 150ms
 timeout tarpit 100ms
 retries 0
"""
CAPTURES: Final = r"""
 capture request header X-Forwarded-For len 64
 capture request header User-Agent len 12
 capture cookie SES len 16
 capture response header Content-Length len 9
 capture response header X-Odd len 40
"""
RULES: Final = r"""
 declare capture request len 8
 declare capture response len 6
 http-request capture url,lower len 20
 http-request capture req.hdr(x-id) id 2
 http-response capture res.hdr(x-odd),length id 2
 http-request set-var(txn.who) req.hdr(x-who)
 http-request set-log-level silent if { path /silent }
 http-request deny if { path /deny }
 http-request return status 200 content-type text/plain string ok if { path /return }
 http-request redirect location /elsewhere if { path /moved }
 http-request tarpit if { path /tarpit }
 http-request set-src hdr_ip(x-forwarded-for,-1) if { path /sourced }
 http-request set-path /missing if { path /rewritten }
 http-request set-header X-Forwarded-For rewritten if { path /rewritten }
 http-response set-header X-Odd rewritten if { status 404 }
 use_backend down if { path /down }
 use_backend none if { path /none }
 use_backend sticky if { path /sticky }
 use_backend full if { path /full }
 default_backend app
"""
BACKENDS: Final = """
backend app
 server app1 127.0.0.1:{server}
backend sticky
 cookie S insert indirect
 server app1 127.0.0.1:{server} cookie one
backend down
 server dead 127.0.0.1:{dead}
backend none
backend full
 server app1 127.0.0.1:{server} maxconn 1
"""

# By name: the words of the section.
FORMATS: Final[dict[str, str]] = {
    "httplog": "option httplog",
    "clf": "option httplog clf",
    "tcplog": "option tcplog",
    "request": 'log-format "%HM|%HU|%HP|%HPO|%HQ|%HV|%r|%{+Q}r|%{+Q}HM|%{+Q}HU|%{+Q}HP|%{+Q}HPO|%{+Q}HQ|%{+Q}HV"',
    "captured": 'log-format "%hr|%hs|%hrl|%hsl|%{+Q}hr|%{+Q}hs|%{+Q}hrl|%{+Q}hsl|%CC|%CS|%{+Q}CC|%{+Q}CS"',
    "escaped": 'log-format "%{+E}hr %{+E,+Q}hs %{+E}CC %{+E}r %{+E}[capture.req.hdr(0)] %{+E,+Q}[capture.res.hdr(1)]"',
    "names": 'log-format "%f %ft %b %s %{+Q}f %{+Q}ft %{+Q}b %{+Q}s %ci %fi %si %{+Q}ci %{+X}ci %{+X}fi %{+X}si"',
    "back": 'log-format "si=%si bi=%bi end=%ts"',
    "numbers": 'log-format "%ST %B %U %ts %tsc %ac %fc %bc %sc %rc %sq %bq %{+Q}ST %{+Q}ts %{+Q}tsc %{+X}ST"',
    "counted": 'log-format "%lc %{+X}lc"',
    "samples": (
        'log-format "%[src] %[var(txn.who)] %{+Q}[var(txn.who),upper] %[capture.req.hdr(0)] %[capture.req.hdr(2)]'
        " %[capture.req.hdr(9)] %[capture.res.hdr(0)] %[capture.res.hdr(2)] %[capture.req.method] %[capture.req.uri]"
        ' %[capture.req.ver] %[capture.res.ver] %[status] %[be_name] %[srv_name] %[srv_id] %[fe_name] %[http_first_req]"'
    ),
    "converted": 'log-format "%[capture.req.uri,length,add(1)] %[capture.req.hdr(0),json] %[method,lower] %[str(a b),hex]"',
    "spaces": 'log-format "  a   b %% %%{x}  c%%d %{+Q}o  %ST  %f "',
    "global": 'log-format "%{+Q}o %f %ST %b %{-Q}s %s"',
    "early": 'log-format "%ci %ST %HM %s"',
    "asap": 'option logasap\n log-format "%ST %B %U %tsc %[capture.res.hdr(0)] %CC %CS"',
    "asap_http": "option httplog\n option logasap",
    "asap_normal": "option httplog\n option logasap\n option dontlog-normal",
    "errors": 'log-format "fine %ST %f"\n error-log-format "bad %ST %tsc %HM %HU %r %b/%s"',
    "error_only": 'option httplog\n error-log-format "bad %ST %tsc %r"',
    "normal": "option httplog\n option dontlog-normal",
    "raised": "option httplog\n option log-separate-errors",
    "null": "option httplog\n option dontlognull",
    "probes": "option httplog\n option http-ignore-probes",
    "identified": (
        'unique-id-format "%{+X}o-%ci:%fi-%HM-%[path]-%[req.hdr(x-id)]-end"\n unique-id-header X-Unique\n'
        ' log-format "%ID %{+Q}ID"'
    ),
    "identity_logged": 'unique-id-format "a-%HM"\n log-format "%ID"',
    "timers": 'log-format "%Th/%Ti/%TR/%Tq/%Tw/%Tc/%Tr/%Td/%Ta/%Tt/%Tu"',
    "dates": 'log-format "%t|%tr|%trg|%trl|%T|%Tl|%Ts|%ms|%{+X}Ts|%{+X}ms|%{+Q}t|%{+Q}tr|%{+Q}T|%{+Q}Tl"',
    "process": 'log-format "%H %pid %rt %{+X}pid %{+X}rt %{+Q}H"',
    "ssl": 'log-format "%sslc %sslv %{+Q}sslc"',
}


def template(server: int, dead: int) -> str:
    """The file; each format has its frontend, named as it is and with all captures, and one more without any."""
    parts = [HEAD]
    for name, words in FORMATS.items():
        parts.append(f"frontend {name}\n bind 127.0.0.1:@{name}@\n {words}{CAPTURES}{RULES}")
    parts.append('frontend bare\n bind 127.0.0.1:@bare@\n log-format "%hr %hs x %hrl %hsl %CC %CS %r"\n default_backend app\n')
    parts.append("frontend plain\n bind 127.0.0.1:@plain@\n default_backend app\n")
    text = "".join(parts) + BACKENDS.format(server=server, dead=dead)
    return re.sub(r"@(\w+)@", r"{\1}", text.replace("{", "{{").replace("}", "}}"))


MARKER: Final = "plain"
SECTIONS: Final = [*FORMATS, "bare", MARKER]


@dataclass(frozen=True)
class Conversation:
    """What a client says, on one connection; `end` is "", "fin", "reset" or "wait" (for the end of the program's patience)."""

    octets: bytes
    end: str = ""


def _get(target: bytes, *lines: bytes, version: bytes = b"1.1") -> bytes:
    fields = b"".join([line + b"\r\n" for line in (*lines, b"Connection: close")])
    return b"GET %s HTTP/%s\r\nHost: h.example\r\n%s\r\n" % (target, version, fields)


ODD: Final = bytes(octet for octet in range(1, 256) if octet not in (9, 10, 13, 32) and not octet < 32 and octet != 127)
VISITOR: Final = (
    b"X-Forwarded-For: 203.0.113.7",
    b"X-Forwarded-For: 203.0.113.8, 10.0.0.1",
    b'User-Agent: Mozilla/5.0 ("odd"; {b|c} #1) \\ ]',
    b"Cookie: a=b; SESSION=abc-x; SES=second",
    b"X-Id: an-identity",
    b"X-Who: a b",
)
CONVERSATIONS: Final[dict[str, Conversation]] = {
    "plain": Conversation(_get(b"/")),
    "visitor": Conversation(_get(b"/", *VISITOR)),
    "query": Conversation(_get(b"/a/b?c=d&e=f?g", *VISITOR)),
    "absolute": Conversation(_get(b"http://h.example/x/y?z", *VISITOR)),
    "absolute_bare": Conversation(_get(b"http://h.example", *VISITOR)),
    "star": Conversation(b"OPTIONS * HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
    "old": Conversation(_get(b"/old", version=b"1.0")),
    "post": Conversation(b"POST /p HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"),
    "head": Conversation(b"HEAD /h HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"),
    "missing": Conversation(_get(b"/missing", *VISITOR)),
    "fault": Conversation(_get(b"/fault")),
    "odd": Conversation(_get(b'/q"uo{t}e|d\\]?"', b"X-Forwarded-For: \t " + ODD, b"User-Agent: \x80\xff\xc3\xa9")),
    "odd_cookie": Conversation(_get(b"/", b"Cookie: SES = spaced ; SES2=x")),
    "empty_capture": Conversation(_get(b"/", b"X-Forwarded-For:", b"User-Agent:  ")),
    "long": Conversation(_get(b"/" + b"l" * 300, b"X-Forwarded-For: " + b"f" * 100, b"Cookie: SES=" + b"s" * 100)),
    "cookies": Conversation(_get(b"/cookies", b"Cookie: SES=one", b"X-Set: SESS=two; path=/", b"X-Set: SES=three")),
    "own": Conversation(_get(b"/own", b"Cookie: x")),
    "chunked": Conversation(_get(b"/chunked")),
    "hints": Conversation(_get(b"/hints")),
    "sticky": Conversation(_get(b"/sticky")),
    "sticky_valid": Conversation(_get(b"/sticky", b"Cookie: S=one")),
    "deny": Conversation(_get(b"/deny", *VISITOR)),
    "return": Conversation(_get(b"/return", *VISITOR)),
    "moved": Conversation(_get(b"/moved", *VISITOR)),
    "tarpit": Conversation(_get(b"/tarpit", *VISITOR)),
    "rewritten": Conversation(_get(b"/rewritten", *VISITOR)),
    "down": Conversation(_get(b"/down", *VISITOR)),
    "none": Conversation(_get(b"/none", *VISITOR)),
    "hang": Conversation(_get(b"/hang", *VISITOR)),
    "close": Conversation(_get(b"/close", *VISITOR)),
    "garbage": Conversation(_get(b"/garbage", *VISITOR)),
    "truncated": Conversation(_get(b"/truncated", *VISITOR)),
    "stall": Conversation(_get(b"/stall", *VISITOR)),
    "bad": Conversation(b"GET /\x80 HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n\r\n"),
    "bad_line": Conversation(b"\x01\x02 nonsense\r\n\r\n"),
    "half": Conversation(b"GET / HTTP/1.1\r\nHost: h\r\n", "fin"),
    "late": Conversation(b"GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1\r\n", "wait"),
    "nothing": Conversation(b"", "fin"),
    "nothing_late": Conversation(b"", "wait"),
    "nothing_reset": Conversation(b"", "reset"),
    "two": Conversation(
        _get(b"/", b"X-Forwarded-For: first").replace(b"Connection: close\r\n", b"")
        + _get(b"/missing", b"X-Forwarded-For: second")
    ),
    "sourced": Conversation(
        _get(b"/sourced", b"X-Forwarded-For: 203.0.113.7").replace(b"Connection: close\r\n", b"")
        + _get(b"/sourced", b"X-Forwarded-For: 203.0.113.8").replace(b"Connection: close\r\n", b"")
        + _get(b"/", b"X-Forwarded-For: 203.0.113.9")
    ),
    "short_body": Conversation(b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhello", "fin"),
    "silent": Conversation(_get(b"/silent")),
}


# Conversations whose line depends on the moment, or whose timers HAProxy counts in a way of its own, and where they are held.
# A path that is none (`*`) is a matter of the fetch.
ONLY: Final[dict[str, tuple[str, ...]]] = {
    "star": ("request", "captured", "numbers"),
    "tarpit": ("captured", "numbers", "samples", "request", "errors"),
    "nothing_reset": ("null", "probes"),
    "short_body": ("captured", "request", "identified"),
    "absolute_bare": ("request", "captured", "samples"),
}
# Formats whose numbers are never the same twice; of the others only what stands between slashes is masked.
NUMBERS: Final = ("clf", "timers", "process")


def meets(section: str, name: str) -> bool:
    """Whether the conversation of that name is held with that section."""
    return section in ONLY.get(name, (section,))


def calmed(section: str, line: str) -> str:
    """A line without times, ports and numbers of processes; -1 stays, for it says that a phase was not reached."""
    line = re.sub(r"(127\.0\.0\.1|203\.0\.113\.\d+):\d+", r"\1:PORT", line)
    line = re.sub(r"\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d(\.\d{3})?( \+0000)?", "DATE", line)
    if section == "dates":
        return re.sub(r"(?<=\|)[0-9A-F]+(?=\|)", "N", line)
    if section in NUMBERS:
        return re.sub(r"(?<=[ />])(\+?)[0-9A-F]+(?=[ /]|$)", r"\1N", line)
    return re.sub(r"\b\d+(?=/)|(?<=/)(\+?)\d+\b", r"\1N", line)


def lines_of(side: Side, section: str, conversation: Conversation) -> list[str]:
    """What the program logs of a conversation, with priorities; the line of one more request tells when it has said all."""
    before = len(side.log.datagrams)
    _hold(side.ports[section], conversation)
    _hold(side.ports[MARKER], CONVERSATIONS["plain"])

    def is_marked() -> bool:
        return any(f"({MARKER}/HTTP)" in line for line in side.log.datagrams[before:])

    wait_until(is_marked, f"the line of the request that follows, of {side.name}")
    lines = [f"<{priority}>{text}" for priority, text in side.log.lines()[before:]]
    return [line for line in lines if f"({MARKER}/HTTP)" not in line]


def _hold(port: int, conversation: Conversation) -> None:
    """Says it, and reads until the program closes."""
    with socket.create_connection(("127.0.0.1", port), 5.0) as client:
        client.settimeout(5.0)
        if conversation.octets:
            client.sendall(conversation.octets)
        if conversation.end == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
            return
        if conversation.end == "fin":
            client.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            while client.recv(65536):
                pass
