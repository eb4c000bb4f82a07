"""What a group's rewards say, told to each of its rows, so that any part of a batch knows it."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from ._arrays import Array, as_real, masked_sum
from .terms import Terms, require

RIGHT_ABOVE = 0.5


def with_outcome(terms: Terms, rewards: Array, *, group_size: int) -> Terms:
    """Terms with what each group came to, to be split into micro-batches afterwards.

    Sets `rewards`; `right` where missing, 1 where a reward is above 0.5; `pass_rate`, the group's
    mean of `right`; `reward_range`, its highest less its lowest reward; and with `ref_logps`
    `best_ref_logps`, the greatest Σ_t ref_logps among its completions of the highest reward, of
    those that have valid tokens (0 where none has). A `modes` of rows that are not right becomes
    -1. `rewards` [B], rows of one prompt adjacent.

    >>> terms = Terms(jnp.zeros((4, 1)), jnp.ones((4, 1)))
    >>> print(with_outcome(terms, jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=2).pass_rate)
    [0.5 0.5 0.  0. ]
    """
    rewards = jax.lax.stop_gradient(as_real(rewards))
    right = (rewards > RIGHT_ABOVE) if terms.right is None else terms.right
    right = right.astype(rewards.dtype)
    groups = rewards.reshape(-1, group_size)
    found = replace(
        terms,
        rewards=rewards,
        right=right,
        pass_rate=_to_rows(right.reshape(groups.shape).mean(axis=1), group_size),
        reward_range=_to_rows(groups.max(axis=1) - groups.min(axis=1), group_size),
    )
    if terms.modes is not None:
        found = replace(found, modes=jnp.where(right > 0, terms.modes, -1))
    if terms.ref_logps is None:
        return found
    return replace(found, best_ref_logps=_to_rows(_likeliest(terms, groups), group_size))


def _likeliest(terms: Terms, groups: Array) -> Array:
    """The greatest Σ_t ref_logps among each group's best rows; a row without tokens is no row."""
    ref_logps, valid = as_real(require(terms, "ref_logps", "the likeliest")), terms.valid
    held = valid.any(axis=-1).reshape(groups.shape)
    rewards = jnp.where(held, groups, -jnp.inf)
    best = held & (rewards == rewards.max(axis=1, keepdims=True))
    total = masked_sum(ref_logps, valid, axis=-1).reshape(groups.shape)
    likeliest = jnp.where(best, total, -jnp.inf).max(axis=1)
    return jnp.where(held.any(axis=1), likeliest, 0.0)


def _to_rows(values: Array, group_size: int) -> Array:
    return jnp.repeat(values, group_size)
