"""Permutation test of paired differences, by flipping their signs."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

EXACT_UP_TO = 20
"""Differences that are not 0 up to which all 2^Q flips are gone through."""
# Signs held at a time: bounds memory at some tens of megabytes.
_CHUNK = 4_000_000
# Sums of the same numbers in another order differ by less than this share of their size.
_ROUNDING = 1e-9


class Flipped(NamedTuple):
    """What a sign-flip test says of one figure.

    Attributes:
        mean: difference over the problems that have the figure.
        p: two-sided.
        exact: whether all flips were counted, and not some drawn.
    """

    mean: float
    p: float
    exact: bool


def sign_flips(differences: ArrayLike, *, draws: int = 10_000, seed: int = 0) -> list[Flipped]:
    r"""Two-sided p-value of each figure's mean paired difference, by permutation.

    If two models are alike, which of a pair of figures is which model's is luck, and each
    problem's difference d_i could as well have the other sign. So

        p = share of sign vectors s in {-1, 1}^Q with |sum_i s_i d_i| >= |sum_i d_i|,

    over all of them where at most 20 differences are not 0 (a 0 says nothing), else over `draws`
    random ones, the observed one counted in: (1 + b) / (1 + draws), which never errs to the small
    side. It holds for any number of problems, while a bootstrap is narrow where they are few.

    Args:
        differences: [Q, K], K figures' differences of Q problems; NaN where a problem lacks one.
        draws: random flips, the same for all figures.
        seed: of the draws.

    Returns:
        K tests. Of a figure that no problem has, mean and p are NaN.

    Raises:
        ValueError: no problems, a wrong shape, a value that is infinite, no draws.

    Source: Fisher 1935, section 21; Phipson and Smyth 2010, arXiv 1603.05766 (the 1 added).

    >>> sign_flips([[0.5], [0.25], [0.25]])
    [Flipped(mean=0.3333333333333333, p=0.25, exact=True)]
    """
    table = np.asarray(differences, np.float64)
    if table.ndim != 2 or not len(table):
        raise ValueError(
            f"differences must be [problems, figures] with a problem, got {table.shape}"
        )
    if np.isinf(table).any():
        raise ValueError("differences must be finite, or NaN where a problem lacks the figure")
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    known = np.nan_to_num(table)
    few = (known != 0).sum(axis=0) <= EXACT_UP_TO
    shares = np.empty(table.shape[1])
    shares[few] = [_over_all(column) for column in known[:, few].T]
    shares[~few] = _over_some(known[:, ~few], draws, seed)
    counts = (~np.isnan(table)).sum(axis=0)
    return [
        Flipped(float(column.sum() / count), float(p), bool(exact))
        if count
        else Flipped(np.nan, np.nan, True)
        for column, count, p, exact in zip(known.T, counts, shares, few, strict=True)
    ]


def _over_all(column: np.ndarray) -> float:
    """The share of all flips of one figure that are as far from 0."""
    sums = np.zeros(1)
    for value in column[column != 0]:
        sums = np.concatenate((sums + value, sums - value))
    return float((np.abs(sums) >= _reached(column)).mean())


def _over_some(table: np.ndarray, draws: int, seed: int) -> np.ndarray:
    if not table.shape[1]:
        return np.zeros(0)
    as_far = np.zeros(table.shape[1])
    for signs in _signs(len(table), draws, seed):
        as_far += (np.abs(signs @ table) >= _reached(table)).sum(axis=0)
    return (1 + as_far) / (1 + draws)


def _signs(problems: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    """Random signs [some, problems], `draws` rows in all."""
    step = max(1, _CHUNK // problems)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        bits = np.random.default_rng([seed, start]).integers(2, size=(rows, problems))
        yield 2.0 * bits - 1.0


def _reached(table: np.ndarray) -> np.ndarray:
    """How far from 0 the observed sums are, less what rounding may take from an equal one."""
    return np.abs(table.sum(axis=0)) - _ROUNDING * np.abs(table).sum(axis=0)
