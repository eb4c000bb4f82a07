"""Which changes of a config would help it fit."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax.config import ConfigError
from sage_jax.parallel import MeshError
from sage_jax.plan.abstract import Abstract, open_abstract
from sage_jax.plan.estimate import estimate


@dataclasses.dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        text: the fields and their new values, and what else it means.
        saved: bytes per chip that it takes off the failing step, by formula.
    """

    text: str
    saved: int


def advise(run: Abstract, step: str, devices: Sequence[Any], *, count: int = 3) -> list[Change]:
    """The changes most likely to help the step that does not fit, the greatest saving first."""
    before = estimate(run)[step].peak
    found = []
    for text, changes in _candidates(run):
        try:
            changed = open_abstract(configs.override(run.config, changes), devices)
        except (ConfigError, MeshError):
            continue  # The change would break something else.
        saved = before - estimate(changed)[step].peak
        if saved > 0:
            found.append(Change(text, saved))
    return sorted(found, key=lambda change: -change.saved)[:count]


def _candidates(run: Abstract) -> Iterator[tuple[str, dict[str, Any]]]:
    """Changes to weigh, as text and overrides."""
    config = run.config
    yield from _smaller_batch(run)
    if config.model.remat != "full":
        yield "model.remat full: more work in the backward pass", {"model": {"remat": "full"}}
    if config.model.param_dtype == "float32":
        text = "model.param_dtype bfloat16" + (
            "" if config.lora.rank else ": beside float32 masters, which the optimiser then keeps"
        )
        yield text, {"model": {"param_dtype": "bfloat16"}}
    if not config.lora.rank:
        yield "lora.rank 8: adapters instead of all weights", {"lora": {"rank": 8}}
        yield (
            "loss.kl_coef 0 and guide none: no reference, no anchor",
            {"loss": {"kl_coef": 0.0}, "guide": "none"},
        )
    yield from _other_mesh(run)


def _smaller_batch(run: Abstract) -> Iterator[tuple[str, dict[str, Any]]]:
    rollout, shards = run.config.rollout, parallel.row_shards(run.mesh)
    rows = rollout.num_completions // run.config.optimizer.num_minibatches
    micro = run.config.optimizer.micro_batch or rows
    smaller = [size for size in range(shards, micro, shards) if rows % size == 0]
    if smaller:
        yield f"optimizer.micro_batch {smaller[-1]}", {"optimizer": {"micro_batch": smaller[-1]}}
    half = rollout.max_completion_length // 2
    yield f"rollout.max_completion_length {half}", {"rollout": {"max_completion_length": half}}
    half = rollout.num_prompts // 2
    changes: dict[str, Any] = {"rollout": {"num_prompts": half}}
    if micro > half * rollout.group_size:
        changes["optimizer"] = {"micro_batch": half * rollout.group_size}
    yield f"rollout.num_prompts {half}", changes


def _other_mesh(run: Abstract) -> Iterator[tuple[str, dict[str, Any]]]:
    sizes = dict(run.mesh.shape)
    for source, target in (("data", "fsdp"), ("fsdp", "tensor"), ("data", "tensor")):
        if sizes[source] % 2 == 0 and (target != "tensor" or _splits(run, 2 * sizes["tensor"])):
            mesh = sizes | {source: sizes[source] // 2, target: sizes[target] * 2}
            text = ", ".join(f"{axis} {mesh[axis]}" for axis in ("data", "fsdp", "tensor"))
            yield f"mesh of {text}", {"mesh": mesh}


def _splits(run: Abstract, tensor: int) -> bool:
    shape = run.shape
    return shape.num_kv_heads % tensor == 0 and shape.num_heads % tensor == 0
