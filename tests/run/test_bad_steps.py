"""NaN and infinity in one step: the state stays, the batch is kept, the first tensor is named."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import step_done

from sage_jax import setup
from sage_jax.data import brackets
from sage_jax.data.token_task import PuzzleTask
from sage_jax.learn.non_finite import INPUTS, first_bad_term
from sage_jax.losses import Terms
from sage_jax.run.bad_steps import BadStepError, BadSteps, first_bad_weight
from sage_jax.run.run_folder import RunFolder
from sage_jax.run.session import make_step
from sage_jax.setup import objective

REWARDS, LOSS, GRADIENT, WHOLE = range(4)  # Which step is spoilt in which way; the last is not.


def spoiled_loss(config):
    """NaN at one step; at another a zero whose gradient is 0 times infinity."""
    loss = objective.make_loss(config)

    def odd(terms, *, step, key):
        mean, metrics = loss(terms, step=step, key=key)
        total = jnp.abs((terms.logps * terms.mask).sum())
        other = (step != GRADIENT).astype(total.dtype)
        extra = jnp.where(step == LOSS, jnp.nan, 0.0) + jnp.sqrt(total * 0 + other) - other
        return dataclasses.replace(mean, sum=mean.sum + extra), metrics

    return odd


class SpoiltOnce(PuzzleTask):
    """Gives rewards that are none the first time."""

    calls = 0

    def judge(self, prompts, tokens, mask):
        self.calls += 1
        judged = super().judge(prompts, tokens, mask)
        bad = np.nan if self.calls == 1 else 1.0
        return judged._replace(rewards=(judged.rewards * bad).astype(np.float32))


def told(step, taken):
    known = {"state": taken.state, "non_finite": taken.non_finite, "batch": taken.batch}
    return step_done(step, taken.metrics, **known)


@pytest.fixture(scope="module")
def names():
    return {REWARDS: "rewards", LOSS: "loss", GRADIENT: "gradient['embed_tokens']"}


def test_each_is_skipped_and_named(make_config, make_base, tmp_path, capsys, names):
    config = make_config({"optimizer": {"num_minibatches": 2}})
    spoilt = SpoiltOnce(brackets.PUZZLE, seed=config.seed)
    base = dataclasses.replace(make_base(config), task=spoilt)
    learner, state = setup.start(config, base, jax.random.key(0))
    learner = dataclasses.replace(learner, loss=spoiled_loss(config))
    run, folder = make_step(config, base, learner), RunFolder(tmp_path)
    bad = BadSteps(folder, limit=3)
    for step in range(4):
        before = jax.tree.map(np.array, state)
        taken = run(state, step, 0)
        state, metrics = taken.state, taken.metrics
        if step == WHOLE:
            assert metrics["updates/skipped"] == 0
            assert metrics["updates/changed"] > 0.5
            assert int(state.updates) == 2
            assert taken.non_finite == (-1, -1)
            bad(told(step, taken))
            assert not folder.bad_file(step).exists()
            continue
        assert (metrics["updates/skipped"], metrics["updates/changed"]) == (2, 0)
        jax.tree.map(np.testing.assert_array_equal, state, before)
        if step < GRADIENT:
            bad(told(step, taken))
        else:
            with pytest.raises(BadStepError, match="stopped after 3 bad steps in a row"):
                bad(told(step, taken))
        assert f"step {step}: {names[step]}" in capsys.readouterr().err
        with np.load(folder.bad_file(step), allow_pickle=False) as batch:
            assert np.isnan(batch["rewards"]).any() == (step == REWARDS)
            np.testing.assert_array_equal(batch["tokens"], taken.batch.rollout.tokens)
            np.testing.assert_array_equal(batch["logps"], taken.batch.rollout.logps)
            assert batch["prompt_tokens"].shape == (4, 6)
    run.close()


@pytest.mark.parametrize("name", INPUTS)
def test_what_goes_into_a_loss_is_looked_at_where_it_counts(name):
    mask = jnp.asarray([[1.0, 1.0], [1.0, 0.0]])
    whole = {one: jnp.zeros(2 if one == "advantages" else (2, 2)) for one in INPUTS}
    assert first_bad_term(Terms(mask=mask, **whole)) == -1
    for value in (jnp.nan, jnp.inf, -jnp.inf):
        odd = whole | {name: whole[name].at[0].set(value)}
        assert INPUTS[int(first_bad_term(Terms(mask=mask, **odd)))] == name
    if name != "advantages":
        padding = whole | {name: whole[name].at[1, 1].set(jnp.nan)}
        assert first_bad_term(Terms(mask=mask, **padding)) == -1


def test_the_first_of_several_is_named():
    terms = Terms(mask=jnp.ones((1, 2)), logps=jnp.full((1, 2), jnp.nan),
                  ref_logps=jnp.full((1, 2), jnp.nan))  # fmt: skip
    assert INPUTS[int(first_bad_term(terms))] == "ref_logps"


def test_weights_are_named_before_the_optimizers(make_config, make_base):
    config = make_config()
    _, state = setup.start(config, make_base(config), jax.random.key(0))
    assert first_bad_weight(state) is None
    odd = dataclasses.replace(state, opt_state=jax.tree.map(lambda x: x * x.dtype.type(0) / 0 if (
        jnp.issubdtype(x.dtype, jnp.floating)) else x, state.opt_state))  # fmt: skip
    assert str(first_bad_weight(odd)).startswith("optimizer[")
    both = dataclasses.replace(
        odd, trained={**odd.trained, "norm": jax.tree.map(lambda x: x * jnp.nan,
                                                          odd.trained["norm"])}
    )  # fmt: skip
    assert str(first_bad_weight(both)).startswith("weights['norm']")
