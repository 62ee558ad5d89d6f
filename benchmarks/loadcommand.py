"""The command line, the live view and the printed report of `python -m benchmarks load`."""

import argparse
import asyncio
import json
import random
from pathlib import Path

import uvloop
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.arguments import FAILED, FINE, INTERRUPTED, not_negative, positive
from benchmarks.load import RECENT_S, Loss, Plan, Report, Run, is_loopback, percentiles
from benchmarks.walks import walks

REFRESH_S = 0.5
LOSSES_SHOWN = 8


def main(words: list[str], console: Console) -> int:
    """Runs the command."""
    arguments = _arguments(words)
    if not is_loopback(arguments.url):
        console.print(f"[bold yellow]{arguments.url} is not this machine: the load goes to somebody's site.")
        if not arguments.yes:
            console.print("Say --yes if it is yours.")
            return FAILED
    paths = _paths(arguments.urls)
    strangers = [path for path in paths if "//" in path and not path.startswith(_origin(arguments.url) + "/")]
    if strangers:
        console.print(f"[bold red]{arguments.urls}: {strangers[0]} is not on {_origin(arguments.url)}")
        return FAILED
    plan = Plan(
        url=arguments.url,
        users=arguments.users,
        clicks=arguments.clicks,
        seconds=arguments.seconds,
        think_s=arguments.think,
        rate=arguments.rate,
        closes=arguments.close,
        cookie=arguments.cookie,
    )
    run = Run(plan, walks(plan.url, arguments.application, paths, arguments.expect, arguments.seed))
    status = FINE
    try:
        report = uvloop.run(_watched(run, console))
    except KeyboardInterrupt:
        report, status = run.told(), INTERRUPTED
    _print_report(report, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_dict(), indent=1), encoding="utf-8")
    return status or (FINE if report.is_clean else FAILED)


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks load",
        description="Users with cookie jars click through a site; every session that moved or was lost is reported.",
    )
    parser.add_argument("url", help="where users begin, e.g. http://127.0.0.1:8080/seaside/examples/counter")
    parser.add_argument("--users", type=positive, default=50)
    parser.add_argument("--clicks", type=positive, default=1000, help="clicks in all (1000)")
    parser.add_argument("--seconds", type=not_negative, default=0.0, help="click for this time instead of a number of clicks")
    parser.add_argument("--think", type=not_negative, default=0.0, metavar="S", help="each user's pause between two clicks")
    parser.add_argument(
        "--rate",
        type=not_negative,
        default=0.0,
        metavar="N",
        help="clicks a second, whatever comes back; latency from when due",
    )
    parser.add_argument("--close", action="store_true", help="a connection for each request")
    parser.add_argument("--cookie", default="SEASIDE", help="the cookie that names the server")
    parser.add_argument(
        "--application",
        choices=("counter", "seaside"),
        default="counter",
        help="counter: Seaside's example, whose count must be right; seaside: any links with _k, whose _s must stay",
    )
    parser.add_argument("--urls", type=Path, metavar="FILE", help="visit these pages in turn instead, one on a line")
    parser.add_argument(
        "--expect", default="", metavar="PATTERN", help="what each page of --urls must have (regular expression)"
    )
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1 << 30), help="chooses the links of --application seaside"
    )
    parser.add_argument("--json", type=Path, help="write the report as JSON")
    parser.add_argument("--yes", action="store_true", help="this site is mine: leave loopback")
    return parser.parse_args(words)


def _paths(file: Path | None) -> list[str]:
    if file is None:
        return []
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    paths = [line for line in lines if line and not line.startswith("#")]
    if not paths:
        raise SystemExit(f"{file} names no page")
    return paths


def _origin(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


async def _watched(run: Run, console: Console) -> Report:
    """The run, and a view of it where there is somebody to look."""
    if not console.is_terminal:
        return await run.finish()
    progress = Progress(TextColumn("clicking"), BarColumn(), TextColumn("{task.percentage:.0f} %"), TimeElapsedColumn())
    task = progress.add_task("clicking", total=run.plan.seconds or run.plan.clicks)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        clicking = asyncio.ensure_future(run.finish())
        while not clicking.done():
            await asyncio.wait([clicking], timeout=REFRESH_S)
            progress.update(task, completed=run.elapsed_s() if run.plan.seconds else run.report.clicks)
            live.update(Group(progress, live_view(run)), refresh=True)
        return clicking.result()


def live_view(run: Run) -> RenderableType:
    """How it goes now."""
    recent = list(run.recent)
    rate = len(recent) / min(RECENT_S, max(run.elapsed_s(), REFRESH_S))
    latency = percentiles([latency_ms for _, latency_ms in recent])
    table = Table("clicks", "clicks/s", *(f"{name} ms" for name in latency), "errors", "moved", "lost")
    report = run.report
    errors = sum(run.errors.values())
    table.add_row(
        str(report.clicks),
        f"{rate:.0f}",
        *(f"{value}" for value in latency.values()),
        *(f"[{'bold red' if count else 'green'}]{count}" for count in (errors, len(report.moved), len(report.lost))),
    )
    losses = sorted([*report.lost, *report.moved], key=lambda each: each.at_s)[-LOSSES_SHOWN:]
    return Group(
        table, *(f"[bold red]{'session lost' if each in report.lost else 'session moved'}: {told(each)}" for each in losses)
    )


def told(loss: Loss) -> str:
    """One session that is not where it was, in words."""
    shown = f", {loss.found or 'nothing'} instead of {loss.expected or 'nothing'}" if loss.found != loss.expected else ""
    return f"user {loss.user} at {loss.at_s:.2f} s{shown}, cookie {loss.cookie_before or '-'} -> {loss.cookie_after or '-'}"


def _print_report(report: Report, console: Console) -> None:
    rate = report.clicks / report.seconds if report.seconds else 0.0
    done = f"{report.users} users, {report.clicks} clicks, {report.requests} requests"
    console.print(f"{done} in {report.seconds:.1f} s: {rate:.0f} clicks/s")
    console.print("latency of a click in ms: " + "  ".join(f"{name} {value}" for name, value in report.latency_ms.items()))
    console.print(
        "sessions begun by server: " + "  ".join(f"{name or 'none'} {count}" for name, count in report.servers.items())
    )
    if report.undone:
        console.print(f"[bold yellow]{report.undone} clicks were due and found no free user: more users, or a lower rate")
    for name, count in report.errors.items():
        console.print(f"[red]{count} x {name}")
    for what, sessions in (("lost", report.lost), ("moved", report.moved)):
        for each in sessions:
            console.print(f"[bold red]session {what}: {told(each)}", soft_wrap=True)
    if report.is_clean:
        console.print("[green]no error, no session moved, none lost")
