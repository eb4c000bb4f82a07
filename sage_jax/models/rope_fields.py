"""What a Hugging Face config says of rotary positions, in any of its spellings."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from sage_jax.models.errors import ModelError
from sage_jax.models.scalars import integer, number
from sage_jax.telling import brief


@dataclasses.dataclass(frozen=True)
class Llama3Scaling:
    """Rotary frequencies stretched as in Llama 3.1: low ones by `factor`, high ones not at all.

    Attributes:
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


FULL = "full_attention"
_LLAMA3 = {
    "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings",
}  # fmt: skip
_READ = {"rope_theta", "rope_type", "type", *_LLAMA3}
# Fields of stretches that are not computed here. What they hold where they do nothing.
_IDLE: dict[str, tuple[Any, ...]] = {"partial_rotary_factor": (1,), "attention_factor": (1,)}


def read_rope(hf: Mapping[str, Any]) -> tuple[float, Llama3Scaling | None]:
    """The rotary base and the stretch of its frequencies.

    Three spellings are read: `rope_theta` beside `rope_scaling`; one object `rope_parameters`; and
    that object with one such object inside for each kind of layer.

    Args:
        hf: The parsed `config.json`.

    Raises:
        ModelError: The stretch is another than Llama 3's, a field is not known, or two spellings
            contradict each other.
    """
    rope = _united(hf)
    for name, value in rope.items():
        if name not in _READ and value is not None and value not in _IDLE.get(name, ()):
            raise ModelError(f"rope_parameters.{name} is {brief(value)}; it is not supported")
    return number(rope, "rope_theta", 10000.0), _scaling(rope)


def rope_scaling_to_hf(scaling: Llama3Scaling | None) -> dict[str, Any] | None:
    """The `rope_scaling` object that `read_rope` reads back."""
    if scaling is None:
        return None
    return {
        "rope_type": "llama3",
        "factor": scaling.factor,
        "low_freq_factor": scaling.low_freq_factor,
        "high_freq_factor": scaling.high_freq_factor,
        "original_max_position_embeddings": scaling.original_max_positions,
    }


def _united(hf: Mapping[str, Any]) -> dict[str, Any]:
    """One flat object of what all spellings say."""
    fields: dict[str, Any] = {}
    for name in ("rope_theta", "original_max_position_embeddings"):
        if hf.get(name) is not None:
            fields[name] = hf[name]
    for name in ("rope_scaling", "rope_parameters"):
        value = hf.get(name)
        if value is not None and not isinstance(value, Mapping):
            raise ModelError(f"{name} is {brief(value)}; it must be an object or null")
        for key, one in _of_full_attention(name, value or {}).items():
            if fields.get(key, one) != one:
                raise ModelError(
                    f"{name}.{key} is {brief(one)}, but {key} is {brief(fields[key])} elsewhere in "
                    "config.json: they must be equal"
                )
            fields[key] = one
    return fields


def _of_full_attention(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part that holds for layers of full attention, the only kind there is here."""
    kinds = [kind for kind, inner in value.items() if isinstance(inner, Mapping)]
    if FULL in value and FULL not in kinds:
        raise ModelError(f"{name}.{FULL} is {brief(value[FULL])}; it must be an object")
    if not kinds:
        return value
    if FULL not in kinds:
        raise ModelError(
            f"{name} is given for layers of kind {brief(kinds[0])}; it must be for {FULL!r}"
        )
    # What stands beside the kinds holds for all of them.
    common = {key: one for key, one in value.items() if key not in kinds}
    for key, one in common.items():
        if value[FULL].get(key, one) != one:
            raise ModelError(
                f"{name}.{FULL}.{key} is {brief(value[FULL][key])}, but {name}.{key} is "
                f"{brief(one)}: they must be equal"
            )
    return common | value[FULL]


def _scaling(rope: Mapping[str, Any]) -> Llama3Scaling | None:
    kind, old = rope.get("rope_type"), rope.get("type")
    if kind is not None and old is not None and kind != old:
        raise ModelError(f"rope_type is {brief(kind)} beside type {brief(old)}: give one of them")
    kind = kind if kind is not None else old
    if kind in (None, "default"):
        _refuse_stretch(rope, kind)
        return None
    if kind != "llama3":
        raise ModelError(f"rope_type is {brief(kind)}; supported: 'default', 'llama3'")
    for name in ("factor", "low_freq_factor", "high_freq_factor"):
        if name not in rope:
            raise ModelError(f"rope_scaling.{name} is missing; rope_type 'llama3' needs it")
    return Llama3Scaling(
        factor=number(rope, "factor", 1.0),
        low_freq_factor=number(rope, "low_freq_factor", 1.0),
        high_freq_factor=number(rope, "high_freq_factor", 4.0),
        original_max_positions=integer(rope, "original_max_position_embeddings"),
    )


def _refuse_stretch(rope: Mapping[str, Any], kind: str | None) -> None:
    """A factor that no type says the use of is a mistake in the config, not a default."""
    factor = rope.get("factor")
    if factor not in (None, 1):
        raise ModelError(
            f"rope_scaling.factor is {brief(factor)}, but rope_type is {brief(kind)}: say which "
            "stretch it is ('llama3' is supported), or leave the factor out"
        )
