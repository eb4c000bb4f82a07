"""The decoding loop by itself, and its program as a whole: devices, compilations, eager runs."""

import dataclasses
import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from sage_jax import models
from sage_jax.rollout import compile_stop_strings, generate, pack_prompts
from sage_jax.rollout.progress import Progress

# The function of the same name hides the module in the package's namespace.
program = importlib.import_module("sage_jax.rollout.generate")

KNOBS: dict[str, Any] = {
    "group_size": 2,
    "max_completion_length": 6,
    "temperature": 1.3,
    "min_p": 0.01,
    "stop_ids": (1, 2),
    "stop_table": compile_stop_strings([b"ab", b"a", b"b", b"c"] * 6, ["bb"]),
    "pad_id": 0,
}


def roll(tiny, packed, key, **knobs):
    return generate(tiny[0], tiny[1], packed.tokens, packed.mask, key, **knobs)


@pytest.fixture(scope="module")
def packed():
    prompts = [[5, 6, 7], [8], [9, 9], [3], [4, 4], [10, 11, 12], [13, 2], [6]]
    return pack_prompts(prompts, max_prompt_length=3, pad_id=0)


@pytest.fixture(scope="module")
def rollout(tiny, packed):
    return roll(tiny, packed, jax.random.key(1), **KNOBS)


def append(progress, tokens, **knobs):
    tokens = jnp.asarray(tokens, jnp.int32)
    return progress.append(tokens, -jnp.ones(len(tokens)), **knobs)


def test_rows_take_tokens_until_they_are_done():
    progress = Progress.empty(3, 3, 9)
    for tokens in ([5, 1, 5], [1, 5, 5], [5, 5, 5]):
        progress = append(progress, tokens, stop_ids=(1,), stop_table=None)
    np.testing.assert_array_equal(progress.tokens, [[5, 1, 9], [1, 9, 9], [5, 5, 5]])
    np.testing.assert_array_equal(progress.logps, [[-1, -1, 0], [-1, 0, 0], [-1, -1, -1]])
    np.testing.assert_array_equal(progress.mask, -progress.logps)
    np.testing.assert_array_equal(progress.done, [True, True, False])
    np.testing.assert_array_equal(progress.finish, [1, 1, 0])


def test_a_stop_token_takes_precedence_over_a_stop_string():
    table = compile_stop_strings([b"a", b"b"], ["b"])
    progress = append(Progress.empty(2, 1, 0), [1, 1], stop_ids=(1,), stop_table=table)
    np.testing.assert_array_equal(progress.finish, [1, 1])
    progress = append(Progress.empty(2, 1, 0), [1, 0], stop_ids=(), stop_table=table)
    np.testing.assert_array_equal(progress.finish, [2, 0])


def test_the_last_tokens_of_ended_rows_are_not_real():
    progress = append(Progress.empty(2, 3, 0), [1, 5], stop_ids=(1,), stop_table=None)
    np.testing.assert_array_equal(progress.last()[1], [[True], [True]])
    progress = append(progress, [5, 5], stop_ids=(1,), stop_table=None)
    np.testing.assert_array_equal(progress.last()[0], [[0], [5]])
    np.testing.assert_array_equal(progress.last()[1], [[False], [True]])


def cache_of(tiny, rows, length):
    config = models.merge(tiny[0], tiny[1]).config
    return models.KVCache.empty(config, rows, length, jnp.float32)


def test_the_loop_ends_when_all_rows_are_done(tiny):
    def advance(cache, progress):
        tokens = jnp.where(progress.step == 3, 1, 5) * jnp.ones(2, jnp.int32)
        return cache, progress.append(tokens, -jnp.ones(2), stop_ids=(1,), stop_table=None)

    start = (cache_of(tiny, 2, 4), Progress.empty(2, 50, 0))
    assert program.decode(advance, *start, end=50)[1].step == 4
    assert program.decode(advance, *start, end=2)[1].step == 2


def test_a_longer_cache_holds_what_the_shorter_held(tiny):
    short = cache_of(tiny, 2, 3)
    short = dataclasses.replace(short, keys=short.keys + 1.0, valid=~short.valid)
    long = program.with_length(short, 5)
    assert (long.keys[:, :, :3] == 1).all()
    assert (long.keys[:, :, 3:] == 0).all()
    assert long.values.shape == long.keys.shape
    np.testing.assert_array_equal(long.valid, [[True] * 3 + [False] * 2] * 2)


def test_decoding_in_two_parts_over_a_growing_cache_changes_nothing(tiny, packed, rollout):
    def grown(advance, cache, progress, *, end):
        shorter = dataclasses.replace(
            cache,
            keys=cache.keys[:, :, :5],
            values=cache.values[:, :, :5],
            valid=cache.valid[:, :5],
        )
        part = decode(advance, shorter, progress, end=3)
        return decode(advance, program.with_length(part[0], 9), part[1], end=end)

    decode = program.decode
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "decode", grown)
        patched = jax.jit(program._generate.__wrapped__, static_argnames=program._STATIC)
        patch.setattr(program, "_generate", patched)
        parts = roll(tiny, packed, jax.random.key(1), **KNOBS)
    np.testing.assert_array_equal(parts.tokens, rollout.tokens)
    np.testing.assert_allclose(parts.logps, rollout.logps, atol=1e-4)


@pytest.mark.parametrize("axes", [("data",), ("data", "tensor")])
def test_sharded_over_devices_equals_one_device(tiny, packed, rollout, axes):
    shape = (8,) if len(axes) == 1 else (4, 2)
    mesh = jax.make_mesh(shape, axes, axis_types=(AxisType.Auto,) * len(axes))
    rows = NamedSharding(mesh, PartitionSpec("data"))
    tokens, mask = jax.device_put((packed.tokens, packed.mask), rows)
    params = jax.device_put(tiny[1], sharding_of(tiny[1], mesh))
    sharded = generate(tiny[0], params, tokens, mask, jax.random.key(1), **KNOBS)
    np.testing.assert_array_equal(sharded.tokens, rollout.tokens)
    np.testing.assert_array_equal(sharded.finish, rollout.finish)
    np.testing.assert_allclose(sharded.logps, rollout.logps, atol=1e-4)


def sharding_of(params, mesh):
    """Matrices split over `tensor` where the mesh has that axis, everything else on all devices."""

    def one(leaf):
        split = "tensor" in mesh.axis_names and leaf.ndim >= 2 and leaf.shape[-1] % 2 == 0
        spec = [None] * (leaf.ndim - 1) + ["tensor" if split else None]
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree.map(one, params)


@pytest.mark.slow
def test_eager_equals_jit(tiny, packed, rollout):
    with jax.disable_jit():
        eager = roll(tiny, packed, jax.random.key(1), **KNOBS)
    np.testing.assert_array_equal(eager.tokens, rollout.tokens)
    np.testing.assert_allclose(eager.logps, rollout.logps, atol=1e-4)


def test_inside_another_jitted_function(tiny, packed, rollout):
    @jax.jit
    def step(params, key):
        return generate(tiny[0], params, packed.tokens, packed.mask, key, **KNOBS)

    np.testing.assert_array_equal(step(tiny[1], jax.random.key(1)).tokens, rollout.tokens)


def test_repeated_calls_share_one_program(tiny, packed, monkeypatch):
    traces = []

    def counted(*args, **knobs):
        traces.append(args[0].shape)
        return draw(*args, **knobs)

    draw = program.draw
    monkeypatch.setattr(program, "draw", counted)
    knobs: dict[str, Any] = KNOBS | {"temperature": 0.77}
    for seed in range(3):
        params = jax.tree.map(lambda leaf, seed=seed: leaf + 0.01 * seed, tiny[1])
        tokens = np.roll(packed.tokens, seed, axis=0)
        mask = np.roll(packed.mask, seed, axis=0)
        generate(tiny[0], params, tokens, mask, jax.random.key(seed), **knobs)
        if seed == 0:
            first = len(traces)
    assert len(traces) == first
