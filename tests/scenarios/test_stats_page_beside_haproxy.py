"""The statistics page and the exporter beside HAProxy's: same file, same requests; then ours in a real browser."""

import csv
import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Final

import pytest
from browser import browser
from peers import require_peer
from running import wait_until
from sides import ScriptedServer, Side, side

TEMPLATE: Final = """\
global
    log 127.0.0.1:{{log}} local0
    node lab
defaults
    mode http
    log global
    option httplog
    timeout connect 1s
    timeout client 5s
    timeout server 5s
    stats uri /inherited
    stats hide-version
listen app
    bind 127.0.0.1:{{app}}
    cookie SEASIDE insert
    stats uri /st
    stats auth ann:secret
    stats auth bob:x:y
    stats realm My\\ Realm
    server a 127.0.0.1:{server} cookie aa check
    server b 127.0.0.1:{server} cookie bb weight 0
    server c 127.0.0.1:{server} backup check
    server d 127.0.0.1:{server} maxconn 3 disabled
frontend f
    bind 127.0.0.1:{{f}}
    default_backend be
backend be
    stats uri /bestats
    stats scope app
    stats scope .
    stats admin if {{{{ src 10.0.0.1 }}}}
    server x 127.0.0.1:{server}
frontend denied
    bind 127.0.0.1:{{denied}}
    stats uri /
    stats http-request deny if LOCALHOST
frontend asked
    bind 127.0.0.1:{{asked}}
    stats uri /
    stats http-request auth realm Gate unless FALSE
frontend plain
    bind 127.0.0.1:{{plain}}
listen stats
    bind 127.0.0.1:{{stats}}
    http-request use-service prometheus-exporter if {{{{ path /metrics }}}}
    stats enable
    stats refresh 1s
    stats show-legends
    stats show-node
    stats show-desc A\\ farm
    stats admin if TRUE
"""
SECTIONS: Final = ["app", "f", "denied", "asked", "plain", "stats"]
URI: Final = "/haproxy?stats"
ANN: Final = {"Authorization": "Basic YW5uOnNlY3JldA=="}
BOB: Final = {"Authorization": "Basic Ym9iOng6eQ=="}


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    fields: dict[str, str]
    text: str

    def main(self) -> tuple[object, ...]:
        """What tools look at."""
        kind = self.fields.get("content-type", "").partition(";")[0]
        names = ("cache-control", "location", "www-authenticate")
        refresh = "" if kind == "text/html" else self.fields.get("refresh", "")
        return self.status, kind, refresh, *(self.fields.get(name, "") for name in names)


def ask(peer: Side, section: str, path: str, method: str = "GET", body: str | None = None, **headers: str) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", peer.ports[section], timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = connection.getresponse()
    reply = Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode())
    connection.close()
    return reply


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Side, Side]]:
    """Ours and HAProxy on the same text."""
    folder = tmp_path_factory.mktemp("stats")
    haproxy = require_peer("haproxy")
    server = ScriptedServer()
    template = TEMPLATE.format(server=server.port)
    with ExitStack() as stack:
        ours = stack.enter_context(side("balancer", haproxy, template, SECTIONS, folder))
        theirs = stack.enter_context(side("haproxy", haproxy, template, SECTIONS, folder))
        for peer in (ours, theirs):

            def is_checked(peer: Side = peer) -> bool:
                return table(ask(peer, "stats", URI + ";csv"))["app/a"]["check_status"] == "L4OK"

            wait_until(is_checked, peer.name)
        yield ours, theirs
    server.close()


def table(reply: Reply) -> dict[str, dict[str, str]]:
    """The rows of a CSV by their names."""
    rows = csv.DictReader(reply.text.removeprefix("# ").splitlines())
    return {f"{row['pxname']}/{row['svname']}": row for row in rows}


GETS: Final[tuple[tuple[str, str, dict[str, str]], ...]] = (
    *(
        ("stats", URI + rest, {})
        for rest in (
            "", ";norefresh", ";csv", ";csv;norefresh", "/;csv", "foo", ";up", ";no-maint", ";json", ";json-schema", ";st=DONE",
            ";scope=ap", "&scope=ap", ";csv;up", ";csv;no-maint",
        )
    ),
    ("stats", "/haproxy?stat", {}),
    ("stats", "/haproxy", {}),
    ("stats", "/metrics", {}),
    ("stats", "/metrics?scope=bogus", {}),
    ("stats", "/metrics?scope=", {}),
    ("app", "/st", {}),
    ("app", "/st;csv", ANN),
    ("app", "/st;csv", BOB),
    ("app", "/st", {"Authorization": "Basic YW5uOndyb25n"}),
    ("app", "/st", {"Authorization": "Bearer YW5uOnNlY3JldA=="}),
    ("app", "/st", {"Authorization": "Basic %%%"}),
    ("app", "/other", {}),
    ("app", "/inherited", {}),
    ("f", "/bestats;csv", {}),
    ("f", "/inherited;csv", {}),
    ("f", "/other", {}),
    ("plain", "/inherited;csv", {}),
    ("denied", "/", {}),
    ("asked", "/", ANN),
)  # fmt: skip


def test_requests_are_answered_alike(peers: tuple[Side, Side]) -> None:
    ours, theirs = peers
    for section, path, headers in GETS:
        one, other = (ask(peer, section, path, **headers) for peer in (ours, theirs))
        assert one.main() == other.main(), (section, path)
        if path.endswith("csv") and one.status == 200:
            assert one.text.partition("\n")[0] == other.text.partition("\n")[0]
            assert list(table(one)) == list(table(other)), path
            assert [row["status"] for row in table(one).values()] == [row["status"] for row in table(other).values()]
    for method in ("HEAD", "PUT", "OPTIONS"):
        assert ask(ours, "stats", URI, method).main()[0] == ask(theirs, "stats", URI, method).main()[0], method


def shape(text: str) -> dict[str, list[str]]:
    """What a scraper finds in a page."""
    rows = r'<tr class="([a-z_]+)">(?:<td>(?:<input[^>]*>)?</td>)?<td class=ac[^>]*>(?:<u>)?<a name="([^"]*)"'
    return {
        "rows": [f"{place} {name}" for name, place in re.findall(rows, text)],
        "titles": re.findall(r"<th>([A-Z][A-Za-z]*)</th>", text),
        "groups": re.findall(r"<th colspan=(\d+>[A-Z][a-z ]*)</th>", text),
        "boxes": re.findall(r"class='([^']*)' type=\"checkbox\" name=\"s\" value=\"([^\"]*)\"", text),
        "actions": re.findall(r'<option value="([a-z]*)">', text),
        "numbers": re.findall(r'<input type="hidden" name="b" value="([^"]*)">', text),
        "states": re.findall(r'<td class="([a-z_]+)">', text),
        "head": re.findall(r"<b>(pid|uptime|system limits|maxsock|maxconn|maxpipes)", text)
        + re.findall(r"idle = \d+ %", text)[:0],
        "proxies": re.findall(r'<a class=px href="#([^"]*)">', text),
        "legends": [
            unescape(each)
            for each in re.findall(r"<div class=tips>([^<]*)</div>", text)
            if ":" in each and "during" not in each
        ],
    }


def test_the_page_has_haproxys_structure(peers: tuple[Side, Side]) -> None:
    ours, theirs = peers
    for section, path, headers in (
        ("stats", URI, {}),
        ("stats", URI + ";up;scope=ap", {}),
        ("app", "/st", ANN),
        ("f", "/bestats", {}),
    ):
        one, other = (shape(ask(peer, section, path, **headers).text) for peer in (ours, theirs))
        for name, found in other.items():
            if name == "legends":  # addresses differ by nothing; ports are the same server's
                assert one[name] == found
            else:
                assert one[name] == found, (path, name)
    for text in (ask(ours, "stats", URI).text, ask(theirs, "stats", URI).text):
        assert re.search(r"Statistics Report for pid \d+ on lab: A farm", text)
        assert re.search(r"idle = \d+ %", text)


POSTS: Final = (
    ("app", "/st", "s=a&action=maint&b=app", ANN),
    ("app", "/st", "s=a&action=maint&b=app", {}),
    ("f", "/bestats", "s=a&action=maint&b=app", {}),
    *(
        ("stats", URI + rest, body, {})
        for rest, body in (
            ("", "s=a&action=maint&b=app"),
            (";up;norefresh;scope=ap", "s=a&action=ready&b=%232"),
            ("", "s=a&s=b&action=drain&b=app"),
            ("", "s=a&s=b&action=ready&b=app"),
            ("", "s=a&action=hdown&b=app"),
            ("", "s=a&action=hrunn&b=app"),
            ("", "s=a&action=hnolb&b=app"),
            ("", "s=a&action=hrunn&b=app"),
            ("", "s=a&action=dhlth&b=app"),
            ("", "s=b&action=dhlth&b=app"),
            ("", "s=a&action=ehlth&b=app"),
            ("", "s=a&action=adown&b=app"),
            ("", "s=a&action=stop&b=app"),
            ("", "s=a&action=start&b=app"),
            ("", "s=a&action=shutdown&b=app"),
            ("", "s=a&action=bogus&b=app"),
            ("", "s=nosuch&action=maint&b=app"),
            ("", "s=d&s=nosuch&action=ready&b=app"),
            ("", "s=d&action=maint&b=app"),
            ("", "s=a&action=maint&b=nosuch"),
            ("", "s=a&action=maint"),
            ("", "x=y"),
            ("", ""),
        )
    ),
)


def test_actions_change_the_same_servers(peers: tuple[Side, Side]) -> None:
    ours, _ = peers
    for section, path, body, headers in POSTS:
        one, other = (ask(peer, section, path, "POST", body, **headers) for peer in peers)
        assert one.main() == other.main(), body
        states = [
            {name: row["status"].partition(" ")[0] for name, row in table(ask(peer, "stats", URI + ";csv")).items()}
            for peer in peers
        ]
        assert states[0] == states[1], body
    assert (
        ask(ours, "stats", URI, "POST", "s=a&action=maint&b=app", Origin="http://evil.example")
        .fields["location"]
        .endswith("DENY")
    )
    assert (
        ask(ours, "stats", URI, "POST", "s=a&action=maint&b=app", Sec_Fetch_Site="cross-site")
        .fields["location"]
        .endswith("DENY")
    )
    assert table(ask(ours, "stats", URI + ";csv"))["app/a"]["status"] != "MAINT"


def test_the_log_tells_of_them_alike(peers: tuple[Side, Side]) -> None:
    requests: tuple[tuple[str, str, str, dict[str, str]], ...] = (
        ("app", "/st", "GET", ANN), ("stats", URI + ";csv", "GET", {}), ("stats", URI, "HEAD", {}), ("stats", URI, "POST", {}),
        ("f", "/bestats", "GET", {}), ("stats", "/metrics", "GET", {}), ("app", "/st", "GET", {}), ("denied", "/", "GET", {}),
    )  # fmt: skip
    seen = []
    for peer in peers:
        ask(peer, "app", "/the-last-one-before")
        peer.log.wait_for("/the-last-one-before")
        before = len(peer.log.datagrams)
        for section, path, method, headers in requests:
            ask(peer, section, path, method, **headers)

        def lines(peer: Side = peer, before: int = before) -> list[str]:
            return [text for _, text in peer.log.lines()[before:] if '"' in text]

        def is_told(lines: Callable[[], list[str]] = lines) -> bool:
            return len(lines()) == len(requests)

        wait_until(is_told, "a line each")
        words = [line.split(" ") for line in lines()]
        seen.append([(each[2], each[3], each[5], each[9][:4], " ".join(each[12:])) for each in words])
    ours, theirs = seen
    # HAProxy logs 400 where it has sent 401 or 403; ours logs what was sent.
    assert [each[2] for each in ours[-2:]] == ["401", "403"] and [each[2] for each in theirs[-2:]] == ["400", "400"]
    assert [(each[:2], each[3:]) for each in ours] == [(each[:2], each[3:]) for each in theirs]
    assert [each[2] for each in ours[:-2]] == [each[2] for each in theirs[:-2]]


def series(text: str) -> set[tuple[str, ...]]:
    """Names and labels, but for those of the version."""
    found = re.findall(r"^(\w+)\{([^}]*)\} ", text, re.M)
    return {(name, *sorted(labels.split(","))) for name, labels in found if "version=" not in labels}


def test_metrics_have_the_same_names_for_every_scope(peers: tuple[Side, Side]) -> None:
    for query in (
        "",
        "?scope=global",
        "?scope=frontend&scope=backend",
        "?scope=server&no-maint",
        "?scope=sticktable",
        "?scope=*",
    ):
        one, other = (ask(peer, "stats", "/metrics" + query).text for peer in peers)
        names = [re.findall(r"^# TYPE (\S+ \S+)$", text, re.M) for text in (one, other)]
        assert names[0] == names[1], query
        assert series(one) == series(other)


def test_a_browser_shows_it_live_and_changes_servers(peers: tuple[Side, Side], tmp_path: Path) -> None:
    chromium = require_peer("chromium")
    ours, _ = peers
    home = f"http://127.0.0.1:{ours.ports['stats']}{URI}"
    ask(ours, "stats", URI, "POST", "s=a&s=b&action=ready&b=app")
    with browser(chromium, tmp_path / "chromium.out") as tab:
        tab.resize(1500, 900)
        tab.open(home)
        row = "document.getElementsByName('app/a')[0].closest('tr')"
        tab.get("window.kept = 1")
        # The figures change without another load: the mark in the window stays.
        for _ in range(3):
            ask(ours, "app", "/work")
        tab.wait_for("document.querySelector('#live').className == 'fine'")
        tab.wait_for(f"Number({row}.querySelector('td[data-c=stot] u').firstChild.textContent) >= 3")
        ask(ours, "stats", URI, "POST", "s=a&action=maint&b=app")
        tab.wait_for(f"{row}.className == 'maintain' && {row}.querySelector('[data-c=status]').innerText.includes('MAINT')")
        assert tab.get("window.kept") == 1
        tab.draw(tmp_path / "desktop.png")
        # The box in the head checks all, the form acts, the notice tells.
        tab.get("document.querySelector('input[data-all=app-checkbox]').click()")
        assert tab.get("[...document.querySelectorAll('.app-checkbox')].every(box => box.checked)")
        tab.get("document.querySelector('form[method=post] select').value = 'ready'")
        tab.get("document.querySelector('form[method=post] input[type=submit]').click()")
        tab.wait_for(
            "location.href.endsWith(';st=DONE') && document.querySelector('.notice').innerText.includes('successfully')"
        )
        assert table(ask(ours, "stats", URI + ";csv"))["app/a"]["status"].startswith("UP")
        # Readable on a phone: nothing is wider than the screen, state and sessions are seen.
        tab.resize(390, 844, is_phone=True)
        tab.open(home)
        assert tab.get("document.documentElement.scrollWidth <= 390")
        assert tab.get(f"{row}.querySelector('[data-c=status]').getBoundingClientRect().width > 0")
        assert tab.get(f"{row}.querySelector('[data-c=scur]').getBoundingClientRect().width > 0")
        tab.draw(tmp_path / "phone.png")
        assert tab.complaints == []
        # Another site's page cannot make this browser change a server.
        tab.open(f"http://localhost:{ours.ports['plain']}/")
        tab.get(
            f'document.body.innerHTML = \'<form method=post action="{home}"><input name=s value=a><input name=action '
            "value=maint><input name=b value=app></form>'; document.forms[0].submit()"
        )
        tab.wait_for("location.href.endsWith(';st=DENY')")
    assert table(ask(ours, "stats", URI + ";csv"))["app/a"]["status"].startswith("UP")
