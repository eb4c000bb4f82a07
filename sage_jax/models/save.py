"""Writing a Hugging Face folder: sharded safetensors, config and tokenizer."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import jax
import numpy as np
from flax import nnx
from safetensors.numpy import save_file

from sage_jax.models.config import ModelConfig
from sage_jax.models.errors import ModelError
from sage_jax.models.safetensors_file import CONFIG, INDEX, MODEL_FILES, SINGLE
from sage_jax.models.tensors import hf_layout, names_of
from sage_jax.paths import as_path, is_remote, told, upload

_MAX_SHARD_BYTES = 4 * 2**30


def save_hf(
    folder: str | Path,
    config: ModelConfig,
    params: nnx.State,
    tokenizer: Any = None,
    *,
    max_shard_bytes: int = _MAX_SHARD_BYTES,
) -> None:
    """Writes what `load` and `transformers` read back: the folder appears whole or not at all.

    In a bucket `config.json` appears last, and says that all of it is there.

    Args:
        folder: Where; must not exist yet, or be empty.
        config: Of the model.
        params: Base weights in their own dtype; fold adapters in first.
        tokenizer: A `transformers` tokenizer, or None.
        max_shard_bytes: Weights beyond this are split into several files with an index.

    Raises:
        ModelError: The folder holds something already.
        PathError: The bucket cannot be written.
    """
    target = as_path(folder)
    if _is_filled(target):
        raise ModelError(f"{target} exists and is not empty; choose another folder or remove it")
    if is_remote(target):
        with tempfile.TemporaryDirectory(prefix="sage-jax-") as home:
            local = Path(home) / target.name
            save_hf(local, config, params, tokenizer, max_shard_bytes=max_shard_bytes)
            upload(local, target, last=CONFIG)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        dtype = _write_weights(temporary, config, params, max_shard_bytes)
        _write_json(temporary / CONFIG, {**config.to_hf(), "dtype": dtype})
        if tokenizer is not None:
            tokenizer.save_pretrained(temporary)
        # mkdtemp makes folders that only their owner may read.
        temporary.chmod(0o777 & ~_umask())
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _is_filled(target: Path) -> bool:
    if not is_remote(target):
        return target.exists() and (not target.is_dir() or any(target.iterdir()))
    # An upload that was cut off left parts of a model without its config: those are written over.
    with told(target):
        names = [entry.name for entry in target.iterdir()] if target.exists() else []
    parts = [name for name in names if any(fnmatchcase(name, form) for form in MODEL_FILES)]
    return CONFIG in names or len(parts) < len(names)


def _write_weights(
    folder: Path, config: ModelConfig, params: nnx.State, max_shard_bytes: int
) -> str:
    entries = list(_entries(config, params))
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
        _write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": owner})
    return str(jax.tree.leaves(params)[0].dtype)


def _entries(config: ModelConfig, params: nnx.State) -> Iterator[tuple[str, int, Any]]:
    """(name, bytes, reader) of every tensor; a reader brings one layer to the host."""
    for path, variable in nnx.to_flat_state(params):
        value, names = variable[...], names_of(path, config)
        size = value.nbytes // len(names)
        for i, name in enumerate(names):
            yield name, size, _reader(path, value, i if path[0] == "layers" else None)


def _reader(path: tuple[Any, ...], value: jax.Array, layer: int | None) -> Any:
    def read() -> np.ndarray:
        host = np.asarray(value if layer is None else value[layer])
        return np.ascontiguousarray(hf_layout(path, host))

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


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
