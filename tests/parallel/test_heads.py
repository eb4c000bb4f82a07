"""A kernel over shards of rows and heads, against the same over whole arrays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import models, parallel
from sage_jax.models.attention import Past, attend


def counted(calls):
    """`attend`, noting the shapes of queries that it sees."""

    def run(q, k, v, mask, *, past=None):
        calls.append(q.shape)
        return attend(q, k, v, mask, past=past)

    return run


def some_arrays(*, rows, groups, heads, kv_heads):
    """q, k, v, a causal mask, and a past of 3 places."""
    keys = iter(jax.random.split(jax.random.key(0), 5))
    q, k, v = (
        jax.random.normal(next(keys), shape)
        for shape in ((rows, 5, heads, 8), (rows, kv_heads, 8, 5), (rows, kv_heads, 5, 8))
    )
    mask = jnp.broadcast_to(jnp.tril(jnp.ones((5, 5), bool)), (rows, 5, 5))
    past = Past(
        jax.random.normal(next(keys), (groups, kv_heads, 8, 3)),
        jax.random.normal(next(keys), (groups, kv_heads, 3, 8)),
        jnp.arange(3)[None] >= jnp.arange(groups)[:, None] % 3,
    )
    return q, k, v, mask, past


@pytest.mark.parametrize("with_past", [False, True])
def test_every_shard_has_its_own_rows_and_heads(with_past):
    calls, others = [], []
    mesh = parallel.make_mesh(data=2, fsdp=2, tensor=2)
    split = parallel.MapHeads(counted(calls), counted(others), mesh)
    q, k, v, mask, past = some_arrays(rows=8, groups=4, heads=8, kv_heads=2)
    past = past if with_past else None
    out = jax.jit(split)(q, k, v, mask, past=past)
    assert calls == [(2, 5, 4, 8)]
    assert not others
    np.testing.assert_allclose(out, attend(q, k, v, mask, past=past), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("sizes", [
    {"rows": 6, "groups": 6, "heads": 8, "kv_heads": 2},
    {"rows": 8, "groups": 2, "heads": 8, "kv_heads": 2},
    {"rows": 8, "groups": 4, "heads": 8, "kv_heads": 1},
], ids=["rows", "groups", "heads"])  # fmt: skip
def test_what_is_not_cut_evenly_goes_the_other_way(sizes):
    calls, others = [], []
    mesh = parallel.make_mesh(data=2, fsdp=2, tensor=2)
    split = parallel.MapHeads(counted(calls), counted(others), mesh)
    q, k, v, mask, past = some_arrays(**sizes)
    out = jax.jit(split)(q, k, v, mask, past=past)
    assert not calls
    assert others == [q.shape]
    np.testing.assert_allclose(out, attend(q, k, v, mask, past=past), rtol=1e-6, atol=1e-6)


def test_the_kernel_itself_over_a_mesh():
    mesh = parallel.make_mesh(data=2, fsdp=1, tensor=2)
    split = parallel.MapHeads(models.Splash(interpret=True), attend, mesh)
    q, k, v, mask, past = some_arrays(rows=4, groups=2, heads=4, kv_heads=2)
    out = jax.jit(split)(q, k, v, mask, past=past)
    np.testing.assert_allclose(out, attend(q, k, v, mask, past=past), rtol=1e-5, atol=1e-6)


def test_equal_parts_make_equals():
    mesh = parallel.make_mesh(data=2, fsdp=2, tensor=2)
    one, other = (parallel.MapHeads(models.Splash(), attend, mesh) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)
