"""The words that say how rows become problems, which are those of several tasks."""

from collections.abc import Sequence
from typing import Any

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.rows import Choice, Layout


def read_by(
    columns: dict[str, str] | None,
    answer_from: str,
    source: str,
    where: dict[str, Any] | None,
    limit: int,
    shuffle_seed: int | None,
    max_bad_share: float,
) -> tuple[Layout, Choice]:
    """How rows are read and which are taken, as a config says it.

    Raises:
        DataError: of what makes no sense whatever the rows.
    """
    layout = Layout(columns or {}, answer_from, source)
    return layout, Choice(where or {}, limit, shuffle_seed, max_bad_share)


def without(problems: Sequence[Problem], ids: Sequence[str], name: str) -> list[Problem]:
    """Problems to train on but for those of some ids, `exclude_ids`.

    Raises:
        DataError: one is not there, or no problem is left.
    """
    if missing := {*ids} - {one.id for one in problems}:
        raise DataError(f"task.exclude_ids: {name} has no problem {min(missing)!r} to train on")
    kept = [one for one in problems if one.id not in ids]
    if ids and not kept:
        raise DataError(f"task.exclude_ids: leaves none of the {len(problems)} problems of {name}")
    return kept
