"""Logits processors against NumPy, their neutral values and their refusals."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.rollout import filters

CASES = {
    "temperature": (filters.apply_temperature, (0.3, 1.7)),
    "top_k": (filters.apply_top_k, (1, 5, 60)),
    "top_p": (filters.apply_top_p, (1e-6, 0.3, 0.9, 0.9999)),
    "min_p": (filters.apply_min_p, (0.01, 0.2, 1.0)),
}


def softmax(z):
    weights = np.exp(z - z.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def keep_top_k(z, top_k):
    ranks = np.argsort(np.argsort(-z, axis=-1), axis=-1)
    return np.where(ranks < top_k, z, -np.inf)


def keep_top_p(z, top_p):
    order = np.argsort(-z, axis=-1)
    ordered = np.take_along_axis(softmax(z), order, -1)
    before = np.cumsum(ordered, -1) - ordered
    keep = np.empty(z.shape, bool)
    np.put_along_axis(keep, order, before < top_p, -1)
    return np.where(keep, z, -np.inf)


def keep_min_p(z, min_p):
    probs = softmax(z)
    return np.where(probs >= min_p * probs.max(-1, keepdims=True), z, -np.inf)


ORACLES = {
    "temperature": lambda z, temperature: z / temperature,
    "top_k": keep_top_k,
    "top_p": keep_top_p,
    "min_p": keep_min_p,
}


@pytest.fixture(scope="module")
def logits():
    return 3 * jax.random.normal(jax.random.key(0), (3, 2, 211))


@pytest.mark.parametrize("jitted", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("name", CASES)
def test_equals_numpy(name, jitted, logits):
    function, options = CASES[name]
    for knob in options:
        compiled = jax.jit(function, static_argnums=1) if jitted else function
        expected = ORACLES[name](np.asarray(logits, np.float64), knob)
        np.testing.assert_allclose(compiled(logits, knob), expected, rtol=1e-6)


def test_order_is_top_k_then_top_p_then_min_p(logits):
    # Chosen so that any other order of top-k and top-p keeps other tokens.
    z = np.asarray(logits, np.float64)
    expected = keep_min_p(keep_top_p(keep_top_k(z, 6), 0.8), 0.02)
    got = filters.apply_filters(logits, top_k=6, top_p=0.8, min_p=0.02)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(expected))
    assert (np.isfinite(expected) != np.isfinite(keep_top_k(keep_top_p(z, 0.8), 6))).any()


@pytest.mark.parametrize(
    ("function", "neutral"),
    [
        (filters.apply_top_k, 0),
        (filters.apply_top_k, 211),
        (filters.apply_top_k, 10**6),
        (filters.apply_top_p, 1.0),
        (filters.apply_min_p, 0.0),
        (filters.apply_temperature, 1.0),
    ],
)
def test_neutral_values_add_nothing_to_the_program(function, neutral, logits):
    assert jax.make_jaxpr(lambda z: function(z, neutral))(logits).eqns == []


def test_ties_with_the_last_kept_token_are_kept():
    z = jnp.array([1.0, 3.0, 1.0, -0.0, 0.0])
    np.testing.assert_array_equal(np.isfinite(filters.apply_top_k(z, 2)), [1, 1, 1, 0, 0])
    np.testing.assert_array_equal(np.isfinite(filters.apply_top_k(z, 4)), [1, 1, 1, 1, 1])
    np.testing.assert_array_equal(np.isfinite(filters.apply_top_p(z, 0.8)), [1, 1, 1, 0, 0])


def test_the_most_probable_token_always_stays():
    z = jnp.array([-1e9, -1e9 + 128, -jnp.inf])
    for kept in (
        filters.apply_top_k(z, 1),
        filters.apply_top_p(z, 1e-9),
        filters.apply_min_p(z, 1.0),
    ):
        np.testing.assert_array_equal(np.isfinite(kept), [False, True, False])


def test_dropped_tokens_stay_dropped():
    z = jnp.array([2.0, -jnp.inf, 1.0, -jnp.inf])
    for kept in (
        filters.apply_top_k(z, 3),
        filters.apply_top_p(z, 0.999999),
        filters.apply_min_p(z, 1e-3),
    ):
        np.testing.assert_array_equal(np.isfinite(kept), [True, False, True, False])


def test_top_p_over_a_large_vocabulary_keeps_the_asked_mass():
    z = 2 * jax.random.normal(jax.random.key(1), (2, 151_936))
    probs = softmax(np.asarray(z, np.float64))
    for top_p in (0.5, 0.95):
        kept = np.where(np.isfinite(filters.apply_top_p(z, top_p)), probs, 0)
        assert (np.abs(kept.sum(-1) - top_p) < 1e-4).all()
        assert (kept.max(-1) == probs.max(-1)).all()


def test_half_precision_logits_are_scaled_in_float32():
    assert filters.apply_temperature(jnp.ones(3, jnp.bfloat16), 0.7).dtype == jnp.float32


NEUTRAL: dict[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}


@pytest.mark.parametrize(
    ("knob", "value", "message"),
    [
        ("temperature", -0.1, r"temperature must be 0 .* got -0.1"),
        ("temperature", float("nan"), r"temperature must be 0 .* got nan"),
        ("temperature", float("inf"), r"temperature must be 0 .* got inf"),
        ("top_k", -1, r"top_k must be 0 .* got -1"),
        ("top_k", 1.5, r"top_k must be 0 .* got 1.5"),
        ("top_k", True, r"top_k must be 0 .* got True"),
        ("top_p", 0.0, r"top_p must be in \(0, 1\].* got 0.0"),
        ("top_p", 1.1, r"top_p must be in \(0, 1\].* got 1.1"),
        ("min_p", -0.1, r"min_p must be in \[0, 1\].* got -0.1"),
        ("min_p", 2.0, r"min_p must be in \[0, 1\].* got 2.0"),
    ],
)
def test_knobs_out_of_range_are_refused(knob, value, message):
    with pytest.raises(ValueError, match=message):
        filters.check_filters(**NEUTRAL | {knob: value})


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("top_k", -1), ("top_p", 0.0)])
def test_processors_refuse_bad_knobs(name, value, logits):
    with pytest.raises(ValueError, match=f"{name} must be"):
        CASES[name][0](logits, value)
