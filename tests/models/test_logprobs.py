import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax.models import merge, token_logps


@pytest.fixture
def case(make_model, make_batch):
    config, graphdef, params = make_model("granite")  # Its logits are divided by a number.
    tokens, _, _ = make_batch(2, 11)
    hidden = jax.random.normal(jax.random.key(5), (2, 11, config.hidden_size))
    return graphdef, params, hidden, tokens


def naive(graphdef, params, hidden, tokens, temperature):
    logits = merge(graphdef, params).unembed(hidden) / temperature
    logps = jax.nn.log_softmax(logits, axis=-1)
    chosen = jnp.take_along_axis(logps, tokens[..., None], axis=-1)[..., 0]
    return chosen, -jnp.sum(jnp.exp(logps) * logps, axis=-1)


@pytest.mark.parametrize("block_size", [1, 4, 11, 100])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_values_and_gradients_equal_the_naive_ones(case, block_size, temperature):
    graphdef, params, hidden, tokens = case
    weights = jnp.asarray(np.random.default_rng(0).standard_normal((2, 2, 11)), jnp.float32)

    def blocked(params, hidden):
        model = merge(graphdef, params)
        return token_logps(model, hidden, tokens, temperature=temperature, block_size=block_size)

    def plain(params, hidden):
        return naive(graphdef, params, hidden, tokens, temperature)

    def gradient(f):
        return jax.grad(lambda *a: jnp.sum(jnp.stack(f(*a)) * weights), (0, 1))(params, hidden)

    for got, want in zip(blocked(params, hidden), plain(params, hidden), strict=True):
        assert got.dtype == jnp.float32
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5)
    for got, want in zip(
        jax.tree.leaves(gradient(blocked)), jax.tree.leaves(gradient(plain)), strict=True
    ):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=2e-5)


def test_jit_equals_eager(case):
    graphdef, params, hidden, tokens = case

    def run(params, hidden):
        return token_logps(merge(graphdef, params), hidden, tokens, block_size=4)

    for a, b in zip(run(params, hidden), jax.jit(run)(params, hidden), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_all_logits_are_never_held(case):
    graphdef, params, hidden, tokens = case

    def loss(params, hidden):
        return token_logps(merge(graphdef, params), hidden, tokens, block_size=3)[0].sum()

    text = jax.jit(jax.grad(loss, (0, 1))).lower(params, hidden).as_text()
    assert "2x11x1x3xf32" in text
    assert "2x11x48xf32" not in text
    assert "2x11x1x48xf32" not in text


@pytest.mark.parametrize(
    ("options", "message"),
    [({"temperature": 0.0}, r"temperature \(0.0\)"), ({"block_size": 0}, r"block_size \(0\)")],
)
def test_impossible_knobs_are_refused(case, options, message):
    graphdef, params, hidden, tokens = case
    with pytest.raises(ValueError, match=message):
        token_logps(merge(graphdef, params), hidden, tokens, **options)


def test_shapes_that_disagree_are_refused(case):
    graphdef, params, hidden, tokens = case
    with pytest.raises(ValueError, match=r"tokens \(2, 10\); want \[..., 32\]"):
        token_logps(merge(graphdef, params), hidden, tokens[:, 1:])
