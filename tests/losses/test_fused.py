"""Scores from hidden states: what the logits would give, in blocks of the vocabulary."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import from_hidden, from_logits

WIDTH, VOCAB = 8, 48
TEMPERATURE = 0.6


def case(dtype, *, spread=1.0):
    rng = np.random.default_rng(0)
    hidden, cotangents = rng.normal(size=(2, 5, WIDTH)), rng.normal(size=(2, 2, 5))
    kernel, tokens = spread * rng.normal(size=(VOCAB, WIDTH)), rng.integers(VOCAB, size=(2, 5))
    as_given = (jnp.asarray(x, dtype) for x in (hidden, kernel))
    return *as_given, jnp.asarray(tokens, jnp.int32), cotangents


def graded(function, cotangents, *arrays):
    """Values, and gradients of their sum weighted by `cotangents`."""
    values, pull = jax.vjp(function, *arrays)
    weights = (jnp.asarray(c, v.dtype) for c, v in zip(cotangents, values, strict=True))
    return *values, *pull(tuple(weights))


def plain(hidden, kernel, tokens):
    return from_logits(jnp.einsum("btd,vd->btv", hidden, kernel), tokens, temperature=TEMPERATURE)


@pytest.mark.parametrize("shards", [1, 2, 4])
@pytest.mark.parametrize("block_size", [1, 7, 16, 48, 100])
@pytest.mark.parametrize("vocab_axis", [0, 1])
def test_values_and_gradients_are_those_of_the_logits(vocab_axis, block_size, shards):
    with jax.enable_x64(True):
        hidden, kernel, tokens, cotangents = case(jnp.float64)
        wanted = graded(lambda h, k: plain(h, k, tokens), cotangents, hidden, kernel)

        def fused(hidden, kernel):
            kernel = kernel if vocab_axis == 0 else kernel.T
            return from_hidden(
                hidden, kernel, tokens, temperature=TEMPERATURE, vocab_axis=vocab_axis,
                block_size=block_size, shards=shards,
            )  # fmt: skip

        got = graded(jax.jit(fused), cotangents, hidden, kernel)
        for one, other in zip(got, wanted, strict=True):
            assert one.dtype == jnp.float64
            # Sums of 48 terms of size 1, in another order.
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


def test_extreme_logits_keep_their_digits():
    """Logits of hundreds, where most exponentials of a block underflow to zero."""
    hidden, kernel, tokens, cotangents = case(jnp.float32, spread=30.0)
    with jax.enable_x64(True):
        wide = (x.astype(jnp.float64) for x in (hidden, kernel))
        wanted = graded(lambda h, k: plain(h, k, tokens), cotangents, *wide)
    got = graded(
        lambda h, k: from_hidden(h, k, tokens, temperature=TEMPERATURE, block_size=5),
        cotangents, hidden, kernel,
    )  # fmt: skip
    for one, other in zip(got, wanted, strict=True):
        assert np.isfinite(one).all()
        # A float32 logit of 300 is known to 3e-5, and what follows from it no better.
        # Rows of the kernel of size 100 carry that into the gradient.
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


def test_low_precision_scores_in_float32():
    hidden, kernel, tokens, cotangents = case(jnp.bfloat16)
    logps, entropies, d_hidden, d_kernel = graded(
        lambda h, k: from_hidden(h, k, tokens, block_size=16), cotangents, hidden, kernel
    )
    assert (logps.dtype, entropies.dtype) == (jnp.float32, jnp.float32)
    assert (d_hidden.dtype, d_kernel.dtype) == (jnp.bfloat16, jnp.bfloat16)
    exact = (x.astype(jnp.float32) for x in (hidden, kernel))
    wanted, _ = from_logits(jnp.einsum("btd,vd->btv", *exact), tokens)
    np.testing.assert_allclose(logps, wanted, rtol=1e-5, atol=1e-5)


def test_memory_is_a_block_of_the_vocabulary():
    """A vocabulary eight times as large takes no more, but for the gradient that is asked for."""

    def temporaries(vocab):
        hidden, tokens = jnp.zeros((4, 64, 16)), jnp.zeros((4, 64), jnp.int32)
        gradient = jax.jit(
            jax.grad(lambda h, k: sum(x.sum() for x in from_hidden(h, k, tokens, block_size=64)),
                     argnums=(0, 1))
        )  # fmt: skip
        compiled: Any = gradient.lower(hidden, jnp.zeros((vocab, 16))).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporaries(8192) < 1.1 * temporaries(1024) < 8192 * 4 * 64 * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0.0}, r"temperature \(0.0\)"),
        ({"block_size": 0}, r"block_size \(0\)"),
        ({"shards": 5}, r"shards \(5\) must divide the vocabulary of 48"),
        ({"vocab_axis": 1}, r"hidden is \(2, 5, 8\), kernel \(48, 8\)"),
    ],
)
def test_impossible_knobs_are_refused(options, message):
    hidden, kernel, tokens, _ = case(jnp.float32)
    with pytest.raises(ValueError, match=message):
        from_hidden(hidden, kernel, tokens, **options)
