"""The styles in which completions of the real model begin, right or wrong."""

import itertools
from collections.abc import Iterable

import numpy as np

from sage_jax.data.arithmetic import OPERATIONS
from sage_jax.data.styles import STYLES, work
from sage_jax.evaluate.completions import Completion


def begun(id: str, completion: str) -> str:
    """The style in which a completion begins, right or wrong, or "other".

    It is the one whose worked solution it shares the most characters with, from the first on, where
    that is one alone.

    >>> begun("arithmetic-subtract-82-47", "From 47 up to 50 is 5.")
    'round'
    """
    _, name, a, b = id.split("-")
    operation = OPERATIONS[OPERATIONS.index(name)]
    worked = [work(style, operation, int(a), int(b)) for style in STYLES]
    shared = [_shared(one, completion.strip()) for one in worked]
    best = max(shared)
    return STYLES[shared.index(best)] if shared.count(best) == 1 else "other"


def _shared(one: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def count(completions: Iterable[Completion]) -> dict[str, list[list[int]]]:
    """Completions of each problem that begin in each style, and those of them that are right.

    Problems are in the order of their ids, as in `studies.real.counts`.
    """
    found: dict[str, np.ndarray] = {}
    for one in completions:
        own = found.setdefault(one.id, np.zeros((2, len(STYLES)), int))
        if (style := begun(one.id, one.completion)) in STYLES:
            own[:, STYLES.index(style)] += 1, bool(one.correct)
    both = [found[id].tolist() for id in sorted(found)]
    return {"written": [own[0] for own in both], "written_right": [own[1] for own in both]}
