"""The statistics page of one section: what is shown of the process, a table per proxy, and the form of the admin mode.

It is made piece by piece, so that a farm of a thousand servers holds nobody up. Structure, classes and anchors are HAProxy's,
as tools know them; the look and the script are ours and lie beside this file. Both stand in the page and are named by their
hashes in its policy: nothing is loaded from elsewhere, and nothing that is smuggled in would run.
"""

import base64
import hashlib
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from typing import Final

from balancer import model
from balancer.admin.pageactions import ACTIONS, NOTICES
from balancer.admin.pagequery import PageQuery
from balancer.admin.pagerows import Figures, backend_row, frontend_row, listening_row, server_row
from balancer.observe import stats
from balancer.observe.info import LINES, RELEASE_DATE, VERSION, ProcessInfo, uptime_text
from balancer.observe.readings import Reading

ASSETS: Final = files("balancer.admin") / "assets"
STYLE: Final = (ASSETS / "stats.css").read_text("utf-8")
SCRIPT: Final = (ASSETS / "stats.js").read_text("utf-8")


def _hash(text: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; connect-src 'self'; img-src data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
)
# How often the script asks where the file says nothing.
LIVE_S: Final = 2

GROUPS: Final = (
    (3, "Queue"), (3, "Session rate"), (6, "Sessions"), (2, "Bytes"), (2, "Denied"), (3, "Errors"), (2, "Warnings"),
    (9, "Server"),
)  # fmt: skip
TITLES: Final = (
    "Cur Max Limit Cur Max Limit Cur Max Limit Total LbTot Last In Out Req Resp Req Conn Resp Retr Redis Status LastChk Wght "
    "Act Bck Chk Dwn Dwntme Thrtle"
).split()
# The legend: rows of (class, text, how many columns).
LEGEND: Final = (
    (("active_up", "active UP", 1), ("backup_up", "backup UP", 1)),
    (("active_going_down", "active UP, going down", 1), ("backup_going_down", "backup UP, going down", 1)),
    (("active_going_up", "active DOWN, going up", 1), ("backup_going_up", "backup DOWN, going up", 1)),
    (("active_down", "active or backup DOWN", 1), ("active_no_check", "not checked", 1)),
    (("maintain", "active or backup DOWN for maintenance (MAINT)", 3),),
    (("active_draining", "active or backup SOFT STOPPED for maintenance", 3),),
)


class Page:
    """One page of one section, for those who may change servers or those who may not."""

    def __init__(self, info: ProcessInfo, config: model.StatsPage, section: str, is_admin: bool) -> None:
        self.info = info
        self.config = config
        self.section = section
        self.is_admin = is_admin
        self.uri = config.uri.decode("latin-1")

    def readings(self, query: PageQuery) -> Iterator[Reading]:
        """What the page shows: the section's `stats scope`, and what was asked for."""
        choice = stats.Choice(hides_maint=query.hides_maint, hides_down=query.hides_down)
        names = {self.section if name == "." else name for name in self.config.scopes}
        for reading in stats.readings(self.info.farm, self.info.clock()):
            if (not names or reading.proxy_name in names) and query.scope in reading.proxy_name and choice.has(reading):
                yield reading

    def html(self, query: PageQuery) -> Iterator[str]:
        """The page in pieces, one per row."""
        yield self._head(query)
        waiting: list[Reading] = []
        for reading in self.readings(query):
            if waiting and waiting[0].number != reading.number:
                yield from self._proxy(waiting)
                waiting = []
            waiting.append(reading)
        if waiting:
            yield from self._proxy(waiting)
        yield f"</main><script>{SCRIPT}</script></body></html>\n"

    def _head(self, query: PageQuery) -> str:
        info, config = self.info, self.config
        node = config.node or str(_line(info, "node"))
        description = config.description or info.config.process.description
        # The place of these words is HAProxy's: tools look for them.
        where = f" on {escape(node)}" if config.shows_node else ""
        what = f": {escape(description)}" if config.shows_description and description else ""
        version = "" if config.hides_version else f" version {VERSION}, released {RELEASE_DATE}"
        is_live = not query.is_still
        seconds = (config.refresh_s or LIVE_S) if is_live else 0
        reload = f'<noscript><meta http-equiv="refresh" content="{config.refresh_s}"></noscript>'
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            f"<title>Statistics Report for HAProxy{where}</title>"
            '<link rel="icon" href="data:,"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f'<meta name="color-scheme" content="light dark">{reload if is_live and config.refresh_s else ""}'
            f'<style>{STYLE}</style></head>\n<body data-uri="{escape(self.uri)}" data-live="{seconds}">'
            f"<header><h1>HAProxy{version}</h1>\n<h2>Statistics Report for pid {info.pid}{where}{what}</h2>"
            '<p id="live" role="status"></p></header>\n<main>'
            f"{_notice(query, self.uri)}<h3>&gt; General process information</h3>\n"
            f'<table class="general"><tr><td>{_process(info)}</td><td>{_legend()}</td><td>{self._options(query)}</td></tr>'
            "</table>\n"
        )

    def _options(self, query: PageQuery) -> str:
        def link(text: str, **changes: bool) -> str:
            return f'<li><a href="{escape(query.link(self.uri, **changes))}">{text}</a>'

        still = link("Enable refresh", norefresh=False) if query.is_still else link("Disable refresh", norefresh=True)
        maint = ("Show" if query.hides_maint else "Hide") + " 'MAINT' servers"
        down = ("Show all" if query.hides_down else "Hide 'DOWN'") + " servers"
        export = escape(f"{self.uri};{{}};norefresh" + (f";scope={query.scope}" if query.scope else ""))
        return (
            '<b>Display option:</b><ul><li><form method="GET"><label>Scope : '
            f'<input value="{escape(query.scope)}" name="scope" size="8" maxlength="20"></label></form>'
            + link(down, up=not query.hides_down)
            + link(maint, **{"no-maint": not query.hides_maint})
            + still
            + link("Refresh now")
            + f'<li><a href="{export.format("csv")}">CSV export</a><li><a href="{export.format("json")}">JSON export</a> '
            f'(<a href="{escape(self.uri)};json-schema">schema</a>)</ul>'
        )

    def _proxy(self, rows: list[Reading]) -> Iterator[str]:
        """The table of one proxy."""
        name = escape(rows[0].proxy_name)
        number = rows[0].number
        has_boxes = self.is_admin and any(row.server is not None for row in rows)
        has_frontend = any(row.frontend is not None for row in rows)
        has_backend = any(row.backend is not None for row in rows)
        kind = "proxy" if has_frontend and has_backend else "frontend" if has_frontend else "backend"
        title = f'<a name="{name}"></a><a class=px href="#{name}">{name}</a>'
        if self.config.shows_legends:
            title = f"<u>{title}<div class=tips>cap: {kind}, mode: http, id: {number}</div></u>"
        box = f'<input type="checkbox" data-all="{name}-checkbox" aria-label="all servers of {name}">' if has_boxes else ""
        groups = "".join(f"<th colspan={count}>{text}</th>" for count, text in GROUPS)
        titles = "".join(f"<th>{text}</th>" for text in TITLES)
        yield (
            f'{"<form method=post>" if has_boxes else ""}<table class="tbl px"><tr class="titre">'
            f'<th class="pxname">{title}</th><th class="empty"></th></tr></table>\n'
            '<div class=wide><table class="tbl"><tr class="titre">'
            f"{f'<th rowspan=2>{box}</th>' if has_boxes else ''}<th rowspan=2></th>{groups}</tr>\n"
            f'<tr class="titre">{titles}</tr>\n'
        )
        for row in rows:
            yield self._row(row, has_boxes)
        yield f"</table></div>{_form(number) if has_boxes else ''}\n"

    def _row(self, reading: Reading, has_boxes: bool) -> str:
        figures: Figures = stats.figures(reading, self.config.shows_legends)
        if reading.server is not None:
            return server_row(reading, figures, has_boxes)
        if reading.listening is not None:
            return listening_row(reading.listening, figures, reading.proxy_name, has_boxes)
        row = frontend_row if reading.frontend is not None else backend_row
        return row(figures, reading.proxy_name, has_boxes)


def _line(info: ProcessInfo, name: str) -> int | str:
    return next(line.read(info) for line in LINES if line.name == name)


def _process(info: ProcessInfo) -> str:
    def line(name: str) -> str:
        return escape(str(_line(info, name)))

    return (
        f"<p><b>pid = </b> {info.pid} (process #1, nbproc = 1, nbthread = {line('Nbthread')})<br>\n"
        f"<b>uptime = </b> {uptime_text(info.uptime_s())}<br>\n"
        f"<b>system limits:</b> memmax = unlimited; ulimit-n = {line('Ulimit-n')}<br>\n"
        f"<b>maxsock = </b> {line('Maxsock')}; <b>maxconn = </b> {line('Maxconn')}; <b>maxpipes = </b> {line('Maxpipes')}<br>\n"
        f"current conns = {line('CurrConns')}; current pipes = {line('PipesUsed')}/{line('PipesFree')}; "
        f"conn rate = {line('ConnRate')}/sec; bit rate = {_bits(info.octets_out_rate() * 8)}<br>\n"
        f"Running tasks: {line('Run_queue')}/{line('Tasks')}; idle = {line('Idle_pct')} %<br>\n"
    )


def _bits(per_second: int) -> str:
    value, unit = float(per_second), ""
    for larger in "kMGT":
        if value < 1000.0:
            break
        value, unit = value / 1000.0, larger
    return f"{value:.3f} {unit}bps"


def _legend() -> str:
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td class="{name}">&nbsp;</td><td class="noborder"{f" colspan={span}" if span > 1 else ""}>{text}</td>'
            for name, text, span in row
        )
        + "</tr>"
        for row in LEGEND
    )
    return f'<table class="lgd">{rows}</table>Note: "NOLB"/"DRAIN" = UP with load-balancing disabled.'


def _notice(query: PageQuery, uri: str) -> str:
    if not query.status:
        return ""
    name, text, lines = NOTICES[query.status]
    more = f"<ul>{''.join(f'<li>{line}' for line in lines)}</ul>" if lines else ""
    close = f'<a class=lfsb href="{escape(query.link(uri))}" title="Remove this message">[X]</a>'
    return f'<div class="notice {name}">{close} <b>{text}</b>{more}</div>\n'


def _form(number: int) -> str:
    options = "".join(f'<option value="{action}">{text}</option>' for action, (_, text) in ACTIONS.items() if text)
    return (
        '<p class=do>Choose the action to perform on the checked servers : <select name=action aria-label="action">'
        f'<option value=""></option>{options}</select><input type="hidden" name="b" value="#{number}">&nbsp;'
        '<input type="submit" value="Apply"></p></form>'
    )
