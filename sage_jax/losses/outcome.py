"""What a group's rewards say, told to each of its rows, so that any part of a batch knows it."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from ._arrays import Array, as_real, as_valid, masked_sum
from .terms import Terms

RIGHT_ABOVE = 0.5


def with_outcome(terms: Terms, rewards: Array, *, group_size: int) -> Terms:
    """Terms with what each group came to, to be split into micro-batches afterwards.

    Sets `rewards`; `right` where missing, 1 where a reward is above 0.5; `pass_rate`, the group's
    mean of `right`; `reward_range`, its highest less its lowest reward; and with `ref_logps`
    `best_ref_logps`, the greatest Σ_t ref_logps among its completions of the highest reward. A
    `modes` of rows that are not right becomes -1. `rewards` [B], rows of one prompt adjacent.

    >>> terms = Terms(jnp.zeros((4, 1)), jnp.ones((4, 1)))
    >>> print(with_outcome(terms, jnp.array([1.0, 0.0, 0.0, 0.0]), group_size=2).pass_rate)
    [0.5 0.5 0.  0. ]
    """
    rewards = jax.lax.stop_gradient(as_real(rewards))
    right = (rewards > RIGHT_ABOVE) if terms.right is None else terms.right
    right = right.astype(rewards.dtype)
    groups = rewards.reshape(-1, group_size)
    best = groups.max(axis=1, keepdims=True)
    found = replace(
        terms,
        rewards=rewards,
        right=right,
        pass_rate=_to_rows(right.reshape(groups.shape).mean(axis=1), group_size),
        reward_range=_to_rows(best[:, 0] - groups.min(axis=1), group_size),
    )
    if terms.modes is not None:
        found = replace(found, modes=jnp.where(right > 0, terms.modes, -1))
    if terms.ref_logps is None:
        return found
    total = masked_sum(as_real(terms.ref_logps), as_valid(terms.mask), axis=-1)
    likeliest = jnp.where(groups == best, total.reshape(groups.shape), -jnp.inf).max(axis=1)
    return replace(found, best_ref_logps=_to_rows(likeliest, group_size))


def _to_rows(values: Array, group_size: int) -> Array:
    return jnp.repeat(values, group_size)
