"""AdamW with clipping, a schedule, and decay of matrices only."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax.typing import DTypeLike

from sage_jax.learn.masters import float32_masters, wide


def make_optimizer(
    schedule: optax.ScalarOrSchedule,
    *,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    clip_norm: float = 1.0,
    dtype: DTypeLike = jnp.float32,
) -> optax.GradientTransformation:
    """Clip by global norm, then AdamW; for weights narrower than float32 with float32 masters.

    Args:
        schedule: learning rate, or a function of the number of updates made.
        b1: decay of the first moment.
        b2: decay of the second moment.
        eps: added to the second moment's root.
        weight_decay: applied to `decayed` leaves.
        clip_norm: bound of the gradient's global norm.
        dtype: of the weights.
    """
    optimizer = optax.chain(
        optax.clip_by_global_norm(clip_norm),
        optax.adamw(schedule, b1=b1, b2=b2, eps=eps, weight_decay=weight_decay, mask=decayed),
    )
    return optimizer if wide(dtype) == dtype else float32_masters(optimizer)


def decayed(params: Any) -> Any:
    """Which leaves weight decay acts on: matrices, not norms or biases.

    Layers are stacked on the first axis, so a norm's scale has two axes and a matrix three; the
    embedding is a matrix of two. Names decide.
    """

    def is_matrix(path, _):
        return any(str(getattr(key, "key", key)) in _MATRICES for key in path)

    return jax.tree_util.tree_map_with_path(is_matrix, params)


_MATRICES = {"kernel", "embed_tokens", "lora_a", "lora_b"}


def make_schedule(
    kind: str, peak: float, *, warmup_steps: int, total_steps: int, end_factor: float
) -> optax.Schedule:
    """A rise from 0 over `warmup_steps` updates, then constant, linear or cosine to the end.

    Args:
        kind: "constant", "linear" or "cosine".
        peak: the highest learning rate.
        warmup_steps: updates of the rise.
        total_steps: updates of the run.
        end_factor: learning rate at the end over the peak.
    """
    rest = max(total_steps - warmup_steps, 1)
    tail = {
        "constant": optax.constant_schedule(peak),
        "linear": optax.linear_schedule(peak, peak * end_factor, rest),
        "cosine": optax.cosine_decay_schedule(peak, rest, end_factor),
    }[kind]
    if not warmup_steps:
        return tail
    rise = optax.linear_schedule(peak / warmup_steps, peak, max(warmup_steps - 1, 1))
    return optax.join_schedules([rise, tail], [warmup_steps])
