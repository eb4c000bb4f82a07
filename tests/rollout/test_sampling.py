"""Drawing tokens: frequencies, log-probabilities, greedy choice, randomness per row."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sage_jax.rollout import apply_filters, draw, greedy, sample, sampling

# Eager runs compile every operation by itself, which takes longer than the whole at once.
quick_sample = jax.jit(sample)
quick_categorical = jax.jit(sampling._categorical)


def chi_squared_p(counts, probs, *, least_expected=20.0):
    """p-value of counts under probs, rare outcomes pooled to at least `least_expected`."""
    expected = probs * counts.sum()
    order = np.argsort(-expected)
    bins = np.floor(np.cumsum(expected[order]) / least_expected).astype(int)
    big = expected[order] >= least_expected
    bins = np.where(big, np.arange(len(probs)), len(probs) + bins)
    _, inverse = np.unique(bins, return_inverse=True)
    observed = np.bincount(inverse, counts[order])
    hoped = np.bincount(inverse, expected[order])
    return stats.chisquare(observed, hoped * observed.sum() / hoped.sum()).pvalue


def counts_of(logits, number, *, chunk=10_000, seed=0):
    keys = jax.random.split(jax.random.key(seed), number).reshape(-1, chunk)
    many = jax.vmap(sample, (None, 0))
    tokens = jax.jit(lambda z: jax.lax.map(lambda part: many(z, part), keys))(logits)
    return np.bincount(np.asarray(tokens).ravel(), minlength=logits.shape[-1])


def probs_of(logits):
    weights = np.exp(np.asarray(logits, np.float64) - np.max(logits))
    return weights / weights.sum()


@pytest.mark.parametrize("size", [2, 7, 128, 129, 300])
def test_frequencies_match_the_distribution(size):
    logits = 1.5 * jax.random.normal(jax.random.key(size), (size,))
    assert chi_squared_p(counts_of(logits, 40_000), probs_of(logits)) > 1e-3


@pytest.mark.parametrize("size", [49_152, 50_257])
def test_frequencies_match_over_a_large_vocabulary(size):
    ranks = jax.random.permutation(jax.random.key(1), jnp.arange(1, size + 1))
    logits = -1.1 * jnp.log(ranks.astype(jnp.float32))
    assert chi_squared_p(counts_of(logits, 200_000), probs_of(logits)) > 1e-3


def test_frequencies_match_over_a_flat_large_vocabulary():
    # No token stands out, so every one of the sums' roundings would show as a slope over the ids.
    counts = counts_of(jnp.zeros(151_936), 200_000)
    parts = np.add.reduceat(counts, np.arange(0, 151_936, 1187))
    assert stats.chisquare(parts).pvalue > 1e-3


def test_frequencies_match_after_the_filters():
    logits = jax.random.normal(jax.random.key(2), (200,))
    filtered = apply_filters(logits, top_k=40, top_p=0.9, min_p=0.05)
    kept = np.isfinite(filtered)
    counts = counts_of(filtered, 40_000)
    assert counts[~kept].sum() == 0
    assert chi_squared_p(counts[kept], probs_of(filtered)[kept]) > 1e-3


@pytest.mark.parametrize("uniform", [0.0, 0.5, 1 - 2**-23])
@pytest.mark.parametrize("inside", [0.0, 0.5, 1 - 2**-23])
def test_no_uniform_number_picks_an_impossible_token(uniform, inside):
    possible = jax.random.bernoulli(jax.random.key(3), 0.02, (64, 4099))
    possible = possible.at[:, 17].set(True)
    noise = 20 * jax.random.normal(jax.random.key(4), possible.shape)
    uniforms = jnp.tile(jnp.array([[uniform, inside]]), (64, 1))
    tokens, _ = quick_categorical(jnp.where(possible, noise, -jnp.inf), uniforms)
    assert np.take_along_axis(np.asarray(possible), np.asarray(tokens)[:, None], 1).all()


def test_a_lone_token_is_always_drawn():
    for token in (0, 127, 128, 300):
        logits = jnp.full(301, -jnp.inf).at[token].set(-1e4)
        assert quick_sample(logits, jax.random.key(token)) == token


def test_rare_tokens_are_drawn_below_the_grid_of_one_uniform():
    # 100 tokens share the probability 2^-22; one uniform of 23 bits could reach two of them.
    logits = (
        jnp.full(228, -jnp.inf).at[0].set(0.0).at[128:].set(-22 * jnp.log(2.0) - jnp.log(100.0))
    )
    inside = jnp.linspace(0, 0.999, 100)
    uniforms = jnp.stack([jnp.full(100, 1 - 2**-23), inside], axis=1)
    tokens, _ = quick_categorical(jnp.tile(logits[None], (100, 1)), uniforms)
    assert len(set(tokens.tolist())) > 90


def test_one_key_serves_rows_independently():
    tokens = quick_sample(jnp.zeros((4, 500, 10)), jax.random.key(0))
    assert tokens.shape == (4, 500)
    assert tokens.dtype == jnp.int32
    assert stats.chisquare(np.bincount(tokens.ravel(), minlength=10)).pvalue > 1e-3


def test_a_row_depends_on_its_own_key_alone():
    logits = jax.random.normal(jax.random.key(5), (6, 400))
    keys = jax.random.split(jax.random.key(6), 6)
    rows = jnp.array([4, 1])
    whole, part = quick_sample(logits, keys), quick_sample(logits[rows], keys[rows])
    np.testing.assert_array_equal(whole[rows], part)


def test_keys_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"keys of shape \(3,\), got shape \(2,\)"):
        sample(jnp.zeros((3, 4)), jax.random.split(jax.random.key(0), 2))


def test_greedy_takes_the_first_of_the_largest():
    logits = jax.random.normal(jax.random.key(7), (5, 333)).at[0, 40].set(9).at[0, 30].set(9)
    np.testing.assert_array_equal(greedy(logits), np.argmax(logits, axis=-1))
    assert greedy(logits)[0] == 30


def test_greedy_of_not_a_number_is_still_a_token():
    assert 0 <= greedy(jnp.full((1, 5), jnp.nan))[0] < 5


KNOBS: dict[str, dict[str, Any]] = {
    "plain": {"temperature": 1.0},
    "hot": {"temperature": 1.7},
    "filtered": {"temperature": 0.6, "top_k": 20, "top_p": 0.8, "min_p": 0.1},
}


@pytest.mark.parametrize("name", KNOBS)
def test_logps_are_those_before_the_filters(name):
    options = KNOBS[name]
    logits = 4 * jax.random.normal(jax.random.key(8), (50, 300))
    keys = jax.random.split(jax.random.key(9), 50)
    tokens, logps = jax.jit(lambda z, k: draw(z, k, **options))(logits, keys)
    scaled = np.asarray(logits, np.float64) / options["temperature"]
    expected = scaled - np.logaddexp.reduce(scaled, axis=-1, keepdims=True)
    rows = np.arange(50)
    np.testing.assert_allclose(logps, expected[rows, tokens], atol=1e-5)
    assert logps.dtype == jnp.float32


def test_eager_equals_jit():
    options = KNOBS["filtered"]
    logits = 4 * jax.random.normal(jax.random.key(8), (50, 300))
    keys = jax.random.split(jax.random.key(9), 50)
    tokens, logps = draw(logits, keys, **options)
    jitted = jax.jit(lambda z, k: draw(z, k, **options))(logits, keys)
    np.testing.assert_array_equal(jitted[0], tokens)
    np.testing.assert_allclose(jitted[1], logps, atol=1e-6)


def test_temperature_zero_is_greedy_with_logps_of_temperature_one():
    logits = jax.random.normal(jax.random.key(10), (4, 30)).astype(jnp.bfloat16)
    tokens, logps = draw(
        logits, jax.random.split(jax.random.key(0), 4), temperature=0.0, top_k=3, min_p=0.5
    )
    z = np.asarray(logits, np.float64)
    np.testing.assert_array_equal(tokens, z.argmax(-1))
    np.testing.assert_allclose(logps, z.max(-1) - np.logaddexp.reduce(z, axis=-1), atol=1e-5)
