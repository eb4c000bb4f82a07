"""Nothing under the mask, be it NaN, moves a value, a gradient or a metric."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    TokenLoss,
    by_name,
    chain,
    clipped_surrogate,
    forward_kl,
    guides,
    importance,
    kl,
    objective,
    policy,
    recipes,
    reduce,
    reshape,
    reverse_kl,
    surrogates,
    terms,
    weights,
)
from sage_jax.parts import SURROGATES

REAL = ("logits", "old_logits", "ref_logits", "noise")
GARBAGE = (np.nan, np.inf, -np.inf, 1e30)


def _everything(level: str, reduction: str):
    surrogate = clipped_surrogate(level=level, delta=1.5, top_entropy_quantile=0.5)  # pyright: ignore
    token_loss = importance.corrected(surrogate, mode="mask", low=0.5, level=level)  # pyright: ignore
    token_loss = token_loss + 0.1 * reverse_kl() + 0.1 * forward_kl(name="kl/forward")
    token_loss = token_loss + 0.1 * reverse_kl(estimator="exact", renormalize=True, name="kl/exact")
    noisy = [
        guides.token_guide(normalize=n, alpha=0.3, sigma=0.25)
        for n in (weights.minmax, weights.rank, weights.zscore)
    ]
    shapers = [guides.branch_guide(), guides.branch_guide(source="ref"), *noisy]
    shapers += [
        guides.gated_guide(share=0.4, hold=1.5, width=0.2),
        guides.tempered_guide(phi=0.8, ramp=3),
        guides.tempered_guide(phi=0.8, over="vocabulary", threshold=1.0),
        guides.support_guide(top_k=4),
    ]
    transform = chain(*map(reshape, [*shapers, guides.random_guide(epsilon=0.5, sigma=0.15)]))
    return objective(token_loss, _reduction(reduction), transform=transform)


def _reduction(name: str) -> reduce.Reduction:
    options = {"max_completion_length": 9} if name == "dr_grpo" else {}
    return by_name.reduction(getattr(reduce, name), **options)


def _compiled(loss, make_terms):
    """(arrays) -> value, metrics and gradient with respect to the logits."""

    def value(logits, arrays):
        batch = make_terms(logits, arrays)
        batch = terms.with_batch_statistics(batch, top_entropy_quantile=0.5)
        mean, metrics = loss(batch, step=3, key=jax.random.key(1))
        return mean.value(), reduce.values(metrics)

    def results(arrays):
        logits = jnp.asarray(arrays["logits"], jnp.float32)
        (found, metrics), gradient = jax.value_and_grad(value, has_aux=True)(logits, arrays)
        return found, metrics, gradient

    return jax.jit(results, compiler_options={"xla_backend_optimization_level": 0})


def _spoiled(arrays, garbage):
    hidden = arrays["mask"] == 0
    spoiled = {name: array.copy() for name, array in arrays.items()}
    for name in REAL:
        spoiled[name][hidden] = garbage
    spoiled["tokens"][hidden] = -100 if np.isnan(garbage) else 10**6
    spoiled["advantages"][hidden.all(axis=1)] = garbage
    return spoiled


@pytest.fixture
def arrays(make_arrays):
    made = make_arrays(9, batch=5, length=6)
    made["mask"][3] = 0.0
    return made


@pytest.mark.parametrize(
    ("level", "reduction"), [("token", "grpo"), ("token", "dapo"), ("sequence", "dr_grpo")]
)
def test_garbage_under_the_mask_moves_nothing(arrays, make_terms, level, reduction):
    results = _compiled(_everything(level, reduction), make_terms)
    value, metrics, gradient = results(arrays)
    assert np.isfinite(value)
    assert np.abs(gradient).max() > 1e-3
    assert not np.any(gradient[arrays["mask"] == 0])
    for garbage in GARBAGE:
        value2, metrics2, gradient2 = results(_spoiled(arrays, garbage))
        np.testing.assert_array_equal(value2, value)
        np.testing.assert_array_equal(gradient2, gradient)
        assert metrics2 == metrics


def test_garbage_under_the_mask_moves_no_surrogate_and_no_choice(arrays, make_terms):
    cov: Any = {"share": 0.4, "low": -5.0, "high": 5.0}
    parts = [
        by_name.surrogate(getattr(surrogates, name), **(cov if name == "clip_cov" else {}))
        for name in SURROGATES.names()
    ]

    def together(terms, step, key):
        losses = [part.function(terms, step, key)[0] for part in parts]
        return jnp.stack(losses).sum(axis=0), {}

    loss = objective(policy.entropy_advantage(TokenLoss(together)), _reduction("grpo"))
    results = _compiled(loss, make_terms)
    value, _, gradient = results(arrays)
    assert np.isfinite(value)
    assert not np.any(gradient[arrays["mask"] == 0])
    chosen = [_chosen(part, make_terms, arrays) for part in parts if part.choose]
    assert len(chosen) == 2
    for garbage in GARBAGE:
        spoiled = _spoiled(arrays, garbage)
        value2, _, gradient2 = results(spoiled)
        np.testing.assert_array_equal(value2, value)
        np.testing.assert_array_equal(gradient2, gradient)
        again = [_chosen(part, make_terms, spoiled) for part in parts if part.choose]
        np.testing.assert_array_equal(again, chosen)


def _chosen(part, make_terms, arrays):
    batch = make_terms(jnp.asarray(arrays["logits"], jnp.float32), arrays)
    found = np.asarray(part.choose(batch, step=0, key=jax.random.key(1)).chosen)
    assert found.any()
    assert not np.any(found & (arrays["mask"] == 0))
    return found


@pytest.mark.parametrize("garbage", GARBAGE)
def test_plain_functions_do_not_read_under_the_mask(garbage):
    rng = np.random.default_rng(2)
    values = -np.abs(rng.normal(size=(3, 6))).astype(np.float32)
    mask = jnp.asarray([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0]], bool)
    spoiled = jnp.where(mask, values, garbage)
    values, key = jnp.where(mask, values, 0.0), jax.random.key(0)
    rewards = jnp.arange(3.0)
    functions = {
        "branch": lambda x: guides.branch(-x, mask, threshold=0.3),
        "token": lambda x: guides.token(x, mask, key, sigma=0.2),
        "rank": lambda x: weights.rank(-x, mask),
        "minmax": lambda x: weights.minmax(-x, mask),
        "zscore": lambda x: weights.zscore(-x, mask),
        "weights": lambda x: importance.weights(x, 0.5 * x, mask, level="sequence"),
        "rewards": lambda x: kl.penalize_rewards(rewards, x, 0.5 * x, mask, kl_coef=0.1),
        "threshold": lambda x: terms.entropy_threshold(x, mask, top_entropy_quantile=0.3),
        "minimum": lambda x: reduce.minimum(x, mask),
        "maximum": lambda x: reduce.maximum(x, mask),
        "grpo": lambda x: reduce.grpo(x, mask),
        "dapo": lambda x: reduce.dapo(x, mask, tokens_per_row=jnp.float32(2.0)),
    }
    for name, function in functions.items():
        found, expected = jax.tree.leaves(function(spoiled)), jax.tree.leaves(function(values))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
            assert np.all(np.isfinite(ours)), name


def test_more_padding_moves_nothing(make_arrays, make_terms):
    arrays = make_arrays(5, batch=4, length=6)
    padded = {
        name: array
        if array.ndim == 1
        else np.pad(array, ((0, 0), (0, 3), (0, 0))[: array.ndim], constant_values=0)
        for name, array in arrays.items()
    }
    results = _compiled(_everything("token", "grpo"), make_terms)
    value, metrics, gradient = results(arrays)
    value2, metrics2, gradient2 = results(padded)
    np.testing.assert_allclose(value2, value, rtol=1e-6)
    np.testing.assert_allclose(gradient2[:, :6], gradient, atol=1e-7)
    assert not np.any(gradient2[:, 6:])
    for name, number in metrics.items():
        np.testing.assert_allclose(metrics2[name], number, rtol=1e-5, err_msg=name)


def test_a_batch_without_valid_tokens_is_a_loss_of_zero(make_arrays, make_terms):
    arrays = make_arrays(5, batch=2, length=3)
    arrays["mask"][:] = 0.0
    for reduction in ("grpo", "bnpo", "dr_grpo", "dapo"):
        loss = recipes.sage(guides.branch_guide(), reduction=_reduction(reduction))
        value, _, gradient = _compiled(loss, make_terms)(arrays)
        assert value == 0.0
        assert not np.any(gradient)


def test_constants_get_no_gradient(make_arrays, make_terms):
    arrays = make_arrays(6, batch=3, length=4)
    logits = jnp.asarray(arrays["logits"], jnp.float32)
    batch = make_terms(logits, arrays)
    loss = _everything("token", "grpo")

    @functools.partial(jax.grad, allow_int=True)
    def gradients(batch):
        return loss(batch, step=0, key=jax.random.key(0))[0].value()

    gradient = jax.jit(gradients, compiler_options={"xla_backend_optimization_level": 0})(batch)
    for name in ("advantages", "old_logps", "ref_logps", "ref_entropies", "sampler_logps"):
        assert not np.any(getattr(gradient, name)), name
    assert not np.any(gradient.ref_logits)
    assert np.any(gradient.logps)


def test_rewards_with_the_kl_in_them_ignore_what_is_masked(arrays, make_terms):
    def rewards(arrays):
        batch = make_terms(jnp.asarray(arrays["logits"], jnp.float32), arrays)
        options = {"kl_coef": 0.1, "step": 0, "key": jax.random.key(0)}
        guide = guides.token_guide(source="ref", max_steps=10)
        return recipes.anchored_rewards(jnp.zeros(5), batch, guide=guide, **options)

    np.testing.assert_array_equal(rewards(_spoiled(arrays, np.nan)), rewards(arrays))
