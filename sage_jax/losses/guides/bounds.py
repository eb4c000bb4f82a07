"""The range that q is held in."""

import jax
import jax.numpy as jnp

from .._arrays import Array, as_valid, keep


def bounded_log(q: Array, mask: Array, *, q_min: float = 0.6, q_max: float = 1.4) -> Array:
    """Log of q clipped to [q_min, q_max], 0 where the mask is, constant under the gradient; [B, T].

    Raises ValueError unless 0 < q_min <= 1 <= q_max.
    """
    check_bounds(q_min, q_max)
    log_q = jnp.log(jnp.clip(q, q_min, q_max))
    return jax.lax.stop_gradient(keep(as_valid(mask), log_q))


def check_bounds(q_min: float, q_max: float) -> None:
    """Raise ValueError unless 0 < q_min <= 1 <= q_max."""
    if not 0 < q_min <= 1 <= q_max:
        raise ValueError(
            f"q_min is {q_min} and q_max is {q_max}; 0 < q_min <= 1 <= q_max must hold"
        )
