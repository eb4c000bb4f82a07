"""What a step does: in which order it samples, scores and judges, and what it keeps."""

import dataclasses
import doctest
import threading
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import assert_close

from sage_jax import parallel, setup
from sage_jax.data.problem import Problem
from sage_jax.data.tasks import Judged, Prompts
from sage_jax.learn.keys import Purpose, derive
from sage_jax.learn.learner import Prepared
from sage_jax.learn.non_finite import NonFinite
from sage_jax.losses import reduce
from sage_jax.rollout import Decoding, Rollout
from sage_jax.run import measures
from sage_jax.run.session import make_step
from sage_jax.run.step import Step

GROUPS, SIZE, LENGTH = 2, 4, 3


class Told:
    """A task that gives each batch the rewards it was told, and a learner; both note what they do.

    The last answers of a step are judged once its log-probabilities are asked for, or never: a step
    that waited for the judge before would not end.
    """

    def __init__(self, *rewards, wait=True):
        self.rewards = [np.array(batch, np.float32).reshape(GROUPS, SIZE) for batch in rewards]
        self.events, self.scored, self.learned = [], [], []
        self.going_on, self.judged = threading.Event(), threading.Event()
        self.wait, self.told, self.modes = wait, [], []
        self.rates = {
            f"{batch}-{row}": (10 * batch + row) / 64 for batch in (0, 1, 2) for row in (0, 1)
        }
        mesh = parallel.make_mesh(devices=jax.devices()[:1])
        self.policy = SimpleNamespace(mesh=mesh)

    def train_prompts(self, index, count):
        tokens = np.full((count, 1), index, np.int32)
        ids = [f"{index}-{row}" for row in range(count)]
        asked = [Problem(id, "?", "", extra={"base_pass_rate": self.rates[id]}) for id in ids]
        return Prompts(ids, tokens, tokens >= 0, problems=tuple(asked))

    def sample(self, state, prompts, decoding, *, key):
        self.events.append(f"sample {prompts.ids[0]}")
        assert len(key) == len(prompts.ids) * SIZE
        # Which group of which batch a row belongs to.
        names = [int(batch) * 10 + int(row) for batch, row in (i.split("-") for i in prompts.ids)]
        names = jnp.repeat(jnp.asarray(names, jnp.int32), SIZE)
        ones = jnp.ones((len(names), LENGTH))
        return Rollout(
            prompt_tokens=jnp.asarray(prompts.tokens),
            prompt_mask=jnp.asarray(prompts.mask),
            tokens=names[:, None] * jnp.ones((1, LENGTH), jnp.int32),
            mask=ones,
            logps=-ones,
            finish=jnp.ones(len(names), jnp.int32),
        )

    def judge(self, prompts, tokens, mask):
        if self.wait and prompts.ids[-1].endswith(f"-{GROUPS - 1}"):
            assert self.going_on.wait(300)
        self.events.append("judge")
        names = tokens[::SIZE, 0]
        assert [f"{name // 10}-{name % 10}" for name in names] == prompts.ids
        rewards = np.concatenate([self.rewards[name // 10][name % 10] for name in names])
        words = [""] * len(rewards), ["wrong"] * len(rewards)
        return Judged(rewards, rewards > 0, *words, modes=self.modes)

    def prepare(self, rollout):
        self.scored.append(rollout.tokens[::SIZE, 0].tolist())
        return Prepared(rollout, None)

    def terms(self, state, prepared):
        self.events.append("logprobs")
        self.going_on.set()
        return jnp.zeros(())

    def apply(self, state, prepared, terms, rewards, *, step, key, outcome):
        self.events.append("learn")
        self.learned.append(rewards.tolist())
        self.told.append(outcome)
        none = jnp.int32(-1)
        return state, {"loss": reduce.Mean(jnp.float32(2), jnp.float32(1))}, NonFinite(none, none)

    def step(self, **options):
        both: Any = self
        step = Step(
            both, both, Decoding(group_size=SIZE), root=jax.random.key(0), num_prompts=GROUPS,
            **options,
        )  # fmt: skip
        taken = step(SimpleNamespace(), 0, 0)  # type: ignore[arg-type]
        step.close()
        return taken


DIFFERENT, EQUAL = [1, 0, 0, 1], [1, 1, 1, 1]


def test_the_devices_score_while_the_host_judges():
    told = Told([DIFFERENT, EQUAL])
    taken = told.step()
    assert told.events == ["sample 0-0", "logprobs", "judge", "learn"]
    assert told.learned == [[*DIFFERENT, *EQUAL]]
    assert taken.metrics["loss"] == 2
    assert taken.metrics["groups/zero_variance"] == 0.5
    phases = ("rollout", "reward", "logprobs", "update", "step")
    assert {f"seconds/{phase}" for phase in phases} <= set(taken.metrics)
    assert taken.drawn == [taken.batch]


def test_the_host_judges_one_chunk_while_the_devices_sample_the_next():
    told = Told([DIFFERENT, EQUAL])
    taken = told.step(chunks=2)
    # Both are on their way before anything is waited for; the first is judged whenever it is there.
    assert told.events[:1] == ["sample 0-0"]
    assert set(told.events[1:4]) == {"sample 0-1", "judge", "logprobs"}
    assert told.events[4:] == ["judge", "learn"]
    assert told.scored == [[0, 1]]
    assert told.learned == [[*DIFFERENT, *EQUAL]]
    assert taken.batch.prompts.ids == ["0-0", "0-1"]


@pytest.mark.parametrize("chunks", [1, 2])
@pytest.mark.parametrize(
    ("rewards", "batches", "kept"),
    [
        ([[DIFFERENT, DIFFERENT]], 1, [0, 1]),
        ([[EQUAL, DIFFERENT], [EQUAL, DIFFERENT]], 2, [1, 11]),
        ([[EQUAL, EQUAL], [EQUAL, EQUAL], [EQUAL, DIFFERENT]], 3, [21, 0]),
    ],
)
def test_only_what_is_kept_of_resampled_batches_is_scored(rewards, batches, kept, chunks):
    told = Told(*rewards, wait=False)
    taken = told.step(dynamic_sampling=2, chunks=chunks)
    assert told.events.count("judge") == batches * chunks
    assert told.events[-2:] == ["logprobs", "learn"]
    assert told.scored == [kept]
    names = [(place // 10, place % 10) for place in kept]
    assert told.learned == [np.concatenate([told.rewards[b][row] for b, row in names]).tolist()]
    assert taken.batch.prompts.ids == [f"{batch}-{row}" for batch, row in names]
    (seen,) = told.told
    assert seen["right"].tolist() == [reward > 0 for reward in told.learned[0]]
    assert seen["base_pass_rate"].tolist() == [place / 64 for place in kept for _ in range(SIZE)]
    assert len(taken.drawn) == taken.metrics["groups/batches_drawn"] == batches


@pytest.mark.parametrize("rate", [None, 1.5, "0.5", float("nan")])
def test_a_rate_that_one_problem_lacks_is_told_of_none(rate):
    told = Told([DIFFERENT, EQUAL])
    told.rates["0-1"] = rate
    told.step()
    assert [one.keys() for one in told.told] == [{"right"}]


def test_ways_of_being_right_are_told_by_numbers():
    told = Told([DIFFERENT, EQUAL])
    told.modes = ["sum", "", "", "product", "sum", "sum", "sum", "sum"]
    taken = told.step()
    modes = told.told[0]["modes"]
    assert modes.dtype == np.int32
    names = dict(zip(told.modes, modes.tolist(), strict=True))
    assert modes.tolist() == [names[name] for name in told.modes]
    assert names[""] == -1
    assert min(names["sum"], names["product"]) >= 0
    assert names["sum"] != names["product"]
    assert taken.metrics["modes/found"] == 1.5
    assert "modes/found" not in Told([DIFFERENT, EQUAL]).step().metrics
    assert doctest.testmod(measures) == (0, 2)


def test_a_judge_that_fails_ends_the_step():
    told = Told()  # Has no rewards to give.
    with pytest.raises(IndexError):
        told.step()


def test_a_step_is_the_pure_functions_of_its_learner(make_config, make_base):
    config = make_config({"optimizer": {"num_minibatches": 2}})
    base = make_base(config)
    learner, first = setup.start(config, base, jax.random.key(config.seed))
    root, prompts = jax.random.key(config.seed), base.task.train_prompts(7, 4)
    decoding, _ = learner.policy.decoding(setup.decoding(config, base.task))

    @jax.jit
    def pure(state, frozen):
        key = derive(root, Purpose.ROLLOUT, 5, 0)
        asked = prompts.tokens, prompts.mask
        rollout = learner.rollout(state.trained, frozen, *asked, key, decoding)
        terms = learner.logprobs(state.trained, frozen, rollout)
        rewards = (jnp.sum(rollout.tokens, axis=1) % 3).astype(jnp.float32)
        step = jnp.int32(5)
        terms = dataclasses.replace(terms, rewards=rewards)
        return rollout, learner.learn(state, frozen, rollout, terms, root, step)

    rollout, (_, metrics, _) = pure(first, learner.frozen)
    rewards = (np.asarray(rollout.tokens).sum(axis=1) % 3).astype(np.float32)
    base.task.judge = lambda prompts, tokens, mask: Judged(
        rewards, rewards > 0, [""] * len(rewards), ["wrong"] * len(rewards)
    )
    taken = make_step(config, base, learner)(first, 5, 7)
    np.testing.assert_array_equal(taken.batch.rollout.tokens, rollout.tokens)
    # float32 sums in another order.
    values = {name: taken.metrics[name] for name in metrics}
    assert_close(reduce.values(metrics), values, rtol=2e-5, atol=5e-6)
