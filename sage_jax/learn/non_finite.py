"""Where NaN or infinity got into an update first."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from sage_jax.losses import Terms

# What goes into a loss, in the order in which it comes to be.
INPUTS = ("sampler_logps", "old_logps", "ref_logps", "advantages", "logps")


class NonFinite(NamedTuple):
    """Where an update's numbers stopped being finite; of several updates, of the last that did.

    Attributes:
        terms: int32 scalar, place in `INPUTS` of the first that holds NaN or infinity where the
            mask counts it; -1 if none does.
        gradient: int32 scalar, place among the gradient's leaves of the first that does; -1 if
            none does.
    """

    terms: jax.Array | int
    gradient: jax.Array | int


def first_bad_term(terms: Terms) -> jax.Array:
    """Place in `INPUTS` of one that holds NaN or infinity where it counts; -1 if none does."""
    found = [(place, getattr(terms, name)) for place, name in enumerate(INPUTS)]
    bad = [(place, _bad(values, terms.mask)) for place, values in found if values is not None]
    # From the last to the first, which stays.
    return functools.reduce(
        lambda place, one: jnp.where(one[1], one[0], place), reversed(bad), jnp.int32(-1)
    )


def _bad(values: jax.Array, mask: jax.Array) -> jax.Array:
    bad = ~jnp.isfinite(values)
    return (bad & (mask > 0) if values.ndim == mask.ndim else bad).any()


def first_bad_leaf(grads: Any) -> jax.Array:
    """Place among the leaves of the first that holds NaN or infinity; -1 if none does."""
    # The sums of squares are those of the norm, and cost nothing twice.
    bad = jnp.stack([~jnp.isfinite(optax.tree.norm(leaf)) for leaf in jax.tree.leaves(grads)])
    return jnp.where(bad.any(), jnp.argmax(bad), -1).astype(jnp.int32)
