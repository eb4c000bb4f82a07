"""Bytes on one chip while a step runs."""

import dataclasses
import math
from typing import Any

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True)
class Memory:
    """What lies on one chip, in bytes.

    Attributes:
        arguments: what the step is given.
        outputs: what it returns.
        aliased: outputs that take the place of arguments.
        temporaries: what it needs in between; on TPUs with the gaps between arrays.
        code: the program.
        beside: what the run keeps there that the step is not given, e.g. the optimiser's moments
            during a rollout.
        alive: most of the first four at any one time, 0 where the compiler does not say.
    """

    arguments: int
    outputs: int
    aliased: int
    temporaries: int
    code: int
    beside: int = 0
    alive: int = 0

    @property
    def peak(self) -> int:
        """What the chip must have: the step at its peak, the program, and what lies beside."""
        whole = self.arguments + self.outputs - self.aliased + self.temporaries
        return (self.alive or whole) + self.code + self.beside


def of_compiled(compiled: Any, platform: str) -> Memory:
    """What the compiler says.

    A TPU's compiler refuses by the peak of what is alive; elsewhere all temporaries are allocated
    at once.
    """
    stats = compiled.memory_analysis()
    return Memory(
        stats.argument_size_in_bytes,
        stats.output_size_in_bytes,
        stats.alias_size_in_bytes,
        stats.temp_size_in_bytes,
        stats.generated_code_size_in_bytes,
        alive=stats.peak_memory_in_bytes if platform == "tpu" else 0,
    )


def leaves(tree: Any) -> list[Any]:
    """The arrays or shapes of a tree."""
    return jax.tree.leaves(tree)


def per_chip(tree: Any) -> int:
    """Bytes of a tree of arrays or shapes on the chip that holds most, by their shardings."""
    return sum(map(leaf_bytes, leaves(tree)))


def leaf_bytes(leaf: Any) -> int:
    """Bytes of one array's shard."""
    shape = leaf.sharding.shard_shape(leaf.shape) if leaf.sharding is not None else leaf.shape
    dtype = leaf.dtype
    if jnp.issubdtype(dtype, jax.dtypes.prng_key):
        return 8 * math.prod(shape)
    return math.prod(shape) * dtype.itemsize
