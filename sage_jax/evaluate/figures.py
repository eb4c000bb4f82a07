"""Figures of an evaluation by name, problem by problem: what tables and tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sage_jax.evaluate.results import EvalResult

_OF_K: Mapping[str, Callable[[EvalResult, Sequence[int]], np.ndarray]] = {
    "pass@": lambda result, ks: result.pass_table(ks),
    "pass^": lambda result, ks: result.all_pass_table(ks),
    "majority@": lambda result, ks: result.majority_table(ks),
    "modes@": lambda result, ks: result.modes_table(ks),
    "answers@": lambda result, ks: result.answers_table(ks),
    "draws@": lambda result, ks: result.draws_table(ks),
}
_PLAIN: Mapping[str, Callable[[EvalResult], np.ndarray]] = {
    "diversity": lambda result: result.diversity_table(),
    "effective modes": lambda result: result.effective_table(),
}
_NUMBERS = ("modes@", "answers@", "draws@", "effective modes")


def column(result: EvalResult, name: str) -> np.ndarray:
    """One figure of every problem [Q], NaN where a problem lacks it.

    Args:
        result: the evaluation.
        name: "pass@K", "pass^K", "majority@K", "modes@K", "answers@K", "draws@K", "diversity" or
            "effective modes".

    Raises:
        ValueError: there is no such figure, or its K is none that the evaluation can give.
    """
    kind, k = parsed(name)
    if k is None:
        return _PLAIN[kind](result)[:, 0]
    if not 1 <= k <= result.largest_k:
        raise ValueError(
            f"{name} needs a k from 1 to {result.largest_k}, the samples of evaluation "
            f"{result.tag!r} of {result.task!r}"
        )
    return _OF_K[kind](result, [k])[:, 0]


def has(result: EvalResult, name: str) -> bool:
    """Whether an evaluation can give a figure.

    Raises:
        ValueError: there is no such figure.
    """
    kind, k = parsed(name)
    if kind in ("majority@", "answers@") and not result.has_answers:
        return False
    if kind in ("modes@", *_PLAIN) and not result.has_modes:
        return False
    return k is None or 1 <= k <= result.largest_k


def parsed(name: str) -> tuple[str, int | None]:
    """The kind of a figure and its k, if it has one.

    Raises:
        ValueError: there is no such figure.

    >>> parsed("pass@64"), parsed("diversity")
    (('pass@', 64), ('diversity', None))
    """
    if name in _PLAIN:
        return name, None
    for kind in _OF_K:
        digits = name.removeprefix(kind)
        if digits != name and digits.isdecimal():
            return kind, int(digits)
    known = ", ".join([*(f"{kind}K" for kind in _OF_K), *_PLAIN])
    raise ValueError(f"there is no figure {name!r}; there are {known}")


def is_share(name: str) -> bool:
    """Whether a figure is a share, and not a number of modes, answers or draws."""
    return not name.startswith(_NUMBERS)


def is_better_high(name: str) -> bool:
    """Whether more of a figure is better; of draws until solved less is."""
    return not name.startswith("draws@")
