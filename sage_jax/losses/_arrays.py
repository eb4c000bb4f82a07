"""Small array helpers shared by the losses: dtypes, masks and masked statistics."""

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

Array = jax.Array


def as_valid(mask: Array) -> Array:
    """Boolean form of a mask of any dtype: everything that is not zero is valid."""
    return mask if mask.dtype == jnp.bool_ else mask != 0


def real_dtype(values: Array) -> jnp.dtype:
    """float64 for float64 input and float32 for everything else: losses never go below it."""
    return jnp.dtype(jnp.float64 if values.dtype == jnp.float64 else jnp.float32)


def as_real(values: Array) -> Array:
    """Cast to float32, or keep float64."""
    values = jnp.asarray(values)
    return values.astype(real_dtype(values))


def like(knob: ArrayLike, values: Array) -> Array:
    """A knob, number or scalar array of any float dtype, in the dtype of `values`."""
    return jnp.asarray(knob).astype(values.dtype)


def keep(valid: Array, values: Array) -> Array:
    """Values where valid and 0 elsewhere; whatever stands elsewhere gets no gradient either."""
    return jnp.where(valid, values, jnp.zeros((), values.dtype))


def masked_sum(values: Array, valid: Array, axis: int | None = None) -> Array:
    """Sum over the valid entries."""
    return jnp.sum(keep(valid, values), axis=axis)


def count(valid: Array, dtype: jnp.dtype, axis: int | None = None) -> Array:
    """Number of valid entries as a real number."""
    return jnp.sum(valid.astype(dtype), axis=axis)


def row_mean(values: Array, valid: Array) -> Array:
    """Mean over the valid tokens of each row, [B, 1]; 0 for a row that has none."""
    tokens = jnp.maximum(count(valid, values.dtype, axis=-1), 1.0)
    return (masked_sum(values, valid, axis=-1) / tokens)[:, None]


def masked_quantile(values: Array, valid: Array, quantile: float) -> Array:
    """Quantile over the valid entries of the last axis, linearly interpolated.

    Shape [..., n] -> [..., 1]; +inf where nothing is valid, so that nothing reaches it.
    """
    ordered = jnp.sort(jnp.where(valid, values, jnp.inf), axis=-1)
    last = count(valid, values.dtype, axis=-1)[..., None] - 1.0
    position = quantile * jnp.maximum(last, 0.0)
    below = jnp.floor(position)
    low = jnp.take_along_axis(ordered, below.astype(jnp.int32), axis=-1)
    high = jnp.take_along_axis(ordered, jnp.ceil(position).astype(jnp.int32), axis=-1)
    # inf - inf is not a number, and only an empty row could get there.
    step = jnp.where(last >= 0, high - low, jnp.zeros((), values.dtype))
    return low + (position - below) * step
