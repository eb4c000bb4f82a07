"""Tensors of a checkpoint by Hugging Face name, unread, and their assembly into a State."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from sage_jax.models.axes import Axes, axes_of
from sage_jax.models.config import ModelConfig
from sage_jax.models.errors import ModelError
from sage_jax.models.family import Family
from sage_jax.models.finite import refuse_bad_values

Path = tuple[Any, ...]
Place = Callable[[Axes, np.ndarray], jax.Array]

_LEAVES = {"kernel": "weight", "scale": "weight", "bias": "bias"}
# Buffers of old checkpoints that are functions of the config.
_IGNORED_SUFFIX = "rotary_emb.inv_freq"


@dataclasses.dataclass(frozen=True)
class TensorRef:
    """A tensor on disk in Hugging Face's layout ([out, in] for linear maps).

    Attributes:
        shape: Its shape.
        read: Reads it, as a floating-point array.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


def hf_name(path: Path, family: Family, layer: int | None = None) -> str:
    """The Hugging Face name of the parameter at `path`.

    >>> from sage_jax.models.family import find
    >>> hf_name(("layers", "mlp", "up_proj", "kernel"), find("llama"), 3)
    'model.layers.3.mlp.up_proj.weight'
    """
    *owners, leaf = path if path != ("embed_tokens",) else (*path, "kernel")
    if owners[0] == "layers":
        owners.insert(1, "*")
    prefix = "" if owners[0] == "lm_head" else "model."
    name = prefix + ".".join(owners)
    return f"{family.tensors.get(name, name)}.{_LEAVES[leaf]}".replace("*", str(layer))


def names_of(path: Path, config: ModelConfig) -> list[str]:
    """The names of the tensors stacked into the parameter at `path`: one, or one a layer."""
    if path[0] != "layers":
        return [hf_name(path, config.traits)]
    return [hf_name(path, config.traits, i) for i in range(config.num_layers)]


def hf_layout(path: Path, x: np.ndarray) -> np.ndarray:
    """One layer's parameter in Hugging Face's layout, or back: kernels are transposed."""
    return x.T if path[-1] == "kernel" else x


def assemble(
    config: ModelConfig,
    shapes: nnx.State,
    tensors: Mapping[str, TensorRef],
    *,
    place: Place | None = None,
) -> nnx.State:
    """Reads a checkpoint into stacked parameters, one parameter at a time.

    The names and shapes are checked before anything is read; host memory holds one stacked
    parameter beside what `place` keeps.

    Args:
        config: What the checkpoint must hold.
        shapes: Shapes and dtypes of the result, from `abstract`.
        tensors: By Hugging Face name.
        place: Puts a host array onto devices, given its logical axes; default `jnp.asarray`.

    Raises:
        ModelError: A tensor is missing, unexpected, of the wrong shape, or not finite.
    """
    expected: dict[Path, nnx.Variable] = dict(nnx.to_flat_state(shapes))
    tensors = _without_ignored(config, tensors)
    _check(config, expected, tensors)
    place = place or (lambda axes, x: jnp.asarray(x))
    state = {}
    for path, variable in expected.items():
        refs = {name: tensors[name] for name in names_of(path, config)}
        state[path] = variable.replace(place(axes_of(path), _stack(path, refs, variable)))
    return nnx.from_flat_state(state)


def _stack(path: Path, refs: Mapping[str, TensorRef], variable: nnx.Variable) -> np.ndarray:
    out = np.empty(variable.shape, variable.dtype)
    layers = out if path[0] == "layers" else out[None]
    for layer, (name, ref) in zip(layers, refs.items(), strict=True):
        value = ref.read()
        refuse_bad_values(name, value)
        with np.errstate(over="ignore"):
            layer[...] = hf_layout(path, value)
        if layer.dtype != value.dtype:
            refuse_bad_values(name, layer, after=f"as {layer.dtype}")
    return out


def _without_ignored(config: ModelConfig, tensors: Mapping[str, TensorRef]) -> dict[str, TensorRef]:
    kept = {k: v for k, v in tensors.items() if not k.endswith(_IGNORED_SUFFIX)}
    names = [hf_name(path, config.traits) for path in (("lm_head", "kernel"), ("embed_tokens",))]
    head, embedding = (kept.get(name) for name in names)
    if config.tie_embeddings and head is not None and embedding is not None:
        refuse_bad_values(names[0], head.read())
        if head.shape != embedding.shape or not np.array_equal(head.read(), embedding.read()):
            raise ModelError(
                f"{names[0]} differs from {names[1]} although tie_word_embeddings is true"
            )
        del kept[names[0]]
    return kept


def _check(
    config: ModelConfig, expected: Mapping[Path, nnx.Variable], tensors: Mapping[str, TensorRef]
) -> None:
    shapes = {}
    for path, variable in expected.items():
        shape = variable.shape[1:] if path[0] == "layers" else variable.shape
        shape = tuple(reversed(shape)) if path[-1] == "kernel" else tuple(shape)
        shapes |= dict.fromkeys(names_of(path, config), shape)
    _refuse("missing", sorted(shapes.keys() - tensors.keys()), config)
    _refuse("not part of the model", sorted(tensors.keys() - shapes.keys()), config)
    for name, shape in shapes.items():
        if tuple(tensors[name].shape) != shape:
            raise ModelError(
                f"tensor {name} has shape {tuple(tensors[name].shape)}; the config says {shape}"
            )


def _refuse(what: str, names: list[str], config: ModelConfig) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise ModelError(
            f"tensor {', '.join(names[:3])}{more}: {what} (family {config.family!r}, "
            f"num_layers {config.num_layers}, tie_embeddings {config.tie_embeddings})"
        )
