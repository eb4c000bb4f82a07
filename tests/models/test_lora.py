import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from sage_jax.models import LoRAParam, abstract, lora, merge


@pytest.fixture
def adapted(make_model, make_batch):
    _, graphdef, params = make_model("qwen2")
    lora_graphdef, adapters = lora.attach(graphdef, params, jax.random.key(3), rank=4, alpha=8)
    return graphdef, params, lora_graphdef, adapters, make_batch(2, 6)


@functools.partial(jax.jit, static_argnums=0)
def logits_of(graphdef, params, batch):
    model = merge(graphdef, params)
    return model.unembed(model(*batch)[0])


def test_fresh_adapters_change_nothing(adapted):
    graphdef, params, lora_graphdef, adapters, batch = adapted
    base = logits_of(graphdef, params, batch)
    np.testing.assert_array_equal(logits_of(lora_graphdef, (params, adapters), batch), base)


def test_fold_equals_attach(adapted):
    graphdef, params, lora_graphdef, adapters, batch = adapted
    adapters = jax.tree.map(lambda x: x + 0.05, adapters)
    before = jax.tree.map(np.array, params)
    policy = logits_of(lora_graphdef, (params, adapters), batch)
    folded = lora.fold(params, adapters, alpha=8)
    np.testing.assert_allclose(logits_of(graphdef, folded, batch), policy, atol=2e-5)
    assert np.abs(policy - logits_of(graphdef, params, batch)).max() > 0.01
    jax.tree.map(np.testing.assert_array_equal, before, params)


def test_gradient_is_that_of_the_folded_weights(adapted):
    graphdef, params, lora_graphdef, adapters, batch = adapted
    adapters = jax.tree.map(lambda x: x + 0.05, adapters)

    def attached(adapters):
        return jnp.mean(jnp.sin(logits_of(lora_graphdef, (params, adapters), batch)))

    def folded(adapters):
        return jnp.mean(jnp.sin(logits_of(graphdef, lora.fold(params, adapters, alpha=8), batch)))

    got, want = jax.grad(attached)(adapters), jax.grad(folded)(adapters)
    assert optax.tree.norm(want) > 0.01
    assert optax.tree.norm(optax.tree.sub(got, want)) < 1e-4 * optax.tree.norm(want)


def test_fold_of_one_matrix_against_numpy(adapted):
    _, params, _, adapters, _ = adapted
    adapters = jax.tree.map(lambda x: x + 0.05, adapters)
    folded = lora.fold(params, adapters, alpha=8)
    low = nnx.to_pure_dict(adapters)["layers"]["mlp"]["up_proj"]
    got, base = nnx.to_pure_dict(folded), nnx.to_pure_dict(params)
    kernel = base["layers"]["mlp"]["up_proj"]["kernel"]
    want = kernel + 8 / 4 * np.asarray(low["lora_a"]) @ np.asarray(low["lora_b"])
    np.testing.assert_allclose(got["layers"]["mlp"]["up_proj"]["kernel"], want, atol=1e-6)
    np.testing.assert_array_equal(got["embed_tokens"], base["embed_tokens"])


def test_gradient_reaches_both_factors(adapted):
    _, params, lora_graphdef, adapters, batch = adapted
    adapters = jax.tree.map(lambda x: x + 0.05, adapters)

    def loss(adapters):
        return jnp.mean(logits_of(lora_graphdef, (params, adapters), batch) ** 2)

    grads = jax.grad(loss)(adapters)
    assert jax.tree.structure(grads) == jax.tree.structure(adapters)
    assert all(np.abs(g[i]).max() > 0 for g in jax.tree.leaves(grads) for i in range(3))


def test_adapters_are_their_own_state(adapted):
    _, params, _, adapters, _ = adapted
    flat = dict(nnx.to_flat_state(adapters))
    assert all(isinstance(variable, LoRAParam) for variable in flat.values())
    assert len(flat) == 14
    a = flat[("layers", "self_attn", "k_proj", "lora_a")]
    b = flat[("layers", "self_attn", "k_proj", "lora_b")]
    assert a.shape == (3, 32, 4)
    assert b.shape == (3, 4, 16)
    assert np.abs(a[...]).max() <= 1 / np.sqrt(32)
    assert not np.any(b[...])
    assert not {path for path, _ in nnx.to_flat_state(params)} & set(flat)


def test_targets_choose_projections(make_model):
    _, graphdef, params = make_model("llama")
    targets = ["v_proj", "q_proj"]
    _, adapters = lora.attach(graphdef, params, jax.random.key(0), rank=2, alpha=1, targets=targets)
    names = {path[2] for path, _ in nnx.to_flat_state(adapters)}
    assert names == {"q_proj", "v_proj"}


def test_one_target_does_not_move_anothers_first_values(make_model):
    _, graphdef, params = make_model("llama")
    key = jax.random.key(0)
    _, every = lora.attach(graphdef, params, key, rank=2, alpha=1)
    _, one = lora.attach(graphdef, params, key, rank=2, alpha=1, targets="v_proj")
    name = ("layers", "self_attn", "v_proj", "lora_a")
    a, b = (dict(nnx.to_flat_state(state))[name][...] for state in (every, one))
    np.testing.assert_array_equal(a, b)


def test_attach_needs_shapes_only_and_works_under_jit(make_config):
    graphdef, shapes = abstract(make_config("qwen3"))
    make = jax.jit(lambda key: lora.attach(graphdef, shapes, key, rank=2, alpha=4))
    lora_graphdef, adapters = make(jax.random.key(0))
    eager_graphdef, eager = lora.attach(graphdef, shapes, jax.random.key(0), rank=2, alpha=4)
    assert lora_graphdef == eager_graphdef
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-7), adapters, eager)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rank": 0, "alpha": 1}, r"rank \(0\) must be at least 1"),
        ({"rank": 2, "alpha": 0}, r"alpha \(0\) positive"),
        ({"rank": 2, "alpha": 1, "targets": ["lm_head"]}, r"\['lm_head'\] is not a target"),
        ({"rank": 2, "alpha": 1, "targets": []}, "nothing is not a target"),
    ],
)
def test_impossible_adapters_are_refused(make_config, options, message):
    graphdef, shapes = abstract(make_config("llama"))
    with pytest.raises(ValueError, match=message):
        lora.attach(graphdef, shapes, jax.random.key(0), **options)
