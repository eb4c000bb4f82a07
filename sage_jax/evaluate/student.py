"""Quantiles of Student's t distribution, for intervals from few values."""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import mpmath

_SERIES = 200  # Beyond it the expansion is right to six digits.
_FLOATS: Any = mpmath.fp


@lru_cache(maxsize=256)
def t_quantile(level: float, freedom: float) -> float:
    """The t beyond which, to both sides, lies 1 - level of the distribution.

        P(|T| <= t) = level,   P(|T| > t) = I_x(freedom / 2, 1 / 2),   x = freedom / (freedom + t²),

    I being the regularised incomplete beta function.

    Args:
        level: in (0, 1).
        freedom: degrees of freedom, above 0; need not be whole.

    Raises:
        ValueError: a level outside (0, 1), or no degree of freedom.

    >>> round(t_quantile(0.95, 3), 4)
    3.1824
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    if not freedom > 0:
        raise ValueError(f"degrees of freedom must be above 0, got {freedom}")
    if freedom > _SERIES:
        return _expanded(NormalDist().inv_cdf((1 + level) / 2), freedom)
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        beyond = _FLOATS.betainc(freedom / 2, 0.5, 0, middle, regularized=True)
        low, high = (low, middle) if beyond > 1 - level else (middle, high)
    return math.sqrt(freedom * (1 - high) / high)


def _expanded(z: float, freedom: float) -> float:
    """Cornish and Fisher's expansion about the normal quantile, to the second order."""
    first = (z**3 + z) / (4 * freedom)
    return z + first + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
