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
    return terms_seen(policy, rollout, loss, rule)[0].advantages


def terms_seen(
    policy, rollout, loss, rule=None, *, rewards=(3.0, 0, 0, 0), outcome=None, **options
):
    """What a loss is handed by each update for some rewards at step 7."""
    seen = []

    def spy(terms, *, step, key):
        jax.debug.callback(lambda x: seen.append(jax.tree.map(np.array, x)), terms)
        return loss(terms, step=step, key=key)

    spied = dataclasses.replace(loss, function=spy)
    learner = sj.Learner(policy, loss=spied, optimizer=optax.sgd(0.1), advantages=rule, **options)
    state = learner.init(jax.random.key(0))
    jax.block_until_ready(learner.update(state, rollout, rewards, step=7, outcome=outcome))
    jax.effects_barrier()
    return seen


def doubled(advantages):
    return 2 * advantages


def shifted(advantages, *, rewards, terms):
    """What the rule before gave, the rewards as they were given, and what is known beside."""
    modes = terms.modes.astype(advantages.dtype)
    return advantages + 100 * rewards + 1000 * terms.right + 10000 * modes


def test_rules_follow_one_another(policy, rollout):
    """Each gets what the one before gave; rewards and what else is known stay what they are."""
    outcome = {"right": [False, True, True, False], "modes": np.array([5, 2, 0, 7])}
    rules = (sj.advantages.rloo, doubled, shifted)
    (seen,) = terms_seen(policy, rollout, sj.recipes.grpo(), rules, outcome=outcome)
    expected = [6 + 300 - 10000, -2 + 1000 + 20000, -2 + 1000, -2 - 10000]
    np.testing.assert_allclose(seen.advantages, expected, rtol=1e-6)
    (other,) = terms_seen(policy, rollout, sj.recipes.grpo(), rules[1::-1], outcome=outcome)
    np.testing.assert_allclose(other.advantages, [6, -2, -2, -2], rtol=1e-6)


def test_gates_and_rules_are_told_how_completions_came_out(policy, rollout):
    losses = sj.losses
    gates = [losses.gates.wrong, losses.by_name.gate(losses.gates.base_pass_rate, at_most=0.5)]
    loss = sj.recipes.sage(None, kl_coef=1.0, gates=gates)
    rates = [0.25, 0.75, 0.5, 1.0]
    known = {"right": [0, 0, 1, 0], "base_pass_rate": rates, "modes": None}
    rule = functools.partial(losses.rarity.rare_by_logps, temperature=0.5)
    (seen,) = terms_seen(policy, rollout, loss, [sj.advantages.group, rule], outcome=known)
    np.testing.assert_array_equal(seen.right, [0, 0, 1, 0])
    np.testing.assert_array_equal(seen.pass_rate, 0.25)
    np.testing.assert_array_equal(seen.base_pass_rate, rates)
    np.testing.assert_array_equal(seen.reward_range, 3)
    assert seen.modes is None
    _, metrics = loss(jax.tree.map(jnp.asarray, seen), step=7, key=None)
    mask = np.asarray(rollout.mask)
    assert float(metrics["kl/gate"].value()) == pytest.approx(mask[0].sum() / mask.sum())
    learner = sj.Learner(policy, loss=loss, optimizer=optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"terms.base_pass_rate is None; the gate base_pass_rate"):
        learner.update(learner.init(jax.random.key(0)), rollout, [3.0, 0, 0, 0], step=0)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (
            {"rights": [1, 0, 0, 0]},
            "outcome has 'rights'; it may have right, modes, base_pass_rate",
        ),
        ({"right": [1, 0]}, r"outcome 'right' has shape \(2,\); it must be \(4,\)"),
        ({"right": [[1], [0], [0], [1]]}, r"outcome 'right' has shape \(4, 1\)"),
        ({"right": [1, 0, 0.5, 1]}, "outcome 'right' has 0.5; each must be true or false"),
        ({"modes": [0, 1, 2.5, 1]}, "outcome 'modes' has 0.0; each must be a whole number"),
        ({"modes": [0, 1, None, 1]}, "outcome 'modes' has None; each must be a whole number"),
        (
            {"base_pass_rate": [0, 1, 1, 1.5]},
            "'base_pass_rate' has 1.5; each must be a number from",
        ),
        ({"base_pass_rate": [0, 1, 1, float("nan")]}, "'base_pass_rate' has nan; each must be a"),
        ({"base_pass_rate": [0, 1, 1, "1"]}, "'base_pass_rate' has '0'; each must be a number"),
    ],
)
def test_an_outcome_that_does_not_fit_is_refused(learner, rollout, outcome, message):
    state = learner.init(jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        learner.update(state, rollout, [1.0, 0, 0, 1], step=0, outcome=outcome)


@pytest.fixture(scope="module")
def two_groups(learner):
    state = learner.init(jax.random.key(0))
    return learner.sample(state, learner.policy.encode(["?", "!"]), DECODING, key=sj.key(0, 1))


def by_place(mask):
    """A guide that is another one for every row."""
    return 0.1 * jnp.where(mask, jnp.arange(len(mask), dtype=float)[:, None], 0.0)


def test_the_kl_in_the_advantages_is_what_the_objective_takes_off_by_hand(policy, two_groups):
    """Before the update the policy is the reference, so that the guide is all of the distance."""
    loss = sj.recipes.sage(
        by_place, kl_coef=0.5, divergence=sj.losses.reverse_kl(estimator="k1"),
        gates=[sj.losses.gates.wrong], kl_in="advantage",
    )  # fmt: skip
    rewards = [1.0, 0, 0, 1, 0, 0, 0, 0]
    (seen,) = terms_seen(policy, two_groups, loss, sj.advantages.none, rewards=rewards)
    distance = -0.1 * np.arange(4) * [0, 1, 1, 0]
    expected = np.array([1, -1, -1, 1]) - 0.5 * (distance - distance.mean())
    np.testing.assert_allclose(seen.advantages, [*expected, 0, 0, 0, 0], atol=1e-5)
    by_hand = loss.tilted(
        jnp.array([0.5, -0.5, -0.5, 0.5, 0, 0, 0, 0]), jax.tree.map(jnp.asarray, seen),
        group_size=4, step=7, key=None,
    )  # fmt: skip
    np.testing.assert_allclose(seen.advantages, by_hand, atol=1e-6)


def test_what_a_group_came_to_is_of_whole_groups_whatever_the_minibatches(policy, rollout):
    """Its rows are dealt to two updates, of which each has half of the group."""
    loss = sj.recipes.sage(None, gates=[sj.losses.gates.unequal], kl_in="advantage")
    rule = [sj.advantages.rloo, doubled]
    (whole,) = terms_seen(policy, rollout, loss, rule)
    halves = terms_seen(policy, rollout, loss, rule, num_minibatches=2)
    assert [len(half.mask) for half in halves] == [2, 2]
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *halves)
    order = np.argsort(joined.rows)
    for name in ("advantages", "pass_rate", "reward_range", "rewards", "right", "best_ref_logps"):
        found = getattr(joined, name)[order]
        np.testing.assert_allclose(found, getattr(whole, name), rtol=1e-6, err_msg=name)
    assert set(whole.pass_rate) == {0.25}


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


REWARDED = sj.recipes.sage(None, kl_in="reward")


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
        ({"loss": REWARDED}, "the loss has its KL in the reward, and advantages.group divides by"),
        (
            {"loss": REWARDED, "advantages": functools.partial(sj.advantages.group, epsilon=1e-6)},
            "take advantages.rloo",
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
