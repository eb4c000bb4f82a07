"""What each estimator does in expectation, by enumerating a small vocabulary.

One position, V tokens: row v of a batch holds token v, and is weighted by π(v), held constant. The
gradient of the weighted sum is then the expected gradient of the loss under sampling from π.
"""

import itertools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.losses import (
    Guide,
    InertGuideWarning,
    Mean,
    Terms,
    TokenLoss,
    anchors,
    by_name,
    chain,
    clipped_surrogate,
    forward_kl,
    from_logits,
    gates,
    guides,
    kl,
    objective,
    recipes,
    reshape,
    reverse_kl,
)

V = 5
TOKENS = jnp.arange(V, dtype=jnp.int32)[:, None]
pytestmark = pytest.mark.usefixtures("x64")


@pytest.fixture
def problem():
    rng = np.random.default_rng(11)
    logits, ref_logits = jnp.asarray(rng.normal(size=(2, V)))
    log_q = jnp.asarray(np.log(rng.uniform(0.6, 1.4, size=V)))
    return logits, ref_logits, log_q


def _guide(log_q: jax.Array) -> Guide:
    """A q of every token, [V] -> [B, T, V]."""
    return Guide(
        lambda terms, *, step, key: jnp.broadcast_to(log_q, terms.logits.shape),
        "test",
        "vocabulary",
    )


def _expected(token_loss: TokenLoss, logits, ref_logits, *, guide=None, rewards=None):
    """Expected gradient with respect to the logits, [V]."""
    weights = jax.nn.softmax(logits)
    advantages = jnp.zeros(V) if rewards is None else rewards
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InertGuideWarning)
        loss = objective(
            token_loss,
            lambda losses, terms: Mean(jnp.sum(losses[:, 0] * weights), jnp.ones(())),
            transform=None if guide is None else reshape(guide),
        )

    def value(logits):
        shape = (V, 1, V)
        rows, ref_rows = jnp.broadcast_to(logits, shape), jnp.broadcast_to(ref_logits, shape)
        logps, entropies = from_logits(rows, TOKENS)
        ref_logps, ref_entropies = from_logits(ref_rows, TOKENS)
        terms = Terms(
            logps=logps,
            mask=jnp.ones((V, 1)),
            advantages=advantages,
            ref_logps=ref_logps,
            entropies=entropies,
            ref_entropies=ref_entropies,
            tokens=TOKENS,
            logits=rows,
            ref_logits=ref_rows,
        )
        return loss(terms, step=0, key=jax.random.key(0))[0].value()

    return jax.grad(value)(logits)


def _pull(weights: jax.Array, logits: jax.Array) -> jax.Array:
    """−Σ_v weights(v) ∇log π(v)."""
    return jax.grad(lambda x: -jnp.sum(weights * jax.nn.log_softmax(x)))(logits)


def _reverse(logits, ref_logits, log_q):
    """∇KL(π ‖ q π_ref / Z), written out."""

    def value(x):
        log_probs = jax.nn.log_softmax(x)
        anchor = jax.nn.log_softmax(jax.nn.log_softmax(ref_logits) + log_q)
        return jnp.sum(jnp.exp(log_probs) * (log_probs - anchor))

    return jax.grad(value)(logits)


def _close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "token_loss",
    [reverse_kl(estimator="k3"), forward_kl(), forward_kl(full_vocabulary=True)],
    ids=["k3", "forward", "forward exact"],
)
def test_k3_pulls_like_the_forward_kl_weighted_by_q(problem, token_loss):
    logits, ref_logits, log_q = problem
    found = _expected(token_loss, logits, ref_logits, guide=_guide(log_q))
    _close(found, _pull(jnp.exp(log_q) * jax.nn.softmax(ref_logits), logits))


def test_k3_with_a_prefix_guide_is_a_multiplier_of_kl_coef(problem):
    logits, ref_logits, _ = problem
    guide = guides.branch_guide(ratio=0.5, threshold=0.9)
    _, entropies = from_logits(logits[None, None], TOKENS[:1])
    q = 1.0 + 0.5 * (entropies[0, 0] - 0.9)
    assert 1.0 < q < 1.4
    plain = _expected(reverse_kl(), logits, ref_logits)
    _close(_expected(reverse_kl(), logits, ref_logits, guide=guide), q * plain)


def test_k3_with_a_gate_is_a_small_multiplier_below_the_threshold(problem):
    logits, ref_logits, _ = problem
    _, entropies = from_logits(ref_logits[None, None], TOKENS[:1])
    plain = _expected(reverse_kl(), logits, ref_logits)
    for threshold, q in ((float(entropies[0, 0]) + 0.1, 0.1), (float(entropies[0, 0]) - 0.1, 1.0)):
        guide = guides.gated_guide(threshold=threshold)
        _close(_expected(reverse_kl(), logits, ref_logits, guide=guide), q * plain)


@pytest.mark.parametrize("estimator", ["k2", "k3", "exact"])
def test_a_gate_on_the_coefficient_acts_under_every_estimator(problem, estimator):
    logits, ref_logits, _ = problem
    _, entropies = from_logits(ref_logits[None, None], TOKENS[:1])
    token_loss, height = reverse_kl(estimator=estimator), float(entropies[0, 0])
    for threshold, q in ((height + 0.1, 0.1), (height - 0.1, 1.0)):
        gate = by_name.gate(gates.entropy, threshold=threshold)
        found = _expected(anchors.gate(token_loss, gate), logits, ref_logits)
        _close(found, q * _expected(token_loss, logits, ref_logits))


def test_k1_in_the_loss_has_an_expected_gradient_of_zero(problem):
    logits, ref_logits, log_q = problem
    token_loss = reverse_kl(estimator="k1")
    _close(_expected(token_loss, logits, ref_logits), 0.0)
    _close(_expected(token_loss, logits, ref_logits, guide=_guide(log_q)), 0.0)


@pytest.mark.parametrize(
    "token_loss",
    [
        reverse_kl(estimator="k2"),
        reverse_kl(estimator="exact"),
        reverse_kl(estimator="exact", renormalize=False),
    ],
    ids=["k2", "exact", "exact, as it is"],
)
def test_k2_and_exact_follow_the_reverse_kl(problem, token_loss):
    logits, ref_logits, log_q = problem
    found = _expected(token_loss, logits, ref_logits, guide=_guide(log_q))
    _close(found, _reverse(logits, ref_logits, log_q))
    constant = _expected(token_loss, logits, ref_logits, guide=_guide(jnp.full(V, np.log(1.3))))
    _close(constant, _expected(token_loss, logits, ref_logits))
    for prefix in (guides.branch_guide(ratio=0.5, threshold=0.2), guides.gated_guide(threshold=9)):
        _close(_expected(token_loss, logits, ref_logits, guide=prefix), constant)


def test_forward_kl_to_the_renormalised_anchor_ignores_a_constant_guide(problem):
    logits, ref_logits, _ = problem
    token_loss = forward_kl(full_vocabulary=True, renormalize=True)
    guide = guides.branch_guide(ratio=0.5, threshold=0.2)
    found = _expected(token_loss, logits, ref_logits, guide=guide)
    _close(found, _pull(jax.nn.softmax(ref_logits), logits))


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_a_guide_warned_about_is_one_that_does_nothing(problem, estimator):
    logits, ref_logits, _ = problem
    token_loss, guide = reverse_kl(estimator=estimator), guides.branch_guide(threshold=0.2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recipes.sage(guide, divergence=token_loss)
    moved = _expected(token_loss, logits, ref_logits, guide=guide)
    moves = np.abs(moved - _expected(token_loss, logits, ref_logits)).max() > 1e-6
    assert moves == (not caught)


def test_sampled_values_have_the_divergences_as_their_means(problem):
    logits, ref_logits, log_q = problem
    log_probs, reference = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits)
    anchor, probs = reference + log_q, jnp.exp(log_probs)
    reverse = kl.exact(logits, ref_logits, log_q, renormalize=False)
    excess = jnp.sum(jnp.exp(anchor)) - 1.0
    _close(jnp.sum(probs * kl.k1(log_probs, anchor)), reverse)
    _close(jnp.sum(probs * kl.k3(log_probs, anchor)), reverse + excess)
    forward = kl.forward_exact(logits, ref_logits, log_q)
    _close(jnp.sum(probs * kl.forward(log_probs, anchor)), forward - excess)
    renormalized = kl.exact(logits, ref_logits, log_q)
    _close(renormalized, reverse + jnp.log(jnp.sum(jnp.exp(anchor))))
    assert renormalized >= 0


def test_kl_in_the_reward_follows_the_reverse_kl(problem):
    logits, ref_logits, log_q = problem
    rewards, kl_coef = jnp.linspace(-1.0, 1.0, V), 0.3
    log_probs, anchor = jax.nn.log_softmax(logits), jax.nn.log_softmax(ref_logits) + log_q
    column = np.s_[:, None]
    penalized = kl.penalize_rewards(
        rewards, log_probs[column], anchor[column], jnp.ones((V, 1)), kl_coef=kl_coef
    )
    found = _expected(clipped_surrogate(), logits, ref_logits, rewards=penalized)
    gain = jax.grad(lambda x: jnp.sum(jax.nn.softmax(x) * rewards))(logits)
    _close(found, -gain + kl_coef * _reverse(logits, ref_logits, log_q))


def test_in_the_reward_a_prefix_guide_is_an_exploration_bonus():
    """Two tokens: the second one's q depends on the first, and so pays for choosing it."""
    size, kl_coef = 3, 0.3
    rng = np.random.default_rng(4)
    first, second, ref_first, ref_second = (
        jnp.asarray(rng.normal(size=shape)) for shape in [(size,), (size, size)] * 2
    )
    pairs = jnp.asarray(list(itertools.product(range(size), repeat=2)), jnp.int32)
    guide = guides.branch_guide(ratio=0.9, threshold=0.5)

    def terms_of(first, second):
        rows = jnp.stack([jnp.broadcast_to(first, (size**2, size)), second[pairs[:, 0]]], axis=1)
        ref_rows = [jnp.broadcast_to(ref_first, (size**2, size)), ref_second[pairs[:, 0]]]
        logps, entropies = from_logits(rows, pairs)
        ref_logps, _ = from_logits(jnp.stack(ref_rows, axis=1), pairs)
        return Terms(logps, jnp.ones(pairs.shape), ref_logps=ref_logps, entropies=entropies)

    def gradient(guide):
        here = terms_of(first, second)
        rewards = recipes.anchored_rewards(
            jnp.zeros(size**2), here, kl_coef=kl_coef, step=0, key=None, guide=guide
        )
        weights = jnp.exp(jnp.sum(here.logps, axis=1))
        return jax.grad(
            lambda x, y: jnp.sum(weights * rewards * jnp.sum(terms_of(x, y).logps, axis=1)), (0, 1)
        )(first, second)

    log_q = reshape(guide)(terms_of(first, second), step=0, key=None).log_q
    assert log_q is not None

    def bonus(x, y):
        probability = jnp.exp(jnp.sum(terms_of(x, y).logps, axis=1))
        return kl_coef * jnp.sum(probability * jnp.sum(log_q, axis=1))

    guided, plain = gradient(guide), gradient(None)
    expected = jax.grad(bonus, (0, 1))(first, second)
    assert np.abs(expected[0]).max() > 1e-4
    _close(guided[0] - plain[0], expected[0])
    _close(guided[1] - plain[1], 0.0)
    _close(expected[1], 0.0)


def _descend(step, logits, *, rate: float, steps: int):
    return jax.lax.fori_loop(0, steps, lambda _, x: x - rate * step(x), logits)


@pytest.mark.parametrize("kind", ["exact, as it is", "exact renormalised", "in the reward"])
def test_descent_reaches_the_closed_form_optimum(problem, kind):
    """π* ∝ q · π_ref · exp(r / β), for the expected gradient of the sampled loss."""
    logits, ref_logits, log_q = problem
    rewards, kl_coef = jnp.asarray([1.0, 0.0, 0.0, 1.0, 0.5]), 0.5
    surrogate = clipped_surrogate()
    if kind == "in the reward":
        anchor = (jax.nn.log_softmax(ref_logits) + log_q)[:, None]

        def gradient(x):
            logps = jax.nn.log_softmax(x)[:, None]
            ones = jnp.ones((V, 1))
            paid = kl.penalize_rewards(rewards, logps, anchor, ones, kl_coef=kl_coef)
            return _expected(surrogate, x, ref_logits, rewards=paid)
    else:
        loss = surrogate + kl_coef * reverse_kl(
            estimator="exact", renormalize="renormalised" in kind
        )

        def gradient(x):
            return _expected(loss, x, ref_logits, guide=_guide(log_q), rewards=rewards)

    found = jax.nn.softmax(jax.jit(lambda x: _descend(gradient, x, rate=1.0, steps=3000))(logits))
    optimum = jax.nn.softmax(jax.nn.log_softmax(ref_logits) + log_q + rewards / kl_coef)
    np.testing.assert_allclose(found, optimum, rtol=0, atol=1e-8)
    unguided = jax.nn.softmax(jax.nn.log_softmax(ref_logits) + rewards / kl_coef)
    assert np.abs(unguided - optimum).max() > 0.02


@pytest.mark.parametrize(
    ("guide", "estimator"),
    [
        (guides.tempered_guide(phi=0.4), "k2"),
        (guides.tempered_guide(phi=0.4, over="vocabulary"), "k2"),
        (guides.tempered_guide(phi=0.4, over="vocabulary"), "exact"),
        (guides.support_guide(top_k=2, floor=0.3), "exact"),
    ],
    ids=["tempered k2", "normalised k2", "tempered exact", "support exact"],
)
def test_descent_reaches_the_optimum_of_the_anchor_that_a_guide_describes(
    problem, guide, estimator
):
    """π* ∝ π_ref^φ · exp(r / β), and ∝ floor · π_ref · exp(r / β) outside of the support."""
    logits, ref_logits, _ = problem
    rewards, kl_coef = jnp.asarray([1.0, 0.0, 0.0, 1.0, 0.5]), 0.5
    loss = clipped_surrogate() + kl_coef * reverse_kl(estimator=estimator)

    def gradient(x):
        return _expected(loss, x, ref_logits, guide=guide, rewards=rewards)

    found = jax.nn.softmax(jax.jit(lambda x: _descend(gradient, x, rate=1.0, steps=4000))(logits))
    log_probs = jax.nn.log_softmax(ref_logits)
    outside = jnp.zeros(V).at[jnp.argsort(log_probs)[:3]].set(1.0)
    shaped = 0.4 * log_probs if guide.name == "tempered" else log_probs + outside * np.log(0.3)
    optimum = jax.nn.softmax(shaped + rewards / kl_coef)
    np.testing.assert_allclose(found, optimum, rtol=0, atol=1e-8)
    unguided = jax.nn.softmax(log_probs + rewards / kl_coef)
    assert np.abs(unguided - optimum).max() > 0.02


@pytest.mark.parametrize("over", ["token", "vocabulary"])
def test_k3_pulls_towards_the_tempered_reference(problem, over):
    logits, ref_logits, _ = problem
    guide = guides.tempered_guide(phi=0.4, over=over)
    anchor = jax.nn.softmax(ref_logits) ** 0.4
    anchor = anchor / jnp.sum(anchor) if over == "vocabulary" else anchor
    _close(_expected(reverse_kl(), logits, ref_logits, guide=guide), _pull(anchor, logits))


def test_guides_chain_to_the_product_of_their_q(problem):
    logits, _, log_q = problem
    rows = jnp.broadcast_to(logits, (V, 1, V))
    logps, entropies = from_logits(rows, TOKENS)
    terms = Terms(
        logps, jnp.ones((V, 1)), ref_logps=logps, entropies=entropies, tokens=TOKENS, logits=rows
    )
    flat = guides.branch_guide(threshold=0.2)
    for order in ([flat, _guide(log_q), flat], [flat, flat, _guide(log_q)]):
        shaped = chain(*map(reshape, order))(terms, step=0, key=None)
        once = guides.branch(entropies, terms.mask, threshold=0.2)
        assert shaped.vocab_log_q is not None
        _close(shaped.log_q, 2.0 * once + log_q[:, None])
        _close(shaped.vocab_log_q, 2.0 * once[..., None] + log_q[None, None])
        _close(shaped.anchor_logps, logps + 2.0 * once + log_q[:, None])
