"""Runs against suites: the table that a paper shows, as numbers and as cells of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, average_interval, pairing
from sage_jax.evaluate.figures import column, has, is_better_high, is_share, parsed
from sage_jax.evaluate.holm import holm
from sage_jax.evaluate.permutation import sign_flips
from sage_jax.evaluate.results import EvalResult
from sage_jax.evaluate.seeded import SeededResult

Result = EvalResult | SeededResult
Runs = Mapping[str, Mapping[str, Result]]
"""{run: {suite: its evaluation}}."""

AVERAGE = "average"
LEVEL = 0.05
"""Below it a corrected p-value is marked."""


class Cell(NamedTuple):
    """One figure of one run.

    Attributes:
        interval: its mean over problems (and seeds), with the 95% interval over problems.
        p: of its difference from the baseline, corrected for all that the table tests; NaN where
            nothing is tested.
    """

    interval: Interval
    p: float = float("nan")


class Text(NamedTuple):
    """A cell as it is shown: its value, its bounds, and whether to mark it."""

    value: str
    bounds: str
    best: bool
    differs: bool


@dataclass(frozen=True)
class SuiteTable:
    """Rows are runs, columns the figures of each suite and of their averages.

    Attributes:
        rows: names of the runs.
        groups: suites, then averages; each has all figures.
        figures: names, as `figures.column`.
        cells: {(row, group, figure): cell}; a figure that a run cannot give is not there.
        baseline: the run that others are tested against; "" where nothing is.
        tests: how many tests were made and corrected for.
    """

    rows: tuple[str, ...]
    groups: tuple[str, ...]
    figures: tuple[str, ...]
    cells: Mapping[tuple[str, str, str], Cell]
    baseline: str = ""
    tests: int = 0

    def texts(self, *, digits: int = 1) -> list[list[Text | None]]:
        """Every row's cells in the order of groups, then figures; None where there is none.

        Shares are in percent. The best of a column is what is shown as the best, so that runs of
        one rounded value are both so; the only run of a table is not.
        """
        columns = [
            self._column(group, figure, digits) for group in self.groups for figure in self.figures
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    def _column(self, group: str, figure: str, digits: int) -> list[Text | None]:
        cells = [self.cells.get((row, group, figure)) for row in self.rows]
        scale = 100 if is_share(figure) else 1
        shown = ["" if c is None else f"{scale * c.interval.mean:.{digits}f}" for c in cells]
        values = [float(text) for text in shown if text]
        best = (max if is_better_high(figure) else min)(values) if len(values) > 1 else None
        return [
            None
            if cell is None
            else Text(
                text,
                f"{scale * cell.interval.low:.{digits}f}, {scale * cell.interval.high:.{digits}f}",
                float(text) == best,
                cell.p < LEVEL,
            )
            for cell, text in zip(cells, shown, strict=True)
        ]

    def notes(self, *, intervals: bool = False) -> list[str]:
        """What is to be said below the table."""
        notes = ["Shares in percent."] if any(map(is_share, self.figures)) else []
        if len(self.groups) > 1:
            notes.append("Averages weigh suites alike.")
        if intervals:
            notes.append("In brackets 95% bootstrap intervals over problems.")
        if self.baseline:
            notes.append(
                f"* differs from {self.baseline} (p < {LEVEL:g}; signs of paired differences "
                f"flipped, Holm's correction for {self.tests} tests)."
            )
        return notes


def suite_table(
    runs: Runs,
    figures: Sequence[str],
    *,
    averages: Mapping[str, Sequence[str]] | None = None,
    baseline: str = "",
) -> SuiteTable:
    """Lay out runs against suites.

    An average is the unweighted mean of its suites. A run that lacks a suite has no average over
    it: the mean of fewer suites would be another figure.

    Args:
        runs: rows, in their order; suites in the order in which they come up.
        figures: names such as "pass@1" and "pass@64"; see `figures.column`.
        averages: {name: suites}; by default the average of all suites, where there are several.
        baseline: a run to test all others against.

    Raises:
        ValueError: nothing to show, a figure, suite or baseline that is not there, or a run that
            covers other problems of a suite than the baseline.
    """
    suites = tuple(dict.fromkeys(suite for of_run in runs.values() for suite in of_run))
    if averages is None:
        averages = {AVERAGE: suites} if len(suites) > 1 else {}
    _check(runs, suites, figures, averages, baseline)
    groups = {suite: (suite,) for suite in suites} | {n: tuple(of) for n, of in averages.items()}
    tested = _p_values(runs, groups, figures, baseline) if baseline else {}
    cells = {}
    for place in ((r, g, f) for r in runs for g in groups for f in figures):
        columns = _columns(runs[place[0]], groups[place[1]], place[2])
        interval = average_interval(columns) if columns else None
        if interval is not None:
            cells[place] = Cell(interval, tested.get(place, float("nan")))
    made = sum(not np.isnan(p) for p in tested.values())
    return SuiteTable(tuple(runs), tuple(groups), tuple(figures), cells, baseline, made)


def _check(
    runs: Runs,
    suites: Sequence[str],
    figures: Sequence[str],
    averages: Mapping[str, Sequence[str]],
    baseline: str,
) -> None:
    if not suites or not figures:
        raise ValueError("a table needs a run with an evaluation, and a figure")
    for figure in figures:
        parsed(figure)
    for name, of in averages.items():
        missing = [suite for suite in of if suite not in suites]
        if missing or not of or name in suites:
            raise ValueError(
                f"average {name!r} must have a name and suites of its own, among "
                f"{', '.join(suites)}; got {', '.join(of)}"
            )
    if baseline and baseline not in runs:
        raise ValueError(f"baseline {baseline!r} is none of the runs {', '.join(runs)}")


def _columns(
    of_run: Mapping[str, Result], suites: Sequence[str], figure: str
) -> list[np.ndarray] | None:
    """A figure of the problems of each suite; None where one of them does not have it."""
    if not all(suite in of_run and _has(of_run[suite], figure) for suite in suites):
        return None
    return [_column(of_run[suite], figure) for suite in suites]


def _has(result: Result, figure: str) -> bool:
    parts = result.results if isinstance(result, SeededResult) else (result,)
    return all(has(part, figure) for part in parts)


def _column(result: Result, figure: str) -> np.ndarray:
    return result.column(figure) if isinstance(result, SeededResult) else column(result, figure)


def _p_values(
    runs: Runs, groups: Mapping[str, Sequence[str]], figures: Sequence[str], baseline: str
) -> dict[tuple[str, str, str], float]:
    """Corrected over all places of the table."""
    places = [(r, g, f) for r in runs if r != baseline for g in groups for f in figures]
    found = {}
    for run, group, figure in places:
        suites = groups[group]
        after, before = (_columns(runs[name], suites, figure) for name in (run, baseline))
        if after is not None and before is not None:
            orders = [_pairing(runs, run, baseline, suite) for suite in suites]
            found[run, group, figure] = _p(after, before, orders)
    return dict(zip(found, holm([*found.values()]), strict=True))


def _pairing(runs: Runs, run: str, baseline: str, suite: str) -> np.ndarray:
    try:
        return pairing(runs[run][suite].ids, runs[baseline][suite].ids)
    except ValueError as error:
        raise ValueError(f"{suite}: {run} and {baseline}: {error}") from None


def _p(
    after: Sequence[np.ndarray], before: Sequence[np.ndarray], orders: Sequence[np.ndarray]
) -> float:
    """Of the mean of suites' mean differences: each problem weighs as it does in that."""
    weighted = []
    for own, other, order in zip(after, before, orders, strict=True):
        difference = own - other[order]
        weighted.append(difference / max(1, (~np.isnan(difference)).sum()))
    return sign_flips(np.concatenate(weighted)[:, None])[0].p
