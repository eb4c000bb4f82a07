"""What a step learns from: in which order it is sampled, scored and judged, and what is kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import parallel
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.rollout import Rollout
from sage_jax.train.play import play

GROUPS, SIZE, LENGTH = 2, 4, 3


class Told:
    """A task that gives each batch the rewards it was told, and notes what happens when."""

    def __init__(self, *rewards, parts=1):
        self.parts = parts
        self.rewards = [np.array(batch, np.float32).ravel() for batch in rewards]
        self.events, self.scored = [], []

    def train_prompts(self, index, count):
        self.batch = index
        tokens = np.full((count, 1), index, np.int32)
        return Prompts([f"{index}-{row}" for row in range(count)], tokens, tokens >= 0)

    def sample(self, prompts, attempt):
        self.events.append(f"sample {attempt}")
        groups = np.split(np.arange(GROUPS), self.parts)
        return [self.complete(prompts.take(own), own) for own in groups]

    def complete(self, prompts, groups):
        rows = len(groups) * SIZE
        ones = jnp.ones((rows, LENGTH))
        # Which group of which batch a row belongs to.
        names = 10 * int(prompts.tokens[0, 0]) + jnp.repeat(jnp.asarray(groups), SIZE)
        return Rollout(
            prompt_tokens=jnp.asarray(prompts.tokens),
            prompt_mask=jnp.asarray(prompts.mask),
            tokens=names[:, None] * jnp.ones((1, LENGTH), jnp.int32),
            mask=ones,
            logps=-ones,
            finish=jnp.ones(rows, jnp.int32),
        )

    def judge(self, prompts, tokens, mask):
        self.events.append("judge")
        assert list(tokens[::SIZE, 0] % 10) == [int(id.split("-")[1]) for id in prompts.ids]
        rewards = self.rewards[self.batch].reshape(GROUPS, SIZE)[tokens[::SIZE, 0] % 10].ravel()
        return Judged(rewards, rewards > 0, [""] * len(rewards), ["wrong"] * len(rewards))

    def score(self, rollout):
        self.events.append("score")
        self.scored.append(rollout)
        return rollout, len(self.scored)

    def play(self, dynamic_sampling):
        rows = parallel.batch_sharding(parallel.make_mesh(devices=jax.devices()[:1]), GROUPS)
        task: object = self
        return play(
            task, self.sample, self.score, 0,  # type: ignore[arg-type]
            num_prompts=GROUPS, dynamic_sampling=dynamic_sampling, rows=rows,
        )  # fmt: skip


DIFFERENT, EQUAL = [1, 0, 0, 1], [1, 1, 1, 1]


def test_the_devices_score_while_the_host_verifies():
    told = Told([DIFFERENT, EQUAL])
    played = told.play(dynamic_sampling=0)
    assert told.events == ["sample 0", "score", "judge"]
    assert told.scored == [played.rollout]
    assert played.scored == (played.rollout, 1)
    assert set(played.seconds) == {"rollout", "score", "reward"}


@pytest.mark.parametrize("dynamic_sampling", [0, 1])
def test_the_host_verifies_one_part_while_the_devices_sample_the_next(dynamic_sampling):
    told = Told([DIFFERENT, EQUAL], [EQUAL, DIFFERENT], parts=2)
    played = told.play(dynamic_sampling)
    if dynamic_sampling:
        once = ["judge", "judge"]
        assert told.events == ["sample 0", *once, "sample 1", *once, "score"]
        assert played.ids == ["0-0", "1-1"]
    else:
        assert told.events == ["sample 0", "judge", "score", "judge"]
        np.testing.assert_array_equal(played.outcome.judged.rewards, [*DIFFERENT, *EQUAL])
    np.testing.assert_array_equal(
        told.scored[0].tokens[::SIZE, 0], [0, 11 if dynamic_sampling else 1]
    )


@pytest.mark.parametrize(
    ("rewards", "batches", "kept"),
    [
        ([[DIFFERENT, DIFFERENT]], 1, [0, 1]),
        ([[EQUAL, DIFFERENT], [EQUAL, DIFFERENT]], 2, [1, 11]),
        ([[EQUAL, EQUAL], [EQUAL, EQUAL], [EQUAL, DIFFERENT]], 3, [21, 0]),
    ],
)
def test_only_what_is_kept_of_resampled_batches_is_scored(rewards, batches, kept):
    told = Told(*rewards)
    played = told.play(dynamic_sampling=2)
    drawn = [event for attempt in range(batches) for event in (f"sample {attempt}", "judge")]
    assert told.events == [*drawn, "score"]
    np.testing.assert_array_equal(told.scored[0].tokens[::SIZE, 0], kept)
    assert played.ids == [f"{place // 10}-{place % 10}" for place in kept]
    assert played.drawn == played.figures["groups/batches_drawn"] == batches
