"""Causal grouped-query attention, over its own sequence or over a cache."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from sage_jax.models.blocks import cut, join
from sage_jax.models.config import ModelConfig
from sage_jax.models.layers import Joined, Linear, RMSNorm, stats_dtype
from sage_jax.models.rope import rotate


def attend(
    q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array, *, block_size: int = 512
) -> jax.Array:
    """softmax(q kᵀ / sqrt(H)) v over the slots the mask allows; zero where it allows none.

    Query head `n` reads key head `n // (N / K)`; keys are never repeated in memory. Scores and
    softmax are float32 or better. More than `block_size` queries are taken that many at a time,
    and their scores computed again in the backward pass, so that [N, S, T] is never held.

    Args:
        q: [B, S, N, H] queries.
        k: [B, K, H, T] keys, K dividing N.
        v: [B, K, T, H] values.
        mask: [B, S, T] bool.
        block_size: Queries per block.

    Returns:
        [B, S, N, H] in the dtype of `q` (Vaswani et al., 2017; Ainslie et al., 2023).
    """
    length = q.shape[1]
    if length <= block_size:
        return _attend_block(q, k, v, mask)
    block = jax.checkpoint(lambda operands: _attend_block(operands[0], k, v, operands[1]))
    out = jax.lax.map(block, (cut(q, block_size), cut(mask, block_size)))
    return join(out, length)


def _attend_block(q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array) -> jax.Array:
    """Attention of one block of queries.

    All queries of one key head form the rows of one matrix product, [S * N / K, H] by [H, T]:
    several times faster on CPU than the layout that an einsum over five axes ends up with. Of
    the few rows of one decoded token, half the time went into turning keys that lay as [T, H].
    """
    batch, length, heads, width = q.shape
    kv_heads, slots, dtype = k.shape[1], k.shape[3], stats_dtype(q.dtype)
    group = heads // kv_heads
    rows = q.reshape(batch, length, kv_heads, group, width).swapaxes(1, 2)
    rows = rows.reshape(batch, kv_heads, length * group, width)
    scores = _batched_dot(rows, k, dtype).reshape(batch, kv_heads, length, group, slots)
    allowed = mask[:, None, :, None]
    scores = jnp.where(allowed, scores * width**-0.5, jnp.finfo(dtype).min)
    weights = jnp.where(allowed, jax.nn.softmax(scores, axis=-1), 0.0).astype(v.dtype)
    out = _batched_dot(weights.reshape(batch, kv_heads, length * group, slots), v, dtype)
    out = out.reshape(batch, kv_heads, length, group, width).swapaxes(1, 2)
    return out.reshape(q.shape).astype(q.dtype)


def _batched_dot(left: jax.Array, right: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """[.., m, n] by [.., n, p], batched over the first two axes."""
    dims = (((3,), (2,)), ((0, 1), (0, 1)))
    return jax.lax.dot_general(left, right, dims, preferred_element_type=dtype)


class Attention(nnx.Module):
    """Projections, per-head norms where the family has them, rotation, attention, output."""

    def __init__(
        self,
        config: ModelConfig,
        *,
        compute_dtype: DTypeLike,
        param_dtype: DTypeLike,
        rngs: nnx.Rngs,
    ):
        dtypes: Any = {"compute_dtype": compute_dtype, "param_dtype": param_dtype}
        width, bias = config.hidden_size, config.attention_bias
        q_width, kv_width = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
        self.q_proj = Linear(width, q_width, use_bias=bias, rngs=rngs, **dtypes)
        self.k_proj = Linear(width, kv_width, use_bias=bias, rngs=rngs, **dtypes)
        self.v_proj = Linear(width, kv_width, use_bias=bias, rngs=rngs, **dtypes)
        # Residual writes start small so that the stream's variance does not grow with depth.
        shrink = 1 / (2 * config.num_layers)
        self.o_proj = Linear(q_width, width, scale=shrink, rngs=rngs, **dtypes)
        self.joined: Joined | None = nnx.data(None)
        self.head_dim = config.head_dim
        if config.qk_norm:
            self.q_norm = RMSNorm(config.head_dim, eps=config.rms_norm_eps, **dtypes)
            self.k_norm = RMSNorm(config.head_dim, eps=config.rms_norm_eps, **dtypes)

    def join(self) -> None:
        """From now on take queries, keys and values by one product, of what the weights are now."""
        self.joined = nnx.data(Joined(self.q_proj, self.k_proj, self.v_proj))

    def project(
        self, x: jax.Array, cos: jax.Array, sin: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Rotated queries [B, S, N, H] and keys [B, K, H, S], and values [B, K, S, H].

        Keys and values lie as attention reads them, so that a cache need not be turned round.
        """
        shape = (*x.shape[:2], -1, self.head_dim)
        separate = (self.q_proj, self.k_proj, self.v_proj)
        made = self.joined(x) if self.joined is not None else [one(x) for one in separate]
        q, k, v = (one.reshape(shape) for one in made)
        if hasattr(self, "q_norm"):
            q, k = self.q_norm(q), self.k_norm(k)
        k = jnp.transpose(rotate(k, cos, sin), (0, 2, 3, 1))
        return rotate(q, cos, sin), k, v.swapaxes(1, 2)

    def output(self, attended: jax.Array) -> jax.Array:
        """Maps [B, S, N, H] back to the model width, [B, S, D]."""
        return self.o_proj(attended.reshape(*attended.shape[:2], -1))
