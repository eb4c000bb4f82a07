"""Which rows of a table are taken: those of some values, and at most so many."""

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from sage_jax.data.problem import DataError, Problem
from sage_jax.data.rows.row import Row, RowError, Table, has_column, look_up
from sage_jax.data.rows.texts import as_text, is_missing
from sage_jax.parts.modules import near_miss
from sage_jax.telling import brief

Value = str | bool | int | float | None
"""What a column may be asked to hold."""

_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which rows are taken.

    Attributes:
        where: a value, or several of which one has to be there, by the path of a column. Numbers
            and text compare as they are written: 5, 5.0 and "5" are one; null is an empty cell.
        limit: problems taken at most; 0 takes all.
        shuffle_seed: takes them from anywhere, by a hash of the seed and each id; None the first.
        max_bad_share: share of the rows that may hold no problem and are left out.
    """

    where: Mapping[str, Value | Sequence[Value]] = dataclasses.field(default_factory=dict)
    limit: int = 0
    shuffle_seed: int | None = None
    max_bad_share: float = 0.0

    def __post_init__(self):
        for path, value in self.where.items():
            every = value if isinstance(value, list | tuple) else [value]
            if not all(isinstance(one, str | bool | int | float | None) for one in every):
                raise DataError(
                    f"task.where.{path}: {brief(value)} must be text, a number, true, false or "
                    "null, or a list of them"
                )
        if self.limit < 0:
            raise DataError(f"task.limit: {self.limit} must be 0, which takes all, or more")
        if not 0 <= self.max_bad_share <= 1:
            raise DataError(f"task.max_bad_share: {self.max_bad_share:g} must lie in 0..1")

    def rows(self, table: Table) -> list[Row]:
        """The rows of `where`, and those that could not be read.

        Raises:
            DataError: a column of it is in no row, or no row is left.
        """
        wanted = {path: _several(value) for path, value in self.where.items()}
        there = table.columns()
        for path in wanted:
            if not has_column(there, path):
                raise DataError(
                    f"{table.name}: task.where.{path}: there is no column {path!r}"
                    f"{near_miss(path, there)}; there are {', '.join(there)}"
                )
        kept = [row for row in table.rows if row.fault or _matches(row, wanted)]
        if not kept and table.rows:
            raise DataError(
                f"{table.name}: task.where keeps none of {len(table.rows)} rows; "
                + "; ".join(_holds(table, path) for path in wanted)
            )
        return kept

    def some(self, problems: Sequence[Problem]) -> list[Problem]:
        """At most `limit` of some problems."""
        if self.shuffle_seed is not None:
            problems = sorted(problems, key=self._draw)
        return [*problems[: self.limit or None]]

    def _draw(self, problem: Problem) -> bytes:
        return hashlib.sha256(f"{self.shuffle_seed} {problem.id}".encode()).digest()


def _several(value: Value | Sequence[Value]) -> set[str]:
    every = value if isinstance(value, list | tuple) else [value]
    return {_form(one) for one in every}


def _form(value: Any) -> str:
    """A value as it is compared."""
    if is_missing(value):
        return ""
    text = as_text(value).strip()
    return text.lower() if isinstance(value, bool) or text in ("True", "False") else text


def _matches(row: Row, wanted: Mapping[str, set[str]]) -> bool:
    return all(_of(row, path) in forms for path, forms in wanted.items())


def _of(row: Row, path: str) -> str | None:
    """What a row has there as it is compared; None for what no config can name, as a list."""
    try:
        return _form(look_up(row.values, path))
    except RowError:
        return None


def _holds(table: Table, path: str) -> str:
    seen = dict.fromkeys(_of(row, path) for row in table.rows)
    shown = ["null" if not one else repr(one) for one in seen][:_SHOWN]
    return f"{path!r} holds {', '.join(shown)}{', ...' if len(seen) > _SHOWN else ''}"
