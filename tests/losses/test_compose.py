"""How transforms, token losses and reductions compose, and what the recipes are made of."""

import dataclasses
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    InertGuideWarning,
    Terms,
    by_name,
    chain,
    clipped_surrogate,
    forward_kl,
    guides,
    kl,
    objective,
    observe,
    recipes,
    reduce,
    reshape,
    reverse_kl,
    schedules,
    terms,
)

pytestmark = pytest.mark.usefixtures("x64")
GRPO = by_name.reduction(reduce.grpo)


@pytest.fixture
def batch(make_arrays, make_terms):
    arrays = make_arrays(31)
    return make_terms(jnp.asarray(arrays["logits"]), arrays)


def _run(loss, batch, *, step=0, key=None):
    mean, metrics = loss(batch, step=step, key=key)
    return float(mean.value()), reduce.values(metrics)


def test_kl_estimators_equal_numpy(batch):
    logps, anchor = np.asarray(batch.logps), np.asarray(batch.anchor_logps)
    away = anchor - logps
    rho = np.exp(away)
    np.testing.assert_allclose(kl.k1(batch.logps, batch.anchor_logps), -away, atol=1e-12)
    np.testing.assert_allclose(kl.k2(batch.logps, batch.anchor_logps), away**2 / 2, atol=1e-12)
    np.testing.assert_allclose(kl.k3(batch.logps, batch.anchor_logps), rho - away - 1, atol=1e-12)
    forward = rho * away - rho + 1
    np.testing.assert_allclose(kl.forward(batch.logps, batch.anchor_logps), forward, atol=1e-12)
    p, a = (np.asarray(jax.nn.softmax(x)) for x in (batch.logits, batch.ref_logits))
    found = kl.exact(batch.logits, batch.ref_logits)
    np.testing.assert_allclose(found, np.sum(p * np.log(p / a), -1), atol=1e-12)
    found = kl.forward_exact(batch.logits, batch.ref_logits)
    np.testing.assert_allclose(found, np.sum(a * np.log(a / p), -1), atol=1e-12)


@pytest.mark.parametrize("function", [kl.exact, kl.forward_exact])
def test_exact_kl_over_a_padded_vocabulary(function):
    rng = np.random.default_rng(0)
    logits, ref_logits = jnp.asarray(rng.normal(size=(2, 3, 5)))
    pad = ((0, 0), (0, 2))
    padded = [jnp.pad(x, pad, constant_values=-jnp.inf) for x in (logits, ref_logits)]
    for renormalize in (False, True):
        value, gradient = jax.value_and_grad(
            lambda x, r=renormalize: jnp.sum(function(x, padded[1], renormalize=r))
        )(padded[0])
        expected, gradient5 = jax.value_and_grad(
            lambda x, r=renormalize: jnp.sum(function(x, ref_logits, renormalize=r))
        )(logits)
        np.testing.assert_allclose(value, expected)
        np.testing.assert_allclose(gradient[:, :5], gradient5)
        assert not np.any(gradient[:, 5:])


@pytest.mark.parametrize("shape", [(8, 7, 11), (8, 7, 1), (8, 7)])
def test_exact_is_a_kl_to_the_shaped_anchor_as_a_distribution(batch, shape):
    """Against NumPy, by default divided by its sum; `forward_exact` keeps the sum."""
    log_q = np.random.default_rng(5).normal(size=shape)
    p, a = (np.asarray(jax.nn.softmax(x)) for x in (batch.logits, batch.ref_logits))
    a = a * np.exp(log_q if log_q.ndim == 3 else log_q[..., None])
    z = a.sum(-1, keepdims=True)
    assert np.abs(z - 1).max() > 0.2

    def same(found, expected):
        np.testing.assert_allclose(found, expected, atol=1e-12)

    options = batch.logits, batch.ref_logits, jnp.asarray(log_q)
    same(kl.exact(*options), np.sum(p * np.log(p * z / a), -1))
    assert (kl.exact(*options) >= 0).all()
    same(kl.exact(*options, renormalize=False), np.sum(p * np.log(p / a), -1))
    same(kl.forward_exact(*options), np.sum(a * np.log(a / p), -1))
    same(kl.forward_exact(*options, renormalize=True), np.sum(a / z * np.log(a / z / p), -1))

    def gradient(renormalize):
        return jax.grad(lambda x: kl.exact(x, *options[1:], renormalize=renormalize).sum())(
            batch.logits
        )

    same(gradient(True), gradient(False))
    assert np.any(gradient(True))


def test_losses_add_and_scale_and_transforms_chain(batch):
    surrogate, divergence = clipped_surrogate(), reverse_kl()
    guide = guides.branch_guide()
    whole = objective(surrogate + 0.05 * divergence, GRPO, transform=reshape(guide))
    value, metrics = _run(whole, batch)
    log_q = guides.branch(batch.entropies, batch.mask)
    shaped = dataclasses.replace(batch, log_q=log_q)
    ratios = jnp.exp(batch.logps - batch.old_logps)
    clipped = jnp.clip(ratios, 0.8, 1.2)
    by_hand = -jnp.minimum(ratios * batch.advantages[:, None], clipped * batch.advantages[:, None])
    by_hand = by_hand + 0.05 * kl.k3(batch.logps, batch.ref_logps + log_q)
    np.testing.assert_allclose(value, reduce.grpo(by_hand, batch.mask).value(), rtol=1e-12)
    np.testing.assert_allclose(
        _run(objective(surrogate + 0.05 * divergence, GRPO), shaped)[0], value
    )
    twice = chain(reshape(guide), reshape(guide))(batch, step=0, key=None)
    assert twice.log_q is not None
    np.testing.assert_allclose(twice.log_q, 2 * log_q, atol=1e-12)
    q = np.exp(log_q)[np.asarray(batch.mask) > 0]
    expected = {
        "q/mean": q.mean(),
        "q/min": q.min(),
        "q/max": q.max(),
        "q/above_one": (q > 1).mean(),
    }
    for name, number in expected.items():
        np.testing.assert_allclose(metrics[name], number, rtol=1e-6, err_msg=name)
    assert q.max() > 1


def test_a_weight_may_be_a_schedule(batch):
    coefficient = schedules.cyclic(0.2, 0.0, max_steps=10, num_cycles=1)
    loss = recipes.sage(None, kl_coef=coefficient)
    for step in (0, 4, 9):
        fixed = recipes.sage(None, kl_coef=float(coefficient(step)))
        assert _run(loss, batch, step=step)[0] == pytest.approx(_run(fixed, batch)[0], rel=1e-12)


def test_eager_is_jit(batch):
    loss = recipes.sage(guides.token_guide(max_steps=100))
    eager = _run(loss, batch, step=3, key=jax.random.key(0))
    jitted = _run(jax.jit(loss), batch, step=3, key=jax.random.key(0))
    assert eager[0] == pytest.approx(jitted[0], rel=1e-12)
    assert eager[1].keys() == jitted[1].keys()
    for name, value in eager[1].items():
        np.testing.assert_allclose(jitted[1][name], value, rtol=1e-6, err_msg=name)


def test_one_program_serves_every_step(batch):
    loss = recipes.sage(guides.random_guide(max_steps=100))
    traces = []

    @jax.jit
    def run(batch, step, key):
        traces.append(None)
        return loss(batch, step=step, key=key)

    for step in range(4):
        run(batch, jnp.int32(step), jax.random.key(step))
    assert len(traces) == 1


def test_chained_guides_draw_different_noise(batch):
    guide = guides.random_guide(epsilon=1.0, sigma=0.15)
    shaped = chain(reshape(guide), reshape(guide))(batch, step=0, key=jax.random.key(0))
    once = chain(reshape(guide))(batch, step=0, key=jax.random.key(0))
    assert shaped.log_q is not None
    assert once.log_q is not None
    assert np.abs(shaped.log_q - 2 * once.log_q).max() > 0.01


def test_metrics_of_the_terms_themselves(batch):
    _, metrics = _run(recipes.sage(guides.branch_guide()), batch)
    valid = np.asarray(batch.mask) > 0
    entropy = np.asarray(batch.entropies)[valid].mean()
    assert metrics["entropy"] == pytest.approx(entropy)
    gap = np.abs(batch.old_logps - batch.sampler_logps)[valid].mean()
    assert metrics["sampler_gap"] == pytest.approx(gap)
    plain = kl.k3(batch.logps, batch.ref_logps)
    assert metrics["kl/reference"] == pytest.approx(np.asarray(plain)[valid].mean())
    assert {"kl", "clip/low", "clip/high", "clip/region", "ratio/max"} <= metrics.keys()
    bare = Terms(batch.logps, batch.mask, batch.advantages)
    _, fewer = _run(recipes.dapo(), bare)
    assert fewer.keys() == {"clip/low", "clip/high", "clip/region", "ratio/max"}


def test_recipes_are_the_compositions_they_say(batch):
    batch = terms.with_batch_statistics(batch)
    surrogate = clipped_surrogate(eps_high=0.28)
    dapo = objective(surrogate, by_name.reduction(reduce.dapo))
    assert _run(recipes.dapo(), batch)[0] == _run(dapo, batch)[0]
    assert "kl" not in _run(recipes.dapo(), batch)[1]
    grpo = objective(clipped_surrogate() + 0.1 * reverse_kl(), GRPO)
    assert _run(recipes.grpo(kl_coef=0.1), batch)[0] == _run(grpo, batch)[0]
    gspo = objective(clipped_surrogate(eps_low=3e-4, eps_high=4e-4, level="sequence"), GRPO)
    assert _run(recipes.gspo(), batch)[0] == _run(gspo, batch)[0]


def test_kl_in_the_reward_is_measured_and_not_trained_on(batch):
    guide = guides.branch_guide()
    loss = recipes.sage(guide, kl_coef=0.3, kl_in="reward")
    value, metrics = _run(loss, batch)
    assert value == _run(recipes.grpo(), batch)[0]
    assert metrics["kl"] == _run(recipes.sage(guide), batch)[1]["kl"]
    rewards = jnp.arange(8.0)
    found = recipes.anchored_rewards(rewards, batch, guide=guide, kl_coef=0.3, step=0, key=None)
    anchor = batch.ref_logps + guides.branch(batch.entropies, batch.mask)
    k1 = np.asarray((batch.old_logps - anchor) * batch.mask)
    np.testing.assert_allclose(found, rewards - 0.3 * k1.sum(1), rtol=1e-12)
    observed = jax.grad(
        lambda x: observe(reverse_kl())(dataclasses.replace(batch, logps=x), step=0, key=None)[
            0
        ].sum()
    )(batch.logps)
    assert not np.any(observed)


BRANCH = guides.branch_guide()
TOKEN, RANDOM = guides.token_guide(max_steps=100), guides.random_guide(max_steps=100)


@pytest.mark.parametrize(
    ("guide", "divergence", "message"),
    [
        (None, reverse_kl(estimator="k1"), "k1 in the loss has an expected gradient of zero"),
        (BRANCH, reverse_kl(estimator="k2"), "guide branch cannot act under the KL estimator k2"),
        (RANDOM, reverse_kl(estimator="k2"), "guide random cannot act under the KL estimator k2"),
        (BRANCH, reverse_kl(estimator="exact"), "guide branch cannot act .* exact: a q that"),
        (TOKEN, reverse_kl(estimator="exact"), "guide token cannot act .* exact: a q that"),
        (
            TOKEN,
            reverse_kl(estimator="exact", renormalize=False),
            "guide token cannot act under the KL estimator exact",
        ),
        (
            BRANCH,
            forward_kl(full_vocabulary=True, renormalize=True),
            "guide branch cannot act under the KL estimator forward_exact",
        ),
    ],
)
def test_what_cannot_act_is_warned_of_when_composed(guide, divergence, message):
    with pytest.warns(InertGuideWarning, match=message):
        recipes.sage(guide, divergence=divergence)


def test_a_guide_with_nothing_to_act_on_is_warned_of():
    with pytest.warns(InertGuideWarning, match="guide branch cannot act: the loss has no KL term"):
        recipes.sage(BRANCH, kl_coef=0.0)
    with pytest.warns(InertGuideWarning) as caught:
        recipes.sage(BRANCH, divergence=reverse_kl(estimator="k1"))
    assert len(caught) == 2


@pytest.mark.parametrize(
    ("guide", "options"),
    [
        (None, {}),
        (BRANCH, {}),
        (TOKEN, {"divergence": reverse_kl(estimator="k2")}),
        (RANDOM, {"divergence": forward_kl()}),
        (BRANCH, {"divergence": forward_kl(full_vocabulary=True)}),
        (BRANCH, {"kl_in": "reward", "divergence": reverse_kl(estimator="k1")}),
        # What is taken off the reward is k1, whatever is measured beside it.
        (BRANCH, {"kl_in": "reward", "divergence": reverse_kl(estimator="exact")}),
        (None, {"kl_coef": 0.0}),
    ],
)
def test_what_can_act_is_not_warned_of(guide, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recipes.sage(guide, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"mask": jnp.ones((8, 6))},
            r"terms.mask has shape \(8, 6\); it must be \[B, T\] with B = 8",
        ),
        ({"advantages": jnp.ones((8, 1))}, r"terms.advantages .* must be \[B\] or \[B, T\]"),
        ({"ref_logps": jnp.ones(8)}, r"terms.ref_logps has shape \(8,\)"),
        ({"ref_logits": jnp.ones((8, 7, 12))}, r"terms.ref_logits .* T = 7, V = 11"),
        ({"rows": jnp.arange(7)}, r"terms.rows has shape \(7,\); it must be \[B\]"),
        ({"ref_logps": None}, "terms.ref_logps is None; an anchor needs it"),
        ({"advantages": None}, "terms.advantages is None; the surrogate clipped needs it"),
        ({"entropies": None}, "terms.entropies is None; the guide branch needs it"),
        ({"logps": jnp.ones(8)}, r"terms.logps has shape \(8,\); it must be \[B, T\]"),
    ],
)
def test_terms_that_do_not_fit_are_refused_by_name(batch, change, message):
    loss = recipes.sage(BRANCH)
    with pytest.raises(ValueError, match=message):
        loss(dataclasses.replace(batch, **change), step=0, key=None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reverse_kl(estimator="k4"), "estimator is 'k4'; it must be k1, k2, k3 or exact"),  # pyright: ignore
        (lambda: reverse_kl(renormalize=True), "renormalize is True with k3; only exact sees"),
        (
            lambda: forward_kl(renormalize=True),
            "renormalize is True; it needs full_vocabulary=True",
        ),
        (lambda: recipes.sage(None, kl_coef=-0.1), "kl_coef is -0.1; it must be 0 or more"),
    ],
)
def test_refused_with_a_message(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_metrics_that_would_hide_each_other_are_refused(batch):
    with pytest.raises(ValueError, match=r"\['kl'\] come from two losses"):
        _run(objective(reverse_kl() + forward_kl(), GRPO), batch)


def test_a_guide_of_a_wrong_shape_is_refused(batch):
    def guide(terms, *, step, key):
        return jnp.zeros(8)

    with pytest.raises(ValueError, match=r"log_q has shape \(8,\); a guide gives \[B, T\]"):
        _run(recipes.sage(guide), batch)


def test_a_plain_callable_may_be_a_guide(batch):
    def guide(terms, *, step, key):
        return jnp.full(terms.logps.shape, jnp.log(1.2))

    _, metrics = _run(recipes.sage(guide), batch)
    assert metrics["q/mean"] == pytest.approx(1.2)


def test_metrics_are_numbers_and_are_shown_as_such():
    shown = []

    def one(values):
        low = reduce.minimum(values, values)
        shown.append(repr(low))
        return low, reduce.maximum(values, values), reduce.mean(values, values)

    found = jax.jit(one)(jnp.array([1.5, 2.0]))
    assert [repr(metric) for metric in found] == ["Min(1.5)", "Max(2)", "Mean(1.75)"]
    assert [float(metric) for metric in found] == [1.5, 2.0, 1.75]
    assert shown[0].startswith("Min(")
    assert "Tracer" in shown[0]
