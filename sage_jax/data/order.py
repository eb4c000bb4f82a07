"""The order of training: a function of seed and step, with nothing to save or restore."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import grain

_MAX_SEED = 2**32
_STEPS_OF_WEIGHTS = 2**40


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
    _refuse_unfit(num_examples, batch_size, step)
    return indices_at(num_examples, step * batch_size, batch_size, seed=seed)


def _refuse_unfit(num_examples: int, batch_size: int, step: int) -> None:
    if num_examples < 1 or batch_size < 1:
        raise ValueError(
            f"num_examples and batch_size must be positive, got {num_examples} and {batch_size}"
        )
    if step < 0:
        raise ValueError(f"step {step} must be >= 0")


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
        ValueError: if there is no example, or the seed is out of range.
    """
    if num_examples < 1:
        raise ValueError(f"num_examples must be positive, got {num_examples}")
    if not 0 <= seed < _MAX_SEED:
        raise ValueError(f"seed {seed} must be in [0, 2**32)")
    order = _shuffled(num_examples, seed)
    return np.array([order[place] for place in range(first, first + count)], np.int64)


def weighted_indices(
    weights: Sequence[float] | np.ndarray, batch_size: int, *, seed: int, step: int
) -> np.ndarray:
    """Give the examples of a step's batch, the more often the greater their weight.

    All epochs stand one after the other, as those of `batch_indices`. An epoch has K places, as
    many as there are examples with a weight, and is a systematic resample: with the cumulative
    expected counts C_i = K (w_1 + ... + w_i) / sum(w) and one U in [0, 1) for each epoch, example i
    comes floor(C_i + U) - floor(C_{i-1} + U) times, which is its expected count K w_i / sum(w)
    rounded down or up, and that count on average. The epoch is then shuffled as there. So equal
    weights give exactly `batch_indices`, and weights of 0 and 1 that of the examples with 1.

    Args:
        weights: w, [N], finite and not negative, one of them positive. They are read in steps of
            2**-40 of the greatest, and smaller positive ones as one step.
        batch_size: examples per step.
        seed: picks resamples and permutations, 0 <= seed < 2**32.
        step: counted from 0.

    Returns:
        Indices, int64 [batch_size]; an example may come twice in a batch.

    Raises:
        ValueError: if the weights are not so, the batch size is not positive, the step is negative,
            or the seed out of range.

    Source: systematic resampling, Kitagawa 1996, "Monte Carlo filter and smoother", appendix.

    >>> weighted_indices([1.0, 0.0, 2.0], 4, seed=0, step=0).tolist()
    [2, 2, 0, 2]
    """
    _refuse_unfit(max(1, len(weights)), batch_size, step)
    return weighted_at(weights, step * batch_size, batch_size, seed=seed)


def weighted_at(
    weights: Sequence[float] | np.ndarray, first: int, count: int, *, seed: int
) -> np.ndarray:
    """Give the examples at some places of the order that `weighted_indices` cuts into batches.

    Args:
        weights: as there.
        first: place of the first, counted from 0.
        count: of places.
        seed: as there.

    Returns:
        Indices, int64 [count].

    Raises:
        ValueError: as there.
    """
    kept, steps = _in_steps(np.asarray(weights, np.float64))
    order = indices_at(len(kept), first, count, seed=seed)
    epochs = (first + np.arange(count)) // len(kept)
    drawn = {epoch: _resample(steps, seed, epoch) for epoch in set(epochs.tolist())}
    places = [drawn[epoch][place] for epoch, place in zip(epochs.tolist(), order, strict=True)]
    return kept[places]


def _in_steps(weights: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """The examples with a weight, and their weights as whole numbers, of which sums are exact."""
    if weights.ndim != 1 or not np.isfinite(weights).all() or (weights < 0).any():
        raise ValueError("weights must be [N], finite and not negative")
    kept = np.flatnonzero(weights)
    if not kept.size:
        raise ValueError(f"of {len(weights)} weights none is positive: nothing is left to draw")
    shares = weights[kept] / weights.max()
    return kept, tuple(max(1, round(share * _STEPS_OF_WEIGHTS)) for share in shares.tolist())


@lru_cache(maxsize=4)
def _resample(steps: tuple[int, ...], seed: int, epoch: int) -> np.ndarray:
    total = sum(steps)
    digest = hashlib.sha256(f"resample {seed} {epoch}".encode()).digest()
    start = int.from_bytes(digest, "big") % total
    ends = [(len(steps) * end + start) // total for end in accumulate(steps, initial=0)]
    return np.repeat(np.arange(len(steps)), [after - before for before, after in pairwise(ends)])
