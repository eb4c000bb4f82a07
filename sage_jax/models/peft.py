"""Adapters in PEFT's format: what other programs load on top of a base model, written and read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from safetensors.numpy import save_file

from sage_jax.models.config import ModelConfig
from sage_jax.models.errors import ModelError
from sage_jax.models.finite import refuse_bad_values
from sage_jax.models.lora import TARGETS
from sage_jax.models.safetensors_file import ADAPTER_CONFIG, file_tensors, read_json
from sage_jax.models.save import write_json
from sage_jax.models.tensors import TensorRef, names_of
from sage_jax.telling import brief

ADAPTER = "adapter_model.safetensors"
_FACTORS = {"lora_a": "lora_A", "lora_b": "lora_B"}
# Fields that change what an adapter computes; each is read where it says nothing.
_IDLE = (
    "alpha_pattern", "bias", "fan_in_fan_out", "layer_replication", "lora_bias", "modules_to_save",
    "rank_pattern", "target_parameters", "trainable_token_indices", "use_dora", "use_rslora",
)  # fmt: skip
_PLAIN_STARTS = (None, True, False, "gaussian", "orthogonal")


class Adapter(NamedTuple):
    """Adapters as `lora.attach` and `lora.fold` take them.

    Attributes:
        rank: Width r.
        alpha: Scale; the product of the factors is multiplied by alpha / rank.
        targets: Names out of `lora.TARGETS`, sorted.
        adapters: State of `nnx.LoRAParam`s, float32.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...]
    adapters: nnx.State


def write_adapter(
    folder: Path,
    config: ModelConfig,
    adapters: nnx.State,
    *,
    alpha: float,
    base: str,
    dtype: DTypeLike | None = None,
) -> None:
    """Writes `adapter_config.json` and `adapter_model.safetensors` into a folder that is there.

    Factors are [r, in] and [out, r] there: the transposes of `lora_a` and `lora_b` of each layer.

    Args:
        folder: Where.
        config: Of the base model.
        adapters: From `lora.attach`.
        alpha: The same as given to `lora.attach`.
        base: What PEFT is to load the adapter on: a folder or hub id.
        dtype: That factors are rounded to; None keeps their own.
    """
    tensors, modules, rank = {}, set(), 0
    for path, variable in nnx.to_flat_state(adapters):
        value = np.asarray(variable[...])
        rank = value.shape[-1] if path[-1] == "lora_a" else rank
        for layer, name in enumerate(_names(path, config)):
            kept = value[layer].T.astype(dtype or value.dtype)
            tensors[name] = np.ascontiguousarray(kept)
            modules.add(name.split(".")[-3])
    save_file(tensors, folder / ADAPTER, {"format": "pt"})
    write_json(folder / ADAPTER_CONFIG, _fields(rank, alpha, sorted(modules), base))


def _fields(rank: int, alpha: float, modules: list[str], base: str) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": int(alpha) if float(alpha).is_integer() else alpha,
        "lora_dropout": 0.0,
        "target_modules": modules,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
        "use_dora": False,
        "use_rslora": False,
    }


def read_adapter(folder: Path, config: ModelConfig, params: nnx.State) -> Adapter:
    """Reads what `write_adapter`, or PEFT, has written for a base model.

    Args:
        folder: Holds both files.
        config: Of the base model.
        params: Of the base model; only shapes are read, so abstract leaves will do.

    Raises:
        ModelError: A file is missing or damaged, a field asks for what is not computed here, or a
            tensor is missing, unexpected, of the wrong shape, or not finite.
    """
    rank, alpha = _scale(read_json(folder / ADAPTER_CONFIG))
    tensors = file_tensors(folder / ADAPTER)
    wanted = _wanted(config, params, rank, tensors)
    names = {name for path in wanted for name in _names(path, config)}
    if odd := sorted(names ^ tensors.keys()) or ([] if names else [ADAPTER]):
        state = "missing" if odd[0] in names else "not an adapter of this model"
        raise ModelError(f"tensor {brief(odd[0])} in {folder / ADAPTER}: {state}")
    state = {
        path: nnx.LoRAParam(jnp.asarray(_stack(_names(path, config), tensors, shape)))
        for path, shape in wanted.items()
    }
    targets = tuple(sorted({str(path[-2]) for path in wanted}))
    return Adapter(rank, alpha, targets, nnx.from_flat_state(state))


def _scale(fields: Mapping[str, Any]) -> tuple[int, float]:
    """Rank and alpha of a config that asks for nothing else."""
    if fields.get("peft_type") != "LORA":
        raise ModelError(f"peft_type is {brief(fields.get('peft_type'))}; only 'LORA' is read")
    for name in _IDLE:
        if (value := fields.get(name)) and value != "none":
            raise ModelError(f"{name} is {brief(value)} in {ADAPTER_CONFIG}; it is not supported")
    start = fields.get("init_lora_weights")
    if start not in _PLAIN_STARTS:
        raise ModelError(f"init_lora_weights is {brief(start)}; it may change the base's weights")
    rank, alpha = fields.get("r"), fields.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise ModelError(f"r is {brief(rank)} in {ADAPTER_CONFIG}; it must be a positive integer")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise ModelError(f"lora_alpha is {brief(alpha)} in {ADAPTER_CONFIG}; it must be a number")
    if not (math.isfinite(alpha) and alpha > 0):
        raise ModelError(f"lora_alpha is {alpha} in {ADAPTER_CONFIG}; it must be positive")
    return rank, float(alpha)


def _wanted(
    config: ModelConfig, params: nnx.State, rank: int, tensors: Mapping[str, TensorRef]
) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Path and shape [L, in, r] or [L, r, out] of the factors of all projections that have some."""
    kernels: dict[Any, Any] = dict(nnx.to_flat_state(params))
    found = {}
    for target, owner in TARGETS.items():
        home = ("layers", owner, target)
        layers, inner, outer = kernels[(*home, "kernel")].shape
        shapes = {"lora_a": (layers, inner, rank), "lora_b": (layers, rank, outer)}
        own = {(*home, factor): shape for factor, shape in shapes.items()}
        if any(name in tensors for path in own for name in _names(path, config)):
            found |= own
    return found


def _stack(
    names: list[str], tensors: Mapping[str, TensorRef], shape: tuple[int, ...]
) -> np.ndarray:
    """One factor of all layers, as float32."""
    layers = []
    for name in names:
        if tensors[name].shape != (shape[2], shape[1]):
            raise ModelError(
                f"tensor {name} has shape {tensors[name].shape}; rank and base say "
                f"{(shape[2], shape[1])}"
            )
        value = tensors[name].read()
        refuse_bad_values(name, value)
        layers.append(value.astype(np.float32).T)
    return np.stack(layers)


def _names(path: tuple[Any, ...], config: ModelConfig) -> list[str]:
    """PEFT's names of one factor, one a layer.

    `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`: the first two words are
    PEFT's own, around what Transformers calls the module.
    """
    factor = _FACTORS[path[-1]]
    modules = (name.removesuffix(".weight") for name in names_of((*path[:-1], "kernel"), config))
    return [f"base_model.model.{module}.{factor}.weight" for module in modules]
