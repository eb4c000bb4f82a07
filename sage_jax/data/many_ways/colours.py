"""Colour places so that neighbours differ; a mode is which places share a colour."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np

from sage_jax.data.many_ways.domain import Domain, Facts

_LEVELS = {1: (6, 5), 2: (6, 7), 3: (7, 10), 4: (8, 13), 5: (9, 16)}  # Places, and borders.
_COLOURS = ("red", "green", "blue")


def draw(generator: np.random.Generator, level: int) -> Facts:
    """Places and borders between them that a hidden colouring crosses."""
    count, borders = _LEVELS[level]
    places = [chr(ord("A") + place) for place in range(count)]
    hidden = dict(zip(places, generator.integers(0, len(_COLOURS), count).tolist(), strict=True))
    pairs = [a + b for a, b in itertools.combinations(places, 2) if hidden[a] != hidden[b]]
    size = min(borders, len(pairs))
    chosen = generator.choice(len(pairs), size=size, replace=False) if pairs else []
    return {"places": places, "borders": sorted(pairs[int(place)] for place in chosen)}


def ask(facts: Facts) -> str:
    """The statement."""
    borders = ", ".join(f"{a}-{b}" for a, b in facts["borders"])
    return (
        f"Give each of the places {', '.join(facts['places'])} one of the colours "
        f"{', '.join(_COLOURS)}, so that neighbours differ. Neighbours are {borders}. Write "
        "each place with its colour, such as A red, B green."
    )


def mode(facts: Facts, answer: str) -> str | None:
    """The groups of places of one colour, whatever colour, where the colouring is right."""
    words = answer.replace(",", " ").replace(":", " ").replace("=", " ").split()
    places, colours = [w.upper() for w in words[::2]], [w.lower() for w in words[1::2]]
    if sorted(places) != facts["places"] or len(colours) != len(places):
        return None
    given = dict(zip(places, colours, strict=True))
    differ = all(given[a] != given[b] for a, b in facts["borders"])
    return _groups(given) if differ and {*colours} <= {*_COLOURS} else None


def answers(facts: Facts) -> Iterator[str]:
    """A colouring of each mode: colours come up in their order."""
    for chosen in _coloured(facts, ()):
        given = zip(facts["places"], chosen, strict=True)
        yield ", ".join(f"{place} {_COLOURS[colour]}" for place, colour in given)


def _coloured(facts: Facts, begun: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    if len(begun) == len(facts["places"]):
        yield begun
        return
    place = facts["places"][len(begun)]
    near = {begun[ord(a) - ord("A")] for a, b in facts["borders"] if b == place}
    for colour in range(min(len({*begun}) + 1, len(_COLOURS))):
        if colour not in near:
            yield from _coloured(facts, (*begun, colour))


def _groups(given: Mapping[str, str]) -> str:
    groups = {colour: sorted(p for p in given if given[p] == colour) for colour in given.values()}
    return " ".join(sorted(map("".join, groups.values())))


COLOURS = Domain(draw, ask, mode, answers)
