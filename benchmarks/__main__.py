"""The command line of the benchmarks."""

import argparse
import asyncio
import json
import statistics
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import load, rounds
from benchmarks.contestants import CONTESTANTS

# Columns of a table that goes to a file or a pipe.
PLAIN_WIDTH = 128

FINE = 0
FAILED = 1


def main(words: list[str]) -> int:
    """Runs one of the two commands."""
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    if words[:1] == ["load"]:
        return _load(_load_arguments(words[1:]), console)
    return _measure(_measure_arguments(words), console)


def _measure_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="CPU time per request beside Debian's haproxy, in interleaved rounds. Everything stays on loopback.",
        epilog="python -m benchmarks load URL: users click through a Seaside site (see 'load --help')",
    )
    parser.add_argument("--rounds", type=_positive, default=5, help="rounds of each scenario (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement (2)")
    names = [scenario.name for scenario in rounds.SCENARIOS]
    parser.add_argument("--scenario", choices=names, action="append", help="only this one; may be repeated")
    parser.add_argument("--output", type=Path, help="write all figures as JSON")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="JSON", help="compare two earlier results instead")
    return parser.parse_args(words)


def _load_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks load",
        description="Users with cookie jars click the Seaside counter; every session that moved or was lost is reported.",
    )
    parser.add_argument("url", help="the counter, e.g. http://127.0.0.1:8080/seaside/examples/counter")
    parser.add_argument("--users", type=_positive, default=50)
    parser.add_argument("--clicks", type=_positive, default=1000, help="clicks in all (1000)")
    parser.add_argument("--seconds", type=float, default=0.0, help="click for this time instead of a number of clicks")
    parser.add_argument("--think", type=float, default=0.0, metavar="S", help="each user's pause between two clicks")
    parser.add_argument("--close", action="store_true", help="a connection for each request")
    parser.add_argument("--cookie", default="SEASIDE", help="the cookie that names the server")
    parser.add_argument("--json", type=Path, help="write the report as JSON")
    parser.add_argument("--yes", action="store_true", help="this site is mine: leave loopback")
    return parser.parse_args(words)


def _positive(word: str) -> int:
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expects a positive number (got {word})")
    return number


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _measure(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.compare:
        return _compare(arguments.compare, console)
    for contestant in CONTESTANTS:
        if not contestant.is_there():
            console.print(f"[bold red]{contestant.name} is not installed: it is left out, and with it every ratio to it.")
    names = arguments.scenario or [scenario.name for scenario in rounds.SCENARIOS]
    present = sum(contestant.is_there() for contestant in CONTESTANTS)
    with _progress(console) as progress:
        task = progress.add_task("starting", total=len(names) * arguments.rounds * present)

        def step(text: str) -> None:
            progress.update(task, description=text, advance=1)

        try:
            outcome = rounds.run(names, arguments.rounds, arguments.seconds, step)
        except RuntimeError as error:
            console.print(f"[bold red]{error}")
            return FAILED
    for scenario in rounds.SCENARIOS:
        if scenario.name in outcome.scenarios:
            console.print(_table(scenario, outcome.scenarios[scenario.name]))
    console.print("  ".join(f"{name}: {value}" for name, value in outcome.machine.items()), style="dim", soft_wrap=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(outcome.as_dict(), indent=1), encoding="utf-8")
    return FINE


def _table(scenario: rounds.Scenario, all_series: list[rounds.Series]) -> Table:
    table = Table(title=f"{scenario.name}: {scenario.text}", title_justify="left")
    for heading in (
        "proxy",
        "CPU us/request",
        "least..most",
        "ratio to haproxy",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "RSS MiB",
        "failed",
    ):
        table.add_column(heading, justify="left" if heading == "proxy" else "right")
    reference = rounds.reference_of(all_series)
    for series in all_series:
        least, most = series.spread("cpu_us")
        ratio = "" if reference is None else f"{statistics.median(rounds.ratios(series, reference)):.2f}"
        table.add_row(
            series.name,
            f"{series.median('cpu_us'):.1f}",
            f"{least:.1f}..{most:.1f}",
            ratio,
            f"{series.median('rate'):.0f}",
            f"{series.median('p50_ms'):.2f}",
            f"{series.median('p99_ms'):.2f}",
            f"{series.median('resident_kib') / 1024:.0f}",
            f"{sum(each.failed for each in series.rounds)}",
        )
    return table


def _compare(paths: list[Path], console: Console) -> int:
    before, after = (json.loads(path.read_text(encoding="utf-8")) for path in paths)
    table = Table(title=f"{paths[0]} and {paths[1]}: median CPU us per request", title_justify="left")
    for heading in ("scenario", "proxy", "before", "after", "after / before"):
        table.add_column(heading)
    for name, all_series in before["scenarios"].items():
        later = {series["name"]: series for series in after["scenarios"].get(name, [])}
        for series in all_series:
            if series["name"] in later:
                old, new = (
                    statistics.median(each["cpu_us"] for each in one["rounds"]) for one in (series, later[series["name"]])
                )
                table.add_row(name, series["name"], f"{old:.1f}", f"{new:.1f}", f"{new / old:.2f}")
    console.print(table)
    return FINE


def _load(arguments: argparse.Namespace, console: Console) -> int:
    if not load.is_loopback(arguments.url):
        console.print(f"[bold yellow]{arguments.url} is not this machine: the load goes to somebody's site.")
        if not arguments.yes:
            console.print("Say --yes if it is yours.")
            return FAILED
    plan = load.Plan(
        url=arguments.url,
        users=arguments.users,
        clicks=arguments.clicks,
        seconds=arguments.seconds,
        think_s=arguments.think,
        closes=arguments.close,
        cookie=arguments.cookie,
    )
    with _progress(console) as progress:
        task = progress.add_task("clicking", total=None if plan.seconds else plan.clicks)
        report = asyncio.run(load.run(plan, lambda clicks: progress.update(task, completed=clicks)))
    _print_report(report, console)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_dict(), indent=1), encoding="utf-8")
    return FINE if report.is_clean else FAILED


def _print_report(report: load.Report, console: Console) -> None:
    rate = report.clicks / report.seconds if report.seconds else 0.0
    done = f"{report.users} users, {report.clicks} clicks, {report.requests} requests"
    console.print(f"{done} in {report.seconds:.1f} s: {rate:.0f} clicks/s")
    console.print("latency of a click in ms: " + "  ".join(f"{name} {value}" for name, value in report.latency_ms.items()))
    console.print(
        "sessions begun by server: " + "  ".join(f"{name or 'none'} {count}" for name, count in report.servers.items())
    )
    for name, count in report.errors.items():
        console.print(f"[red]{count} x {name}")
    for what, sessions in (("lost", report.lost), ("moved", report.moved)):
        for each in sessions:
            console.print(
                f"[bold red]session {what}: user {each.user} at {each.at_s:.2f} s, count {each.found} "
                f"instead of {each.expected}, cookie {each.cookie_before or '-'} -> {each.cookie_after or '-'}"
            )
    if report.is_clean:
        console.print("[green]no error, no session moved, none lost")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
