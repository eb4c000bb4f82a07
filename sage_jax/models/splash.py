"""Causal attention by JAX's splash kernel for TPUs, which holds no scores outside a core."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental.pallas.ops.tpu import splash_attention as kernels

from sage_jax.models.attention import Past

# A core's lanes, which lengths are filled up to, and the longest block that is held at once.
_LANES, _BLOCK = 128, 512


@dataclasses.dataclass(frozen=True)
class Splash:
    """`splash` as a model takes it, `Knobs.attend`; equal where it computes alike.

    Attributes:
        interpret: Run the kernel's program on any backend, slowly.
    """

    interpret: bool = False

    def __call__(self, *arrays: jax.Array, past: Past | None = None) -> jax.Array:
        """See `splash`."""
        return splash(*arrays, past=past, interpret=self.interpret)


def splash(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    mask: jax.Array,
    *,
    past: Past | None = None,
    interpret: bool = False,
) -> jax.Array:
    """What `attend` gives, of whole sequences: every token sees those at or before it.

    Memory grows with the length and not with its square, forward and backward. Scores and softmax
    are float32. `q` is scaled before the product, in its own dtype, where `attend` scales the
    scores: in bfloat16 one rounding more unless sqrt(H) is a power of two. A past is written out
    for every row of its group.

    Args:
        q: [B, T, N, H] queries.
        k: [B, K, H, T] keys, K dividing N.
        v: [B, K, T, H] values.
        mask: [B, T, T] bool, causal; its last row says which tokens are valid.
        past: What every query sees besides; rows of one group are adjacent.
        interpret: See `Splash`.

    Returns:
        [B, T, N, H] in the dtype of `q`; zero at tokens that are not valid (Dao et al., 2022).
    """
    length, heads, width = q.shape[1:]
    valid = mask[:, -1]
    k, v, seen = _after(past, k, v, valid)
    rows, columns = _filled(length), _filled(k.shape[3])
    # A token that is not valid sees others of its kind, and no row of scores is wholly masked.
    kinds = kernels.SegmentIds(_fill(valid, 1, rows), _fill(seen, 1, columns))
    q = _fill((q * jnp.asarray(width**-0.5, q.dtype)).swapaxes(1, 2), 2, rows)
    k, v = _fill(k, 3, columns).swapaxes(2, 3), _fill(v, 2, columns)
    kernel = _kernel(rows, columns, seen.shape[1] - length, heads, interpret)
    # The kernel mixes dtypes and ranks as JAX lets it by default, whatever its caller allows.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        out = jax.vmap(kernel)(q, k.astype(q.dtype), v.astype(q.dtype), kinds)
    out = out[:, :, :length].swapaxes(1, 2)
    return jnp.where(valid[:, :, None, None], out, jnp.zeros((), out.dtype))


def _after(
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


def _kernel(rows: int, columns: int, offset: int, heads: int, interpret: bool) -> Any:
    """The kernel of [N, rows, H] queries, which begin `offset` places after the keys do."""
    mask = kernels.CausalMask((rows, columns), offset=offset)
    q, kv = min(rows, _BLOCK), min(columns, _BLOCK)
    sizes = kernels.BlockSizes(
        block_q=q, block_kv=kv, block_q_dkv=q, block_kv_dkv=kv, block_q_dq=q, block_kv_dq=kv,
        k_layout=kernels.QKVLayout.SEQ_MINOR,
    )  # fmt: skip
    return kernels.make_splash_mha(
        kernels.MultiHeadMask([mask] * heads), block_sizes=sizes, head_shards=1, q_seq_shards=1,
        interpret=interpret,
    )  # fmt: skip


def _filled(length: int) -> int:
    """The least length that whole blocks make up."""
    unit = _LANES if length <= _BLOCK else _BLOCK
    return -(-length // unit) * unit


def _fill(x: jax.Array, axis: int, length: int) -> jax.Array:
    """`x` with zeros after its end along an axis; of bool, as int32."""
    x = x.astype(jnp.int32) if x.dtype == jnp.bool_ else x
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, length - x.shape[axis])
    return jnp.pad(x, widths)
