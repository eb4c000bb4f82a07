"""A tiny model whose next-token distributions are far from flat."""

import jax
import pytest

from sage_jax import models


@pytest.fixture(scope="session")
def tiny():
    config = models.ModelConfig(
        vocab_size=24,
        hidden_size=32,
        intermediate_size=48,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        max_positions=64,
    )
    graphdef, params = models.init(config, jax.random.key(7))
    return graphdef, jax.tree.map(lambda leaf: 4 * leaf, params)
