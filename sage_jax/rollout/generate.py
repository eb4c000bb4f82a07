"""Prefill and decoding as one jitted program: (params, prompts, key) -> Rollout."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jax.typing import DTypeLike

from sage_jax.models import KVCache, ModelConfig, count_positions, merge
from sage_jax.parallel import any_of_shards, map_rows, splits_evenly
from sage_jax.rollout.decode import Rows, decode
from sage_jax.rollout.decoding import Decoding
from sage_jax.rollout.progress import Progress
from sage_jax.rollout.result import Rollout
from sage_jax.rollout.sampling import draw
from sage_jax.rollout.stopping import StopTable


def generate(
    graphdef: Any,
    params: Any,
    prompt_tokens: jax.Array | np.ndarray,
    prompt_mask: jax.Array | np.ndarray,
    key: jax.Array,
    decoding: Decoding,
    *,
    stop_table: StopTable | None = None,
    mesh: Mesh | None = None,
) -> Rollout:
    """Sample `decoding.group_size` completions of every prompt.

    Each prompt is read once and its cache shared by its group. Row r draws its token t from
    fold_in(fold_in(key, r), t), so what it samples does not depend on the other rows; given a key
    per row, not on its place either.

    With a mesh, every shard of the rows is a program of its own, which stops when its own rows are
    done: long answers of one replica do not keep the others computing. (Where matrix products are
    split as well, the shards of rows stop together; see `parallel.map_rows`.) The weights then are
    whole along the axes that split rows, gathered once, and stay split along `tensor`.

    `graphdef`, `decoding` and `mesh` are static: other values compile another program.

    Args:
        graphdef: the model's static half.
        params: its arrays, or (base, adapters).
        prompt_tokens: [N, P] int32, left-padded (`pack_prompts`).
        prompt_mask: [N, P] bool. Each row's last column must be true.
        key: one typed PRNG key, or one per row, [N * group_size].
        decoding: how to sample. Of what is None there, `stop_ids` are the model's end tokens,
            `pad_id` is the first of them or 0, the cache is float32, and the rest is off.
        stop_table: strings that end a row, from `compile_stop_strings`.
        mesh: split the rows over it, if they can be split evenly.

    Returns:
        A `Rollout` of B = N·G rows.

    Raises:
        ValueError: a shape or an id is out of range, or `decoding.stop` names strings, which
            have to be compiled into `stop_table`; the message names it.
    """
    _check_prompts(prompt_tokens, prompt_mask)
    if decoding.stop:
        raise ValueError(
            f"stop is {decoding.stop}: compile strings with compile_stop_strings and pass them "
            "as stop_table"
        )
    return _generate(
        graphdef,
        params,
        jnp.asarray(prompt_tokens, jnp.int32),
        jnp.asarray(prompt_mask, jnp.bool_),
        _row_keys(key, prompt_tokens.shape[0] * decoding.group_size),
        stop_table,
        decoding=decoding,
        mesh=mesh if mesh is not None and splits_evenly(mesh, prompt_tokens.shape[0]) else None,
    )


@functools.partial(jax.jit, static_argnames=("graphdef", "decoding", "mesh"))
def _generate(
    graphdef, params, prompt_tokens, prompt_mask, keys, stop_table, *, decoding, mesh
) -> Rollout:
    any_shard = functools.partial(any_of_shards, mesh=mesh) if mesh is not None else jnp.asarray
    run = functools.partial(_complete, graphdef, decoding=decoding, any_shard=any_shard)
    if mesh is not None:
        run = map_rows(run, mesh, whole=(0, 4))
    return run(params, prompt_tokens, prompt_mask, keys, stop_table)


def _complete(
    graphdef, params, prompt_tokens, prompt_mask, keys, stop_table, *, decoding, any_shard
) -> Rollout:
    model = merge(graphdef, params)
    decoding = _defaults(decoding, model.config)
    group_size, most = decoding.group_size, decoding.max_completion_length
    length = prompt_tokens.shape[1] + most
    _check_ids(model.config, length, decoding, stop_table)
    choose = functools.partial(_choose, decoding=decoding, stop_table=stop_table)
    unrolled = model.unstacked(length) if decoding.unroll else None
    forward = _forward(graphdef, params, unrolled=unrolled)

    hidden, cache = prefill(model, prompt_tokens, prompt_mask, cache_dtype=decoding.cache_dtype)
    logits = jnp.repeat(model.unembed(hidden), group_size, axis=0)
    progress = Progress.empty(keys.shape[0], most, decoding.pad_id)
    progress = choose(progress, logits, keys=keys)
    first = jnp.repeat(jnp.sum(prompt_mask, axis=1, dtype=jnp.int32), group_size)

    def advance(cache: KVCache, progress: Progress, rows: Rows) -> tuple[KVCache, Progress]:
        tokens, valid = progress.last()
        positions = (rows.first + progress.step - 1)[:, None]
        logits, cache = forward(tokens, positions, valid, cache)
        return cache, choose(progress, logits, keys=rows.keys)

    cache = (cache.unstacked() if decoding.unroll else cache).fork(group_size)
    progress = decode(
        advance,
        cache,
        progress,
        Rows(keys, first),
        compactions=decoding.compactions,
        cache_doublings=decoding.cache_doublings,
        any_shard=any_shard,
    )
    return Rollout(
        prompt_tokens=prompt_tokens,
        prompt_mask=prompt_mask,
        tokens=progress.tokens,
        mask=progress.mask,
        logps=progress.logps,
        finish=progress.finish,
    )


def _defaults(decoding: Decoding, config: ModelConfig) -> Any:
    ends = config.eos_ids if decoding.stop_ids is None else decoding.stop_ids
    return decoding.filled(
        stop_ids=ends,
        pad_id=ends[0] if ends else 0,
        cache_dtype=jnp.float32,
        unroll=False,
        compactions=0,
        cache_doublings=0,
    )


def _forward(graphdef, params, *, unrolled: Any) -> Callable[..., tuple[jax.Array, KVCache]]:
    """(tokens [B, 1], positions, valid, cache) -> (logits [B, V], cache)."""

    def forward(tokens, positions, valid, cache):
        model: Any = merge(graphdef, params)
        hidden, cache = model(tokens, positions, valid, cache, unrolled)
        return model.unembed(hidden[:, 0]), cache

    return forward


def prefill(
    model: Any, tokens: jax.Array, mask: jax.Array, *, cache_dtype: DTypeLike
) -> tuple[jax.Array, KVCache]:
    """Read left-padded prompts [N, P]: their last hidden states [N, D], and a cache of P slots."""
    rows, length = tokens.shape
    cache = KVCache.empty(model.config, rows, length, cache_dtype)
    hidden, cache = model(tokens, count_positions(mask), mask, cache)
    return hidden[:, -1], cache


def _choose(progress, logits, *, keys, decoding, stop_table) -> Progress:
    step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, progress.step)
    tokens, logps = draw(
        logits,
        step_keys,
        temperature=decoding.temperature,
        top_k=decoding.top_k,
        top_p=decoding.top_p,
        min_p=decoding.min_p,
    )
    return progress.append(tokens, logps, stop_ids=decoding.stop_ids, stop_table=stop_table)


def row_keys(key: jax.Array, rows: int) -> jax.Array:
    """The keys that `generate` draws each row from where it is given one: fold_in(key, r), [rows].

    With a slice of them, some of the prompts are completed as they are among all.
    """
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(rows))


def _row_keys(key: jax.Array, rows: int) -> jax.Array:
    if not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        raise ValueError(f"key must be made by jax.random.key, got an array of {key.dtype}")
    if key.shape == ():
        return row_keys(key, rows)
    if key.shape != (rows,):
        raise ValueError(f"key must be one key or {rows} keys, one per row, got shape {key.shape}")
    return key


def _check_prompts(prompt_tokens, prompt_mask) -> None:
    shape = prompt_tokens.shape
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"prompt_tokens must be [N, P] with N and P at least 1, got {shape}")
    if not jnp.issubdtype(prompt_tokens.dtype, jnp.integer):
        raise ValueError(f"prompt_tokens must be integers, got {prompt_tokens.dtype}")
    if prompt_mask.shape != shape:
        raise ValueError(f"prompt_mask must have the shape {shape}, got {prompt_mask.shape}")
    # Only a host array can be looked into without waiting for a device.
    if isinstance(prompt_mask, np.ndarray) and not prompt_mask[:, -1].all():
        row = int(np.argmin(prompt_mask[:, -1]))
        raise ValueError(f"prompt_mask must end in true (padding is on the left), not so row {row}")


def _check_ids(config, length: int, decoding, stop_table) -> None:
    vocab_size = config.vocab_size
    if length > config.max_positions:
        raise ValueError(
            f"prompt and completion take {length} positions, but max_positions is "
            f"{config.max_positions}; shorten max_prompt_length or max_completion_length"
        )
    for name, ids in (("stop_ids", decoding.stop_ids), ("pad_id", (decoding.pad_id,))):
        for one in ids:
            if not 0 <= one < vocab_size:
                raise ValueError(f"{name} must lie in [0, {vocab_size}), got {one}")
    if stop_table is not None and stop_table.next_state.shape[1] != vocab_size:
        raise ValueError(
            f"stop_table must cover the model's {vocab_size} tokens, got "
            f"{stop_table.next_state.shape[1]}; pass vocab_size to compile_stop_strings"
        )
