import doctest
import importlib

import pytest

MODULES = [
    "answers",
    "boxes",
    "expressions",
    "format",
    "number_judge",
    "reading",
    "sentence",
    "stated",
    "tidy",
    "units",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"sage_jax.rewards.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
