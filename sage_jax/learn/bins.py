"""Passes over bins: prompts with rows that several of their completions share."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sage_jax.learn.packing import Packing
from sage_jax.learn.sequences import Sequences


class Slots(NamedTuple):
    """Where completions lie in the rows of their bins: [U * G] starts, and the rows of a bin."""

    starts: jax.Array | np.ndarray
    rows: int


def over_passes(
    packing: Packing,
    sequences: Sequences,
    rows: Any,
    one: Callable[..., tuple[Any, Any]],
    total: Any,
) -> tuple[Any, tuple[jax.Array, jax.Array]]:
    """All passes of an update, one after the other.

    Args:
        packing: of this update, without the axis M.
        sequences: of this update.
        rows: any tree of arrays [B, ...] that goes with them.
        one: (total, *what `take` gives of a pass) -> the next total, and (logps, entropies) of the
            pass, [U * G, T].
        total: what the first pass is given.

    Returns:
        The last total, and (logps, entropies) of all rows, float32[B, T].
    """

    def body(index: jax.Array, carry: Any) -> Any:
        total, seen = carry
        total, scores = one(total, *take(packing, index, sequences, rows))
        return total, put(packing, index, seen, scores)

    blank = jnp.zeros(sequences.tokens.shape, jnp.float32)
    return jax.lax.fori_loop(0, packing.passes, body, (total, (blank, blank)))


def take(
    packing: Packing, index: jax.Array | int, sequences: Sequences, rows: Any
) -> tuple[Sequences, Any, Slots]:
    """One pass of an update: its bins' prompts and G completions each, where a bin has them.

    Args:
        packing: of this update, without the axis M.
        index: of the pass.
        sequences: of this update.
        rows: any tree of arrays [B, ...] that goes with them.

    Returns:
        Sequences of U prompts and U * G rows, the tree of U * G rows, and how those share rows.
        Rows that a bin does not have are all zero, their mask too.
    """
    prompts, members = packing.prompts[index], packing.members[index].reshape(-1)

    def taken(x: jax.Array) -> jax.Array:
        return x.at[members].get(mode="fill", fill_value=0)

    own = Sequences(
        sequences.prompt_tokens[prompts],
        sequences.prompt_mask[prompts],
        taken(sequences.tokens),
        taken(sequences.mask),
    )
    slots = Slots(packing.starts[index].reshape(-1), packing.rows)
    return own, jax.tree.map(taken, rows), slots


def put(packing: Packing, index: jax.Array | int, whole: Any, rows: Any) -> Any:
    """Arrays [B, ...] with what `rows` [U * G, ...] says of the completions of a pass."""
    members = packing.members[index].reshape(-1)
    return jax.tree.map(lambda x, new: x.at[members].set(new, mode="drop"), whole, rows)


def pack(sequences: Sequences, slots: Slots) -> Sequences:
    """The completions of U prompts in U·`rows` rows, with `segments` to tell them apart."""
    groups, length = len(sequences.prompt_tokens), sequences.tokens.shape[1]
    size = len(sequences.tokens) // groups
    numbers = jnp.tile(jnp.arange(1, size + 1, dtype=jnp.int32), groups)[:, None]
    room = slots.rows * length
    # What is padding has a slot behind the last, and is dropped.
    at = jnp.where(sequences.mask > 0, _slots(slots, length), room).reshape(groups, -1)

    def lay(values: jax.Array) -> jax.Array:
        def put(at: jax.Array, new: jax.Array) -> jax.Array:
            return jnp.zeros(room, new.dtype).at[at].set(new, mode="drop")

        return jax.vmap(put)(at, values.reshape(groups, -1)).reshape(-1, length)

    segments = lay(jnp.broadcast_to(numbers, sequences.tokens.shape))
    return Sequences(
        sequences.prompt_tokens,
        sequences.prompt_mask,
        lay(sequences.tokens),
        (segments > 0).astype(sequences.mask.dtype),
        segments,
    )


def unpack(values: jax.Array, slots: Slots) -> jax.Array:
    """Figures of packed tokens [U·rows, T] by completion, [U·G, T]; behind its end, of others."""
    rows, length = values.shape
    groups, room = rows // slots.rows, slots.rows * length
    places = jnp.minimum(_slots(slots, length), room - 1).reshape(groups, -1)
    taken = jnp.take_along_axis(values.reshape(groups, room), places, axis=1)
    return taken.reshape(-1, length)


def _slots(slots: Slots, length: int) -> jax.Array:
    return jnp.asarray(slots.starts)[:, None] + jnp.arange(length, dtype=jnp.int32)[None]
