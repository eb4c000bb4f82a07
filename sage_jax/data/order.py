"""The order of training: a function of seed and step, with nothing to save or restore."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import grain

_MAX_SEED = 2**32


@lru_cache(maxsize=8)
def _shuffled(num_examples: int, seed: int) -> grain.MapDataset[int]:
    import grain  # Seconds, and not needed for a loop of one's own.

    # Epochs are shuffled anew: grain folds the epoch into the seed.
    return grain.MapDataset.source(range(num_examples)).seed(seed).shuffle().repeat()


def batch_indices(num_examples: int, batch_size: int, *, seed: int, step: int) -> np.ndarray:
    """Give the examples of a step's batch.

    All epochs, each a new permutation of 0..num_examples-1, stand one after the other; step s
    takes the places s*batch_size to (s+1)*batch_size - 1. So within an epoch no example comes
    twice and none is left out, and a batch may end one epoch and begin the next.

    Args:
        num_examples: size of the data set.
        batch_size: examples per step.
        seed: picks the permutations, 0 <= seed < 2**32.
        step: counted from 0.

    Returns:
        Indices, int64 [batch_size].

    Raises:
        ValueError: if a size is not positive, the step is negative, or the seed out of range.

    >>> [batch_indices(4, 2, seed=0, step=step).tolist() for step in range(2)]
    [[1, 2], [3, 0]]
    """
    if num_examples < 1 or batch_size < 1:
        raise ValueError(
            f"num_examples and batch_size must be positive, got {num_examples} and {batch_size}"
        )
    if step < 0:
        raise ValueError(f"step {step} must be >= 0")
    return indices_at(num_examples, step * batch_size, batch_size, seed=seed)


def indices_at(num_examples: int, first: int, count: int, *, seed: int) -> np.ndarray:
    """Give the examples at some places of the order that `batch_indices` cuts into batches.

    Args:
        num_examples: size of the data set.
        first: place of the first, counted from 0.
        count: of places.
        seed: picks the permutations, 0 <= seed < 2**32.

    Returns:
        Indices, int64 [count].

    Raises:
        ValueError: if the seed is out of range.
    """
    if not 0 <= seed < _MAX_SEED:
        raise ValueError(f"seed {seed} must be in [0, 2**32)")
    order = _shuffled(num_examples, seed)
    return np.array([order[place] for place in range(first, first + count)], np.int64)
