import functools
import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.models import Llama3Scaling, ModelConfig, init

GOLDEN = Path(os.environ.get("SAGE_GOLDEN_DIR", Path(__file__).parents[1] / "golden"))
SCALING = Llama3Scaling(
    factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_positions=16
)
MULTIPLIERS = {
    "embedding_multiplier": 2.5,
    "residual_multiplier": 0.6,
    "attention_multiplier": 0.4,
    "logits_scaling": 0.7,
}


def _config(family: str, **changes) -> ModelConfig:
    fields = {
        "family": family,
        "vocab_size": 48,
        "hidden_size": 32,
        "intermediate_size": 40,
        "num_layers": 3,
        "num_heads": 4,
        "num_kv_heads": 2,
        "head_dim": 16 if family == "qwen3" else 8,
        "rope_scaling": SCALING if family == "llama" else None,
        "tie_embeddings": family in ("llama", "gemma"),
        "max_positions": 64,
        "eos_ids": (1,),
        "pad_id": 0,
        **(MULTIPLIERS if family == "granite" else {}),
    }
    return ModelConfig(**{**fields, **changes})


@pytest.fixture
def golden_dir() -> Path:
    return GOLDEN


@pytest.fixture
def make_config():
    """make_config(family, **changes): a config small enough for any test."""
    return _config


@pytest.fixture
def make_model():
    """make_model(family, **options): (config, graphdef, params), every parameter random."""
    return _model


@functools.cache
def _model(family: str, **options):
    config = _config(family)
    graphdef, params = init(config, jax.random.key(0), **options)
    leaves, tree = jax.tree.flatten(params)
    # Norm scales and biases start constant: shake them, so that a mix-up would show.
    noise = np.random.default_rng(0)
    leaves = [x + jnp.asarray(0.1 * noise.standard_normal(x.shape), x.dtype) for x in leaves]
    return config, graphdef, jax.tree.unflatten(tree, leaves)


@pytest.fixture
def make_batch():
    """make_batch(rows, length): tokens, positions and all-true valid."""

    def make(rows: int, length: int, vocab: int = 48):
        tokens = jax.random.randint(jax.random.key(7), (rows, length), 0, vocab, jnp.int32)
        positions = jnp.broadcast_to(jnp.arange(length, dtype=jnp.int32), (rows, length))
        return tokens, positions, jnp.ones((rows, length), bool)

    return make
