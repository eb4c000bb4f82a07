"""Parts of a rollout on more devices of rows than they have groups."""

import jax
import jax.numpy as jnp
import pytest

from sage_jax import parallel
from sage_jax.learn.shards import Shards


@pytest.mark.parametrize(("groups", "whole"), [(4, True), (8, False), (12, True), (16, False)])
def test_parts_with_fewer_groups_than_devices_are_whole(groups, whole):
    mesh = parallel.make_mesh(data=2, fsdp=4, tensor=1)
    shards = Shards.of(mesh, 32)
    rows = parallel.batch_sharding(mesh, 16)
    parts = jax.device_put(jnp.arange(32.0).reshape(16, 2), rows)
    settled = jax.jit(lambda x: shards.settle(x, groups), out_shardings=None)(parts)
    assert settled.sharding.is_fully_replicated == whole
    assert (settled == parts).all()
