"""The commands of `balancerctl`, for people first: tables on a terminal, plain text in a pipe, JSON for scripts.

0  done, or everything asked about serves
1  the balancer answers, and something asked about does not serve, or did not get there in time
2  the command line is wrong, or names what is not there
3  nobody answers at the socket
4  the balancer refuses, in its own words
"""

import fnmatch
import http.client
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import click
from click.shell_completion import CompletionItem, get_completion_class
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table

from balancer.ctl import tables
from balancer.ctl.files import replace_file
from balancer.ctl.readings import BACKEND, FRONTEND, Row, info, rows, server_named, sessions
from balancer.ctl.wire import PATIENCE_S, VARIABLE, NoAnswer, Refused, Socket, default_address, quoted

FINE: Final = 0
NOT_SERVING: Final = 1
MISUSED: Final = 2
NO_ANSWER: Final = 3
REFUSED: Final = 4

PAUSE_S: Final = 0.2
WEIGHT_MAX: Final = 256
STATES_VERSION: Final = "1"
PROGRAM: Final = "balancerctl"
COMPLETION_VARIABLE: Final = "_BALANCERCTL_COMPLETE"


def _complete_server(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Names of servers that begin so; none where nobody answers, since a completion has nobody to complain to."""
    top = context.find_root()
    try:
        found = rows(Socket(top.params.get("socket_address") or default_address(), 1.0))
    except NoAnswer:
        return []
    names = [row.full_name for row in found if row.is_server]
    return [CompletionItem(name) for name in names if name.startswith(begun)]


def _complete_backend(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    top = context.find_root()
    try:
        found = rows(Socket(top.params.get("socket_address") or default_address(), 1.0))
    except NoAnswer:
        return []
    return [CompletionItem(row.proxy) for row in found if row.name == BACKEND and row.proxy.startswith(begun)]


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Exit status: 0 fine, 1 something does not serve, 2 wrong words, 3 nobody answers, 4 refused.",
)
@click.option(
    "-s",
    "--socket",
    "socket_address",
    metavar="ADDRESS",
    help=f"the stats socket: a path or HOST:PORT; else ${VARIABLE}, else the usual paths",
)
@click.option(
    "--patience",
    type=click.FloatRange(min=0.1),
    default=PATIENCE_S,
    metavar="SECONDS",
    help=f"how long an answer may take ({PATIENCE_S:g})",
)
@click.pass_context
def command(context: click.Context, socket_address: str | None, patience: float) -> None:
    """Asks and steers a running balancer over its stats socket."""
    context.obj = Socket(socket_address or default_address(), patience)


_as_json: Final = click.option("--json", "is_json", is_flag=True, help="JSON instead of a table")
_server: Final = click.argument("names", metavar="SERVER...", nargs=-1, required=True, shell_complete=_complete_server)
_stats: Final = click.make_pass_decorator(Socket)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, indent=2))


def _console() -> Console:
    """Tables that a pipe gets are not cut to a width that nobody has."""
    return Console(highlight=False, soft_wrap=False) if sys.stdout.isatty() else Console(highlight=False, width=200)


def _proxies(found: Sequence[Row], console: Console) -> Table:
    return tables.fitted(lambda without: tables.proxies_table(found, without), console)


def _servers(found: Sequence[Row], console: Console) -> Table:
    return tables.fitted(lambda without: tables.servers_table(found, without), console)


def _is_all_serving(found: Sequence[Row]) -> bool:
    backends = [row for row in found if row.name == BACKEND]
    fronts = [row for row in found if row.name == FRONTEND]
    return all(row.is_serving for row in (*backends, *fronts))


@command.command()
@_as_json
@_stats
def status(stats: Socket, is_json: bool) -> None:
    """The process and its proxies. Exit 1 when one of them does not serve."""
    told, found = info(stats), rows(stats)
    proxies = [row for row in found if row.name in (FRONTEND, BACKEND)]
    if is_json:
        _print_json({"process": told, "proxies": [row.values() for row in proxies]})
    else:
        console = _console()
        console.print(tables.process_line(told), "", _proxies(found, console), sep="\n")
    sys.exit(FINE if _is_all_serving(found) else NOT_SERVING)


@command.command()
@click.argument("backend", required=False, shell_complete=_complete_backend)
@_as_json
@_stats
def servers(stats: Socket, backend: str | None, is_json: bool) -> None:
    """The servers, of all backends or of one."""
    found = _of_backend(rows(stats), backend)
    chosen = [row for row in found if row.is_server]
    if is_json:
        _print_json([row.values() for row in chosen])
    else:
        console = _console()
        console.print(_servers(chosen, console))


def _of_backend(found: list[Row], backend: str | None) -> list[Row]:
    if backend is None:
        return found
    chosen = [row for row in found if row.proxy == backend]
    if not any(row.name == BACKEND for row in chosen):
        known = ", ".join(row.proxy for row in found if row.name == BACKEND)
        raise click.BadParameter(f"no backend is called '{backend}'; there are: {known or 'none'}", param_hint="BACKEND")
    return chosen


def _named(found: list[Row], names: Sequence[str]) -> list[Row]:
    try:
        return [server_named(found, name) for name in names]
    except LookupError as error:
        raise click.BadParameter(str(error), param_hint="SERVER") from error


def _change(stats: Socket, names: Sequence[str], state: str) -> list[Row]:
    chosen = _named(rows(stats), names)
    for row in chosen:
        stats.tell(f"set server {quoted([row.full_name])} state {state}")
        click.echo(f"{row.full_name}: {state}")
    return chosen


def _wait(stats: Socket, names: Sequence[str], holds: Callable[[Row], bool], what: str, within_s: float) -> None:
    """Polls until `holds` of all of them; exit 1 with what is left when it does not in time."""
    deadline_s = time.monotonic() + within_s
    while True:
        left = [row for row in _named(rows(stats), names) if not holds(row)]
        if not left:
            return
        if time.monotonic() >= deadline_s:
            shown = ", ".join(f"{row.full_name} ({row.status}, {row.number('scur') or 0} sessions)" for row in left)
            click.echo(f"not {what} within {within_s:g} s: {shown}", err=True)
            sys.exit(NOT_SERVING)
        time.sleep(PAUSE_S)


@command.command()
@_server
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), metavar="SECONDS", help="until no request is left there")
@_stats
def drain(stats: Socket, names: tuple[str, ...], wait_s: float | None) -> None:
    """No new visitors; whoever has its cookie stays. With --wait, returns when no request is in flight."""
    chosen = _change(stats, names, "drain")
    if wait_s is not None:
        _wait(stats, [row.full_name for row in chosen], lambda row: not row.number("scur"), "idle", wait_s)


@command.command()
@_server
@click.option("--wait", "wait_s", type=click.FloatRange(min=0), metavar="SECONDS", help="until it serves")
@_stats
def ready(stats: Socket, names: tuple[str, ...], wait_s: float | None) -> None:
    """Back to normal service, from drain or maintenance."""
    chosen = _change(stats, names, "ready")
    if wait_s is not None:
        _wait(stats, [row.full_name for row in chosen], lambda row: row.is_serving, "serving", wait_s)


@command.command()
@_server
@_stats
def maint(stats: Socket, names: tuple[str, ...]) -> None:
    """Maintenance: no visitors at all, no checks; users of its sessions are sent elsewhere."""
    _change(stats, names, "maint")


@command.command()
@click.argument("name", metavar="SERVER", shell_complete=_complete_server)
@click.argument("weight", metavar="[0-256 | N%]", required=False)
@_stats
def weight(stats: Socket, name: str, weight: str | None) -> None:
    """A server's weight: told, or set to a number or to a part of the configured one."""
    row = _named(rows(stats), [name])[0]
    if weight is not None:
        digits = weight.removesuffix("%")
        if not (digits.isascii() and digits.isdigit() and (weight.endswith("%") or int(digits) <= WEIGHT_MAX)):
            raise click.BadParameter(f"expects 0 to {WEIGHT_MAX} or a percentage (got '{weight}')", param_hint="WEIGHT")
        stats.tell(f"set server {quoted([row.full_name])} weight {weight}")
    click.echo(f"{row.full_name}: {stats.tell(f'get weight {quoted([row.full_name])}')}")


@command.command()
@click.argument("file", type=click.Path(dir_okay=False))
@_stats
def keep(stats: Socket, file: str) -> None:
    """Writes the states of all servers to FILE, for the process that comes next (`server-state-file`)."""
    text = stats.tell("show servers state")
    if not text.startswith(f"{STATES_VERSION}\n"):
        raise Refused(f"expects states of version {STATES_VERSION} (got '{text[:60]}')")
    try:
        replace_file(file, text.rstrip("\n") + "\n")
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror or error}", param_hint="FILE") from error
    click.echo(f"{file}: {len([line for line in text.splitlines()[1:] if not line.startswith('#')])} servers")


@command.command("sessions")
@_as_json
@_stats
def show_sessions(stats: Socket, is_json: bool) -> None:
    """The connections that are being served now."""
    found = sessions(stats)
    if is_json:
        _print_json([each.values() for each in found])
    else:
        _console().print(tables.sessions_table(found))


@command.command()
@click.option("--interval", type=click.FloatRange(min=0.1), default=1.0, metavar="SECONDS", help="between two views (1)")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="ends after so many views; else Ctrl-C ends it")
@click.argument("backend", required=False, shell_complete=_complete_backend)
@_stats
def watch(stats: Socket, interval: float, count: int | None, backend: str | None) -> None:
    """Proxies and servers, live. A balancer that stops answering is said so, and watched for until it is back."""
    console = _console()
    _of_backend(rows(stats), backend)
    shown = 0
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live:
        while True:
            live.update(_view(stats, backend, console), refresh=True)
            shown += 1
            if shown == count:
                return
            time.sleep(interval)


def _view(stats: Socket, backend: str | None, console: Console) -> Group:
    clock = time.strftime("%H:%M:%S")
    try:
        told, found = info(stats), rows(stats)
    except NoAnswer as error:
        return Group(f"{clock}  no answer: {error}")
    chosen = [row for row in found if backend in (None, row.proxy)]
    servers_only = [row for row in chosen if row.is_server]
    return Group(clock, tables.process_line(told), "", _proxies(chosen, console), "", _servers(servers_only, console))


@command.command()
@click.argument("pattern", default="*")
@_as_json
@_stats
def metrics(stats: Socket, pattern: str, is_json: bool) -> None:
    """Every figure of the process, the proxies and the servers, or those whose name fits PATTERN (`hrsp_*`)."""
    values: list[tuple[str, str, int | str]] = [("process", name, value) for name, value in info(stats).items()]
    for row in rows(stats):
        values += [(row.full_name, name, value) for name, value in row.values().items() if name not in ("pxname", "svname")]
    chosen = [each for each in values if fnmatch.fnmatchcase(each[1].lower(), pattern.lower())]
    if is_json:
        _print_json([{"of": place, "name": name, "value": value} for place, name, value in chosen])
    else:
        _console().print(tables.metrics_table(chosen))


@command.command()
@click.argument("url", required=False)
@click.option("--backend", "backends", multiple=True, metavar="BACKEND", help="only this backend counts; may be repeated")
@click.pass_obj
def health(stats: Socket, url: str | None, backends: tuple[str, ...]) -> None:
    """For monitors: exit 0 when it answers and every proxy serves. With URL, when that answers 200 (a `monitor-uri`)."""
    if url is not None:
        sys.exit(_health_of_url(url, stats.patience_s))
    found = rows(stats)
    chosen = [row for name in backends for row in _of_backend(found, name)] if backends else found
    ill = [row for row in chosen if row.name in (FRONTEND, BACKEND) and not row.is_serving]
    click.echo(", ".join(f"{row.full_name} is {row.status}" for row in ill) or "serving")
    sys.exit(NOT_SERVING if ill else FINE)


def _health_of_url(url: str, patience_s: float) -> int:
    expected = f"expects http://HOST[:PORT]/PATH (got '{url}')"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or http.client.HTTP_PORT
    except ValueError:  # a port or an address that is none
        raise click.BadParameter(expected, param_hint="URL") from None
    if parts.scheme != "http" or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise click.BadParameter(expected, param_hint="URL")
    connection = http.client.HTTPConnection(host, port, timeout=patience_s)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException) as error:
        raise NoAnswer(f"{url}: {error}") from error
    finally:
        connection.close()
    click.echo(f"{answer.status} {answer.reason}")
    return FINE if answer.status == http.client.OK else NOT_SERVING


@command.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Prints what makes the shell complete commands and servers: eval "$(balancerctl completion bash)"."""
    found = get_completion_class(shell)
    assert found is not None, "click knows the three shells"
    click.echo(found(command, {}, PROGRAM, COMPLETION_VARIABLE).source())


def entry() -> None:
    """The program; every end has one of the statuses above."""
    try:
        command.main(prog_name=PROGRAM, complete_var=COMPLETION_VARIABLE)
    except NoAnswer as error:
        click.echo(f"{PROGRAM}: {error}", err=True)
        sys.exit(NO_ANSWER)
    except Refused as error:
        click.echo(f"{PROGRAM}: refused: {error}", err=True)
        sys.exit(REFUSED)
