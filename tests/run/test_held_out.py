"""Sampling held-out problems: what fills a batch up is neither judged nor counted."""

import contextlib
import gzip
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import parallel
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.evaluate.problem_result import means_of
from sage_jax.rollout import Rollout
from sage_jax.run.evaluation import batch_size
from sage_jax.run.held_out import evaluate
from sage_jax.run.stored import Stored

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

    def judged_text(self, tokens, id):
        return " ".join(map(str, tokens))


def sampler(tokens, mask, key):
    rows = jnp.repeat(jnp.asarray(tokens), GROUP, axis=0)
    ones = jnp.ones((len(rows), LENGTH))
    tokens = rows * ones.astype(jnp.int32)
    length = jnp.where(rows == 4, 1, LENGTH)  # The last problem's completions are shorter.
    kept = (jnp.arange(LENGTH)[None] < length).astype(jnp.float32)
    rollout = Rollout(rows[::GROUP], rows[::GROUP] >= 0, tokens, kept, -ones,
                      jnp.asarray(length[:, 0] < LENGTH, jnp.int32))  # fmt: skip
    return jax.device_put(rollout, parallel.replicated(parallel.make_mesh(data=1)))


def prompts() -> Prompts:
    tokens = np.arange(5, dtype=np.int32)[:, None]
    return Prompts([str(n) for n in range(5)], tokens, tokens >= 0)


def evaluated(task: Any, *, batch=2, folder=None, draw=sampler, **options):
    return evaluate(
        draw, task, prompts(), jax.random.key(0), num_samples=4, group_size=GROUP,
        batch_prompts=batch, stored=Stored(folder, {"batch": batch}), **options,
    )  # fmt: skip


@pytest.mark.parametrize("batch", [2, 4, 8])
def test_copies_that_fill_a_batch_are_not_judged(batch):
    task, seen = Counting(), []
    found = evaluated(task, batch=batch, progress=lambda *told: seen.append(told))
    assert sorted(task.judged) == sorted(2 * prompts().ids)  # Two groups of two samples.
    assert [(one.id, one.correct, one.samples) for one in found] == [
        (str(n), 4 * (n % 2 == 0), 4) for n in range(5)
    ]
    assert means_of(found) == {
        "mean_length": (4 * LENGTH + 1) / 5, "truncated": 4 / 5, "lost": 0
    }  # fmt: skip
    assert seen[-1] == (20, 20)


class Killed(BaseException):
    """In the place of a signal."""


def test_an_evaluation_that_is_killed_at_every_part_ends_in_the_same_bits(tmp_path):
    calls = []

    def killed(tokens, mask, key):
        calls.append(key)
        if len(calls) % 2 == 0:  # Each start gets one part further.
            raise Killed
        return sampler(tokens, mask, key)

    starts, task, found = 0, Counting(), None
    while found is None:
        starts += 1
        with contextlib.suppress(Killed):
            found = evaluated(task, folder=tmp_path / "killed", draw=killed)
    assert starts == 6  # Parts: 3 batches of 2 groups.
    whole = Counting()
    assert found == evaluated(whole, folder=tmp_path / "whole")
    assert task.judged == whole.judged  # Nothing is judged twice.
    files = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "killed").iterdir()}
    assert len(files) == 7  # And the plan.


def test_what_is_there_is_not_sampled_again(tmp_path):
    first = evaluated(Counting(), folder=tmp_path)
    seen, again = [], Counting()
    assert evaluated(again, folder=tmp_path, progress=lambda *told: seen.append(told)) == first
    assert not again.judged
    assert seen[-1] == (20, 20)


DAMAGED = {
    "empty": b"",
    "no gzip": b"no gzip",
    "another line": gzip.compress(b'{"id": 1}\n', mtime=0),
    "cut off": gzip.compress(b'{"id": "0", "completion": ""}\n', mtime=0)[:-4],
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_part_is_sampled_again(tmp_path, capsys, damage):
    first = evaluated(Counting(), folder=tmp_path)
    path = tmp_path / "part-00001.jsonl.gz"
    whole = path.read_bytes()
    path.write_bytes(damage)
    again = Counting()
    assert evaluated(again, folder=tmp_path) == first
    assert again.judged == ["0", "1"]
    assert path.read_bytes() == whole
    assert "that part is sampled again" in capsys.readouterr().err


def test_parts_of_another_evaluation_are_thrown_away(tmp_path):
    evaluated(Counting(), batch=2, folder=tmp_path)
    other = Counting()
    evaluated(other, batch=4, folder=tmp_path)
    assert len(other.judged) == 10
    assert len([*tmp_path.glob("part-*")]) == 4


def test_an_evaluation_goes_on_where_completions_cannot_be_kept(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert evaluated(Counting(), folder=tmp_path / "file" / "in") == evaluated(Counting())
    assert "not written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("most", "problems", "shards", "batch"),
    [(64, 500, 8, 64), (64, 2, 1, 2), (64, 3, 8, 8), (64, 60, 8, 64)],
)
def test_a_batch_has_no_more_rows_than_there_are_problems(most, problems, shards, batch):
    assert batch_size(most, problems, shards) == batch
