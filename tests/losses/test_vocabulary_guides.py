"""The guides `tempered` and `support` against NumPy, and what they refuse."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import Terms, guides, recipes, reverse_kl

pytestmark = pytest.mark.usefixtures("x64")
MASK = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], bool)


@pytest.fixture
def reference():
    """Logits [3, 4, 6], NaN under the mask, one token that is never given; and probabilities."""
    logits = 2.0 * np.random.default_rng(5).normal(size=(3, 4, 6))
    logits[..., 4] = -np.inf
    probs = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    return np.where(MASK[..., None], logits, np.nan), probs


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_tempered_equals_numpy(reference, dtype, jit):
    _, probs = reference
    ref_logps = np.where(MASK, np.log(probs[..., 0]), np.nan)
    function = functools.partial(guides.tempered, phi=0.7)
    found = (jax.jit(function) if jit else function)(
        jnp.asarray(ref_logps, dtype), jnp.asarray(MASK)
    )
    assert found.dtype == dtype
    np.testing.assert_allclose(found, np.where(MASK, -0.3 * ref_logps, 0.0), atol=1e-6)


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("phi", [0.0, 0.4, 1.0])
def test_tempered_over_the_vocabulary_is_the_normalised_power(reference, phi, jit):
    logits, probs = reference
    function = functools.partial(guides.tempered_vocabulary, phi=phi)
    log_q = (jax.jit(function) if jit else function)(jnp.asarray(logits), jnp.asarray(MASK))
    power = np.where(probs > 0, probs**phi, 0.0)
    expected = np.where(MASK[..., None], power / power.sum(-1, keepdims=True), probs)
    np.testing.assert_allclose(probs * np.exp(log_q), expected, atol=1e-12)
    assert np.all(np.isfinite(log_q))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
@pytest.mark.parametrize("top_k", [1, 3, 6])
def test_support_equals_numpy(reference, top_k, jit):
    logits, probs = reference
    function = functools.partial(guides.support, top_k=top_k, floor=0.25)
    log_q = (jax.jit(function) if jit else function)(jnp.asarray(logits), jnp.asarray(MASK))
    order = np.argsort(-probs, axis=-1)
    q = np.full(probs.shape, 0.25)
    np.put_along_axis(q, order[..., :top_k], 1.0, axis=-1)
    shaped = q * probs
    expected = np.where(MASK[..., None], shaped / shaped.sum(-1, keepdims=True), probs)
    np.testing.assert_allclose(probs * np.exp(log_q), expected, atol=1e-12)


def test_phi_goes_by_position_or_entropy():
    late = np.array([[0, 1, 1, 1, 1], [1, 1, 1, 1, 1]], bool)
    found = guides.phi_by_position(jnp.asarray(late), phi=0.2, ramp=4)
    np.testing.assert_allclose(found[late], [0.2, 0.4, 0.6, 0.8, 0.2, 0.4, 0.6, 0.8, 1.0])
    entropies = jnp.asarray([[0.3, 1.2, 2.0]])
    found = guides.phi_by_entropy(entropies, phi=0.2, threshold=1.2)
    np.testing.assert_allclose(found, [[1.0, 0.2, 0.2]])


def _terms(probs, logits, **fields):
    logps = jnp.log(jnp.asarray(probs[..., 0]))
    return Terms(
        logps, jnp.asarray(MASK), ref_logps=logps, ref_logits=jnp.asarray(logits), **fields
    )


@pytest.mark.parametrize("over", ["token", "vocabulary"])
@pytest.mark.parametrize("by", [{}, {"ramp": 3}, {"threshold": 1.0}, {"by_reward": True}], ids=str)
def test_the_guide_puts_phi_where_it_was_asked_to(reference, over, by):
    logits, probs = reference
    with np.errstate(divide="ignore", invalid="ignore"):
        entropies = -np.nansum(probs * np.log(probs), axis=-1)
    assert (entropies[MASK] < 1.0).any()
    assert (entropies[MASK] >= 1.0).any()
    rewards = np.array([1.0, 0.25, 7.0])
    terms = _terms(
        probs, logits, ref_entropies=jnp.asarray(entropies), rewards=jnp.asarray(rewards)
    )
    phi = np.full(MASK.shape, 0.4)
    if "ramp" in by:
        phi = np.broadcast_to(0.4 + 0.6 * np.minimum(np.arange(4) / 3, 1), MASK.shape)
    if "threshold" in by:
        phi = np.where(entropies >= 1.0, 0.4, 1.0)
    if "by_reward" in by:
        phi = np.broadcast_to(0.4 + 0.6 * np.minimum(rewards, 1.0)[:, None], MASK.shape)
    guide = guides.tempered_guide(phi=0.4, over=over, **by)
    found = guide(terms, step=0, key=None)
    log_probs = np.log(probs[..., 0])
    if over == "token":
        expected = (phi - 1.0) * log_probs
    else:
        power = np.where(probs > 0, probs ** phi[..., None], 0.0).sum(-1)
        found, expected = found[..., 0], (phi - 1.0) * log_probs - np.log(power)
    np.testing.assert_allclose(found, np.where(MASK, expected, 0.0), atol=1e-12)
    assert guide.depends_on == over
    needed = {"ref_logps" if over == "token" else "ref_logits"}
    assert guide.needs == needed | ({"ref_entropies"} if "threshold" in by else set())


def test_what_looks_at_the_vocabulary_asks_for_logits(reference):
    for guide in (guides.support_guide(), guides.tempered_guide(over="vocabulary")):
        loss = recipes.sage(guide, divergence=reverse_kl(estimator="exact"))
        assert loss.full_vocabulary
        assert loss.needs >= {"ref_logits", "tokens"}
        # Its anchor is normalised, so a sampled estimator may have it too.
        assert recipes.sage(guide).full_vocabulary
    assert not recipes.sage(guides.tempered_guide()).full_vocabulary


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: guides.tempered_guide(phi=1.1), "phi is 1.1; 0 <= phi <= 1 must hold"),
        (lambda: guides.tempered_guide(ramp=0), "ramp is 0; it must be 1 or more"),
        (lambda: guides.tempered_guide(threshold=-1.0), "threshold is -1.0; it must be 0 or more"),
        (
            lambda: guides.tempered_guide(ramp=3, threshold=1.2),
            "ramp is 3, threshold is 1.2 and by_reward is False; phi goes by one of them",
        ),
        (lambda: guides.tempered_guide(over="row"), "over is 'row'; it must be token or vocab"),  # pyright: ignore
        (lambda: guides.support_guide(top_k=0), "top_k is 0; it must be 1 or more"),
        (lambda: guides.support_guide(floor=0.0), "floor is 0.0; 0 < floor <= 1 must hold"),
    ],
)
def test_refused_with_a_message(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_support_larger_than_the_vocabulary_is_refused(reference):
    logits, probs = reference
    with pytest.raises(ValueError, match="top_k is 8; the vocabulary has 6 tokens"):
        guides.support_guide()(_terms(probs, logits), step=0, key=None)
