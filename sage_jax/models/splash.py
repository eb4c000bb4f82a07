"""Causal attention by JAX's splash kernel for TPUs, which holds no scores outside a core."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from sage_jax.models.attention import Past, written_out

# A core's lanes, which lengths are filled up to, and the longest block that is held at once.
_LANES, _BLOCK = 128, 512


@dataclasses.dataclass(frozen=True)
class Splash:
    """What `attend` gives, of whole sequences: every token sees those at or before it.

    Memory grows with the length and not with its square, forward and backward. Scores and softmax
    are float32. `q` is scaled before the product, in its own dtype, where `attend` scales the
    scores: in bfloat16 one rounding more unless sqrt(H) is a power of two. A past is written out
    for every row of its group (Dao et al., 2022).

    Attributes:
        interpret: Run the kernel's program on any backend, slowly.
    """

    interpret: bool = False

    def __call__(
        self,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        mask: jax.Array,
        *,
        past: Past | None = None,
    ) -> jax.Array:
        """Attention of one shard's rows and heads.

        Args:
            q: [B, T, N, H] queries.
            k: [B, K, H, T] keys, K dividing N.
            v: [B, K, T, H] values.
            mask: [B, T, T] bool, causal; its last row says which tokens are valid.
            past: What every query sees besides; rows of one group are adjacent.

        Returns:
            [B, T, N, H] in the dtype of `q`; zero at tokens that are not valid.
        """
        length, _, width = q.shape[1:]
        valid = mask[:, -1]
        k, v, seen = written_out(past, k, v, valid)
        rows, columns = _filled(length), _filled(k.shape[3])
        q = _fill((q * jnp.asarray(width**-0.5, q.dtype)).swapaxes(1, 2), 2, rows)
        k, v = (_fill(x, axis, columns).astype(q.dtype) for x, axis in ((k, 3), (v, 2)))
        kinds = _fill(valid, 1, rows), _fill(seen, 1, columns)
        offset = seen.shape[1] - length
        out = _run(q, k, v, *kinds, offset=offset, interpret=self.interpret)
        out = out[:, :, :length].swapaxes(1, 2)
        return jnp.where(valid[:, :, None, None], out, jnp.zeros((), out.dtype))


def _run(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    valid: jax.Array,
    seen: jax.Array,
    *,
    offset: int,
    interpret: bool,
) -> jax.Array:
    """The kernel over whole blocks; queries begin `offset` places after the keys do.

    A token that is not valid sees others of its kind, and no row of scores is wholly masked.
    """
    # An eighth of a second, which only those should wait who use it.
    from jax.experimental.pallas.ops.tpu import splash_attention as kernels

    (heads, rows), columns = q.shape[1:3], v.shape[2]
    row, column = min(rows, _BLOCK), min(columns, _BLOCK)
    mask = kernels.CausalMask((rows, columns), offset=offset)
    sizes = kernels.BlockSizes(
        block_q=row,
        block_kv=column,
        block_q_dkv=row,
        block_kv_dkv=column,
        block_q_dq=row,
        block_kv_dq=column,
        k_layout=kernels.QKVLayout.SEQ_MINOR,
    )
    kernel: Any = kernels.make_splash_mha(
        kernels.MultiHeadMask([mask] * heads),
        block_sizes=sizes,
        head_shards=1,
        q_seq_shards=1,
        interpret=interpret,
    )
    kinds = kernels.SegmentIds(valid.astype(jnp.int32), seen.astype(jnp.int32))
    return jax.vmap(kernel)(q, k.swapaxes(2, 3), v, kinds)


def _filled(length: int) -> int:
    """The least length that whole blocks make up."""
    unit = _LANES if length <= _BLOCK else _BLOCK
    return -(-length // unit) * unit


def _fill(x: jax.Array, axis: int, length: int) -> jax.Array:
    """`x` with zeros, or false, after its end along an axis."""
    widths = [(0, 0)] * x.ndim
    widths[axis] = (0, length - x.shape[axis])
    return jnp.pad(x, widths)
