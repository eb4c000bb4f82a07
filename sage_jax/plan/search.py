"""The largest micro-batch and the least rematerialisation that fit."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sage_jax import config as configs
from sage_jax import parallel
from sage_jax.plan.abstract import Abstract, open_abstract
from sage_jax.plan.chips import Chip
from sage_jax.plan.compile import compile_steps
from sage_jax.plan.roofline import roofline

REMATS = ("none", "dots", "full")  # The least first.


@dataclasses.dataclass(frozen=True)
class Found:
    """The largest micro-batch of one kind of rematerialisation.

    Attributes:
        remat: the kind.
        micro_batch: rows, 0 if none fits.
        peak: bytes per chip of the update.
        seconds: estimate of the update's time.
    """

    remat: str
    micro_batch: int
    peak: int
    seconds: float


def search(
    run: Abstract, chip: Chip, devices: Sequence[Any], *, progress: Any = None
) -> list[Found]:
    """For each kind of rematerialisation, the largest micro-batch whose passes fit.

    By bisection over the micro-batches that divide an update's rows and are split evenly over the
    mesh; memory grows with the micro-batch. The fastest by estimate comes first; among equals the
    least rematerialisation, then the largest micro-batch.
    """
    found = [_largest(run, chip, devices, remat, progress) for remat in REMATS]
    order = {remat: place for place, remat in enumerate(REMATS)}
    return sorted(
        found, key=lambda f: (not f.micro_batch, f.seconds, order[f.remat], -f.micro_batch)
    )


def micro_batches(run: Abstract) -> list[int]:
    """Micro-batches that divide an update's rows and are split evenly, ascending."""
    rollout, shards = run.config.rollout, parallel.row_shards(run.mesh)
    rows = rollout.num_completions // run.config.optimizer.num_minibatches
    sizes = [size for size in range(shards, rows + 1, shards) if rows % size == 0]
    return [size for size in sizes if _is_valid(run, size)]


def _is_valid(run: Abstract, micro: int) -> bool:
    try:
        configs.override(run.config, {"optimizer": {"micro_batch": micro}})
    except configs.ConfigError:
        return False
    return True


def _largest(run: Abstract, chip: Chip, devices: Sequence[Any], remat: str, progress: Any) -> Found:
    sizes = micro_batches(run)
    best = Found(remat, 0, 0, 0.0)
    low, high = 0, len(sizes) - 1
    while low <= high:
        middle = (low + high) // 2
        tried = _try(run, chip, devices, remat, sizes[middle], progress)
        if tried:
            best, low = tried, middle + 1
        else:
            high = middle - 1
    return best


def _try(
    run: Abstract, chip: Chip, devices: Sequence[Any], remat: str, micro: int, progress: Any
) -> Found | None:
    changes = {"model": {"remat": remat}, "optimizer": {"micro_batch": micro}}
    changed = open_abstract(configs.override(run.config, changes), devices)
    told = None if progress is None else lambda name: progress(f"{name}, {remat}, {micro} rows")
    steps = compile_steps(changed, only=("update",), progress=told)
    update = steps[-1]
    if update.memory is None or update.costs is None or update.memory.peak > chip.memory:
        return None
    return Found(remat, micro, update.memory.peak, roofline(update.costs.whole, chip).seconds)
