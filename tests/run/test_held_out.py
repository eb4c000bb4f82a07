"""Sampling held-out problems: what fills a batch up is neither judged nor counted."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import parallel
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.rollout import Rollout
from sage_jax.run.evaluation import _batch
from sage_jax.run.held_out import evaluate

GROUP, LENGTH = 2, 3


class Counting:
    """A task that is right about even numbers, and notes whom it judges."""

    def __init__(self):
        self.judged = []

    def judge(self, prompts, tokens, mask):
        self.judged += prompts.ids
        assert len(tokens) == GROUP * len(prompts.ids)
        right = tokens[:, 0] % 2 == 0
        return Judged(right.astype(np.float32), right, ["x"] * len(right), ["wrong"] * len(right))

    def gold(self, id):
        return ""


def sampler(tokens, mask, key):
    rows = jnp.repeat(jnp.asarray(tokens), GROUP, axis=0)
    ones = jnp.ones((len(rows), LENGTH))
    tokens = rows * ones.astype(jnp.int32)
    length = jnp.where(rows == 4, 1, LENGTH)  # The last problem's completions are shorter.
    kept = (jnp.arange(LENGTH)[None] < length).astype(jnp.float32)
    rollout = Rollout(rows[::GROUP], rows[::GROUP] >= 0, tokens, kept, -ones,
                      jnp.asarray(length[:, 0] < LENGTH, jnp.int32))  # fmt: skip
    return jax.device_put(rollout, parallel.replicated(parallel.make_mesh(data=1)))


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_copies_that_fill_a_batch_are_not_judged(batch):
    task: Any = Counting()
    tokens = np.arange(5, dtype=np.int32)[:, None]
    prompts = Prompts([str(n) for n in range(5)], tokens, tokens >= 0)
    seen = []
    found = evaluate(
        sampler, task, prompts, jax.random.key(0), num_samples=4, batch_prompts=batch,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert sorted(task.judged) == sorted(2 * prompts.ids)  # Two groups of two samples.
    assert [(one.id, one.correct, one.samples) for one in found.problems] == [
        (str(n), 4 * (n % 2 == 0), 4) for n in range(5)
    ]
    assert found.mean_length == (4 * LENGTH + 1) / 5
    assert found.truncated == 4 / 5
    assert found.lost == 0
    assert seen[-1] == (5, 5)


@pytest.mark.parametrize(
    ("most", "problems", "shards", "batch"),
    [(64, 500, 8, 64), (64, 2, 1, 2), (64, 3, 8, 8), (64, 60, 8, 64)],
)
def test_a_batch_has_no_more_rows_than_there_are_problems(most, problems, shards, batch):
    assert _batch(most, problems, shards) == batch
