import doctest
import importlib

import pytest

MODULES = [
    *("rewards.answers", "rewards.combine", "rewards.exact", "rewards.format", "rewards.math"),
    *("rewards.numbers", "rewards.pool", "data.arithmetic", "data.order", "data.styles"),
    *("data.mixed_task", "data.mixing", "data.tasks"),
    *("data.curriculum", "data.decontaminate", "data.escapes", "data.statements"),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"sage_jax.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
