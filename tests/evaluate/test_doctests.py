import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["bootstrap", "comparison", "completions", "draws", "entropies", "figures", "holm", "latex",
     "majority", "markdown", "metrics", "modes", "over_seeds", "page", "passk", "permutation",
     "points", "problem_result", "student", "tables", "theme", "timing",
     "token_data", "trends"],
)  # fmt: skip
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"sage_jax.evaluate.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
