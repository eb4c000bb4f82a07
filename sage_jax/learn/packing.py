"""How completions of one prompt are to share rows, so that little of a pass is padding."""

from __future__ import annotations

import dataclasses
import math

import jax
import numpy as np

# Rows that a bin may have, in eighths of a group's size: each number compiles scoring and the
# update once more, so that there are few, and a smaller one has to spare some share of the tokens.
_EIGHTHS = (1, 2, 3, 4, 6)
_WORTH = 0.1


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Packing:
    """All passes over a rollout whose completions share rows.

    A bin is a prompt with `rows` rows of its completions, and a group takes as many bins as it
    needs. The number of passes is known when a program runs and not when it is compiled.

    Attributes:
        passes: int32[M], of each of M updates.
        prompts: int32[M, most passes, U], which of an update's prompts a bin continues.
        members: int32[M, most passes, U, G], which of an update's rows a bin holds, by their
            place in the group; the number of all where it holds none.
        starts: int32[M, most passes, U, G], slot of a completion's first token among the
            `rows` * T of its bin.
        rows: of one bin.
    """

    passes: jax.Array | np.ndarray
    prompts: jax.Array | np.ndarray
    members: jax.Array | np.ndarray
    starts: jax.Array | np.ndarray
    rows: int = dataclasses.field(metadata={"static": True})

    @property
    def rows_taken(self) -> int:
        """Rows that are computed on, those of bins without completions included."""
        return int(np.asarray(self.passes).sum()) * self.prompts.shape[-1] * self.rows


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
    """How to pack a rollout, or None where a pass without packing holds whole groups as well.

    Completions of a group go into rows, longest first, each into the first with room (Johnson,
    1974). A pass holds no more tokens than one without packing, prompts included. Where a device
    has no room for a whole group, a bin has as many rows as it has room for; elsewhere as many as
    spare computing on most tokens.

    Args:
        lengths: int[B], tokens of each completion.
        group_size: G.
        prompt_length: P, slots of a prompt.
        length: T, slots of a row.
        micro_batch: rows in one pass without packing.
        updates: M, that the rollout is split into.
        shards: that the rows of a pass are split over.

    >>> found = fit(np.array([4, 1, 2, 1]), group_size=4, prompt_length=2, length=4, micro_batch=4,
    ...     updates=1, shards=1)
    >>> found.rows, found.passes.tolist(), found.starts[0, 0].tolist()
    (2, [1], [[0, 6, 4, 7]])
    """
    each, over = divmod(len(lengths) // group_size, updates)
    micro_batch = min(micro_batch, each * group_size)
    if over or micro_batch % shards:
        return None
    own = micro_batch // shards
    groups = lengths.reshape(-1, group_size)
    if own >= group_size and not _any_fit(groups, length):
        return None
    room = own * length + max(own // group_size, 1) * prompt_length
    packed = [_first_fit(group, length) for group in groups]
    # Prompts are dealt to updates like cards, see `split_groups`.
    hands = [packed[update::updates] for update in range(updates)]
    if own < group_size:  # One program for all lengths.
        sizes, least = {own}, math.inf
    else:
        sizes = {_ceil(eighths * group_size, 8) for eighths in _EIGHTHS} - {group_size}
        # Slots computed on without packing: passes x devices x slots of one device's pass.
        least = updates * _ceil(each * group_size, micro_batch) * shards * room
    best = None
    for rows in sorted(sizes, reverse=True):
        size = prompt_length + rows * length
        # More than one for each group would mostly be empty.
        bins = min(room // size, own // rows, _ceil(each, shards)) * shards
        # A group whose completions fill n rows takes ceil(n / rows) bins, an update
        # ceil(sum of them / bins of a pass) passes.
        passes = [_ceil(sum(_ceil(n, rows) for _, n in hand), bins) for hand in hands]
        if (cost := sum(passes) * bins * size) < (1 - _WORTH) * least:
            best, least = (rows, bins, passes), cost
    return best and _laid_out(hands, length, *best)


def _ceil(number: int, of: int) -> int:
    """ceil(number / of), exactly."""
    return -(-number // of)


def _any_fit(groups: np.ndarray, room: int) -> bool:
    """Whether any two completions of a group have room in one row, or one is empty."""
    if groups.shape[1] < 2:
        return not groups.all()
    shortest = np.partition(groups, 1, axis=1)[:, :2]
    return bool((shortest.sum(axis=1) <= room).any())


def _first_fit(lengths: np.ndarray, room: int) -> tuple[np.ndarray, int]:
    """Slot of each completion's first token, and the number of rows taken."""
    taken: list[int] = []
    starts = np.zeros(len(lengths), np.int32)
    for place in np.argsort(-lengths, kind="stable"):
        if not lengths[place]:
            break
        fits = (row for row, used in enumerate(taken) if used + lengths[place] <= room)
        row = next(fits, len(taken))
        if row == len(taken):
            taken.append(0)
        starts[place] = row * room + taken[row]
        taken[row] += int(lengths[place])
    return starts, len(taken)


def _laid_out(
    hands: list[list[tuple[np.ndarray, int]]], length: int, rows: int, bins: int, passes: list[int]
) -> Packing:
    """Rows of groups as bins, in the order of the groups."""
    group_size = len(hands[0][0][0])
    none = len(hands[0]) * group_size
    most = _ceil(len(hands[0]) * _ceil(group_size, rows), bins)
    shape = (len(hands), most * bins)
    prompts = np.zeros(shape, np.int32)
    members = np.full((*shape, group_size), none, np.int32)
    starts = np.zeros((*shape, group_size), np.int32)
    for update, hand in enumerate(hands):
        first = 0
        for prompt, (slots, count) in enumerate(hand):
            bin, slot = np.divmod(slots, rows * length)
            places = np.arange(group_size)
            prompts[update, first : first + _ceil(count, rows)] = prompt
            members[update, first + bin, places] = prompt * group_size + places
            starts[update, first + bin, places] = slot
            first += _ceil(count, rows)

    def by_pass(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(hands), most, bins, *x.shape[2:])

    counts = np.asarray(passes, np.int32)
    return Packing(counts, by_pass(prompts), by_pass(members), by_pass(starts), rows)
