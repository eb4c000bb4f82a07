"""A config whose model is large enough for its products to outweigh everything else."""

import pytest

from sage_jax import config as configs
from sage_jax.plan import Plan, make_plan

SMALL = {
    "name": "small",
    "model": {
        "source": "random",
        "architecture": {
            "hidden_size": 64, "intermediate_size": 160, "num_layers": 3, "num_heads": 4,
            "num_kv_heads": 2,
        },
    },
    "task": {"use": "brackets"},
    "rollout": {
        "num_prompts": 16, "group_size": 4, "max_prompt_length": 6, "max_completion_length": 8,
    },
    "warmup": {"steps": 2, "batch_size": 64},
    "eval": {"batch_prompts": 16},
    "mesh": {"data": -1, "topology": "cpu:8"},
}  # fmt: skip


@pytest.fixture(scope="session")
def small() -> configs.Config:
    return configs.parse(SMALL)


@pytest.fixture(scope="session")
def plan(small) -> Plan:
    return make_plan(small, "cpu:8")
