import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "name",
    ["bootstrap", "comparison", "completions", "draws", "entropies", "figures", "holm", "majority",
     "metrics", "modes", "over_seeds", "passk", "permutation", "problem_result", "student",
     "trends", *(f"report.{name}" for name in
     ("latex", "markdown", "page", "points", "tables", "theme", "timing", "token_data"))],
)  # fmt: skip
def test_examples_in_docstrings(name):
    found = doctest.testmod(importlib.import_module(f"sage_jax.evaluate.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
