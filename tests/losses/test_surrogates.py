"""Surrogates against NumPy, and the property that each is made for."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms, by_name, choices, from_logits, guides, reduce, surrogates
from sage_jax.losses.terms import require

pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture
def batch(make_arrays, make_terms):
    arrays = make_arrays(28)
    arrays["old_logits"] = arrays["logits"] + 0.9 * (arrays["old_logits"] - arrays["logits"]) / 0.3
    return make_terms(jnp.asarray(arrays["logits"]), arrays)


def arrays_of(batch):
    """Ratios, advantages [B, 1], log π, log π_old and the mask, in NumPy."""
    mask = np.asarray(batch.mask) > 0
    logps, old = (np.where(mask, x, 0.0) for x in (batch.logps, batch.old_logps))
    return np.exp(logps - old), np.asarray(batch.advantages)[:, None], logps, old, mask


def slopes(function, batch, **options):
    """Gradient of the summed loss by log π, [B, T]."""
    token_loss = by_name.surrogate(function, **options)

    def total(logps):
        terms = dataclasses.replace(batch, logps=logps)
        losses, _ = token_loss(terms, step=0, key=None)
        return jnp.sum(jnp.where(batch.mask > 0, losses, 0.0))

    return np.asarray(jax.grad(total)(batch.logps))


def cispo(r, a, logps, old, mask):
    return -np.clip(r, 0.4, 1.5) * a * logps


def sapo(r, a, logps, old, mask):
    tau = np.where(a > 0, 1.5, 2.5)
    return -a * 4 / tau / (1 + np.exp(-tau * (r - 1)))


def dppo_tv(r, a, logps, old, mask):
    p, was = np.exp(logps), np.exp(old)
    away = np.where(a > 0, p > was, p < was)
    return -np.where((np.abs(p - was) > 0.02) & away, 0, r * a)


def dppo_kl(r, a, logps, old, mask):
    p, was = np.exp(logps), np.exp(old)
    kl = was * np.log(was / p) + (1 - was) * np.log((1 - was) / (1 - p))
    away = np.where(a > 0, p > was, p < was)
    return -np.where((kl > 0.005) & away & mask, 0, r * a)


def vespo(r, a, logps, old, mask):
    w = np.prod(r, axis=1, where=mask, keepdims=True)
    k, decay = np.where(a >= 0, 2, 3), np.where(a >= 0, 3, 2)
    return -(w**k) * np.exp(decay * (1 - w)) * a * logps


def covariances(a, logps, mask):
    a = np.broadcast_to(a, logps.shape)
    return np.where(mask, (logps - logps[mask].mean()) * (a - a[mask].mean()), -np.inf)


def clip_cov(r, a, logps, old, mask):
    cov = covariances(a, old, mask)
    noise = guides.row_normals(jax.random.fold_in(jax.random.key(3), 7), None, cov.shape)
    able = np.where((cov > -0.5) & (cov < 1.5), noise, -np.inf)
    number = round(0.25 * mask.sum())
    assert number < np.isfinite(able).sum() < mask.sum()
    chosen = able >= np.sort(able.ravel())[-number]
    return np.where(chosen, 0, -np.minimum(r * a, np.clip(r, 0.8, 1.2) * a))


def kl_cov(r, a, logps, old, mask):
    cov = covariances(a, old, mask)
    chosen = cov >= np.sort(cov.ravel())[-round(0.25 * mask.sum())]
    return -r * a + np.where(chosen, 0.7 * np.maximum(np.abs(np.log(r)) - 1e-4, 0), 0)


ORACLES = [
    (surrogates.clip_cov, {"share": 0.25, "low": -0.5, "high": 1.5}, clip_cov),
    (surrogates.kl_cov, {"share": 0.25, "coef": 0.7}, kl_cov),
    (surrogates.cispo, {"eps_low": 0.6, "eps_high": 0.5}, cispo),
    (surrogates.sapo, {"tau_pos": 1.5, "tau_neg": 2.5}, sapo),
    (surrogates.dppo, {"threshold": 0.02}, dppo_tv),
    (surrogates.dppo, {"divergence": "kl", "threshold": 0.005}, dppo_kl),
    (surrogates.vespo, {}, vespo),
]


@pytest.mark.filterwarnings("ignore:divide by zero|invalid value:RuntimeWarning")
@pytest.mark.parametrize(("function", "options", "oracle"), ORACLES)
def test_equals_numpy_and_eager_equals_jit(batch, function, options, oracle):
    token_loss = by_name.surrogate(function, **options)
    key = jax.random.key(3)
    losses, metrics = jax.jit(token_loss)(batch, step=0, key=key)
    eager, _ = token_loss(batch, step=0, key=key)
    valid = np.asarray(batch.mask) > 0
    np.testing.assert_allclose(losses, eager, atol=1e-13)
    expected = oracle(*arrays_of(batch))
    np.testing.assert_allclose(np.asarray(losses)[valid], expected[valid], rtol=1e-9)
    by_token = jnp.broadcast_to(batch.advantages[:, None], batch.logps.shape)
    given, _ = token_loss(dataclasses.replace(batch, advantages=by_token), step=0, key=key)
    np.testing.assert_allclose(given, eager, rtol=1e-12)
    values = reduce.values(metrics)
    if "clip/region" in values:
        low, high = float(values["clip/low"]), float(values["clip/high"])
        assert 0 < low < low + high < 1
        assert float(values["clip/region"]) == pytest.approx(low + high)


@pytest.mark.parametrize(
    "function",
    [
        surrogates.clipped,
        surrogates.cispo,
        surrogates.sapo,
        surrogates.dppo,
        surrogates.vespo,
        surrogates.kl_cov,
    ],
)
def test_on_policy_each_has_the_gradient_of_reinforce(batch, function):
    found = slopes(function, dataclasses.replace(batch, old_logps=batch.logps))
    expected = -batch.advantages[:, None] * batch.mask
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_cispo_goes_on_learning_where_the_clip_stops(batch):
    r, a, _, _, mask = arrays_of(batch)
    dropped = (slopes(surrogates.clipped, batch) == 0) & mask
    found = slopes(surrogates.cispo, batch, eps_low=0.2, eps_high=0.2)
    assert dropped.any()
    np.testing.assert_allclose(found, -np.clip(r, 0.8, 1.2) * a * mask, rtol=1e-12)
    inside = mask & (r > 0.8) & (r < 1.2)
    # REINFORCE with importance weights, which is PPO's gradient where nothing is clipped.
    plain = slopes(surrogates.clipped, batch)
    np.testing.assert_allclose(found[inside], plain[inside], rtol=1e-12)


def test_sapo_fades_to_both_sides_and_faster_with_a_larger_tau():
    r = jnp.asarray([[0.25, 0.5, 1.0, 2.0, 4.0]])

    def slope(tau):
        def total(r):
            return -surrogates.sapo(r, jnp.ones((1, 1)), tau_pos=tau)[0].sum()

        return np.asarray(jax.grad(total)(r))[0]

    soft, sharp = slope(1.0), slope(3.0)
    assert soft[2] == sharp[2] == 1
    assert np.all(np.diff(soft[:3]) > 0)
    assert np.all(np.diff(soft[2:]) < 0)
    assert np.all(sharp[[0, 1, 3, 4]] < soft[[0, 1, 3, 4]])


@pytest.mark.parametrize("divergence", ["tv", "kl"])
def test_dppo_never_blocks_a_step_back_and_binds_as_soon_as_it_is_crossed(divergence):
    p, was = (x.ravel()[None] for x in np.meshgrid(np.linspace(0.01, 0.99, 33), [0.02, 0.5, 0.97]))
    for sign in (1.0, -1.0):
        loss, shares = surrogates.dppo(
            jnp.asarray(p / was),
            jnp.full((1, 1), sign),
            jnp.log(p),
            jnp.log(was),
            divergence=divergence,
        )
        blocked = np.asarray(shares["clip/region"])
        assert not blocked[(p - was) * sign <= 0].any()
        tv = np.abs(p - was)
        kl = was * np.log(was / p) + (1 - was) * np.log((1 - was) / (1 - p))
        far = tv > 0.2 if divergence == "tv" else kl > 0.05
        np.testing.assert_array_equal(blocked, far & ((p - was) * sign > 0))
        np.testing.assert_allclose(loss, np.where(blocked, 0, -sign * p / was))
    # A rare token may multiply its probability, a common one may not move far.
    assert not blocked[(was == 0.02) & (p < 0.2)].any()


def test_dppo_holds_for_probabilities_that_round_to_one():
    with jax.enable_x64(False):
        logps = jnp.asarray([[0.0, -1e-9, 0.0, -40.0]], jnp.float32)
        old = jnp.asarray([[0.0, 0.0, -0.5, 0.0]], jnp.float32)
        loss, shares = surrogates.dppo(
            jnp.exp(logps - old), jnp.ones((1, 1)), logps, old, divergence="kl"
        )
    assert np.isfinite(loss).all()
    assert shares["clip/region"].tolist() == [[False, False, True, False]]


def test_vespo_weighs_whole_sequences_most_at_k_over_lambda():
    log_w = np.linspace(-4, 4, 161)
    mask = jnp.ones((161, 2))
    logps = jnp.asarray(np.stack([log_w / 4, 3 * log_w / 4], axis=1))
    for sign, peak in ((1.0, 2 / 3), (-1.0, 3 / 2)):
        _, shares = surrogates.vespo(logps, jnp.zeros_like(logps), jnp.full((161, 1), sign), mask)
        weights = np.asarray(shares["surrogate/weight"])[:, 0]
        assert weights[80] == 1
        assert np.exp(log_w[weights.argmax()]) == pytest.approx(peak, rel=0.03)
        assert weights[0] < 1e-2
        assert weights[-1] < 1e-6
    with jax.enable_x64(False):
        long = jnp.full((1, 400), 3.0)
        loss, _ = surrogates.vespo(long, 0 * long, jnp.ones((1, 1)), jnp.ones((1, 400)))
    assert not np.any(loss)


def descended(function, options):
    """Entropy after steps of 0.1 on one token of three, of which the likeliest is the right one."""
    tokens = jnp.asarray([[0], [0], [1], [2]], jnp.int32)  # As often as they are likely.
    logits = jnp.log(jnp.asarray([0.5, 0.25, 0.25]))
    advantages = jnp.where(tokens[:, 0] == 0, 1.0, -1.0)
    token_loss = by_name.surrogate(function, **options)

    def terms(x):
        logps, entropies = from_logits(jnp.broadcast_to(x, (4, 1, 3)), tokens)
        mask, old = jnp.ones((4, 1)), from_logits(jnp.broadcast_to(logits, (4, 1, 3)), tokens)[0]
        return Terms(logps, mask, advantages, old_logps=old, entropies=entropies)

    @jax.jit
    def step(x):
        return x - 0.1 * jax.grad(
            lambda x: token_loss(terms(x), step=0, key=jax.random.key(0))[0].mean()
        )(x)

    x = logits
    for _ in range(40):
        x = step(x)
    return float(require(terms(x), "entropies", "a test")[0, 0])


def test_both_covariance_methods_hold_the_entropy_up():
    wide = {"eps_low": 1.0, "eps_high": 9.0}
    plain = descended(surrogates.clipped, wide)
    # Half of the tokens: the likely right ones, whose covariance is largest.
    kept = descended(surrogates.clip_cov, {"share": 0.5, "low": 0.1, "high": 9.0, **wide})
    held = descended(surrogates.kl_cov, {"share": 0.5, "coef": 2.0})
    assert plain < 0.8 * np.log(3)
    assert kept > plain + 0.05
    assert held > plain + 0.05


def test_kl_cov_pulls_chosen_tokens_back_and_leaves_the_others_alone(batch):
    r, a, _, old, mask = arrays_of(batch)
    found = slopes(surrogates.kl_cov, batch, share=0.3, coef=2.0)
    chosen = np.asarray(
        choices.largest_covariance(jnp.asarray(old), jnp.asarray(a), jnp.asarray(mask), share=0.3)
    )
    assert chosen.sum() == round(0.3 * mask.sum())
    expected = -r * a * mask + np.where(chosen, 2.0 * np.sign(np.log(r)), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    # Where nothing moved, rounding decides nothing.
    near = dataclasses.replace(batch, old_logps=batch.logps + 1e-6)
    still = slopes(surrogates.kl_cov, near, share=0.3, coef=2.0)
    np.testing.assert_allclose(still, -a * mask, rtol=1e-5)


def test_a_choice_is_of_the_valid_tokens_and_of_equal_ones_takes_the_first():
    old, advantages = (
        jnp.asarray([[-1.0, -1.0, 5.0], [-2.0, -2.0, -2.0]]),
        jnp.asarray([[1.0], [0]]),
    )
    mask = jnp.asarray([[1, 1, 0], [1, 1, 1]])
    chosen = choices.largest_covariance(old, advantages, mask, share=0.2)
    np.testing.assert_array_equal(chosen, [[True, False, False], [False, False, False]])
    none = choices.largest_covariance(old, advantages, 0 * mask, share=1.0)
    assert not np.any(none)
    options: Any = {"share": 1.0, "low": 0.0, "high": 9.0}
    every = choices.within_covariance(old, advantages, mask, jax.random.key(0), **options)
    np.testing.assert_array_equal(every, mask > 0)
    options["high"] = 1e-6
    assert not np.any(
        choices.within_covariance(old, advantages, mask, jax.random.key(0), **options)
    )


def test_a_random_choice_goes_by_the_key_and_the_index_of_a_row(batch):
    def chosen(key, rows):
        args = batch.old_logps, batch.advantages[:, None], batch.mask, jax.random.key(key), rows
        return np.asarray(choices.within_covariance(*args, share=0.3, low=-9.0, high=9.0))

    first = chosen(0, None)
    np.testing.assert_array_equal(chosen(0, batch.rows), first)
    assert np.any(chosen(1, None) != first)
    assert np.any(chosen(0, batch.rows + 8) != first)


def test_two_choices_of_one_batch_are_refused():
    first, second = (by_name.surrogate(f) for f in (surrogates.kl_cov, surrogates.clip_cov))
    with pytest.raises(ValueError, match="two parts of a loss choose tokens of the whole"):
        _ = first + 0.5 * second


@pytest.mark.parametrize("c", [1.28, 2.0, 3.0])
def test_two_sided_clipping_is_dual_clip_from_the_upper_clip_on(c):
    r, a = np.meshgrid(np.linspace(0.0, 5.0, 101), [-2.0, 0.0, 0.7])

    def dual(r, a):
        plain = jnp.minimum(r * a, jnp.clip(r, 0.8, 1.28) * a)
        return -jnp.where(a < 0, jnp.maximum(plain, c * a), plain)

    def ours(r, a):
        return surrogates.clipped(r, a, eps_low=0.2, eps_high=0.28, delta=c)[0]

    np.testing.assert_allclose(ours(r, a), dual(r, a), atol=1e-15)
    inside = ~np.isclose(r, c)  # At the bound itself a slope is a choice.
    found, expected = (
        np.asarray(jax.grad(lambda r, f=f: f(r, jnp.asarray(a)).sum())(jnp.asarray(r)))
        for f in (ours, dual)
    )
    np.testing.assert_array_equal(found[inside], expected[inside])


def test_below_the_upper_clip_two_sided_clipping_is_another_thing():
    loss, _ = surrogates.clipped(jnp.full((1, 1), 2.0), -jnp.ones((1, 1)), eps_high=0.28, delta=1.1)
    assert loss[0, 0] == 1.28  # Dual clip with c = 1.1 gives 1.1.


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (surrogates.cispo, {"eps_low": 1.5}, "eps_low is 1.5; it must be between 0 and 1"),
        (surrogates.cispo, {"eps_high": -1.0}, "eps_high is -1.0; it must be 0 or more"),
        (surrogates.sapo, {"tau_pos": 0.0}, "tau_pos is 0.0; it must be above 0"),
        (surrogates.sapo, {"tau_neg": -1.0}, "tau_neg is -1.0; it must be above 0"),
        (surrogates.dppo, {"divergence": "js"}, "divergence is 'js'; it must be tv or kl"),
        (surrogates.dppo, {"threshold": 0.0}, "threshold is 0.0; it must be above 0"),
        (surrogates.clip_cov, {"eps_low": 1.5}, "eps_low is 1.5; it must be between 0 and 1"),
        (surrogates.clip_cov, {"low": 5.0}, "low is 5.0 and high is 5.0; low < high must hold"),
        (surrogates.clip_cov, {"share": 0.0}, "share is 0.0; it must be in"),
        (surrogates.clip_cov, {}, "key is None; a random choice of tokens needs one"),
        (surrogates.kl_cov, {"share": 1.5}, "share is 1.5; it must be in"),
        (surrogates.kl_cov, {"coef": -1.0}, "coef is -1.0; it must be 0 or more"),
        (surrogates.vespo, {"k_neg": -1.0}, "k_neg is -1.0; it must be 0 or more"),
        (surrogates.vespo, {"lambda_pos": 0.0}, "lambda_pos is 0.0; it must be above 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(batch, function, options, message):
    key = None if "key" in message else jax.random.key(0)
    with pytest.raises(ValueError, match=message):
        by_name.surrogate(function, **options)(batch, step=0, key=key)
