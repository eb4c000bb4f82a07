"""Completions of one prompt that share rows, so that little of a pass is padding."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.train.sequences import Sequences

# Rows that a group may take, in eighths of its size: each number compiles scoring and the update
# once more, so that there are few.
_EIGHTHS = (1, 2, 3, 4, 6)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Packing:
    """Where each completion lies in the rows that its group is packed into.

    Attributes:
        starts: int32[B], slot of a completion's first token among the `rows` * T of its group.
        rows: that each group takes, instead of one a completion.
        micro_batch: completions in one pass, of whole groups.
    """

    starts: jax.Array | np.ndarray
    rows: int = dataclasses.field(metadata={"static": True})
    micro_batch: int = dataclasses.field(metadata={"static": True})


def fit(
    lengths: np.ndarray,
    *,
    group_size: int,
    prompt_length: int,
    length: int,
    micro_batch: int,
    updates: int,
    shards: int,
) -> Packing | None:
    """How to pack a rollout, or None where that spares nothing.

    Every group takes the same number of rows, the least allowed one that holds each of them:
    longest completions first, each in the first row with room (Johnson, 1974). A pass takes whole
    groups, no fewer than without packing and as many as need no more memory.

    Args:
        lengths: int[B], tokens of each completion.
        group_size: G.
        prompt_length: P, slots of a prompt.
        length: T, slots of a row.
        micro_batch: rows in one pass without packing.
        updates: that the rollout is split into.
        shards: that the rows of a pass are split over.

    >>> fit(np.array([4, 1, 2, 1]), group_size=4, prompt_length=2, length=4, micro_batch=4,
    ...     updates=1, shards=1)
    Packing(starts=array([0, 6, 4, 7], dtype=int32), rows=2, micro_batch=4)
    """
    groups, over = divmod(len(lengths) // group_size, updates)
    packed = [_first_fit(own, length) for own in lengths.reshape(-1, group_size)]
    needed = max(rows for _, rows in packed)
    allowed = (-(-eighths * group_size // 8) for eighths in _EIGHTHS)
    rows = next((n for n in allowed if n >= needed), group_size)
    least = min(-(-micro_batch // group_size), groups)
    slots = micro_batch * length + max(micro_batch // group_size, 1) * prompt_length
    most = min(slots // (prompt_length + rows * length), micro_batch // rows)
    together = [n for n in range(shards, most + 1, shards) if groups % n == 0 and n >= least]
    if over or rows >= group_size or not together:
        return None
    starts = np.concatenate([starts for starts, _ in packed])
    return Packing(starts, rows, together[-1] * group_size)


def _first_fit(lengths: np.ndarray, room: int) -> tuple[np.ndarray, int]:
    """Slot of each completion's first token, and the number of rows taken."""
    taken: list[int] = []
    starts = np.zeros(len(lengths), np.int32)
    for place in np.argsort(-lengths, kind="stable"):
        fits = (row for row, used in enumerate(taken) if used + lengths[place] <= room)
        row = next(fits, len(taken))
        if row == len(taken):
            taken.append(0)
        starts[place] = row * room + taken[row]
        taken[row] += int(lengths[place])
    return starts, len(taken)


def pack(sequences: Sequences, packing: Packing) -> Sequences:
    """The completions of N prompts in N·`rows` rows, with `segments` to tell them apart."""
    groups, length = len(sequences.prompt_tokens), sequences.tokens.shape[1]
    size = len(sequences.tokens) // groups
    numbers = jnp.tile(jnp.arange(1, size + 1, dtype=jnp.int32), groups)[:, None]
    room = packing.rows * length
    # What is padding has a slot behind the last, and is dropped.
    slots = jnp.where(sequences.mask > 0, _slots(packing, length), room).reshape(groups, -1)

    def lay(values: jax.Array) -> jax.Array:
        put = jax.vmap(lambda at, new: jnp.zeros(room, new.dtype).at[at].set(new, mode="drop"))
        return put(slots, values.reshape(groups, -1)).reshape(-1, length)

    segments = lay(jnp.broadcast_to(numbers, sequences.tokens.shape))
    return Sequences(
        sequences.prompt_tokens,
        sequences.prompt_mask,
        lay(sequences.tokens),
        (segments > 0).astype(sequences.mask.dtype),
        segments,
    )


def unpack(values: jax.Array, packing: Packing) -> jax.Array:
    """Figures of packed tokens [N·rows, T] by completion, [N·G, T]; behind its end, of others."""
    rows, length = values.shape
    groups, room = rows // packing.rows, packing.rows * length
    places = jnp.minimum(_slots(packing, length), room - 1).reshape(groups, -1)
    taken = jnp.take_along_axis(values.reshape(groups, room), places, axis=1)
    return taken.reshape(-1, length)


def _slots(packing: Packing, length: int) -> jax.Array:
    return jnp.asarray(packing.starts)[:, None] + jnp.arange(length, dtype=jnp.int32)[None]
