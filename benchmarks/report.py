"""Tables of a run: one per scenario, one of the targets at the end, one of a comparison."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import REFERENCE
from benchmarks.results import HEADINGS, Measured, Outcome
from benchmarks.scenarios import GROWTH_TARGETS, TARGETS


@dataclass(frozen=True)
class Row:
    """One promise beside what was measured: the ratios of all rounds, whose median counts; none where it was not measured."""

    scenario: str
    promise: str
    limit: str
    ratios: list[float]
    is_met: Callable[[float], bool]

    def told(self) -> tuple[str, str, str]:
        """The median, least..most, and the verdict, which says when not every round agrees."""
        if not self.ratios:
            return "-", "", "not measured"
        is_met = self.is_met(statistics.median(self.ratios))
        agrees = all(self.is_met(ratio) is is_met for ratio in self.ratios)
        verdict = ("met" if is_met else "missed") + ("" if agrees else ", not in every round")
        return f"{statistics.median(self.ratios):.2f}", f"{min(self.ratios):.2f}..{max(self.ratios):.2f}", verdict


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
            f"{rounded(least)}..{rounded(most)}",
            "" if ratio is None else f"{ratio:.2f}",
            f"{series.median('rate'):.0f}",
            *(f"{series.median(name):.2f}" if series.median(name) else "-" for name in ("p50_ms", "p99_ms", "p999_ms")),
            f"{series.median('resident_kib') / 1024:.0f}",
            f"{sum(each.failed for each in series.rounds)}",
            *([f"{series.median('octets_per_connection'):.0f}"] if is_idle else []),
        )
    if measured.figure != "cpu_us":
        table.caption = f"least..most and ratio are of {HEADINGS[measured.figure]}"
    return table


def target_rows(outcome: Outcome) -> list[Row]:
    """Every promise beside what was measured."""
    rows = []
    for target in TARGETS:
        measured = outcome.scenario(target.scenario)
        ratios = measured.ratios(target.of, target.to) if measured else []
        sign = ">=" if target.is_at_least else "<="
        text = f"{target.text} ({target.of} / {target.to})"
        rows.append(Row(target.scenario, text, f"{sign} {target.limit:.2f}", ratios, target.is_met))
    for growth in GROWTH_TARGETS:
        ratios = outcome.growths(growth.family, growth.lesser, growth.greater, growth.of)
        text = f"CPU per request with {growth.greater} {growth.family} / with {growth.lesser}, {growth.of}"
        rows.append(Row(growth.family, text, f"< {growth.limit:.2f}", ratios, growth.is_met))
    return rows


def target_table(outcome: Outcome) -> Table:
    """The table at the end."""
    table = Table(title="Targets: medians of ratios", title_justify="left")
    for heading in ("scenario", "promise", "target", "measured", "rounds", ""):
        table.add_column(heading, justify="right" if heading in ("target", "measured", "rounds") else "left")
    for row in target_rows(outcome):
        ratio, spread, verdict = row.told()
        colour = {"met": "[green]", "missed": "[bold red]"}.get(verdict.split(",")[0], "[dim]")
        table.add_row(row.scenario, row.promise, row.limit, ratio, spread, colour + verdict)
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


def rounded(figure: float) -> str:
    """Three digits, and no exponent."""
    return f"{figure:.0f}" if figure >= 100.0 else f"{figure:.3g}"


def markdown(outcome: Outcome) -> str:
    """The tables of the targets and of the scenarios, for a document."""
    lines = ["| scenario | promise | target | measured | rounds | |", "|---|---|--:|--:|--:|---|"]
    for row in target_rows(outcome):
        ratio, spread, verdict = row.told()
        limit = row.limit.replace("<", "&lt;").replace(">", "&gt;")
        lines.append(f"| {row.scenario} | {row.promise} | {limit} | {ratio} | {spread} | {verdict} |")
    names = [name for name in outcome.contestants if name != REFERENCE]
    lines += ["", f"| scenario | {' | '.join([REFERENCE, *names])} | unit |", "|---|" + "--:|" * (len(names) + 1) + "---|"]
    for measured in outcome.scenarios:
        cells = []
        for name in (REFERENCE, *names):
            series, to_reference = measured.series(name), measured.ratio(name, REFERENCE)
            told = "-" if series is None else rounded(series.median(measured.figure))
            cells.append(told if to_reference is None or name == REFERENCE else f"{told} ({to_reference:.2f})")
        unit = {"cpu_us": f"CPU us / {measured.unit}", "p99_ms": "p99 ms"}.get(measured.figure, "octets / connection")
        lines.append(f"| {measured.name} | {' | '.join(cells)} | {unit} |")
    return "\n".join(lines) + "\n"
