"""Token lists of prompts into one left-padded batch."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_SHORTEST = 16


class PackedPrompts(NamedTuple):
    """A left-padded batch of prompts, and which of the given ones it holds.

    Attributes:
        tokens: [N, P] int32, `pad_id` on padding.
        mask: [N, P] bool, true on the prompt's tokens, which end at the last column.
        kept: for each of the N rows, the index of its prompt in the list given; increasing.
        dropped: how many prompts were too long.
    """

    tokens: np.ndarray
    mask: np.ndarray
    kept: list[int]
    dropped: int


def pack_prompts(
    prompts: Sequence[Sequence[int] | np.ndarray], *, max_prompt_length: int, pad_id: int
) -> PackedPrompts:
    """Left-pad prompts to a common length P = `max_prompt_length`, dropping those that are longer.

    A prompt is never cut: one that does not fit is left out whole and counted. The order is kept.

    Args:
        prompts: token ids of each prompt.
        max_prompt_length: P, in tokens.
        pad_id: the id written on padding.

    Raises:
        ValueError: `max_prompt_length` is below 1, `pad_id` is negative, a prompt is empty, or
            a prompt holds something that is no token id; the message gives the prompt's index.

    >>> packed = pack_prompts([[5, 6], [7, 8, 9, 10], [4]], max_prompt_length=3, pad_id=0)
    >>> packed.tokens.tolist(), packed.kept, packed.dropped
    ([[0, 5, 6], [0, 0, 4]], [0, 2], 1)
    """
    if max_prompt_length < 1:
        raise ValueError(f"max_prompt_length must be at least 1, got {max_prompt_length}")
    if pad_id < 0:
        raise ValueError(f"pad_id must be a token id, 0 or above, got {pad_id}")
    rows = [_as_ids(prompt, index) for index, prompt in enumerate(prompts)]
    kept = [index for index, row in enumerate(rows) if len(row) <= max_prompt_length]
    tokens = np.full((len(kept), max_prompt_length), pad_id, np.int32)
    mask = np.zeros(tokens.shape, np.bool_)
    for place, index in enumerate(kept):
        tokens[place, -len(rows[index]) :] = rows[index]
        mask[place, -len(rows[index]) :] = True
    return PackedPrompts(tokens, mask, kept, len(rows) - len(kept))


def padded_length(longest: int) -> int:
    """The columns for prompts of up to `longest` tokens: 16 times a power of two.

    So that few shapes are compiled.

    >>> padded_length(16), padded_length(17)
    (16, 32)
    """
    return _SHORTEST << (-(-longest // _SHORTEST) - 1).bit_length()


def _as_ids(prompt: Sequence[int] | np.ndarray, index: int) -> np.ndarray:
    ids = np.asarray(prompt)
    if ids.size == 0:
        raise ValueError(f"prompt {index} is empty; it must hold at least one token id")
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(
            f"prompt {index} must be a flat list of integer token ids, "
            f"got shape {ids.shape} of {ids.dtype}"
        )
    if ids.min() < 0 or ids.max() > np.iinfo(np.int32).max:
        raise ValueError(
            f"prompt {index} must hold ids in [0, 2^31), got {ids.min()} to {ids.max()}"
        )
    return ids
