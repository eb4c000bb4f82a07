"""Problems in words that are drawn and not read."""

from collections.abc import Sequence

import numpy as np

from sage_jax.data import arithmetic as sums
from sage_jax.data import many_ways as ways
from sage_jax.data.problem import Problem
from sage_jax.data.problem_set import ProblemSet, Worked

# Shares of all distinct problems that are drawn for each part, and at most how many. The split is
# 4 to 1 by a hash, so that small ranges do not hit it exactly: the shares leave some room.
_TRAIN, _HELD_OUT = (0.7, 2000), (0.15, 500)


def arithmetic(
    *,
    seed: int,
    min_operand: int = 10,
    max_operand: int = 99,
    operations: tuple[sums.Operation, ...] = ("add", "subtract"),
    odds: tuple[float, float, float, float] = (0.25, 0.25, 0.25, 0.25),
) -> ProblemSet:
    """Procedural sums in words such as "What is 23 + 45?", with worked solutions in four styles.

    The style in which a right completion works is its mode. `odds` are those with which a
    demonstration is direct, split, round or reorder.
    """
    if min(odds) < 0 or abs(sum(odds) - 1) > 1e-6:
        raise ValueError(f"odds {[*odds]} must be four numbers of 0 or more whose sum is 1")
    if not 0 <= min_operand < max_operand <= 10**6:
        raise ValueError(
            f"min_operand {min_operand} and max_operand {max_operand} must satisfy "
            "0 <= min_operand < max_operand <= 1000000"
        )

    def draw(split: sums.Split, share: float, most: int) -> list[Problem]:
        distinct = sums.count_problems(operations, low=min_operand, high=max_operand)
        count = max(1, min(most, int(share * distinct)))
        return sums.make_problems(
            seed, count, operations=operations, low=min_operand, high=max_operand, split=split
        )

    return ProblemSet(
        draw("train", *_TRAIN),
        draw("held_out", *_HELD_OUT),
        worked=_by_odds(seed, odds),
        reward="number",
        mode=sums.style_of,
        distinct=True,
    )


def _by_odds(seed: int, odds: Sequence[float]) -> Worked:
    """Worked solutions, the style of each drawn anew."""
    chances = np.asarray(odds, np.float64) / np.sum(odds)

    def worked(problem: Problem, draw: int) -> str:
        style = np.random.default_rng([seed, draw]).choice(len(chances), p=chances)
        return list(sums.solutions(problem).values())[style]

    return worked


def many_ways(
    *,
    seed: int,
    domains: tuple[ways.Name, ...] = ("change", "colours", "countdown", "orders", "paths"),
    levels: tuple[int, ...] = (1,),
    num_train: int = 400,
    num_held_out: int = 100,
) -> ProblemSet:
    """Procedural problems in words with 2 to 100 right answers each, and a mode for every one.

    `num_train` and `num_held_out` problems of each of the `domains` at each of the `levels`, 1 to
    5: pay a sum in coins, colour a map, reach a number by arithmetic, put tasks in order, find a
    way.
    """
    if not domains or not levels or not {*levels} <= {*ways.LEVELS}:
        raise ValueError(f"domains {[*domains]} and levels {[*levels]} must name some, levels 1..5")
    if min(num_train, num_held_out) < 1:
        raise ValueError(
            f"num_train {num_train} and num_held_out {num_held_out} must be at least 1"
        )

    def draw(count: int, held_out: bool) -> list[Problem]:
        return [
            problem
            for domain in domains
            for level in levels
            for problem in ways.make_problems(
                seed, count, domain=domain, level=level, held_out=held_out
            )
        ]

    return ProblemSet(
        draw(num_train, False),
        draw(num_held_out, True),
        worked=ways.worked,
        reward=ways.judge,
        mode=ways.way_of,
        distinct=True,
    )
