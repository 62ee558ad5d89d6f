"""The statistics page without sockets: what is asked of it, its rows, hostile names, its form, and who may send that."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Final

import pytest
from observed import found, in_every_state, observed
from records import server_record

from balancer import model
from balancer.admin import commands, every  # noqa: F401 - they enter the commands that the form runs
from balancer.admin.page import GROUPS, TITLES, Page
from balancer.admin.pageactions import NOTICES, STATUSES, act, is_foreign
from balancer.admin.pagequery import PageQuery, parse_query
from balancer.admin.pagerows import duration, number, row_class
from balancer.model import Origin, StatsPage
from balancer.observe import metrics, stats
from balancer.observe.info import ProcessInfo

CONFIG: Final = StatsPage(Origin("test.cfg", 1), shows_legends=True, shows_node=True)
HOSTILE: Final = "</td><script>alert(1)</script>\"'&"


class Tree(HTMLParser):
    """The tags of a page with their attributes, and which of them were left open."""

    VOID: Final = frozenset(["meta", "link", "input", "br", "hr"])

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.cells: list[tuple[str, str]] = []  # anchor of the row, column
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keeps it."""
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID and tag not in ("li", "option", "p"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Closes it; what was opened last must be closed first."""
        if tag in ("p", "option", "li"):
            return
        assert self.open and self.open.pop() == tag, (tag, self.open)


def page(info: ProcessInfo, is_admin: bool = False, config: StatsPage = CONFIG, query: str = "") -> str:
    return "".join(Page(info, config, "smalltalk", is_admin).html(parse_query(query, STATUSES)))


def rows(text: str) -> Iterator[tuple[str, str]]:
    """Class and anchor of each row."""
    for match in re.finditer(r'<tr class="([a-z_]+)">(?:<td>(?:<input[^>]*>)?</td>)?<td[^>]*>(?:<u>)?<a name="([^"]*)"', text):
        yield match[1], match[2]


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", PageQuery()),
        ("foo", PageQuery()),
        (";csv", PageQuery("csv")),
        ("/;csv;norefresh", PageQuery("csv", is_still=True)),
        (";json;up", PageQuery("json", hides_down=True)),
        (";json-schema", PageQuery("json-schema")),
        (";no-maint", PageQuery(hides_maint=True)),
        (";st=DONE", PageQuery(status="DONE")),
        (";st=BOGUS", PageQuery(status="UNKN")),
        (";scope=small", PageQuery(scope="small")),
        ("&scope=small;up", PageQuery(scope="small", hides_down=True)),
        ("?scope=<b>" + 30 * "x", PageQuery(scope="_b_" + 17 * "x")),
    ],
)
def test_words_are_found_anywhere_behind_the_uri(rest: str, expected: PageQuery) -> None:
    assert parse_query(rest, STATUSES) == expected


def test_links_carry_the_other_wishes_along() -> None:
    query = parse_query(";up;scope=ap;st=DONE", STATUSES)
    assert query.link("/s") == "/s;up;scope=ap"
    assert query.link("/s", up=False, norefresh=True) == "/s;norefresh;scope=ap"
    assert query.after_post("/s", "DONE") == "/s;st=DONE;up?scope=ap"


def test_figures_are_written_as_haproxy_writes_them() -> None:
    assert number(159629) == '15<span class="rls">9</span>629'
    assert number(1234567) == '<span class="rls">1</span>23<span class="rls">4</span>567'
    assert [number(999), number(0), number(None)] == ["999", "0", ""]
    assert [duration(value) for value in (-1, None, 0, 62, 3600, 90061)] == ["?", "?", "0s", "1m2s", "1h0m", "1d1h"]


@pytest.mark.parametrize(
    ("status", "is_backup", "expected"),
    [
        ("UP", False, "active_up"),
        ("UP", True, "backup_up"),
        ("UP 1/3", False, "active_going_down"),
        ("DOWN", False, "active_down"),
        ("DOWN (agent)", False, "active_down"),
        ("DOWN 1/2", True, "backup_going_up"),
        ("NOLB", False, "active_nolb"),
        ("NOLB 1/3", False, "active_going_down"),
        ("DRAIN", False, "active_draining"),
        ("MAINT", True, "maintain"),
        ("MAINT (via b/s)", False, "maintain"),
        ("no check", False, "active_no_check"),
    ],
)
def test_the_class_of_a_row_is_that_of_its_state(status: str, is_backup: bool, expected: str) -> None:
    assert row_class(status, is_backup) == expected


def test_the_page_is_well_formed_and_has_a_row_per_object() -> None:
    info = in_every_state()
    for is_admin in (False, True):
        text = page(info, is_admin)
        assert Tree(text).open == []
        assert [anchor for _, anchor in rows(text)] == [
            "smalltalk/Frontend",
            *(f"smalltalk/{server.name}" for server in info.farm.backends[0].servers),
            "smalltalk/Backend",
        ]
        assert ("idle = " in text, "Statistics Report for" in text) == (True, True)


def test_each_row_has_as_many_columns_as_the_head() -> None:
    for is_admin in (False, True):
        text = re.sub(r"<table class=det>.*?</table>", "", page(in_every_state(), is_admin), flags=re.S)
        for row in re.findall(r'<tr class="(?:frontend|backend|maintain|active_\w+|backup_\w+)">.*?</tr>(?=\s*<)', text, re.S):
            if 'class="noborder"' in row:
                continue
            spans = [int(span) for span in re.findall(r"<td[^>]*?colspan=(\d+)", row)]
            count = row.count("<td") - len(spans) + sum(spans)
            assert count == 1 + len(TITLES) + is_admin, (count, row[:200])
    assert sum(count for count, _ in GROUPS) == len(TITLES)


def test_names_descriptions_and_cookies_are_escaped() -> None:
    info = observed(server_record(HOSTILE.replace("/", ""), cookie=HOSTILE.encode()), node=HOSTILE, description=HOSTILE)
    config = model.StatsPage(CONFIG.origin, uri=b"/s", shows_legends=True, shows_node=True, shows_description=True)
    for is_admin in (False, True):
        text = page(info, is_admin, config, ";scope=")
        tree = Tree(text)
        assert tree.open == []
        assert [tag for tag, _ in tree.tags].count("script") == 1
        assert "alert(1)</script>" not in text
        attributes = {name for _, attrs in tree.tags for name in attrs}
        assert not any(name.startswith("on") or name == "style" for name in attributes)


def test_boxes_and_the_form_are_there_for_those_who_may_change_servers_only() -> None:
    info = in_every_state()
    assert 'name="s"' not in page(info)
    text = page(info, is_admin=True)
    assert len(re.findall(r'name="s" value="', text)) == len(info.farm.backends[0].servers)
    assert "<select name=action" in text and f'name="b" value="#{info.farm.backends[0].number}"' in text


def test_scope_hidden_servers_and_notices() -> None:
    info = in_every_state()
    assert [anchor for _, anchor in rows(page(info, query=";scope=nothing"))] == []
    shown = [anchor for _, anchor in rows(page(info, query=";up"))]
    assert "smalltalk/down" not in shown and "smalltalk/maint" not in shown and "smalltalk/up" in shown
    assert "smalltalk/maint" not in [anchor for _, anchor in rows(page(info, query=";no-maint"))]
    for code, (_, text, _) in NOTICES.items():
        assert text in page(info, query=f";st={code}")
    other = StatsPage(CONFIG.origin, scopes=("other",))
    assert [anchor for _, anchor in rows(page(info, config=other))] == []
    own = StatsPage(CONFIG.origin, scopes=(".",))
    assert "smalltalk/up" in [anchor for _, anchor in rows(page(info, config=own))]


def test_the_version_can_be_hidden() -> None:
    assert "version" not in page(in_every_state(), config=StatsPage(CONFIG.origin, hides_version=True)).partition("<style>")[0]
    text = page(in_every_state(), config=StatsPage(CONFIG.origin, hides_version=True))
    assert re.search(r"<h1>HAProxy</h1>", text)


def test_without_a_script_the_page_asks_again_by_its_head() -> None:
    config = StatsPage(CONFIG.origin, refresh_s=7)
    assert '<noscript><meta http-equiv="refresh" content="7"></noscript>' in page(in_every_state(), config=config)
    assert "http-equiv" not in page(in_every_state(), config=config, query=";norefresh")


ACTS: Final = (
    ("s=app1&action=maint&b=smalltalk", "DONE", "MAINT"),
    ("s=app1&action=maint&b=%232", "ERRP", ""),
    ("s=app1&action=drain&b=smalltalk", "DONE", "DRAIN 1/3"),
    ("s=app1&action=stop&b=smalltalk", "DONE", "DRAIN 1/3"),
    ("s=app1&action=disable&b=smalltalk", "DONE", "MAINT"),
    ("s=app1&s=app2&action=maint&b=smalltalk", "DONE", "MAINT"),
    ("s=app1&action=dagent&b=smalltalk", "NONE", ""),
    ("s=app1&action=bogus&b=smalltalk", "ERRP", ""),
    ("s=nosuch&action=maint&b=smalltalk", "ERRP", ""),
    ("s=app1&s=nosuch&action=maint&b=smalltalk", "PART", "MAINT"),
    ("s=app1&action=maint&b=nosuch", "ERRP", ""),
    ("s=app1&action=maint", "NONE", ""),
    ("s=app1&b=smalltalk", "NONE", ""),
    ("action=maint&b=smalltalk", "NONE", ""),
    ("x=y", "NONE", ""),
    ("", "NONE", ""),
    ("&".join(["s=app1"] * 3000), "EXCD", ""),
)


@pytest.mark.parametrize(("form", "code", "status"), ACTS)
def test_an_action_is_done_and_told_as_by_haproxy(form: str, code: str, status: str) -> None:
    info = observed()
    wanted = form.replace("%232", f"%23{info.farm.backends[0].number + 7}")
    assert act(info, wanted) == code
    if status:
        assert found(info.farm.backends[0], "app1").status_text() == status


def test_a_backend_is_named_by_its_number_too() -> None:
    info = observed()
    assert act(info, f"s=app1&action=maint&b=%23{info.farm.backends[0].number}") == "DONE"
    assert act(info, f"s=app1&action=ready&b=%23{info.farm.backends[0].number}") == "DONE"
    assert found(info.farm.backends[0], "app1").status_text() == "UP 1/3"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Host": "lb:8404", "Origin": "http://lb:8404"}, False),
        ({"Host": "lb:8404", "Origin": "http://evil.example"}, True),
        ({"Host": "lb:8404", "Origin": "http://lb:80"}, True),
        ({"Host": "lb", "Origin": "null"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Sec-Fetch-Site": "same-origin", "Host": "backend", "Origin": "https://site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Host": "lb", "Origin": "http://lb"}, True),
    ],
)
def test_a_strangers_page_is_known_by_what_the_browser_tells(headers: dict[str, str], expected: bool) -> None:
    assert is_foreign(headers) == expected


def test_pieces_are_the_whole() -> None:
    info = in_every_state()
    now = info.clock()
    choice = stats.Choice()
    assert "".join(stats.csv_lines(stats.readings(info.farm, now), True)) == stats.csv(info.farm, now, choice)
    assert "".join(stats.json_parts(stats.readings(info.farm, now), True)) == stats.as_json(info.farm, now, choice)
    many = observed(*(server_record(f"app{number}", check=True) for number in range(500)))
    pieces = list(metrics.pieces(many, ("backend", "server")))
    heads = re.findall(r"^# HELP (\S+)", "".join(pieces), re.M)
    assert len(heads) == len(set(heads))
    assert max(piece.count("\n") for piece in pieces) <= metrics.SAMPLES_MAX + metrics.HEAD_LINES
    assert "".join(pieces).count("\nhaproxy_server_status{") == 500 * 5
