"""What a learner takes and refuses, at the front door."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import sage_jax as sj
from sage_jax.learn.refusals import finite_rewards
from sage_jax.rollout import Finish

DECODING = sj.Decoding(group_size=4, max_completion_length=4, stop_ids=())


@pytest.fixture(scope="module")
def policy(byte_model):
    return sj.load(byte_model, mesh=sj.make_mesh(data=1))


@pytest.fixture(scope="module")
def learner(policy):
    return sj.Learner(policy, loss=sj.recipes.grpo(), optimizer=optax.sgd(0.1))


@pytest.fixture(scope="module")
def rollout(learner):
    state = learner.init(jax.random.key(0))
    return learner.sample(state, learner.policy.encode(["?"]), DECODING, key=sj.key(0, 0))


def test_rewards_of_all_kinds_are_numbers():
    given = [True, (0.5, "too long"), np.float64(2), jnp.float32(3)]
    assert finite_rewards(given, 4).tolist() == [1, 0.5, 2, 3]
    assert finite_rewards(jnp.arange(2.0), 2).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([1.0, None, 0, 1], r"rewards\[1\] is None; a finite number for each completion is needed"),
        ([1.0, 0, 0, float("nan")], r"rewards\[3\] is nan; a finite"),
        (np.array([1.0, np.inf, 0, 1]), r"rewards\[1\] is inf; a finite"),
        (["1", 0, 0, 1], r"rewards\[0\] is '1'; a finite"),
        (np.zeros((4, 1)), r"rewards\[0\] is \[0.0\]; a finite"),
        ([1.0, 0], "2 rewards for 4 completions"),
        (0.5, r"rewards is 0.5; a finite"),
        (np.float32(0.5), r"rewards is .*0.5.*; a finite"),
    ],
)
def test_rewards_that_are_none_are_refused(learner, rollout, rewards, message):
    state = learner.init(jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        learner.update(state, rollout, rewards, step=0)


def test_a_state_that_was_given_away_is_refused(learner, rollout):
    old = learner.init(jax.random.key(0))
    new, metrics = learner.update(old, rollout, [(1.0, "right"), 0, 0, 1], step=0)
    assert float(metrics["updates/changed"]) > 0
    for use in (
        lambda: learner.update(old, rollout, [1.0, 0, 0, 1], step=1),
        lambda: learner.sample(old, learner.policy.encode(["?"]), DECODING, key=sj.key(0, 0)),
    ):
        with pytest.raises(ValueError, match="given to an earlier update; go on with the one it"):
            use()
    learner.sample(new, learner.policy.encode(["?"]), DECODING, key=sj.key(0, 0))


def by_terms(rewards, terms, *, step, key):
    return rewards - terms.mask.sum(axis=1) + step.astype(rewards.dtype)


def halves(r, *, group_size):
    return sj.advantages.none(r, group_size=group_size // 2)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (sj.advantages.rloo, [3, -1, -1, -1]),
        (halves, [1.5, -1.5, 0, 0]),
        (functools.partial(sj.advantages.none, group_size=2), [1.5, -1.5, 0, 0]),
        (by_terms, [6, 3, 3, 3]),
        (lambda rewards: rewards, [3, 0, 0, 0]),
    ],
)
def test_a_rule_of_advantages_gets_what_it_asks_for(policy, rollout, rule, expected):
    seen = advantages_seen(policy, rollout, sj.recipes.grpo(), rule)
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def advantages_seen(policy, rollout, loss, rule=None):
    """What a loss is handed as advantages for the rewards 3, 0, 0, 0 at step 7."""
    seen = []

    def spy(terms, *, step, key):
        jax.debug.callback(lambda x: seen.append(np.array(x)), terms.advantages)
        return loss(terms, step=step, key=key)

    spied = dataclasses.replace(loss, function=spy)
    learner = sj.Learner(policy, loss=spied, optimizer=optax.sgd(0.1), advantages=rule)
    state = learner.init(jax.random.key(0))
    jax.block_until_ready(learner.update(state, rollout, [3.0, 0, 0, 0], step=7))
    jax.effects_barrier()
    return seen[0]


def test_completions_that_ran_out_of_room_may_be_left_out(learner, rollout):
    """Out of the loss and its normaliser, and not out of what the model reads."""
    finish = jnp.asarray([Finish.LENGTH, Finish.STOP_TOKEN, Finish.LENGTH, Finish.STOP_STRING])
    rollout = dataclasses.replace(rollout, finish=finish)
    state = learner.init(jax.random.key(0))

    def terms(**options):
        made = dataclasses.replace(learner, **options)
        return made.logprobs(state.trained, made.frozen, rollout)

    np.testing.assert_array_equal(terms().mask, rollout.mask)
    found = terms(mask_truncated=True)
    np.testing.assert_array_equal(found.mask, rollout.mask * jnp.asarray([[0.0], [1], [0], [1]]))
    kept = np.asarray(found.mask).sum() / 4
    assert kept > 0
    np.testing.assert_array_equal(found.tokens_per_row, np.full(4, kept))


def test_the_kl_in_the_reward_is_taken_off_it(policy, rollout):
    """The policy is the reference, so that of the KL only the guide is left: + log q a token."""

    def doubling(mask):
        return jnp.log(2.0) * jnp.arange(len(mask), dtype=float)[:, None] * mask.astype(float)

    loss = sj.recipes.sage(sj.by_name.guide(doubling), kl_coef=0.5, kl_in="reward")
    seen = advantages_seen(policy, rollout, loss, lambda rewards: rewards)
    bonus = 0.5 * np.log(2.0) * np.arange(4) * np.asarray(rollout.mask).sum(axis=1)
    np.testing.assert_allclose(seen, np.array([3, 0, 0, 0]) + bonus, atol=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"optimizer": 1e-3},
            r"optimizer is 0.001; it must be an optax transformation, such as optax.adamw\(1e-3\)",
        ),
        ({"advantages": "rloo"}, "advantages is 'rloo'; it must be a function, as advantages.rloo"),
        ({"advantages": lambda: 1}, "<lambda> takes no rewards"),
        (
            {"advantages": lambda rewards, texts: rewards},
            "asks for 'texts'; beside its first argument there are rewards, terms, group_size",
        ),
    ],
)
def test_what_makes_no_learner_is_refused_at_once(policy, options, message):
    with pytest.raises(ValueError, match=message):
        sj.Learner(policy, **{"loss": sj.recipes.grpo(), "optimizer": optax.sgd(0.1), **options})


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ("hi", "encode takes a list, got 'hi': put it into brackets"),
        (sj.Problem("a", "hi", ""), "encode takes a list, got Problem"),
        ({"role": "user"}, "encode takes strings or sj.Problem, got dict"),
        ([{"role": "user"}], "encode takes strings or sj.Problem, got dict"),
        ([["hi"]], "encode takes strings or sj.Problem, got list"),
        ([], "encode got an empty list"),
    ],
)
def test_what_is_no_list_of_problems_is_refused(policy, problems, message):
    with pytest.raises(ValueError, match=message):
        policy.encode(problems)
