"""The rows of the statistics page: one per frontend, server and backend, cell for cell in HAProxy's order and with its classes.

Whatever comes from the file is escaped; figures are digits. A figure of a detail carries the name of its column, so that the
page's script can renew it from the CSV.
"""

import re
from html import escape
from typing import Final

from balancer.backend.frontend import Listening
from balancer.observe.readings import Reading, Value

Figures = dict[str, Value]

THOUSANDS: Final = re.compile(r"(\d)(?=(?:\d{3})+$)")

# A label, the column of its figure, and the column of which it is a share ("" for none).
Detail = tuple[str, str, str]

CLASSES: Final = ("1xx", "2xx", "3xx", "4xx", "5xx")


def _responses(of: str) -> tuple[Detail, ...]:
    return (
        *((f"- HTTP {name} responses:", f"hrsp_{name}", of) for name in CLASSES),
        ("- other responses:", "hrsp_other", of),
    )


RATES: Final[tuple[Detail, ...]] = (
    ("Current connection rate:", "conn_rate", ""),
    ("Current session rate:", "rate", ""),
    ("Current request rate:", "req_rate", ""),
)
RATES_MAX: Final[tuple[Detail, ...]] = (
    ("Max connection rate:", "conn_rate_max", ""),
    ("Max session rate:", "rate_max", ""),
    ("Max request rate:", "req_rate_max", ""),
)
FRONTEND_TOTALS: Final[tuple[Detail, ...]] = (
    ("Cum. connections:", "conn_tot", ""),
    ("Cum. sessions:", "stot", ""),
    ("Cum. HTTP requests:", "req_tot", ""),
    *_responses(""),
    ("Intercepted requests:", "intercepted", ""),
    ("Failed hdr rewrites:", "wrew", ""),
    ("Internal errors:", "eint", ""),
)
CONNECTIONS: Final[tuple[Detail, ...]] = (
    ("Cum. sessions:", "stot", ""),
    ("New connections:", "connect", ""),
    ("Reused connections:", "reuse", "connect"),
    ("Cum. HTTP requests:", "req_tot", ""),
)
SERVER_TOTALS: Final[tuple[Detail, ...]] = (
    *CONNECTIONS,
    *_responses("req_tot"),
    ("Failed hdr rewrites:", "wrew", ""),
    ("Internal error:", "eint", ""),
)
BACKEND_TOTALS: Final[tuple[Detail, ...]] = (
    *CONNECTIONS,
    *_responses(""),
    ("Failed hdr rewrites:", "wrew", ""),
    ("Internal errors:", "eint", ""),
)
SERVER_CONNECTIONS: Final[tuple[Detail, ...]] = (
    ("Current active connections:", "scur", ""),
    ("Current used connections:", "used_conn_cur", ""),
    ("Current idle connections:", "srv_icur", ""),
    ("- unsafe:", "idle_conn_cur", ""),
    ("- safe:", "safe_conn_cur", ""),
    ("Estimated need of connections:", "need_conn_est", ""),
    ("Active connections limit:", "slim", ""),
    ("Idle connections limit:", "srv_ilim", ""),
)
TIMES: Final = (("- Queue time:", "q"), ("- Connect time:", "c"), ("- Responses time:", "r"), ("- Total time:", "t"))


def number(value: Value) -> str:
    """A figure as HAProxy writes it: its thousands set apart, and nothing but digits in the text."""
    return "" if value is None else THOUSANDS.sub(r'<span class="rls">\1</span>', str(value))


def limit(value: Value) -> str:
    """A limit, `-` where there is none."""
    return number(value) if value else "-"


def duration(value: Value) -> str:
    """Seconds as the two largest units: `1d2h`, `3m4s`; `?` for what has not been yet."""
    if not isinstance(value, int) or value < 0:
        return "?"
    days, hours, minutes, seconds = value // 86400, value // 3600 % 24, value // 60 % 60, value % 60
    parts = ((days, "d", hours, "h"), (hours, "h", minutes, "m"), (minutes, "m", seconds, "s"))
    for large, name, small, small_name in parts:
        if large:
            return f"{large}{name}{small}{small_name}"
    return f"{seconds}s"


def row_class(status: str, is_backup: bool) -> str:
    """HAProxy's class of a server's row."""
    word, _, rest = status.partition(" ")
    if word == "MAINT":
        return "maintain"
    is_moving = rest[:1].isdigit()
    names = {"UP": "going_down" if is_moving else "up", "DOWN": "going_up" if is_moving else "down"}
    names |= {"NOLB": "going_down" if is_moving else "nolb", "DRAIN": "draining", "no": "no_check"}
    return f"{'backup' if is_backup else 'active'}_{names.get(word, 'up')}"


def _tips(text: str, inner: str) -> str:
    return f"<u>{text}<div class=tips>{inner}</div></u>"


def _details(figures: Figures, details: tuple[Detail, ...], unit: str = "") -> str:
    rows: list[str] = []
    for label, name, of in details:
        value = figures.get(name)
        share = ""
        if of:
            whole = figures.get(of) or 0
            whole = int(whole) + (int(value or 0) if of == "connect" else 0)
            share = f"<td>({100 * int(value or 0) // whole if whole else 0}%)</td>"
        text = "-" if value is None else number(value)
        rows.append(f"<tr><th>{label}</th><td data-c={name}>{text}{unit}</td>{share}</tr>")
    return "".join(rows)


def _table(inner: str) -> str:
    return f"<table class=det>{inner}</table>"


def _times(figures: Figures) -> str:
    rows = "".join(
        f"<tr><th>{label}</th><td data-c={letter}time>{number(figures[f'{letter}time_max'])} / "
        f"{number(figures[f'{letter}time'])}</td><td>ms</td></tr>"
        for label, letter in TIMES
    )
    return f"<tr><th colspan=3>Max / Avg over last 1024 success. conn.</th></tr>{rows}"


def _name(proxy: str, name: str, legend: str) -> str:
    place = f"{escape(proxy)}/{escape(name)}"
    link = f'<a class=lfsb href="#{place}">{escape(name)}</a>'
    anchor = f'<a name="{place}"></a>'
    return f"<td class=ac data-c=svname>{anchor}{_tips(link, escape(legend)) if legend else link}</td>"


def frontend_row(figures: Figures, proxy: str, has_boxes: bool) -> str:
    """The row of a frontend."""
    rates = _table(_details(figures, RATES, "/s"))
    rates_max = _table(_details(figures, RATES_MAX, "/s"))
    totals = _table(_details(figures, FRONTEND_TOTALS))
    return (
        f'<tr class="frontend">{"<td></td>" if has_boxes else ""}{_name(proxy, "Frontend", "")}<td colspan=3></td>'
        f"<td data-c=rate>{_tips(number(figures['rate']), rates)}</td>"
        f"<td data-c=rate_max>{_tips(number(figures['rate_max']), rates_max)}</td>"
        f"<td data-c=rate_lim>{limit(figures['rate_lim'])}</td>"
        f"<td data-c=scur>{number(figures['scur'])}</td><td data-c=smax>{number(figures['smax'])}</td>"
        f"<td data-c=slim>{limit(figures['slim'])}</td><td data-c=stot>{_tips(number(figures['stot']), totals)}</td>"
        f"<td></td><td></td><td data-c=bin>{number(figures['bin'])}</td><td data-c=bout>{number(figures['bout'])}</td>"
        f"<td data-c=dreq>{number(figures['dreq'])}</td><td data-c=dresp>{number(figures['dresp'])}</td>"
        f"<td data-c=ereq>{number(figures['ereq'])}</td>"
        f"<td></td><td></td><td></td><td></td><td class=ac data-c=status><b>{escape(str(figures['status']))}</b></td>"
        "<td class=ac colspan=8></td></tr>"
    )


def listening_row(listening: Listening, figures: Figures, proxy: str, has_boxes: bool) -> str:
    """The row of an address that counts for itself (`option socket-stats`)."""
    address = figures.get("addr")
    legend = "" if address is None else f"{address}, id: {listening.number}"
    return (
        f'<tr class="socket">{"<td></td>" if has_boxes else ""}{_name(proxy, listening.name, legend)}<td colspan=3></td>'
        f"<td colspan=3></td><td data-c=scur>{number(figures['scur'])}</td><td data-c=smax>{number(figures['smax'])}</td>"
        f"<td data-c=slim>{limit(figures['slim'])}</td><td data-c=stot>{number(figures['stot'])}</td><td></td><td></td>"
        f"<td data-c=bin>{number(figures['bin'])}</td><td data-c=bout>{number(figures['bout'])}</td>"
        f"<td data-c=dreq>{number(figures['dreq'])}</td><td data-c=dresp>{number(figures['dresp'])}</td>"
        f"<td data-c=ereq>{number(figures['ereq'])}</td>"
        f"<td></td><td></td><td></td><td></td><td class=ac data-c=status><b>{escape(str(figures['status']))}</b></td>"
        "<td class=ac colspan=8></td></tr>"
    )


def _middle(figures: Figures, slim: str, sessions: str, totals: str) -> str:
    """What the rows of servers and backends have in common: from the rates to the warnings."""
    aborts = (
        f"Connection resets during transfers: <span data-c=cli_abrt>{figures['cli_abrt'] or 0}</span> client, "
        f"<span data-c=srv_abrt>{figures['srv_abrt'] or 0}</span> server"
    )
    return (
        f"<td data-c=rate>{number(figures['rate'])}</td><td data-c=rate_max>{number(figures['rate_max'])}</td><td></td>"
        f"<td data-c=scur>{sessions}</td><td data-c=smax>{number(figures['smax'])}</td><td data-c=slim>{slim}</td>"
        f"<td data-c=stot>{_tips(number(figures['stot']), _table(totals))}</td>"
        f"<td data-c=lbtot>{number(figures['lbtot'])}</td><td data-c=lastsess>{duration(figures['lastsess'])}</td>"
        f"<td data-c=bin>{number(figures['bin'])}</td><td data-c=bout>{number(figures['bout'])}</td>"
        f"<td data-c=dreq>{number(figures['dreq'])}</td><td data-c=dresp>{number(figures['dresp'])}</td><td></td>"
        f"<td data-c=econ>{number(figures['econ'])}</td><td data-c=eresp>{_tips(number(figures['eresp']), aborts)}</td>"
        f"<td data-c=wretr>{number(figures['wretr'])}</td><td data-c=wredis>{number(figures['wredis'])}</td>"
    )


def server_row(reading: Reading, figures: Figures, has_boxes: bool) -> str:
    """The row of a server."""
    server = reading.server
    assert server is not None
    status = str(figures["status"])
    legend = ""
    if figures.get("addr") is not None:
        family = "IPv6" if server.config.is_ipv6 else "IPv4"
        cookie = figures.get("cookie")
        legend = f"{family}: {figures['addr']}, id: {server.number}" + (f", cookie: '{cookie}'" if cookie is not None else "")
    name = escape(server.name)
    box = ""
    if has_boxes:
        kind = f"{escape(reading.proxy_name)}-checkbox"
        box = f'<td><input class=\'{kind}\' type="checkbox" name="s" value="{name}" aria-label="{name}"></td>'
    sessions = _tips(number(figures["scur"]), _table(_details(figures, SERVER_CONNECTIONS)))
    totals = _details(figures, SERVER_TOTALS) + _times(figures)
    return (
        f'<tr class="{row_class(status, server.is_backup)}">{box}{_name(reading.proxy_name, server.name, legend)}'
        f"<td data-c=qcur>{number(figures['qcur'])}</td><td data-c=qmax>{number(figures['qmax'])}</td>"
        f"<td data-c=qlimit>{limit(figures['qlimit'])}</td>"
        f"{_middle(figures, limit(figures['slim']), sessions, totals)}{_server_state(reading, figures, status)}</tr>\n"
    )


def _server_state(reading: Reading, figures: Figures, status: str) -> str:
    server = reading.server
    assert server is not None
    is_checked = status != "no check" and server.reference().is_checked
    since = f"{duration(figures['lastchg'])} " if is_checked or status.startswith("MAINT") else ""
    told = f"{since}<b>{escape(status)}</b>" if since else f"<i>{escape(status)}</i>"
    cells = f"<td class=ac data-c=status>{told}</td>"
    if server.tracked is not None:
        link = escape(f"{server.tracked.backend_name}/{server.tracked.name}")
        cells += f'<td class=ac><a class=lfsb href="#{link}">via {link}</a></td>'
    elif figures.get("check_status"):
        cells += (
            f"<td class=ac data-c=check_status>{_tips(_check_text(figures), escape(str(figures['check_desc'] or '')))}</td>"
        )
    else:
        cells += "<td></td>"
    cells += (
        f"<td class=ac data-c=weight>{figures['weight']}/{figures['uweight']}</td>"
        f"<td class=ac>{'-' if server.is_backup else 'Y'}</td><td class=ac>{'Y' if server.is_backup else '-'}</td>"
    )
    if figures.get("chkfail") is not None:
        cells += (
            f"<td data-c=chkfail>{_tips(number(figures['chkfail']), 'Failed Health Checks')}</td>"
            f"<td data-c=chkdown>{number(figures['chkdown'])}</td><td data-c=downtime>{duration(figures['downtime'])}</td>"
        )
    else:
        cells += "<td colspan=3></td>"
    throttle = figures.get("throttle")
    return cells + f"<td class=ac data-c=throttle>{'-' if throttle is None else f'{throttle} %'}</td>"


def _check_text(figures: Figures) -> str:
    code, took = figures.get("check_code"), figures.get("check_duration")
    text = escape(str(figures["check_status"])) + (f"/{code}" if code is not None else "")
    return text + (f" in {took}ms" if took is not None else "")


def backend_row(figures: Figures, proxy: str, has_boxes: bool) -> str:
    """The row of a backend."""
    legend = ""
    if figures.get("algo") is not None:
        cookie = figures.get("cookie")
        legend = f"balancing: {figures['algo']}" + (f", cookie: '{cookie}'" if cookie is not None else "")
    totals = _details(figures, BACKEND_TOTALS) + _times(figures)
    return (
        f'<tr class="backend">{"<td></td>" if has_boxes else ""}{_name(proxy, "Backend", legend)}'
        f"<td data-c=qcur>{number(figures['qcur'])}</td><td data-c=qmax>{number(figures['qmax'])}</td><td></td>"
        f"{_middle(figures, number(figures['slim']), number(figures['scur']), totals)}"
        f"<td class=ac data-c=status>{duration(figures['lastchg'])} <b>{escape(str(figures['status']))}</b></td>"
        f"<td class=ac>&nbsp;</td><td class=ac data-c=weight>{figures['weight']}/{figures['uweight']}</td>"
        f"<td class=ac data-c=act>{figures['act']}</td><td class=ac data-c=bck>{figures['bck']}</td><td class=ac>&nbsp;</td>"
        f"<td data-c=chkdown>{number(figures['chkdown'])}</td><td data-c=downtime>{duration(figures['downtime'])}</td>"
        "<td></td></tr>"
    )
