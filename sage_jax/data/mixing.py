"""The order of a mixture: which of several sources each place of it takes, in closed form."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

_ALL = 2**64
_STEP = 0x9E3779B97F4A7C15  # The golden ratio less one, in parts of 2**64, and odd.


@dataclass(frozen=True)
class Mixing:
    """Sources by weight, spread so evenly that every stretch of places holds about their shares.

    Place p takes the source in whose interval of cumulative shares u_p = frac(u_0 + p (√5 - 1)/2)
    lies. Such points leave no large gaps anywhere (Weyl's sequence of least discrepancy). They are
    whole numbers of 64 bits here, so that every machine finds the same.

    Attributes:
        ends: of the sources' intervals, in parts of 2**64.
        offset: u_0, in the same parts.

    >>> mixing = Mixing.of([2, 1], seed=0)
    >>> mixing.sources(0, 9).tolist(), mixing.before(9)
    ([1, 0, 0, 1, 0, 1, 0, 0, 1], [5, 4])
    """

    ends: tuple[int, ...]
    offset: int

    @classmethod
    def of(cls, weights: Sequence[float], *, seed: int) -> "Mixing":
        """A mixture by weights above 0, whose sum is their unit."""
        sums = list(itertools.accumulate(map(Fraction, weights)))
        offset = np.random.SeedSequence(seed).generate_state(1, np.uint64).item()
        return cls(tuple(int(one / sums[-1] * _ALL) for one in sums), offset)

    def sources(self, first: int, count: int) -> np.ndarray:
        """The sources of places `first` to `first + count - 1`: int64[count]."""
        places = np.arange(first, first + count, dtype=np.uint64)
        points = places * np.uint64(_STEP) + np.uint64(self.offset)  # Modulo 2**64.
        return np.searchsorted(np.array(self.ends[:-1], np.uint64), points, side="right")

    def before(self, first: int) -> list[int]:
        """How many of the places before `first` each source has."""
        below = [0, *(self._below(end, first) for end in self.ends)]
        return [high - low for low, high in itertools.pairwise(below)]

    def _below(self, end: int, count: int) -> int:
        """How many of the first `count` points lie below `end`.

        A point x lies below t if floor(x / 2**64) is more than floor((x - t) / 2**64).
        """
        return _floors(count, self.offset) - _floors(count, self.offset - end)


def _floors(count: int, offset: int) -> int:
    """The sum of floor((offset + p _STEP) / 2**64) over p = 0 ... count - 1.

    The area under a line, whole units at a time: what is left is the same sum with the axes
    exchanged, as in Euclid's algorithm.
    """
    total, step, whole = 0, _STEP, _ALL
    while count:
        (high, step), (start, offset) = divmod(step, whole), divmod(offset, whole)
        total += count * (count - 1) // 2 * high + count * start
        count, offset = divmod(step * count + offset, whole)
        step, whole = whole, step
    return total
