"""Prepared data in a bucket: read only once the last of it is there."""

import pytest

from sage_jax.data import Problem, preparing
from sage_jax.data.builders import Recipe
from sage_jax.paths import PathError

PROBLEMS = [Problem(f"q{n}", f"{n} + 2?", str(n + 2)) for n in range(5)]


def inside(folder):
    """Where the data lie, as the store has it."""
    return f"{folder.removeprefix('gs://')}/sums/1.0.0"


def recipe(calls):
    return Recipe("sums", "1.0.0", lambda manager: calls.append(1) or {"train": PROBLEMS})


def test_prepared_once_in_a_bucket(bucket, folder):
    calls = []
    for _ in range(2):
        found = preparing.read(recipe(calls), data_dir=folder)
        assert found == {"train": PROBLEMS}
    assert calls == [1]
    assert bucket.written[-1] == f"{inside(folder)}/dataset_info.json"


def test_what_was_uploaded_in_part_is_not_read(bucket, folder):
    calls = []
    bucket.goes_before = lambda name: name.endswith("dataset_info.json")
    with pytest.raises(PathError, match=r"1\.0\.0: cannot be used"):
        preparing.read(recipe(calls), data_dir=folder)
    assert bucket.texts(inside(folder))
    bucket.gone, bucket.goes_before = False, lambda name: False
    assert preparing.read(recipe(calls), data_dir=folder) == {"train": PROBLEMS}
    assert calls == [1, 1]
