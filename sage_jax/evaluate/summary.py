"""The summary of an evaluation: its means over problems, with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sage_jax.evaluate.bootstrap import Interval, known_intervals, mean_intervals
from sage_jax.evaluate.passk import ladder
from sage_jax.files import ResultError
from sage_jax.telling import brief

if TYPE_CHECKING:
    from sage_jax.evaluate.results import EvalResult

MEANS = ("mean_length", "truncated", "lost")
"""Means over all completions of a sampled evaluation; None where they are not known."""


def summarise(result: EvalResult) -> dict[str, Any]:
    """See `EvalResult.summary`."""
    ks = ladder(result.largest_k)
    figures = _along("pass@", ks, result.pass_table(ks))
    figures |= _along("pass^", ks[1:], result.all_pass_table(ks[1:]))
    last = ks[-1:]
    figures |= _along("draws@", last, result.draws_table(last))
    if result.has_answers:
        figures |= _along("majority@", last, result.majority_table(last))
        figures |= _along("answers/distinct@", last, result.answers_table(last))
    if result.has_modes:
        figures |= _modes(result, ks)
    means = {} if result.exact else {name: getattr(result, name) for name in MEANS}
    return {name: asdict(interval) for name, interval in figures.items()} | means


def check_summary(summary: dict[str, Any], result: EvalResult) -> None:
    """The stored pass@k must follow from the stored counts: a hand-edited file is refused.

    Raises:
        ResultError: it does not.
    """
    ks = ladder(result.largest_k)
    means = result.pass_table(ks).mean(axis=0)
    for k, expected in zip(ks, means, strict=True):
        entry = summary.get(f"pass@{k}")
        stored = entry.get("mean") if isinstance(entry, dict) else None
        if not isinstance(stored, int | float) or not math.isclose(stored, expected, abs_tol=1e-6):
            raise ResultError(
                f"summary: pass@{k} must have mean {expected:.6g}, which the problems give, "
                f"got {brief(stored)}"
            )


def _along(name: str, ks: Sequence[int], table: np.ndarray) -> dict[str, Interval]:
    intervals = mean_intervals(table) if ks else []
    return {f"{name}{k}": v for k, v in zip(ks, intervals, strict=True)}


def _modes(result: EvalResult, ks: Sequence[int]) -> dict[str, Interval]:
    names = [*(f"modes/distinct@{k}" for k in ks), "modes/diversity", "modes/effective"]
    columns = [result.modes_table(ks), result.diversity_table(), result.effective_table()]
    found = known_intervals(np.hstack(columns))
    return {name: v for name, v in zip(names, found, strict=True) if v is not None}
