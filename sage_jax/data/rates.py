"""Columns of the data that are read: rates from 0 to 1, one for each training problem."""

import dataclasses
import numbers
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sage_jax import json_lines
from sage_jax.data.problem import DataError, Problem
from sage_jax.paths import as_path
from sage_jax.telling import brief

BASE_PASS_RATE = "base_pass_rate"
COLUMNS = frozenset((BASE_PASS_RATE,))
"""Those of `losses.Terms`, by the names under which the data have them."""


def is_rate(value: Any) -> bool:
    """Whether a value is a number from 0 to 1."""
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return is_number and 0 <= float(value) <= 1


def rates(problems: Sequence[Any], name: str) -> np.ndarray | None:
    """A column of some problems, float32[N]; None where one of them has no rate there.

    >>> from sage_jax.data.problem import Problem
    >>> rates([Problem("a", "1 + 1?", "2", extra={"base_pass_rate": 0.5})], "base_pass_rate")
    array([0.5], dtype=float32)
    """
    found = [_of(problem, name) for problem in problems]
    return np.array(found, np.float32) if found and all(map(is_rate, found)) else None


def read_rates(path: str | Path) -> dict[str, float]:
    """The base pass rates in a file, by problem, as `sage-jax rate` writes it.

    Raises:
        DataError: naming file, line and field, if the file or one of its lines is bad.
    """
    found: dict[str, float] = {}
    try:
        lines = json_lines.read_lines(as_path(path))
    except json_lines.JsonLinesError as error:
        raise DataError(f"{path}: {error}; `sage-jax rate` writes such a file") from error
    for number, line in enumerate(lines, start=1):
        id, rate = _read(line, f"{path}, line {number}")
        if id in found:
            raise DataError(f"{path}, line {number}: id {brief(id)} was there before")
        found[id] = rate
    if not found:
        raise DataError(f"{path}: holds no rate; `sage-jax rate` writes one a line")
    return found


def _read(line: bytes, where: str) -> tuple[str, float]:
    try:
        row = json_lines.read_object(line)
    except json_lines.JsonLinesError as error:
        raise DataError(f"{where}: {error}") from None
    id, rate = row.get("id"), row.get(BASE_PASS_RATE)
    if not isinstance(id, str):
        raise DataError(f"{where}: id is {brief(id)}; give that of a problem, which is text")
    if not is_rate(rate):
        raise DataError(
            f"{where} (id {brief(id)}): {BASE_PASS_RATE} is {brief(rate)}; give a number from 0 to "
            "1"
        )
    return id, float(rate)  # type: ignore[arg-type]


def with_rates(problems: Sequence[Problem], known: Mapping[str, float]) -> list[Problem]:
    """The problems, those whose id has a rate with it as the column `base_pass_rate`."""
    return [
        dataclasses.replace(one, extra={**one.extra, BASE_PASS_RATE: known[one.id]})
        if one.id in known
        else one
        for one in problems
    ]


def refuse_missing_rates(
    problems: Sequence[Any], names: Collection[str], *, reader: str = "the loss"
) -> None:
    """Refuse training problems that lack what the loss, or another, reads.

    Raises:
        DataError: names the column, how many lack it, and the first of them.
    """
    for name in sorted(names):
        odd = [problem for problem in problems if not is_rate(_of(problem, name))]
        if odd:
            raise DataError(
                f"{reader} reads {name}, a number from 0 to 1 of each training problem, and "
                f"{len(odd)} of {len(problems)} have none, as {odd[0].id!r} "
                f"({brief(_of(odd[0], name))}): give the data a column of that name, or "
                "measure it by `sage-jax rate` and name the file as task.rates_file"
            )


def _of(problem: Any, name: str) -> Any:
    return getattr(problem, "extra", {}).get(name)
