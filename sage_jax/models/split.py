"""A model as (graphdef, params): what crosses the border of every jitted function."""

from __future__ import annotations

from typing import Unpack

import jax
from flax import nnx

from sage_jax.models.config import ModelConfig
from sage_jax.models.transformer import ModelOptions, Transformer


def init(
    config: ModelConfig, key: jax.Array, **options: Unpack[ModelOptions]
) -> tuple[nnx.GraphDef, nnx.State]:
    """A fresh model with random weights.

    Args:
        config: Sizes and family.
        key: PRNG key of the initial values.
        options: See `ModelOptions`.

    Returns:
        graphdef: The static half, hashable, equal to that of `build_graphdef` of the same options.
        params: The arrays.
    """

    @jax.jit
    def create(key: jax.Array) -> nnx.State:
        return nnx.split(Transformer(config, rngs=nnx.Rngs(params=key), **options))[1]

    return build_graphdef(config, **options), create(key)


def abstract(
    config: ModelConfig, **options: Unpack[ModelOptions]
) -> tuple[nnx.GraphDef, nnx.State]:
    """Like `init`, but the leaves are `jax.ShapeDtypeStruct`s and nothing is allocated."""
    model = nnx.eval_shape(lambda: Transformer(config, rngs=nnx.Rngs(params=0), **options))
    return nnx.split(model)


def build_graphdef(config: ModelConfig, **options: Unpack[ModelOptions]) -> nnx.GraphDef:
    """The static half of a model, without allocating its parameters."""
    return abstract(config, **options)[0]


def merge(graphdef: nnx.GraphDef, params: nnx.State | tuple[nnx.State, ...]) -> Transformer:
    """The callable model of a graphdef and its parameters.

    Args:
        graphdef: From `init`, `build_graphdef`, `load` or `lora.attach`.
        params: One State, or a tuple of them: (base, adapters) after `lora.attach`.
    """
    states = params if isinstance(params, tuple) else (params,)
    return nnx.merge(graphdef, *states)
