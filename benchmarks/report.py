"""Tables of a run: one per scenario, one of the targets at the end, one of a comparison."""

import statistics

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import REFERENCE
from benchmarks.results import HEADINGS, Measured, Outcome
from benchmarks.scenarios import GROWTH_TARGETS, TARGETS

# (scenario, promise, limit as text, measured, whether it is met); None where it was not measured.
Row = tuple[str, str, str, float | None, bool | None]


def scenario_table(measured: Measured) -> Table:
    """Every contestant in one scenario."""
    title = f"{measured.name}: {measured.text} ({measured.load} load, {measured.servers})"
    table = Table(title=title, title_justify="left")
    is_idle = measured.figure == "octets_per_connection"
    columns = ["proxy", f"CPU us/{measured.unit}", "least..most", f"ratio to {REFERENCE}", f"{measured.unit}/s"]
    columns += ["p50 ms", "p99 ms", "p99.9 ms", "RSS MiB", "failed"]
    columns += ["octets/connection"] if is_idle else []
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "proxy" else "right")
    for series in measured.all_series:
        if not series.rounds:
            continue
        least, most = series.spread(measured.figure)
        ratio = measured.ratio(series.name, REFERENCE)
        table.add_row(
            series.name,
            f"{series.median('cpu_us'):.1f}",
            f"{least:.3g}..{most:.3g}",
            "" if ratio is None else f"{ratio:.2f}",
            f"{series.median('rate'):.0f}",
            *(f"{series.median(name):.2f}" for name in ("p50_ms", "p99_ms", "p999_ms")),
            f"{series.median('resident_kib') / 1024:.0f}",
            f"{sum(each.failed for each in series.rounds)}",
            *([f"{series.median('octets_per_connection'):.0f}"] if is_idle else []),
        )
    if measured.figure != "cpu_us":
        table.caption = f"least..most and ratio are of {HEADINGS[measured.figure]}"
    return table


def target_rows(outcome: Outcome) -> list[Row]:
    """Every promise beside what was measured."""
    rows: list[Row] = []
    for target in TARGETS:
        measured = outcome.scenario(target.scenario)
        ratio = measured.ratio(target.of, target.to) if measured else None
        sign = ">=" if target.is_at_least else "<="
        text = f"{target.text} ({target.of} / {target.to})"
        rows.append(
            (target.scenario, text, f"{sign} {target.limit:.2f}", ratio, None if ratio is None else target.is_met(ratio))
        )
    for growth in GROWTH_TARGETS:
        grown = outcome.growth(growth.family, growth.lesser, growth.greater, growth.of)
        text = f"CPU per request with {growth.greater} {growth.family} / with {growth.lesser}, {growth.of}"
        rows.append((growth.family, text, f"< {growth.limit:.2f}", grown, None if grown is None else grown < growth.limit))
    return rows


def target_table(outcome: Outcome) -> Table:
    """The table at the end."""
    table = Table(title="Targets: medians of ratios", title_justify="left")
    for heading in ("scenario", "promise", "target", "measured", ""):
        table.add_column(heading, justify="right" if heading in ("target", "measured") else "left")
    for name, text, limit, ratio, is_met in target_rows(outcome):
        if ratio is None:
            table.add_row(name, text, limit, "-", "[dim]not measured")
        else:
            table.add_row(name, text, limit, f"{ratio:.2f}", "[green]met" if is_met else "[bold red]missed")
    return table


def comparison_table(title: str, before: Outcome, after: Outcome) -> Table:
    """Two runs: the figure of each scenario, and the ratio to HAProxy, which outlives a change of the machine's mood."""
    table = Table(title=title, title_justify="left")
    for heading in ("scenario", "proxy", "figure", "before", "after", "after / before", "ratio before", "ratio after"):
        table.add_column(heading, justify="left" if heading in ("scenario", "proxy", "figure") else "right")
    for measured in before.scenarios:
        later = after.scenario(measured.name)
        for series in measured.all_series:
            other = later.series(series.name) if later else None
            if later is None or other is None or not series.rounds:
                continue
            old, new = statistics.median(series.values(measured.figure)), other.median(measured.figure)
            ratios = (each.ratio(series.name, REFERENCE) for each in (measured, later))
            table.add_row(
                measured.name,
                series.name,
                HEADINGS[measured.figure],
                f"{old:.2f}",
                f"{new:.2f}",
                f"{new / old:.2f}" if old else "-",
                *("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios),
            )
    return table


def show(outcome: Outcome, console: Console) -> None:
    """All tables, and what the figures depend on."""
    for measured in outcome.scenarios:
        console.print(scenario_table(measured))
    console.print(target_table(outcome))
    for name, differs in outcome.contestants.items():
        if differs:
            console.print(f"{name}: {differs}", style="dim", soft_wrap=True, markup=False, highlight=False)
    told = {**outcome.machine, **outcome.settings}
    console.print("  ".join(f"{name}: {value}" for name, value in told.items()), style="dim", soft_wrap=True, markup=False)


def markdown(outcome: Outcome) -> str:
    """The tables of the targets and of the scenarios, for a document."""
    lines = ["| scenario | promise | target | measured | |", "|---|---|--:|--:|---|"]
    for name, text, limit, ratio, is_met in target_rows(outcome):
        verdict = ("-", "not measured") if ratio is None else (f"{ratio:.2f}", "met" if is_met else "**missed**")
        lines.append(f"| {name} | {text} | {limit.replace('<', '&lt;').replace('>', '&gt;')} | {' | '.join(verdict)} |")
    names = [name for name in outcome.contestants if name != REFERENCE]
    lines += ["", f"| scenario | {' | '.join([REFERENCE, *names])} | unit |", "|---|" + "--:|" * (len(names) + 1) + "---|"]
    for measured in outcome.scenarios:
        cells = []
        for name in (REFERENCE, *names):
            series, ratio = measured.series(name), measured.ratio(name, REFERENCE)
            told = "-" if series is None else f"{series.median(measured.figure):.3g}"
            cells.append(told if ratio is None or name == REFERENCE else f"{told} ({ratio:.2f})")
        unit = {"cpu_us": f"CPU us / {measured.unit}", "p99_ms": "p99 ms"}.get(measured.figure, "octets / connection")
        lines.append(f"| {measured.name} | {' | '.join(cells)} | {unit} |")
    return "\n".join(lines) + "\n"
