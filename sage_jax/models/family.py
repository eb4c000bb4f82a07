"""What a family of models decides, and how one is found by its name."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax

from sage_jax.models import families as room
from sage_jax.models.errors import ModelError
from sage_jax.telling import brief

Multiplier = Literal[
    "embedding_multiplier", "residual_multiplier", "attention_multiplier", "logits_scaling"
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Family:
    """What all models of a family have in common, whatever their sizes.

    A block attends and adds to the stream, then runs a gated MLP and adds; norms lie around both.

    Attributes:
        architecture: Transformers' class, which `config.json` names.
        activation: Of the MLP's gate.
        activation_names: What `config.json` may call it; the first is what is written.
        norms: Where each block normalises: what attention and MLP read ("before"), what they give
            ("after"), or both.
        norm_offset: Norms multiply by this plus their weights, y = (offset + w) x / rms(x).
        qk_norm: Whether queries and keys are normalised, each head by itself ("head") or all of a
            token's heads as one ("token").
        attention_bias: Whether the projections to queries, keys and values carry biases.
        scaled_embeddings: Whether embeddings are multiplied by sqrt(D).
        multipliers: Those fields of `ModelConfig` that `config.json` holds by the same names; 1
            where neither it nor `defaults` says more.
        defaults: What Transformers takes where `config.json` leaves a field out.
        template: What `config.json` holds besides sizes, the same for every model.
        ignored: Fields of `config.json` that do nothing in this family, whatever they hold.
        tensors: Names of weights that differ from Llama's: its name to theirs, without `.weight`,
            `*` for the number of the layer. Norms that come after are `attention_out_norm` and
            `mlp_out_norm`.
        gguf_rows: How GGUF files keep the rows of queries' and keys' projections: as Transformers
            does, or the two halves of each head interleaved. None: they are not read.

    >>> Family(architecture="MyForCausalLM", qk_norm="head").activation_names[0]
    'silu'
    """

    architecture: str
    activation: Callable[[jax.Array], jax.Array] = jax.nn.silu
    activation_names: tuple[str, ...] = ("silu", "swish", "swiglu")
    norms: tuple[Literal["before", "after"], ...] = ("before",)
    norm_offset: float = 0.0
    qk_norm: Literal["head", "token"] | None = None
    attention_bias: bool = False
    scaled_embeddings: bool = False
    multipliers: tuple[Multiplier, ...] = ()
    defaults: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    template: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    tensors: Mapping[str, str] = dataclasses.field(default_factory=dict)
    gguf_rows: Literal["plain", "interleaved"] | None = None


def family_names() -> tuple[str, ...]:
    """The names there are, in order."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(room.__path__)))


def find(name: Any, field: str = "family") -> Family:
    """The record of a family.

    Args:
        name: As `model_type` in `config.json`.
        field: Where it is named, for the error.

    Raises:
        ModelError: There is no family of that name.
    """
    if name not in family_names():
        raise ModelError(f"{field} is {brief(name)}; supported: {', '.join(family_names())}")
    return importlib.import_module(f"{room.__name__}.{name}").FAMILY
