"""Kernels of attention, interpreted or by products, against the plain one they stand for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from sage_jax import models, parallel
from sage_jax.models import CuDNN, Splash, attend
from sage_jax.models.attention import Past

SPLASH, CUDNN = Splash(interpret=True), CuDNN("xla")

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


# Interpreting takes its time.
SLOW = pytest.param(SPLASH, marks=pytest.mark.slow, id="splash")
KERNELS = [pytest.param(SPLASH, id="splash"), pytest.param(CUDNN, id="cudnn")]
MOSTLY_FAST = [SLOW, KERNELS[1]]


@pytest.mark.parametrize("kernel", MOSTLY_FAST)
@pytest.mark.parametrize("case", CASES)
def test_the_kernel_gives_what_plain_attention_gives(kernel, case):
    arrays = some_case(*CASES[case])
    # Sums of up to 730 float32 products in another order.
    for one, other in zip(
        out_and_gradients(kernel, *arrays), out_and_gradients(attend, *arrays), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("kernel", MOSTLY_FAST)
def test_in_bfloat16_it_is_no_worse_than_plain_attention(kernel):
    sizes = (4, 2, 100, 40, 4, 2, 128)  # A width whose root is no power of two.
    half = some_case(*sizes, dtype=jnp.bfloat16)
    exact = out_and_gradients(attend, *jax.tree.map(upcast, half))
    # What stands in for cuDNN mixes dtypes.
    with jax.numpy_dtype_promotion("standard"):
        plain, by_kernel = (out_and_gradients(one, *half) for one in (attend, kernel))
    for true, one, other in zip(exact, by_kernel, plain, strict=True):
        assert np.abs(one - true).mean() < 1.5 * np.abs(other - true).mean()


def upcast(x):
    return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


@pytest.mark.parametrize("kernel", KERNELS)
def test_tokens_that_are_not_valid_get_zero(kernel):
    q, k, v, mask, past = some_case(4, 2, 100, 40, 4, 2, 64)
    out = kernel(q, k, v, mask, past=past)
    assert not np.asarray(out)[~np.asarray(mask[:, -1])].any()
    assert np.asarray(out)[np.asarray(mask[:, -1])].all()


@pytest.mark.parametrize(("kernel", "other"), [(Splash, Splash(True)), (CuDNN, CUDNN)])
def test_equal_kernels_are_equal(kernel, other):
    assert kernel() == kernel() != other
    assert hash(kernel()) == hash(kernel())


def test_a_row_without_a_token_does_not_spoil_the_gradients():
    q, k, v, mask, _ = some_case(2, 1, 5, 0, 2, 2, 8)
    mask = mask.at[0].set(False)
    for one in out_and_gradients(CUDNN, q, k, v, mask, None):
        assert np.isfinite(one).all()
        assert not one[0].any()


@pytest.fixture
def some_cudnn(monkeypatch):
    """Lets programs for GPUs be made where there is none; nothing else here asks for a version."""
    kernels = pytest.importorskip("jax._src.cudnn.fused_attention_stablehlo")
    monkeypatch.setattr(kernels, "check_cudnn_version", lambda: 91_000)


@pytest.mark.usefixtures("some_cudnn")
@pytest.mark.parametrize("devices", [1, 8])
def test_the_program_for_a_gpu_calls_the_flash_kernel(devices):
    """Without a bias, which would be [T, T]; each shard calls it for its rows and heads."""
    mesh = parallel.make_mesh(
        data=min(2, devices), tensor=-(-devices // 4), fsdp=min(2, devices),
        devices=jax.devices()[:devices],
    )  # fmt: skip
    function = parallel.MapHeads(CuDNN(), attend, mesh)
    q, k, v, mask, past = some_case(8, 2, 100, 40, 4, 2, 64, dtype=jnp.bfloat16)

    def loss(q, k, v):
        return function(q, k, v, mask, past=past).astype(jnp.float32).sum()

    traced = jax.jit(jax.grad(loss, argnums=(0, 1, 2))).trace(q, k, v)
    text = traced.lower(lowering_platforms=("cuda",)).as_text()
    assert "@__cudnn$fmhaSoftmaxBackward(" in text
    [call] = [line for line in text.splitlines() if "@__cudnn$fmhaSoftmax(" in line]
    rows, heads = 8 // parallel.row_shards(mesh), 4 // mesh.shape["tensor"]
    assert f"(tensor<{rows}x140x{heads}x64xbf16>, " in call


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("together", [False, True], ids=["whole rows", "prompts once"])
def test_a_model_computes_the_same_by_either(kernel, together):
    config = models.ModelConfig(
        family="granite", attention_multiplier=0.1, vocab_size=50, hidden_size=32,
        intermediate_size=48, num_layers=2, num_heads=4, num_kv_heads=2, head_dim=16,
        rms_norm_eps=1e-6, rope_theta=1e4, tie_embeddings=True, max_positions=64,
        eos_ids=(2,), pad_id=0,
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

    one, other = hidden(kernel), hidden(attend)
    seen = np.asarray(valid)
    np.testing.assert_allclose(np.asarray(one)[seen], np.asarray(other)[seen], rtol=1e-4, atol=1e-5)
