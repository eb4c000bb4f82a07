"""Statistics of paired runs: differences, and the distance above a frontier, with intervals."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from sage_jax.evaluate.holm import holm

Row = Mapping[str, Any]
Pair = tuple[int, int]
Curve = Mapping[float, Row]
"""Runs of one arm and pair by coefficient."""


class Interval(NamedTuple):
    """A mean with its 95% interval, from values of warm-starts.

    Attributes:
        mean: over warm-starts.
        half: half the width of the t-interval; NaN of fewer than two warm-starts.
        p: of the two-sided t-test against 0.
        count: warm-starts.
    """

    mean: float
    half: float
    p: float
    count: int

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
        return Interval(mean, float("nan"), float("nan"), count)
    error = float(np.std(means, ddof=1)) / count**0.5
    half = float(stats.t.ppf(0.975, count - 1)) * error
    p = float(2 * stats.t.sf(abs(mean) / error, count - 1)) if error else float(mean == 0)
    return Interval(mean, half, p, count)


def starred(column: Sequence[Interval | None]) -> list[str]:
    """Cells of a column, with a star where p < .05 after Holm's correction for all of them."""
    corrected = holm([math.nan if one is None else one.p for one in column])
    return [
        "" if one is None or not one.count else f"{one}{' *' if p < 0.05 else ''}"
        for one, p in zip(column, corrected, strict=True)
    ]


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

    The frontier is the line through its runs in the order of `at`. A run outside of their range is
    left out, and counts by the number of warm-starts.
    """
    found = {}
    for pair, row in rows.items():
        line = _line(lines.get(pair, {}).values(), metric, at)
        height = line(row[at]) if line else None
        if height is not None:
            found[pair] = row[metric] - height
    return interval(found)


def curves(rows: Iterable[Row], arm: str) -> dict[Pair, Curve]:
    """The frontier of each pair: its runs of an arm, by coefficient."""
    found: dict[Pair, dict[float, Row]] = {}
    for row in rows:
        if row["arm"] == arm:
            found.setdefault((row["base"], row["seed"]), {})[row["kl_coef"]] = row
    return {**found}


def chord(lines: Mapping[Pair, Curve], metric: str, *, at: str = "pass@1") -> dict[float, Interval]:
    """What the interpolation errs by: each inner run of a frontier above the line of the others."""
    coefs = sorted({coef for curve in lines.values() for coef in curve})
    left_out = {}
    for coef in coefs[1:-1]:
        rows = {pair: curve[coef] for pair, curve in lines.items() if coef in curve}
        rest = {p: {c: r for c, r in curve.items() if c != coef} for p, curve in lines.items()}
        left_out[coef] = above(rows, rest, metric, at=at)
    return left_out


def _line(rows: Iterable[Row], metric: str, at: str) -> Callable[[float], float | None] | None:
    points = sorted((row[at], row[metric]) for row in rows)
    if len(points) < 2:
        return None
    xs, ys = map(np.array, zip(*points, strict=True))

    def height(x: float) -> float | None:
        return float(np.interp(x, xs, ys)) if xs[0] <= x <= xs[-1] else None

    return height
