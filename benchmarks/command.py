"""The command line of the benchmarks."""

import argparse
import signal
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import namespace, plots, report, results, rounds, scenarios, scrapes
from benchmarks.arguments import FAILED, FINE, INTERRUPTED, positive, seconds
from benchmarks.contestants import CONTESTANTS
from benchmarks.processes import cores

# Columns of a table that goes to a file or a pipe.
PLAIN_WIDTH = 128

ROUNDS = 5
SECONDS = 2.0
WARM_UP_S = 0.3
QUICK_ROUNDS = 1
QUICK_SECONDS = 0.3


def main(words: list[str]) -> int:
    """Runs one of the three commands."""
    console = Console() if sys.stdout.isatty() else Console(width=PLAIN_WIDTH)
    if words[:1] == ["load"]:
        from benchmarks import loadcommand  # with aiohttp, which the other command does without

        return loadcommand.main(words[1:], console)
    if words[:1] == ["scrapes"]:
        return scrapes.main(words[1:], console)
    return _measure(_measure_arguments(words), console)


def _measure_arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="What requests and octets cost the balancer and other proxies, in interleaved rounds, on loopback.",
        epilog="python -m benchmarks load URL: users click through a site (see 'load --help'); "
        "python -m benchmarks scrapes: how long visitors wait while statistics are read",
    )
    parser.add_argument("--rounds", type=positive, help=f"rounds of each scenario ({ROUNDS}; {QUICK_ROUNDS} with --quick)")
    parser.add_argument("--seconds", type=seconds, help=f"length of one measurement ({SECONDS}; {QUICK_SECONDS} with --quick)")
    parser.add_argument(
        "--scenario", choices=scenarios.names(), metavar="NAME", action="append", help="only this; may be repeated"
    )
    names = [contestant.name for contestant in CONTESTANTS]
    parser.add_argument("--proxy", choices=names, metavar="NAME", action="append", help="only this one; may be repeated")
    parser.add_argument("--quick", action="store_true", help="one short round of everything: that it works, not what it costs")
    parser.add_argument("--list", action="store_true", help="tell scenarios and proxies, and measure nothing")
    parser.add_argument("--output", type=Path, metavar="JSON", help="write all figures")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw plots, PNG and SVG")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables for a document")
    parser.add_argument("--show", type=Path, metavar="JSON", help="show an earlier result instead")
    parser.add_argument("--compare", type=Path, nargs=2, metavar="JSON", help="compare two earlier results instead")
    return parser.parse_args(words)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _measure(arguments: argparse.Namespace, console: Console) -> int:
    if arguments.list:
        return _list(console)
    if arguments.compare:
        before, after = arguments.compare
        console.print(report.comparison_table(f"{before} and {after}", results.read(before), results.read(after)))
        return FINE
    if arguments.show:
        return _told(results.read(arguments.show), arguments, console)
    try:
        outcome = _measured(arguments, console)
    except RuntimeError as error:
        console.print(f"[bold red]{error}")
        return FAILED
    if arguments.output:
        outcome.write(arguments.output)
    return _told(outcome, arguments, console)


def _list(console: Console) -> int:
    table = Table("scenario", "what is asked")
    for scenario in scenarios.SCENARIOS:
        table.add_row(scenario.name, scenario.text)
    console.print(table)
    for contestant in CONTESTANTS:
        console.print(f"{contestant.name}{'' if contestant.is_there() else ' (not installed)'}", highlight=False)
    return FINE


def _measured(arguments: argparse.Namespace, console: Console) -> results.Outcome:
    wanted = [each for each in CONTESTANTS if not arguments.proxy or each.name in arguments.proxy]
    for each in wanted:
        if not each.is_there():
            console.print(f"[bold red]{each.name} is not installed: it is left out, and with it every ratio to it.")
    if arguments.plots and not plots.is_there():
        console.print(f"[bold red]{plots.HINT}")
    proxy_cores, other_cores = cores()
    if proxy_cores == other_cores:
        console.print("[bold yellow]There is one processor only: the proxies share it with the load and the servers.")
    # The namespace must be entered before there is any thread, such as that of the progress bar.
    plan = rounds.Plan(
        scenarios=scenarios.chosen(arguments.scenario or [], arguments.quick),
        contestants=[each for each in wanted if each.is_there()],
        round_count=arguments.rounds or (QUICK_ROUNDS if arguments.quick else ROUNDS),
        seconds=arguments.seconds or (QUICK_SECONDS if arguments.quick else SECONDS),
        warm_up_s=0.0 if arguments.quick else WARM_UP_S,
        network=namespace.enter(),
        proxy_cores=proxy_cores,
        other_cores=other_cores,
    )
    console.print(f"TCP congestion control: {plan.network}", style="dim")
    with _progress(console) as progress:
        count = len(plan.scenarios) * plan.round_count * len(plan.contestants)
        task = progress.add_task("starting", total=count)
        begun: list[str] = []

        def step(name: str, text: str) -> None:
            progress.update(task, description=f"{name} {text}", advance=1)
            if not console.is_terminal and name not in begun:
                begun.append(name)
                console.print(f"{len(begun)} of {len(plan.scenarios)}: {name}", style="dim")

        return rounds.run(plan, step)


def _told(outcome: results.Outcome, arguments: argparse.Namespace, console: Console) -> int:
    report.show(outcome, console)
    if arguments.markdown:
        arguments.markdown.write_text(report.markdown(outcome), encoding="utf-8")
    if arguments.plots and not plots.is_there():
        console.print(f"[bold red]{plots.HINT}")
        return FAILED
    if arguments.plots:
        for file in plots.draw(outcome, arguments.plots):
            console.print(f"drawn: {file}", soft_wrap=True, highlight=False)
    return FINE


def entry() -> int:
    """Runs the command line; Ctrl-C and SIGTERM end what was started first, and give INTERRUPTED."""
    # Both end it the same way. A shell's background job would ignore SIGINT.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        return INTERRUPTED
