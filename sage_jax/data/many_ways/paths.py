"""Find a way through a graph; a mode is the way."""

import itertools
from collections.abc import Iterator

import numpy as np

from sage_jax.data.many_ways.domain import Domain, Facts, letters

# Places, roads, and the most roads of a way, by level.
_LEVELS = {1: (5, 7, 3), 2: (6, 10, 4), 3: (7, 13, 4), 4: (8, 16, 5), 5: (9, 19, 5)}


def draw(generator: np.random.Generator, level: int) -> Facts:
    """One-way roads between places, from the first place to the last."""
    places, roads, most = _LEVELS[level]
    names = [chr(ord("A") + place) for place in range(places)]
    every = [a + b for a, b in itertools.permutations(names, 2)]
    chosen = generator.choice(len(every), size=roads, replace=False)
    drawn = sorted(every[int(place)] for place in chosen)
    return {"roads": drawn, "start": names[0], "end": names[-1], "most": most}


def ask(facts: Facts) -> str:
    """The statement."""
    roads = ", ".join(f"{a}->{b}" for a, b in facts["roads"])
    return (
        f"These are one-way roads: {roads}. Find a way from {facts['start']} to {facts['end']} "
        f"over at most {facts['most']} roads that comes to no place twice. Write the places in "
        f"order, such as {facts['start']}, C, {facts['end']}."
    )


def mode(facts: Facts, answer: str) -> str | None:
    """The way, where it is one."""
    way = letters(answer)
    if way is None or (way[0], way[-1]) != (facts["start"], facts["end"]):
        return None
    taken = [a + b for a, b in itertools.pairwise(way)]
    fits = len(taken) <= facts["most"] and len(set(way)) == len(way)
    return "".join(way) if fits and {*taken} <= {*facts["roads"]} else None


def answers(facts: Facts) -> Iterator[str]:
    """Every way."""
    for way in _ways(facts, (facts["start"],)):
        yield ", ".join(way)


def _ways(facts: Facts, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if way[-1] == facts["end"]:
        yield way
    elif len(way) <= facts["most"]:
        for a, b in facts["roads"]:
            if a == way[-1] and b not in way:
                yield from _ways(facts, (*way, b))


PATHS = Domain(draw, ask, mode, answers)
