"""Intervals of a figure that was measured under several seeds: over problems, over seeds, both.

Every seed sees the same problems, so values are a full table [S, Q]. Which interval is meant
depends on what would be different another time, and so the three are never mixed.
"""

import numpy as np
from numpy.typing import ArrayLike

from sage_jax.evaluate.bootstrap import Interval, known_intervals
from sage_jax.evaluate.student import t_quantile


def over_problems(values: ArrayLike, *, level: float = 0.95) -> Interval | None:
    """For other problems of the kind, judged under these seeds: bootstrap of means over seeds.

    Args:
        values: [S, Q], a figure of Q problems under S seeds; NaN where one lacks it.
        level: coverage, in (0, 1).

    Returns:
        None where no problem has the figure.

    Raises:
        ValueError: a wrong shape, or a level outside (0, 1).

    >>> over_problems([[1.0, 1.0], [0.0, 0.0]])
    Interval(mean=0.5, low=0.5, high=0.5)
    """
    return known_intervals(mean_of_known(_table(values), axis=0)[:, None], level=level)[0]


def over_seeds(values: ArrayLike, *, level: float = 0.95) -> Interval | None:
    r"""For other seeds, on these problems: a t interval of the means over problems.

    With m_s the mean over problems under seed s,

        mean(m) ± t_{S-1} · std(m) / sqrt(S).

    What it covers is what the seeds change: of seeds of the sampling alone the luck of sampling, of
    seeds of training also that of training.

    Arguments and errors are those of `over_problems`.

    Returns:
        None for fewer than two seeds that have the figure.

    >>> found = over_seeds([[0.4, 0.6], [0.5, 0.7]])
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3)
    (0.55, -0.085, 1.185)
    """
    means = mean_of_known(_table(values), axis=1)
    means = means[~np.isnan(means)]
    if len(means) < 2:
        return None
    error = means.std(ddof=1) / np.sqrt(len(means))
    return _around(means.mean(), error, t_quantile(level, len(means) - 1))


def over_both(values: ArrayLike, *, level: float = 0.95) -> Interval | None:
    r"""For other problems and other seeds at once, from the parts that each has in the variance.

    With the mean squares of problems, seeds and of the rest of the table,

        Var(mean) = (MS_problems + MS_seeds - MS_rest) / (S Q),

    without bias for var_problems / Q + var_seeds / S + var_rest / (S Q), no part taken as negative;
    degrees of freedom after Satterthwaite. It is the widest of the three, and no bootstrap: the few
    seeds there are, redrawn, would have too little spread.

    Arguments and errors are those of `over_problems`; problems that lack the figure under a seed
    are left out.

    Returns:
        None for fewer than two seeds or two problems.

    Source: Cornfield and Tukey 1956 (crossed random effects); Satterthwaite 1946.
    """
    table = _table(values)
    table = table[:, ~np.isnan(table).any(axis=0)]
    seeds, problems = table.shape
    if seeds < 2 or problems < 2:
        return None
    variance, freedom = _variance(table)
    reach = t_quantile(level, freedom) if variance > 0 else 0.0
    return _around(table.mean(), variance**0.5, reach)


def mean_of_known(table: np.ndarray, axis: int) -> np.ndarray:
    """Means along an axis of what is not NaN; NaN where nothing is."""
    known = ~np.isnan(table)
    counts = known.sum(axis=axis)
    sums = np.where(known, table, 0.0).sum(axis=axis)
    return np.divide(sums, counts, out=np.full(counts.shape, np.nan), where=counts > 0)


def _variance(table: np.ndarray) -> tuple[float, float]:
    """Of the mean of a whole table, and its degrees of freedom."""
    squares, freedom = _mean_squares(table)
    # A part that the rest explains is none, and then the rest is not to be taken off for it.
    above = squares[:2] > squares[2]
    parts = np.array([*above, 1 - above.sum()]) * squares / table.size
    variance, spread = float(parts.sum()), float((parts**2 / freedom).sum())
    return variance, variance**2 / spread if spread > 0 else np.inf


def _mean_squares(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(problems, seeds, rest), and their degrees of freedom."""
    seeds, problems = table.shape
    by_problem, by_seed, mean = table.mean(axis=0), table.mean(axis=1), table.mean()
    rest = table - by_problem - by_seed[:, None] + mean
    freedom = np.array([problems - 1, seeds - 1, (problems - 1) * (seeds - 1)])
    of_problems = seeds * ((by_problem - mean) ** 2).sum()
    of_seeds = problems * ((by_seed - mean) ** 2).sum()
    return np.array([of_problems, of_seeds, (rest**2).sum()]) / freedom, freedom


def _table(values: ArrayLike) -> np.ndarray:
    table = np.asarray(values, np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"values must be [seeds, problems], got shape {table.shape}")
    return table


def _around(mean: float, error: float, reach: float) -> Interval:
    return Interval(float(mean), float(mean - reach * error), float(mean + reach * error))
