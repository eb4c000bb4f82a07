"""Put things in an order that some conditions allow; a mode is the order."""

import itertools
from collections.abc import Iterator

import numpy as np

from sage_jax.data.many_ways.domain import Domain, Facts, letters

_LEVELS = {1: (5, 5), 2: (5, 4), 3: (6, 7), 4: (7, 10), 5: (8, 15)}  # Things, and conditions.


def draw(generator: np.random.Generator, level: int) -> Facts:
    """Conditions that one hidden order, and mostly several, meet."""
    things, conditions = _LEVELS[level]
    hidden = [chr(ord("A") + int(place)) for place in generator.permutation(things)]
    pairs = [a + b for a, b in itertools.combinations(hidden, 2)]
    chosen = generator.choice(len(pairs), size=conditions, replace=False)
    return {"things": sorted(hidden), "before": sorted(pairs[int(place)] for place in chosen)}


def ask(facts: Facts) -> str:
    """The statement."""
    conditions = ", ".join(f"{a} before {b}" for a, b in facts["before"])
    return (
        f"Put the tasks {', '.join(facts['things'])} in an order in which these hold: "
        f"{conditions}. Write all tasks in order, such as {', '.join(facts['things'])}."
    )


def mode(facts: Facts, answer: str) -> str | None:
    """The order, where it is allowed."""
    order = letters(answer)
    if order is None or sorted(order) != facts["things"]:
        return None
    held = all(order.index(a) < order.index(b) for a, b in facts["before"])
    return "".join(order) if held else None


def answers(facts: Facts) -> Iterator[str]:
    """Every order that is allowed."""
    for order in _orders(facts, ()):
        yield ", ".join(order)


def _orders(facts: Facts, begun: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if len(begun) == len(facts["things"]):
        yield begun
    for thing in facts["things"]:
        needed = {a for a, b in facts["before"] if b == thing}
        if thing not in begun and needed <= {*begun}:
            yield from _orders(facts, (*begun, thing))


ORDERS = Domain(draw, ask, mode, answers)
