"""The persistence cookie in all its modes beside Debian's haproxy: the same octets reach the server and the client.

The server answers with the Cookie lines that came as its body, and sets what the request's X-Set lines say. A row is compared
whole: status, both kinds of lines octet by octet, server and flags of the log. Dates stand in rows as `<now>`, `<-30s>` and are
read back in the same way, a few seconds either way being now.
"""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from peers import find_peer, require_peer
from sides import ScriptedServer, Side, side

from balancer.backend.cookiedates import decoded, encoded

SECTIONS: Final[dict[str, str]] = {
    "rewrite": "cookie S rewrite",
    "rewrite_other": "cookie S rewrite nocache postonly secure",
    "prefix": "cookie S prefix",
    "prefix_indirect": "cookie S prefix indirect",
    "observe": "cookie S",
    "observe_indirect": "cookie S indirect",
    "observe_preserve": "cookie S indirect preserve",
    "insert": "cookie S insert",
    "indirect": "cookie S insert indirect preserve",
    "maxidle": "cookie S insert maxidle 60",
    "maxlife": "cookie S insert indirect maxlife 1h",
    "both": "cookie S insert maxidle 1m maxlife 1h httponly secure domain .a.b attr SameSite=Lax",
    "dated_rewrite": "cookie S rewrite maxidle 60 maxlife 3600",
    "dynamic": "dynamic-cookie-key key\n cookie S insert dynamic",
    "dynamic_long": "cookie S insert dynamic\n dynamic-cookie-key a-long-key-of-more-than-thirty-two-octets-0123456789",
}
SERVERS: Final = """
 server app1 127.0.0.1:{alive} cookie one
 server app2 127.0.0.1:{alive} cookie two backup
 server app3 127.0.0.1:{alive} cookie three disabled
"""
HEAD: Final = """
global
 log 127.0.0.1:{{log}} local0
defaults
 log global
 mode http
 option httplog
 timeout connect 1s
 timeout client 5s
 timeout server 5s
"""
PLAIN: Final = (
    "",
    "S=one",
    "S=two; S=one",
    "S=nobody",
    "S=three",
    "S=",
    'S="one"',
    "a=b; S=one; c=d",
    "S=one~app",
    "a=b; S = two~x=y~z ; S=~; c=d",
    "S=nobody~own, S=one~own",
    "S=three~own",
    "S=one~",
    "S=~one",
    "S=one|AAAAA",
    "S=two|<now>",
)
DATED: Final = (
    *("", "S=one", "S=one|<now>", "S=one|<-30s>", "S=one|<-90s>", "S=one|<30s>", "S=one|<90000s>", "S=one|short", "S=one|"),
    *("S=one|<-30s>|<-90s>", "S=one|<now>|<-90s>", "S=one|<now>|<-4000s>", "S=one|<-90s>|<-30s>", "S=one|<-90s>|<-4000s>"),
    *("S=one|<now>|<90000s>", "S=two|<-90s>; S=one|<-30s>", "S=one|!!!!!|<-90s>", "S=three|<-30s>", "S=nobody|<-30s>"),
    *("S=one|<-90s>; S=nobody", "S=one|AAAAA|AAAAA", "S=two|<now>|<-90s>x", "S=one|<now>x|<-90s>"),
)
SETS: Final = ((), ("S=own",), (" S = own ; path=/; S=x", "a=b"), ("S=", "S=again"), ('S="a;b"; Secure',), ("s=own",), ("S",))


def rows() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Section, Cookie line, what the server sets."""
    for section in SECTIONS:
        if section in ("maxidle", "maxlife", "both", "dated_rewrite", "insert"):
            yield from ((section, cookie, ()) for cookie in DATED)
        if not section.startswith(("max", "both", "dynamic")):
            yield from ((section, cookie, ("S=own; path=/",)) for cookie in PLAIN)
            yield from ((section, cookie, sets) for sets in SETS for cookie in ("", "S=one"))
        elif section.startswith("dynamic"):
            yield from ((section, cookie, ()) for cookie in ("", "S=one", "S=two"))


def with_dates(text: str, now_s: int) -> str:
    """The five characters in place of <now> and <-30s>."""
    found = re.sub(r"<(-?\d+)s>", lambda match: encoded(now_s + int(match[1])).decode(), text)
    return found.replace("<now>", encoded(now_s + 3).decode())


def without_dates(text: str, now_s: int) -> str:
    """The same text with the dates named again, to the nearest half minute."""

    def name(match: re.Match[str]) -> str:
        ahead_s = decoded(match[1].encode()) - now_s
        nearest_s = round(ahead_s / 30) * 30
        return "|<now>" if nearest_s == 0 else f"|<{nearest_s}s>" if abs(nearest_s) < 100_000 else match[0]

    # HAProxy takes blanks around `=` away; here what was sent passes (docs/differences.md).
    return re.sub(r"\|([A-Za-z0-9+/]{5})", name, re.sub(" *= *", "=", text))


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Side]]:
    """Both programs on the same text."""
    program = find_peer("haproxy") or require_peer("haproxy")
    folder: Path = tmp_path_factory.mktemp("sides")
    server = ScriptedServer()
    nameless = SERVERS.replace("cookie one", "")
    listens = "".join(
        f"listen {name}\n bind 127.0.0.1:{{{{{name}}}}}\n {words}{nameless if 'dynamic' in name else SERVERS}"
        for name, words in SECTIONS.items()
    )
    template = (HEAD + listens).format(alive=server.port)
    sections = list(SECTIONS)
    with (
        side("balancer", "", template, sections, folder) as ours,
        side("haproxy", program, template, sections, folder) as theirs,
    ):
        yield [ours, theirs]
    server.close()


ROWS: Final = list(rows())


@pytest.mark.parametrize("section", SECTIONS)
def test_the_same_octets_of_cookies_go_both_ways(sides: list[Side], section: str) -> None:
    differing = []
    for _, cookie, sets in (row for row in ROWS if row[0] == section):
        seen = []
        for one in sides:
            now_s = int(time.time())
            lines = [f"X-Set:{text}" for text in sets] + ([f"Cookie: {with_dates(cookie, now_s)}"] if cookie else [])
            request = "\r\n".join(["GET /cookies HTTP/1.1", "Host: a", "Connection: close", *lines, "", ""]).encode()
            answer = one.talk(section, request)
            assert answer.line is not None
            told = tuple(without_dates(text, now_s) for text in (*answer.cookies, answer.body.decode()))
            seen.append((answer.status, told, answer.line.server, answer.line.flags))
        if seen[0] != seen[1]:
            differing.append(f"{cookie!r} {sets}: ours {seen[0]}, HAProxy's {seen[1]}")
    assert not differing, "\n".join(differing)
