"""The largest arrays: what a step has alive at its peak, and what a run keeps."""

import dataclasses
from typing import Any

import jax

from sage_jax.plan.hlo import Module
from sage_jax.plan.liveness import at_peak
from sage_jax.plan.memory import leaf_bytes


@dataclasses.dataclass(frozen=True)
class Array:
    """Arrays of one shape and origin on one chip.

    Attributes:
        size: bytes of all of them, with the padding of tiles.
        count: how many.
        shape: e.g. "bf16[8,6144,3584]".
        origin: what computes them, or the name of an argument.
    """

    size: int
    count: int
    shape: str
    origin: str


def largest_alive(module: Module, count: int) -> list[Array]:
    """The largest intermediate results that are alive when the program needs most memory."""
    found: dict[tuple[str, str], Array] = {}
    for buffer in at_peak(module).buffers:
        key = (str(buffer.shape), _short(buffer.origin.origin) or buffer.origin.opcode)
        before = found.get(key, Array(0, 0, *key))
        found[key] = Array(before.size + buffer.shape.padded, before.count + 1, *key)
    return sorted(found.values(), key=lambda array: -array.size)[:count]


def _short(origin: str) -> str:
    """The last parts of an operation's path."""
    parts = [p for p in origin.split("/") if p not in ("while", "body", "closed_call", "jvp()")]
    return "/".join(parts[-3:])


def largest_kept(trees: dict[str, Any], count: int) -> list[Array]:
    """The largest arrays that a run keeps on each chip, by name of tree and path."""
    found = []
    for name, tree in trees.items():
        for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
            dims = leaf.sharding.shard_shape(leaf.shape)
            shape = f"{leaf.dtype}[{','.join(map(str, dims))}]"
            keys = ".".join(
                str(getattr(k, "key", getattr(k, "name", getattr(k, "idx", k)))) for k in path
            )
            found.append(Array(leaf_bytes(leaf), 1, shape, f"{name}.{keys.removesuffix('.value')}"))
    return sorted(found, key=lambda array: -array.size)[:count]
