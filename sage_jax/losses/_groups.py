"""Rewards [B] by group and back: rows of one prompt are adjacent."""

import jax

from ._arrays import Array, as_real


def grouped(rewards: Array, group_size: int) -> Array:
    """Rewards as [N, group_size], float32 or better.

    Raises ValueError for rewards that are not [B], a group size below 2 or one that does not
    divide B.
    """
    if rewards.ndim != 1:
        raise ValueError(f"rewards has shape {rewards.shape}; it must be [B]")
    check_size(group_size)
    if rewards.shape[0] % group_size:
        raise ValueError(
            f"group_size is {group_size}; it must divide the {rewards.shape[0]} rewards"
        )
    return as_real(rewards).reshape(-1, group_size)


def check_size(group_size: int) -> None:
    """Raise ValueError for a group size below 2."""
    if group_size < 2:
        raise ValueError(
            f"group_size is {group_size}; samples are compared, so at least 2 are needed"
        )


def flat(advantages: Array) -> Array:
    """[N, group_size] as [B], constant under the gradient."""
    return jax.lax.stop_gradient(advantages.reshape(-1))
