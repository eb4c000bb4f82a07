"""Pay a sum in coins; a mode is which coins."""

from collections.abc import Iterator

import numpy as np

from sage_jax.data.many_ways.domain import Domain, Facts, whole_numbers

# Kinds of coins, the greatest coin, the greatest sum, and the most coins of each level.
_LEVELS = {
    1: (3, 10, 20, 5),
    2: (3, 14, 28, 6),
    3: (4, 12, 30, 6),
    4: (4, 18, 45, 7),
    5: (5, 25, 70, 8),
}


def draw(generator: np.random.Generator, level: int) -> Facts:
    """Coins, a sum, and how many coins may be used."""
    kinds, greatest, most, count = _LEVELS[level]
    coins = generator.choice(np.arange(1, greatest + 1), size=kinds, replace=False)
    total = int(generator.integers(most // 3, most + 1))
    return {"coins": sorted(coins.tolist()), "sum": total, "most": count}


def ask(facts: Facts) -> str:
    """The statement."""
    return (
        f"Pay {facts['sum']} with at most {facts['most']} coins of the values "
        f"{', '.join(map(str, facts['coins']))}. Any coin may be used several times. "
        "Write the coins as a list, such as 5, 2, 1."
    )


def mode(facts: Facts, answer: str) -> str | None:
    """The coins from small to large, where they pay the sum."""
    coins = whole_numbers(answer)
    if coins is None or not set(coins) <= {*facts["coins"]} or len(coins) > facts["most"]:
        return None
    return " ".join(map(str, sorted(coins))) if sum(coins) == facts["sum"] else None


def answers(facts: Facts) -> Iterator[str]:
    """Every choice of coins."""
    for coins in _paid(tuple(facts["coins"]), facts["sum"], facts["most"]):
        yield ", ".join(map(str, coins))


def _paid(coins: tuple[int, ...], left: int, most: int) -> Iterator[tuple[int, ...]]:
    if left == 0:
        yield ()
    for place, coin in enumerate(coins):
        if coin <= left and most:
            for rest in _paid(coins[place:], left - coin, most - 1):
                yield (coin, *rest)


CHANGE = Domain(draw, ask, mode, answers)
