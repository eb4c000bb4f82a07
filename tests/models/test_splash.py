"""The TPU's kernel, interpreted, against the plain attention that it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import models
from sage_jax.models import Splash, attend
from sage_jax.models.attention import Past

INTERPRETED = Splash(interpret=True)

# rows, rows of a group, tokens, tokens of the past, heads, heads of keys, width
CASES = {
    "no past": (2, 1, 128, 0, 2, 2, 32),
    "groups that share a past": (4, 2, 100, 40, 4, 2, 64),
    "more than a block": (2, 2, 600, 130, 2, 1, 16),
    "a single token": (2, 1, 1, 3, 2, 1, 8),
}


def some_case(rows, group, tokens, before, heads, kv_heads, width, dtype=jnp.float32):
    """q, k, v, a causal mask of rows of several lengths, and a past that is left-padded."""
    keys = iter(jax.random.split(jax.random.key(0), 8))
    q, k, v = (
        jax.random.normal(next(keys), shape, dtype)
        for shape in (
            (rows, tokens, heads, width),
            (rows, kv_heads, width, tokens),
            (rows, kv_heads, tokens, width),
        )
    )
    lengths = jax.random.randint(next(keys), (rows, 1), 1, tokens + 1)
    valid = jnp.arange(tokens)[None] < lengths
    mask = jnp.tril(jnp.ones((tokens, tokens), bool))[None] & valid[:, None]
    if not before:
        return q, k, v, mask, None
    groups = rows // group
    lengths = jax.random.randint(next(keys), (groups, 1), 1, before + 1)
    past = Past(
        jax.random.normal(next(keys), (groups, kv_heads, width, before), dtype),
        jax.random.normal(next(keys), (groups, kv_heads, before, width), dtype),
        jnp.arange(before)[None] >= before - lengths,
    )
    return q, k, v, mask, past


def out_and_gradients(function, q, k, v, mask, past):
    """What valid tokens get, and the gradients of a sum of it."""
    valid = mask[:, -1, :, None, None]
    weights = jax.random.normal(jax.random.key(1), q.shape)

    def loss(q, k, v, read):
        seen = past and past._replace(**read)
        out = jnp.where(valid, function(q, k, v, mask, past=seen).astype(jnp.float32), 0)
        return jnp.sum(out * weights), out

    read = past and {"keys": past.keys, "values": past.values}
    gradients, out = jax.jit(jax.grad(loss, argnums=(0, 1, 2, 3), has_aux=True))(q, k, v, read)
    return [np.asarray(x, np.float32) for x in (out, *jax.tree.leaves(gradients))]


@pytest.mark.parametrize(
    "case", ["no past", *(pytest.param(c, marks=pytest.mark.slow) for c in [*CASES][1:])]
)
def test_the_kernel_gives_what_plain_attention_gives(case):
    arrays = some_case(*CASES[case])
    # Sums of up to 730 float32 products in another order.
    for one, other in zip(
        out_and_gradients(INTERPRETED, *arrays), out_and_gradients(attend, *arrays), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=5e-6)


@pytest.mark.slow
def test_in_bfloat16_it_is_no_worse_than_plain_attention():
    sizes = (4, 2, 100, 40, 4, 2, 128)  # A width whose root is no power of two.
    half = some_case(*sizes, dtype=jnp.bfloat16)
    exact = out_and_gradients(attend, *jax.tree.map(upcast, half))
    plain, kernel = out_and_gradients(attend, *half), out_and_gradients(INTERPRETED, *half)
    for true, one, other in zip(exact, kernel, plain, strict=True):
        assert np.abs(one - true).mean() < 1.5 * np.abs(other - true).mean()


def upcast(x):
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def test_tokens_that_are_not_valid_get_zero():
    q, k, v, mask, past = some_case(4, 2, 100, 40, 4, 2, 64)
    out = INTERPRETED(q, k, v, mask, past=past)
    assert not np.asarray(out)[~np.asarray(mask[:, -1])].any()
    assert np.asarray(out)[np.asarray(mask[:, -1])].all()


def test_equal_kernels_are_equal():
    assert Splash() == Splash() != Splash(interpret=True)
    assert hash(Splash()) == hash(Splash())


@pytest.mark.parametrize(
    "together",
    [pytest.param(False, marks=pytest.mark.slow), True],
    ids=["whole rows", "prompts once"],
)
def test_a_model_computes_the_same_by_either(together):
    config = models.ModelConfig(
        family="qwen3", vocab_size=50, hidden_size=32, intermediate_size=48, num_layers=2,
        num_heads=4, num_kv_heads=2, head_dim=16, rms_norm_eps=1e-6, rope_theta=1e4,
        tie_embeddings=True, max_positions=64, eos_ids=(2,), pad_id=0,
    )  # fmt: skip
    _, params = models.init(config, jax.random.key(0))
    params = jax.tree.map(lambda x: 3 * x, params)
    prompts = jax.random.randint(jax.random.key(1), (2, 9), 3, 50)
    tokens = jax.random.randint(jax.random.key(2), (4, 7), 3, 50)
    prompt_valid = jnp.arange(9)[None] >= jnp.array([[0], [4]])
    valid = jnp.arange(7)[None] < jnp.array([[7], [2], [5], [1]])

    def hidden(attention):
        model = models.merge(models.build_graphdef(config, attend=attention), params)
        if together:
            return model.continue_prompts(prompts, prompt_valid, tokens, valid)[1]
        return model(tokens, jnp.arange(7)[None] + jnp.zeros((4, 1), jnp.int32), valid)[0]

    one, other = hidden(INTERPRETED), hidden(attend)
    seen = np.asarray(valid)
    np.testing.assert_allclose(np.asarray(one)[seen], np.asarray(other)[seen], rtol=1e-4, atol=1e-5)
