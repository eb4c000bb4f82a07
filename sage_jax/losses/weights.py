"""Surprisals of a row, normalised to weights in [0, 1]: the three ways of the `token` guide.

Each maps `surprisals` [B, T] (nats) and `mask` [B, T] to weights [B, T], 0 where the mask is, and
compares a token with the valid tokens of its own row only. Source: SAGE, arXiv 2605.18864.
"""

import jax
import jax.numpy as jnp

from ._arrays import Array, as_real, as_valid, count, keep, masked_quantile, row_mean


def minmax(surprisals: Array, mask: Array) -> Array:
    """(s − lo) / (hi − lo) after clamping s to lo and hi, the row's 5% and 95% quantiles.

    The quantiles are linearly interpolated. A row whose quantiles coincide has weights 0.
    """
    values, valid = as_real(surprisals), as_valid(mask)
    low = masked_quantile(values, valid, 0.05)
    span = masked_quantile(values, valid, 0.95) - low
    flat = ~(span > 0)
    weights = jnp.clip((values - low) / jnp.where(flat, 1.0, span), 0.0, 1.0)
    return keep(valid & ~flat, weights)


def rank(surprisals: Array, mask: Array) -> Array:
    """Rank from 0 (least surprising) to n − 1 inside the row, divided by n − 1.

    Equal surprisals share the mean of their ranks. A row of one token has weight 0.
    """
    values, valid = as_real(surprisals), as_valid(mask)
    number = count(valid, values.dtype, axis=-1)[:, None]
    ordered = jnp.sort(jnp.where(valid, values, jnp.inf), axis=-1)
    below = jax.vmap(lambda row, s: jnp.searchsorted(row, s, side="left"))(ordered, values)
    up_to = jax.vmap(lambda row, s: jnp.searchsorted(row, s, side="right"))(ordered, values)
    up_to = jnp.minimum(up_to.astype(values.dtype), number)
    ranks = 0.5 * (below.astype(values.dtype) + up_to - 1.0)
    return keep(valid, ranks / jnp.maximum(number - 1.0, 1.0))


def zscore(surprisals: Array, mask: Array) -> Array:
    """Logistic function of (s − mean) / std inside the row, population std (+1e-8).

    A row whose surprisals are equal has weights 0.5.
    """
    values, valid = as_real(surprisals), as_valid(mask)
    away = keep(valid, values - row_mean(values, valid))
    std = jnp.sqrt(row_mean(jnp.square(away), valid))
    return keep(valid, jax.nn.sigmoid(away / (std + 1e-8)))
