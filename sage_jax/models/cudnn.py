"""Causal attention by cuDNN's flash kernel for NVIDIA GPUs, which holds no scores in memory."""

from __future__ import annotations

import dataclasses
from typing import Literal

import jax
import jax.numpy as jnp

from sage_jax.models.attention import Past, written_out


@dataclasses.dataclass(frozen=True)
class CuDNN:
    """What `attend` gives, of whole sequences: every token sees those at or before it.

    By `jax.nn.dot_product_attention`. Memory grows with the length and not with its square, forward
    and backward, and blocks of scores after the diagonal or after a row's end are skipped. For that
    each row is moved to begin with its first valid token, and queries are filled up to the length
    of the keys. A past is written out for every row of its group (Dao et al., 2022).

    Attributes:
        implementation: `cudnn` takes bfloat16 or float16, H at most 128 (from Hopper on 256) and a
            multiple of 8; `xla` computes the same by products, on any backend and in any dtype (of
            bfloat16 not where JAX is told to promote no dtypes, which it does there itself).
    """

    implementation: Literal["cudnn", "xla"] = "cudnn"

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
            past: What every query sees besides; rows of one group are adjacent. The valid tokens
                of a row, with those of its past, must lie in one piece.

        Returns:
            [B, T, N, H] in the dtype of `q`; zero at tokens that are not valid.
        """
        valid = mask[:, -1]
        k, v, seen = written_out(past, k, v, valid)
        before = seen.shape[1] - q.shape[1]
        first = jnp.argmax(seen, axis=1)
        rows = (
            jnp.pad(q, ((0, 0), (before, 0), (0, 0), (0, 0))),
            jnp.transpose(k, (0, 3, 1, 2)).astype(q.dtype),
            v.swapaxes(1, 2).astype(q.dtype),
        )
        # A kernel need not know what to do with a row of no tokens.
        lengths = jnp.maximum(seen.sum(axis=1, dtype=jnp.int32), 1)
        out = jax.nn.dot_product_attention(
            *(_rolled(x, first) for x in rows),
            is_causal=True,
            query_seq_lengths=lengths,
            key_value_seq_lengths=lengths,
            implementation=self.implementation,
        )
        out = _rolled(out, -first)[:, before:]
        return jnp.where(valid[:, :, None, None], out, jnp.zeros((), out.dtype))


def _rolled(x: jax.Array, by: jax.Array) -> jax.Array:
    """[B, S, ...] with row b turned to begin with its token by[b]."""
    rows, length = x.shape[:2]
    places = (jnp.arange(length)[None] + by[:, None]) % length
    # No place is read twice, which spares the gradient atomic sums.
    read = x.at[jnp.arange(rows)[:, None], places]
    return read.get(unique_indices=True, mode="promise_in_bounds")
