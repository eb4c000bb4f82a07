"""Columns of the data that a loss reads: rates from 0 to 1, one for each training problem."""

import numbers
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from sage_jax.data.problem import DataError
from sage_jax.telling import brief

COLUMNS = frozenset(("base_pass_rate",))
"""Those of `losses.Terms`, by the names under which the data have them."""


def is_rate(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    return isinstance(value, numbers.Real) and 0 <= float(value) <= 1


def rates(problems: Sequence[Any], name: str) -> np.ndarray | None:
    """A column of some problems, float32[N]; None where one of them has no rate there.

    >>> from sage_jax.data.problem import Problem
    >>> rates([Problem("a", "1 + 1?", "2", extra={"base_pass_rate": 0.5})], "base_pass_rate")
    array([0.5], dtype=float32)
    """
    found = [_of(problem, name) for problem in problems]
    return np.array(found, np.float32) if found and all(map(is_rate, found)) else None


def refuse_missing_rates(problems: Sequence[Any], names: Collection[str]) -> None:
    """Refuse training problems that lack what the loss reads.

    Raises:
        DataError: names the column, how many lack it, and the first of them.
    """
    for name in sorted(names):
        odd = [problem for problem in problems if not is_rate(_of(problem, name))]
        if odd:
            raise DataError(
                f"the loss reads {name}, a number from 0 to 1 of each training problem, and "
                f"{len(odd)} of {len(problems)} have none, as {odd[0].id!r} "
                f"({brief(_of(odd[0], name))}): give the data a column of that name"
            )


def _of(problem: Any, name: str) -> Any:
    return getattr(problem, "extra", {}).get(name)
