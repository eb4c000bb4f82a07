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
from sage_jax import rollout as rollouts
from sage_jax.rollout import Decoding, compile_stop_strings, pack_prompts
from sage_jax.rollout.decode import Rows, decode
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


def generate(graphdef, params, tokens, mask, key, *, stop_table=None, mesh=None, **options):
    """`rollout.generate` with the options of a `Decoding` one by one."""
    decoding = Decoding(**options)
    return rollouts.generate(
        graphdef, params, tokens, mask, key, decoding, stop_table=stop_table, mesh=mesh
    )


def roll(tiny, packed, key, **options):
    return generate(tiny[0], tiny[1], packed.tokens, packed.mask, key, **options)


@pytest.fixture(scope="module")
def packed():
    prompts = [[5, 6, 7], [8], [9, 9], [3], [4, 4], [10, 11, 12], [13, 2], [6]]
    return pack_prompts(prompts, max_prompt_length=3, pad_id=0)


@pytest.fixture(scope="module")
def rollout(tiny, packed):
    return roll(tiny, packed, jax.random.key(1), **KNOBS)


def append(progress, tokens, **options):
    tokens = jnp.asarray(tokens, jnp.int32)
    return progress.append(tokens, -jnp.ones(len(tokens)), **options)


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


def rows_of(count):
    return Rows(jax.random.split(jax.random.key(0), count), jnp.zeros(count, jnp.int32))


def ending(lengths, seen=None):
    """A step that ends row i, known by its `first`, after `lengths[i]` tokens."""

    def advance(cache, progress, rows):
        if seen is not None:
            seen.append(len(rows.first))
        last = jnp.asarray(lengths)[rows.first] == progress.step + 1
        tokens = jnp.where(last, 1, 100 * (rows.first + 1) + progress.step)
        scores = jnp.full(len(tokens), -progress.step, jnp.float32)
        return cache, progress.append(tokens, scores, stop_ids=(1,), stop_table=None)

    return advance


def test_the_loop_ends_when_all_rows_are_done(tiny):
    start = (cache_of(tiny, 2, 4), Progress.empty(2, 50, 0), rows_of(2))
    assert decode(ending([4, 4]), *start).step == 4
    short = (start[0], Progress.empty(2, 3, 0), start[2])
    assert decode(ending([4, 4]), *short).step == 3


@pytest.mark.parametrize("compactions", [1, 2, 5])
@pytest.mark.parametrize("seed", range(5))
def test_halving_the_batch_changes_no_row(tiny, compactions, seed):
    """Rows that end anywhere, some of them never; the last column is 19."""
    count, seen = 24, []
    lengths = np.random.default_rng(seed).permutation(np.arange(count)) + 1
    rows = dataclasses.replace(rows_of(count), first=jnp.arange(count))
    start = (cache_of(tiny, count, 4), Progress.empty(count, 19, 0), rows)
    whole = decode(ending(lengths), *start)
    parts = decode(ending(lengths, seen), *start, compactions=compactions)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    assert seen == [24, 12, 6][: compactions + 1]
    assert np.asarray(whole.done).sum() == 19


@pytest.mark.parametrize("cache_doublings", [0, 1, 3])
def test_the_cache_has_room_for_no_more_than_twice_what_is_written(tiny, cache_doublings):
    """Prompts of 4 slots and 19 columns: lengths of the cache as the steps see them."""
    work = []

    def advance(cache, progress, rows):
        room = cache.valid.shape[1] - 4
        jax.debug.callback(lambda step: work.append((int(step), room)), progress.step)
        return ending([50] * 3)(cache, progress, rows)

    rows = dataclasses.replace(rows_of(3), first=jnp.arange(3))
    start = (cache_of(tiny, 3, 4), Progress.empty(3, 19, 0), rows)
    grown = decode(advance, *start, cache_doublings=cache_doublings)
    jax.effects_barrier()
    jax.tree.map(np.testing.assert_array_equal, grown, decode(ending([50] * 3), *start))
    rooms = {0: [19], 1: [10, 19], 3: [3, 5, 10, 19]}[cache_doublings]
    assert sorted(work) == [(step, min(r for r in rooms if r > step)) for step in range(19)]


def test_a_batch_is_halved_only_when_half_of_it_has_ended(tiny):
    """What each row costs: steps of 8 rows until four have ended, then of four."""
    work = []

    def advance(cache, progress, rows):
        jax.debug.callback(lambda _: work.append(len(rows.first)), progress.step)
        return ending([2, 3, 4, 5, 6, 7, 8, 9])(cache, progress, rows)

    rows = dataclasses.replace(rows_of(8), first=jnp.arange(8))
    start = (cache_of(tiny, 8, 4), Progress.empty(8, 20, 0), rows)
    jax.block_until_ready(decode(advance, *start, compactions=3))
    jax.effects_barrier()
    assert sorted(work, reverse=True) == [8] * 5 + [4] * 4


def test_a_longer_cache_holds_what_the_shorter_held(tiny):
    short: Any = cache_of(tiny, 2, 3)
    short = dataclasses.replace(short, keys=short.keys + 1.0, valid=~short.valid)
    for cache in (short.with_length(5), short.unstacked().with_length(5)):
        keys, values = np.asarray(cache.keys), np.asarray(cache.values)
        assert (keys[..., :3] == 1).all()
        assert (keys[..., 3:] == 0).all()
        assert values.shape == keys.swapaxes(-1, -2).shape
        np.testing.assert_array_equal(cache.valid, [[True] * 3 + [False] * 2] * 2)


def test_rows_taken_from_a_cache_are_those_rows(tiny):
    cache: Any = cache_of(tiny, 3, 2)
    keys = jax.random.normal(jax.random.key(0), cache.keys.shape)
    cache = dataclasses.replace(cache, keys=keys, valid=jnp.eye(3, 2, dtype=bool))
    for one in (cache, cache.unstacked()):
        taken = one.take(jnp.array([2, 0]))
        np.testing.assert_array_equal(np.asarray(taken.keys), keys[:, jnp.array([2, 0])])
        np.testing.assert_array_equal(taken.valid, [[False, False], [True, False]])


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize(("compactions", "cache_doublings"), [(0, 0), (2, 0), (0, 2), (2, 1)])
def test_the_way_of_decoding_changes_nothing(
    tiny, packed, rollout, unroll, compactions, cache_doublings
):
    options = KNOBS | {
        "unroll": unroll,
        "compactions": compactions,
        "cache_doublings": cache_doublings,
    }
    other = roll(tiny, packed, jax.random.key(1), **options)
    np.testing.assert_array_equal(other.tokens, rollout.tokens)
    np.testing.assert_array_equal(other.finish, rollout.finish)
    # Batches and products of other sizes sum in another order; each is up to 3e-5 from float64.
    np.testing.assert_allclose(other.logps, rollout.logps, atol=4e-5)
    lengths = np.asarray(rollout.mask).sum(axis=1)
    assert np.sort(lengths)[len(lengths) // 2 - 1] < lengths.max()


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

    def counted(*args, **options):
        traces.append(args[0].shape)
        return draw(*args, **options)

    draw = program.draw
    monkeypatch.setattr(program, "draw", counted)
    options: dict[str, Any] = KNOBS | {"temperature": 0.77}
    for seed in range(3):
        params = jax.tree.map(lambda leaf, seed=seed: leaf + 0.01 * seed, tiny[1])
        tokens = np.roll(packed.tokens, seed, axis=0)
        mask = np.roll(packed.mask, seed, axis=0)
        generate(tiny[0], params, tokens, mask, jax.random.key(seed), **options)
        if seed == 0:
            first = len(traces)
    assert len(traces) == first
