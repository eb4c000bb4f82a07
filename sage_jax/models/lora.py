"""Low-rank adapters (Hu et al., 2021) as a second State beside untouched base weights."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jax.typing import DTypeLike

from sage_jax.models.layers import Linear, add_low_rank
from sage_jax.models.transformer import Transformer

ALL_LINEAR = "all-linear"
TARGETS = {
    "q_proj": "self_attn",
    "k_proj": "self_attn",
    "v_proj": "self_attn",
    "o_proj": "self_attn",
    "gate_proj": "mlp",
    "up_proj": "mlp",
    "down_proj": "mlp",
}


def attach(
    graphdef: nnx.GraphDef,
    params: nnx.State,
    key: jax.Array,
    *,
    rank: int,
    alpha: float,
    targets: str | Sequence[str] = ALL_LINEAR,
    param_dtype: DTypeLike = jnp.float32,
) -> tuple[nnx.GraphDef, nnx.State]:
    """Adapters for the chosen projections of every layer: W x becomes W x + (alpha / rank) B A x.

    `merge(lora_graphdef, (params, adapters))` is the adapted policy, `merge(graphdef, params)`
    stays the reference. A starts uniform in ±1/sqrt(in) and B at zero, so that the two agree.

    Args:
        graphdef: Of the base model.
        params: Of the base model; only shapes are read, so abstract leaves will do.
        key: PRNG key of the initial values.
        rank: Width r of the adapters.
        alpha: Scale; the product is multiplied by alpha / rank.
        targets: "all-linear", or names out of `TARGETS`.
        param_dtype: Of the adapters.

    Returns:
        lora_graphdef: The static half of the adapted model.
        adapters: State of `nnx.LoRAParam`s, `lora_a` [L, in, r] and `lora_b` [L, r, out].

    Raises:
        ValueError: `rank` or `alpha` is not positive, or a target is unknown.
    """
    if rank < 1 or not alpha > 0:
        raise ValueError(f"rank ({rank}) must be at least 1 and alpha ({alpha}) positive")
    names = resolve_targets(targets)
    shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), params)
    model: Transformer = nnx.merge(graphdef, shapes)
    for i, name in enumerate(sorted(TARGETS)):
        if name in names:
            linear = getattr(getattr(model.layers, TARGETS[name]), name)
            _adapt(linear, jax.random.fold_in(key, i), rank, alpha / rank, param_dtype)
    lora_graphdef, adapters, _ = nnx.split(model, nnx.LoRAParam, ...)
    return lora_graphdef, adapters


def resolve_targets(targets: str | Sequence[str]) -> tuple[str, ...]:
    """The projections that `targets` names, sorted.

    Raises:
        ValueError: A name is none of `TARGETS`, or there is none at all.

    >>> resolve_targets(["v_proj", "q_proj"])
    ('q_proj', 'v_proj')
    """
    names = tuple(TARGETS) if targets == ALL_LINEAR else targets
    names = (names,) if isinstance(names, str) else tuple(names)
    unknown = sorted(set(names) - set(TARGETS))
    if unknown or not names:
        raise ValueError(
            f"LoRA targets {list(names)}: {unknown or 'nothing'} is not a target; "
            f"choose {ALL_LINEAR!r} or some of {', '.join(TARGETS)}"
        )
    return tuple(sorted(set(names)))


def fold(params: nnx.State, adapters: nnx.State, *, alpha: float) -> nnx.State:
    """Base weights with the adapters added in: W + (alpha / r) A B.

    Args:
        params: Base weights; left as they are.
        adapters: From `attach`.
        alpha: The same as given to `attach`.

    Returns:
        A State like `params`, for `merge(graphdef, ...)` of the base model: what decoding and
        export want. The sum is taken in float32 or better and rounded to the dtype of `params`.
    """
    flat = dict(nnx.to_flat_state(params))
    low = dict(nnx.to_flat_state(adapters))
    for path, a in low.items():
        if path[-1] == "lora_a":
            target = (*path[:-1], "kernel")
            b = low[(*path[:-1], "lora_b")]
            kernel = flat[target][...]
            folded = add_low_rank(kernel, a[...], b[...], alpha / a[...].shape[-1])
            flat[target] = flat[target].replace(folded.astype(kernel.dtype))
    return nnx.from_flat_state(flat)


def _adapt(linear: Linear, key: jax.Array, rank: int, scale: float, dtype: DTypeLike) -> None:
    layers, inner, outer = linear.kernel.shape
    # variance 1 / (3 in) of a uniform is the half-width 1 / sqrt(in) that PEFT uses.
    init = jax.nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform", batch_axis=0)
    linear.lora_a = nnx.data(nnx.LoRAParam(init(key, (layers, inner, rank), dtype)))
    linear.lora_b = nnx.data(nnx.LoRAParam(jnp.zeros((layers, rank, outer), dtype)))
    linear.lora_scale = scale
