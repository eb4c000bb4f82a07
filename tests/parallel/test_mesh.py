"""The mesh and the table of axes: sizes, what is refused, and what lies where."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec

from sage_jax import parallel
from sage_jax.parallel.axes import partition


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ({}, (8, 1, 1)),
        ({"fsdp": 4}, (2, 4, 1)),
        ({"data": 1, "fsdp": -1, "tensor": 2}, (1, 4, 2)),
        ({"data": 2, "fsdp": 2, "tensor": 2}, (2, 2, 2)),
        ({"data": 1}, (1, 1, 1)),
        ({"data": 3}, (3, 1, 1)),
    ],
)
def test_sizes(sizes, shape):
    assert tuple(parallel.make_mesh(**sizes).shape.values()) == shape


def test_devices_that_cannot_be_shared_out_are_refused():
    with pytest.raises(parallel.MeshError, match="8 devices cannot be shared out evenly"):
        parallel.make_mesh(fsdp=3)


def test_more_devices_than_there_are_are_refused():
    with pytest.raises(parallel.MeshError, match=r"data 16.*needs 16 devices, but there are 8"):
        parallel.make_mesh(data=16)


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        (("batch", None), (8, 3), PartitionSpec(("data", "fsdp"))),
        (("batch",), (6,), PartitionSpec()),  # 4 shards do not divide 6 rows
        (("layers", "embed", "heads"), (2, 8, 8), PartitionSpec(None, "fsdp", "tensor")),
        (("layers", "embed", "heads"), (2, 7, 8), PartitionSpec(None, None, "tensor")),
        (("vocab", "embed"), (32, 8), PartitionSpec("tensor", "fsdp")),
        (("heads", "mlp"), (8, 8), PartitionSpec("tensor")),  # an axis is used once
        (("layers", "norm"), (2, 8), PartitionSpec()),
    ],
)
def test_partition(axes, shape, expected):
    assert partition(parallel.make_mesh(data=2, fsdp=2, tensor=2), axes, shape) == expected


def test_arrays_land_where_the_table_says():
    mesh = parallel.make_mesh(data=2, fsdp=2, tensor=2)
    tree = {"kernel": jnp.zeros((2, 8, 8)), "scale": jnp.zeros((2, 8))}
    axes = {"kernel": ("layers", "embed", "mlp"), "scale": ("layers", None)}
    placed = jax.device_put(tree, parallel.shardings(mesh, tree, axes))
    assert placed["kernel"].addressable_shards[0].data.shape == (2, 4, 4)
    assert placed["scale"].addressable_shards[0].data.shape == (2, 8)
    assert parallel.row_shards(mesh) == 4
