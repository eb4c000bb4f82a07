"""RoPE, RMSNorm, attention and the whole block stack against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from sage_jax.models import Transformer, merge
from sage_jax.models.attention import attend
from sage_jax.models.layers import RMSNorm
from sage_jax.models.rope import angles, frequencies, rotate


def numpy_frequencies(config):
    out = []
    for i in range(config.head_dim // 2):
        f = config.rope_theta ** (-2 * i / config.head_dim)
        s = config.rope_scaling
        if s is not None:
            wavelength = 2 * np.pi / f
            if wavelength > s.original_max_positions / s.low_freq_factor:
                f = f / s.factor
            elif wavelength >= s.original_max_positions / s.high_freq_factor:
                smooth = (s.original_max_positions / wavelength - s.low_freq_factor) / (
                    s.high_freq_factor - s.low_freq_factor
                )
                f = (1 - smooth) * f / s.factor + smooth * f
        out.append(f)
    return np.array(out)


def numpy_rotate(x, positions, freqs):
    """As complex numbers: component i is the real part and i + H/2 the imaginary one."""
    half = x.shape[-1] // 2
    turn = np.exp(1j * positions[..., None] * freqs)[:, :, None]
    z = (x[..., :half] + 1j * x[..., half:]) * turn
    return np.concatenate([z.real, z.imag], -1)


def numpy_norm(x, scale, eps):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + eps) * scale


def numpy_attend(q, k, v, mask):
    out = np.zeros_like(q)
    group = q.shape[2] // k.shape[2]
    for b, s, n in np.ndindex(*q.shape[:3]):
        seen = np.flatnonzero(mask[b, s])
        if seen.size:
            score = k[b, seen, n // group] @ q[b, s, n] / np.sqrt(q.shape[-1])
            weight = np.exp(score - score.max())
            out[b, s, n] = (weight / weight.sum()) @ v[b, seen, n // group]
    return out


def numpy_model(config, params, tokens, positions, valid):
    """Logits by loops over layers, in float64."""
    gemma, half = config.family == "gemma", config.head_dim**-0.5
    p = jax.tree.map(lambda x: np.asarray(x, np.float64), nnx.to_pure_dict(params))
    if gemma:  # Norms are 1 + w.
        p = jax.tree_util.tree_map_with_path(lambda k, w: w + (k[-1].key == "scale"), p)
    x, freqs = p["embed_tokens"][tokens], numpy_frequencies(config)
    x = x * config.embedding_multiplier * (config.hidden_size**0.5 if gemma else 1)
    length = tokens.shape[1]
    mask = np.tril(np.ones((length, length), bool))[None] & valid[:, None]
    for i in range(config.num_layers):
        layer = jax.tree.map(lambda w, i=i: w[i], p["layers"])
        att, mlp = layer["self_attn"], layer["mlp"]
        h = numpy_norm(x, layer["input_layernorm"]["scale"], config.rms_norm_eps)
        heads = {}
        for name in "qkv":
            proj = att[f"{name}_proj"]
            y = (h @ proj["kernel"] + proj.get("bias", 0)).reshape(
                *tokens.shape, -1, config.head_dim
            )
            if config.traits.qk_norm and name != "v":
                y = numpy_norm(y, att[f"{name}_norm"]["scale"], config.rms_norm_eps)
            heads[name] = y if name == "v" else numpy_rotate(y, positions, freqs)
        scale = config.attention_multiplier or half
        out = numpy_attend(heads["q"] * scale / half, heads["k"], heads["v"], mask)
        out = out.reshape(*tokens.shape, -1) @ att["o_proj"]["kernel"]
        x = x + config.residual_multiplier * out
        h = numpy_norm(x, layer["post_attention_layernorm"]["scale"], config.rms_norm_eps)
        gate = h @ mlp["gate_proj"]["kernel"]
        bend = np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3)
        gate = gate / 2 * (1 + np.tanh(bend)) if gemma else gate / (1 + np.exp(-gate))
        out = (gate * (h @ mlp["up_proj"]["kernel"])) @ mlp["down_proj"]["kernel"]
        x = x + config.residual_multiplier * out
    h = numpy_norm(x, p["norm"]["scale"], config.rms_norm_eps)
    logits = h @ (p["embed_tokens"].T if config.tie_embeddings else p["lm_head"]["kernel"])
    return logits / config.logits_scaling


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_frequencies_match_the_published_formula(make_config, family):
    config = make_config(family, head_dim=32, rope_theta=500.0)
    np.testing.assert_allclose(frequencies(config), numpy_frequencies(config), rtol=1e-12)


def test_rotation_is_a_complex_multiplication(make_config):
    config = make_config("llama")
    x = np.random.default_rng(1).standard_normal((2, 5, 3, config.head_dim))
    positions = np.array([[0, 1, 2, 3, 4], [7, 8, 60, 61, 62]])
    cos, sin = angles(config, jnp.asarray(positions, jnp.int32), dtype=jnp.float32)
    got = rotate(jnp.asarray(x, jnp.float32), cos, sin)
    want = numpy_rotate(x, positions, numpy_frequencies(config))
    np.testing.assert_allclose(got, want, atol=3e-5)


def test_rms_norm():
    x = np.random.default_rng(2).standard_normal((2, 3, 8))
    scale = np.linspace(0.5, 2, 8)
    norm = RMSNorm(8, eps=1e-5, compute_dtype=jnp.float32, param_dtype=jnp.float32)
    norm.scale[...] = jnp.asarray(scale, jnp.float32)
    got = norm(jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(got, numpy_norm(x, scale, 1e-5), rtol=1e-5)


@pytest.mark.parametrize("block_size", [512, 4, 3])
def test_attention_and_its_blocks(block_size):
    rng = np.random.default_rng(3)
    q, k, v = (rng.standard_normal((2, n, heads, 8)) for n, heads in ((7, 6), (9, 2), (9, 2)))
    mask = rng.random((2, 7, 9)) < 0.5
    mask[1, 2] = False
    args = [jnp.asarray(x, jnp.float32) for x in (q, k.transpose(0, 2, 3, 1), v.swapaxes(1, 2))]
    got = attend(args[0], args[1], args[2], jnp.asarray(mask), block_size=block_size)
    np.testing.assert_allclose(got, numpy_attend(q, k, v, mask), atol=1e-5)
    assert not np.any(got[1, 2])


def test_attention_blocks_have_the_same_gradient():
    key = jax.random.key(0)
    q, k, v = (jax.random.normal(key, (1, *n)) for n in ((6, 4, 8), (2, 8, 6), (2, 6, 8)))
    mask = jnp.tril(jnp.ones((6, 6), bool))[None]

    def loss(q, block_size):
        return jnp.sum(jnp.sin(attend(q, k, v, mask, block_size=block_size)))

    whole, cut = (jax.grad(loss)(q, n) for n in (16, 4))
    np.testing.assert_allclose(whole, cut, atol=1e-6)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3", "granite", "gemma"])
def test_whole_model_against_numpy(make_model, make_batch, family):
    config, graphdef, params = make_model(family)
    tokens, positions, valid = make_batch(2, 9)
    valid = valid.at[1, 6:].set(False)
    model = merge(graphdef, params)
    got = model.unembed(model(tokens, positions, valid)[0])
    want = numpy_model(config, params, *(np.asarray(x) for x in (tokens, positions, valid)))
    np.testing.assert_allclose(got[0], want[0], atol=1e-5)
    np.testing.assert_allclose(got[1, :6], want[1, :6], atol=1e-5)


def test_float64_stays_float64(make_model, make_batch):
    with jax.enable_x64(True):
        options = {"compute_dtype": jnp.float64, "param_dtype": jnp.float64}
        config, graphdef, params = make_model("qwen3", **options)
        tokens, positions, valid = make_batch(1, 6)
        model = merge(graphdef, params)
        logits = model.unembed(model(tokens, positions, valid)[0])
        want = numpy_model(config, params, *(np.asarray(x) for x in (tokens, positions, valid)))
        assert logits.dtype == jnp.float64
        np.testing.assert_allclose(logits, want, atol=1e-13)


def test_unknown_remat_is_refused(make_config):

    with pytest.raises(ValueError, match="remat is 'some'"):
        Transformer(make_config("llama"), remat="some", rngs=nnx.Rngs(0))  # type: ignore[arg-type]
