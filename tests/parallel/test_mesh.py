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


@pytest.mark.parametrize(
    ("devices", "options", "sizes"),
    [
        # Everything fits on one device: replicas only.
        (8, {"weight_bytes": 1e9, "state_bytes": 4e9}, (8, 1, 1)),
        # The state needs four devices, the decoder's weights none.
        (8, {"weight_bytes": 5e9, "state_bytes": 30e9}, (2, 4, 1)),
        # Seven billion parameters in bfloat16 on sixteen small chips, and on more of them.
        (16, {"weight_bytes": 15.2e9, "state_bytes": 91e9}, (1, 4, 4)),
        (64, {"weight_bytes": 15.2e9, "state_bytes": 91e9}, (4, 4, 4)),
        # Nothing is known of the memory: nothing is split for it.
        (8, {"weight_bytes": 1e12, "state_bytes": 1e12, "memory": None}, (8, 1, 1)),
        # Twelve rows over eight devices come out even over four of them.
        (8, {"weight_bytes": 1e9, "state_bytes": 4e9, "rows": 12}, (4, 1, 1)),
        # Too large in any shape: split as far as can be, for `plan` and the devices to refuse.
        (4, {"weight_bytes": 1e12, "state_bytes": 1e13}, (1, 1, 4)),
    ],
    ids=str,
)
def test_chosen_sizes(devices, options, sizes):
    chosen, why = parallel.choose_sizes(
        devices, **{"rows": 64, "kv_heads": 4, "memory": 16e9, **options}
    )
    assert tuple(chosen.values()) == sizes
    assert why.startswith(f"mesh: data {sizes[0]}, fsdp {sizes[1]}, tensor {sizes[2]} for")
