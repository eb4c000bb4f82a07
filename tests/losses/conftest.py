"""Batches of random completions for the tests of the losses."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms, from_logits

Arrays = dict[str, np.ndarray]


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def make_arrays() -> Callable[..., Arrays]:
    """Logits of the policy, the one before and the reference, tokens, mask and advantages."""

    def make(seed: int, batch: int = 8, length: int = 7, vocab: int = 11) -> Arrays:
        rng = np.random.default_rng(seed)
        logits = 2.0 * rng.normal(size=(batch, length, vocab))
        ends = rng.integers(1, length + 1, size=batch)
        ends[0] = length
        return {
            "logits": logits,
            "old_logits": logits + 0.3 * rng.normal(size=logits.shape),
            "ref_logits": logits + 0.5 * rng.normal(size=logits.shape),
            "tokens": rng.integers(0, vocab, size=(batch, length)).astype(np.int32),
            "mask": (np.arange(length) < ends[:, None]).astype(np.float64),
            "advantages": rng.normal(size=batch),
            "noise": 0.4 * rng.normal(size=(batch, length)),
            "rows": np.arange(batch, dtype=np.int32),
        }

    return make


@pytest.fixture(scope="session")
def make_terms() -> Callable[..., Terms]:
    """Terms with every array that any loss reads; differentiable through `logits`."""

    def make(logits: jax.Array, arrays: Arrays, *, vocabulary: bool = True) -> Terms:
        def real(name: str) -> jax.Array:
            return jnp.asarray(arrays[name], logits.dtype)

        mask, tokens = real("mask"), jnp.asarray(arrays["tokens"])
        logps, entropies = from_logits(logits, tokens, mask)
        old_logps, _ = from_logits(real("old_logits"), tokens, mask)
        ref_logps, ref_entropies = from_logits(real("ref_logits"), tokens, mask)
        return Terms(
            logps=logps,
            mask=mask,
            advantages=real("advantages"),
            old_logps=old_logps,
            ref_logps=ref_logps,
            entropies=entropies,
            ref_entropies=ref_entropies,
            sampler_logps=old_logps + real("noise"),
            tokens=tokens,
            logits=logits if vocabulary else None,
            ref_logits=real("ref_logits") if vocabulary else None,
            rows=jnp.asarray(arrays["rows"]),
        )

    return make
