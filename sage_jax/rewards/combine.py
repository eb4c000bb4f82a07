"""Several named rewards into the one that training maximises."""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike


class Rewards(NamedTuple):
    """A total and what it was made of, each float32 [B]."""

    total: jax.Array
    components: dict[str, jax.Array]


def weighted_sum(
    components: Mapping[str, ArrayLike | Sequence[float]], *, weights: Mapping[str, float]
) -> Rewards:
    """Add named rewards, each times its weight: total_b = sum_name weights[name] * reward_b[name].

    Args:
        components: rewards by name, each [B].
        weights: a weight for every name, and for no other.

    Returns:
        The total and the unweighted components, float32 [B].

    Raises:
        ValueError: if there is nothing to add, the names differ, or the shapes do.

    >>> weighted_sum({"right": [1.0, 0.0], "boxed": [1.0, 1.0]},
    ...              weights={"right": 1.0, "boxed": 0.5}).total
    Array([1.5, 0.5], dtype=float32)
    """
    if not components or set(components) != set(weights):
        raise ValueError(
            f"rewards {sorted(components)} and weights {sorted(weights)} must name the same"
            " components, at least one"
        )
    arrays = {name: jnp.asarray(value, jnp.float32) for name, value in components.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    if len(set(shapes.values())) != 1 or any(len(shape) != 1 for shape in shapes.values()):
        raise ValueError(f"rewards must all be of one shape [B], got {shapes}")
    terms = [arrays[name] * jnp.float32(weights[name]) for name in sorted(arrays)]
    return Rewards(functools.reduce(jnp.add, terms), arrays)
