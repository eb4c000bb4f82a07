"""Bootstrap intervals over problems, for one model and for paired differences of two."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

# Index entries held at a time: bounds memory at some tens of megabytes.
_CHUNK = 2_000_000


@dataclass(frozen=True)
class Interval:
    """A mean over problems and the bounds of its bootstrap interval."""

    mean: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the interval."""
        return self.low > 0 or self.high < 0


# The redraws depend on the number of problems alone, and reports ask for them again and again.
@lru_cache(maxsize=4)
def _redraws(problems: int, rows: int, seed: int, start: int) -> np.ndarray:
    """How often each problem is picked in each of `rows` redraws: [rows, problems]."""
    picks = np.random.default_rng([seed, start]).integers(problems, size=(rows, problems))
    flat = (picks + np.arange(rows)[:, None] * problems).ravel()
    return np.bincount(flat, minlength=rows * problems).reshape(rows, problems).astype(np.int32)


def resampled_means(values: np.ndarray, *, resamples: int = 4000, seed: int = 0) -> np.ndarray:
    """Means of redraws of the rows of values [Q, K], with replacement: [resamples, K].

    What `mean_intervals` takes its bounds from, for figures that are no means of problems.
    """
    problems = len(values)
    step = max(1, _CHUNK // problems)
    means = []
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        means.append(_redraws(problems, rows, seed, start) @ values / problems)
    return np.concatenate(means)


def mean_intervals(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> list[Interval]:
    """Percentile-bootstrap interval of the mean of each column of values.

    Problems (rows) are redrawn with replacement, the same redraws for every column, so columns
    stay comparable. The interval speaks of the choice of problems only: not of the training
    seed, and it has no width where all problems have the same value.

    Args:
        values: [Q, K], K figures (say, pass@k at K values of k) of Q problems.
        level: coverage, in (0, 1).
        resamples: number of redraws.
        seed: of the redraws.

    Returns:
        K intervals, in the columns' order.

    Raises:
        ValueError: no problems, a value that is not finite, a level outside (0, 1).

    Source: Efron and Tibshirani 1993, chapter 13 (the percentile interval).
    """
    table = _checked(np.asarray(values, dtype=np.float64), level, resamples)
    redrawn = resampled_means(table, resamples=resamples, seed=seed)
    bounds = np.quantile(redrawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    columns = zip(table.mean(axis=0), *bounds, strict=True)
    return [Interval(float(mean), float(low), float(high)) for mean, low, high in columns]


def _checked(table: np.ndarray, level: float, resamples: int) -> np.ndarray:
    if table.ndim != 2 or not len(table):
        raise ValueError(f"values must be [problems, figures] with a problem, got {table.shape}")
    if not np.isfinite(table).all():
        raise ValueError("values must be finite: a problem without a figure cannot be averaged")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1, got {resamples}")
    return table


def known_intervals(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> list[Interval | None]:
    """`mean_intervals` where some problems lack some figures, given as NaN.

    Each column's mean and redraws are over the problems that have its figure; None where none has.

    >>> known_intervals([[1.0, np.nan], [1.0, np.nan]])
    [Interval(mean=1.0, low=1.0, high=1.0), None]
    """
    table = np.asarray(values, dtype=np.float64)
    options: Any = {"level": level, "resamples": resamples, "seed": seed}
    known = ~np.isnan(table)
    whole = iter(mean_intervals(table[:, known.all(axis=0)], **options))

    def of_column(place: int) -> Interval | None:
        rows = known[:, place]
        if rows.all():
            return next(whole)
        return mean_interval(table[rows, place], **options) if rows.any() else None

    return [of_column(place) for place in range(table.shape[1])]


def mean_interval(
    values: ArrayLike, *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval:
    """`mean_intervals` for one figure per problem: values [Q].

    >>> mean_interval([1.0, 1.0, 1.0])
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    column = np.asarray(values, dtype=np.float64)
    if column.ndim != 1:
        raise ValueError(f"values must be one figure per problem, got shape {column.shape}")
    return mean_intervals(column[:, None], level=level, resamples=resamples, seed=seed)[0]


def average_interval(
    suites: Sequence[ArrayLike], *, level: float = 0.95, resamples: int = 4000, seed: int = 0
) -> Interval | None:
    """The unweighted mean of suites' means, with the interval over problems of each of them.

    Every suite counts alike, however many problems it has; problems are redrawn inside their suite,
    those of one independently of those of another.

    Args:
        suites: of each suite [Q] the figure of its problems, NaN where one lacks it.
        level: coverage, in (0, 1).
        resamples: number of redraws.
        seed: of the redraws.

    Returns:
        None where there is no suite, or one in which no problem has the figure.

    Raises:
        ValueError: as `mean_interval`.

    >>> average_interval([[1.0, 1.0, 1.0], [0.0]])
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    values = [np.asarray(suite, np.float64) for suite in suites]
    values = [suite[~np.isnan(suite)] for suite in values]
    if not values or not all(map(len, values)):
        return None
    tables = [_checked(suite[:, None], level, resamples) for suite in values]
    redrawn = np.mean(
        [
            resampled_means(table, resamples=resamples, seed=seed + place)
            for place, table in enumerate(tables)
        ],
        axis=0,
    )
    low, high = np.quantile(redrawn, [(1 - level) / 2, (1 + level) / 2])
    mean = np.mean([table.mean() for table in tables])
    return Interval(float(mean), float(low), float(high))


def _named(ids: set[str]) -> str:
    shown = ", ".join(sorted(ids)[:5])
    return f"{shown} and {len(ids) - 5} more" if len(ids) > 5 else shown


def pairing(ids: Sequence[str], baseline_ids: Sequence[str]) -> np.ndarray:
    """Positions in `baseline_ids` of each of `ids`, so that rows can be compared pair by pair.

    Args:
        ids: [Q] problem ids of one model's results.
        baseline_ids: [Q] the same ids in any order.

    Returns:
        [Q] int64 with baseline_ids[result[i]] == ids[i].

    Raises:
        ValueError: repeated ids, or ids that only one side has; they are named.

    >>> pairing(["a", "b"], ["b", "a"]).tolist()
    [1, 0]
    """
    for side in (ids, baseline_ids):
        repeated = {name for name, times in Counter(side).items() if times > 1}
        if repeated:
            raise ValueError(f"problem ids must not repeat, got twice: {_named(repeated)}")
    missing, extra = set(ids) - set(baseline_ids), set(baseline_ids) - set(ids)
    if missing or extra:
        parts = [f"only in the first: {_named(missing)}"] * bool(missing)
        parts += [f"only in the second: {_named(extra)}"] * bool(extra)
        raise ValueError(f"the two results cover different problems ({'; '.join(parts)})")
    places = {name: place for place, name in enumerate(baseline_ids)}
    return np.array([places[name] for name in ids], dtype=np.int64)


def paired_differences(
    ids: Sequence[str],
    values: ArrayLike,
    baseline_ids: Sequence[str],
    baseline_values: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int = 4000,
    seed: int = 0,
) -> list[Interval]:
    """Intervals of the mean difference, values - baseline_values, of two models by problem.

    Both models saw the same problems, so the difference is taken inside each problem first and
    problems are redrawn as pairs: hard and easy problems cancel, and the interval is narrower
    than two separate ones suggest.

    Args:
        ids: [Q] problem ids of the first model.
        values: [Q, K] its figures.
        baseline_ids: [Q] problem ids of the second model, in any order.
        baseline_values: [Q, K] its figures.
        level: coverage, in (0, 1).
        resamples: number of redraws.
        seed: of the redraws.

    Returns:
        K intervals.

    Raises:
        ValueError: as `pairing` and `mean_intervals`, or shapes that do not agree.
    """
    table = differences(ids, values, baseline_ids, baseline_values)
    return mean_intervals(table, level=level, resamples=resamples, seed=seed)


def differences(
    ids: Sequence[str],
    values: ArrayLike,
    baseline_ids: Sequence[str],
    baseline_values: ArrayLike,
) -> np.ndarray:
    """Values - baseline_values [Q, K], problem by problem; see `paired_differences`."""
    left, right = np.asarray(values, float), np.asarray(baseline_values, float)
    order = pairing(ids, baseline_ids)
    if left.shape != right.shape or len(left) != len(order):
        raise ValueError(
            f"values must be [{len(order)}, figures] on both sides, got {left.shape} and "
            f"{right.shape}"
        )
    return left - right[order]
