"""The KL in the advantages: against plain loops, and what its expected gradient is."""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    InertGuideWarning,
    Terms,
    advantages,
    by_name,
    gates,
    guides,
    kl,
    outcome,
    recipes,
    reverse_kl,
)

pytestmark = pytest.mark.usefixtures("x64")
A = np.array([1.5, -0.5, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0])


@pytest.fixture(scope="module")
def batch(make_arrays, make_terms) -> Terms:
    with jax.enable_x64(True):
        arrays = make_arrays(43)
        arrays["mask"][2] = 0.0
        made = make_terms(jnp.asarray(arrays["logits"]), arrays, vocabulary=False)
        return outcome.with_outcome(made, jnp.asarray(A), group_size=4)


def mean(values, mask):
    return sum(one for one, counts in zip(values, mask, strict=True) if counts) / mask.sum()


def oracle(given, distances, mask, kl_coef, group_size=4):
    found = np.zeros(len(given))
    for start in range(0, len(given), group_size):
        rows = range(start, start + group_size)
        means = {row: mean(distances[row], mask[row]) for row in rows if mask[row].any()}
        middle = np.mean([*means.values()])
        largest = max(abs(given[row]) for row in rows)
        for row in rows if largest else ():
            found[row] = given[row] / largest - kl_coef * (means.get(row, 0.0) - middle)
    return found


def test_it_equals_plain_loops(batch):
    distances = np.abs(np.random.default_rng(0).normal(size=batch.mask.shape))
    mask = np.asarray(batch.mask)

    def run(distances):
        return kl.tilt_advantages(jnp.asarray(A), distances, batch.mask, group_size=4, kl_coef=0.7)

    found = run(jnp.asarray(distances))
    expected = oracle(A, distances, mask, 0.7)
    held = mask.any(axis=1)  # What a row without tokens is given is multiplied by nothing.
    np.testing.assert_allclose(np.asarray(found)[held], expected[held], rtol=1e-12)
    np.testing.assert_array_equal(found[4:], 0.0)  # The KL alone moves no group.
    np.testing.assert_allclose(jax.jit(run)(jnp.asarray(distances)), found, rtol=1e-12)
    spoiled = run(jnp.where(mask > 0, distances, np.nan))
    np.testing.assert_array_equal(np.asarray(spoiled)[held], np.asarray(found)[held])
    gradient = jax.grad(lambda x: run(x).sum())(jnp.asarray(distances))
    assert not np.any(gradient)


def test_a_coefficient_of_zero_leaves_the_advantages_by_their_largest(batch):
    found = kl.tilt_advantages(jnp.asarray(A), batch.logps, batch.mask, group_size=4, kl_coef=0.0)
    np.testing.assert_allclose(found, [1.0, -1 / 3, 0.0, -2 / 3, 0, 0, 0, 0], rtol=1e-12)


def test_advantages_count_by_their_proportions_alone(batch):
    rewards = jnp.array([1.0, 0.0, 0.25, 0.0, 1.0, 1.0, 1.0, 0.0])
    found = [
        kl.tilt_advantages(
            rule(rewards, group_size=4), batch.logps, batch.mask, group_size=4, kl_coef=0.3
        )
        for rule in (advantages.group, advantages.none, advantages.rloo)
    ]
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=1e-12)


@pytest.mark.parametrize("rule", ["group", "batch", "none", "rloo"])
def test_groups_of_equal_rewards_stay_at_zero_to_the_last_bit(rule):
    """Else the largest of rounding errors would be scaled to 1."""
    for size, reward in itertools.product((3, 10, 12), (0.1, 0.55)):
        rewards = jnp.full(2 * size, reward, jnp.float32).at[0].set(1.0)
        found = getattr(advantages, rule)(rewards, group_size=size)
        assert np.any(found[:size])
        tilted = kl.tilt_advantages(
            found, jnp.arange(2.0 * size)[:, None], jnp.ones((2 * size, 1)),
            group_size=size, kl_coef=1.0,
        )  # fmt: skip
        assert not np.any(tilted[size:])


def tilted(batch, guide=None, *, estimator: kl.Estimator = "k1", gates=(), kl_coef=0.5):
    loss = recipes.sage(
        guide, kl_coef=kl_coef, divergence=reverse_kl(estimator=estimator), gates=gates,
        kl_in="advantage",
    )  # fmt: skip
    return np.asarray(loss.tilted(jnp.asarray(A), batch, group_size=4, step=0, key=None))


@pytest.mark.filterwarnings("ignore::sage_jax.losses.InertGuideWarning")
def test_the_recipe_takes_off_the_gated_distance_of_the_sampling_policy(batch):
    guide = guides.branch_guide(source="ref")
    log_q = np.asarray(guide(batch, step=0, key=None))
    old, mask = np.asarray(batch.old_logps), np.asarray(batch.mask)
    held = mask.any(axis=1)
    estimators: tuple[kl.Estimator, ...] = ("k1", "k2", "k3")
    for estimator in estimators:
        distance = getattr(kl, estimator)(old, np.asarray(batch.ref_logps) + log_q)
        distance = np.asarray(distance) * (A < 0)[:, None]
        found = tilted(batch, guide, estimator=estimator, gates=[in_the_red])
        np.testing.assert_allclose(found[held], oracle(A, distance, mask, 0.5)[held], rtol=1e-9)
    # What has changed since the sampling is not read.
    later = dataclasses.replace(batch, logps=batch.logps + 1.0, entropies=batch.entropies)
    np.testing.assert_array_equal(tilted(later), tilted(batch))
    np.testing.assert_array_equal(
        tilted(batch, gates=[by_name.gate(gates.ramp, at_zero=1.0, at_one=1.0)]), tilted(batch)
    )


def in_the_red(advantages):
    """A gate of the advantages, which are there by then."""
    return jnp.where(advantages < 0, 1.0, 0.0)


@pytest.mark.filterwarnings("ignore::sage_jax.losses.InertGuideWarning")
def test_a_constant_q_drops_out_of_k1_and_not_of_k3(batch):
    def doubled(mask):
        return jnp.full(mask.shape, jnp.log(1.3))

    guide, held = by_name.guide(doubled), np.asarray(batch.mask).any(axis=1)
    change = tilted(batch, guide) - tilted(batch)
    np.testing.assert_allclose(change[held], 0.0, atol=1e-12)
    change = tilted(batch, guide, estimator="k3") - tilted(batch, estimator="k3")
    assert np.abs(change[held]).max() > 0.01


@pytest.mark.parametrize("estimator", ["k1", "exact"])
def test_on_sequences_of_equal_length_its_expected_gradient_is_that_of_the_reverse_kl(estimator):
    """By enumeration of all pairs of completions of two tokens out of three.

    The surrogate is the mean over the pair of A · mean_t log π, so with D the mean of k1 the
    distance pushes by −β (1 − 1/G) / T² times ∇KL(π ‖ anchor) over whole completions. Over the
    vocabulary a token's own distance is the same whatever it is, so that what pushes is the part
    of that gradient that comes of the distances further on.
    """
    rng = np.random.default_rng(5)
    length, vocab, size, coef = 2, 3, 2, 0.8
    params, anchor = (  # The anchor is not normalised.
        (jnp.asarray(rng.normal(size=(vocab,))), jnp.asarray(rng.normal(size=(vocab, vocab))))
        for _ in range(2)
    )
    ways = np.array([*itertools.product(range(vocab), repeat=length)])

    def at(first, second):  # Something of every token of every completion, [9, 2].
        return jnp.stack([first[ways[:, 0]], second[ways[:, 0], ways[:, 1]]], axis=1)

    def tokens(params):
        return at(*map(jax.nn.log_softmax, params))

    def distances(params):
        if estimator == "k1":
            return tokens(params) - at(*anchor)
        over = [
            jnp.sum(jax.nn.softmax(x) * (jax.nn.log_softmax(x) - a), axis=-1)
            for x, a in zip(params, anchor, strict=True)
        ]
        return jnp.stack([jnp.full(len(ways), over[0]), over[1][ways[:, 0]]], axis=1)

    pairs = np.array([*itertools.product(range(len(ways)), repeat=size)]).ravel()

    def expected(params, coef):
        logps = tokens(params)
        given = jnp.tile(jnp.array([1.0, -1.0]), len(pairs) // size)
        found = kl.tilt_advantages(
            given, distances(params)[pairs], jnp.ones((len(pairs), length)),
            group_size=size, kl_coef=coef,
        )  # fmt: skip
        chance = jnp.exp(jax.lax.stop_gradient(logps).sum(1)[pairs].reshape(-1, size).sum(1))
        surrogate = (found * logps[pairs].mean(axis=1)).reshape(-1, size).mean(axis=1)
        return jnp.sum(chance * surrogate)

    def reverse(params):
        away = distances(params)
        away = jax.lax.stop_gradient(away[:, 1]) if estimator == "exact" else away.sum(1)
        return jnp.sum(jnp.exp(tokens(params).sum(1)) * away)

    gradient = jax.jit(jax.grad(expected))
    with_it, without = (gradient(params, one) for one in (coef, 0.0))
    of_kl = jax.grad(reverse)(params)
    scale = -coef * (1 - 1 / size) / length**2
    for found, plain, whole in zip(with_it, without, of_kl, strict=True):
        np.testing.assert_allclose(found - plain, scale * whole, atol=1e-12)
    assert np.abs(of_kl[0]).max() > 0.05
    # Nothing lies beyond the second token.
    assert (np.abs(of_kl[1]).max() > 0.05) == (estimator == "k1")


def leaning(ref_logits):
    """A guide over the vocabulary whose anchor has another sum at every prefix."""
    return 0.2 * jnp.tanh(ref_logits)


@pytest.mark.filterwarnings("ignore::sage_jax.losses.InertGuideWarning")
def test_the_sum_of_the_anchor_of_a_prefix_is_no_bonus(make_arrays, make_terms):
    """By default a guide by prefix changes nothing in the advantages, and else it does."""
    arrays = make_arrays(43)
    whole = make_terms(jnp.asarray(arrays["logits"]), arrays)

    def run(guide, renormalize):
        divergence = reverse_kl(estimator="exact", renormalize=renormalize)
        loss = recipes.sage(guide, divergence=divergence, kl_in="advantage", kl_coef=2.0)
        return np.asarray(loss.tilted(jnp.asarray(A), whole, group_size=4, step=0, key=None))

    plain, branch = run(None, None), guides.branch_guide(ratio=0.9, threshold=0.2)
    np.testing.assert_allclose(run(branch, None), plain, atol=1e-12)
    np.testing.assert_array_equal(run(branch, True), run(branch, None))
    assert np.abs(run(branch, False) - plain).max() > 0.005


def test_a_guide_that_a_renormalised_anchor_does_not_see_is_told_of():
    plain, divided = (reverse_kl(estimator="exact", renormalize=one) for one in (False, None))
    recipes.sage(guides.branch_guide(), divergence=plain, kl_in="advantage")
    recipes.sage(guides.support_guide(), divergence=divided, kl_in="advantage")
    with pytest.warns(InertGuideWarning, match="the guide branch cannot act under the KL estimat"):
        recipes.sage(guides.branch_guide(), divergence=divided, kl_in="advantage")


@pytest.mark.parametrize(
    ("guide", "renormalize"),
    [
        (None, True),
        (guides.branch_guide(), False),
        (guides.support_guide(top_k=3), False),
        (by_name.guide(leaning), True),
    ],
)
def test_distances_over_the_vocabulary_are_measured_in_parts(
    guide, renormalize, make_arrays, make_terms
):
    arrays = make_arrays(43)
    whole = make_terms(jnp.asarray(arrays["logits"]), arrays)
    loss = recipes.sage(
        guide,
        divergence=reverse_kl(estimator="exact", renormalize=renormalize),
        gates=[in_the_red],
        kl_in="advantage",
    )
    assert loss.distances is not None
    assert loss.needs >= {"logits", "ref_logits", "old_logps"}
    measure = functools.partial(loss.distances, step=0, key=None)
    found = np.concatenate(
        [measure(jax.tree.map(lambda x, n=n: x[n : n + 2], whole)) for n in range(0, 8, 2)]
    )
    both = (jnp.asarray(arrays["logits"]), jnp.asarray(arrays["ref_logits"]))
    log_probs, reference = (np.asarray(jax.nn.log_softmax(x)) for x in both)
    log_q = np.zeros(()) if guide is None else np.asarray(guide(whole, step=0, key=None))
    log_q = log_q[..., None] if log_q.ndim == 2 else log_q
    anchor = reference + log_q
    total = np.log(np.sum(np.exp(anchor), axis=-1, keepdims=True))
    assert guide is None or guide.name == "support" or np.abs(total[whole.mask > 0]).max() > 0.02
    anchor = anchor - total if renormalize else anchor
    expected = np.sum(np.exp(log_probs) * (log_probs - anchor), axis=-1)
    expected = expected * np.asarray(whole.mask) * (np.asarray(whole.advantages) < 0)[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-14)
    # Without logits, from what was measured; the same as with them at once.
    bare = dataclasses.replace(whole, logits=None, ref_logits=None, distances=jnp.asarray(found))
    by_parts, at_once = (
        loss.tilted(jnp.asarray(arrays["advantages"]), one, group_size=4, step=0, key=None)
        for one in (bare, whole)
    )
    np.testing.assert_allclose(by_parts, at_once, rtol=1e-12)
    assert recipes.sage(guides.branch_guide(), kl_in="advantage").distances is None
