"""The shape of a model, and its translation from and to Hugging Face's `config.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.models.family import Family, Multiplier, find
from sage_jax.models.hf_fields import refuse_unsupported
from sage_jax.models.rope_fields import Llama3Scaling, read_rope, rope_scaling_to_hf
from sage_jax.models.scalars import check_positive, flag, integer, number
from sage_jax.telling import brief


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything that fixes the parameters and the arithmetic of a decoder-only transformer.

    What the family decides is in its record, `traits`. The stream begins as `embedding_multiplier`
    times the embedding, each block's two results are multiplied by `residual_multiplier` before
    they are added to it, scores of attention are q · k times `attention_multiplier` (None:
    1 / sqrt(head_dim)), and logits are divided by `logits_scaling`.

    Raises:
        ModelError: A field is impossible (family unknown, size not positive, heads not divisible,
            a multiplier that the family does not have).

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
    embedding_multiplier: float = 1.0
    residual_multiplier: float = 1.0
    attention_multiplier: float | None = None
    logits_scaling: float = 1.0

    def __post_init__(self):
        _check_multipliers(self, find(self.family))
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
    def traits(self) -> Family:
        """What the family decides."""
        return find(self.family)

    @property
    def embedding_scale(self) -> float:
        """What embeddings are multiplied by, whoever says so: the family or the model."""
        root = self.hidden_size**0.5 if self.traits.scaled_embeddings else 1.0
        return root * self.embedding_multiplier

    @property
    def attention_scale(self) -> float:
        """What q · k is multiplied by."""
        given = self.attention_multiplier
        return self.head_dim**-0.5 if given is None else given

    @classmethod
    def from_hf(cls, hf: Mapping[str, Any]) -> ModelConfig:
        """Reads the fields of a Hugging Face `config.json`.

        Args:
            hf: The parsed JSON object.

        Raises:
            ModelError: It describes something this code does not compute; the message names it.
        """
        family = find(hf.get("model_type"), "model_type")
        refuse_unsupported(family, hf)
        hf = {**family.defaults, **{name: x for name, x in hf.items() if x is not None}}
        heads, hidden = integer(hf, "num_attention_heads"), integer(hf, "hidden_size")
        head_dim = integer(hf, "head_dim") if "head_dim" in hf else _head_dim(hidden, heads)
        theta, scaling = read_rope(hf)
        return cls(
            family=hf["model_type"],
            vocab_size=integer(hf, "vocab_size"),
            hidden_size=hidden,
            intermediate_size=integer(hf, "intermediate_size"),
            num_layers=integer(hf, "num_hidden_layers"),
            num_heads=heads,
            num_kv_heads=integer(hf, "num_key_value_heads", heads),
            head_dim=head_dim,
            rope_theta=theta,
            rope_scaling=scaling,
            rms_norm_eps=number(hf, "rms_norm_eps", 1e-6),
            tie_embeddings=flag(hf, "tie_word_embeddings"),
            max_positions=integer(hf, "max_position_embeddings"),
            eos_ids=token_ids(hf.get("eos_token_id")),
            pad_id=_optional_id(hf, "pad_token_id"),
            bos_id=_optional_id(hf, "bos_token_id"),
            **_multipliers(family, hf, head_dim),
        )

    def to_hf(self) -> dict[str, Any]:
        """The `config.json` object that `from_hf` reads back to an equal config."""
        return {
            "architectures": [self.traits.architecture],
            "model_type": self.family,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": self.traits.activation_names[0],
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope_theta,
            "rope_scaling": rope_scaling_to_hf(self.rope_scaling),
            "tie_word_embeddings": self.tie_embeddings,
            "max_position_embeddings": self.max_positions,
            "eos_token_id": _ids_to_hf(self.eos_ids),
            "pad_token_id": self.pad_id,
            "bos_token_id": self.bos_id,
            **_multipliers_to_hf(self),
            **self.traits.template,
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


# The values with which multipliers do nothing.
_IDLE: dict[Multiplier, float | None] = {
    "embedding_multiplier": 1.0,
    "residual_multiplier": 1.0,
    "attention_multiplier": None,
    "logits_scaling": 1.0,
}


def _check_multipliers(config: ModelConfig, family: Family) -> None:
    for name, idle in _IDLE.items():
        value = getattr(config, name)
        if value == idle:
            continue
        if name not in family.multipliers:
            raise ModelError(f"{name} is {brief(value)}; family {config.family!r} has none")
        number({name: value}, name, 1.0)


def _multipliers(family: Family, hf: Mapping[str, Any], head_dim: int) -> dict[str, Any]:
    found: dict[str, float | None] = {name: number(hf, name, 1.0) for name in family.multipliers}
    if found.get("attention_multiplier") == head_dim**-0.5:
        found["attention_multiplier"] = None
    return found


def _multipliers_to_hf(config: ModelConfig) -> dict[str, float]:
    values = {name: getattr(config, name) for name in config.traits.multipliers}
    return {name: config.attention_scale if x is None else x for name, x in values.items()}


def _head_dim(hidden: int, heads: int) -> int:
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
