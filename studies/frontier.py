"""Statistics of paired runs: differences, and the distance above a frontier, with intervals."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats
from scipy.interpolate import PchipInterpolator

from sage_jax.evaluate.holm import holm

Row = Mapping[str, Any]
Pair = tuple[int, int]
Curve = Mapping[float, Row]
"""Runs of one arm and pair by coefficient."""

Held = Mapping[tuple[str, float], Mapping[Pair, Row]]
"""Runs of each arm and coefficient, by pair."""

FRONTIERS = ("k3", "exact")
"""Arms that the others are compared with."""


class Interval(NamedTuple):
    """A mean with its 95% interval, from values of warm-starts.

    Attributes:
        mean: over warm-starts.
        half: half the width of the t-interval; NaN of fewer than two warm-starts.
        p: of the two-sided t-test against 0.
        count: warm-starts.
        pairs: runs.
    """

    mean: float
    half: float
    p: float
    count: int
    pairs: int

    def __str__(self) -> str:
        mean = f"{round(self.mean, 3) + 0.0:+.3f}"  # + 0.0: no minus before 0.
        return f"{mean} ± {self.half:.3f}" if self.count > 1 else f"{mean} (one)"


def interval(values: Mapping[Pair, float]) -> Interval:
    """The mean over warm-starts, seeds of one averaged first, since they share it.

    >>> print(interval({(0, 0): 0.1, (0, 1): 0.3, (1, 0): 0.4}))
    +0.300 ± 1.271
    """
    bases = sorted({base for base, _ in values})
    means = [np.mean([v for (base, _), v in values.items() if base == one]) for one in bases]
    count, mean = len(means), float(np.mean(means)) if means else float("nan")
    if count < 2:
        return Interval(mean, float("nan"), float("nan"), count, len(values))
    error = float(np.std(means, ddof=1)) / count**0.5
    half = float(stats.t.ppf(0.975, count - 1)) * error
    # Shares that agree up to rounding are coarse, as of few samples, and prove nothing.
    p = float(2 * stats.t.sf(abs(mean) / error, count - 1)) if error > 1e-12 else 1.0
    return Interval(mean, half, p, count, len(values))


def starred(column: Sequence[Interval | None], *, of: Sequence[int]) -> list[str]:
    """Cells of a column, with a star where p < .05 after Holm's correction for all of them.

    `of` are the pairs that each line has; a cell of fewer says of how many it is.
    """
    corrected = holm([math.nan if one is None else one.p for one in column])
    return [
        "" if one is None or not one.count else _cell(one, p, pairs)
        for one, p, pairs in zip(column, corrected, of, strict=True)
    ]


def _cell(one: Interval, p: float, pairs: int) -> str:
    fewer = f" ({one.pairs} of {pairs})" if one.count > 1 and one.pairs < pairs else ""
    return f"{one}{' *' if p < 0.05 else ''}{fewer}"


def by_pair(rows: Iterable[Row], **wanted: Any) -> dict[Pair, Row]:
    """The rows that have these fields, by (warm-start, seed)."""
    held = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return {(row["base"], row["seed"]): row for row in held}


def difference(left: Mapping[Pair, Row], right: Mapping[Pair, Row], metric: str) -> Interval:
    """Left less right over the pairs that both have."""
    shared = left.keys() & right.keys()
    return interval({pair: left[pair][metric] - right[pair][metric] for pair in shared})


def above(
    rows: Mapping[Pair, Row], lines: Mapping[Pair, Curve], metric: str, *, at: str = "pass@1"
) -> Interval:
    """How much more of `metric` a run has than a frontier at the same `at`, within each pair.

    The frontier is a curve through its runs in the order of `at`, straight where there are two. A
    run outside of their range is left out, see `Interval.pairs`.
    """
    found = {}
    for pair, row in rows.items():
        points = np.array([(one[at], one[metric]) for one in lines.get(pair, {}).values()])
        if len(points) > 1:
            found[pair] = row[metric] - float(curve(*points.T)(row[at]))
    return interval({pair: over for pair, over in found.items() if not math.isnan(over)})


def distances(
    rows: Sequence[Row], held: Held, *, metrics: Sequence[str]
) -> dict[str, list[Interval | None]]:
    """Of each arm above each frontier, by column of a table; none of a frontier's own runs."""
    lines = {frontier: curves(rows, frontier) for frontier in FRONTIERS}
    return {
        f"above {frontier}, {metric}": [
            above(own, line, metric) if arm != frontier else None for (arm, _), own in held.items()
        ]
        for frontier, line in lines.items()
        for metric in metrics
    }


def curves(rows: Iterable[Row], arm: str) -> dict[Pair, Curve]:
    """The frontier of each pair: its runs of an arm, by coefficient."""
    found: dict[Pair, dict[float, Row]] = {}
    for row in rows:
        if row["arm"] == arm:
            found.setdefault((row["base"], row["seed"]), {})[row["kl_coef"]] = row
    return {**found}


def left_out(
    lines: Mapping[Pair, Curve], metric: str, *, at: str = "pass@1"
) -> dict[float, Interval]:
    """What reading off errs by: each inner run of a frontier above the curve of the others."""
    coefs = sorted({coef for curve in lines.values() for coef in curve})
    found = {}
    for coef in coefs[1:-1]:
        rows = {pair: curve[coef] for pair, curve in lines.items() if coef in curve}
        rest = {p: {c: r for c, r in curve.items() if c != coef} for p, curve in lines.items()}
        found[coef] = above(rows, rest, metric, at=at)
    return found


def curve(places: np.ndarray, heights: np.ndarray) -> PchipInterpolator:
    """Through a frontier's points in the order of their places; NaN beyond them.

    Monotone cubics (Fritsch and Butland 1984). `heights` are [P] or [P, F].
    """
    inner, order = np.unique(places, return_index=True)
    return PchipInterpolator(inner, heights[order], extrapolate=False)
