import doctest
import importlib

import pytest

MODULES = [
    "admitting",
    "answers",
    "awaiting",
    "boxes",
    "characters",
    "choices",
    "degrees",
    "format",
    "framing",
    "golds",
    "names",
    "notations",
    "number_judge",
    "parts",
    "plain_text",
    "quantities",
    "reading",
    "relations",
    "sentence",
    "shapes",
    "stated",
    "styles",
    "thinking",
    "tidy",
    "unit_names",
    "units",
    "votes",
    "words",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"sage_jax.rewards.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
