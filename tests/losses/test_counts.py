"""Advantages of counts: by enumeration, by their objective's gradient, and by what they equal."""

import functools
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.losses import advantages, count_tables, counts
from sage_jax.losses.best_of import max_at_k

N = 5
OUTCOMES = np.array(list(itertools.product([0.0, 1.0], repeat=N)))
BASELINES = ("none", "loo", "loo_minus_one")
rule: Any = functools.partial
pytestmark = pytest.mark.usefixtures("x64")


def applied(function, groups, **options):
    """The advantages of groups, [n, group_size]."""
    rewards = jnp.asarray(groups).reshape(-1)
    found = function(rewards, group_size=groups.shape[1], **options)
    return np.asarray(found).reshape(groups.shape)


def subsets(items, size):
    return [list(some) for some in itertools.combinations(items, size)]


# What each gives one group, written from its description and not from a closed form.


def usual(r, epsilon=1e-4):
    return (r - r.mean()) / (r.std(ddof=1) + epsilon)


def pass_of_subsets(r, k, scale):
    """A subset is paid if it holds a right answer; an answer gets the mean over its subsets."""
    drawn = subsets(range(len(r)), k)
    paid = np.array([r[some].max() for some in drawn])
    away = paid - paid.mean()
    away = away / (paid.std() or 1.0) if scale == "group" else away
    return np.array([away[[i in some for some in drawn]].mean() for i in range(len(r))])


def best_of_subsets(r, k, baseline):
    def one(i):
        others = [j for j in range(len(r)) if j != i]
        found = np.mean([r[[i, *some]].max() for some in subsets(others, k - 1)])
        draws = {"none": 0, "loo": k, "loo_minus_one": k - 1}[baseline]
        taken = np.mean([r[some].max() for some in subsets(others, draws)]) if draws else 0.0
        return k * (found - taken)

    return np.array([one(i) for i in range(len(r))])


def maximum_likelihood(r, t, zeroed):
    """Of every subset of t its right answers share 1; minus 1 for all."""
    if zeroed and not r.any():
        return np.zeros_like(r)
    share = np.zeros_like(r)
    for some in subsets(range(len(r)), t):
        if r[some].any():
            share[some] += r[some] / r[some].sum()
    return len(r) * share / math.comb(len(r), t) - 1


def posterior_weight(c, n, k):
    """Mean of k(1 − p)^(k − 1) under the posterior of a uniform p, by quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(30)
    p = (nodes + 1) / 2
    density = weights * p**c * (1 - p) ** (n - c)
    return np.sum(density * k * (1 - p) ** (k - 1)) / np.sum(density)


def weighed_by_posterior(r, k, tau):
    n, c = len(r), int(r.sum())
    u = posterior_weight(c, n, k)
    return usual(r) * (u / posterior_weight(1, n, k) if u >= tau * (n + 1) else 0.0)


def flattened(r):
    p = r.mean()
    return usual(r) / (2 * np.sqrt(p * (1 - p)) if 0.5 < p < 1 else 1.0)


def above_quantile(r, at):
    return (r - np.quantile(r, at, method="inverted_cdf")) / (r.std(ddof=1) + 1e-4)


CASES = [
    (rule(counts.w_reinforce, positive=0.3), lambda r: np.where(r > 0, 0.3, -1.0)),
    *(
        (rule(counts.pass_at_k, k=k, scale=scale), rule(pass_of_subsets, k=k, scale=scale))
        for k, scale in [(1, "group"), (3, "group"), (3, "none"), (4, "none")]
    ),
    *(
        (rule(counts.pkpo, k=k, baseline=baseline), rule(best_of_subsets, k=k, baseline=baseline))
        for k, baseline in itertools.product([2, 4], BASELINES)
    ),
    (rule(counts.pkpo, k=1, baseline="none"), rule(best_of_subsets, k=1, baseline="none")),
    *(
        (
            rule(counts.maxrl, truncation=t, zero_all_wrong=zeroed),
            rule(maximum_likelihood, t=t or N, zeroed=zeroed),
        )
        for t, zeroed in itertools.product([None, 1, 3], [True, False])
    ),
    (rule(counts.focal, gamma=0.5), lambda r: usual(r) * (1 - r.mean()) ** 0.5),
    (rule(counts.posterior, k=4, tau=0.0), rule(weighed_by_posterior, k=4, tau=0.0)),
    (counts.posterior, rule(weighed_by_posterior, k=16, tau=0.01)),
    (counts.flat_half, flattened),
    (rule(counts.quantile, at=0.4), rule(above_quantile, at=0.4)),
    (rule(counts.quantile, at=0.75), rule(above_quantile, at=0.75)),
]
RULES = [case[0] for case in CASES]


def label(function):
    options = getattr(function, "keywords", {})
    name = getattr(function, "func", function).__name__
    return "-".join([name, *(f"{k}={v}" for k, v in options.items())])


@pytest.mark.parametrize(("function", "oracle"), CASES, ids=[label(one) for one in RULES])
def test_every_outcome_equals_its_description(function, oracle):
    expected = np.array([oracle(r) for r in OUTCOMES])
    np.testing.assert_allclose(applied(function, OUTCOMES), expected, atol=1e-12)


def test_jit_and_real_rewards_change_nothing_and_no_gradient_flows():
    rewards = jnp.asarray(OUTCOMES.reshape(-1))
    shifted = 0.3 * rewards + 0.4  # Right where above 0.5, as before.

    @jax.jit
    def run(rewards):
        return [function(rewards, group_size=N) for function in RULES]

    for function, found, again in zip(RULES, run(rewards), run(shifted), strict=True):
        np.testing.assert_array_equal(found, function(rewards, group_size=N))
        np.testing.assert_array_equal(found, again)
    gradient = jax.grad(lambda r: sum(jnp.sum(a**2) for a in run(r)))(rewards)  # pyright: ignore
    np.testing.assert_array_equal(gradient, 0.0)
    stricter = applied(counts.pkpo, 0.3 * OUTCOMES + 0.4, k=2, right_above=0.9)
    np.testing.assert_array_equal(stricter, applied(counts.pkpo, 0 * OUTCOMES, k=2))


ALL = [*RULES, *(rule(max_at_k, k=3, baseline=baseline) for baseline in BASELINES)]


def test_groups_stand_alone_on_any_split_and_mesh():
    rewards = jnp.asarray(np.random.default_rng(0).choice([0.0, 0.2, 1.0, 1.5], size=16 * N))
    mesh = Mesh(np.array(jax.devices()[:8]), ("data",))
    sharded = jax.device_put(rewards, NamedSharding(mesh, PartitionSpec("data")))

    @jax.jit
    def run(rewards):
        return [function(rewards, group_size=N) for function in ALL]

    halves = zip(run(rewards[: 6 * N]), run(rewards[6 * N :]), strict=True)
    split = [np.concatenate(parts) for parts in halves]
    for whole, parts, spread in zip(run(rewards), split, run(sharded), strict=True):
        np.testing.assert_allclose(parts, whole, atol=1e-12)
        np.testing.assert_allclose(spread, whole, atol=1e-12)


def expected_gradient(function, p, n=7, **options):
    """d/dp of what the rule climbs: the mean of A · d log P / dp, summed over the binomial."""
    groups = np.tri(n + 1, n, -1)  # c right ones in row c.
    found = applied(function, groups, **options)
    c = np.arange(n + 1)
    chance = np.array([math.comb(n, i) for i in c]) * p**c * (1 - p) ** (n - c)
    score = np.where(groups > 0, 1 / p, -1 / (1 - p))
    return np.sum(chance * np.mean(found * score, axis=1))


def passes(k):
    return lambda p: 1 - (1 - p) ** k


def log_up_to(t):
    return lambda p: -sum((1 - p) ** k / k for k in range(1, t + 1))


CLAIMS = [
    (advantages.rloo, passes(1)),
    (rule(counts.w_reinforce, positive=0.1), lambda p: 1.1 * p),
    (rule(counts.w_reinforce, positive=0.0), lambda p: p),
    *(
        (rule(function, k=k, baseline=baseline), passes(k))
        for function in (counts.pkpo, max_at_k)
        for k, baseline in itertools.product([2, 4, 6], BASELINES)
    ),
    (rule(counts.pkpo, k=7), passes(7)),
    *(
        (
            rule(counts.pass_at_k, k=k, scale="none"),
            lambda p, k=k: (1 / k - 1 / 7) * passes(k)(p),
        )
        for k in (1, 3, 6)
    ),
    *(
        (rule(counts.maxrl, truncation=t, zero_all_wrong=False), log_up_to(t or 7))
        for t in (None, 1, 4)
    ),
    (counts.maxrl, log_up_to(6)),  # What zeroing takes away is the last term.
    (rule(counts.maxrl, truncation=3), lambda p: log_up_to(3)(p) + (1 - p) ** 7 / 7),
]


@pytest.mark.parametrize(("function", "objective"), CLAIMS, ids=[label(c[0]) for c in CLAIMS])
def test_the_expected_gradient_is_that_of_the_objective(function, objective):
    for p in (0.03, 0.3, 0.85):
        expected = jax.grad(objective)(p)
        assert expected_gradient(function, p) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize(
    ("k", "baseline"), [(1, "none"), (1, "loo"), *itertools.product([2, 3], BASELINES), (4, "none")]
)
def test_the_best_of_k_real_rewards_is_climbed(k, baseline):
    """Over all groups of four of three answers, two of them worth the same."""
    values = np.array([-0.7, 2.0, 0.4, 2.0])
    logits = jnp.array([0.3, -0.2, 0.9, -1.1])

    def best(logits):
        probs = jax.nn.softmax(logits)
        drawn = jnp.array(list(itertools.product(range(4), repeat=k)))
        chances = jnp.prod(probs[drawn], axis=1)
        return jnp.sum(chances * jnp.max(jnp.asarray(values)[drawn], axis=1))

    groups = np.array(list(itertools.product(range(4), repeat=4)))
    found = applied(max_at_k, values[groups], k=k, baseline=baseline)
    each = np.array([best_of_subsets(r, k, baseline) for r in values[groups]])
    np.testing.assert_allclose(found, each, atol=1e-12)
    probs = np.asarray(jax.nn.softmax(logits))
    scores = np.mean(found[..., None] * (np.eye(4)[groups] - probs), axis=1)
    gradient = np.sum(np.prod(probs[groups], axis=1)[:, None] * scores, axis=0)
    np.testing.assert_allclose(gradient, jax.grad(best)(logits), atol=1e-12)


def test_means_are_zero_where_that_is_promised():
    centred = [
        rule(counts.pass_at_k, k=3),
        rule(counts.pass_at_k, k=3, scale="none"),
        counts.maxrl,
        counts.focal,
        rule(counts.posterior, k=3),
        counts.flat_half,
    ]
    for function in centred:
        found = applied(function, OUTCOMES)
        np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-12)
        assert np.abs(found).max() > 0.1
    for baseline in BASELINES[1:]:  # Equal rewards teach nothing, to the last bit.
        equal = np.full((2, N), [[0.1], [-3.7]])
        for dtype in (np.float32, np.float64):
            found = applied(max_at_k, equal.astype(dtype), k=3, baseline=baseline)
            np.testing.assert_array_equal(found, 0.0)
        same = OUTCOMES[[0, -1]]
        np.testing.assert_array_equal(applied(counts.pkpo, same, k=3, baseline=baseline), 0.0)


IDENTITIES = [
    (rule(counts.focal, gamma=0.0), advantages.group),
    (rule(counts.posterior, k=1, tau=0.0), advantages.group),
    (rule(counts.pkpo, k=1, baseline="loo"), advantages.rloo),
    (rule(counts.pass_at_k, k=1, scale="none"), advantages.none),
    (
        rule(counts.maxrl, truncation=1, zero_all_wrong=False),
        rule(counts.w_reinforce, positive=0.0),
    ),
    *(
        (rule(max_at_k, k=k, baseline=baseline), rule(counts.pkpo, k=k, baseline=baseline))
        for k, baseline in itertools.product([2, 4], BASELINES)
    ),
]


@pytest.mark.parametrize(("one", "other"), IDENTITIES, ids=[label(one) for one, _ in IDENTITIES])
def test_rules_that_are_the_same(one, other):
    np.testing.assert_allclose(applied(one, OUTCOMES), applied(other, OUTCOMES), atol=1e-12)


def test_the_best_of_one_real_reward_is_leave_one_out():
    groups = np.random.default_rng(1).normal(size=(6, 4))
    found = applied(max_at_k, groups, k=1, baseline="loo")
    np.testing.assert_allclose(found, applied(advantages.rloo, groups), atol=1e-12)


def test_easy_prompts_weigh_alike_and_hard_ones_as_ever():
    groups = np.tri(9, 8, -1)
    found = applied(counts.flat_half, groups, epsilon=0.0)
    mass = (found * groups).sum(axis=1)
    np.testing.assert_allclose(mass[4:8], np.sqrt(7 / 8) * 8 / 2)
    np.testing.assert_array_equal(mass[[0, 8]], 0.0)
    np.testing.assert_array_equal(
        applied(counts.flat_half, groups[:5]), applied(rule(counts.focal, gamma=0.0), groups[:5])
    )


def test_a_tie_of_the_quantile_is_a_hard_prompt():
    """1 − 0.9 is below 1/10 in floating point, and 0.9 is meant."""
    for at, size, hard in [(0.9, 10, 1), (0.4, 5, 3), (0.7, 10, 3)]:
        signs = [(r > 0, w < 0) for r, w in count_tables.quantile(size, at=at)]
        assert signs[1:size] == [(c <= hard, c > hard) for c in range(1, size)]


def test_a_reward_that_is_no_number_is_seen():
    rewards = jnp.array([1.0, jnp.nan, 0.0, 1.0])
    for function in (rule(counts.pkpo, k=2), rule(max_at_k, k=2)):
        found = np.asarray(function(rewards, group_size=2))
        np.testing.assert_array_equal(np.isnan(found), [True, True, False, False])


def test_results_are_float32_or_better_and_tables_of_large_groups_are_finite():
    assert counts.maxrl(jnp.ones(4, jnp.bfloat16), group_size=2).dtype == jnp.float32
    assert max_at_k(jnp.ones(4, jnp.bfloat16), group_size=2, k=2).dtype == jnp.float32
    large = [
        count_tables.pass_at_k(512, k=200),
        count_tables.pkpo(512, k=200),
        count_tables.maxrl(512, truncation=200),
        count_tables.posterior(512, k=300),
    ]
    assert np.all(np.isfinite(large))
    traced = jax.jit(rule(counts.of_counts, group_size=2))(jnp.array([1.0, 0]), jnp.ones((3, 2)))
    np.testing.assert_array_equal(traced, 1.0)


REFUSED = [
    (rule(counts.w_reinforce, positive=-0.1), "positive is -0.1; it must be 0 or more"),
    (rule(counts.w_reinforce, positive=math.nan), "positive is nan; it must be 0 or more"),
    (
        rule(counts.pass_at_k, k=5),
        "k is 5; it must be a whole number of 1 to 4 with group_size 5: with k = group_size every",
    ),
    (rule(counts.pass_at_k, k=0), "k is 0; it must be a whole number of 1 to 4"),
    (rule(counts.pass_at_k, k=2.0), "k is 2.0; it must be a whole number"),
    (rule(counts.pass_at_k, k=2, scale="std"), "scale is 'std'; it must be group or none"),
    (rule(counts.pkpo, k=6, baseline="none"), "k is 6; it must be a whole number of 1 to 5"),
    (rule(counts.pkpo, k=5, baseline="loo"), "1 to 4 .*: the baseline is the best of k others"),
    (rule(counts.pkpo, k=1), "2 to 5 .*: the baseline is the best of k - 1 others"),
    (rule(counts.pkpo, k=2, baseline="mean"), "baseline is 'mean'; it must be none, loo or loo_"),
    (rule(max_at_k, k=6), "k is 6; it must be a whole number of 2 to 5 with group_size 5"),
    (rule(counts.maxrl, truncation=6), "truncation is 6; it must be a whole number of 1 to 5"),
    (rule(counts.focal, gamma=-1.0), "gamma is -1.0; it must be 0 or more"),
    (rule(counts.focal, epsilon=-1.0), "epsilon is -1.0; it must be 0 or more"),
    (rule(counts.posterior, k=0), "k is 0; it must be a whole number, at least 1"),
    (rule(counts.posterior, tau=-0.1), "tau is -0.1; it must be 0 or more"),
    (rule(counts.quantile, at=1.0), "at is 1.0; it must be between 0 and 1"),
    (
        rule(counts.of_counts, table=[(0, 1)]),
        r"table has shape \(1, 2\); it must be \(6, 2\), a pair for each count of 5",
    ),
]


@pytest.mark.parametrize(("function", "message"), REFUSED)
def test_bad_arguments_are_refused_when_a_step_is_traced(function, message):
    with pytest.raises(ValueError, match=message) as caught:
        jax.eval_shape(rule(function, group_size=N), jax.ShapeDtypeStruct((2 * N,), jnp.float32))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", ALL, ids=label)
def test_one_sample_is_no_group(function):
    with pytest.raises(ValueError, match="group_size is 1; samples are compared, so at least 2"):
        function(jnp.ones(4), group_size=1)
