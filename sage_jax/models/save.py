"""Writing a Hugging Face folder: sharded safetensors, config and tokenizer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from safetensors.numpy import save_file

from sage_jax.models.config import ModelConfig
from sage_jax.models.safetensors_file import CONFIG, INDEX, SINGLE
from sage_jax.models.tensors import hf_layout, names_of
from sage_jax.models.whole import written_whole

MAX_SHARD_BYTES = 5 * 10**9
"""What `transformers` has long cut at, and calls 5GB."""


def save_hf(
    folder: str | Path,
    config: ModelConfig,
    params: nnx.State,
    tokenizer: Any = None,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    dtype: DTypeLike | None = None,
) -> None:
    """Writes what `load` and `transformers` read back: the folder appears whole or not at all.

    In a bucket `config.json` appears last, and says that all of it is there.

    Args:
        folder: Where; must not exist yet, or be empty.
        config: Of the model.
        params: Base weights; fold adapters in first.
        tokenizer: A `transformers` tokenizer, or None.
        max_shard_bytes: Weights beyond this are split into several files with an index.
        dtype: That weights are rounded to; None keeps their own.

    Raises:
        ModelError: The folder holds something already.
        PathError: The bucket cannot be written.
    """
    with written_whole(folder) as home:
        write_hf(home, config, params, tokenizer, max_shard_bytes=max_shard_bytes, dtype=dtype)


def write_hf(
    folder: Path,
    config: ModelConfig,
    params: nnx.State,
    tokenizer: Any = None,
    *,
    max_shard_bytes: int = MAX_SHARD_BYTES,
    dtype: DTypeLike | None = None,
) -> None:
    """Writes the files of `save_hf` into a folder that is there."""
    kept = np.dtype(dtype or jax.tree.leaves(params)[0].dtype)
    _write_weights(folder, config, params, max_shard_bytes, kept)
    write_json(folder / CONFIG, {**config.to_hf(), "dtype": str(kept)})
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)


def _write_weights(
    folder: Path, config: ModelConfig, params: nnx.State, max_shard_bytes: int, dtype: np.dtype
) -> None:
    entries = list(_entries(config, params, dtype))
    shards = _plan([(name, size) for name, size, _ in entries], max_shard_bytes)
    arrays = {name: read for name, _, read in entries}
    names = [SINGLE]
    if len(shards) > 1:
        count = len(shards)
        names = [f"model-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)]
    for name, shard in zip(names, shards, strict=True):
        save_file({key: arrays[key]() for key in shard}, folder / name, {"format": "pt"})
    if len(shards) > 1:
        owner = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        total = sum(size for _, size, _ in entries)
        write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": owner})


def _entries(
    config: ModelConfig, params: nnx.State, dtype: np.dtype
) -> Iterator[tuple[str, int, Any]]:
    """(name, bytes, reader) of every tensor; a reader brings one layer to the host."""
    for path, variable in nnx.to_flat_state(params):
        value, names = variable[...], names_of(path, config)
        size = value.size * dtype.itemsize // len(names)
        for i, name in enumerate(names):
            yield name, size, _reader(path, value, i if path[0] == "layers" else None, dtype)


def _reader(path: tuple[Any, ...], value: jax.Array, layer: int | None, dtype: np.dtype) -> Any:
    def read() -> np.ndarray:
        host = np.asarray(value if layer is None else value[layer])
        return np.ascontiguousarray(hf_layout(path, host).astype(dtype, copy=False))

    return read


def _plan(sizes: list[tuple[str, int]], limit: int) -> list[list[str]]:
    """Names in order, cut where a shard would grow beyond the limit."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes:
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    return shards


def write_json(path: Path, value: dict[str, Any]) -> None:
    """A JSON object as a file, its keys in order."""
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
