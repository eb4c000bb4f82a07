"""A tiny model on the bracket puzzle, and what training it needs."""

import jax
import jax.numpy as jnp
import pytest

from sage_jax import config as configs
from sage_jax import models
from sage_jax.parallel import make_mesh
from sage_jax.train import setup

TINY = {
    "name": "tiny",
    "seed": 3,
    "model": {
        "source": "random",
        "architecture": {
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_layers": 2,
            "num_heads": 4,
            "num_kv_heads": 4,
        },
    },
    "task": {"kind": "brackets"},
    "rollout": {
        "num_prompts": 4,
        "group_size": 4,
        "max_prompt_length": 6,
        "max_completion_length": 8,
    },
    "optimizer": {"learning_rate": 1e-3},
    "warmup": {"steps": 6, "batch_size": 32, "checkpoint_every": 4},
    "train": {"steps": 4, "checkpoint_every": 2, "sample_every": 2},
    "eval": {
        "num_problems": 16,
        "num_samples": 4,
        "num_samples_during": 2,
        "batch_prompts": 8,
    },
    "mesh": {"data": 1, "fsdp": 1, "tensor": 1},
}


@pytest.fixture(scope="session")
def make_config():
    """A function from changes to a config."""
    return lambda changes=None: configs.parse(configs._merge(TINY, changes or {}))


@pytest.fixture
def make_base(make_config):
    """A function from a config to a random model and its task, without a warm-up."""

    def make(config, *, devices=1):
        mesh = make_mesh(**config.mesh.model_dump(), devices=jax.devices()[:devices])
        task = setup.open_task(config, None)
        shape = setup.random_model(config, task)
        knobs = setup.model_knobs(config)
        graphdef, params = models.init(shape, jax.random.key(0), **knobs)
        # Larger weights than an initialiser's, so that policies and gradients are far from flat.
        params = jax.tree.map(lambda x: x * jnp.asarray(3, x.dtype), params)
        return setup.Base(
            models.Loaded(graphdef, setup.place(mesh, params), shape, None), task, mesh
        )

    return make
