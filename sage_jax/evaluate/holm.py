"""Correction of p-values where many tests are made."""

from collections.abc import Sequence

import numpy as np


def holm(ps: Sequence[float]) -> list[float]:
    """p-values corrected for their number: what is below 0.05 is so for all of them at once.

    The chance that any true null hypothesis is rejected stays below the level, however the tests
    depend on each other. A NaN is a test that was not made: it stays, and does not count.

    Source: Holm 1979, Scandinavian Journal of Statistics 6(2).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    made = [place for place, p in enumerate(ps) if not np.isnan(p)]
    corrected, highest = [float("nan")] * len(ps), 0.0
    for rank, place in enumerate(sorted(made, key=lambda place: ps[place])):
        highest = max(highest, min(1.0, ps[place] * (len(made) - rank)))
        corrected[place] = highest
    return corrected
