"""Plots of a run, PNG and SVG: the ratio to HAProxy in every scenario, and cost against scale.

matplotlib is in the `bench` extra only; `is_there` says whether it is installed, and nothing else here works without it.
"""

import importlib.util
from pathlib import Path
from typing import Any, Final

from benchmarks.contestants import CONTESTANTS, REFERENCE
from benchmarks.results import Measured, Outcome

FORMATS: Final = ("png", "svg")
DPI: Final = 110
COST_TICKS_US: Final = (5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000)
# Ratios beyond the last are cut off: the table has them.
TICKS: Final = (0.25, 0.5, 1, 2, 4, 8, 16, 32)
COLOURS: Final = dict(
    zip([each.name for each in CONTESTANTS], ("#d1495b", "#30638e", "#7fa6c9", "#3c8d5a", "#a67c52"), strict=True)
)
HINT: Final = "matplotlib is not installed: no plots are drawn (pip install matplotlib, or make bench, which brings it)"


def is_there() -> bool:
    """Whether plots can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(outcome: Outcome, folder: Path) -> list[Path]:
    """Draws all that the run has figures for; gives the files."""
    import matplotlib

    matplotlib.use("Agg")
    # The same figures give the same file: no date, no random names.
    matplotlib.rcParams["svg.hashsalt"] = "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    flat = [
        each
        for each in outcome.scenarios
        if not each.family and any(each.ratios(name, REFERENCE) for name in outcome.contestants)
    ]
    if flat:
        files += _saved(_ratios(flat, outcome), folder / "ratios")
    for family in dict.fromkeys(each.family for each in outcome.scenarios if each.family):
        members = sorted((each for each in outcome.scenarios if each.family == family), key=lambda each: each.point)
        files += _saved(_scale(family, members, outcome), folder / family)
    return files


def _ratios(scenarios: list[Measured], outcome: Outcome) -> Any:
    from matplotlib import pyplot

    names = [name for name in outcome.contestants if name != REFERENCE]
    figure, axes = pyplot.subplots(figsize=(9, 0.45 * len(scenarios) + 1.6), layout="constrained")
    height = 0.8 / max(1, len(names))
    for index, name in enumerate(names):
        places, widths, errors = [], [], []
        for row, measured in enumerate(scenarios):
            ratios = measured.ratios(name, REFERENCE)
            middle = measured.ratio(name, REFERENCE)
            if middle is not None:
                places.append(row + (index - (len(names) - 1) / 2) * height)
                widths.append(middle)
                errors.append((middle - min(ratios), max(ratios) - middle))
        axes.barh(places, widths, height * 0.9, label=name, color=COLOURS[name], xerr=list(zip(*errors, strict=True)) or None)
    axes.axvline(1.0, color="#444444", linewidth=1)
    labels = [each.name if each.figure == "cpu_us" else f"{each.name} ({each.figure.split('_')[0]})" for each in scenarios]
    axes.set_yticks(range(len(scenarios)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.set_xlim(TICKS[0], TICKS[-1])
    axes.set_xlabel(f"ratio to {REFERENCE}: less is better (medians; lines: least and most of the rounds)")
    figure.legend(loc="outside lower center", ncols=len(names), fontsize="small")
    axes.grid(axis="x", alpha=0.3)
    return figure


def _scale(family: str, members: list[Measured], outcome: Outcome) -> Any:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name in outcome.contestants:
        series = [(each.point, found) for each in members if (found := each.series(name))]
        if series:
            points = [point for point, _ in series]
            lows, highs = zip(*(found.spread("cpu_us") for _, found in series), strict=True)
            axes.plot(points, [found.median("cpu_us") for _, found in series], marker="o", label=name, color=COLOURS[name])
            axes.fill_between(points, lows, highs, color=COLOURS[name], alpha=0.15, linewidth=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.minorticks_off()
    axes.set_xticks([each.point for each in members], [str(each.point) for each in members])
    lowest, highest = axes.get_ylim()
    shown = [tick for tick in COST_TICKS_US if lowest <= tick <= highest]
    axes.set_yticks(shown, [str(tick) for tick in shown])
    axes.set_xlabel(family)
    axes.set_ylabel("CPU us per request")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    return figure


def _saved(figure: Any, stem: Path) -> list[Path]:
    from matplotlib import pyplot

    files = [stem.with_suffix(f".{form}") for form in FORMATS]
    for file in files:
        figure.savefig(file, dpi=DPI, metadata={"Date": None} if file.suffix == ".svg" else None)
    pyplot.close(figure)
    return files
