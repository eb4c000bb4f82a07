"""The shape of a model, and its translation from and to Hugging Face's `config.json`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.telling import brief

FAMILIES = ("llama", "qwen2", "qwen3")
_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


@dataclasses.dataclass(frozen=True)
class Llama3Scaling:
    """Rotary frequencies stretched as in Llama 3.1: low ones by `factor`, high ones not at all.

    Args:
        factor: By how much wavelengths beyond `original_max_positions / low_freq_factor` grow.
        low_freq_factor: Where the full stretch starts, in turns over the original context.
        high_freq_factor: Where the stretch ends, in turns over the original context.
        original_max_positions: Context length the model was first trained with, in tokens.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_positions: int

    def __post_init__(self):
        if not self.factor >= 1:
            raise ModelError(f"rope_scaling.factor is {self.factor}; it must be at least 1")
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise ModelError(
                f"rope_scaling.low_freq_factor is {self.low_freq_factor}; it must lie between 0 "
                f"and high_freq_factor ({self.high_freq_factor})"
            )


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes the parameters and the arithmetic of a decoder-only transformer.

    Raises:
        ModelError: A field is impossible (family unknown, size not positive, heads not divisible).

    >>> ModelConfig(vocab_size=128, hidden_size=64, intermediate_size=96, num_layers=2,
    ...             num_heads=4, num_kv_heads=2, head_dim=16).num_heads
    4
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    family: str = "llama"
    rope_theta: float = 10000.0
    rope_scaling: Llama3Scaling | None = None
    rms_norm_eps: float = 1e-6
    tie_embeddings: bool = False
    max_positions: int = 2048
    eos_ids: tuple[int, ...] = ()
    pad_id: int | None = None
    bos_id: int | None = None

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise ModelError(f"family is {brief(self.family)}; supported: {', '.join(FAMILIES)}")
        for name in _SIZES:
            _check_positive(name, getattr(self, name))
        if self.num_heads % self.num_kv_heads:
            raise ModelError(
                f"num_heads ({self.num_heads}) must be a multiple of num_kv_heads "
                f"({self.num_kv_heads})"
            )
        for name in ("eos_ids", "pad_id", "bos_id"):
            _check_ids(name, getattr(self, name), self.vocab_size)
        if self.head_dim % 2:
            raise ModelError(f"head_dim is {self.head_dim}; rotary positions need an even one")

    @property
    def attention_bias(self) -> bool:
        """Whether q, k and v projections carry a bias (Qwen2 only)."""
        return self.family == "qwen2"

    @property
    def qk_norm(self) -> bool:
        """Whether queries and keys are normalised per head (Qwen3 only)."""
        return self.family == "qwen3"

    @classmethod
    def from_hf(cls, hf: Mapping[str, Any]) -> ModelConfig:
        """Reads the fields of a Hugging Face `config.json`.

        Args:
            hf: The parsed JSON object.

        Raises:
            ModelError: It describes something this code does not compute; the message names it.
        """
        family = hf.get("model_type")
        if family not in FAMILIES:
            raise ModelError(f"model_type is {brief(family)}; supported: {', '.join(FAMILIES)}")
        _refuse_unsupported(family, hf)
        heads, hidden = _integer(hf, "num_attention_heads"), _integer(hf, "hidden_size")
        rope = _rope_fields(hf)
        return cls(
            family=family,
            vocab_size=_integer(hf, "vocab_size"),
            hidden_size=hidden,
            intermediate_size=_integer(hf, "intermediate_size"),
            num_layers=_integer(hf, "num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=_integer(hf, "num_key_value_heads", heads if family == "llama" else 32),
            head_dim=_integer(hf, "head_dim", _default_head_dim(family, hidden, heads)),
            rope_theta=_number(rope, "rope_theta", 10000.0),
            rope_scaling=_rope_scaling(rope),
            rms_norm_eps=_number(hf, "rms_norm_eps", 1e-6),
            tie_embeddings=_flag(hf, "tie_word_embeddings"),
            max_positions=_integer(
                hf, "max_position_embeddings", 2048 if family == "llama" else 32768
            ),
            eos_ids=token_ids(hf.get("eos_token_id")),
            pad_id=_optional_id(hf, "pad_token_id"),
            bos_id=_optional_id(hf, "bos_token_id"),
        )

    def to_hf(self) -> dict[str, Any]:
        """The `config.json` object that `from_hf` reads back to an equal config."""
        return {
            "architectures": [_ARCHITECTURES[self.family]],
            "model_type": self.family,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": _rope_scaling_to_hf(self.rope_scaling),
            "tie_word_embeddings": self.tie_embeddings,
            "max_position_embeddings": self.max_positions,
            "eos_token_id": _ids_to_hf(self.eos_ids),
            "pad_token_id": self.pad_id,
            "bos_token_id": self.bos_id,
            **_family_fields(self.family),
        }


_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_layers",
    "num_heads",
    "num_kv_heads",
    "head_dim",
    "max_positions",
)


# Far above any model, and low enough that a damaged file is refused before memory is asked for.
_MOST_LAYERS, _MOST = 10_000, 2**31 - 1


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ModelError(f"{name} is {brief(value)}; it must be a positive integer")
    most = _MOST_LAYERS if name in ("num_layers", "num_hidden_layers") else _MOST
    if value > most:
        raise ModelError(f"{name} is {brief(value)}; it must be at most {most}")


def _integer(hf: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = hf.get(name)
    value = default if value is None else value
    if value is None:
        raise ModelError(f"{name} is missing from config.json")
    _check_positive(name, value)
    return value


def _number(hf: Mapping[str, Any], name: str, default: float) -> float:
    value = hf.get(name)
    value = default if value is None else value
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not 0 < value < math.inf:
        raise ModelError(f"{name} is {brief(value)}; it must be a positive number")
    return float(value)


def _flag(hf: Mapping[str, Any], name: str) -> bool:
    value = hf.get(name)
    if value is not None and not isinstance(value, bool):
        raise ModelError(f"{name} is {brief(value)}; it must be true or false")
    return bool(value)


def _check_ids(name: str, value: int | tuple[int, ...] | None, vocab_size: int) -> None:
    for i in value if isinstance(value, tuple) else (value,):
        if i is not None and (not isinstance(i, int) or not 0 <= i < vocab_size):
            raise ModelError(f"{name} holds {brief(i)}; ids lie below vocab_size ({vocab_size})")


def _default_head_dim(family: str, hidden: int, heads: int) -> int:
    if family == "qwen3":
        return 128
    if hidden % heads:
        raise ModelError(
            f"hidden_size ({hidden}) must be a multiple of num_attention_heads ({heads}) "
            "where head_dim is not given"
        )
    return hidden // heads


def token_ids(value: Any) -> tuple[int, ...]:
    """The ids that Hugging Face's `eos_token_id` names: one, a list of them, or none.

    Raises:
        ModelError: It is anything else.
    """
    ids = () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    if not all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids):
        raise ModelError(f"eos_token_id is {brief(value)}; it must be an id or a list of ids")
    return ids


def _optional_id(hf: Mapping[str, Any], name: str) -> int | None:
    value = hf.get(name)
    # Some published configs write -1 for "none".
    if value is None or value == -1:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ModelError(f"{name} is {brief(value)}; it must be a token id or null")
    return value


def _ids_to_hf(ids: tuple[int, ...]) -> int | list[int] | None:
    if not ids:
        return None
    return ids[0] if len(ids) == 1 else list(ids)


def _refuse_unsupported(family: str, hf: Mapping[str, Any]) -> None:
    act = hf.get("hidden_act", "silu")
    if act != "silu":
        raise ModelError(f"hidden_act is {brief(act)}; supported: 'silu'")
    for name in ("mlp_bias", "use_mrope", *(() if family == "qwen2" else ("attention_bias",))):
        if hf.get(name):
            raise ModelError(f"{name} is {brief(hf[name])}; only false is supported")
    if hf.get("quantization_config") is not None:
        raise ModelError("quantization_config is set; load the unquantised checkpoint instead")
    if hf.get("auto_map"):
        raise ModelError("auto_map is set: the model needs code of its own, which is never run")
    partial = hf.get("partial_rotary_factor", 1.0)
    if partial not in (None, 1, 1.0):
        raise ModelError(f"partial_rotary_factor is {brief(partial)}; only 1.0 is supported")
    _refuse_sliding_windows(family, hf)


def _refuse_sliding_windows(family: str, hf: Mapping[str, Any]) -> None:
    if hf.get("use_sliding_window"):
        raise ModelError("use_sliding_window is true; sliding-window attention is not supported")
    # Qwen configs carry a window size that is off unless use_sliding_window says otherwise.
    if family == "llama" and hf.get("sliding_window") is not None:
        raise ModelError(
            f"sliding_window is {brief(hf['sliding_window'])}; sliding-window attention is not "
            "supported"
        )
    kinds = hf.get("layer_types") or []
    if not isinstance(kinds, (list, tuple)):
        raise ModelError(f"layer_types is {brief(kinds)}; it must be a list")
    for kind in kinds:
        if kind != "full_attention":
            raise ModelError(f"layer_types holds {brief(kind)}; supported: 'full_attention'")


def _rope_fields(hf: Mapping[str, Any]) -> dict[str, Any]:
    """Unites the two spellings: rope_theta beside rope_scaling, or one rope_parameters object."""
    fields = {"rope_theta": hf.get("rope_theta")}
    for name in ("rope_scaling", "rope_parameters"):
        value = hf.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise ModelError(f"{name} is {brief(value)}; it must be an object or null")
        fields.update(value or {})
    return fields


def _rope_scaling(rope: Mapping[str, Any]) -> Llama3Scaling | None:
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise ModelError(f"rope_type is {brief(kind)}; supported: 'default', 'llama3'")
    for name in ("factor", "low_freq_factor", "high_freq_factor"):
        if name not in rope:
            raise ModelError(f"rope_scaling.{name} is missing; rope_type 'llama3' needs it")
    return Llama3Scaling(
        factor=_number(rope, "factor", 1.0),
        low_freq_factor=_number(rope, "low_freq_factor", 1.0),
        high_freq_factor=_number(rope, "high_freq_factor", 4.0),
        original_max_positions=_integer(rope, "original_max_position_embeddings"),
    )


def _rope_scaling_to_hf(scaling: Llama3Scaling | None) -> dict[str, Any] | None:
    if scaling is None:
        return None
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_max_positions,
    }


def _family_fields(family: str) -> dict[str, Any]:
    if family == "llama":
        return {"attention_bias": False, "mlp_bias": False}
    window = {"use_sliding_window": False, "sliding_window": None}
    return window | ({"attention_bias": False} if family == "qwen3" else {})
