"""What the stored tokens of a run show together: q over training, KL and entropy by position."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sage_jax.evaluate.samples import Sample, Tokens, read_samples

PER_OCTAVE, _OCTAVES = 16, 5
Q_EDGES = 2.0 ** ((np.arange(-_OCTAVES * PER_OCTAVE, _OCTAVES * PER_OCTAVE + 2) - 0.5) / PER_OCTAVE)
"""Edges of the bins of q, 4% wide, 1 in the middle of one. The outermost hold what is beyond."""

_FILES = 24  # Of samples that are read of a run, evenly over its steps: as many as a plot can show.
_LATE = 0.25  # Of the steps, whose completions the curves by position are of.
_BINS = 48  # Of positions.
_LEAST = 8  # Tokens at a bin of positions, below which a mean says nothing.


@dataclass(frozen=True, eq=False)
class Curve:
    """Means by token position.

    Attributes:
        positions: [P] middles of bins of positions, from 1.
        means: [P].
    """

    positions: np.ndarray
    means: np.ndarray


@dataclass(frozen=True, eq=False)
class Trends:
    """Of the stored completions of one run.

    Attributes:
        q: {step: [Q] share of tokens in each bin of `Q_EDGES`}, of steps with a guide.
        kl: k3 estimate of the KL to the reference, nats a token; None without a reference.
        entropy: of the policy, nats; None where it was not stored.
    """

    q: Mapping[int, np.ndarray]
    kl: Curve | None
    entropy: Curve | None


def read_trends(folder: Path) -> Trends:
    """Trends of a run's `samples/` folder, from at most 24 of its files.

    Raises:
        ResultError: a file of samples is corrupt.
    """
    files = [read_samples(path) for path in _spread(sorted(folder.glob("step-*.jsonl")))]
    known = [*_tokens(files)]
    last = max((step for step, _ in known), default=0)
    late = [tokens for step, tokens in known if step > (1 - _LATE) * last]
    return Trends(_q(known), by_position(late, _k3), by_position(late, _entropies))


def _spread(paths: Sequence[Path]) -> list[Path]:
    places = np.linspace(0, len(paths) - 1, min(_FILES, len(paths))).round().astype(int)
    return [paths[place] for place in places]


def _tokens(files: Sequence[Sequence[Sample]]) -> Iterator[tuple[int, Tokens]]:
    for file in files:
        for sample in file:
            if sample.tokens is not None:
                yield sample.step, sample.tokens


def _q(known: Sequence[tuple[int, Tokens]]) -> dict[int, np.ndarray]:
    values: dict[int, list[np.ndarray]] = {}
    for step, tokens in known:
        if "q" in tokens.figures:
            values.setdefault(step, []).append(tokens.figures["q"])
    shares = {step: q_shares(np.concatenate(own)) for step, own in values.items()}
    return {step: own for step, own in shares.items() if own.any()}


def q_shares(q: np.ndarray) -> np.ndarray:
    """Share of tokens in each bin of `Q_EDGES`; all 0 where no value is known.

    >>> shares = q_shares(np.array([1.0, 1.0, 1.2, np.nan]))
    >>> [round(float(shares[np.searchsorted(Q_EDGES, q) - 1]), 3) for q in (1.0, 1.2)]
    [0.667, 0.333]
    """
    known = np.clip(q[np.isfinite(q)], Q_EDGES[0], Q_EDGES[-1] * (1 - 1e-9))
    return np.histogram(known, Q_EDGES)[0] / max(len(known), 1)


def by_position(
    completions: Sequence[Tokens], figure: Callable[[Tokens], np.ndarray | None]
) -> Curve | None:
    """Means of a figure over completions, by token position in at most 48 bins.

    Args:
        completions: tokens of each.
        figure: (tokens) -> [T] values, NaN where one is unknown, or None.

    Returns:
        None where no bin has eight values.
    """
    found = [own for tokens in completions if (own := figure(tokens)) is not None]
    if not found:
        return None
    places = np.concatenate([np.arange(len(own)) for own in found])
    values = np.concatenate(found).astype(np.float64)
    places, values = (array[np.isfinite(values)] for array in (places, values))
    width = -(-(int(places.max(initial=0)) + 1) // _BINS)
    bins = places // width
    counts, totals = np.bincount(bins), np.bincount(bins, values)
    kept = np.flatnonzero(counts >= _LEAST)
    middles = kept * width + (width + 1) / 2
    return Curve(middles, totals[kept] / counts[kept]) if len(kept) else None


def _k3(tokens: Tokens) -> np.ndarray | None:
    logps, ref_logps = (tokens.figures.get(name) for name in ("logps", "ref_logps"))
    if logps is None or ref_logps is None:
        return None
    with np.errstate(over="ignore", invalid="ignore"):  # What is beyond float32 is left out.
        ratio = ref_logps - logps
        return np.expm1(ratio) - ratio


def _entropies(tokens: Tokens) -> np.ndarray | None:
    return tokens.figures.get("entropies")
