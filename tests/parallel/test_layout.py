"""Layouts of activations where the rows of one shard are a program of their own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import parallel


@pytest.mark.parametrize(
    ("sizes", "asked"),
    [
        ({"data": 2, "tensor": 2}, '[{}, {}, {"tensor"}]'),
        ({"fsdp": 2, "tensor": 2}, '[{}, {}, {"tensor"}]'),
        ({"data": 4}, None),
    ],
    ids=str,
)
def test_inside_a_shard_of_rows_the_axes_left_are_laid_out(sizes, asked):
    mesh = parallel.make_mesh(**{"data": 1} | sizes, devices=jax.devices()[:4])
    layout = parallel.Layout(mesh)
    twice = jax.jit(parallel.map_rows(lambda x: 2 * layout(x, ("batch", None, "heads")), mesh))
    x = jnp.arange(8 * 3 * 4.0).reshape(8, 3, 4)
    np.testing.assert_array_equal(twice(x), 2 * x)
    text = twice.lower(x).as_text()
    # Constraints that JAX adds by itself are open, {?}; ours says which axes are whole.
    assert (asked in text) if asked else ("sharding_constraint" not in text)
