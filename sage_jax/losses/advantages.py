"""Advantages from rewards of groups: samples of one prompt are compared with each other.

Rewards are [B] with B = N · group_size, rows of one prompt adjacent. All results are [B], float32
or better, and constant under the gradient. The rules that look only at how many samples of a prompt
are right live in `counts`, that of the best of k in `best_of`; a config finds them here.
"""

from typing import Literal

import jax.numpy as jnp

from ._arrays import Array, as_real, like
from ._groups import flat, grouped
from .best_of import max_at_k
from .counts import (
    flat_half,
    focal,
    maxrl,
    pass_at_k,
    pkpo,
    posterior,
    quantile,
    w_reinforce,
)
from .rarity import rare_by_logps, rare_by_mode, rare_by_rank, smoothed
from .reduce import Mean

Scale = Literal["group", "batch", "none"]

# Whole rules, (rewards, *, group_size, **options) -> advantages, and what may go before or after
# one; the rest is for building others.
__all__ = [
    "batch",
    "flat_half",
    "focal",
    "group",
    "max_at_k",
    "maxrl",
    "none",
    "pass_at_k",
    "pkpo",
    "posterior",
    "quantile",
    "rare_by_logps",
    "rare_by_mode",
    "rare_by_rank",
    "rloo",
    "smoothed",
    "w_reinforce",
]


def group_relative(
    rewards: Array,
    *,
    group_size: int,
    scale: Scale = "group",
    batch_std: Array | float | None = None,
    epsilon: float = 1e-4,
) -> Array:
    """(r − group mean) / (std + epsilon), std with ddof = 1 of the group or of the whole batch.

    "none" does not divide (Dr. GRPO). With "batch", rewards that are a part of the batch only need
    the whole batch's standard deviation as `batch_std`; None takes that of these rewards.
    Source: GRPO, arXiv 2402.03300, section 4.1.2.
    Raises ValueError for a group size below 2 or one that does not divide B, or another scale.

    >>> print(group_relative(jnp.array([1.0, 0.0, 0.0, 1.0]), group_size=4, scale="none"))
    [ 0.5 -0.5 -0.5  0.5]
    """
    groups = _from_the_least(grouped(rewards, group_size))
    away = groups - jnp.mean(groups, axis=1, keepdims=True)
    match scale:
        case "none":
            return flat(away)
        case "group":
            return flat(away / (jnp.std(groups, axis=1, ddof=1, keepdims=True) + epsilon))
        case "batch":
            std = jnp.std(as_real(rewards), ddof=1) if batch_std is None else like(batch_std, away)
            return flat(away / (std + epsilon))
        case _:
            raise ValueError(f"scale is {scale!r}; it must be group, batch or none")


def rloo(rewards: Array, *, group_size: int) -> Array:
    """Reward minus the mean of the other rewards of its group (RLOO, arXiv 2402.14740, eq. 8).

    Equals (r − group mean) · G / (G − 1). Raises ValueError as `group_relative`.

    >>> print(rloo(jnp.array([1.0, 0.0, 0.0]), group_size=3))
    [ 1.  -0.5 -0.5]
    """
    groups = _from_the_least(grouped(rewards, group_size))
    others = (jnp.sum(groups, axis=1, keepdims=True) - groups) / (group_size - 1)
    return flat(groups - others)


def group(rewards: Array, *, group_size: int, epsilon: float = 1e-4) -> Array:
    """Reward minus the group mean, by the group's standard deviation (GRPO, arXiv 2402.03300).

    >>> found = group(jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=4)  # std is 1/2
    >>> print([f"{one:.1f}" for one in found.tolist()])
    ['1.5', '-0.5', '-0.5', '-0.5']
    """
    return group_relative(rewards, group_size=group_size, scale="group", epsilon=epsilon)


def batch(rewards: Array, *, group_size: int, epsilon: float = 1e-4) -> Array:
    """Reward minus the group mean, by the standard deviation of all rewards.

    >>> found = batch(jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=2)  # std is 1/2
    >>> print([f"{one:.1f}" for one in found.tolist()])
    ['1.0', '-1.0', '0.0', '0.0']
    """
    return group_relative(rewards, group_size=group_size, scale="batch", epsilon=epsilon)


def none(rewards: Array, *, group_size: int) -> Array:
    """Reward minus the group mean, not divided (Dr. GRPO, arXiv 2503.20783, section 3.2).

    >>> print(none(jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=4))
    [ 0.75 -0.25 -0.25 -0.25]
    """
    return group_relative(rewards, group_size=group_size, scale="none")


def _from_the_least(groups: Array) -> Array:
    """Rewards less their group's least: alike, they are 0 to the last bit, and so is their mean."""
    return groups - jnp.min(groups, axis=1, keepdims=True)


def zero_variance(rewards: Array, *, group_size: int) -> Mean:
    """The share of groups whose rewards are all equal and which therefore teach nothing."""
    groups = grouped(rewards, group_size)
    equal = jnp.max(groups, axis=1) == jnp.min(groups, axis=1)
    number = jnp.asarray(groups.shape[0], groups.dtype)
    return Mean(jnp.sum(equal.astype(groups.dtype)), number)
