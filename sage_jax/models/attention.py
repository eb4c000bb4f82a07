"""Causal grouped-query attention, over its own sequence or over a cache."""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jax.typing import DTypeLike

from sage_jax.models.blocks import cut, join
from sage_jax.models.config import ModelConfig
from sage_jax.models.layers import Linear, RMSNorm, Turned, stats_dtype
from sage_jax.models.rope import rotate


class Past(NamedTuple):
    """What all G rows of a group have seen before their own keys begin, held once a group.

    Attributes:
        keys: [B / G, K, H, P].
        values: [B / G, K, P, H].
        valid: [B / G, P] bool.
    """

    keys: jax.Array
    values: jax.Array
    valid: jax.Array


def written_out(
    past: Past | None, k: jax.Array, v: jax.Array, valid: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Keys, values and which of them are valid, each row's own after what it sees of the past."""
    if past is None:
        return k, v, valid
    before = [jnp.repeat(x, k.shape[0] // x.shape[0], axis=0) for x in past]
    return (
        jnp.concatenate([before[0].astype(k.dtype), k], axis=3),
        jnp.concatenate([before[1].astype(v.dtype), v], axis=2),
        jnp.concatenate([before[2], valid], axis=1),
    )


def attend(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    mask: jax.Array,
    *,
    past: Past | None = None,
    block_size: int = 512,
) -> jax.Array:
    """softmax(q kᵀ / sqrt(H)) v over the slots the mask allows; zero where it allows none.

    Query head `n` reads key head `n // (N / K)`; keys are never repeated in memory. Scores and
    softmax are float32 or better. More than `block_size` queries are taken that many at a time,
    and their scores computed again in the backward pass, so that [N, S, T] is never held. Keys and
    values are read in the dtype of `q`, whatever a cache holds them in.

    Args:
        q: [B, S, N, H] queries.
        k: [B, K, H, T] keys, K dividing N.
        v: [B, K, T, H] values.
        mask: [B, S, T] bool.
        past: What every query sees besides; rows of one group are adjacent. A group's keys are
            read once for all of its rows.
        block_size: Queries per block.

    Returns:
        [B, S, N, H] in the dtype of `q` (Vaswani et al., 2017; Ainslie et al., 2023).
    """
    length = q.shape[1]
    if length <= block_size:
        return _attend_block(q, k, v, mask, past)
    block = jax.checkpoint(lambda operands: _attend_block(operands[0], k, v, operands[1], past))
    out = jax.lax.map(block, (cut(q, block_size), cut(mask, block_size)))
    return join(out, length)


def _attend_block(
    q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array, past: Past | None
) -> jax.Array:
    """Attention of one block of queries.

    All queries of one key head form the rows of one matrix product, [S * N / K, H] by [H, T]:
    several times faster on CPU than the layout that an einsum over five axes ends up with. Of
    the few rows of one decoded token, half the time went into turning keys that lay as [T, H].
    """
    batch, length, heads, width = q.shape
    kv_heads, dtype = k.shape[1], stats_dtype(q.dtype)
    group = heads // kv_heads
    rows = q.reshape(batch, length, kv_heads, group, width).swapaxes(1, 2)
    rows = rows.reshape(batch, kv_heads, length * group, width)
    scores = [_masked(_batched_dot(rows, k, dtype) * width**-0.5, mask)]
    if past is not None:
        before = _apart(_batched_dot(_together(rows, past), past.keys, dtype), batch)
        scores.append(_masked(before * width**-0.5, _seen_by_all(past, mask)))
    # Two softmaxes in one without laying their scores side by side, which would copy all of them.
    tops = [lax.stop_gradient(part.max(axis=-1, keepdims=True)) for part in scores]
    top = jnp.maximum(functools.reduce(jnp.maximum, tops), jnp.finfo(dtype).min)
    weights = [jnp.exp(part - top) for part in scores]
    total = sum(part.sum(axis=-1, keepdims=True) for part in weights)
    weights = [part.astype(q.dtype) for part in weights]
    out = _batched_dot(weights[0], v, dtype)
    if past is not None:
        before = _together(weights[1], past)
        out = out + _apart(_batched_dot(before, past.values, dtype), batch)
    out = out / jnp.where(total > 0, total, 1)
    out = out.reshape(batch, kv_heads, length, group, width).swapaxes(1, 2)
    return out.reshape(q.shape).astype(q.dtype)


def _masked(scores: jax.Array, mask: jax.Array) -> jax.Array:
    """Scores [B, K, S * N / K, T], minus infinity where the mask [B, S, T] is false."""
    (batch, heads, count, slots), length = scores.shape, mask.shape[1]
    apart = scores.reshape(batch, heads, length, count // length, slots)
    return jnp.where(mask[:, None, :, None], apart, -jnp.inf).reshape(scores.shape)


def _together(rows: jax.Array, past: Past) -> jax.Array:
    """[B, K, m, n] to [B / G, K, G * m, n]: the rows of a group under one another."""
    groups, (batch, heads, count, width) = past.valid.shape[0], rows.shape
    rows = rows.reshape(groups, batch // groups, heads, count, width).swapaxes(1, 2)
    return rows.reshape(groups, heads, -1, width)


def _apart(rows: jax.Array, batch: int) -> jax.Array:
    """[B / G, K, G * m, n] to [B, K, m, n]."""
    groups, heads, _, width = rows.shape
    rows = rows.reshape(groups, heads, batch // groups, -1, width).swapaxes(1, 2)
    return rows.reshape(batch, heads, -1, width)


def _seen_by_all(past: Past, mask: jax.Array) -> jax.Array:
    """[B, S, P]: what of the past every query of every row may see."""
    batch, length, _ = mask.shape
    valid = jnp.repeat(past.valid, batch // past.valid.shape[0], axis=0)
    return jnp.broadcast_to(valid[:, None], (batch, length, valid.shape[1]))


def _batched_dot(left: jax.Array, right: jax.Array, dtype: jnp.dtype) -> jax.Array:
    """[.., m, n] by [.., n, p], batched over the first two axes, in the dtype of `left`."""
    dims = (((3,), (2,)), ((0, 1), (0, 1)))
    return jax.lax.dot_general(left, right.astype(left.dtype), dims, preferred_element_type=dtype)


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
        traits, width = config.traits, config.hidden_size
        bias = traits.attention_bias
        q_width, kv_width = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
        self.q_proj = Linear(width, q_width, use_bias=bias, rngs=rngs, **dtypes)
        self.k_proj = Linear(width, kv_width, use_bias=bias, rngs=rngs, **dtypes)
        self.v_proj = Linear(width, kv_width, use_bias=bias, rngs=rngs, **dtypes)
        # Residual writes start small so that the stream's variance does not grow with depth.
        shrink = 1 / (2 * config.num_layers)
        self.o_proj: Linear | Turned = Linear(q_width, width, scale=shrink, rngs=rngs, **dtypes)
        self.qkv_proj: Turned | None = nnx.data(None)
        self.widths = (q_width, kv_width, kv_width)
        self.head_dim = config.head_dim
        # Every kernel divides scores by sqrt(H); what else scales them is in the queries.
        given = config.attention_multiplier
        self.q_scale = 1.0 if given is None else given * config.head_dim**0.5
        self.qk_norm = traits.qk_norm
        if self.qk_norm is not None:
            norm = {"eps": config.rms_norm_eps, "offset": traits.norm_offset, **dtypes}
            by_head = self.qk_norm == "head"
            self.q_norm = RMSNorm(config.head_dim if by_head else q_width, **norm)
            self.k_norm = RMSNorm(config.head_dim if by_head else kv_width, **norm)

    def turn(self) -> None:
        """From now on multiply by what the weights are now, `Turned`."""
        assert isinstance(self.o_proj, Linear)
        self.qkv_proj = nnx.data(Turned(self.q_proj, self.k_proj, self.v_proj))
        self.o_proj = Turned(self.o_proj)

    def project(
        self, x: jax.Array, cos: jax.Array, sin: jax.Array
    ) -> tuple[jax.Array, jax.Array, jax.Array]:
        """Rotated queries [B, S, N, H] and keys [B, K, H, S], and values [B, K, S, H].

        Keys and values lie as attention reads them, so that a cache need not be turned round. A
        scale of scores other than 1 / sqrt(H) is in the queries, multiplied as they are rotated,
        before they are rounded.
        """
        shape = (*x.shape[:2], -1, self.head_dim)
        if self.qkv_proj is not None:
            ends = itertools.accumulate(self.widths[:-1])
            made = jnp.split(self.qkv_proj(x), tuple(ends), axis=-1)
        else:
            made = [one(x) for one in (self.q_proj, self.k_proj, self.v_proj)]
        if self.qk_norm == "token":
            made = [self.q_norm(made[0]), self.k_norm(made[1]), made[2]]
        q, k, v = (one.reshape(shape) for one in made)
        if self.qk_norm == "head":
            q, k = self.q_norm(q), self.k_norm(k)
        k = jnp.transpose(rotate(k, cos, sin), (0, 2, 3, 1))
        if self.q_scale != 1:
            cos, sin = self.q_scale * cos, self.q_scale * sin
        return rotate(q, cos, sin), k, v.swapaxes(1, 2)

    def output(self, attended: jax.Array) -> jax.Array:
        """Maps [B, S, N, H] back to the model width, [B, S, D]."""
        return self.o_proj(attended.reshape(*attended.shape[:2], -1))
