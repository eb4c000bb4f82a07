"""Where a training state lies over the mesh, and steps that keep it there."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from sage_jax import models, parallel
from sage_jax.learn.state import TrainState


def place(mesh: Mesh, params: Any) -> Any:
    """Parameters laid over the mesh by the table of axes."""
    return parallel.shard(params, parallel.shardings(mesh, params, models.logical_axes(params)))


def place_abstract(mesh: Mesh, params: Any) -> Any:
    """Shapes with the shardings that `place` would give them."""
    return with_shardings(params, parallel.shardings(mesh, params, models.logical_axes(params)))


def with_shardings(tree: Any, shardings: Any) -> Any:
    """Shapes with the given shardings."""
    return jax.tree.map(
        lambda x, s: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=s), tree, shardings
    )


def shapes(tree: Any) -> Any:
    """The arrays' shapes, dtypes and shardings, without their values."""
    return with_shardings(tree, jax.tree.map(lambda x: x.sharding, tree))


def layout(trained: Any, optimizer: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """Shapes of a state whose moments lie where their weights do.

    Args:
        trained: arrays, or their shapes with shardings.
        optimizer: an optax transformation.
        mesh: where what belongs to no weight lies whole on every device.
    """
    trained = shapes(trained)
    whole = parallel.replicated(mesh)
    abstract = jax.eval_shape(optimizer.init, trained)
    moments = optax.tree_utils.tree_map_params(
        optimizer,
        lambda _, s: s,
        abstract,
        jax.tree.map(lambda x: x.sharding, trained),
        transform_non_params=lambda _: whole,
    )
    updates: Any = jax.ShapeDtypeStruct((), jnp.int32, sharding=whole)
    return TrainState(trained, with_shardings(abstract, moments), updates)


def create(trained: Any, optimizer: optax.GradientTransformation, mesh: Mesh) -> TrainState:
    """The state before the first update, laid out as `layout` says."""
    moments = jax.tree.map(lambda x: x.sharding, layout(trained, optimizer, mesh).opt_state)
    opt_state = jax.jit(optimizer.init, out_shardings=moments)(trained)
    updates = parallel.shard(np.zeros((), np.int32), parallel.replicated(mesh))
    return TrainState(trained, opt_state, updates)


def keep_sharding(step: Callable[..., Any], like: TrainState) -> Any:
    """A jitted step that takes a state's memory over and returns the next one laid out as `like`.

    Args:
        step: (state, ...) -> (next state, ...).
        like: a state, or its shapes.
    """
    shardings = jax.tree.map(lambda x: x.sharding, like)

    def run(state, *args):
        state, *rest = step(state, *args)
        return jax.lax.with_sharding_constraint(state, shardings), *rest

    return jax.jit(run, donate_argnums=0)
