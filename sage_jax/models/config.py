"""The shape of a model, and its translation from and to Hugging Face's `config.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.models.hf_fields import refuse_unsupported
from sage_jax.models.rope_fields import Llama3Scaling, read_rope, rope_scaling_to_hf
from sage_jax.models.scalars import check_positive, flag, integer, number
from sage_jax.telling import brief

FAMILIES = ("llama", "qwen2", "qwen3")
_ARCHITECTURES = {
    "llama": "LlamaForCausalLM",
    "qwen2": "Qwen2ForCausalLM",
    "qwen3": "Qwen3ForCausalLM",
}


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
            check_positive(name, getattr(self, name))
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
        refuse_unsupported(family, hf)
        heads, hidden = integer(hf, "num_attention_heads"), integer(hf, "hidden_size")
        theta, scaling = read_rope(hf)
        return cls(
            family=family,
            vocab_size=integer(hf, "vocab_size"),
            hidden_size=hidden,
            intermediate_size=integer(hf, "intermediate_size"),
            num_layers=integer(hf, "num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=integer(hf, "num_key_value_heads", heads if family == "llama" else 32),
            head_dim=integer(hf, "head_dim", _default_head_dim(family, hidden, heads)),
            rope_theta=theta,
            rope_scaling=scaling,
            rms_norm_eps=number(hf, "rms_norm_eps", 1e-6),
            tie_embeddings=flag(hf, "tie_word_embeddings"),
            max_positions=integer(
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
            "rope_scaling": rope_scaling_to_hf(self.rope_scaling),
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


def _family_fields(family: str) -> dict[str, Any]:
    if family == "llama":
        return {"attention_bias": False, "mlp_bias": False}
    window = {"use_sliding_window": False, "sliding_window": None}
    return window | ({"attention_bias": False} if family == "qwen3" else {})
