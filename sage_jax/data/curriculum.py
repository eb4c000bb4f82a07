"""Curricula: weights of training problems by the rates at which the base model solves them.

Weights are relative: `order.weighted_indices` draws by them, and leaves out what has none.
"""

from collections.abc import Sequence

import numpy as np


def band(rates: Sequence[float] | np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Keep the problems whose rate lies in a band, ends included.

        w_i = 1 if low <= p_i <= high else 0

    Args:
        rates: base pass rates p, [N], each from 0 to 1.
        low: least rate that is kept.
        high: greatest.

    Returns:
        Weights, float64 [N].

    Raises:
        ValueError: if a rate is not from 0 to 1, or not 0 <= low <= high <= 1.

    Source: as Bae et al. 2025 (arXiv:2504.03380) filter, but once, before training.

    >>> band([0.0, 0.2, 0.5, 1.0], low=0.2, high=0.8)
    array([0., 1., 1., 0.])
    """
    if not 0 <= low <= high <= 1:
        raise ValueError(f"low and high must be 0 <= low <= high <= 1, got {low} and {high}")
    checked = _checked(rates)
    return ((low <= checked) & (checked <= high)).astype(np.float64)


def solvable(rates: Sequence[float] | np.ndarray) -> np.ndarray:
    """Drop the problems that are always or never solved: their groups teach nothing.

        w_i = 1 if 0 < p_i < 1 else 0

    Args:
        rates: base pass rates p, [N], each from 0 to 1.

    Returns:
        Weights, float64 [N].

    Raises:
        ValueError: if a rate is not from 0 to 1.

    Source: the condition of DAPO's dynamic sampling (arXiv:2503.14476, section 3.2), of the base
    model instead of each step's.

    >>> solvable([0.0, 0.01, 1.0])
    array([0., 1., 0.])
    """
    checked = _checked(rates)
    return ((checked > 0) & (checked < 1)).astype(np.float64)


def gaussian(
    rates: Sequence[float] | np.ndarray, *, target: float = 0.5, width: float
) -> np.ndarray:
    """Prefer the problems whose rate is near a target.

        w_i = exp(-(p_i - target)^2 / (2 width^2))

    Args:
        rates: base pass rates p, [N], each from 0 to 1.
        target: the rate of greatest weight, from 0 to 1.
        width: standard deviation in rates, above 0.

    Returns:
        Weights, float64 [N], at most 1.

    Raises:
        ValueError: if a rate or the target is not from 0 to 1, or the width not above 0 and finite.

    Source: Gaussian curriculum sampling of FG-ExPO (Lin et al. 2026, arXiv:2605.11403), by
    base pass rates.

    >>> gaussian([0.5, 0.75], width=0.25).round(3)
    array([1.   , 0.607])
    """
    if not 0 <= target <= 1:
        raise ValueError(f"target must be from 0 to 1, got {target}")
    if not 0 < width < np.inf:
        raise ValueError(f"width must be positive and finite, got {width}")
    return np.exp(-0.5 * ((_checked(rates) - target) / width) ** 2)


def _checked(rates: Sequence[float] | np.ndarray) -> np.ndarray:
    found = np.asarray(rates, np.float64)
    if found.ndim != 1:
        raise ValueError(f"rates must be [N], got an array of shape {found.shape}")
    odd = np.flatnonzero(~((found >= 0) & (found <= 1)))
    if odd.size:
        raise ValueError(
            f"rates must be from 0 to 1, got {found[odd[0]]} at place {odd[0]}"
            f"{f' and {odd.size - 1} more' if odd.size > 1 else ''}"
        )
    return found
