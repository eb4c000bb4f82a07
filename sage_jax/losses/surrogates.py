"""Surrogates: policy-gradient losses per token, plain functions of arrays.

Each gives a loss [B, T] to be minimised, or (loss, shares) with further metrics by name, and asks
for its arrays by the names of its parameters: `ratios` = π_θ / π_old (of a token [B, T], or of a
whole sequence [B, 1]), `advantages` [B, 1] or [B, T], and all other names of `by_name.READABLE`.
`by_name.surrogate` makes a loss of one. Every public function here is one that a config may name.
"""

import jax.numpy as jnp

from ._arrays import Array


def clipped(
    ratios: Array,
    advantages: Array,
    *,
    eps_low: float = 0.2,
    eps_high: float = 0.2,
    delta: float | None = None,
) -> tuple[Array, dict[str, Array]]:
    """Clipped surrogate −min(min(r, delta) A, clip(r, 1 − eps_low, 1 + eps_high) A).

    `delta` bounds the ratio of tokens with a negative advantage (two-sided clipping, arXiv
    2505.07291, section 3.4); None: no bound. The shares that the clip holds back are `clip/low`,
    `clip/high` and, together, `clip/region`.
    Source: PPO, arXiv 1707.06347, eq. 7; separate ranges: DAPO, arXiv 2503.14476, eq. 8.
    Raises ValueError for a range or bound that makes no sense.

    >>> loss, _ = clipped(jnp.full((1, 1), 1.5), jnp.ones((1, 1)))
    >>> print(loss)
    [[-1.2]]
    """
    _check(eps_low, eps_high, delta)
    within = jnp.clip(ratios, 1.0 - eps_low, 1.0 + eps_high)
    bounded = ratios if delta is None else jnp.minimum(ratios, delta)
    low = (ratios < 1.0 - eps_low) & (advantages < 0)
    high = (ratios > 1.0 + eps_high) & (advantages > 0)
    shares = {"clip/low": low, "clip/high": high, "clip/region": low | high}
    return -jnp.minimum(bounded * advantages, within * advantages), shares


def _check(eps_low: float, eps_high: float, delta: float | None) -> None:
    if not 0 <= eps_low <= 1:
        raise ValueError(f"eps_low is {eps_low}; it must be between 0 and 1")
    if not eps_high >= 0:
        raise ValueError(f"eps_high is {eps_high}; it must be 0 or more")
    if delta is not None and not delta > 1:
        raise ValueError(f"delta is {delta}; it must be above 1, best above 1 + eps_high")
