"""The table of a comparison as text, for a terminal or a log."""

from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.table import Table

from sage_jax.evaluate.bootstrap import Interval
from sage_jax.evaluate.comparison import Comparison, compare
from sage_jax.evaluate.figures import is_share
from sage_jax.evaluate.report.plots import describe
from sage_jax.evaluate.report.points import points
from sage_jax.evaluate.report.suite_table import SuiteTable, Text
from sage_jax.evaluate.report.tables import end_columns
from sage_jax.evaluate.runs import read_runs

_WIDTH = 200  # Where output goes to a file, which has none of its own.


def print_table(run_dirs: Sequence[str | Path], file: TextIO | None = None) -> None:
    """Print pass@k and majority@k of runs, each with its 95% interval, base and trained.

    Where ways of being right are told apart also modes@k and diversity. Below each arm stands its
    paired difference from its base, in percentage points or modes, with a star where the interval
    excludes zero. On a terminal an interval stands below its figure, in a file beside it. Nothing
    is printed where nothing was evaluated.

    Args:
        run_dirs: run folders, or folders that hold run folders.
        file: where to; default standard output.

    Raises:
        ResultError: a folder that holds no run, or a file in one that is corrupt.
    """
    comparison = compare(read_runs(run_dirs))
    if comparison.results:
        console = Console(file=file, highlight=False)
        if console.is_terminal:
            console.print(_table(comparison, below=True))
        else:
            Console(file=file, width=_WIDTH).print(_table(comparison, below=False))


def print_suites(table: SuiteTable, file: TextIO | None = None) -> None:
    """Print runs against suites: a line for each suite and average, with 95% intervals.

    Args:
        table: the layout.
        file: where to; default standard output.
    """
    console = Console(file=file, highlight=False)
    console = console if console.is_terminal else Console(file=file, width=_WIDTH)
    shown = Table("suite", title_justify="left", caption=" ".join(table.notes(intervals=True)))
    for name in (f"{row} {figure}" for figure in table.figures for row in table.rows):
        shown.add_column(name, justify="right")
    texts = dict(zip(table.rows, table.texts(), strict=True))
    size = len(table.figures)
    for place, group in enumerate(table.groups):
        own = {row: cells[place * size : (place + 1) * size] for row, cells in texts.items()}
        shown.add_row(group, *(_suite(own[row][n]) for n in range(size) for row in table.rows))
    console.print(shown)


def _suite(text: Text | None) -> str:
    if text is None:
        return "—"
    return f"{text.value} [{text.bounds}]" + (" *" if text.differs else "")


def _table(comparison: Comparison, *, below: bool) -> Table:
    tasks = dict.fromkeys(f"{r.task}: {describe(r)}" for r in comparison.results.values())
    table = Table(title=f"{'; '.join(tasks)}; 95% intervals", title_justify="left")
    table.add_column("model", overflow="fold")
    columns = end_columns(comparison)
    for name in ("step", *comparison.labels, *columns):
        table.add_column(name, justify="right")
    for name, result in comparison.results.items():
        figures = [
            _figure(label, interval, below)
            for label, interval in zip(comparison.labels, comparison.intervals(name), strict=True)
        ]
        ends = [cell(result) for cell in columns.values()]
        table.add_row(name, str(result.step), *figures, *ends)
        if name in comparison.base_of:
            table.add_row("  − its base", "", *_difference(comparison, name, below), style="dim")
    return table


def _difference(comparison: Comparison, name: str, below: bool) -> list[str]:
    try:
        found = comparison.difference(name, comparison.base_of[name])
        pairs = zip(comparison.labels, found, strict=True)
        return [_change(label, interval, below) for label, interval in pairs]
    except ValueError:  # On other problems; the page says which.
        return ["not comparable"]


def _figure(label: str, interval: Interval | None, below: bool) -> str:
    if interval is None:
        return "—"
    if not is_share(label):
        return _cell(f"{interval.mean:.2f}", f"{interval.low:.2f}", f"{interval.high:.2f}", below)
    low, high = f"{100 * interval.low:.1f}", f"{100 * interval.high:.1f}"
    return _cell(f"{interval.mean:.1%}", low, high, below)


def _change(label: str, interval: Interval | None, below: bool) -> str:
    if interval is None:
        return "—"
    return _cell(*points(label, interval), below, " *" if interval.excludes_zero else "")


def _cell(mean: str, low: str, high: str, below: bool, star: str = "") -> str:
    return f"{mean}{star}\n[{low}, {high}]" if below else f"{mean} [{low}, {high}]{star}"
