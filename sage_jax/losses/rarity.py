"""Right answers weighed by how rare they are in their group: rules that follow others.

Each maps values [B], advantages or rewards, rows of one prompt adjacent, to values [B]; it asks
`terms` for `right`, for the log-probabilities of the policy that sampled, or for `modes`. Every
public function here is one that a config may name. s_i is the row's mean log-probability per token.
"""

import jax.numpy as jnp

from ._arrays import Array, as_real, masked_sum, row_mean
from ._groups import flat, grouped
from .terms import Terms, require

__all__ = ["rare_by_logps", "rare_by_mode", "rare_by_rank", "smoothed"]


def rare_by_logps(
    advantages: Array, *, terms: Terms, group_size: int, temperature: float = 0.2
) -> Array:
    """After a rule: right answers weigh more the less likely they were, as much together.

    A_i becomes A_i · c · w_i, w = (1 − τ) / c + τ · (1/ρ_i) / Σ_j 1/ρ_j over the c right ones,
    ρ = softmax(s) over these and τ the `temperature`; groups with fewer than two right ones stay.
    The c weights add up to c at every temperature, so that Σ A over right ones is kept wherever
    these have one advantage, as with rewards of 0 and 1; where they differ it is not.
    Source: UCPO, arXiv 2605.00365. Raises ValueError for a temperature outside [0, 1].

    >>> terms = Terms(jnp.log(jnp.array([[0.4], [0.1], [0.5]])), jnp.ones((3, 1)),
    ...     right=jnp.array([1.0, 1, 0]))  # ρ is 4/5 and 1/5
    >>> found = rare_by_logps(jnp.array([1.0, 1, -2]), terms=terms, group_size=3, temperature=0.5)
    >>> print([f"{one:.2f}" for one in found.tolist()])
    ['0.70', '1.30', '-2.00']
    """
    _within("temperature", temperature)
    right, likely = _right(terms, group_size), _mean_logps(terms, group_size)
    # 1/ρ over its sum is the softmax of −s over right rows; the least of them keeps it finite.
    least = jnp.where(right, likely, jnp.inf).min(axis=1, keepdims=True)
    rare = jnp.where(right, jnp.exp(jnp.where(right, least - likely, 0.0)), 0.0)
    share = rare / jnp.maximum(rare.sum(axis=1, keepdims=True), 1.0)
    number = right.sum(axis=1, keepdims=True).astype(share.dtype)
    weights = (1 - temperature) + temperature * number * share
    return _weighted(advantages, jnp.where(right & (number > 1), weights, 1.0))


def rare_by_mode(
    advantages: Array,
    *,
    terms: Terms,
    group_size: int,
    power: float = 0.8,
    least: float = 0.3,
    most: float = 3.0,
) -> Array:
    """After a rule: right answers weigh ∝ (how many took the same way)^−power, then clipped.

    The weights of a group's right rows are 1 in the mean and then clipped to [least, most]. Σ A
    over right ones of one advantage is kept exactly where nothing is clipped; `most` takes from it
    and `least` adds to it, and nothing evens that out. With the default values nothing is clipped
    where at most 7 of a group are right, and first where 7 take one way and 1 another.
    `terms.modes` say which way; a right row without one (below 0) is a way of its own.
    Source: Cue-GRPO, arXiv 2608.03467, as others report it: 1 in the mean, then the clip.
    Raises ValueError for a negative power or bounds that do not hold 1.

    >>> terms = Terms(jnp.zeros((4, 1)), jnp.ones((4, 1)), right=jnp.array([1.0, 1, 1, 0]),
    ...     modes=jnp.array([0, 0, 1, 0]))
    >>> print(rare_by_mode(jnp.array([1.0, 1, 1, -3]), terms=terms, group_size=4, power=1.0))
    [ 0.75  0.75  1.5  -3.  ]
    """
    if not power >= 0:
        raise ValueError(f"power is {power}; it must be 0 or more")
    if not 0 < least <= 1 <= most:
        raise ValueError(f"least is {least} and most {most}; 1 must lie between them")
    right = _right(terms, group_size)
    modes = require(terms, "modes", "rarity by mode").reshape(right.shape)
    alike = (modes[:, :, None] == modes[:, None, :]) & (modes >= 0)[:, :, None]
    same = alike & right[:, :, None] & right[:, None, :]
    size = jnp.maximum(same.sum(axis=2), 1).astype(jnp.float32)
    weights = jnp.where(right, size**-power, 0.0)
    number = jnp.maximum(right.sum(axis=1, keepdims=True), 1).astype(weights.dtype)
    mean = jnp.maximum(weights.sum(axis=1, keepdims=True), 1e-9) / number
    return _weighted(advantages, jnp.where(right, jnp.clip(weights / mean, least, most), 1.0))


def rare_by_rank(rewards: Array, *, terms: Terms, group_size: int, beta: float = 0.25) -> Array:
    """Before a rule: rewards r · (1 − beta · rank / G), rank 0 for the group's least likely.

    By the log-probability of the whole completion, among all rows; rows that are equally likely
    share the lower rank. What right rows weigh is not kept: of rewards 1 and 0, Σ r over right ones
    shrinks by 1 − beta · (their mean rank) / G, unless beta is 0 or they all have rank 0, and so
    does Σ A after the rule `none`. Rules that divide by a standard deviation scale it anew. A group
    that is all right no longer has equal rewards, and learns.
    Source: unlikeliness reward, arXiv 2506.02355. Raises ValueError for a beta outside [0, 1].

    >>> logps = jnp.array([[-1.0], [-3.0], [-2.0], [-4.0]])  # Ranks 3, 1, 2 and 0.
    >>> terms = Terms(logps, jnp.ones((4, 1)))
    >>> print(rare_by_rank(jnp.array([1.0, 1, 0, 0]), terms=terms, group_size=4, beta=0.5))
    [0.625 0.875 0.    0.   ]
    """
    _within("beta", beta)
    likely = _sum_logps(terms, group_size)
    ranks = jnp.sum(likely[:, :, None] > likely[:, None, :], axis=2).astype(jnp.float32)
    return _weighted(rewards, 1 - beta * ranks / group_size)


def smoothed(
    advantages: Array,
    *,
    terms: Terms,
    group_size: int,
    gamma_right: float = 0.01,
    gamma_wrong: float = 0.01,
) -> Array:
    """After a rule: A − gamma_right · log π(y) on right rows, A + gamma_wrong · log π(y) on wrong.

    log π(y) of the whole completion under the policy that sampled. Right answers that were likely
    gain less, wrong ones that were likely lose less. Source: differential smoothing (DS-GRPO),
    arXiv 2511.19942. Raises ValueError for a negative gamma.

    >>> terms = Terms(jnp.array([[-50.0], [-20.0]]), jnp.ones((2, 1)), right=jnp.array([1.0, 0]))
    >>> found = smoothed(jnp.array([1.0, -1.0]), terms=terms, group_size=2)
    >>> print([f"{one:.2f}" for one in found.tolist()])
    ['1.50', '-1.20']
    """
    for name, value in {"gamma_right": gamma_right, "gamma_wrong": gamma_wrong}.items():
        if not value >= 0:
            raise ValueError(f"{name} is {value}; it must be 0 or more")
    right, likely = _right(terms, group_size), _sum_logps(terms, group_size)
    added = jnp.where(right, -gamma_right * likely, gamma_wrong * likely)
    return flat(as_real(advantages).reshape(added.shape) + added)


def _right(terms: Terms, group_size: int) -> Array:
    return grouped(require(terms, "right", "rarity"), group_size) > 0


def _sum_logps(terms: Terms, group_size: int) -> Array:
    return grouped(masked_sum(as_real(terms.sampling_logps), terms.valid, axis=-1), group_size)


def _mean_logps(terms: Terms, group_size: int) -> Array:
    return grouped(row_mean(as_real(terms.sampling_logps), terms.valid)[:, 0], group_size)


def _weighted(values: Array, weights: Array) -> Array:
    values = as_real(values)
    return flat(values.reshape(weights.shape) * weights.astype(values.dtype))


def _within(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}; it must be between 0 and 1")
