"""The guide `branch`: the anchor weighs more where the text branches."""

import jax
from jax.typing import ArrayLike

from .._arrays import Array, as_real, like
from ..compose import Guide
from ..schedules import Scheduled, at, falling
from ..terms import Terms, require
from .bounds import bounded_log, check_bounds
from .source import Source, read_from


def branch(
    entropies: Array,
    mask: Array,
    *,
    ratio: float | Array = 0.3,
    threshold: float | Array = 1.2,
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Array:
    """Log of q = 1 + ratio · relu(H − threshold): the anchor weighs more where the text branches.

    `entropies` in nats, `mask` and the result [B, T].
    Raises ValueError unless 0 < q_min <= 1 <= q_max.

    >>> import jax.numpy as jnp
    >>> log_q = branch(jnp.array([[0.5, 2.2]]), jnp.ones((1, 2)))
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0].tolist()])
    ['1.00', '1.30']
    """
    entropies = as_real(entropies)
    q = 1.0 + like(ratio, entropies) * jax.nn.relu(entropies - like(threshold, entropies))
    return bounded_log(q, mask, q_min=q_min, q_max=q_max)


def branch_guide(
    *,
    ratio: Scheduled = 0.3,
    threshold: Scheduled = 1.2,
    source: Source = "policy",
    q_min: float = 0.6,
    q_max: float = 1.4,
) -> Guide:
    """Guide q = 1 + ratio · relu(H − threshold): the anchor weighs more where the text branches.

    H in nats is `entropies` of the terms, or `ref_entropies` with source "ref". Raises ValueError
    for a negative ratio or threshold, and as `branch`.

    >>> import jax.numpy as jnp
    >>> terms = Terms(jnp.zeros((1, 2)), jnp.ones((1, 2)), entropies=jnp.array([[0.5, 2.2]]))
    >>> log_q = branch_guide()(terms, step=0, key=None)
    >>> print([f"{q:.2f}" for q in jnp.exp(log_q)[0].tolist()])
    ['1.00', '1.30']
    """
    name = read_from(source, "entropies")
    check_bounds(q_min, q_max)
    ratio = falling(ratio, "ratio", max_steps=None)
    threshold = falling(threshold, "threshold", max_steps=None)

    def log_q(terms: Terms, *, step: ArrayLike, key: Array | None) -> Array:
        del key
        return branch(
            require(terms, name, "the guide branch"),
            terms.mask,
            ratio=at(ratio, step),
            threshold=at(threshold, step),
            q_min=q_min,
            q_max=q_max,
        )

    return Guide(log_q, "branch", "prefix", frozenset((name,)))
