"""Attention over the mesh: every shard of rows and heads as a program of its own."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from sage_jax.parallel.axes import RULES
from sage_jax.parallel.rows import row_shards


@dataclasses.dataclass(frozen=True)
class MapHeads:
    """An attention that the compiler cannot split, as a kernel, where mesh and shapes allow it.

    Equal for equal parts.

    Attributes:
        function: (q, k, v, mask, *, past) -> [B, S, N, H], see `models.attend`.
        otherwise: The same by what the compiler splits, for where rows or heads of keys are not
            cut evenly, and inside `map_rows`.
        mesh: that rows and heads are split over.
    """

    function: Callable[..., jax.Array]
    otherwise: Callable[..., jax.Array]
    mesh: Mesh

    def __call__(
        self, q: jax.Array, k: jax.Array, v: jax.Array, mask: jax.Array, *, past: Any = None
    ) -> jax.Array:
        """What `function` gives, of every shard by itself."""
        if not self._even(k, past) or jax.sharding.get_abstract_mesh().manual_axes:
            return self.otherwise(q, k, v, mask, past=past)
        batch, heads = RULES["batch"], RULES["kv_heads"]
        rows, keys = PartitionSpec(batch), PartitionSpec(batch, heads)
        queries = PartitionSpec(batch, None, heads)
        return jax.shard_map(
            lambda *arrays: self.function(*arrays[:4], past=arrays[4]),
            mesh=self.mesh,
            in_specs=(
                queries,
                keys,
                keys,
                rows,
                past and past._replace(keys=keys, values=keys, valid=rows),
            ),
            out_specs=queries,
            check_vma=False,
        )(q, k, v, mask, past)

    def _even(self, k: jax.Array, past: Any) -> bool:
        """Whether rows, those of the past too, and heads of keys are cut into equal shards."""
        heads = self.mesh.shape[RULES["kv_heads"]]
        sizes = [x.shape[:2] for x in ([k, past.keys] if past else [k])]
        return all(b % row_shards(self.mesh) == 0 and n % heads == 0 for b, n in sizes)
