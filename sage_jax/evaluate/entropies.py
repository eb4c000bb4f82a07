"""Where a text branches: entropies by token, and the threshold that parts forks from the rest."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

_GRID = 1024  # Places where the density is looked at.
_SHARES = (0.05, 0.1, 0.2, 0.5)
_LEAST_SHARE = 0.01  # Of the tokens, on either side of a valley.
_LEAST_DEPTH, _LEAST_ERRORS = 0.3, 4.0
_AS_DEEP = 0.1  # Valleys that differ by no more are as deep as one another.


@dataclass(frozen=True)
class Valley:
    """A minimum of the density of entropies, between two modes.

    Attributes:
        threshold: where it is, in nats.
        share: of the tokens whose entropy is at least that.
        depth: 1 − density there / density at the lower of the modes to its sides; 1 is empty.
        errors: how many standard errors that mode stands above it.
        modes: the highest places of the density to its left and to its right, in nats.
    """

    threshold: float
    share: float
    depth: float
    errors: float
    modes: tuple[float, float]


@dataclass(frozen=True)
class Proposal:
    """What entropies say of a threshold.

    Attributes:
        tokens: how many entropies there were.
        valley: the one that is proposed, or None.
        valleys: all that are to be taken seriously, from the left.
        shares: {share: the threshold that puts that share of the tokens above it}.
    """

    tokens: int
    valley: Valley | None
    valleys: tuple[Valley, ...] = ()
    shares: dict[float, float] = field(default_factory=dict)

    def told(self) -> str:
        """The proposal as a sentence or two.

        >>> Proposal(900, None, (), {0.2: 0.84}).told().split(". ")[1]
        'share: 0.2 would cut at 0.84 nats all the same'
        """
        if self.valley is None:
            return (
                "no valley: forks and noise overlap, and a gate by entropy has nothing to go by. "
                f"share: 0.2 would cut at {self.shares[0.2]:.2f} nats all the same"
            )
        found, (left, right) = self.valley, self.valley.modes
        kind = "a valley" if found.depth >= 0.8 else "a shallow valley"
        return (
            f"threshold {found.threshold:.2f} nats, in {kind} between modes at {left:.2f} and "
            f"{right:.2f}: {found.share:.1%} of the tokens are above it, and the density in it is "
            f"{1 - found.depth:.0%} of that at the lower mode"
        )

    def as_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return asdict(self) | {
            "threshold": None if self.valley is None else self.valley.threshold,
            "shares": {f"{share:g}": threshold for share, threshold in self.shares.items()},
        }


def propose(entropies: np.ndarray) -> Proposal:
    """The threshold between two modes of entropies, where there are two.

    Of a kernel estimate of the density (Gaussian, Silverman's bandwidth, mirrored at 0) the minima
    between neighbouring modes are looked at. One counts with at least 1% of the tokens on either
    side, a depth of 0.3 or more, and if the lower mode stands 4 standard errors above it, taking
    tokens as independent. The deepest is proposed, or the uppermost of those above it that are as
    deep, up to 0.1, and leave 1% of the tokens in between: these are neither certain nor forks.

    Args:
        entropies: of the reference at completion tokens, in nats, of any shape.

    Raises:
        ValueError: there are none, or one of them is negative or no finite number.

    >>> rng = np.random.default_rng(0)
    >>> found = propose(np.concatenate([rng.normal(0.8, 0.1, 500), rng.normal(1.9, 0.1, 100)]))
    >>> print(f"{found.valley.share:.3f}", 1.1 < found.valley.threshold < 1.6)
    0.167 True
    """
    values = np.sort(np.asarray(entropies, np.float64).reshape(-1))
    if not values.size or not np.isfinite(values[-1]) or values[0] < -1e-3:
        seen = f"{values.size} from {values[0]} to {values[-1]}" if values.size else "none"
        raise ValueError(f"entropies: {seen}; finite numbers of 0 or more are needed")
    shares = {share: float(np.quantile(values, 1 - share)) for share in _SHARES}
    valleys = tuple(v for v in _valleys(values) if _counts(v))
    return Proposal(values.size, _chosen(valleys), valleys, shares)


def _chosen(valleys: Sequence[Valley]) -> Valley | None:
    """The deepest, or one above it that is as deep and has tokens in between."""
    if not valleys:
        return None
    deepest = max(valleys, key=lambda valley: valley.depth)
    above = [
        valley
        for valley in valleys
        if valley.depth >= deepest.depth - _AS_DEEP and deepest.share - valley.share >= _LEAST_SHARE
    ]
    return above[-1] if above else deepest


def _counts(valley: Valley) -> bool:
    enough = _LEAST_SHARE <= valley.share <= 1 - _LEAST_SHARE
    return enough and valley.depth >= _LEAST_DEPTH and valley.errors >= _LEAST_ERRORS


def _valleys(values: np.ndarray) -> list[Valley]:
    """Every minimum between neighbouring modes of sorted values."""
    grid, heights, width = density(values)
    padded = np.concatenate([heights[1:2], heights, [0.0]])
    peaks = np.flatnonzero((padded[1:-1] > padded[:-2]) & (padded[1:-1] >= padded[2:]))
    return [
        _valley(values, grid, heights, width, left, right)
        for left, right in itertools.pairwise(peaks.tolist())
    ]


def _valley(
    values: np.ndarray, grid: np.ndarray, heights: np.ndarray, width: float, left: int, right: int
) -> Valley:
    between = heights[left : right + 1]
    # Where nothing lies between two modes the minimum is a stretch; its middle is as far from both.
    lowest = np.flatnonzero(between <= between.min() + 1e-6 * heights.max())
    place = left + int(lowest[len(lowest) // 2])
    modes = int(heights[:place].argmax()), place + int(heights[place:].argmax())
    lower = min(heights[modes[0]], heights[modes[1]])
    # Var f = f ∫K² / (n h), with ∫K² = 1 / (2 √π) of a Gaussian kernel.
    variance = (lower + heights[place]) / (2 * np.sqrt(np.pi) * len(values) * width)
    return Valley(
        threshold=float(grid[place]),
        share=float((values >= grid[place]).mean()),
        depth=float(1 - heights[place] / lower),
        errors=float((lower - heights[place]) / np.sqrt(variance)),
        modes=(float(grid[modes[0]]), float(grid[modes[1]])),
    )


def density(entropies: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """A kernel estimate of the density of entropies, mirrored at 0, where they end.

    Returns:
        Places in nats, the density there, per nat, and the kernel's standard deviation: 0.9 std
        n^(−1/5), and never less than two steps of the grid.
    """
    values = np.asarray(entropies, np.float64).reshape(-1)
    top = max(1.1 * values.max(), 1e-3)
    grid, step = np.linspace(0.0, top, _GRID, retstep=True)
    width = max(0.9 * values.std() * len(values) ** -0.2, 2 * float(step))
    cells = np.clip(np.round(values / step).astype(int), 0, _GRID - 1)
    counts = np.bincount(cells, minlength=_GRID) / len(values)
    counts[0] *= 2  # Its mirror image lies on itself.
    mirrored = np.concatenate([counts[:0:-1], counts])
    reach = np.arange(-int(5 * width / step) - 1, int(5 * width / step) + 2)
    kernel = np.exp(-0.5 * (reach * step / width) ** 2)
    smooth = np.convolve(mirrored, kernel / (kernel.sum() * step), mode="same")
    return grid, smooth[-_GRID:], width


def by_position(entropies: np.ndarray, mask: np.ndarray) -> list[tuple[float, int]]:
    """(mean entropy, number of tokens) at each position that any completion reaches.

    Args:
        entropies: [B, T] in nats.
        mask: [B, T], not 0 at tokens that count.

    >>> by_position(np.array([[1.0, 2.0, 9.0], [3.0, 9.0, 9.0]]), np.array([[1, 1, 0], [1, 0, 0]]))
    [(2.0, 2), (2.0, 1)]
    """
    kept = np.asarray(mask) != 0
    counts = kept.sum(axis=0)
    sums = np.where(kept, entropies, 0.0).sum(axis=0)
    return [(float(s / n), int(n)) for s, n in zip(sums, counts, strict=True) if n]


def bins(entropies: np.ndarray, most: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Edges of at most `most` bins of a round width from 0 on, and the share of tokens in each.

    >>> edges, shares = bins(np.array([0.1, 0.2, 0.9]), most=5)
    >>> print(edges.round(2).tolist(), shares.round(2).tolist())
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0] [0.33, 0.33, 0.0, 0.0, 0.33]
    """
    values = np.asarray(entropies, np.float64).reshape(-1)
    width = _round_up(max(values.max(), 1e-3) / most, (1.0, 2.0, 2.5, 5.0, 10.0))
    count = int(values.max() / width) + 1
    edges = width * np.arange(count + 1)
    places = np.clip((values / width + 1e-9).astype(int), 0, count - 1)
    return edges, np.bincount(places, minlength=count) / len(values)


def _round_up(width: float, steps: Sequence[float]) -> float:
    power = 10.0 ** np.floor(np.log10(width))
    return float(next(step for step in steps if step * power >= width * (1 - 1e-9)) * power)
