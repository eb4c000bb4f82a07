"""Surrogates, reductions, advantages, sampler corrections and terms against NumPy."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    Max,
    Mean,
    Min,
    Terms,
    TokenLoss,
    advantages,
    by_name,
    clipped_surrogate,
    from_logits,
    importance,
    policy,
    reduce,
    terms,
)

pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture
def batch(make_arrays, make_terms):
    arrays = make_arrays(28)
    return make_terms(jnp.asarray(arrays["logits"]), arrays)


def _numpy(batch, level):
    mask = np.asarray(batch.mask)
    away = np.asarray(batch.logps - batch.old_logps) * mask
    if level == "sequence":
        away = away.sum(1, keepdims=True) / mask.sum(1, keepdims=True)
    return np.exp(away), np.asarray(batch.advantages)[:, None], mask


@pytest.mark.parametrize("delta", [None, 1.3])
@pytest.mark.parametrize("level", ["token", "sequence"])
def test_clipped_surrogate_equals_numpy(batch, level, delta):
    token_loss = clipped_surrogate(eps_low=0.1, eps_high=0.15, delta=delta, level=level)
    losses, metrics = jax.jit(token_loss)(batch, step=0, key=None)
    eager, _ = token_loss(batch, step=0, key=None)
    np.testing.assert_allclose(losses, eager, atol=1e-14)
    r, a, mask = _numpy(batch, level)
    bounded = r if delta is None else np.minimum(r, delta)
    expected = -np.minimum(bounded * a, np.clip(r, 0.9, 1.15) * a)
    np.testing.assert_allclose(losses, np.broadcast_to(expected, losses.shape), atol=1e-12)
    valid = mask > 0 if level == "token" else np.ones(r.shape, bool)
    low, high = (r < 0.9) & (a < 0), (r > 1.15) & (a > 0)
    values = reduce.values(metrics)
    assert values["clip/low"] == pytest.approx(low[valid].mean())
    assert values["clip/high"] == pytest.approx(high[valid].mean())
    assert values["clip/region"] == pytest.approx((low | high)[valid].mean())
    assert values["ratio/max"] == pytest.approx(r[valid].max())
    assert 0 < float(values["clip/low"]) < 1
    assert 0 < float(values["clip/high"]) < 1


def test_advantages_may_be_given_by_token(batch):
    token_loss = clipped_surrogate()
    by_token = jnp.broadcast_to(batch.advantages[:, None], batch.logps.shape)
    given = Terms(batch.logps, batch.mask, by_token, old_logps=batch.old_logps)
    rows = Terms(batch.logps, batch.mask, batch.advantages, old_logps=batch.old_logps)
    for level in ("token", "sequence"):
        token_loss = clipped_surrogate(level=level)
        found, expected = (token_loss(t, step=0, key=None)[0] for t in (given, rows))
        np.testing.assert_array_equal(found, expected)


def test_top_entropy_keeps_the_top_share(batch):
    token_loss = clipped_surrogate(top_entropy_quantile=0.3)
    losses, _ = token_loss(batch, step=0, key=None)
    plain, _ = clipped_surrogate()(batch, step=0, key=None)
    entropies, valid = np.asarray(batch.entropies), np.asarray(batch.mask) > 0
    threshold = np.quantile(entropies[valid], 0.7)
    kept = (entropies >= threshold) & valid
    np.testing.assert_allclose(np.asarray(losses)[valid], np.where(kept, plain, 0)[valid])
    found = terms.entropy_threshold(batch.entropies, batch.mask, top_entropy_quantile=0.3)
    assert found == pytest.approx(threshold)


@pytest.mark.parametrize("level", ["token", "sequence"])
def test_advantages_shaped_by_entropy_equal_numpy(batch, level):
    plain = clipped_surrogate(level=level)
    losses, _ = jax.jit(policy.entropy_advantage(plain, alpha=0.3, kappa=2.5))(
        batch, step=0, key=None
    )
    a, h = np.asarray(batch.advantages)[:, None], np.asarray(batch.entropies)
    shaped = a + np.minimum(0.3 * h, np.abs(a) / 2.5)
    given = dataclasses.replace(batch, advantages=jnp.asarray(shaped))
    expected, _ = plain(given, step=0, key=None)
    np.testing.assert_allclose(losses, expected, atol=1e-14)
    assert np.all(np.sign(shaped) == np.sign(a))
    assert np.any(0.3 * h < np.abs(a) / 2.5)
    assert np.any(0.3 * h > np.abs(a) / 2.5)


def require_advantages(batch: Terms) -> jax.Array:
    return terms.require(batch, "advantages", "a test")[:, None]


def test_the_entropy_in_an_advantage_is_constant_and_stays_out_of_other_losses(batch):
    plain = clipped_surrogate()
    alone = policy.entropy_advantage(plain)
    assert policy.entropy_advantage(plain, alpha=0.0) is plain
    other = TokenLoss(lambda t, step, key: (t.logps * require_advantages(t), {}))
    both = alone + 2.0 * other
    assert "entropies" in both.needs

    def losses(token_loss, **changes):
        return token_loss(dataclasses.replace(batch, **changes), step=0, key=None)[0]

    np.testing.assert_allclose(losses(both), losses(alone) + 2.0 * losses(other))
    assert not np.any(jax.grad(lambda h: losses(alone, entropies=h).sum())(batch.entropies))
    # Where an advantage is 0, no entropy makes one.
    assert not np.any(losses(alone, advantages=0 * batch.advantages))


def test_entropy_bonus_descends_towards_more_entropy():
    logits = jnp.asarray([[[2.0, 0.0, -1.0]]])

    def entropy(x):
        return from_logits(x, jnp.zeros((1, 1), jnp.int32))[1][0, 0]

    def bonus(x):
        logps, entropies = from_logits(x, jnp.zeros((1, 1), jnp.int32))
        batch = Terms(logps, jnp.ones((1, 1)), entropies=entropies)
        return (0.1 * policy.entropy_bonus())(batch, step=0, key=None)[0][0, 0]

    np.testing.assert_allclose(jax.grad(bonus)(logits), -0.1 * jax.grad(entropy)(logits))


def test_reductions_equal_numpy():
    rng = np.random.default_rng(0)
    losses, mask = rng.normal(size=(5, 6)), rng.random((5, 6)) < 0.6
    mask[2] = False
    rows = [x[m].mean() if m.any() else 0.0 for x, m in zip(losses, mask, strict=True)]
    total = losses[mask].sum()
    expected = {
        "grpo": (np.sum(rows), 5),
        "bnpo": (total, mask.sum()),
        "dr_grpo": (total, 5 * 11),
        "dapo": (total, 5 * 2.5),
    }
    batch = Terms(jnp.asarray(losses), jnp.asarray(mask), tokens_per_row=jnp.full(5, 2.5))
    for name, (sum_, count) in expected.items():
        options = {"max_completion_length": 11} if name == "dr_grpo" else {}
        reduction = by_name.reduction(getattr(reduce, name), **options)
        for run in (reduction, jax.jit(reduction)):
            mean = run(batch.logps, batch)
            np.testing.assert_allclose([mean.sum, mean.count], [sum_, count], err_msg=name)
            np.testing.assert_allclose(mean.value(), sum_ / count, err_msg=name)
    own = reduce.dapo(batch.logps, batch.mask)
    np.testing.assert_allclose(own.count, mask.sum())


def test_metrics_are_monoids():
    values = jnp.asarray([3.0, -1.0, 5.0, 2.0])
    mask = jnp.asarray([1, 1, 0, 1])
    for make, expected in ((reduce.mean, 4 / 3), (reduce.minimum, -1.0), (reduce.maximum, 3.0)):
        parts = [make(values[i : i + 1], mask[i : i + 1]) for i in range(4)]
        left = functools.reduce(lambda a, b: a.merge(b), parts)  # pyright: ignore
        right = functools.reduce(lambda a, b: b.merge(a), reversed(parts))  # pyright: ignore
        np.testing.assert_allclose(left.value(), expected)
        np.testing.assert_allclose(right.value(), expected)
        np.testing.assert_allclose(make(values, mask).value(), expected)
    assert Mean(jnp.zeros(()), jnp.zeros(())).value() == 0.0
    with pytest.raises(ValueError, match=r"\['b'\] are in one part only"):
        reduce.merge({"a": Min(values[0])}, {"a": Min(values[0]), "b": Max(values[0])})
    with pytest.raises(ValueError, match="metric 'a' is Min and Max in the two parts"):
        reduce.merge({"a": Min(values[0])}, {"a": Max(values[0])})


def test_advantages_equal_numpy():
    rng = np.random.default_rng(5)
    rewards = rng.integers(0, 2, size=24).astype(np.float64)
    rewards[:4] = 1.0
    groups = rewards.reshape(6, 4)
    away = groups - groups.mean(1, keepdims=True)
    std = groups.std(1, ddof=1, keepdims=True)
    make = functools.partial(advantages.group_relative, jnp.asarray(rewards), group_size=4)
    np.testing.assert_allclose(make(), (away / (std + 1e-4)).ravel(), atol=1e-12)
    batch = rewards.std(ddof=1)
    np.testing.assert_allclose(make(scale="batch"), (away / (batch + 1e-4)).ravel(), atol=1e-12)
    given = advantages.group_relative(
        jnp.asarray(rewards[:8]), group_size=4, scale="batch", batch_std=float(batch)
    )
    np.testing.assert_allclose(given, make(scale="batch")[:8], atol=1e-12)
    np.testing.assert_allclose(make(scale="none"), away.ravel(), atol=1e-12)
    plain = advantages.none(jnp.asarray(rewards), group_size=4)
    np.testing.assert_array_equal(plain, make(scale="none"))
    others = (groups.sum(1, keepdims=True) - groups) / 3
    found = advantages.rloo(jnp.asarray(rewards), group_size=4)
    np.testing.assert_allclose(found, (groups - others).ravel(), atol=1e-12)
    equal = advantages.zero_variance(jnp.asarray(rewards), group_size=4)
    assert float(equal.sum) == np.sum(groups.min(1) == groups.max(1))
    assert float(equal.count) == 6


@pytest.mark.parametrize("value", [0.1, 1.0, -3.7])
def test_equal_rewards_teach_nothing(value):
    rewards = jnp.full(8, value, jnp.float32)
    for scale in ("group", "batch", "none"):
        found = advantages.group_relative(rewards, group_size=8, scale=scale)
        np.testing.assert_allclose(found, 0.0, atol=1e-2)
    assert float(advantages.zero_variance(rewards, group_size=8).value()) == 1.0


def test_importance_equals_numpy(batch):
    gap = np.asarray(batch.old_logps - batch.sampler_logps) * np.asarray(batch.mask)
    token = importance.weights(batch.old_logps, batch.sampler_logps, batch.mask)
    np.testing.assert_allclose(token, np.exp(gap), atol=1e-12)
    whole = importance.weights(batch.old_logps, batch.sampler_logps, batch.mask, level="sequence")
    expected = np.broadcast_to(np.exp(gap.sum(1, keepdims=True)), gap.shape)
    valid = np.asarray(batch.mask) > 0
    np.testing.assert_allclose(np.asarray(whole)[valid], expected[valid], atol=1e-12)
    w = np.exp(gap)
    plain, _ = clipped_surrogate()(batch, step=0, key=None)
    for mode, bounded in (
        ("truncate", np.minimum(w, 1.1)),
        ("mask", np.where((w >= 0.8) & (w <= 1.1), w, 0.0)),
    ):
        token_loss = importance.corrected(clipped_surrogate(), mode=mode, low=0.8, cap=1.1)  # pyright: ignore
        losses, metrics = jax.jit(token_loss)(batch, step=0, key=None)
        np.testing.assert_allclose(losses, plain * bounded, atol=1e-12)
        values = reduce.values(metrics)
        assert values["sampler/weight"] == pytest.approx(bounded[valid].mean())
        assert values["sampler/outside"] == pytest.approx((bounded != w)[valid].mean())


def test_truncated_weights_put_the_samplers_mismatch_right():
    """E_μ[π/μ · f] = E_π[f] where the cap is not reached."""
    rng = np.random.default_rng(3)
    old, sampler = (jax.nn.log_softmax(jnp.asarray(rng.normal(size=4))) for _ in range(2))
    values, ones = jnp.asarray(rng.normal(size=4)), jnp.ones((4, 1))
    w = importance.weights(old[:, None], sampler[:, None], ones)
    w = importance.truncated(w, cap=100.0)[:, 0]
    np.testing.assert_allclose(
        jnp.sum(jnp.exp(sampler) * w * values), jnp.sum(jnp.exp(old) * values)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
def test_from_logits_equals_numpy(dtype):
    rng = np.random.default_rng(8)
    logits = jnp.asarray(rng.normal(size=(3, 4, 6)), dtype).at[..., 4].set(-jnp.inf)
    tokens = rng.integers(0, 4, size=(3, 4)).astype(np.int32)
    logps, entropies = from_logits(logits, jnp.asarray(tokens), temperature=0.7)
    scaled = np.asarray(logits, np.float64) / 0.7
    log_probs = scaled - np.log(np.exp(scaled).sum(-1, keepdims=True))
    probs = np.exp(log_probs)
    expected = -np.sum(probs * np.where(probs > 0, log_probs, 0), axis=-1)
    tolerance = 1e-12 if dtype == "float64" else 2e-6
    np.testing.assert_allclose(
        logps, np.take_along_axis(log_probs, tokens[..., None], -1)[..., 0], atol=tolerance
    )
    np.testing.assert_allclose(entropies, expected, atol=tolerance)
    assert logps.dtype == entropies.dtype == ("float64" if dtype == "float64" else "float32")
    gradient = jax.grad(
        lambda x: jnp.sum(sum(from_logits(x, jnp.asarray(tokens), temperature=0.7)))
    )(logits)
    assert np.all(np.isfinite(np.asarray(gradient, np.float64)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: clipped_surrogate(eps_low=1.2), "eps_low is 1.2; it must be between 0 and 1"),
        (lambda: clipped_surrogate(eps_high=-0.1), "eps_high is -0.1; it must be 0 or more"),
        (lambda: clipped_surrogate(delta=0.5), "delta is 0.5; it must be above 1"),
        (lambda: clipped_surrogate(level="row"), "level is 'row'; it must be token or sequence"),  # pyright: ignore
        (lambda: clipped_surrogate(top_entropy_quantile=0.0), "top_entropy_quantile is 0.0; it"),
        (
            lambda: policy.entropy_advantage(clipped_surrogate(), alpha=-0.1),
            "alpha is -0.1; it must be 0 or more",
        ),
        (
            lambda: policy.entropy_advantage(clipped_surrogate(), kappa=1.0),
            "kappa is 1.0; it must be above 1",
        ),
        (
            lambda: reduce.dr_grpo(jnp.ones((1, 1)), jnp.ones((1, 1)), max_completion_length=0),
            "max_completion_length is 0; it must be at least 1",
        ),
        (lambda: advantages.rloo(jnp.ones(4), group_size=1), "group_size is 1; samples are comp"),
        (
            lambda: advantages.rloo(jnp.ones(4), group_size=3),
            "group_size is 3; it must divide the 4",
        ),
        (
            lambda: advantages.rloo(jnp.ones((2, 2)), group_size=2),
            r"rewards has shape \(2, 2\); it must be \[B\]",
        ),
        (
            lambda: advantages.group_relative(jnp.ones(4), group_size=2, scale="row"),  # pyright: ignore
            "scale is 'row'; it must be group, batch or none",
        ),
        (
            lambda: importance.corrected(clipped_surrogate(), mode="clip"),  # pyright: ignore
            "mode is 'clip'; it must be truncate or mask",
        ),
        (
            lambda: importance.corrected(clipped_surrogate(), cap=0.5),
            "low is 0.0 and cap is 0.5; 0 <= low <= 1 <= cap must hold",
        ),
        (
            lambda: from_logits(
                jnp.zeros((1, 1, 2)), jnp.zeros((1, 1), jnp.int32), temperature=0.0
            ),
            "temperature is 0.0; it must be above 0",
        ),
    ],
)
def test_refused_with_a_message(call, message):
    with pytest.raises(ValueError, match=message):
        call()
