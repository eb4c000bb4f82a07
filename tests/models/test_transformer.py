"""Caches, padding, jit, rematerialisation, dtypes and sharding change nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from sage_jax.models import (
    KVCache,
    abstract,
    begins,
    build_graphdef,
    init,
    logical_axes,
    lora,
    merge,
    token_logps,
)

FAMILIES = ["llama", "qwen2", "qwen3"]


def eager_logits(graphdef, params, tokens, positions, valid):
    model = merge(graphdef, params)
    return model.unembed(model(tokens, positions, valid)[0])


logits_of = jax.jit(eager_logits, static_argnums=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_jit_equals_eager(make_model, make_batch, family):
    _, graphdef, params = make_model(family)
    batch = make_batch(2, 6)
    eager = eager_logits(graphdef, params, *batch)
    jitted = logits_of(graphdef, params, *batch)
    np.testing.assert_allclose(eager, jitted, atol=1e-6)
    assert eager.dtype == jnp.float32


@pytest.mark.parametrize("family", [*FAMILIES, "granite", "gemma", "olmo2"])
def test_decoding_with_a_cache_equals_the_full_pass(make_model, make_batch, family):
    config, graphdef, params = make_model(family)
    tokens, positions, valid = make_batch(2, 9)
    valid = valid.at[1, :3].set(False)  # left padding in the second row
    positions = jnp.maximum(jnp.cumsum(valid, axis=1, dtype=jnp.int32) - 1, 0)
    full = logits_of(graphdef, params, tokens, positions, valid)
    model = merge(graphdef, params)

    @jax.jit
    def run(cache):
        steps = []
        for start, stop in [(0, 5), (5, 6), (6, 8), (8, 9)]:
            now = slice(start, stop)
            hidden, cache = model(tokens[:, now], positions[:, now], valid[:, now], cache)
            steps.append(model.unembed(hidden))
        return jnp.concatenate(steps, axis=1), cache

    decoded, cache = run(KVCache.empty(config, 2, 12, jnp.float32))
    np.testing.assert_allclose(decoded[0], full[0], atol=1e-5)
    np.testing.assert_allclose(decoded[1, 3:], full[1, 3:], atol=1e-5)
    assert int(cache.index) == 9
    np.testing.assert_array_equal(cache.valid[:, :9], valid)
    assert not np.any(cache.valid[:, 9:])


@pytest.mark.parametrize("rank", [0, 2])
@pytest.mark.parametrize("family", [*FAMILIES, "granite", "olmo2"])
def test_blocks_one_by_one_are_the_stack(make_model, make_batch, family, rank):
    config, graphdef, params = make_model(family)
    # Biases and adapters start at zero, where they would not be missed.
    params = jax.tree.map(lambda x: x + 0.05, params)
    if rank:
        graphdef, adapters = lora.attach(graphdef, params, jax.random.key(3), rank=rank, alpha=8)
        params = (params, jax.tree.map(lambda x: x + 0.05, adapters))
    model = merge(graphdef, params)
    tokens, positions, valid = make_batch(2, 6)
    cache = KVCache.empty(config, 2, 8, jnp.float32)
    stacked, filled = model(tokens, positions, valid, cache)
    listed, also = model(tokens, positions, valid, cache.unstacked(), model.unstacked(6))
    np.testing.assert_allclose(listed, stacked, atol=1e-5)
    for name in ("keys", "values"):
        one, other = (np.asarray(getattr(x, name)) for x in (also, filled))
        np.testing.assert_allclose(one, other, atol=1e-5)


@pytest.mark.parametrize("unrolled", [False, True])
def test_rows_that_share_their_past_see_what_rows_with_a_copy_of_it_see(
    make_model, make_batch, unrolled
):
    config, graphdef, params = make_model("qwen3")
    model = merge(graphdef, params)
    tokens, positions, valid = make_batch(2, 5)
    valid = valid.at[1, :2].set(False)
    _, prompts = model(tokens, positions, valid, KVCache.empty(config, 2, 5, jnp.float32))
    assert prompts is not None
    blocks = model.unstacked(8) if unrolled else None
    prompts = prompts.unstacked() if unrolled else prompts
    shared = prompts.fork(3).with_length(4)
    copied = prompts.take(jnp.arange(6) // 3).with_length(9)
    steps = np.random.default_rng(0).integers(0, config.vocab_size, (6, 3)).astype(np.int32)
    for column in range(3):
        one = jnp.asarray(steps[:, column : column + 1])
        places, real = jnp.full((6, 1), 5 + column), jnp.arange(6)[:, None] != 4
        left, shared = model(one, places, real, shared, blocks)
        right, copied = model(one, places, real, copied, blocks)
        assert shared is not None
        assert copied is not None
        np.testing.assert_allclose(left, right, atol=4e-6)
    some = jnp.array([5, 0, 2])
    left, right = shared.take(some), copied.take(some)
    assert left.past is None
    for one, other in zip(jax.tree.leaves(left), jax.tree.leaves(right), strict=True):
        # Sums over the past and over a row's own slots are taken apart, and rounded so.
        np.testing.assert_allclose(one, other, atol=4e-6)


def test_empty_cache_refuses_no_slots(make_config):
    with pytest.raises(ValueError, match=r"length \(0\)"):
        KVCache.empty(make_config("llama"), 1, 0, jnp.float32)


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_on_either_side_changes_nothing(make_model, make_batch, family):
    _, graphdef, params = make_model(family)
    tokens, positions, valid = make_batch(1, 6)
    plain = logits_of(graphdef, params, tokens, positions, valid)

    def pad(x, left, right, value):
        return jnp.pad(x, ((0, 0), (left, right)), constant_values=value)

    for left, right in [(4, 0), (0, 4), (3, 1)]:
        for filler in (0, 17):
            padded = logits_of(
                graphdef,
                params,
                pad(tokens, left, right, filler),
                pad(positions, left, right, filler),
                pad(valid, left, right, False),
            )
            np.testing.assert_allclose(padded[:, left : left + 6], plain, atol=1e-5)
            assert np.all(np.isfinite(padded))


def test_a_row_of_padding_gives_no_nan_forward_or_back(make_model, make_batch):
    _, graphdef, params = make_model("qwen2")
    tokens, positions, valid = make_batch(2, 5)
    valid = valid.at[1].set(False)

    def loss(params):
        return jnp.sum(logits_of(graphdef, params, tokens, positions, valid) ** 2)

    value, grads = jax.value_and_grad(loss)(params)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves((value, grads)))


@pytest.mark.parametrize("remat", ["dots", "full"])
def test_remat_leaves_the_gradient_alone(make_model, make_batch, remat):
    batch = make_batch(2, 6)

    def gradient(remat):
        _, graphdef, params = make_model("qwen3", remat=remat)
        return jax.grad(lambda p: jnp.mean(logits_of(graphdef, p, *batch) ** 2))(params)

    plain, saved = gradient("none"), gradient(remat)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), plain, saved)
    assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(plain))


@pytest.mark.parametrize("family", FAMILIES)
def test_bfloat16_is_close_and_logits_are_float32(make_model, make_batch, family):
    _, graphdef, params = make_model(family)
    batch = make_batch(2, 6)
    exact = logits_of(graphdef, params, *batch)
    config, _, _ = make_model(family)
    low = build_graphdef(config, compute_dtype=jnp.bfloat16)
    rough = logits_of(low, jax.tree.map(lambda x: x.astype(jnp.bfloat16), params), *batch)
    assert rough.dtype == jnp.float32
    assert np.std(rough - exact) < 0.03 * np.std(exact)
    tokens, positions, valid = batch
    cache = KVCache.empty(config, 2, 8, jnp.bfloat16)
    hidden, cache = merge(low, params)(tokens, positions, valid, cache)
    assert hidden.dtype == jnp.bfloat16
    assert cache is not None
    assert jnp.asarray(cache.keys).dtype == jnp.bfloat16


def test_graphdefs_of_equal_knobs_are_equal(make_config):
    config = make_config("qwen2")
    graphdef, params = init(config, jax.random.key(0), compute_dtype=jnp.bfloat16)
    again, shapes = abstract(config, compute_dtype=jnp.bfloat16)
    assert graphdef == again
    assert hash(graphdef) == hash(again)
    assert graphdef != build_graphdef(config)
    assert jax.tree.structure(params) == jax.tree.structure(shapes)
    assert jax.tree.map(lambda x: (x.shape, x.dtype), params) == jax.tree.map(
        lambda x: (x.shape, x.dtype), shapes
    )
    assert merge(graphdef, params).config == config


# Which logical axis goes where is the parallel package's; here any valid table will do.
TABLE = {"embed": "fsdp", "vocab": "tensor", "heads": "tensor", "kv_heads": "tensor"}
TABLE |= {"mlp": "tensor", "batch": "fsdp"}


def shardings(tree, mesh):
    def one(axes):
        return NamedSharding(mesh, PartitionSpec(*(TABLE.get(name) for name in axes)))

    return jax.tree.map(one, logical_axes(tree), is_leaf=lambda x: isinstance(x, tuple))


@pytest.mark.parametrize("family", ["llama", "qwen2", "olmo2"])
def test_eight_devices_give_the_same_logps_and_gradient(make_model, make_batch, family):
    _, graphdef, params = make_model(family)
    lora_graphdef, adapters = lora.attach(graphdef, params, jax.random.key(1), rank=4, alpha=8)
    adapters = jax.tree.map(lambda x: x + 0.01, adapters)
    batch = make_batch(4, 6)

    @jax.jit
    def loss(params, adapters, tokens, positions, valid):
        model = merge(lora_graphdef, (params, adapters))
        hidden, _ = model(tokens, positions, valid)
        return token_logps(model, hidden, tokens, block_size=4)[0].mean()

    value_and_grads = jax.jit(jax.value_and_grad(loss, argnums=(0, 1)))
    plain = value_and_grads(params, adapters, *batch)
    mesh = Mesh(np.array(jax.devices()[:8]).reshape(4, 2), ("fsdp", "tensor"))
    rows = NamedSharding(mesh, PartitionSpec("fsdp"))
    split = value_and_grads(
        jax.device_put(params, shardings(params, mesh)),
        jax.device_put(adapters, shardings(adapters, mesh)),
        *jax.device_put(batch, rows),
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), plain, split)


def test_logical_axes_name_every_dimension(make_model):
    for family in FAMILIES:
        config, graphdef, params = make_model(family)
        _, adapters = lora.attach(graphdef, params, jax.random.key(0), rank=2, alpha=2)
        cache = KVCache.empty(config, 2, 3, jnp.float32)
        for tree in (params, adapters, cache):
            axes = logical_axes(tree)
            jax.tree.map(
                lambda names, x: np.testing.assert_equal(len(names), x.ndim),
                axes,
                tree,
                is_leaf=lambda x: isinstance(x, tuple),
            )


def test_logical_axes_refuse_a_strange_tree():
    with pytest.raises(ValueError, match=r"conv\.kernel is no parameter"):
        logical_axes({"conv": {"kernel": jnp.ones(3)}})


def test_segments_begin_where_their_number_changes():
    segments = jnp.array([[2, 2, 1, 3, 3, 0], [1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 0, 0]], jnp.int32)
    begun = [[1, 0, 1, 1, 0, 1], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
    np.testing.assert_array_equal(begins(segments), np.array(begun, bool))
