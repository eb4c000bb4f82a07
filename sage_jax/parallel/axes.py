"""The only place that says which logical axis lies along which mesh axis."""

import dataclasses
from typing import Any

import jax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

# What rows of a batch are split over.
ROWS = ("data", "fsdp")

# Logical axis -> mesh axis. An axis that is not here, or whose size the mesh axis does not divide,
# is whole on every device.
RULES: dict[str, str | tuple[str, ...]] = {
    "batch": ROWS,
    "replica": "data",
    "embed": "fsdp",
    "heads": "tensor",
    "kv_heads": "tensor",
    "mlp": "tensor",
    "vocab": "tensor",
}


def partition(mesh: Mesh, axes: tuple[str | None, ...], shape: tuple[int, ...]) -> PartitionSpec:
    """Where an array with these logical axes lies.

    A mesh axis is used once an array, by the first logical axis that can take it.
    """
    used: set[str] = set()
    places = [_place(mesh, a, n, used) for a, n in zip(axes, shape, strict=True)]
    # Compiled steps give their results back without trailing axes that are whole; written alike,
    # the next call finds its program instead of compiling it again.
    while places and places[-1] is None:
        places.pop()
    return PartitionSpec(*places)


def _place(mesh: Mesh, axis: str | None, size: int, used: set[str]) -> Any:
    target = RULES.get(axis or "")
    names: tuple[str, ...] = (target,) if isinstance(target, str) else (target or ())
    count = 1
    for name in names:
        count *= mesh.shape[name]
    if not names or used & set(names) or size % count or count == 1:
        return None
    used.update(names)
    return target


def shardings(mesh: Mesh, tree: Any, logical_axes: Any) -> Any:
    """The sharding of every array in `tree`, whose logical axes stand in a like tree of tuples."""
    leaves, structure = jax.tree.flatten(tree)
    axes = jax.tree.leaves(logical_axes, is_leaf=lambda node: isinstance(node, tuple))
    specs = [
        NamedSharding(mesh, partition(mesh, a, x.shape)) for x, a in zip(leaves, axes, strict=True)
    ]
    return jax.tree.unflatten(structure, specs)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Lays activations over a mesh by the names of their axes; equal for equal meshes."""

    mesh: Mesh

    def __call__(self, x: jax.Array, axes: tuple[str | None, ...]) -> jax.Array:
        """The same array with its layout fixed.

        Inside `map_rows`, where rows are cut, it is laid over the axes that are left.
        """
        spec, here = partition(self.mesh, axes, x.shape), jax.sharding.get_abstract_mesh()
        if not here.manual_axes:
            return jax.lax.with_sharding_constraint(x, NamedSharding(self.mesh, spec))
        if not here.auto_axes:
            return x
        left = PartitionSpec(*(_left(place, here.auto_axes) for place in spec))
        return jax.lax.with_sharding_constraint(x, NamedSharding(here, left))


def _left(place: Any, axes: tuple[str, ...]) -> Any:
    """What of one entry of a partition lies along some axes: those of rows come and go together."""
    names = place if isinstance(place, tuple) else (place,)
    return place if set(names) <= set(axes) else None


def batch_sharding(mesh: Mesh, rows: int) -> NamedSharding:
    """The sharding of arrays whose first axis is `rows` rows of a batch."""
    return NamedSharding(mesh, partition(mesh, ("batch",), (rows,)))


def replicated(mesh: Mesh) -> NamedSharding:
    """Whole on every device."""
    return NamedSharding(mesh, PartitionSpec())
