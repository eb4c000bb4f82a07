"""The mesh of a config: picked where it says `auto`, and checked against the batch."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.sharding import Mesh

from sage_jax import config as configs
from sage_jax import models, parallel
from sage_jax.config import ConfigError

_FLOAT32 = 4


def resolve_mesh(
    config: configs.Config,
    read_shape: Callable[[], models.ModelConfig],
    *,
    devices: Sequence[Any] | None = None,
    memory: float | None = None,
) -> tuple[configs.Config, str]:
    """The config with numbers for `mesh: auto`, and the reason for them; else as it is, and "".

    Args:
        config: of the run.
        read_shape: gives the model's sizes.
        devices: default all of them.
        memory: bytes of one device; default what the device says.
    """
    if not config.mesh.auto:
        return config, ""
    devices = jax.devices() if devices is None else devices
    shape = read_shape()
    weights, state = _bytes(config, shape)
    sizes, why = parallel.choose_sizes(
        len(devices),
        rows=math.gcd(*_row_counts(config).values()),
        kv_heads=shape.num_kv_heads,
        weight_bytes=weights,
        state_bytes=state,
        memory=_memory(devices[0]) if memory is None else memory,
    )
    return configs.override(config, {"mesh": {"auto": False, **sizes}}), why


def _bytes(config: configs.Config, shape: models.ModelConfig) -> tuple[float, float]:
    """Of the weights as they decode, and of all that training keeps."""
    count = sum(leaf.size for leaf in jax.tree.leaves(models.abstract(shape)[1]))
    width = jax.numpy.dtype(config.model.param_dtype).itemsize
    if config.lora.rank:
        return count * width, count * width  # Adapters and their moments are a hundredth of it.
    copies = 2 if config.loss.kl_coef > 0 else 1
    masters = 0 if width >= _FLOAT32 else _FLOAT32
    return count * width, count * (copies * width + masters + 2 * _FLOAT32)


def _memory(device: Any) -> float | None:
    stats = device.memory_stats()
    return stats.get("bytes_limit") if stats else None


def open_mesh(config: configs.Config, devices: Sequence[Any] | None = None) -> Mesh:
    """The mesh of all devices, or of those given, checked against the batch.

    Raises:
        ConfigError: if rows cannot be shared out evenly.
        MeshError: if the devices cannot form it.
    """
    mesh = parallel.make_mesh(
        **config.mesh.model_dump(exclude={"topology", "auto"}), devices=devices
    )
    shards = parallel.row_shards(mesh)
    for field, size in _row_counts(config).items():
        if size % shards:
            raise ConfigError(
                f"{field} {size} is not divisible by the {shards} devices that rows are split over "
                f"(mesh.data x mesh.fsdp)"
            )
    return mesh


def _row_counts(config: configs.Config) -> dict[str, int]:
    """What is split over the devices of data x fsdp, by field."""
    rows, options = config.rollout, config.optimizer
    per_update = rows.num_completions // options.num_minibatches
    parted = "rollout.num_prompts / rollout.chunks" if rows.chunks > 1 else "rollout.num_prompts"
    return {
        parted: rows.num_prompts // rows.chunks,
        "optimizer.micro_batch" if options.micro_batch else "rows of an update": options.micro_batch
        or per_update,
        "eval.batch_prompts": config.eval.batch_prompts,
    }
