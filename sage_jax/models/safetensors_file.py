"""Reading folders of safetensors files, in one piece or sharded with an index."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  (teaches NumPy the name "bfloat16", which safetensors asks for)
import numpy as np
from safetensors import SafetensorError, safe_open

from sage_jax import json_text
from sage_jax.models.errors import ModelError
from sage_jax.models.tensors import TensorRef
from sage_jax.telling import brief, line

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
# What a model's folder is read from; other files beside them, such as pickled weights, are not.
MODEL_FILES = ("*.json", "*.safetensors", "*.jinja", "*.txt", "tokenizer.model")
_FLOATS = ("F64", "F32", "F16", "BF16")


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        ModelError: There is no such file, or it is not a JSON object.
    """
    try:
        value = json_text.read(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path.name} is missing from {path.parent}") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(value, dict):
        raise ModelError(f"{path} holds a {type(value).__name__}; it must be a JSON object")
    return value


def folder_tensors(folder: Path) -> dict[str, TensorRef]:
    """All tensors of a folder, by name, unread.

    Raises:
        ModelError: There is no safetensors file, a shard is missing or disagrees with the index,
            a file is damaged, or a tensor is not floating point.
    """
    if (folder / INDEX).exists():
        return _sharded(folder, read_json(folder / INDEX).get("weight_map"))
    if (folder / SINGLE).exists():
        return file_tensors(folder / SINGLE)
    raise ModelError(
        f"{folder} holds neither {SINGLE} nor {INDEX}; only safetensors are read, never pickled "
        "weights (.bin, .pt)"
    )


def _sharded(folder: Path, weight_map: Any) -> dict[str, TensorRef]:
    if not isinstance(weight_map, Mapping) or not weight_map:
        raise ModelError(f"{folder / INDEX} has no weight_map")
    for name, shard in weight_map.items():
        if not isinstance(shard, str):
            raise ModelError(f"{INDEX}: the shard of tensor {brief(name)} is {brief(shard)}")
    # Only names of files here count: one with a folder in it could point outside the checkpoint.
    here = {path.name for path in folder.iterdir() if path.is_file()}
    found: dict[str, TensorRef] = {}
    for shard in sorted(set(weight_map.values())):
        if shard not in here:
            raise ModelError(f"shard {shard[:200]} named in {INDEX} is missing from {folder}")
        tensors = file_tensors(folder / shard)
        wanted = {name for name, owner in weight_map.items() if owner == shard}
        if wanted != tensors.keys():
            odd = min(wanted ^ tensors.keys())
            raise ModelError(f"{INDEX} and shard {shard} disagree about tensor {odd}")
        found |= tensors
    return found


def file_tensors(path: Path) -> dict[str, TensorRef]:
    """All tensors of a safetensors file, by name, unread.

    Raises:
        ModelError: There is no such file, it is damaged, or a tensor is not floating point.
    """
    try:
        with safe_open(path, framework="np") as file:
            return {name: _ref(path, name, file.get_slice(name)) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a sound safetensors file: {line(error)}") from error


def _ref(path: Path, name: str, view: Any) -> TensorRef:
    if view.get_dtype() not in _FLOATS:
        raise ModelError(
            f"tensor {name} in {path.name} has dtype {view.get_dtype()}; it must be one of "
            f"{', '.join(_FLOATS)}"
        )

    def read() -> np.ndarray:
        with safe_open(path, framework="np") as file:
            return file.get_tensor(name)

    return TensorRef(shape=tuple(view.get_shape()), read=read)
